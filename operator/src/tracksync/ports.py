"""The ports: what the worker and the operator need from the world, as Protocols.

Each port has one real adapter and an in-memory twin (`tracksync.adapters`), and one behaviour suite runs against both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime

    from tracksync.api.job import OperatorStatus, Results, WorkerStatus
    from tracksync.api.result import Outcome
    from tracksync.core.runs.model import EmitEvent, Key, Manifest
    from tracksync.core.tracks.freshness import Refresh
    from tracksync.core.tracks.guards import DeactivationGuard
    from tracksync.core.tracks.model import (
        DueDashboard,
        FetchedDashboard,
        ItemResult,
        Listing,
        ListingSummary,
        MergeCounters,
        StoredTrack,
        Traffic,
        Validators,
    )


class Clock(Protocol):
    """Time, so that tests can hold it."""

    def now(self) -> datetime:
        """Return the wall clock in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start, never going back."""
        ...


class Source(Protocol):
    """The web site, read politely: every request waits for its slot in the domain's budget."""

    async def verify_open(self) -> None:
        """Pass when the source may be asked; nothing is sent to it.

        Raises:
            SourceOffError: somebody switched it off.
            SourceUnavailableError: it asked for a pause that is too long to wait for.
        """
        ...

    async def fetch_listing(self) -> Listing:
        """Fetch and read the catalogue page; the caller judges `Listing.problems`.

        Raises:
            SourceUnavailableError: no usable answer after all tries.
            SourceNotAllowedError: a redirect or an address leads outside the installation's list, or robots.txt
                forbids the page.
            SourceOffError: somebody switched the source off.
            ListingInvalidError: the answer is no whole HTML page (wrong type, cut, over the byte cap).
        """
        ...

    async def fetch_dashboard(self, slug: str, *, validators: Validators | None = None) -> FetchedDashboard | None:
        """Fetch and read one track's dashboard; the result is proven. None: it is what it was, says the source.

        Raises:
            ItemError: the dashboard could not be had or is not proven to be one.
            SourceUnavailableError: the source asks for a pause that is too long to wait for, or fails so often that
                asking on would do harm: the run should stop and keep its checkpoint.
            SourceOffError: somebody switched the source off; the same.
        """
        ...

    def traffic(self) -> Traffic:
        """Return what was sent and received so far."""
        ...


class RequestBudget(Protocol):
    """One budget of requests for a registrable domain: a rate, a ceiling of requests in flight, and one pause for all.

    Every request takes a slot: listing, dashboards, robots.txt, retries and redirects.
    """

    def slot(self) -> AbstractAsyncContextManager[None]:
        """Wait until one request may be sent; it counts as in flight until the context ends.

        Raises:
            SourceUnavailableError: on entering, when the pause that the source asked for is too long to wait for.
            SourceOffError: on entering, when the source is switched off.
        """
        ...

    async def pause(self, seconds: float) -> None:
        """Hold back every further request to the domain for this long; never shortens a longer pause."""
        ...


@dataclass(frozen=True, slots=True)
class DomainState:
    """What holds for everybody who asks a domain.

    Attributes:
        paused_seconds: how long nobody may ask it, from now; 0 when there is no pause.
        off_reason: why somebody switched the source off; None while it is on.
    """

    paused_seconds: float = 0.0
    off_reason: str | None = None


@dataclass(frozen=True, slots=True)
class ReservedSlots:
    """Slots that nobody else gets: the first begins in so many seconds, each further one an interval later."""

    seconds: float
    state: DomainState = DomainState()


class SharedPace(Protocol):
    """The request rate of one registrable domain, its pause and its off switch, shared by all who use one database.

    Durations are relative: the database's clock decides, and nobody else's has to agree with it. All methods raise
    DatabaseUnavailableError when the connection is lost.
    """

    async def reserve(self, slots: int, *, interval: float) -> ReservedSlots:
        """Take the next `slots` free slots, each `interval` seconds long; none begins during the pause.

        Unused time is not saved up. While the source is off nothing is taken.
        """
        ...

    async def look(self) -> DomainState:
        """Return what holds now."""
        ...

    async def pause(self, seconds: float) -> None:
        """Let nobody's slot begin for so long; never shortens a longer pause."""
        ...

    async def switch(self, *, off_reason: str | None) -> None:
        """Switch the source off for this reason, or on (None)."""
        ...


@dataclass(frozen=True, slots=True)
class RobotsRecord:
    """What a host's robots.txt says about our page there, as of when it was asked for.

    Attributes:
        host: the host's full name, lower case.
        status: HTTP status of the answer.
        is_allowed: whether our user agent may fetch `/`.
        crawl_delay: seconds between two requests to the host that it asks of us; None when it asks for nothing.
        fetched_at: when.
        body: the beginning of the file, for people to look at; "" when there is none.
    """

    host: str
    status: int
    is_allowed: bool
    crawl_delay: float | None
    fetched_at: datetime
    body: str = ""


