"""The ports: what the worker and the operator need from the world, as Protocols.

Each port has one real adapter and an in-memory twin (`tracksync.adapters`), and one behaviour suite runs against both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime

    from tracksync.api.job import OperatorStatus, Results, WorkerStatus
    from tracksync.api.result import Outcome
    from tracksync.core.runs.model import EmitEvent, Key, Manifest
    from tracksync.core.tracks.model import Dashboard, ItemResult, Listing, MergeCounters, StoredTrack, Traffic


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

    async def fetch_listing(self) -> Listing:
        """Fetch and read the catalogue page; the caller judges `Listing.problems`.

        Raises:
            SourceUnavailableError: no usable answer after all tries.
            SourceNotAllowedError: a redirect or an address leads outside the installation's list.
            ListingInvalidError: the answer is no whole HTML page (wrong type, cut, over the byte cap).
        """
        ...

    async def fetch_dashboard(self, slug: str) -> Dashboard:
        """Fetch and read one track's dashboard; the result is proven.

        Raises:
            ItemError: the dashboard could not be had or is not proven to be one.
            SourceUnavailableError: the source asks for a pause that is too long to wait for; the run should stop.
        """
        ...

    def traffic(self) -> Traffic:
        """Return what was sent and received so far."""
        ...


class RequestBudget(Protocol):
    """One budget of requests for a registrable domain: a rate, a ceiling of requests in flight, and one pause for all.

    Every request takes a slot: listing, dashboards, retries and redirects.
    """

    def slot(self) -> AbstractAsyncContextManager[None]:
        """Wait until one request may be sent; it counts as in flight until the context ends.

        Raises:
            SourceUnavailableError: on entering, when the pause that the source asked for is too long to wait for.
        """
        ...

    def pause(self, seconds: float) -> None:
        """Hold back every further request to the domain for this long; never shortens a longer pause."""
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
    """The right to write for one run: valid until a newer epoch of the same run is opened."""

    identity: RunIdentity
    epoch: int


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

    async def open_run(self, identity: RunIdentity) -> RunTicket:
        """Open the run's row, or re-open it with the next epoch; items staged by an earlier epoch are discarded."""
        ...

    async def stage_listing(self, ticket: RunTicket, listing: Listing, *, fetch_dashboards: bool) -> None:
        """Stage all rows of a complete listing in one transaction, each waiting for its dashboard or not."""
        ...

    async def pending_slugs(self, ticket: RunTicket) -> Sequence[str]:
        """Return the staged slugs that still wait for their dashboard, in slug order."""
        ...

    async def record_items(self, ticket: RunTicket, items: Sequence[ItemResult]) -> None:
        """Commit the outcome of these dashboards: a checkpoint."""
        ...

    async def close_run(self, ticket: RunTicket, *, outcome: Outcome, reason: str, results: Results) -> None:
        """Write the run's end; when the run did not succeed, its staged items are discarded in the same transaction."""
        ...


class TrackStore(Protocol):
    """The tracks themselves."""

    async def merge(self, ticket: RunTicket) -> MergeCounters:
        """Bring the staged items into `tracks` in one short transaction: all of it becomes visible, or nothing.

        Columns that a staged item does not carry stay as they are; ids never change; nothing is deleted or deactivated.

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
