"""One way to send a request to the API server, and one mapping of everything that can go wrong with it."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, cast

from tracksync.errors import ClusterRefusedError, ClusterUnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping
    from pathlib import Path

TIMEOUT_SECONDS: Final = 30.0
_MAX_WORDS: Final = 600
_BUSY: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS})
_MEDIA_TYPES: Final = {
    "apply": "application/apply-patch+yaml",
    "merge": "application/merge-patch+json",
    "json": "application/json",
}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the API server: status code and JSON document."""

    status: int
    document: dict[str, object] = field(default_factory=dict)


class KubeClient:
    """The API server of one cluster, with credentials that renew themselves."""

    def __init__(self, api: Any) -> None:
        """Take a `kubernetes.aio` ApiClient; `open_client` makes one."""
        self._api = api

    async def send(  # noqa: PLR0913 -- a request is these things
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
        media: str = "json",
        expected: Collection[HTTPStatus] = (),
    ) -> Reply:
        """Return the answer, if it is a success or its status is among the expected ones.

        Raises:
            ClusterUnavailableError: no answer, or one that may be another next time.
            ClusterRefusedError: an answer that stays the same until somebody changes something.
        """
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                reply = await self._exchange(method, path, query=query, body=body, media=media)
        except (OSError, TimeoutError, _transport_error()) as error:
            raise _no_answer(f"{method} {path}", error) from error
        if reply.status < HTTPStatus.BAD_REQUEST or reply.status in expected:
            return reply
        raise _failure(method, path, reply)

    @asynccontextmanager
    async def stream(
        self, path: str, *, query: Mapping[str, str], idle_seconds: float
    ) -> AsyncIterator[AsyncIterator[bytes] | Reply]:
        """Give the lines of an answer that comes bit by bit (a watch, a log), or the whole answer when it is an error.

        Raises:
            ClusterUnavailableError: no answer, or nothing came for so long; also from within the iteration.
        """
        what = f"GET {path}"
        try:
            response = await self._open("GET", path, query=query, timeout=_stream_timeout(idle_seconds))
            try:
                if response.status < HTTPStatus.BAD_REQUEST:
                    yield _lines(response.response, what)
                else:
                    yield Reply(status=response.status, document=_parse(await response.read()))
            finally:
                response.response.close()
        except (OSError, TimeoutError, _transport_error()) as error:
            raise _no_answer(what, error) from error

    async def _exchange(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None,
        body: Mapping[str, object] | None,
        media: str,
    ) -> Reply:
        response = await self._open(method, path, query=query, body=body, media=media, timeout=_client_timeout())
        document = _parse(await response.read())
        return Reply(status=response.status, document=document)

    async def _open(  # noqa: PLR0913 -- a request is these things
        self,
        method: str,
        path: str,
        *,
        timeout: object,  # noqa: ASYNC109 -- the client library's own, not a cancellation
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
        media: str = "json",
    ) -> Any:
        """Return the client library's response, whose body has not been read."""
        serialized = await self._api.param_serialize(
            method,
            path,
            query_params=list((query or {}).items()),
            header_params={"Accept": "application/json", "Content-Type": _MEDIA_TYPES[media]},
            body=body,
            auth_settings=["BearerToken"],
        )
        return await self._api.call_api(*serialized, _request_timeout=timeout)


async def _lines(response: Any, what: str) -> AsyncIterator[bytes]:
    """Give the lines without their ends; a last line without one is cut off and therefore left out.

    Raises:
        ClusterUnavailableError: the connection broke, or nothing came for too long.
    """
    rest = b""
    try:
        async for chunk in response.content.iter_any():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield line
    except (OSError, TimeoutError, _transport_error()) as error:
        raise _no_answer(what, error) from error


def _no_answer(what: str, error: BaseException) -> ClusterUnavailableError:
    return ClusterUnavailableError(f"the Kubernetes API did not answer {what}: {type(error).__name__}")


def _parse(data: bytes) -> dict[str, object]:
    """Return the JSON document, or an empty one: proxies and gateways answer in HTML."""
    try:
        document = json.loads(data)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _failure(method: str, path: str, reply: Reply) -> ClusterUnavailableError | ClusterRefusedError:
    words = str(reply.document.get("message", ""))[:_MAX_WORDS] or HTTPStatus(reply.status).phrase
    said = f"the Kubernetes API answered {method} {path} with {reply.status}: {words}"
    if reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR or reply.status in _BUSY:
        return ClusterUnavailableError(said, retry_after=_retry_after(reply))
    if reply.status == HTTPStatus.UNAUTHORIZED:
        return ClusterUnavailableError(said)  # an expired token is read again from its file
    return ClusterRefusedError(
        words if reply.status in {HTTPStatus.FORBIDDEN, HTTPStatus.UNPROCESSABLE_ENTITY} else said
    )


def _retry_after(reply: Reply) -> float:
    details = reply.document.get("details")
    seconds = details.get("retryAfterSeconds") if isinstance(details, dict) else None
    return float(seconds) if isinstance(seconds, int) else 0.0


def _transport_error() -> type[Exception]:
    import aiohttp  # noqa: PLC0415 -- `tracksync admin` reads this package's rights without loading a client

    return aiohttp.ClientError


def _client_timeout() -> object:
    import aiohttp  # noqa: PLC0415 -- see above

    return aiohttp.ClientTimeout(total=TIMEOUT_SECONDS, connect=10.0)


def _stream_timeout(idle_seconds: float) -> object:
    import aiohttp  # noqa: PLC0415 -- see above

    return aiohttp.ClientTimeout(total=None, connect=10.0, sock_read=idle_seconds)


@asynccontextmanager
async def open_client(kubeconfig: Path | None = None) -> AsyncIterator[KubeClient]:
    """Connect with this file; without one with the pod's service account, and outside a pod as KUBECONFIG says.

    Raises:
        ClusterRefusedError: there are no usable credentials.
    """
    from kubernetes.aio import client, config  # noqa: PLC0415 -- 700 ms and 46 MiB: only when a cluster is talked to

    configuration = client.Configuration()
    loader: Any = config
    if kubeconfig is not None:
        await _load_kubeconfig(loader, configuration, config_file=str(kubeconfig))
    else:
        try:
            loader.load_incluster_config(client_configuration=configuration)
        except config.ConfigException:
            await _load_kubeconfig(loader, configuration)
    async with client.ApiClient(configuration) as api:
        yield KubeClient(cast("Any", api))


async def _load_kubeconfig(config: Any, configuration: Any, **location: str) -> None:
    try:
        await config.load_kube_config(client_configuration=configuration, persist_config=False, **location)
    except (config.ConfigException, OSError) as error:
        raise ClusterRefusedError(f"no credentials for a cluster: set KUBECONFIG to a usable file ({error})") from error
