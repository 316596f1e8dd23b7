"""Abuse below HTTP: a raw server whose answers no web framework would send. For tests of a client's limits only."""

from __future__ import annotations

import asyncio
import contextlib
import struct
import zlib
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from tracksync.simulator.resets import reset

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

_MIB: Final = 2**20
_MOST_HEAD_BYTES: Final = 16_384
_GZIP_HEAD: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_FILLER: Final = b"<p>There is no end to this page, or there is one in the wrong place.</p>\n"
_DECLARED: Final = 20_000
_SENT: Final = 1_000


class Abuse(StrEnum):
    """What the server does; named by the first label of the host or the first part of the path."""

    DRIP = "drip"
    """The right length, one byte at a time."""
    ENDLESS = "endless"
    """Chunks without end."""
    LENGTH_TOO_LONG = "length-too-long"
    """Content-Length says more than comes; then the connection ends."""
    LENGTH_TOO_SHORT = "length-too-short"
    """Content-Length says less than comes."""
    RESET = "reset"
    """The connection is reset in mid-body."""
    GZIP_BOMB = "gzip-bomb"
    """A small body, in chunks, that gzip blows up about a thousandfold; it is right down to its check sum."""


@dataclass
class AbuseServer:
    """A running server: where it is, and what it did so far.

    Attributes:
        port: TCP port.
        connections: how many came.
        open: how many there are now.
        body_bytes: bytes of bodies that were handed to the network, framing included.
    """

    port: int = 0
    connections: int = 0
    open: int = 0
    body_bytes: int = 0


@asynccontextmanager
async def abuse_server(
    *, host: str = "127.0.0.1", port: int = 0, drip_s: float = 0.2, bomb_bytes: int = 1024 * _MIB
) -> AsyncIterator[AbuseServer]:
    """Serve until the block ends; all connections end with it.

    Args:
        host: address to listen on.
        port: TCP port, 0 for any free one.
        drip_s: seconds from byte to byte.
        bomb_bytes: what the bomb unpacks to, rounded down to whole MiB.

    Raises:
        OSError: it cannot listen there.
    """
    figures = AbuseServer()
    tasks: set[asyncio.Task[None]] = set()
    tool = _Tool(figures, drip_s, bomb_bytes)

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(tool.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(connected, host, port, limit=_MOST_HEAD_BYTES)
    figures.port = int(server.sockets[0].getsockname()[1])
    try:
        yield figures
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


class _Tool:
    """Answers one request a connection, and closes it."""

    def __init__(self, figures: AbuseServer, drip_s: float, bomb_bytes: int) -> None:
        self._figures = figures
        self._drip_s = drip_s
        self._bomb_bytes = bomb_bytes

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Do to the client what it asked for; a client that goes away is the expected end."""
        self._figures.connections += 1
        self._figures.open += 1
        try:
            # A client that leaves, or one whose request has no end: nobody is left to answer.
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                await self._answer(await reader.readuntil(b"\r\n\r\n"), writer)
        finally:
            self._figures.open -= 1
            writer.close()

    async def _answer(self, head: bytes, writer: asyncio.StreamWriter) -> None:
        match abuse_or_none(head):
            case None:
                text = f"Ask for one of {', '.join(Abuse)}, as first label of the host or in the path.\n".encode()
                await self._head(writer, "404 Not Found", f"Content-Length: {len(text)}")
                await self._send(writer, text)
            case Abuse.DRIP:
                await self._drip(writer)
            case Abuse.ENDLESS:
                await self._head(writer, "200 OK", "Transfer-Encoding: chunked")
                while True:
                    await self._send(writer, _chunk(_FILLER * 200))
            case Abuse.LENGTH_TOO_LONG:
                await self._head(writer, "200 OK", f"Content-Length: {_DECLARED}")
                await self._send(writer, _filler(_SENT))
            case Abuse.LENGTH_TOO_SHORT:
                await self._head(writer, "200 OK", f"Content-Length: {_SENT}")
                await self._send(writer, _filler(_DECLARED))
            case Abuse.RESET:
                await self._head(writer, "200 OK", f"Content-Length: {_DECLARED}")
                await self._send(writer, _filler(_SENT))
                reset(writer.transport)
            case Abuse.GZIP_BOMB:
                await self._head(writer, "200 OK", "Transfer-Encoding: chunked", "Content-Encoding: gzip")
                for piece in bomb(self._bomb_bytes):
                    await self._send(writer, _chunk(piece))
                await self._send(writer, b"0\r\n\r\n")

    async def _drip(self, writer: asyncio.StreamWriter) -> None:
        await self._head(writer, "200 OK", f"Content-Length: {_DECLARED}")
        for byte in _filler(_DECLARED):
            await self._send(writer, bytes([byte]))
            await asyncio.sleep(self._drip_s)

    async def _head(self, writer: asyncio.StreamWriter, status: str, *headers: str) -> None:
        lines = (f"HTTP/1.1 {status}", "Content-Type: text/html; charset=UTF-8", "Connection: close", *headers)
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n")
        await writer.drain()

    async def _send(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        writer.write(data)
        self._figures.body_bytes += len(data)
        await writer.drain()
        # A drain that need not wait does not let others run; an endless body must not stop the whole loop.
        await asyncio.sleep(0)


def abuse_or_none(head: bytes) -> Abuse | None:
    """Return what a request's head asks for: by its host first, then by its path."""
    lines = head.decode("latin-1").split("\r\n")
    host = next((line.partition(":")[2] for line in lines[1:] if line.lower().startswith("host:")), "")
    path = [*lines[0].split(" "), ""][1].strip("/")
    for name in (host.strip().lower().partition(".")[0], path.partition("/")[0]):
        with contextlib.suppress(ValueError):
            return Abuse(name)
    return None


def bomb(unpacked_bytes: int) -> Iterator[bytes]:
    """Yield a gzip file of so many zero bytes, whole MiB of them, piece by piece and without holding it."""
    zeros = bytes(_MIB)
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    # After a full flush the packer remembers nothing: the same bytes stand for the next MiB again.
    block = packer.compress(zeros) + packer.flush(zlib.Z_FULL_FLUSH)
    count, check = unpacked_bytes // _MIB, 0
    yield _GZIP_HEAD
    for _ in range(count):
        check = zlib.crc32(zeros, check)
        yield block
    yield packer.flush(zlib.Z_FINISH) + struct.pack("<II", check, count * _MIB % 2**32)


def _filler(size: int) -> bytes:
    return (_FILLER * (size // len(_FILLER) + 1))[:size]


def _chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"
