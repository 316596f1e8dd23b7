"""Random histories end in equal tables and equal counters on the real adapter and on its twin.

Each day may crash or be closed halfway and go on in another epoch, and finds the dashboards older than the day before.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.ports.conftest import EMPTY, Store, at
from tests.support.postgres import fetch_all
from tests.support.store import (
    ALL,
    NO_RESULTS,
    SPEC,
    WEEKLY,
    a_listing,
    a_run,
    a_track,
    failed,
    fetched,
    unmodified,
)
from tracksync.adapters.clock import SystemClock
from tracksync.adapters.memory import MemoryDatabase
from tracksync.adapters.postgres.database import PostgresDatabase
from tracksync.api.deactivation import DeactivationPolicy
from tracksync.api.result import Outcome
from tracksync.core.tracks.freshness import Refresh
from tracksync.core.tracks.guards import DeactivationGuard
from tracksync.core.tracks.model import TEXT_COLUMNS, TOTAL_COLUMNS, SkippedRow, SkipReason, TrackStatus

if TYPE_CHECKING:
    from datetime import datetime

    from tests.support.store import Database
    from tracksync.core.tracks.model import ItemResult, ListedTrack, Listing
    from tracksync.ports import RunIdentity, RunTicket

OF_THE_RUN_ITSELF = ("id", "created_at", "updated_at", "last_seen_at", "deactivated_at")

SLUGS = ("a", "d-1", "9")
"""Few, so that a slug meets many outcomes in one history."""
slugs = st.sampled_from(SLUGS)
texts = st.text(max_size=4)
"""Whatever Unicode has, NUL and lone surrogates included."""
values = st.dictionaries(st.sampled_from(TEXT_COLUMNS[:4]), st.none() | texts, max_size=3)
totals = st.dictionaries(st.sampled_from(TOTAL_COLUMNS[:2]), st.none() | st.integers(-1, 2**63), max_size=2)
carried = st.none() | st.builds(lambda a, b: {**a, **b}, values, totals)
statuses = st.none() | st.sampled_from(TrackStatus)
times = st.sampled_from([None, "1 minute ago", "2 hours ago", "Yesterday", "last week", "soon"])
tracks = st.builds(
    lambda slug, name, star, said, status, event, time: a_track(
        slug,
        name or "x",
        is_featured=star,
        values=said,
        status=status,
        event_name=event,
        last_updated_text=time,
    ),
    *(slugs, texts, st.booleans(), carried, statuses, st.none() | texts, times),
)
etags = st.sampled_from([None, '"1"', '"2"', "x" * 600])
items = st.one_of(
    st.builds(lambda slug, etag, a, b: fetched(slug, etag=etag, **a, **b), slugs, etags, values, totals),
    slugs.map(unmodified),
    st.builds(lambda slug, next_try: failed(slug, next_try=next_try), slugs, st.sampled_from([None, at(1), at(2)])),
)
refreshes = st.sampled_from([None, ALL, WEEKLY, Refresh(WEEKLY.after, parser_version=2)])
guards = st.builds(
    DeactivationGuard,
    policy=st.sampled_from([DeactivationPolicy.APPLY, *DeactivationPolicy]),
    max_percent=st.sampled_from([0, 33, 50, 100, 100]),
    max_count=st.sampled_from([0, 1, 2, 100, 100]),
    approved_ceiling=st.sampled_from([0, 0, 1, 2]),
)
TIMES = ("as_of", "fetched_at", "last_attempt_at")


@dataclass(frozen=True)
class Day:
    """A run: its catalogue, what its first epoch finds out, what ends that epoch, what the next one finds out."""

    listed: list[ListedTrack]
    first: list[ItemResult]
    interruption: str | None
    second: list[ItemResult]
    merges: int
    refresh: Refresh | None
    deactivated: set[str]
    age: timedelta
    guard: DeactivationGuard
    is_filtered: bool
    skipped: tuple[SkippedRow, ...]
    fetched_at: datetime | None = None
    run: RunIdentity = field(default_factory=a_run)

    @property
    def listing(self) -> Listing:
        return replace(a_listing(*self.listed), skipped=self.skipped, fetched_at=self.fetched_at)


days = st.lists(
    st.builds(
        Day,
        listed=st.lists(tracks, min_size=1, max_size=5),
        first=st.lists(items, min_size=1, max_size=6),
        interruption=st.sampled_from([None, "crash", "crash after merge", "keep", "drop", "cancel", "other spec"]),
        second=st.lists(items, max_size=4),
        merges=st.integers(1, 2),
        refresh=refreshes,
        deactivated=st.sets(slugs, max_size=2),
        age=st.sampled_from([timedelta(0), timedelta(days=2), timedelta(days=7)]),
        guard=guards,
        is_filtered=st.sampled_from([False, False, False, True]),
        fetched_at=st.sampled_from([None, at(0), at(50), at(0) + timedelta(days=1)]),
        skipped=st.sampled_from([(), (), (), (SkippedRow(SkipReason.EMPTY_NAME, 1),)]),
    ),
    min_size=2,
    max_size=6,
)


async def table(database: Database) -> list[dict[str, object]]:
    found = await database.tracks.find_tracks(include_inactive=True)
    return [{k: v for k, v in track.columns.items() if k not in OF_THE_RUN_ITSELF} for track in found]


def known(store: Store, slug: str) -> dict[str, object] | None:
    """Return what is known of the dashboard; of times only that they are known, and which of them are equal."""
    row = store.freshness(slug)
    if row is None:
        return None
    times = [row.pop(column) for column in TIMES]
    return {**row, "known": [time is not None for time in times], "fetched last": times[1] == times[2]}


def state(store: Store) -> dict[str, object] | None:
    row = store.source_state()
    return None if row is None else {column: value for column, value in row.items() if column != "last_complete_at"}


async def staged(database: Database, day: Day, *, spec_hash: str = SPEC) -> tuple[RunTicket, object]:
    """Open the day's run, stage what no checkpoint has, and return all that the ledger tells of it."""
    ticket = await database.ledger.open_run(day.run, spec_hash=spec_hash)
    if ticket.checkpoint is None:
        told = await database.ledger.stage_listing(ticket, day.listing, refresh=day.refresh)
    else:
        told = ticket.checkpoint
    return ticket, (ticket.epoch, told, await database.ledger.pending_dashboards(ticket))


