"""In-memory twins of the ports `Ledger`, `TrackStore`, `Progress` and `Clock`, for tests without a database.

They keep the same promises as the real adapters (`tests/ports` runs one suite on both) and are written row by row, so
that they can serve as the set-based SQL's oracle. Nothing here is shared between processes or kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, assert_never

from tracksync.adapters.checkpoint import CHECKPOINT_FORMAT, listing_document, summary_or_none
from tracksync.adapters.memory_tables import Item, MemoryTables, Run, run_key
from tracksync.adapters.memory_tracks import MemoryTrackStore
from tracksync.adapters.storable import storable_rows, storable_validators, storable_values
from tracksync.api.result import Outcome
from tracksync.core.tracks.freshness import Freshness
from tracksync.core.tracks.model import DueDashboard, FailedItem, FetchedItem, ListingSummary, UnmodifiedItem
from tracksync.errors import ConfigurationError, ListingInvalidError, SchemaMismatchError
from tracksync.liverc.version import PARSER_VERSION
from tracksync.ports import RunTicket

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracksync.adapters.storable import ListingRow
    from tracksync.api.job import Results, WorkerStatus
    from tracksync.core.tracks.freshness import Refresh
    from tracksync.core.tracks.model import ItemResult, Listing
    from tracksync.ports import Clock, RunIdentity

SUCCESSES: Final = frozenset({Outcome.SUCCEEDED, Outcome.COMPLETED_WITH_ERRORS})


class ManualClock:
    """A clock that stands still until it is moved."""

    def __init__(self, start: datetime = datetime(2026, 1, 31, 2, tzinfo=UTC)) -> None:
        self._now = start
        self._monotonic = 0.0

    def now(self) -> datetime:
        """Return the wall clock in UTC."""
        return self._now

    def monotonic(self) -> float:
        """Return seconds since the clock was made."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Move both clocks forward."""
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds


@dataclass(slots=True)
class MemoryProgress:
    """Keeps what was published.

    Attributes:
        published: every status, oldest first.
        error: raised by the next calls, such as an OwnerGoneError.
    """

    published: list[WorkerStatus] = field(default_factory=list)
    error: Exception | None = None

    async def publish(self, status: WorkerStatus) -> None:
        """Keep the status, or raise the error that was set."""
        if self.error is not None:
            raise self.error
        self.published.append(status)


