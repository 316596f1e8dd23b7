"""In-memory twins of the ports `Ledger`, `TrackStore`, `Progress` and `Clock`, for tests without a database.

They keep the same promises as the real adapters (`tests/ports` runs one suite on both) and are written row by row, so
that they can serve as the set-based SQL's oracle. Nothing here is shared between processes or kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, assert_never
from uuid import UUID, uuid4

from tracksync.adapters.storable import ListingRow, storable_rows, storable_text, storable_values
from tracksync.api.result import Outcome
from tracksync.core.tracks.model import DASHBOARD_COLUMNS, FailedItem, FetchedItem, MergeCounters, StoredTrack
from tracksync.errors import (
    ConfigurationError,
    DatabaseUnavailableError,
    FencedError,
    ListingInvalidError,
    SchemaMismatchError,
)
from tracksync.ports import RunTicket

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracksync.api.job import Results, WorkerStatus
    from tracksync.core.tracks.model import ItemResult, Listing
    from tracksync.errors import ItemErrorClass
    from tracksync.ports import Clock, RunIdentity

SUCCESSES: Final = frozenset({Outcome.SUCCEEDED, Outcome.COMPLETED_WITH_ERRORS})
SEARCHED_COLUMNS: Final = ("slug", "name", "city", "country")
LISTING_COLUMNS: Final = ("slug_as_listed", "name", "track_url", "events_url", "is_featured", "kind")
ADMIN_DEFAULTS: Final = {"is_followed": False, "start_finish_line": None, "latitude": None, "longitude": None}

Row = dict[str, object]


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


@dataclass(slots=True)
class Run:
    """A row of `runs`; `outcome` is None while it is running."""

    identity: RunIdentity
    epoch: int
    outcome: Outcome | None = None
    reason: str = ""
    results: Results | None = None


@dataclass(slots=True)
class Item:
    """A row of `sync_items`."""

    listed: ListingRow
    state: str
    values: dict[str, str | int | None] = field(default_factory=dict)
    attempts: int = 0
    error_class: ItemErrorClass | None = None
    http_status: int | None = None


class MemoryDatabase:
    """A database in memory, with the same two entrances as the real one.

    Attributes:
        ledger: runs and their items.
        tracks: the tracks.
        runs: the runs by id.
        items: the staged items by run id and slug.
        rows: the tracks by source and slug; tests may edit them as an admin would.
        is_reachable: False lets every call fail as a lost connection does.
        is_migrated: False lets `verify_schema` fail.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock: Clock = clock or ManualClock()
        self.runs: dict[str, Run] = {}
        self.items: dict[str, dict[str, Item]] = {}
        self.rows: dict[tuple[str, str], Row] = {}
        self.is_reachable = True
        self.is_migrated = True
        self.ledger = MemoryLedger(self)
        self.tracks = MemoryTrackStore(self)

    async def close(self) -> None:
        """Do nothing: there is no connection."""

    def check_reachable(self) -> None:
        """Raise DatabaseUnavailableError when the database is to be away."""
        if not self.is_reachable:
            raise DatabaseUnavailableError("the connection to the database was lost")

    def fenced_items(self, ticket: RunTicket) -> dict[str, Item]:
        """Return the run's items.

        Raises:
            FencedError: a newer epoch of the run exists, or it is closed.
        """
        self.check_reachable()
        run = self.runs.get(run_key(ticket.identity))
        if run is None or run.epoch != ticket.epoch or run.outcome is not None:
            raise fenced_error(ticket)
        return self.items[run_key(ticket.identity)]


class MemoryLedger:
    """`tracksync.ports.Ledger` in memory."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def verify_schema(self) -> None:
        """Pass unless the database is set to be at another migration."""
        self._database.check_reachable()
        if not self._database.is_migrated:
            raise SchemaMismatchError("the database has no TrackSync tables; run `tracksync migrate`")

    async def open_run(self, identity: RunIdentity) -> RunTicket:
        """Open the run, or re-open it with the next epoch and without its items."""
        self._database.check_reachable()
        key = run_key(identity)
        known = self._database.runs.get(key)
        if known is not None and (known.outcome in SUCCESSES or known.identity.source != identity.source):
            raise ConfigurationError(
                f"run {identity.run_id} has already succeeded, or belongs to another source; start a new run"
            )
        run = Run(identity, epoch=known.epoch + 1 if known else 1)
        self._database.runs[key] = run
        self._database.items[key] = {}
        return RunTicket(identity, epoch=run.epoch)

    async def stage_listing(self, ticket: RunTicket, listing: Listing, *, fetch_dashboards: bool) -> None:
        """Stage all rows of a complete listing; staging again replaces what was staged."""
        if not listing.is_complete:
            raise ListingInvalidError("the catalogue page is not a complete listing; nothing was staged")
        items = self._database.fenced_items(ticket)
        items.clear()
        state = "waiting" if fetch_dashboards else "listed"
        items.update({row.slug: Item(row, state) for row in storable_rows(listing, ticket.identity.domain)})

    async def pending_slugs(self, ticket: RunTicket) -> Sequence[str]:
        """Return the staged slugs that still wait for their dashboard, in slug order."""
        items = self._database.fenced_items(ticket)
        return sorted(slug for slug, item in items.items() if item.state == "waiting")

    async def record_items(self, ticket: RunTicket, items: Sequence[ItemResult]) -> None:
        """Keep the outcome of these dashboards; of two for one slug the last counts."""
        staged = self._database.fenced_items(ticket)
        outcomes = {item.slug: item for item in items}
        checked = {slug: _outcome(item) for slug, item in outcomes.items()}
        for slug, (state, values, error_class, http_status) in checked.items():
            if slug in staged:
                row, attempts = staged[slug].listed, staged[slug].attempts + 1
                staged[slug] = Item(row, state, values, attempts, error_class, http_status)

    async def close_run(self, ticket: RunTicket, *, outcome: Outcome, reason: str, results: Results) -> None:
        """Keep the run's end; of its items only the failed ones of a run that succeeded stay."""
        self._database.check_reachable()
        key = run_key(ticket.identity)
        run = self._database.runs.get(key)
        if run is not None and run.epoch == ticket.epoch and run.outcome is outcome:
            return
        items = self._database.fenced_items(ticket)
        self._database.runs[key] = Run(ticket.identity, ticket.epoch, outcome, reason, results)
        kept = {slug: item for slug, item in items.items() if outcome in SUCCESSES and item.state == "failed"}
        self._database.items[key] = kept


