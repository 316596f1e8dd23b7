"""The worker's half of a TrackSyncJob's status, by server-side apply.

Through httpx and not through the big client: importing that one costs 600 ms and 46 MiB, for one kind of request.
"""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import httpx
import structlog

from tracksync.api.identity import API_VERSION, GROUP, JOB_KIND, JOB_PLURAL, VERSION, WORKER_FIELD_MANAGER
from tracksync.errors import OwnerGoneError

if TYPE_CHECKING:
    from types import TracebackType

    from tracksync.api.job import WorkerStatus
    from tracksync.ports import RunIdentity

SERVICE_ACCOUNT_DIRECTORY: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
TIMEOUT_SECONDS: Final = 5.0
_APPLY: Final = "application/apply-patch+yaml"  # JSON is YAML
_METADATA_ONLY: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
_TRIES: Final = 3
"""The operator writes a handful of times in a run, so a second conflict in a row is already rare."""
_MAX_REASON: Final = 300

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ApiServer:
    """Where the API server is and how to prove who we are.

    Attributes:
        url: such as https://10.96.0.1:443.
        credentials: directory with `token` and `ca.crt`, as the kubelet mounts it. The token is read again for each
            request, because the kubelet renews it.
    """

    url: str
    credentials: Path = SERVICE_ACCOUNT_DIRECTORY


class KubeProgress:
    """`tracksync.ports.Progress` on the TrackSyncJob that the run belongs to."""

    def __init__(self, server: ApiServer, identity: RunIdentity) -> None:
        self._server = server
        self._identity = identity
        self._client: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def publish(self, status: WorkerStatus) -> None:
        """Apply the whole half of the status; a failure is logged and forgotten.

        Raises:
            OwnerGoneError: the TrackSyncJob is gone, or another one of the same name took its place.
        """
        try:
            answer = await self._read_and_apply(status)
        except (httpx.HTTPError, OSError) as error:
            log.warning("API server not reached", error=type(error).__name__)
            return
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise self._owner_gone()
        if not answer.is_success:
            log.warning("API server refused the progress", status=answer.status_code, reason=_reason(answer))

    async def is_abandoned(self) -> bool:
        """Return whether the TrackSyncJob is gone, replaced or being deleted; an answer that says nothing means no."""
        try:
            found = await self._request("GET", self._path, headers={"Accept": _METADATA_ONLY})
        except (httpx.HTTPError, OSError) as error:
            log.warning("API server not reached", error=type(error).__name__)
            return False
        if not found.is_success:
            return found.status_code == httpx.codes.NOT_FOUND
        metadata = found.json()["metadata"]
        return metadata["uid"] != self._identity.run_id or metadata.get("deletionTimestamp") is not None

    async def _read_and_apply(self, status: WorkerStatus) -> httpx.Response:
        """Return the last answer; after a conflict with another writer the object is read again, a few times.

        A uid in the applied body is no precondition on `/status` (seen on 1.37: an apply with a foreign uid is taken),
        the resource version is one. So the object is read, its uid compared, and the apply bound to what was read.
        """
        for _ in range(_TRIES):
            found = await self._request("GET", self._path, headers={"Accept": _METADATA_ONLY})
            if not found.is_success:
                return found
            metadata = found.json()["metadata"]
            if metadata["uid"] != self._identity.run_id:
                raise self._owner_gone()
            answer = await self._apply(status, metadata["resourceVersion"])
            if answer.status_code != httpx.codes.CONFLICT:
                return answer
        return answer

    async def _apply(self, status: WorkerStatus, version: str) -> httpx.Response:
        run = self._identity
        body = {
            "apiVersion": API_VERSION,
            "kind": JOB_KIND,
            "metadata": {"name": run.name, "namespace": run.namespace, "resourceVersion": version},
            "status": status.to_wire(),
        }
        return await self._request(
            "PATCH",
            f"{self._path}/status",
            params={"fieldManager": WORKER_FIELD_MANAGER, "force": "true"},
            headers={"Content-Type": _APPLY, "Accept": _METADATA_ONLY},
            content=json.dumps(body).encode(),
        )

    @property
    def _path(self) -> str:
        run = self._identity
        return f"/apis/{GROUP}/{VERSION}/namespaces/{run.namespace}/{JOB_PLURAL}/{run.name}"

    async def _request(self, method: str, path: str, *, headers: dict[str, str], **more: Any) -> httpx.Response:
        """RBAC: get tracksyncjobs, patch tracksyncjobs/status."""
        token = (self._server.credentials / "token").read_text(encoding="ascii").strip()
        headers = headers | {"Authorization": f"Bearer {token}"}
        return await self._connected().request(method, path, headers=headers, **more)

    def _owner_gone(self) -> OwnerGoneError:
        return OwnerGoneError(
            f"TrackSyncJob {self._identity.namespace}/{self._identity.name} no longer exists, or another one took "
            "its name; everything of this run was rolled back"
        )

    def _connected(self) -> httpx.AsyncClient:
        """Return the client; made at the first request, so that a missing certificate does not end the run."""
        if self._client is None:
            trust: ssl.SSLContext | bool = False
            if self._server.url.startswith("https:"):
                trust = ssl.create_default_context(cafile=str(self._server.credentials / "ca.crt"))
            self._client = httpx.AsyncClient(
                base_url=self._server.url,
                verify=trust,
                trust_env=False,  # the way to the API server never leads through a proxy
                timeout=TIMEOUT_SECONDS,
            )
        return self._client


def _reason(answer: httpx.Response) -> str:
    """Return the server's own words: the message of the Status object in the answer."""
    try:
        status = answer.json()
    except ValueError:
        return ""
    return str(status.get("message", ""))[:_MAX_REASON] if isinstance(status, dict) else ""
