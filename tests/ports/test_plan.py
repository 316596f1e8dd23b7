"""What every TrackStore promises of a plan: it writes no track, and applying it does exactly what it said."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.ports.conftest import EMPTY, Store
from tests.support.postgres import fetch_all
from tests.support.store import (
    ANY_NUMBER,
    DEFAULT,
    SPEC,
    a_listing,
    a_run,
    a_track,
    expire_leases,
    fetched,
    numbered,
    staged,
    synced,
)
from tracksync.adapters.memory import MemoryDatabase
from tracksync.adapters.postgres.database import PostgresDatabase
from tracksync.core.tracks.guards import DeactivationGuard, WithheldReason
from tracksync.core.tracks.model import MergeCounters
from tracksync.core.tracks.plan import ChangeKind, MergePlan, RunMode, TrackChange
from tracksync.errors import FencedError

if TYPE_CHECKING:
    from tests.support.store import Database
    from tracksync.core.tracks.model import ItemResult, ListedTrack

EVERYTHING = "SELECT ctid::text, xmin::text, xmax::text, t::text FROM tracks AS t ORDER BY slug"


async def test_a_plan_names_every_change_with_its_fields_in_slug_order(store: Store) -> None:
    await synced(store.database, a_listing("same", "renamed", "back", "gone"), [fetched("renamed", city="Bern")])
    store.deactivate("back")
    listing = a_listing("same", a_track("renamed", "New"), "back", "new", a_track("known", values={"city": "Bern"}))
    ticket = await staged(store.database, listing, [fetched("renamed", city="Biel"), fetched("new", city="Chur")])
    plan = await store.database.tracks.plan(ticket, guard=ANY_NUMBER)
    assert plan.counters == MergeCounters(
        inserted=2, updated=1, unchanged=1, reactivated=1, deactivated=1, active_before=3
    )
    assert plan.changes == (
        TrackChange("back", ChangeKind.REACTIVATED),
        TrackChange("gone", ChangeKind.DEACTIVATED),
        TrackChange("known", ChangeKind.INSERTED),
        TrackChange("new", ChangeKind.INSERTED),
        TrackChange("renamed", ChangeKind.UPDATED, ("city", "name")),
    )
    kept = [(change.slug, change.kind.value, list(change.fields)) for change in plan.changes]
    assert store.planned(ticket.identity) == kept


async def test_a_plan_touches_no_track_and_logs_nothing(store: Store) -> None:
    await synced(store.database, a_listing("a", "gone"), [fetched("a", city="Bern")])
    rows, state = await store.database.tracks.find_tracks(include_inactive=True), store.source_state()
    versions = fetch_all(store.url, EVERYTHING) if store.url else []
    known = store.freshness("a")
    ticket = await staged(store.database, a_listing(a_track("a", "New"), "new"), [fetched("a", city="Biel")])
    for _ in range(2):
        plan = await store.database.tracks.plan(ticket, guard=ANY_NUMBER)
    assert plan.counters == MergeCounters(inserted=1, updated=1, deactivated=1, active_before=2)
    assert await store.database.tracks.find_tracks(include_inactive=True) == rows
    assert (store.source_state(), store.freshness("a"), store.changes(ticket)) == (state, known, {})
    assert store.merged(ticket.identity) is None
    assert (fetch_all(store.url, EVERYTHING) if store.url else []) == versions


async def test_a_plan_tells_what_the_guards_would_say(store: Store) -> None:
    await synced(store.database, numbered(10))
    plan = await store.database.tracks.plan(await staged(store.database, numbered(5)), guard=DEFAULT)
    assert (plan.counters.withheld, plan.counters.withheld_reasons) == (5, (WithheldReason.MAX_PERCENT,))
    assert plan.changes == ()
    assert store.missing() == set()


async def test_a_plan_of_nothing_is_empty(store: Store) -> None:
    await synced(store.database, a_listing("a"))
    ticket = await staged(store.database, a_listing("a"), refresh=None)
    assert await store.database.tracks.plan(ticket, guard=DEFAULT) == MergePlan(
        MergeCounters(unchanged=1, active_before=1)
    )


async def test_an_older_epoch_cannot_plan(store: Store) -> None:
    run = a_run()
    old = await staged(store.database, a_listing("a"), run=run)
    await store.database.ledger.open_run(run, spec_hash=SPEC, mode=RunMode.PLAN)
    with pytest.raises(FencedError, match="newer epoch"):
        await store.database.tracks.plan(old, guard=DEFAULT)


slugs = st.sampled_from(["a", "d-1", "9", "b"])
names = st.sampled_from(["x", "y"])
values = st.none() | st.fixed_dictionaries(
    {}, optional={"city": st.sampled_from([None, "A", "B"]), "total_laps": st.just(1)}
)
tracks = st.builds(lambda slug, name, said: a_track(slug, name, values=said), slugs, names, values)
listings = st.lists(tracks, min_size=1, max_size=5)
pages = st.lists(
    st.builds(lambda slug, city, laps: fetched(slug, city=city, total_laps=laps), slugs, names, st.integers(0, 1)),
    max_size=4,
)
guards = st.sampled_from([DEFAULT, ANY_NUMBER, DeactivationGuard(max_percent=50)])


async def plan_and_apply(
    store: Store,
    past: list[tuple[list[ListedTrack], list[ItemResult]]],
    present: tuple[list[ListedTrack], list[ItemResult]],
    guard: DeactivationGuard,
) -> None:
    database: Database = store.database
    for listed, items in past:
        await synced(database, a_listing(*listed), items, guard=ANY_NUMBER)
    listing, items = a_listing(*present[0]), present[1]
    plan = await database.tracks.plan(await staged(database, listing, items), guard=guard)
    applied = await staged(database, listing, items)
    assert await database.tracks.merge(applied, guard=guard) == plan.counters
    logged = store.changes(applied)
    assert {change.slug: (change.kind.value, list(change.fields)) for change in plan.changes} == logged
    again = await database.tracks.plan(await staged(database, listing, items), guard=ANY_NUMBER)
    assert again.changes == tuple(change for change in again.changes if change.kind is ChangeKind.DEACTIVATED)
    await expire_leases(database)


past = st.lists(st.tuples(listings, pages), max_size=3)


@given(past=past, present=st.tuples(listings, pages), guard=guards)
@settings(max_examples=150, deadline=None)
def test_applying_does_what_the_plan_said_on_the_twin(
    past: list[tuple[list[ListedTrack], list[ItemResult]]],
    present: tuple[list[ListedTrack], list[ItemResult]],
    guard: DeactivationGuard,
) -> None:
    asyncio.run(plan_and_apply(Store(MemoryDatabase()), past, present, guard))


@given(past=past, present=st.tuples(listings, pages), guard=guards)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_applying_does_what_the_plan_said_on_the_server(
    database_url: str,
    past: list[tuple[list[ListedTrack], list[ItemResult]]],
    present: tuple[list[ListedTrack], list[ItemResult]],
    guard: DeactivationGuard,
) -> None:
    async def play() -> None:
        async with await PostgresDatabase.connect(database_url, application_name="tests") as database:
            await plan_and_apply(Store(database, database_url), past, present, guard)

    fetch_all(database_url, EMPTY)
    asyncio.run(play())