class MemoryTrackStore:
    """`tracksync.ports.TrackStore` in memory."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    async def merge(self, ticket: RunTicket) -> MergeCounters:
        """Bring the staged items into the tracks; rows that do not differ are not touched."""
        items = self._database.fenced_items(ticket)
        inserted = updated = unchanged = reactivated = 0
        for slug, item in items.items():
            key = (ticket.identity.source, slug)
            row = self._database.rows.get(key)
            if row is None:
                self._database.rows[key] = self._new_row(ticket.identity.source, item)
                inserted += 1
                continue
            is_changed, was_inactive = self._bring_in(row, item)
            updated += is_changed
            reactivated += was_inactive
            unchanged += not (is_changed or was_inactive)
        return MergeCounters(inserted=inserted, updated=updated, unchanged=unchanged, reactivated=reactivated)

    async def count_active(self, source: str) -> int:
        """Return how many tracks of the source are active."""
        self._database.check_reachable()
        return sum(1 for (owner, _), row in self._database.rows.items() if owner == source and row["is_active"])

    async def find_tracks(
        self, *, source: str | None = None, search: str | None = None, include_inactive: bool = False
    ) -> Sequence[StoredTrack]:
        """Return stored tracks by name, then slug."""
        self._database.check_reachable()
        found = [
            row
            for (owner, _), row in self._database.rows.items()
            if source in {None, owner} and (include_inactive or row["is_active"]) and _matches(row, search)
        ]
        found.sort(key=lambda row: (str(row["name"]).casefold(), str(row["slug"]), str(row["source"])))
        return [StoredTrack(dict(row)) for row in found]

    def _new_row(self, source: str, item: Item) -> Row:
        now = self._database.clock.now().isoformat()
        times = {"deactivated_at": None, "last_seen_at": now, "created_at": now, "updated_at": now}
        dashboard = dict.fromkeys(DASHBOARD_COLUMNS) | item.values
        key = {"id": str(uuid4()), "source": source, "slug": item.listed.slug}
        return {**key, **_listed(item), **dashboard, "is_active": True, **times, **ADMIN_DEFAULTS}

    def _bring_in(self, row: Row, item: Item) -> tuple[bool, bool]:
        """Change the row and return whether a value changed, and whether it was inactive."""
        now = self._database.clock.now().isoformat()
        wanted: Row = {**_listed(item), **item.values}
        is_changed = any(row[column] != value for column, value in wanted.items())
        was_inactive = not row["is_active"]
        if is_changed or was_inactive:
            row.update(wanted, is_active=True, deactivated_at=None, last_seen_at=now)
        if is_changed:
            row["updated_at"] = now
        return is_changed, was_inactive


def run_key(identity: RunIdentity) -> str:
    """Return the run's id in its one spelling; ConfigurationError when it is no UUID."""
    try:
        return str(UUID(identity.run_id))
    except ValueError:
        raise ConfigurationError("the run id is not a UUID; give the TrackSyncJob's uid or a random UUID") from None


def fenced_error(ticket: RunTicket) -> FencedError:
    """Return the error of a ticket that no longer counts."""
    return FencedError(f"run {ticket.identity.run_id}: a newer epoch than {ticket.epoch} exists, or the run is closed")


def _outcome(item: ItemResult) -> tuple[str, dict[str, str | int | None], ItemErrorClass | None, int | None]:
    match item:
        case FetchedItem(_, values):
            return "fetched", storable_values(values), None, None
        case FailedItem(_, error_class, http_status):
            return "failed", {}, error_class, http_status
        case _:
            assert_never(item)


def _listed(item: Item) -> Row:
    return {column: getattr(item.listed, column) for column in LISTING_COLUMNS}


def _matches(row: Row, search: str | None) -> bool:
    wanted = storable_text(search or "").lower()
    return not wanted or any(wanted in str(row[column] or "").lower() for column in SEARCHED_COLUMNS)
