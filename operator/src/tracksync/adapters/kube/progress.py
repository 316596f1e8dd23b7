"""The worker's half of a TrackSyncJob's status, by server-side apply.

Through httpx and not through the big client: importing that one costs 600 ms and 46 MiB, for one kind of request.
"""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

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
_CONTRADICTIONS: Final = frozenset({httpx.codes.CONFLICT, httpx.codes.UNPROCESSABLE_ENTITY})
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
            answer = await self._apply(status)
        except (httpx.HTTPError, OSError) as error:
            log.warning("API server not reached", error=type(error).__name__)
            return
        if answer.is_success:
            return
        reason = _reason(answer)
        if answer.status_code == httpx.codes.NOT_FOUND or _is_another_object(answer.status_code, reason):
            raise OwnerGoneError(
                f"TrackSyncJob {self._identity.namespace}/{self._identity.name} no longer exists, or another one took "
                "its name; everything of this run was rolled back"
            )
        log.warning("API server refused the progress", status=answer.status_code, reason=reason[:_MAX_REASON])

    async def _apply(self, status: WorkerStatus) -> httpx.Response:
        """Send the status; the uid in it makes the API server refuse another object of the same name.

        RBAC: patch tracksyncjobs/status.
        """
        run = self._identity
        path = f"/apis/{GROUP}/{VERSION}/namespaces/{run.namespace}/{JOB_PLURAL}/{run.name}/status"
        body = {
            "apiVersion": API_VERSION,
            "kind": JOB_KIND,
            "metadata": {"name": run.name, "namespace": run.namespace, "uid": run.run_id},
            "status": status.to_wire(),
        }
        token = (self._server.credentials / "token").read_text(encoding="ascii").strip()
        return await self._connected().patch(
            path,
            params={"fieldManager": WORKER_FIELD_MANAGER, "force": "true"},
            headers={"Authorization": f"Bearer {token}", "Content-Type": _APPLY, "Accept": "application/json"},
            content=json.dumps(body).encode(),
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
    return str(status.get("message", "")) if isinstance(status, dict) else ""


def _is_another_object(code: int, reason: str) -> bool:
    """Whether the answer says that the object of this name has another uid than the one that was applied.

    The API server answers 409 with "Precondition failed: UID in precondition …", or 422 naming metadata.uid.
    """
    return code in _CONTRADICTIONS and "uid" in reason.lower()
