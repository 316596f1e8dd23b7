"""One request and its answer: checked address, total deadline, and a head that is judged before the body is read."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar

import httpcore

from tracksync.adapters.web.answers import Answer
from tracksync.adapters.web.certificates import certificate_covers
from tracksync.adapters.web.connections import Connections
from tracksync.adapters.web.fetching import FetchError, FetchProblem
from tracksync.adapters.web.redirects import REDIRECT_STATUSES, Redirect
from tracksync.core.tracks.model import Validators

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable

    from tracksync.adapters.web.endpoints import Endpoints
    from tracksync.adapters.web.fetching import Limits
    from tracksync.adapters.web.redirects import Target

_Content = TypeVar("_Content")


@dataclass(frozen=True, slots=True)
class Site:
    """What every request to a source has in common.

    Attributes:
        scheme: `http` or `https`.
        domain: the registrable domain.
        user_agent: who we are.
        tls: which certificates are believed; None for the public authorities.
    """

    scheme: str
    domain: str
    user_agent: str
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """What a request wants.

    Attributes:
        limits: what it may cost.
        accept: media types, as in the header.
        validators: what is known already; an unchanged page need not come again.
    """

    limits: Limits
    accept: str = "text/html"
    validators: Validators = field(default_factory=Validators)


class Exchanges:
    """Sends requests of one source and hands each answer to a reader. What is sent and believed stands here.

    Over TLS a shared connection is believed only when its certificate covers the host; when it does not, or when the
    server answers 421, the request fails as misdirected.
    """

    def __init__(self, site: Site, *, endpoints: Endpoints) -> None:
        self._endpoints = endpoints
        self._connections = Connections(site.tls)
        self._user_agent = site.user_agent.encode()

    async def ask(
        self,
        target: Target,
        question: Question,
        read: Callable[[Answer, Question], Awaitable[_Content]],
        *,
        turn: int,
    ) -> _Content | Redirect:
        """Return what the reader makes of the answer, or where the answer leads; all of it within the total deadline.

        Raises:
            FetchError: no answer, one of another host, or what the reader raises.
        """
        try:
            async with asyncio.timeout(question.limits.total_seconds):
                return await self._ask(target, question, read, turn)
        except (TimeoutError, httpcore.TimeoutException) as error:
            raise FetchError(FetchProblem.TIMEOUT, f"{target.host} does not answer in time") from error
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise FetchError(FetchProblem.CONNECTION, f"the connection to {target.host} failed") from error

    async def _ask(
        self,
        target: Target,
        question: Question,
        read: Callable[[Answer, Question], Awaitable[_Content]],
        turn: int,
    ) -> _Content | Redirect:
        endpoint = await self._endpoints.find(target.host, target.scheme, turn=turn)
        async with self._connections.lend(target.scheme, endpoint) as connection:
            url = httpcore.URL(
                scheme=target.scheme.encode(),
                host=str(endpoint.address).encode(),
                port=endpoint.port,
                target=target.path.encode(),
            )
            request = httpcore.Request(
                b"GET", url, headers=self._headers(target, question), extensions=_extensions(target, question.limits)
            )
            response = await connection.handle_async_request(request)
            try:
                _check_connection(target, response)
                answer = Answer(target.host, response)
                if response.status in REDIRECT_STATUSES:
                    return Redirect(answer.header(b"location"))
                return await read(answer, question)
            finally:
                await response.aclose()

    def _headers(self, target: Target, question: Question) -> list[tuple[bytes, bytes]]:
        headers = [
            (b"Host", target.host.encode()),
            (b"User-Agent", self._user_agent),
            (b"Accept", question.accept.encode()),
            (b"Accept-Encoding", b"gzip"),
        ]
        if question.validators.etag is not None:
            headers.append((b"If-None-Match", question.validators.etag.encode()))
        if question.validators.last_modified is not None:
            headers.append((b"If-Modified-Since", question.validators.last_modified.encode()))
        return headers

    async def stop_sharing(self) -> None:
        """Give every later request a connection of its own."""
        await self._connections.stop_sharing()

    async def close(self) -> None:
        """Close every connection."""
        await self._connections.close()


def _extensions(target: Target, limits: Limits) -> dict[str, object]:
    timeouts = {"connect": limits.connect_seconds, "read": limits.read_seconds, "write": limits.read_seconds}
    return {"sni_hostname": target.host, "timeout": timeouts}


def _check_connection(target: Target, response: httpcore.Response) -> None:
    tls = response.extensions["network_stream"].get_extra_info("ssl_object")
    if response.status == HTTPStatus.MISDIRECTED_REQUEST or (tls and not certificate_covers(tls, target.host)):
        raise FetchError(
            FetchProblem.MISDIRECTED,
            f"{target.host} is not served by the connection that its address leads to",
            status=response.status,
        )
