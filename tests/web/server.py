"""A raw HTTP server on loopback: every byte that it sends is the test's own, every request that it got is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tracksync.api.source import SourceEntry

if TYPE_CHECKING:
    import ssl


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it arrived; `connection` numbers the connections from 1."""

    path: str
    headers: Mapping[str, str]
    at: float
    connection: int

    @property
    def host(self) -> str:
        return self.headers["host"]


Handler = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


@dataclass(slots=True)
class Server:
    """What the server saw; requests for a robots.txt stand apart when the server answers them itself."""

    port: int = 0
    requests: list[Request] = field(default_factory=list)
    robots_requests: list[Request] = field(default_factory=list)
    connections: int = 0
    in_flight: int = 0
    most_in_flight: int = 0

    def entry(self, *, domain: str = "tracks.example.org", concurrency: int = 6, rate: float = 10_000) -> SourceEntry:
        """Return a source entry that leads here."""
        return SourceEntry(
            name="test",
            domain=domain,
            scheme="http",
            connect_to=f"127.0.0.1:{self.port}",
            requests_per_second=rate,
            concurrency=concurrency,
            allow_private_addresses=True,
        )


def response(
    body: bytes | str = b"", *, status: int = 200, content_type: str = "text/html; charset=UTF-8", **headers: str
) -> bytes:
    """Return a whole response with its length; further headers have `_` for `-`."""
    data = body.encode() if isinstance(body, str) else body
    fields = {"Content-Type": content_type, "Content-Length": str(len(data))}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} Whatever\r\n{head}\r\n".encode() + data


def answers(*replies: bytes) -> Handler:
    """Return a handler that gives these replies one after the other, the last one for ever."""
    left = list(replies)

    async def handle(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(left.pop(0) if len(left) > 1 else left[0])

    return handle


NO_ROBOTS = response(status=404)


@asynccontextmanager
async def serving(
    handler: Handler, *, tls: ssl.SSLContext | None = None, robots: bytes | Handler | None = NO_ROBOTS
) -> AsyncIterator[Server]:
    """Serve on a free port of 127.0.0.1 until the context ends; no connection outlives it.

    `robots` is the reply to /robots.txt; None leaves it to the handler.
    """
    handle_robots = answers(robots) if isinstance(robots, bytes) else robots or handler
    server, tasks = Server(), set[asyncio.Task[None]]()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        number = server.connections
        try:
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                request_line, *lines = head.strip().split("\r\n")
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
                request = Request(request_line.split()[1], headers, asyncio.get_running_loop().time(), number)
                is_robots = robots is not None and request.path == "/robots.txt"
                (server.robots_requests if is_robots else server.requests).append(request)
                server.in_flight += 1
                server.most_in_flight = max(server.most_in_flight, server.in_flight)
                try:
                    await (handle_robots if is_robots else handler)(request, writer)
                    await writer.drain()
                finally:
                    server.in_flight -= 1
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(talk(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    listener = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        open_tasks = list(tasks)
        for task in open_tasks:
            task.cancel()
        await asyncio.gather(*open_tasks, return_exceptions=True)
        await listener.wait_closed()
