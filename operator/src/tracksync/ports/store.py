"""The database: runs and their items, the tracks, and what became of runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from tracksync.core.tracks.plan import RunMode

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from tracksync.api.job import Results
    from tracksync.api.result import Outcome
    from tracksync.core.tracks.freshness import Refresh
    from tracksync.core.tracks.guards import DeactivationGuard
    from tracksync.core.tracks.history import RunQuery, RunRecord, RunReport
    from tracksync.core.tracks.model import (
        DueDashboard,
        ItemResult,
        Listing,
        ListingSummary,
        MergeCounters,
        StoredTrack,
    )
    from tracksync.core.tracks.plan import MergePlan

LEASE_SECONDS: Final = 60.0
"""How long a lease holds without being renewed, on the database's clock."""
HEARTBEAT_SECONDS: Final = 10.0
"""How often a run renews its lease."""


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """Which run this is.

    Attributes:
        run_id: a UUID as text; a TrackSyncJob's uid in a cluster.
        name: the TrackSyncJob's name, or a local run's.
        namespace: the TrackSyncJob's namespace; empty for a local run.
        attempt: counts from 1.
        source: name of the source, such as `liverc`.
        domain: the source's registrable domain, from which the stored addresses of the tracks are made.
    """

    run_id: str
    name: str
    namespace: str
    attempt: int
    source: str
    domain: str = "liverc.com"


@dataclass(frozen=True, slots=True)
class RunTicket:
    """The right to write for one run: valid until a newer epoch of the same run is opened.

    Attributes:
        identity: which run.
        epoch: counts the openings of the run from 1.
        planned_start: when the run was opened first; how old a dashboard is, is measured against it.
        checkpoint: the listing that an earlier epoch staged and that this one goes on with; None: start from zero.
        mode: what the run is for.
        merged: what the run's merge did, when an earlier epoch committed it; only the run's end is missing then.
        lease_epoch: counts the holders of the source's lease; tells this run's hold on it from any other.
    """

    identity: RunIdentity
    epoch: int
    planned_start: datetime
    checkpoint: ListingSummary | None = None
    mode: RunMode = RunMode.APPLY
    merged: MergeCounters | None = None
    lease_epoch: int = 0


class Ledger(Protocol):
    """Runs and their items, durable. Every method that takes a ticket raises FencedError once a newer epoch exists.

    One run at a time holds the lease of a source: from `open_run` to `close_run`, as long as it is renewed. A run that
    lost it is fenced like one that has a newer epoch. All methods raise DatabaseUnavailableError when the connection is
    lost; a repeated call is safe, whatever became of the lost one.
    """

    async def verify_schema(self) -> None:
        """Pass when the database is at the migration that this build expects.

        Raises:
            SchemaMismatchError: it is older, newer or empty; both revisions and the remedy are named.
        """
        ...

    async def open_run(self, identity: RunIdentity, *, spec_hash: str, mode: RunMode = RunMode.APPLY) -> RunTicket:
        """Open the run's row, or re-open it with the next epoch, and take the source's lease.

        An expired lease of another run is taken over; that run is fenced from then on, and closed as failed. The run's
        own lease is taken over at once: its earlier epoch is fenced.

        When an earlier epoch of the run staged a listing for the same `spec_hash` and in this build's checkpoint
        format, the ticket carries it on: what was fetched stays, what failed waits again with no attempt counted.
        Otherwise items of earlier epochs are discarded.

        Raises:
            LeaseHeldError: another run holds the source's lease; nothing was written.
            ConfigurationError: the run has already succeeded, belongs to another source, or its id is no UUID.
        """
        ...

    async def renew_lease(self, ticket: RunTicket) -> None:
        """Hold the source's lease for a further while (LEASE_SECONDS); to be called every HEARTBEAT_SECONDS.

        Raises:
            FencedError: another run, or a newer epoch of this one, has it.
        """
        ...

    async def stage_listing(self, ticket: RunTicket, listing: Listing, *, refresh: Refresh | None) -> ListingSummary:
        """Stage a complete listing in one transaction: only what differs from the stored tracks takes a row.

        These are tracks that are new, inactive or of which the listing says something else; tracks whose dashboard is
        due when `refresh` says so (with None none is); tracks at which something else is going on; and, as vanished,
        active tracks that are not listed. A track that carries its `values` needs no dashboard. `listing.tracks` is
        read once, row by row.

        Raises:
            ListingInvalidError: the listing is not complete; nothing was staged.
        """
        ...

    async def pending_dashboards(self, ticket: RunTicket) -> Sequence[DueDashboard]:
        """Return the staged tracks that still wait for their dashboard, in slug order."""
        ...

    async def record_items(self, ticket: RunTicket, items: Sequence[ItemResult]) -> None:
        """Commit the outcome of these attempts: a checkpoint. Of two for one slug the last counts."""
        ...

    async def close_run(
        self, ticket: RunTicket, *, outcome: Outcome, reason: str, results: Results, keep_checkpoint: bool = False
    ) -> None:
        """Write the run's end.

        A run that did not succeed loses its staged items in the same transaction, unless `keep_checkpoint` keeps them
        for the next epoch.
        """
        ...


class TrackStore(Protocol):
    """The tracks themselves."""

    async def merge(self, ticket: RunTicket, *, guard: DeactivationGuard, is_filtered: bool = False) -> MergeCounters:
        """Bring the staged items into `tracks` in one short transaction: all of it becomes visible, or nothing.

        Columns that a staged item does not carry stay as they are; ids never change; nothing is deleted. Active tracks
        of the source that are not staged have vanished: they are deactivated when `guard` allows it for the figures
        of this very transaction, else they stay active, and the counters say how many and why. `is_filtered` says that
        only a part of the catalogue was staged. Each change is logged with the names of the fields, and the source's
        last complete run is kept. What is known about each dashboard's freshness is written with it, so that it is
        never ahead of the tracks.

        Raises:
            FencedError: a newer epoch of this run exists; nothing was written.
        """
        ...

    async def plan(self, ticket: RunTicket, *, guard: DeactivationGuard, is_filtered: bool = False) -> MergePlan:
        """Return what `merge` would do now, and keep it with the run; no track is written.

        Raises:
            FencedError: a newer epoch of this run exists; nothing was written.
        """
        ...

    async def count_active(self, source: str) -> int:
        """Return how many tracks of the source are active."""
        ...

    async def find_tracks(
        self, *, source: str | None = None, search: str | None = None, include_inactive: bool = False
    ) -> Sequence[StoredTrack]:
        """Return stored tracks by name; `search` looks into slug, name, city and country, ignoring case."""
        ...


class History(Protocol):
    """What became of runs. All methods raise DatabaseUnavailableError when the connection is lost."""

    async def find_runs(self, query: RunQuery) -> Sequence[RunRecord]:
        """Return the runs that the query finds, newest first."""
        ...

    async def read_run(self, run_id: str) -> RunReport | None:
        """Return one run with its changes (those of its plan, for a plan) and its failed tracks; None: not known."""
        ...

    async def purge(self, *, keep_days: int, seconds: float) -> int:
        """Forget runs that ended longer ago, with all that belongs to them; return how many.

        In small transactions, and for so many seconds at most: the rest is for the next run. Tracks stay as they are.

        Raises:
            ValueError: `keep_days` is below LEAST_KEEP_DAYS.
        """
        ...
