"""What every TrackStore promises of the log of changes, of a source's state, and of when a track was seen last."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.support.store import (
    ALL,
    ANY_NUMBER,
    DEFAULT,
    a_listing,
    a_run,
    a_track,
    failed,
    fetched,
    staged,
    synced,
)
from tracksync.api.deactivation import DeactivationPolicy
from tracksync.core.tracks.model import DASHBOARD_COLUMNS, FetchedItem, MergeCounters

if TYPE_CHECKING:
    from tests.ports.conftest import Store
    from tracksync.core.tracks.guards import DeactivationGuard
    from tracksync.core.tracks.model import ItemResult, Listing
    from tracksync.ports import RunTicket

WITHHOLD = replace(ANY_NUMBER, policy=DeactivationPolicy.WITHHOLD)


async def merged(store: Store, ticket: RunTicket, guard: DeactivationGuard = ANY_NUMBER) -> MergeCounters:
    store.pass_time()
    return await store.database.tracks.merge(ticket, guard=guard)


async def test_every_kind_of_change_is_logged_with_the_names_of_its_fields(store: Store) -> None:
    stored = [fetched(slug, city="Bern", phone="555-0100", total_laps=1) for slug in ("profile", "totals", "same")]
    await synced(store.database, a_listing("same", "listing", "profile", "totals", "back", "back-new", "gone"), stored)
    store.deactivate("back")
    store.deactivate("back-new")
    names = ("same", a_track("listing", "New", is_featured=True), "profile", "totals", "back")
    listing = a_listing(*names, a_track("back-new", "New"), "new")
    items: list[ItemResult] = [
        fetched("same", city="Bern", phone="555-0100", total_laps=1),
        fetched("profile", city="Biel", phone=None, total_laps=1),
        fetched("totals", total_laps=2, total_races=3),
        fetched("new", city="Basel"),
        failed("listing"),
    ]
    ticket = await staged(store.database, listing, items)
    counters = await merged(store, ticket)
    assert (counters.updated, counters.updated_totals, counters.reactivated) == (4, 1, 2)
    assert store.changes(ticket) == {
        "listing": ("updated", ["is_featured", "name"]),
        "profile": ("updated", ["city", "phone"]),
        "totals": ("updated", ["total_laps", "total_races"]),
        "back": ("reactivated", []),
        "back-new": ("reactivated", ["name"]),
        "gone": ("deactivated", []),
        "new": ("inserted", []),
    }


@pytest.mark.parametrize("column", DASHBOARD_COLUMNS)
async def test_each_dashboard_column_is_named_when_it_changes_and_when_it_is_cleared(store: Store, column: str) -> None:
    value: str | int = 12 if column.startswith("total_") else "12"
    await synced(store.database, a_listing("a"))
    for new in (value, None):
        ticket = await staged(store.database, a_listing("a"), [FetchedItem("a", {column: new})])
        counters = await merged(store, ticket)
        assert store.changes(ticket) == {"a": ("updated", [column])}
        assert counters.updated_totals == column.startswith("total_")


async def test_what_was_withheld_or_did_not_change_is_not_logged(store: Store) -> None:
    await synced(store.database, a_listing("a", "gone"))
    ticket = await staged(store.database, a_listing("a"))
    assert (await merged(store, ticket, WITHHOLD)).withheld == 1
    assert store.changes(ticket) == {}


async def test_two_runs_log_apart(store: Store) -> None:
    first = await staged(store.database, a_listing("a"))
    await merged(store, first)
    second = await staged(store.database, a_listing(a_track("a", "New")))
    await merged(store, second)
    assert store.changes(first) == {"a": ("inserted", [])}
    assert store.changes(second) == {"a": ("updated", ["name"])}


@pytest.mark.parametrize(
    ("steps", "logged"),
    [
        pytest.param(
            (a_track("b", "New"), a_track("b", "New", is_featured=True)), ("updated", ["is_featured", "name"])
        ),
        pytest.param((a_track("b", "New"), None), ("deactivated", ["name"])),
        pytest.param((None, a_track("b")), ("reactivated", [])),
        pytest.param((None, a_track("b"), a_track("b", "New")), ("reactivated", ["name"])),
        pytest.param((None, a_track("b"), None), ("deactivated", [])),
    ],
)
async def test_a_run_that_merges_another_listing_adds_to_its_own_log(
    store: Store, steps: tuple[object, ...], logged: tuple[str, list[str]]
) -> None:
    await synced(store.database, a_listing("a", "b"))
    ticket = await staged(store.database, a_listing("a"))
    for step in steps:
        listing: Listing = a_listing("a", step) if step is not None else a_listing("a")  # type: ignore[arg-type]  # a track
        await store.database.ledger.stage_listing(ticket, listing, refresh=ALL)
        await merged(store, ticket)
    assert store.changes(ticket) == {"b": logged}


async def test_what_a_run_inserted_stays_inserted_in_its_log(store: Store) -> None:
    ticket = await staged(store.database, a_listing("a", "b"))
    for listing in (a_listing("a", "b"), a_listing("a", a_track("b", "New")), a_listing("a"), a_listing("a", "b")):
        await store.database.ledger.stage_listing(ticket, listing, refresh=ALL)
        await merged(store, ticket)
    assert store.changes(ticket) == {"a": ("inserted", []), "b": ("inserted", [])}


async def test_the_state_of_a_source_is_that_of_its_last_complete_run(store: Store) -> None:
    await synced(store.database, a_listing("a", "b", "gone"))
    store.deactivate("b")
    ticket = await staged(store.database, a_listing("a", "b", "new"))
    await merged(store, ticket)
    state = store.source_state()
    assert state is not None
    assert (state["last_complete_run"], state["listed"], state["active"]) == (ticket.identity.run_id, 3, 3)
    assert state["active"] == await store.database.tracks.count_active("liverc")


async def test_withheld_tracks_are_active_beyond_what_was_listed(store: Store) -> None:
    await synced(store.database, a_listing("a", "gone"))
    await synced(store.database, a_listing("a"), guard=WITHHOLD)
    state = store.source_state()
    assert state is not None
    assert (state["listed"], state["active"]) == (1, 2)


async def test_a_run_that_is_filtered_or_not_merged_leaves_the_state_as_it_is(store: Store) -> None:
    assert store.source_state() is None
    await synced(store.database, a_listing("a"), is_filtered=True)
    assert store.source_state() is None
    await synced(store.database, a_listing("a", "b"))
    state = store.source_state()
    store.pass_time()
    await synced(store.database, a_listing("a"), is_filtered=True)
    await staged(store.database, a_listing("a", "b"))
    await synced(store.database, a_listing("x"), run=a_run(source="other"))
    assert store.source_state() == state


async def test_an_active_track_was_seen_last_when_its_source_was_and_its_row_is_not_written(store: Store) -> None:
    await synced(store.database, a_listing("a"))
    row, seen = await store.row("a"), store.last_seen("a")
    store.pass_time()
    await synced(store.database, a_listing("a"))
    state = store.source_state()
    assert state is not None
    assert await store.row("a") == row
    assert store.last_seen("a") == state["last_complete_at"] > seen


async def test_a_filtered_run_moves_only_what_it_changed_beyond_the_last_complete_one(store: Store) -> None:
    await synced(store.database, a_listing("a", "b"))
    before = store.last_seen("a"), store.last_seen("b")
    store.pass_time()
    await synced(store.database, a_listing(a_track("a", "New"), "b"), is_filtered=True)
    assert store.last_seen("a") > before[0]
    assert store.last_seen("b") == before[1]


async def test_an_inactive_track_keeps_its_own_last_seen(store: Store) -> None:
    await synced(store.database, a_listing("a", "gone"))
    own = (await store.row("gone"))["last_seen_at"]
    for _ in range(2):
        store.pass_time()
        await synced(store.database, a_listing("a"), guard=ANY_NUMBER)
    assert store.last_seen("gone").isoformat() == own
    assert store.last_seen("a") > store.last_seen("gone")


async def test_without_a_complete_run_a_track_has_its_own_last_seen(store: Store) -> None:
    await synced(store.database, a_listing("a"), is_filtered=True, guard=DEFAULT)
    assert store.last_seen("a").isoformat() == (await store.row("a"))["last_seen_at"]
