"""Random histories end in equal tables and equal counters on the real adapter and on its twin."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.postgres import fetch_all
from tests.support.store import a_listing, a_track, failed, fetched, synced
from tracksync.adapters.memory import MemoryDatabase
from tracksync.adapters.postgres.database import PostgresDatabase
from tracksync.core.tracks.model import TEXT_COLUMNS, TOTAL_COLUMNS

if TYPE_CHECKING:
    from tests.support.store import Database
    from tracksync.core.tracks.model import FailedItem, FetchedItem, ListedTrack, MergeCounters

OF_THE_RUN_ITSELF = ("id", "created_at", "updated_at", "last_seen_at", "deactivated_at")

slugs = st.sampled_from(["a", "b", "c", "d-1", "9"])
texts = st.text(max_size=4)
"""Whatever Unicode has, NUL and lone surrogates included."""
values = st.dictionaries(st.sampled_from(TEXT_COLUMNS[:4]), st.none() | texts, max_size=3)
totals = st.dictionaries(st.sampled_from(TOTAL_COLUMNS[:2]), st.none() | st.integers(-1, 2**63), max_size=2)
tracks = st.builds(lambda slug, name, star: a_track(slug, name or "x", is_featured=star), slugs, texts, st.booleans())
items = st.one_of(st.builds(lambda slug, a, b: fetched(slug, **a, **b), slugs, values, totals), slugs.map(failed))
days = st.lists(
    st.tuples(st.lists(tracks, max_size=5), st.lists(items, max_size=6), st.sets(slugs, max_size=2)), max_size=4
)
Day = tuple["list[ListedTrack]", "list[FetchedItem | FailedItem]", set[str]]


async def table(database: Database) -> list[dict[str, object]]:
    found = await database.tracks.find_tracks(include_inactive=True)
    return [{k: v for k, v in track.columns.items() if k not in OF_THE_RUN_ITSELF} for track in found]


async def play(url: str, history: list[Day]) -> None:
    twin = MemoryDatabase()
    async with await PostgresDatabase.connect(url, application_name="tests") as real:
        for listed, outcomes, deactivated in history:
            counters: list[MergeCounters] = [
                await synced(database, a_listing(*listed), outcomes) for database in (twin, real)
            ]
            assert counters[0] == counters[1]
            assert await table(real) == await table(twin)
            fetch_all(
                url,
                "UPDATE tracks SET is_active = false, deactivated_at = now() WHERE is_active AND slug = ANY(%s)",
                list(deactivated),
            )
            for slug in deactivated & {key[1] for key in twin.rows}:
                twin.rows["liverc", slug]["is_active"] = False


@given(history=days)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_history_gives_equal_tables_and_counters(database_url: str, history: list[Day]) -> None:
    fetch_all(database_url, "TRUNCATE tracks, runs, sync_items")
    asyncio.run(play(database_url, history))
    assert fetch_all(database_url, "SELECT count(*) FROM tracks WHERE is_active = (deactivated_at IS NOT NULL)") == [
        (0,)
    ]
