"""The tables of the in-memory database: rows that tests may look at and edit. No rule of the sync lives here."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from tracksync.adapters.storable import ListingRow
from tracksync.core.tracks.model import Validators
from tracksync.core.tracks.plan import RunMode
from tracksync.errors import ConfigurationError, DatabaseUnavailableError, FencedError

if TYPE_CHECKING:
    from tracksync.api.job import Results
    from tracksync.api.result import Outcome
    from tracksync.core.tracks.activity import Activity
    from tracksync.core.tracks.plan import TrackChange
    from tracksync.errors import ItemErrorClass
    from tracksync.ports import Clock, RunIdentity, RunTicket

Row = dict[str, object]


@dataclass(slots=True)
class Run:
    """A row of `runs`; `outcome` is None while it is running."""

    identity: RunIdentity
    epoch: int
    created_at: datetime
    spec_hash: str = ""
    outcome: Outcome | None = None
    reason: str = ""
    results: Results | None = None
    checkpoint_format: int | None = None
    listing: object = None
    parser_version: int | None = None
    listed_at: datetime | None = None
    merged: object = None
    merged_at: datetime | None = None
    mode: RunMode = RunMode.APPLY
    started_at: datetime | None = None
    finished_at: datetime | None = None


@dataclass(slots=True)
class Item:
    """A row of `sync_items`.

    Attributes:
        listed: what the catalogue says; None: the track has vanished.
        values: the columns to write; None: none.
        activity: what is going on, when it is another thing than what is stored, and when the page said so.
        is_merged: whether its latest attempt is in the freshness rows already.
    """

    listed: ListingRow | None
    state: str
    values: dict[str, str | int | None] | None = None
    attempts: int = 0
    error_class: ItemErrorClass | None = None
    http_status: int | None = None
    next_try: datetime | None = None
    finished_at: datetime | None = None
    validators: Validators = field(default_factory=Validators)
    listing_hash: bytes | None = None
    known_hash: bytes | None = None
    metadata_hash: bytes | None = None
    activity: Activity | None = None
    observed_at: datetime | None = None
    is_merged: bool = False

    @property
    def came_with_values(self) -> bool:
        """Whether the listing itself carried what a dashboard would say."""
        return self.state == "fetched" and self.finished_at is None

    def without_contents(self) -> Item:
        """Return how it failed, and nothing that a page said."""
        if self.listed is None:
            return self
        blank = ListingRow(self.listed.slug, "", "", "", "", is_featured=False, kind=self.listed.kind)
        return replace(
            self,
            listed=blank,
            validators=Validators(),
            listing_hash=None,
            known_hash=None,
            activity=None,
            observed_at=None,
        )


@dataclass(slots=True)
class Notes:
    """What the sync notes about a row of `tracks` for itself."""

    listing_hash: bytes | None = None
    metadata_hash: bytes | None = None
    missing_since: datetime | None = None


@dataclass(slots=True)
class FreshnessRow:
    """A row of `track_freshness`."""

    as_of: datetime | None = None
    fetched_at: datetime | None = None
    last_attempt_at: datetime | None = None
    http_status: int | None = None
    validators: Validators = field(default_factory=Validators)
    attempts: int = 0
    unmodified: int = 0
    last_error_class: ItemErrorClass | None = None
    parser_version: int = 0


@dataclass(slots=True)
class Change:
    """A row of `changes`: `fields` are names of columns, sorted; `before` has the old values that may be kept."""

    kind: str
    fields: list[str] = field(default_factory=list)
    before: Row | None = None


@dataclass(frozen=True, slots=True)
class SourceState:
    """A row of `source_state`."""

    last_complete_at: datetime
    last_complete_run: str
    listed: int
    active: int


@dataclass(frozen=True, slots=True)
class Lease:
    """A row of `leases`."""

    run_id: str
    epoch: int
    expires_at: datetime


class MemoryTables:
    """All rows, and the fence before them.

    Attributes:
        clock: the database's clock.
        runs: the runs by id.
        leases: who may write, by source.
        items: the staged items by run id and slug.
        rows: the tracks by source and slug; tests may edit them as an admin would.
        notes: what the sync notes about the tracks, by source and slug.
        activity: what is going on at the tracks, by source and slug.
        freshness: what is known of the dashboards by source and slug.
        changes: the log of changes by run id, source and slug.
        planned_changes: what a run in plan mode would change, by run id.
        source_state: when a source was completely seen last, by source.
        is_reachable: False lets every call fail as a lost connection does.
        is_migrated: False lets `verify_schema` fail.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.runs: dict[str, Run] = {}
        self.leases: dict[str, Lease] = {}
        self.items: dict[str, dict[str, Item]] = {}
        self.rows: dict[tuple[str, str], Row] = {}
        self.notes: dict[tuple[str, str], Notes] = {}
        self.activity: dict[tuple[str, str], Activity] = {}
        self.freshness: dict[tuple[str, str], FreshnessRow] = {}
        self.changes: dict[tuple[str, str, str], Change] = {}
        self.planned_changes: dict[str, tuple[TrackChange, ...]] = {}
        self.source_state: dict[str, SourceState] = {}
        self.is_reachable = True
        self.is_migrated = True

    def check_reachable(self) -> None:
        """Raise DatabaseUnavailableError when the database is to be away."""
        if not self.is_reachable:
            raise DatabaseUnavailableError("the connection to the database was lost")

    def tracks_with_last_seen(self) -> list[Row]:
        """Return the view of this name: an active track was seen last when its source was completely seen last."""
        return [self._with_last_seen(row) for row in self.rows.values()]

    def _with_last_seen(self, row: Row) -> Row:
        state, own = self.source_state.get(str(row["source"])), row["last_seen_at"]
        notes = self.notes.get((str(row["source"]), str(row["slug"])), Notes())
        if state is None or not row["is_active"] or notes.missing_since is not None:
            return dict(row)
        if own is not None and datetime.fromisoformat(str(own)) >= state.last_complete_at:
            return dict(row)
        return {**row, "last_seen_at": state.last_complete_at.isoformat()}

    def fenced_run(self, ticket: RunTicket) -> Run:
        """Return the run's row.

        Raises:
            FencedError: a newer epoch of the run exists, or it is closed.
        """
        self.check_reachable()
        run = self.runs.get(run_key(ticket.identity))
        if run is None or run.epoch != ticket.epoch or run.outcome is not None:
            raise fenced_error(ticket)
        return run

    def is_outdated(self, run: Run) -> bool:
        """Tell whether another run has merged into the source since this one's page was read."""
        since = run.listed_at or run.created_at
        return any(
            other.merged_at is not None and other.merged_at > since
            for other in self.runs.values()
            if other.identity.source == run.identity.source and run_key(other.identity) != run_key(run.identity)
        )

    def fenced_items(self, ticket: RunTicket) -> dict[str, Item]:
        """Return the run's items; raises what `fenced_run` raises."""
        self.fenced_run(ticket)
        return self.items[run_key(ticket.identity)]


def run_key(identity: RunIdentity) -> str:
    """Return the run's id in its one spelling; ConfigurationError when it is no UUID."""
    try:
        return str(UUID(identity.run_id))
    except ValueError:
        raise ConfigurationError("the run id is not a UUID; give the TrackSyncJob's uid or a random UUID") from None


def fenced_error(ticket: RunTicket) -> FencedError:
    """Return the error of a ticket that no longer counts."""
    return FencedError(
        f"run {ticket.identity.run_id}: a newer epoch than {ticket.epoch} exists, another run took the lease of the "
        f"source {ticket.identity.source!r}, or the run is closed"
    )
