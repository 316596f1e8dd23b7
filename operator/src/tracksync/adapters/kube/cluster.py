"""The port `Cluster` on a real API server; the rights of each method stand beside it."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from tracksync.adapters.kube.rbac import needs
from tracksync.api.base import format_timestamp
from tracksync.api.identity import (
    API_VERSION,
    GROUP,
    JOB_KIND,
    JOB_PLURAL,
    OPERATOR_FIELD_MANAGER,
    VERSION,
    WORKER_FIELD_MANAGER,
    Label,
)
from tracksync.api.job import Phase
from tracksync.core.runs.naming import event_name
from tracksync.core.runs.reading import items, text, whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracksync.adapters.kube.client import KubeClient
    from tracksync.api.job import OperatorStatus, WorkerStatus
    from tracksync.core.runs.model import Key, Manifest
    from tracksync.core.runs.plan import EmitEvent

_PAGE: Final = "500"
_MAX_PAGES: Final = 1000
_GONE_OR_CHANGED: Final = (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)


class KubeCluster:
    """What the operator asks of the API server, one request each."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client

    @needs(GROUP, JOB_PLURAL, "get")
    async def read_run(self, key: Key) -> Manifest | None:
        """Return the TrackSyncJob as it is now, or None when there is none."""
        return await self._read_or_none(_run_path(key.namespace, key.name))

    @needs(GROUP, JOB_PLURAL, "list")
    async def list_runs(self, namespace: str | None) -> Sequence[Manifest]:
        """Return all TrackSyncJobs of the namespace, or of the cluster."""
        scope = f"/namespaces/{namespace}" if namespace else ""
        return await self._list(f"/apis/{GROUP}/{VERSION}{scope}/{JOB_PLURAL}", {})

    @needs(GROUP, JOB_PLURAL, "list")
    async def list_unfinished(self, namespace: str | None, *, secret: str = "") -> Sequence[Manifest]:
        """Return the TrackSyncJobs whose phase is not terminal; the API server filters, not we."""
        scope = f"/namespaces/{namespace}" if namespace else ""
        selectors = [f"status.phase!={phase}" for phase in Phase if phase.is_terminal]
        selectors += [f"spec.target.databaseSecretRef.name={secret}"] if secret else []
        return await self._list(f"/apis/{GROUP}/{VERSION}{scope}/{JOB_PLURAL}", {"fieldSelector": ",".join(selectors)})

    @needs(GROUP, JOB_PLURAL, "delete")
    async def delete_run(self, run: Manifest) -> None:
        """Delete exactly this version of the TrackSyncJob; nothing happens when it has changed or gone meanwhile."""
        conditions = {name: text(run, "metadata", name) for name in ("uid", "resourceVersion")}
        body = {"propagationPolicy": "Background", "preconditions": conditions}
        await self._client.send("DELETE", _path_of(run), body=body, expected=_GONE_OR_CHANGED)

    @needs(GROUP, JOB_PLURAL, "patch")
    async def write_finalizers(self, run: Manifest, finalizers: Sequence[str]) -> str | None:
        """Replace the finalizers of exactly this version; None when it has changed or gone meanwhile."""
        metadata = {
            "uid": text(run, "metadata", "uid"),
            "resourceVersion": text(run, "metadata", "resourceVersion"),
            "finalizers": list(finalizers),
        }
        reply = await self._client.send(
            "PATCH",
            _path_of(run),
            query={"fieldManager": OPERATOR_FIELD_MANAGER},
            body={"metadata": metadata},
            media="merge",
            expected=_GONE_OR_CHANGED,
        )
        return None if reply.status in _GONE_OR_CHANGED else text(reply.document, "metadata", "resourceVersion")

    @needs(GROUP, f"{JOB_PLURAL}/status", "patch")
    async def apply_operator_status(self, run: Manifest, status: OperatorStatus) -> str | None:
        """Apply the operator's whole half to exactly this version; None when it has changed or gone meanwhile."""
        return await self._apply(run, status.to_wire(), manager=OPERATOR_FIELD_MANAGER)

    @needs(GROUP, f"{JOB_PLURAL}/status", "patch")
    async def apply_worker_status(self, run: Manifest, status: WorkerStatus) -> str | None:
        """Apply the worker's whole half under its own field manager; None when it has changed or gone meanwhile."""
        return await self._apply(run, status.to_wire(), manager=WORKER_FIELD_MANAGER)

    async def _apply(self, run: Manifest, status: dict[str, object], *, manager: str) -> str | None:
        # The version is the precondition; a uid in the body is none: /status takes all metadata from the stored object
        # (tried with 1.37: an apply with another uid succeeds).
        metadata = {name: text(run, "metadata", name) for name in ("name", "namespace", "resourceVersion")}
        reply = await self._client.send(
            "PATCH",
            f"{_path_of(run)}/status",
            query={"fieldManager": manager, "force": "true"},
            body={"apiVersion": API_VERSION, "kind": JOB_KIND, "metadata": metadata, "status": status},
            media="apply",
            expected=_GONE_OR_CHANGED,
        )
        return None if reply.status in _GONE_OR_CHANGED else text(reply.document, "metadata", "resourceVersion")

    @needs("", "events", "create", "get", "patch")
    async def record_event(self, run: Manifest, event: EmitEvent) -> None:
        """Record an Event on the TrackSyncJob: one object per reason, counted when it repeats."""
        manifest = _event_manifest(run, event)
        namespace = text(manifest, "metadata", "namespace")
        path = f"/api/v1/namespaces/{namespace}/events"
        reply = await self._client.send("POST", path, body=manifest, expected=(HTTPStatus.CONFLICT,))
        if reply.status == HTTPStatus.CONFLICT:
            await self._count_event(f"{path}/{text(manifest, 'metadata', 'name')}", manifest)

    async def _count_event(self, path: str, manifest: Manifest) -> None:
        before = await self._read_or_none(path)
        if before is None:
            return
        count = (whole(before, "count") or 1) + 1
        update = {name: manifest[name] for name in ("lastTimestamp", "message")} | {"count": count}
        await self._client.send("PATCH", path, body=update, media="merge", expected=_GONE_OR_CHANGED)

    @needs("batch", "jobs", "get")
    async def read_job(self, namespace: str, name: str) -> Manifest | None:
        """Return the Job of this name, or None when there is none."""
        return await self._read_or_none(f"{_jobs_path(namespace)}/{name}")

    @needs("batch", "jobs", "create")
    @needs(GROUP, f"{JOB_PLURAL}/finalizers", "update")  # for blockOwnerDeletion, where the admission plug-in is on
    async def create_job(self, manifest: Manifest) -> bool:
        """Create the Job; False when its name is taken."""
        reply = await self._client.send(
            "POST",
            _jobs_path(text(manifest, "metadata", "namespace")),
            query={"fieldManager": OPERATOR_FIELD_MANAGER},
            body=manifest,
            expected=(HTTPStatus.CONFLICT,),
        )
        return reply.status != HTTPStatus.CONFLICT

    @needs("batch", "jobs", "patch")
    async def change_deadline(self, namespace: str, name: str, seconds: int) -> None:
        """Give the Job another deadline, counted from its start; nothing happens when it is gone."""
        await self._client.send(
            "PATCH",
            f"{_jobs_path(namespace)}/{name}",
            body={"spec": {"activeDeadlineSeconds": seconds}},
            media="merge",
            expected=(HTTPStatus.NOT_FOUND,),
        )

    @needs("batch", "jobs", "delete")
    async def delete_job(self, namespace: str, name: str, uid: str) -> None:
        """Delete exactly this Job after its pods; nothing happens when it is gone or another one took its name."""
        await self._client.send(
            "DELETE",
            f"{_jobs_path(namespace)}/{name}",
            body={"propagationPolicy": "Foreground", "preconditions": {"uid": uid}},
            expected=_GONE_OR_CHANGED,
        )

    @needs("", "pods", "list")
    async def list_pods(self, namespace: str, run_id: str) -> Sequence[Manifest]:
        """Return the pods that carry the run's label, whoever made them."""
        path = f"/api/v1/namespaces/{namespace}/pods"
        return await self._list(path, {"labelSelector": f"{Label.RUN_ID}={run_id}"})

    @needs("", "events", "list")
    async def list_events(self, namespace: str, uid: str) -> Sequence[Manifest]:
        """Return the Events about the object with this uid."""
        path = f"/api/v1/namespaces/{namespace}/events"
        return await self._list(path, {"fieldSelector": f"involvedObject.uid={uid}"})

    async def _read_or_none(self, path: str) -> Manifest | None:
        reply = await self._client.send("GET", path, expected=(HTTPStatus.NOT_FOUND,))
        return None if reply.status == HTTPStatus.NOT_FOUND else reply.document

    async def _list(self, path: str, query: dict[str, str]) -> list[Manifest]:
        """Return all objects of the list, page by page; a list in a namespace that is gone is empty."""
        found: list[Manifest] = []
        token = ""
        for _ in range(_MAX_PAGES):
            page = {"limit": _PAGE} | query | ({"continue": token} if token else {})
            reply = await self._client.send("GET", path, query=page)
            found += [dict(entry) for entry in items(reply.document, "items")]
            token = text(reply.document, "metadata", "continue")
            if not token:
                break
        return found


def _run_path(namespace: str, name: str) -> str:
    return f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{JOB_PLURAL}/{name}"


def _path_of(run: Manifest) -> str:
    return _run_path(text(run, "metadata", "namespace"), text(run, "metadata", "name"))


def _jobs_path(namespace: str) -> str:
    return f"/apis/batch/v1/namespaces/{namespace}/jobs"


def _event_manifest(run: Manifest, event: EmitEvent) -> Manifest:
    name, namespace, uid = (text(run, "metadata", field) for field in ("name", "namespace", "uid"))
    now = format_timestamp(datetime.now(UTC))
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": event_name(name, uid, event.reason), "namespace": namespace},
        "involvedObject": {
            "apiVersion": API_VERSION,
            "kind": JOB_KIND,
            "name": name,
            "namespace": namespace,
            "uid": uid,
        },
        "type": event.severity.value,
        "reason": event.reason,
        "message": event.message,
        "count": 1,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "source": {"component": OPERATOR_FIELD_MANAGER},
        "reportingComponent": OPERATOR_FIELD_MANAGER,
    }
