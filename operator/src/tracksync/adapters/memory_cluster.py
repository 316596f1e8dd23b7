"""The in-memory twin of the port `Cluster`: a dictionary of objects behind the same handful of methods.

It keeps resource versions, owners, finalizers and field managers, because the operator's correctness rests on them. It
has no controllers: whoever uses it plays the Job controller and the kubelet with the methods at the end.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Final

from tracksync.api.base import format_timestamp
from tracksync.api.identity import API_VERSION, JOB_KIND, WORKER_CONTAINER, Label
from tracksync.api.job import OperatorStatus, Phase, WorkerStatus
from tracksync.core.runs.model import Key
from tracksync.core.runs.naming import event_name
from tracksync.core.runs.reading import is_controlled_by, mapping, text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracksync.core.runs.model import Manifest
    from tracksync.core.runs.plan import EmitEvent
    from tracksync.ports import Clock

_TERMINAL: Final = frozenset(phase.value for phase in Phase if phase.is_terminal)
_OPERATOR_FIELDS: Final = frozenset(field.alias or name for name, field in OperatorStatus.model_fields.items())
_WORKER_FIELDS: Final = frozenset(field.alias or name for name, field in WorkerStatus.model_fields.items())


class MemoryCluster:
    """A cluster that exists only in this object; every answer is a copy."""

    def __init__(self, clock: Clock, *, before_call: Callable[[str], None] | None = None) -> None:
        """Take the time, and what is called with the name of a method before it runs (a test may raise there)."""
        self._clock = clock
        self._before_call = before_call or (lambda _name: None)
        self._version = 0
        self.runs: dict[Key, Manifest] = {}
        self.jobs: dict[Key, Manifest] = {}
        self.pods: dict[Key, Manifest] = {}
        self.events: dict[Key, Manifest] = {}
        self.jobs_created = 0
        self.status_writes = 0

    async def read_run(self, key: Key) -> Manifest | None:
        """Return the TrackSyncJob as it is now, or None when there is none."""
        self._before_call("read_run")
        return copy.deepcopy(self.runs.get(key))

    async def list_runs(self, namespace: str | None) -> Sequence[Manifest]:
        """Return all TrackSyncJobs of the namespace, or of the cluster."""
        self._before_call("list_runs")
        return [copy.deepcopy(run) for key, run in self.runs.items() if namespace in {None, key.namespace}]

    async def list_unfinished(self, namespace: str | None, *, secret: str = "") -> Sequence[Manifest]:
        """Return the TrackSyncJobs whose phase is not terminal, perhaps only those of one target Secret."""
        self._before_call("list_unfinished")
        return [
            copy.deepcopy(run)
            for key, run in self.runs.items()
            if namespace in {None, key.namespace}
            and text(run, "status", "phase") not in _TERMINAL
            and secret in {"", text(run, "spec", "target", "databaseSecretRef", "name")}
        ]

    async def delete_run(self, run: Manifest) -> None:
        """Delete exactly this version of the TrackSyncJob; nothing happens when it has changed or gone meanwhile."""
        self._before_call("delete_run")
        stored = self._unchanged(run)
        if stored is not None:
            self._mark_deleted(stored)
            self._touch(stored)

    async def write_finalizers(self, run: Manifest, finalizers: Sequence[str]) -> str | None:
        """Replace the finalizers of exactly this version; None when it has changed or gone meanwhile."""
        self._before_call("write_finalizers")
        stored = self._unchanged(run)
        if stored is None:
            return None
        _metadata(stored)["finalizers"] = list(finalizers)
        return self._touch(stored)

    async def apply_operator_status(self, run: Manifest, status: OperatorStatus) -> str | None:
        """Apply the operator's whole half to exactly this version; None when it has changed or gone meanwhile."""
        self._before_call("apply_operator_status")
        stored = self._unchanged(run)
        return None if stored is None else self._apply(stored, status.to_wire(), _OPERATOR_FIELDS)

    async def apply_worker_status(self, run: Manifest, status: WorkerStatus) -> str | None:
        """Apply the worker's whole half to exactly this version; None when it has changed or gone meanwhile."""
        self._before_call("apply_worker_status")
        stored = self._unchanged(run)
        return None if stored is None else self._apply(stored, status.to_wire(), _WORKER_FIELDS)

    async def record_event(self, run: Manifest, event: EmitEvent) -> None:
        """Record an Event on the TrackSyncJob: one object per reason, counted when it repeats."""
        self._before_call("record_event")
        owner, uid = _key(run), text(run, "metadata", "uid")
        key = Key(owner.namespace, event_name(owner.name, uid, event.reason))
        count = self.events[key]["count"] if key in self.events else 0
        self.events[key] = {
            "involvedObject": {"uid": uid},
            "type": event.severity.value,
            "reason": event.reason,
            "message": event.message,
            "count": (count if isinstance(count, int) else 0) + 1,
        }

    async def read_job(self, namespace: str, name: str) -> Manifest | None:
        """Return the Job of this name, or None when there is none."""
        self._before_call("read_job")
        return copy.deepcopy(self.jobs.get(Key(namespace, name)))

    async def create_job(self, manifest: Manifest) -> bool:
        """Create the Job; False when its name is taken."""
        self._before_call("create_job")
        key = _key(manifest)
        if key in self.jobs:
            return False
        self.jobs_created += 1
        self.jobs[key] = self._stored(manifest)
        return True

    async def change_deadline(self, namespace: str, name: str, seconds: int) -> None:
        """Give the Job another deadline; nothing happens when it is gone."""
        self._before_call("change_deadline")
        job = self.jobs.get(Key(namespace, name))
        if job is not None:
            _part(job, "spec")["activeDeadlineSeconds"] = seconds

    async def delete_job(self, namespace: str, name: str, uid: str) -> None:
        """Mark exactly this Job and its pods as being deleted; `end_deletion` makes them vanish."""
        self._before_call("delete_job")
        key = Key(namespace, name)
        job = self.jobs.get(key)
        if job is None or text(job, "metadata", "uid") != uid:
            return
        self._mark_deleted(job)
        for pod in self.pods_of(key):
            self._mark_deleted(pod)

    async def list_pods(self, namespace: str, run_id: str) -> Sequence[Manifest]:
        """Return the pods that carry the run's label, whoever made them."""
        self._before_call("list_pods")
        return _labelled(self.pods, namespace, run_id)

    async def list_events(self, namespace: str, uid: str) -> Sequence[Manifest]:
        """Return the Events about the object with this uid."""
        self._before_call("list_events")
        return [
            copy.deepcopy(event)
            for key, event in self.events.items()
            if key.namespace == namespace and text(event, "involvedObject", "uid") == uid
        ]

    # What users, the Job controller and the kubelet do in a real cluster.

    def add_run(self, key: Key, spec: Manifest) -> Manifest:
        """Create a TrackSyncJob as a user does."""
        metadata = {"name": key.name, "namespace": key.namespace, "generation": 1}
        self.runs[key] = self._stored({"apiVersion": API_VERSION, "kind": JOB_KIND, "metadata": metadata, "spec": spec})
        return self.runs[key]

    def change_spec(self, key: Key, **fields: object) -> None:
        """Edit the spec as a user does."""
        run = self.runs[key]
        _part(run, "spec").update(fields)
        self._next_generation(run)
        self._touch(run)

    def annotate(self, key: Key, name: str, value: str) -> None:
        """Set an annotation as a user does; the generation stays."""
        annotations = _metadata(self.runs[key]).setdefault("annotations", {})
        if isinstance(annotations, dict):
            annotations[name] = value
        self._touch(self.runs[key])

    def remove_run(self, key: Key) -> None:
        """Delete a TrackSyncJob as a user does: it vanishes when no finalizer holds it."""
        run = self.runs[key]
        if not text(run, "metadata", "deletionTimestamp"):
            self._mark_deleted(run)
            self._next_generation(run)
        self._touch(run)

    def add_pod(self, job: Key, name: str, *, status: Manifest | None = None) -> Manifest:
        """Create a pod of the Job as the Job controller does."""
        owner = self.jobs[job]
        labels = mapping(owner, "metadata", "labels")
        reference = {"kind": "Job", "name": job.name, "uid": text(owner, "metadata", "uid"), "controller": True}
        metadata = {"name": name, "namespace": job.namespace, "labels": labels, "ownerReferences": [reference]}
        pod = self._stored({"metadata": metadata, "spec": {}, "status": status or {"phase": "Pending"}})
        self.pods[Key(job.namespace, name)] = pod
        return pod

    def run_pod(self, pod: Key, *, node: str = "node-1") -> None:
        """Start the pod's container as the kubelet does."""
        stored = self.pods[pod]
        stored["spec"] = {"nodeName": node}
        stored["status"] = {
            "phase": "Running",
            "startTime": self._now(),
            "containerStatuses": [{"name": WORKER_CONTAINER, "state": {"running": {"startedAt": self._now()}}}],
        }

    def end_pod(self, pod: Key, *, exit_code: int, message: str = "", reason: str = "") -> None:
        """End the pod's container as the kubelet does."""
        terminated = {
            "exitCode": exit_code,
            "reason": reason or ("Completed" if exit_code == 0 else "Error"),
            "message": message,
            "finishedAt": self._now(),
        }
        status = _part(self.pods[pod], "status")
        status["phase"] = "Succeeded" if exit_code == 0 else "Failed"
        status["containerStatuses"] = [{"name": WORKER_CONTAINER, "state": {"terminated": terminated}}]

    def end_job(self, job: Key, *, succeeded: bool, reason: str = "") -> None:
        """Finish the Job as the Job controller does."""
        condition = {
            "type": "Complete" if succeeded else "Failed",
            "status": "True",
            "reason": reason,
            "lastTransitionTime": self._now(),
        }
        self.jobs[job]["status"] = {"conditions": [condition]}

    def end_deletion(self) -> None:
        """Remove the Jobs and pods that are being deleted, as the kubelet and the garbage collector do."""
        for store in (self.pods, self.jobs):
            for key in [key for key, found in store.items() if text(found, "metadata", "deletionTimestamp")]:
                del store[key]

    def collect_garbage(self) -> None:
        """Remove what belongs to TrackSyncJobs and Jobs that are gone, as the garbage collector does."""
        owners = {text(run, "metadata", "uid") for run in self.runs.values()}
        for key in [key for key, job in self.jobs.items() if not any(is_controlled_by(job, uid) for uid in owners)]:
            del self.jobs[key]
        jobs = {text(job, "metadata", "uid") for job in self.jobs.values()}
        for key in [key for key, pod in self.pods.items() if not any(is_controlled_by(pod, uid) for uid in jobs)]:
            del self.pods[key]

    def pods_of(self, job: Key) -> list[Manifest]:
        """Return the pods that this Job made."""
        uid = text(self.jobs[job], "metadata", "uid")
        return [pod for pod in self.pods.values() if is_controlled_by(pod, uid)]

    def _now(self) -> str:
        return format_timestamp(self._clock.now())

    def _next_version(self) -> str:
        self._version += 1
        return str(self._version)

    def _stored(self, manifest: Manifest) -> Manifest:
        """Return a copy as the API server would store it: with uid, version and time."""
        stored = copy.deepcopy(manifest)
        version = self._next_version()
        _metadata(stored).update(
            {"uid": f"uid-{version}", "resourceVersion": version, "creationTimestamp": self._now()}
        )
        return stored

    def _same(self, run: Manifest) -> Manifest | None:
        stored = self.runs.get(_key(run))
        return (
            stored if stored is not None and text(stored, "metadata", "uid") == text(run, "metadata", "uid") else None
        )

    def _unchanged(self, run: Manifest) -> Manifest | None:
        stored, version = self._same(run), text(run, "metadata", "resourceVersion")
        return stored if stored is not None and text(stored, "metadata", "resourceVersion") == version else None

    def _apply(self, stored: Manifest, status: Manifest, owned: frozenset[str]) -> str:
        """Replace the manager's fields: what it does not state any more is removed, what others own stays."""
        self.status_writes += 1
        others = {name: value for name, value in mapping(stored, "status").items() if name not in owned}
        stored["status"] = others | copy.deepcopy(status)
        return self._touch(stored)

    def _touch(self, run: Manifest) -> str:
        """Give the object its next version; it vanishes when it is deleted and nothing holds it any more."""
        version = self._next_version()
        _metadata(run)["resourceVersion"] = version
        if text(run, "metadata", "deletionTimestamp") and not mapping(run, "metadata").get("finalizers"):
            del self.runs[_key(run)]
        return version

    def _mark_deleted(self, manifest: Manifest) -> None:
        _metadata(manifest).setdefault("deletionTimestamp", self._now())

    def _next_generation(self, run: Manifest) -> None:
        generation = _metadata(run)["generation"]
        _metadata(run)["generation"] = (generation if isinstance(generation, int) else 0) + 1


def _labelled(store: dict[Key, Manifest], namespace: str, run_id: str) -> list[Manifest]:
    return [
        copy.deepcopy(found)
        for key, found in store.items()
        if key.namespace == namespace and mapping(found, "metadata", "labels").get(Label.RUN_ID.value) == run_id
    ]


def _key(manifest: Manifest) -> Key:
    return Key(text(manifest, "metadata", "namespace"), text(manifest, "metadata", "name"))


def _part(manifest: Manifest, name: str) -> dict[str, object]:
    part = manifest.setdefault(name, {})
    if not isinstance(part, dict):
        raise TypeError(f"{name} is no mapping")
    return part


def _metadata(manifest: Manifest) -> dict[str, object]:
    return _part(manifest, "metadata")
