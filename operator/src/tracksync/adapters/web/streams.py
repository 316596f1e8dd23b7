"""asyncio's own sockets under httpcore: what its general backend does for several event loops costs twice the CPU."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import httpcore
from typing_extensions import override  # in `typing` from Python 3.12 on; pydantic brings it

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

_MOST_WAITING: Final = 256 * 1024
"""Bytes that may wait to be read; then the other side has to wait."""


class SocketBackend(httpcore.AsyncNetworkBackend):
    """Opens TCP connections to addresses; only what an exchange needs of it."""

    @override
    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> SocketStream:
        """Connect within so many seconds."""
        del local_address, socket_options  # never asked for; asyncio sets TCP_NODELAY by itself
        try:
            async with asyncio.timeout(timeout):
                _, received = await asyncio.get_running_loop().create_connection(_Received, host, port)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout from error
        except OSError as error:
            raise httpcore.ConnectError from error
        return SocketStream(received)


class SocketStream(httpcore.AsyncNetworkStream):
    """One connection."""

    def __init__(self, received: _Received) -> None:
        self._received = received

    @override
    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what has come, up to so many bytes; b"" at the end."""
        received = self._received
        if not received.has_news:
            try:
                async with asyncio.timeout(timeout):
                    await received.wait()
            except TimeoutError as error:
                raise httpcore.ReadTimeout from error
        if received.error is not None and not received.waiting:
            raise httpcore.ReadError from received.error
        return received.take(max_bytes)

    @override
    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send; requests are small, so that nobody waits until the other side has read them."""
        if self._received.has_ended:
            raise httpcore.WriteError
        self._received.transport.write(buffer)

    @override
    async def aclose(self) -> None:
        """Close at once."""
        self._received.transport.abort()
        await asyncio.sleep(0)  # the loop closes the socket in its next turn

    @override
    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> SocketStream:
        """Shake hands within so many seconds, and go on encrypted."""
        received = self._received
        try:
            async with asyncio.timeout(timeout):
                transport = await asyncio.get_running_loop().start_tls(
                    received.transport, received, ssl_context, server_hostname=server_hostname
                )
        except TimeoutError as error:
            await self.aclose()
            raise httpcore.ConnectTimeout from error
        except (OSError, EOFError) as error:
            await self.aclose()
            raise httpcore.ConnectError from error
        except asyncio.CancelledError:
            await self.aclose()
            raise
        if transport is None:
            raise httpcore.ConnectError
        received.transport = transport
        return self

    @override
    def get_extra_info(self, info: str) -> Any:
        """Return the TLS object, or whether something has come that nobody asked for, the end included."""
        if info == "ssl_object":
            return self._received.transport.get_extra_info("ssl_object")
        return self._received.has_news if info == "is_readable" else None


class _Received(asyncio.Protocol):
    """The bytes of a connection that wait to be read."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.waiting = bytearray()
        self.error: Exception | None = None
        self.has_ended = False
        self._is_held = False
        self._news: asyncio.Future[None] | None = None

    @property
    def has_news(self) -> bool:
        """Whether reading would not wait."""
        return bool(self.waiting) or self.has_ended

    async def wait(self) -> None:
        """Wait for news."""
        self._news = asyncio.get_running_loop().create_future()
        try:
            await self._news
        finally:
            self._news = None

    def take(self, most: int) -> bytes:
        """Return the oldest bytes."""
        taken = bytes(self.waiting[:most])
        del self.waiting[:most]
        if self._is_held and len(self.waiting) < _MOST_WAITING:
            self._is_held = False
            self.transport.resume_reading()
        return taken

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a connection that does not go both ways")
        self.transport = transport

    @override
    def data_received(self, data: bytes) -> None:
        self.waiting += data
        if len(self.waiting) >= _MOST_WAITING and not self._is_held:
            self._is_held = True
            self.transport.pause_reading()
        self._tell()

    @override
    def eof_received(self) -> bool:
        self.has_ended = True
        self._tell()
        return False

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.has_ended = True
        self.error = exc
        self._tell()

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)
