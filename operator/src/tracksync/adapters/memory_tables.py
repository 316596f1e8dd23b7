"""The tables of the in-memory database: rows that tests may look at and edit. No rule of the sync lives here."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from tracksync.core.tracks.model import Validators
from tracksync.errors import ConfigurationError, DatabaseUnavailableError, FencedError

if TYPE_CHECKING:
    from tracksync.adapters.storable import ListingRow
    from tracksync.api.job import Results
    from tracksync.api.result import Outcome
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


@dataclass(slots=True)
class Item:
    """A row of `sync_items`; `is_merged` says that its latest attempt is in the freshness rows already."""

    listed: ListingRow
    state: str
    values: dict[str, str | int | None] = field(default_factory=dict)
    attempts: int = 0
    error_class: ItemErrorClass | None = None
    http_status: int | None = None
    next_try: datetime | None = None
    finished_at: datetime | None = None
    validators: Validators = field(default_factory=Validators)
    is_merged: bool = False


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
    """A row of `changes`: `fields` are names of columns, sorted."""

    kind: str
    fields: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class SourceState:
    """A row of `source_state`."""

    last_complete_at: datetime
    last_complete_run: str
    listed: int
    active: int


class MemoryTables:
    """All rows, and the fence before them.

    Attributes:
        clock: the database's clock.
        runs: the runs by id.
        items: the staged items by run id and slug.
        rows: the tracks by source and slug; tests may edit them as an admin would.
        freshness: what is known of the dashboards by source and slug.
        changes: the log of changes by run id, source and slug.
        source_state: when a source was completely seen last, by source.
        is_reachable: False lets every call fail as a lost connection does.
        is_migrated: False lets `verify_schema` fail.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.runs: dict[str, Run] = {}
        self.items: dict[str, dict[str, Item]] = {}
        self.rows: dict[tuple[str, str], Row] = {}
        self.freshness: dict[tuple[str, str], FreshnessRow] = {}
        self.changes: dict[tuple[str, str, str], Change] = {}
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
        if state is None or not row["is_active"]:
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
        """Tell whether another run has seen the whole catalogue since this one's page was read."""
        state = self.source_state.get(run.identity.source)
        if state is None or state.last_complete_run == run_key(run.identity):
            return False
        return state.last_complete_at > (run.listed_at or run.created_at)

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
    return FencedError(f"run {ticket.identity.run_id}: a newer epoch than {ticket.epoch} exists, or the run is closed")