class RobotsCache(Protocol):
    """What is known of robots.txt files, durable and shared by all runs.

    All methods raise DatabaseUnavailableError when the connection is lost.
    """

    async def read(self, domain: str) -> Mapping[str, RobotsRecord]:
        """Return what is known of the domain's hosts, by host and of any age; bodies are left out."""
        ...

    async def write(self, domain: str, records: Sequence[RobotsRecord]) -> None:
        """Keep these records; of two for one host the later `fetched_at` stays."""
        ...


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
    """

    identity: RunIdentity
    epoch: int
    planned_start: datetime
    checkpoint: ListingSummary | None = None


class Ledger(Protocol):
    """Runs and their items, durable. Every method that takes a ticket raises FencedError once a newer epoch exists.

    All methods raise DatabaseUnavailableError when the connection is lost.
    """

    async def verify_schema(self) -> None:
        """Pass when the database is at the migration that this build expects.

        Raises:
            SchemaMismatchError: it is older, newer or empty; both revisions and the remedy are named.
        """
        ...

    async def open_run(self, identity: RunIdentity, *, spec_hash: str) -> RunTicket:
        """Open the run's row, or re-open it with the next epoch.

        When an earlier epoch of the run staged a listing for the same `spec_hash` and in this build's checkpoint
        format, the ticket carries it on: what was fetched stays, what failed waits again with no attempt counted.
        Otherwise items of earlier epochs are discarded.

        Raises:
            ConfigurationError: the run has already succeeded, belongs to another source, or its id is no UUID.
        """
        ...

    async def stage_listing(self, ticket: RunTicket, listing: Listing, *, refresh: Refresh | None) -> None:
        """Stage all rows of a complete listing in one transaction.

        Each waits for its dashboard when `refresh` says that the stored one is due; with None none does.

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

    async def count_active(self, source: str) -> int:
        """Return how many tracks of the source are active."""
        ...

    async def find_tracks(
        self, *, source: str | None = None, search: str | None = None, include_inactive: bool = False
    ) -> Sequence[StoredTrack]:
        """Return stored tracks by name; `search` looks into slug, name, city and country, ignoring case."""
        ...


class Progress(Protocol):
    """Where a run's progress is shown: the TrackSyncJob's status, a terminal, or a test's list."""

    async def publish(self, status: WorkerStatus) -> None:
        """Show this state. A failing display never fails the run: an unreachable API server is only logged.

        Raises:
            OwnerGoneError: the TrackSyncJob no longer exists, or another one took its name; the run must stop.
        """
        ...


class Cluster(Protocol):
    """The operator's few words with the Kubernetes API. Objects come as the API server writes them.

    That something exists already, is gone or has changed meanwhile is an answer, not an error. All methods raise
    ClusterUnavailableError when another try may help, and ClusterRefusedError with the server's words when it may not.
    """

    async def read_run(self, key: Key) -> Manifest | None:
        """Return the TrackSyncJob as it is now, or None when there is none."""
        ...

    async def list_runs(self, namespace: str | None) -> Sequence[Manifest]:
        """Return all TrackSyncJobs of the namespace, or of the cluster."""
        ...

    async def write_finalizers(self, run: Manifest, finalizers: Sequence[str]) -> str | None:
        """Replace the finalizers of exactly this version of the TrackSyncJob; return its new resource version.

        None: it has changed or gone meanwhile, and nothing was written.
        """
        ...

    async def apply_operator_status(self, run: Manifest, status: OperatorStatus) -> str | None:
        """Apply the operator's whole half of the status to exactly this version; return its new resource version.

        None: it has changed or gone meanwhile, and nothing was written.
        """
        ...

    async def apply_worker_status(self, run: Manifest, status: WorkerStatus) -> str | None:
        """Apply the worker's whole half of the status under the worker's field manager; return its new version.

        None: it has changed or gone meanwhile, and nothing was written.
        """
        ...

    async def record_event(self, run: Manifest, event: EmitEvent) -> None:
        """Record an Event on the TrackSyncJob: one object per reason, counted when it repeats."""
        ...

    async def read_job(self, namespace: str, name: str) -> Manifest | None:
        """Return the Job of this name, or None when there is none."""
        ...

    async def create_job(self, manifest: Manifest) -> bool:
        """Create the Job; False when its name is taken."""
        ...

    async def change_deadline(self, namespace: str, name: str, seconds: int) -> None:
        """Give the Job another deadline, counted from its start; nothing happens when it is gone."""
        ...

    async def delete_job(self, namespace: str, name: str, uid: str) -> None:
        """Delete exactly this Job after its pods; nothing happens when it is gone."""
        ...

    async def list_pods(self, namespace: str, run_id: str) -> Sequence[Manifest]:
        """Return the pods that carry the run's label, whoever made them."""
        ...

    async def list_events(self, namespace: str, uid: str) -> Sequence[Manifest]:
        """Return the Events about the object with this uid."""
        ...
