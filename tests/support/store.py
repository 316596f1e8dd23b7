"""Listings, outcomes and synced databases for tests of the store: a row states only what matters."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from tracksync.adapters.memory import MemoryDatabase
from tracksync.api.job import Results
from tracksync.core.tracks.freshness import Refresh
from tracksync.core.tracks.guards import DeactivationGuard
from tracksync.core.tracks.model import FailedItem, FetchedItem, ListedTrack, Listing, UnmodifiedItem, Validators
from tracksync.errors import ItemErrorClass
from tracksync.ports import RunIdentity

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from tracksync.adapters.postgres.database import PostgresDatabase
    from tracksync.core.tracks.model import ItemResult, MergeCounters
    from tracksync.ports import RunTicket

    Database = MemoryDatabase | PostgresDatabase

NO_RESULTS = Results()
SPEC = "hash of a spec"
ALL = Refresh(after=timedelta(0), parser_version=1)
"""Every dashboard is due."""
WEEKLY = Refresh(after=timedelta(days=7), parser_version=1)
DEFAULT = DeactivationGuard()
ANY_NUMBER = DeactivationGuard(max_percent=100, max_count=1_000_000)
"""Whatever vanished may go."""


def a_run(*, source: str = "liverc", attempt: int = 1, run_id: str | None = None) -> RunIdentity:
    return RunIdentity(run_id or str(uuid4()), name="nightly", namespace="racing", attempt=attempt, source=source)


def a_track(slug: str, name: str | None = None, **columns: Any) -> ListedTrack:
    return ListedTrack(slug=slug, slug_as_listed=slug.upper(), name=name or f"Track {slug}", **columns)


def a_listing(*tracks: ListedTrack | str) -> Listing:
    return Listing(tuple(track if isinstance(track, ListedTrack) else a_track(track) for track in tracks))


def numbered(count: int) -> Listing:
    return a_listing(*(f"track{number}" for number in range(count)))


def fetched(slug: str, *, etag: str | None = None, **values: str | int | None) -> FetchedItem:
    return FetchedItem(slug, values, Validators(etag))


def unmodified(slug: str) -> UnmodifiedItem:
    return UnmodifiedItem(slug)


def failed(slug: str, *, http_status: int | None = 503, next_try: datetime | None = None) -> FailedItem:
    return FailedItem(slug, ItemErrorClass.HTTP_STATUS, http_status, next_try)


async def expire_leases(database: Database) -> None:
    """Let every lease expire, as if its holder had stopped renewing it."""
    if isinstance(database, MemoryDatabase):
        now = database.clock.now()
        database.leases = {source: replace(lease, expires_at=now) for source, lease in database.leases.items()}
        return
    async with database._session.transaction() as connection:
        await connection.execute("UPDATE leases SET expires_at = clock_timestamp()")


async def opened(database: Database, run: RunIdentity | None = None) -> RunTicket:
    """Open a run. One that was opened before and has not ended has stopped renewing its lease: it is fenced now."""
    await expire_leases(database)
    return await database.ledger.open_run(run or a_run(), spec_hash=SPEC)


async def staged(
    database: Database,
    listing: Listing,
    items: Iterable[ItemResult] = (),
    *,
    run: RunIdentity | None = None,
    refresh: Refresh | None = ALL,
) -> RunTicket:
    """Open a run as `opened` does, stage the listing and record the outcomes: everything before the merge."""
    ticket = await opened(database, run)
    await database.ledger.stage_listing(ticket, listing, refresh=refresh)
    await database.ledger.record_items(ticket, list(items))
    return ticket


async def waiting(database: Database, ticket: RunTicket) -> list[str]:
    """Return the slugs that still wait for their dashboard."""
    return [due.slug for due in await database.ledger.pending_dashboards(ticket)]


async def synced(
    database: Database,
    listing: Listing,
    items: Iterable[ItemResult] = (),
    *,
    run: RunIdentity | None = None,
    refresh: Refresh | None = ALL,
    guard: DeactivationGuard = DEFAULT,
    is_filtered: bool = False,
) -> MergeCounters:
    """Do a run up to and including its merge, and return the merge's counters."""
    ticket = await staged(database, listing, items, run=run, refresh=refresh)
    return await database.tracks.merge(ticket, guard=guard, is_filtered=is_filtered)
