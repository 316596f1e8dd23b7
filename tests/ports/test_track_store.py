"""What every TrackStore promises. Deactivation and the log of changes have files of their own.

Left out: WAL, locks and lost connections, which only the real one has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.store import ANY_NUMBER, DEFAULT, a_listing, a_run, a_track, failed, fetched, staged, synced
from tracksync.core.tracks.model import DASHBOARD_COLUMNS, FetchedItem, MergeCounters

if TYPE_CHECKING:
    from tests.ports.conftest import Store
    from tracksync.core.tracks.model import ItemResult

ADMIN = {"is_followed": True, "start_finish_line": {"a": [1, 2]}, "latitude": 46.9, "longitude": 7.4}


async def test_new_tracks_are_inserted_with_all_that_is_known(store: Store) -> None:
    counters = await synced(store.database, a_listing("a", "b"), [fetched("a", city="Bern", total_laps=7)])
    assert counters == MergeCounters(inserted=2)
    row = await store.row("a")
    expected = {
        "source": "liverc",
        "slug_as_listed": "A",
        "name": "Track a",
        "track_url": "https://a.liverc.com/",
        "events_url": "https://a.liverc.com/events",
        "is_featured": False,
        "kind": "track",
        "city": "Bern",
        "total_laps": 7,
        "phone": None,
        "is_active": True,
        "deactivated_at": None,
        "is_followed": False,
        "start_finish_line": None,
    }
    assert {column: row[column] for column in expected} == expected
    assert row["created_at"] == row["updated_at"] == row["last_seen_at"]


async def test_the_same_feed_again_changes_nothing(store: Store) -> None:
    items: list[ItemResult] = [fetched("a", city="Bern", phone=None, total_laps=7), failed("b")]
    await synced(store.database, a_listing("a", "b", "c"), items)
    before = await store.database.tracks.find_tracks()
    assert await synced(store.database, a_listing("a", "b", "c"), items) == MergeCounters(unchanged=3, active_before=3)
    assert await store.database.tracks.find_tracks() == before


async def test_counters_count_transitions(store: Store) -> None:
    await synced(store.database, a_listing("same", "renamed", "raced", "back", "back-renamed", "gone"))
    store.deactivate("back")
    store.deactivate("back-renamed")
    listing = a_listing("same", a_track("renamed", "New"), "raced", "back", a_track("back-renamed", "New"), "new")
    items = [fetched("raced", total_laps=1), fetched("renamed", total_laps=1)]
    assert await synced(store.database, listing, items, guard=ANY_NUMBER) == MergeCounters(
        inserted=1, updated=3, updated_totals=1, unchanged=1, reactivated=2, deactivated=1, active_before=4
    )


async def test_a_value_replaces_a_blank_clears_and_an_absent_column_preserves(store: Store) -> None:
    await synced(store.database, a_listing("a"), [fetched("a", city="Bern", phone="555-0100", email="a@example.org")])
    await synced(store.database, a_listing("a"), [fetched("a", city="Biel", phone=None)])
    row = await store.row("a")
    assert (row["city"], row["phone"], row["email"]) == ("Biel", None, "a@example.org")


@pytest.mark.parametrize("column", DASHBOARD_COLUMNS)
async def test_each_dashboard_column_is_written_and_cleared(store: Store, column: str) -> None:
    value: str | int = 12 if column.startswith("total_") else "12"
    await synced(store.database, a_listing("a"), [FetchedItem("a", {column: value})])
    stored = (await store.row("a"))[column]
    assert (stored, type(stored)) == (value, type(value))
    counters = await synced(store.database, a_listing("a"), [fetched("a", **{column: None})])
    assert (counters.updated, (await store.row("a"))[column]) == (1, None)


async def test_a_failed_dashboard_preserves_metadata_and_still_takes_the_listing(store: Store) -> None:
    await synced(store.database, a_listing("a"), [fetched("a", city="Bern")])
    await synced(store.database, a_listing(a_track("a", "Renamed")), [failed("a")])
    row = await store.row("a")
    assert (row["name"], row["city"]) == ("Renamed", "Bern")


async def test_tracks_with_different_columns_in_one_batch_keep_to_their_own(store: Store) -> None:
    await synced(store.database, a_listing("a", "b"), [fetched("a", city="Bern"), fetched("b", phone="555-0101")])
    await synced(store.database, a_listing("a", "b"), [fetched("a", phone="555-0100"), fetched("b", total_laps=3)])
    a, b = await store.row("a"), await store.row("b")
    assert (a["city"], a["phone"], a["total_laps"]) == ("Bern", "555-0100", None)
    assert (b["city"], b["phone"], b["total_laps"]) == (None, "555-0101", 3)


async def test_ids_and_admin_owned_columns_survive_every_change(store: Store) -> None:
    await synced(store.database, a_listing("a"))
    store.edit("a", **ADMIN)
    before = await store.row("a")
    store.deactivate("a")
    await synced(store.database, a_listing(a_track("a", "New", is_featured=True)), [fetched("a", city="Bern")])
    after = await store.row("a")
    assert {key: after[key] for key in ("id", "created_at", *ADMIN)} == {
        key: before[key] for key in ("id", "created_at", *ADMIN)
    }
    assert after["name"] == "New"


async def test_a_reactivated_track_without_a_change_keeps_its_updated_at(store: Store) -> None:
    await synced(store.database, a_listing("a"))
    before = await store.row("a")
    store.deactivate("a")
    assert await synced(store.database, a_listing("a")) == MergeCounters(reactivated=1)
    after = await store.row("a")
    assert (after["is_active"], after["deactivated_at"]) == (True, None)
    assert after["updated_at"] == before["updated_at"]


async def test_merging_twice_is_merging_once(store: Store) -> None:
    ticket = await staged(store.database, a_listing("a", "b"), [fetched("a", city="Bern")])
    assert await store.database.tracks.merge(ticket, guard=DEFAULT) == MergeCounters(inserted=2)
    assert await store.database.tracks.merge(ticket, guard=DEFAULT) == MergeCounters(unchanged=2, active_before=2)


async def test_sources_with_the_same_slug_do_not_meet(store: Store) -> None:
    await synced(store.database, a_listing("a"))
    other = a_run(source="other")
    assert await synced(store.database, a_listing("a", "b"), run=other) == MergeCounters(inserted=2)
    assert await store.database.tracks.count_active("liverc") == 1
    assert await store.database.tracks.count_active("other") == 2


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        pytest.param("a\x00b", "ab", id="NUL is dropped"),
        pytest.param("a\ud800b", "a\ufffdb", id="a lone surrogate is replaced"),
        pytest.param("\udcffa\x00\ud83d", "\ufffda\ufffd", id="both"),
        pytest.param("Zürich \U0001f3c1 \t\n\\N 'x' \"y\"", "Zürich \U0001f3c1 \t\n\\N 'x' \"y\"", id="text is kept"),
        pytest.param("x" * 100_000, "x" * 100_000, id="long text is kept"),
        pytest.param("", "", id="empty text"),
    ],
)
async def test_text_that_postgresql_cannot_hold_is_mended(store: Store, value: str, stored: str) -> None:
    listing = a_listing(a_track("a", value or "name"))
    for _ in range(2):
        counters = await synced(store.database, listing, [fetched("a", city=value)])
    row = await store.row("a")
    assert (row["city"], row["name"]) == (stored, stored or "name")
    assert counters == MergeCounters(unchanged=1, active_before=1)


@pytest.mark.parametrize("total", [-1, 2**63, 10**40, "12", True])
async def test_a_total_that_its_column_cannot_hold_preserves_the_stored_one(store: Store, total: int | str) -> None:
    await synced(store.database, a_listing("a"), [fetched("a", total_laps=5)])
    await synced(store.database, a_listing("a"), [fetched("a", total_laps=total)])
    assert (await store.row("a"))["total_laps"] == 5


async def test_the_largest_total_is_kept_exactly(store: Store) -> None:
    await synced(store.database, a_listing("a"), [fetched("a", total_laps=2**63 - 1, total_races=0)])
    row = await store.row("a")
    assert (row["total_laps"], row["total_races"]) == (2**63 - 1, 0)


@pytest.mark.parametrize(
    ("search", "found"),
    [
        (None, ["alpha", "beta", "gamma"]),
        ("", ["alpha", "beta", "gamma"]),
        ("ALPH", ["alpha"]),
        ("hill", ["beta"]),
        ("bern", ["alpha"]),
        ("ÖSTERREICH", ["gamma"]),
        ("%", ["gamma"]),
        ("_", []),
        ("\\", []),
        ("hidden", []),
        ("a\x00lpha", ["alpha"]),
        ("\ud800", []),
    ],
)
async def test_search_looks_into_slug_name_city_and_country(store: Store, search: str | None, found: list[str]) -> None:
    listing = a_listing(a_track("alpha", "a"), a_track("beta", "B Hill"), a_track("gamma", "c 100%"), "hidden")
    await synced(store.database, listing, [fetched("alpha", city="Bern"), fetched("gamma", country="Österreich")])
    store.deactivate("hidden")
    tracks = await store.database.tracks.find_tracks(search=search)
    assert [track.columns["slug"] for track in tracks] == found


async def test_inactive_tracks_and_other_sources_are_found_when_asked_for(store: Store) -> None:
    await synced(store.database, a_listing("a", "b"))
    await synced(store.database, a_listing("c"), run=a_run(source="other"))
    store.deactivate("b")

    async def slugs(**options: str | bool) -> list[object]:
        found = await store.database.tracks.find_tracks(**options)  # type: ignore[arg-type]  # rows of a table
        return [track.columns["slug"] for track in found]

    assert await slugs() == ["a", "c"]
    assert await slugs(source="liverc") == ["a"]
    assert await slugs(source="liverc", include_inactive=True) == ["a", "b"]
    assert await slugs(source="missing") == []