class MemoryDatabase(MemoryTables):
    """A database in memory, with the same two entrances as the real one.

    Attributes:
        ledger: runs and their items.
        tracks: the tracks.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        super().__init__(clock or ManualClock())
        self.ledger = MemoryLedger(self)
        self.tracks = MemoryTrackStore(self)

    async def close(self) -> None:
        """Do nothing: there is no connection."""


class MemoryLedger:
    """`tracksync.ports.Ledger` in memory."""

    def __init__(self, database: MemoryTables) -> None:
        self._database = database

    async def verify_schema(self) -> None:
        """Pass unless the database is set to be at another migration."""
        self._database.check_reachable()
        if not self._database.is_migrated:
            raise SchemaMismatchError("the database has no TrackSync tables; run `tracksync migrate`")

    async def open_run(self, identity: RunIdentity, *, spec_hash: str) -> RunTicket:
        """Open the run, or re-open it with the next epoch and with the checkpoint that is left, if any."""
        self._database.check_reachable()
        key = run_key(identity)
        known = self._database.runs.get(key)
        if known is None:
            run = Run(identity, 1, self._database.clock.now(), spec_hash)
        elif known.outcome in SUCCESSES or known.identity.source != identity.source:
            raise ConfigurationError(
                f"run {identity.run_id} has already succeeded, or belongs to another source; start a new run"
            )
        else:
            run = _reopened(known, identity, spec_hash)
        self._database.runs[key] = run
        return RunTicket(identity, run.epoch, run.created_at, self._go_on(key, run))

    def _go_on(self, key: str, run: Run) -> ListingSummary | None:
        """Keep what an earlier epoch staged, if all of it is there and still the latest; else discard it."""
        summary = summary_or_none(run.listing, checkpoint_format=run.checkpoint_format)
        items = self._database.items.get(key, {})
        if summary is None or summary.listed != len(items) or self._database.is_outdated(run):
            self._database.items[key] = {}
            return None
        for item in items.values():
            if item.state == "failed":
                item.state, item.attempts, item.next_try = "waiting", 0, None
        states = [item.state for item in items.values()]
        due, not_modified = len(states) - states.count("listed"), states.count("unmodified")
        return replace(summary, due=due, not_modified=not_modified)

    async def stage_listing(self, ticket: RunTicket, listing: Listing, *, refresh: Refresh | None) -> None:
        """Stage all rows of a complete listing; staging again replaces what was staged."""
        if not listing.is_complete:
            raise ListingInvalidError("the catalogue page is not a complete listing; nothing was staged")
        run, items = self._database.fenced_run(ticket), self._database.fenced_items(ticket)
        items.clear()
        for row in storable_rows(listing, ticket.identity.domain):
            items[row.slug] = self._staged(row, ticket, refresh)
        summary = ListingSummary(len(items), len(listing.skipped), listing.duplicates)
        run.checkpoint_format, run.listing = CHECKPOINT_FORMAT, listing_document(summary)
        run.parser_version = refresh.parser_version if refresh else None
        run.listed_at = self._database.clock.now()

    def _staged(self, row: ListingRow, ticket: RunTicket, refresh: Refresh | None) -> Item:
        stored = self._database.freshness.get((ticket.identity.source, row.slug))
        known = Freshness()
        if stored is not None:
            known = Freshness(stored.as_of, stored.parser_version, stored.validators, stored.unmodified)
        if refresh is None or not refresh.is_due(row.slug, known, planned_start=ticket.planned_start):
            return Item(row, "listed")
        return Item(row, "waiting", validators=refresh.validators(known))

    async def pending_dashboards(self, ticket: RunTicket) -> Sequence[DueDashboard]:
        """Return the staged tracks that still wait for their dashboard, in slug order."""
        source, known = ticket.identity.source, self._database.freshness
        failed = {slug for (owner, slug), row in known.items() if owner == source and row.last_error_class is not None}
        return [
            DueDashboard(slug, item.attempts, item.validators, item.next_try, slug in failed)
            for slug, item in sorted(self._database.fenced_items(ticket).items())
            if item.state == "waiting"
        ]

    async def record_items(self, ticket: RunTicket, items: Sequence[ItemResult]) -> None:
        """Keep the outcome of these attempts; of two for one slug the last counts."""
        staged = self._database.fenced_items(ticket)
        outcomes = {item.slug: item for item in items}
        attempted = [_attempted(staged.get(slug), outcome) for slug, outcome in outcomes.items()]
        for item in attempted:
            if item is not None:
                item.finished_at = self._database.clock.now()
                staged[item.listed.slug] = item

    async def close_run(
        self, ticket: RunTicket, *, outcome: Outcome, reason: str, results: Results, keep_checkpoint: bool = False
    ) -> None:
        """Keep the run's end; of its items the failed ones of a run that succeeded, or a failed run's checkpoint."""
        self._database.check_reachable()
        key = run_key(ticket.identity)
        run = self._database.runs.get(key)
        if run is not None and run.epoch == ticket.epoch and run.outcome is outcome:
            return
        run, items = self._database.fenced_run(ticket), self._database.fenced_items(ticket)
        run.outcome, run.reason, run.results = outcome, reason, results
        if keep_checkpoint and outcome is Outcome.FAILED:
            return
        run.checkpoint_format = None
        kept = {slug: item for slug, item in items.items() if outcome in SUCCESSES and item.state == "failed"}
        self._database.items[key] = kept


def _reopened(known: Run, identity: RunIdentity, spec_hash: str) -> Run:
    """Return the run's next epoch: its first opening and, for the same spec, its checkpoint stay."""
    versions = [version for version in (known.parser_version, PARSER_VERSION) if version is not None]
    return Run(
        identity,
        known.epoch + 1,
        known.created_at,
        spec_hash,
        checkpoint_format=known.checkpoint_format if known.spec_hash == spec_hash else None,
        listing=known.listing,
        parser_version=min(versions),
        listed_at=known.listed_at,
    )


def _attempted(staged: Item | None, outcome: ItemResult) -> Item | None:
    """Return the item after the attempt; None when its slug was not listed, whatever the outcome."""
    values = storable_values(outcome.values) if isinstance(outcome, FetchedItem) else {}
    if staged is None:
        return None
    item = Item(staged.listed, "", attempts=staged.attempts + 1, validators=staged.validators)
    match outcome:
        case FetchedItem():
            item.state, item.http_status, item.values = "fetched", HTTPStatus.OK.value, values
            item.validators = storable_validators(outcome.validators)
        case UnmodifiedItem():
            item.state, item.http_status = "unmodified", HTTPStatus.NOT_MODIFIED.value
        case FailedItem():
            item.state = "failed" if outcome.next_try is None else "waiting"
            item.error_class, item.http_status = outcome.error_class, outcome.http_status
            item.next_try = outcome.next_try
        case _:
            assert_never(outcome)
    return item