async def interrupt(database: Database, ticket: RunTicket, day: Day) -> None:
    if day.interruption == "crash after merge":
        await database.tracks.merge(ticket, guard=day.guard, is_filtered=day.is_filtered)
    if day.interruption in {"keep", "drop", "cancel"}:
        await database.ledger.close_run(
            ticket,
            outcome=Outcome.CANCELLED if day.interruption == "cancel" else Outcome.FAILED,
            reason="Because",
            results=NO_RESULTS,
            keep_checkpoint=day.interruption != "drop",
        )


async def live(database: Database, day: Day) -> list[object]:
    """Do the day's run, and return everything that was to be seen of it on the way."""
    ticket, told = await staged(database, day)
    seen = [told]
    await database.ledger.record_items(ticket, day.first)
    if day.interruption is not None:
        await interrupt(database, ticket, day)
        spec_hash = "hash of another spec" if day.interruption == "other spec" else SPEC
        ticket, told = await staged(database, day, spec_hash=spec_hash)
        seen.append(told)
    await database.ledger.record_items(ticket, day.second)
    seen.append(await database.ledger.pending_dashboards(ticket))
    seen.append(await database.tracks.plan(ticket, guard=day.guard, is_filtered=day.is_filtered))
    seen += [
        await database.tracks.merge(ticket, guard=day.guard, is_filtered=day.is_filtered) for _ in range(day.merges)
    ]
    await database.ledger.close_run(ticket, outcome=Outcome.SUCCEEDED, reason="Done", results=NO_RESULTS)
    return seen


async def play(url: str, history: list[Day]) -> None:
    # The same clock for both, since what is due depends on the time of day.
    twin = MemoryDatabase(SystemClock())
    async with await PostgresDatabase.connect(url, application_name="tests") as real:
        stores = (Store(twin), Store(real, url))
        for day in history:
            assert await live(twin, day) == await live(real, day)
            assert await table(real) == await table(twin)
            assert stores[0].changes_of(day.run) == stores[1].changes_of(day.run)
            assert stores[0].before_of(day.run) == stores[1].before_of(day.run)
            assert state(stores[0]) == state(stores[1])
            assert stores[0].missing() == stores[1].missing()
            for slug in SLUGS:
                assert known(stores[0], slug) == known(stores[1], slug), slug
                assert stores[0].activity(slug) == stores[1].activity(slug), slug
            for store in stores:
                store.age(day.age)
            fetch_all(
                url,
                "UPDATE tracks SET is_active = false, deactivated_at = now() WHERE is_active AND slug = ANY(%s)",
                list(day.deactivated),
            )
            for slug in day.deactivated & {key[1] for key in twin.rows}:
                twin.rows["liverc", slug].update(is_active=False, deactivated_at="2026-01-01T00:00:00+00:00")


@given(history=days)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_history_gives_equal_tables_and_counters(database_url: str, history: list[Day]) -> None:
    fetch_all(database_url, EMPTY)
    asyncio.run(play(database_url, history))
    assert fetch_all(database_url, "SELECT count(*) FROM tracks WHERE is_active = (deactivated_at IS NOT NULL)") == [
        (0,)
    ]
