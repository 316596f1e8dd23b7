"""A TCP proxy between a client and PostgreSQL, on loopback: it can cut, go silent, or lose the answer to a COMMIT.

It reads no protocol. A chunk from the client with the simple query COMMIT is recognised by its text; psycopg sends
each statement in a chunk of its own.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

COMMIT = b"COMMIT"
CHUNK = 65536


class Fault(Enum):
    """What happens to a COMMIT."""

    LOSE_REPLY = auto()
    """It reaches the server; the connection is cut once the server has answered, and the answer is dropped."""
    CUT_BEFORE = auto()
    """The connection is cut before it reaches the server."""


@dataclass
class TcpProxy:
    """The proxy's state.

    Attributes:
        host: where it leads to, a loopback address or the folder of a socket.
        faults: what happens to the next COMMITs, one each; afterwards they pass.
        skip: COMMITs that pass before the first fault.
        hits: faults that happened.
        is_open: whether new connections are let through.
    """

    host: str
    target_port: int
    port: int = 0
    faults: list[Fault] = field(default_factory=list)
    skip: int = 0
    hits: int = 0
    is_open: bool = True
    commits: int = 0
    writers: set[asyncio.StreamWriter] = field(default_factory=set)
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    def cut(self) -> None:
        """Cut every connection."""
        for writer in self.writers:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client."""
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        try:
            await self._serve(reader, writer)
        finally:
            self.tasks.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.is_open:
            writer.transport.abort()
            return
        try:
            server_reader, server_writer = await self._connect()
        except OSError:
            writer.transport.abort()
            return
        pair = _Pair(self, reader, writer, server_reader, server_writer)
        self.writers |= {writer, server_writer}
        try:
            await pair.run()
        finally:
            self.writers -= {writer, server_writer}

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self.host.startswith("/"):
            return await asyncio.open_unix_connection(f"{self.host}/.s.PGSQL.{self.target_port}")
        return await asyncio.open_connection(self.host, self.target_port)

    def fault_of(self, chunk: bytes) -> Fault | None:
        """Return what is to happen to this chunk from the client."""
        if COMMIT not in chunk:
            return None
        self.commits += 1
        if self.skip:
            self.skip -= 1
            return None
        if not self.faults:
            return None
        self.hits += 1
        return self.faults.pop(0)


@dataclass
class _Pair:
    proxy: TcpProxy
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    server_reader: asyncio.StreamReader
    server_writer: asyncio.StreamWriter
    drops_reply: bool = False

    async def run(self) -> None:
        ways = {asyncio.create_task(self._to_server()), asyncio.create_task(self._to_client())}
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            self.writer.transport.abort()
            self.server_writer.transport.abort()
            await asyncio.wait(ways)

    async def _to_server(self) -> None:
        with suppress(OSError):
            while chunk := await self.reader.read(CHUNK):
                fault = self.proxy.fault_of(chunk)
                if fault is Fault.CUT_BEFORE:
                    return
                self.drops_reply = fault is Fault.LOSE_REPLY
                self.server_writer.write(chunk)
                await self.server_writer.drain()

    async def _to_client(self) -> None:
        with suppress(OSError):
            while chunk := await self.server_reader.read(CHUNK):
                if self.drops_reply:
                    return
                self.writer.write(chunk)
                await self.writer.drain()


@asynccontextmanager
async def tcp_proxy(url: str) -> AsyncIterator[tuple[TcpProxy, str]]:
    """Give a proxy before the server of this URL, and the URL that leads through it.

    The URL is that of a test's server: a socket's folder and a port, or a loopback address.
    """
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    host = query["host"][0] if "host" in query else parts.hostname or "127.0.0.1"
    target_port = int(query["port"][0]) if "port" in query else parts.port or 5432
    proxy = TcpProxy(host, target_port)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    user = f"{parts.username}:{parts.password}" if parts.password else str(parts.username)
    try:
        yield proxy, f"postgresql://{user}@127.0.0.1:{proxy.port}{parts.path}?sslmode=disable"
    finally:
        server.close()
        proxy.cut()
        if proxy.tasks:
            await asyncio.wait(proxy.tasks, timeout=5)
        await server.wait_closed()
