"""The tables of the in-memory database: rows that tests may look at and edit. No rule of the sync lives here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from tracksync.core.tracks.model import Validators
from tracksync.errors import ConfigurationError, DatabaseUnavailableError, FencedError

if TYPE_CHECKING:
    from datetime import datetime

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


class MemoryTables:
    """All rows, and the fence before them.

    Attributes:
        clock: the database's clock.
        runs: the runs by id.
        items: the staged items by run id and slug.
        rows: the tracks by source and slug; tests may edit them as an admin would.
        freshness: what is known of the dashboards by source and slug.
        is_reachable: False lets every call fail as a lost connection does.
        is_migrated: False lets `verify_schema` fail.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.runs: dict[str, Run] = {}
        self.items: dict[str, dict[str, Item]] = {}
        self.rows: dict[tuple[str, str], Row] = {}
        self.freshness: dict[tuple[str, str], FreshnessRow] = {}
        self.is_reachable = True
        self.is_migrated = True

    def check_reachable(self) -> None:
        """Raise DatabaseUnavailableError when the database is to be away."""
        if not self.is_reachable:
            raise DatabaseUnavailableError("the connection to the database was lost")

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
