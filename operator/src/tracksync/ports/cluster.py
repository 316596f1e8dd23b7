"""The Kubernetes API, in the operator's few words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracksync.api.job import OperatorStatus, WorkerStatus
    from tracksync.core.runs.model import Key, Manifest
    from tracksync.core.runs.plan import EmitEvent


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

    async def list_unfinished(self, namespace: str | None, *, secret: str = "") -> Sequence[Manifest]:
        """Return the TrackSyncJobs of the namespace, or of the cluster, whose phase is not terminal, as they are now.

        With `secret` only those whose target is this Secret.
        """
        ...

    async def delete_run(self, run: Manifest) -> None:
        """Delete exactly this version of the TrackSyncJob; nothing happens when it has changed or gone meanwhile."""
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
