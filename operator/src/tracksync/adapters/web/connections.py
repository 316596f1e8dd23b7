"""Connections to the source, lent to one request at a time; made of httpcore, the engine of httpx.

A request through httpx itself costs three times the CPU: its pool looks through all connections, and each request and
response is wrapped twice. Nothing of that is needed here: no cookies, no automatic redirects or decoding, no proxy.
"""

from __future__ import annotations

from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import httpcore
import httpx

from tracksync.adapters.web.streams import SocketBackend

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

    from tracksync.adapters.web.endpoints import Endpoint

_MOST_IDLE: Final = 64
_IDLE_SECONDS: Final = 30.0

Connection = httpcore.AsyncHTTPConnection


class Connections:
    """Lends connections, newest first, and keeps those that can be used again.

    They are shared between hosts that have the same address, until `stop_sharing`.

    Args:
        tls: which certificates are believed; None for the public authorities.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._idle: deque[Connection] = deque()
        self._is_sharing = True

    @asynccontextmanager
    async def lend(self, scheme: str, endpoint: Endpoint) -> AsyncIterator[Connection]:
        """Lend a connection to the endpoint; one that is not in order afterwards is closed."""
        origin = httpcore.Origin(scheme.encode(), str(endpoint.address).encode(), endpoint.port)
        connection = await self._find_idle(origin) or self._open(origin)
        try:
            yield connection
        finally:
            if self._is_sharing and connection.is_available() and not _has_leftovers(connection):
                self._idle.append(connection)
            else:
                await connection.aclose()
        if len(self._idle) > _MOST_IDLE:
            await self._idle.popleft().aclose()

    async def stop_sharing(self) -> None:
        """Give every later request a connection of its own."""
        self._is_sharing = False
        await self.close()

    async def close(self) -> None:
        """Close every connection that is not lent."""
        while self._idle:
            await self._idle.pop().aclose()

    async def _find_idle(self, origin: httpcore.Origin) -> Connection | None:
        found = next((idle for idle in reversed(self._idle) if idle.can_handle_request(origin)), None)
        while found is not None:
            self._idle.remove(found)
            if not found.has_expired():
                return found
            await found.aclose()
            found = next((idle for idle in reversed(self._idle) if idle.can_handle_request(origin)), None)
        return None

    def _open(self, origin: httpcore.Origin) -> Connection:
        if origin.scheme == b"https" and self._tls is None:
            self._tls = httpx.create_ssl_context(trust_env=False)
        return Connection(
            origin, ssl_context=self._tls, keepalive_expiry=_IDLE_SECONDS, network_backend=SocketBackend()
        )


def _has_leftovers(connection: Connection) -> bool:
    """Tell whether more came than the answer: it would be taken for the beginning of the next host's answer."""
    http = connection._connection  # noqa: SLF001 - httpcore shows these bytes only to who upgrades a connection
    return isinstance(http, httpcore.AsyncHTTP11Connection) and bool(http._h11_state.trailing_data[0])  # noqa: SLF001
