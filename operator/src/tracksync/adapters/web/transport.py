"""HTTP to the source: checked addresses, checked redirects, byte caps, total deadlines. The only import of httpx.

There is no client object of httpx around its connections on purpose: no cookies, no automatic redirects or decoding, no
proxy from the environment. What is sent and believed stands here.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from random import SystemRandom
from typing import TYPE_CHECKING, Final, Self

import httpx

from tracksync.adapters.web.body import DECODER_BY_ENCODING, BodyCutError, BodyTooLargeError
from tracksync.adapters.web.certificates import certificate_covers
from tracksync.adapters.web.fetching import FetchError, FetchProblem, Limits, Page
from tracksync.adapters.web.redirects import REDIRECT_STATUSES, Target, follow_redirect
from tracksync.core.tracks.politeness import backoff_seconds, retry_after_seconds

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from types import TracebackType

    from tracksync.adapters.web.endpoints import Endpoints
    from tracksync.ports import Clock, RequestBudget

_TRIES: Final = 4
_REDIRECTS: Final = 3
_CONNECTIONS_PER_POOL: Final = 16
"""httpx over HTTP/1.1 looks through a pool's connections at each request: larger pools slow down."""
_IDLE_SECONDS: Final = 30.0
_RANDOM: Final = SystemRandom()


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


class Transport:
    """Fetches HTML pages of one source; use as an async context manager, one for a whole run.

    Connections are shared between hosts that have the same address: a site's thousand hosts then cost a handful of
    handshakes. Over TLS a shared connection is believed only when its certificate covers the host; when it does not, or
    when the server answers 421, every later request gets a connection of its own.

    Args:
        site: what is asked, and how we introduce ourselves.
        endpoints: where hosts are found.
        budget: gives each request its slot.
        clock: the wall clock, for `Retry-After` as a date.
        sleep: waits between tries.

    Attributes:
        requests: sent so far, retries and redirects included.
        bytes_received: bytes of bodies on the wire so far.
    """

    def __init__(
        self,
        site: Site,
        *,
        endpoints: Endpoints,
        budget: RequestBudget,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.requests = 0
        self.bytes_received = 0
        self._site = site
        self._endpoints = endpoints
        self._budget = budget
        self._clock = clock
        self._sleep = sleep
        self._connections = _Connections(site.tls)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._connections.close()

    async def fetch(self, host: str, *, limits: Limits) -> Page:
        """Return the page at the host's root; up to four tries, each within the budget.

        Raises:
            FetchError: the last try's failure.
            SourceUnavailableError: the source asked for a pause that is too long to wait for.
        """
        for tries in range(1, _TRIES):
            try:
                return await self._follow(host, limits, turn=tries - 1)
            except FetchError as error:
                if error.problem is FetchProblem.MISDIRECTED:
                    self._connections.stop_sharing()
                elif not error.is_worth_another_try:
                    raise
                elif not error.is_pause_request:
                    # The pause that the source asked for is waited for with the next slot.
                    await self._sleep(backoff_seconds(tries, _RANDOM.random()))
                if error.problem is FetchProblem.CONNECTION:
                    self._endpoints.forget()
        return await self._follow(host, limits, turn=_TRIES - 1)

    async def _follow(self, host: str, limits: Limits, *, turn: int) -> Page:
        target = Target(self._site.scheme, host)
        for _ in range(_REDIRECTS + 1):
            async with self._budget.slot():
                answer = await self._exchange(target, limits, turn)
            if isinstance(answer, Page):
                return answer
            target = follow_redirect(target, answer, domain=self._site.domain)
        raise FetchError(FetchProblem.MOVED, f"{host} redirects more than {_REDIRECTS} times")

    async def _exchange(self, target: Target, limits: Limits, turn: int) -> Page | str:
        """Return the page, or the location that the answer redirects to; everything within the total deadline."""
        try:
            async with asyncio.timeout(limits.total_seconds), self._respond(target, limits, turn) as response:
                if response.status_code in REDIRECT_STATUSES:
                    return response.headers.get("Location") or ""
                self._check_status(target, response)
                return await self._read_page(target.host, response, limits)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise FetchError(FetchProblem.TIMEOUT, f"{target.host} does not answer in time") from error
        except httpx.InvalidURL as error:
            raise FetchError(FetchProblem.OUTSIDE, f"{target.host} redirects to no address at all") from error
        except httpx.HTTPError as error:
            raise FetchError(FetchProblem.CONNECTION, f"the connection to {target.host} failed") from error

    @asynccontextmanager
    async def _respond(self, target: Target, limits: Limits, turn: int) -> AsyncIterator[httpx.Response]:
        endpoint = await self._endpoints.find(target.host, target.scheme, turn=turn)
        request = httpx.Request(
            "GET",
            f"{target.scheme}://{endpoint.netloc}{target.path}",
            headers={
                "Host": target.host,
                "User-Agent": self._site.user_agent,
                "Accept": "text/html",
                "Accept-Encoding": "gzip",
            },
            extensions={
                "sni_hostname": target.host,
                "timeout": {
                    "connect": limits.connect_seconds,
                    "read": limits.read_seconds,
                    "write": limits.read_seconds,
                    "pool": None,
                },
            },
        )
        with self._connections.use() as connections:
            self.requests += 1
            response = await connections.handle_async_request(request)
            try:
                self._check_connection(target, response)
                yield response
            finally:
                await response.aclose()

    def _check_connection(self, target: Target, response: httpx.Response) -> None:
        tls = response.extensions["network_stream"].get_extra_info("ssl_object")
        if response.status_code == HTTPStatus.MISDIRECTED_REQUEST or (tls and not certificate_covers(tls, target.host)):
            raise FetchError(
                FetchProblem.MISDIRECTED,
                f"{target.host} is not served by the connection that its address leads to",
                status=response.status_code,
            )

    def _check_status(self, target: Target, response: httpx.Response) -> None:
        status = response.status_code
        if status == HTTPStatus.OK:
            return
        error = FetchError(FetchProblem.STATUS, f"{target.host} answers with status {status}", status=status)
        if error.is_pause_request:
            asked = retry_after_seconds(
                response.headers.get("Retry-After"), date=response.headers.get("Date"), now=self._clock.now()
            )
            self._budget.pause(backoff_seconds(1, _RANDOM.random()) if asked is None else asked)
        raise error

    async def _read_page(self, host: str, response: httpx.Response, limits: Limits) -> Page:
        media_type, charset = _content_type(response.headers.get("Content-Type", ""))
        encoding = response.headers.get("Content-Encoding", "").strip().lower()
        if media_type != "text/html" or encoding not in DECODER_BY_ENCODING:
            raise FetchError(FetchProblem.NOT_HTML, f"{host} answers with something else than text/html", status=200)
        decoder = DECODER_BY_ENCODING[encoding](limits.body_bytes)
        try:
            # httpx promises an iterator; it is a generator, which has to end here and not when it is collected.
            async with aclosing(response.aiter_raw()) as chunks:  # type: ignore[type-var]
                async for chunk in chunks:
                    self.bytes_received += len(chunk)
                    decoder.feed(chunk)
            return Page(decoder.finish(), charset)
        except BodyTooLargeError as error:
            cap = f"{limits.body_bytes:,} bytes"
            raise FetchError(FetchProblem.TOO_LARGE, f"the page of {host} is larger than {cap}", status=200) from error
        except (BodyCutError, httpx.RemoteProtocolError, httpx.ReadError) as error:
            raise FetchError(FetchProblem.CUT, f"the page of {host} is cut", status=200) from error


def _content_type(header: str) -> tuple[str, str]:
    """Return media type and charset, both in lower case."""
    media_type, _, parameters = header.lower().partition(";")
    charset = next((text for part in parameters.split(";") if (text := part.strip()).startswith("charset=")), "")
    return media_type.strip(), charset.removeprefix("charset=").strip(" \"'")


@dataclass(slots=True)
class _Pool:
    connections: httpx.AsyncHTTPTransport
    in_flight: int = 0


class _Connections:
    """Pools of connections, shared by the hosts of an address; a new pool opens when all others are busy."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self._tls = tls or httpx.create_ssl_context(trust_env=False)
        self._idle_connections = _CONNECTIONS_PER_POOL
        self._pools: list[_Pool] = []
        self._retired: list[_Pool] = []

    @contextmanager
    def use(self) -> Iterator[httpx.AsyncHTTPTransport]:
        """Lend the least busy pool for one request."""
        pool = min(self._pools, key=lambda pool: pool.in_flight, default=None)
        if pool is None or pool.in_flight >= _CONNECTIONS_PER_POOL:
            pool = self._open()
        pool.in_flight += 1
        try:
            yield pool.connections
        finally:
            pool.in_flight -= 1

    def _open(self) -> _Pool:
        limits = httpx.Limits(
            max_connections=_CONNECTIONS_PER_POOL,
            max_keepalive_connections=self._idle_connections,
            keepalive_expiry=_IDLE_SECONDS,
        )
        pool = _Pool(httpx.AsyncHTTPTransport(verify=self._tls, trust_env=False, limits=limits))
        self._pools.append(pool)
        return pool

    def stop_sharing(self) -> None:
        """Give every later request a connection of its own."""
        if self._idle_connections:
            self._idle_connections = 0
            self._retired, self._pools = self._pools, []

    async def close(self) -> None:
        """Close every connection."""
        for pool in (*self._retired, *self._pools):
            await pool.connections.aclose()
