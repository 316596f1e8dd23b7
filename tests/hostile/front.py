"""One door to two servers: hosts named after an abuse get it, all others get the simulator's pages."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tests.liverc.pages import a_catalogue, a_row, rows
from tracksync.simulator.abuse import Abuse, AbuseServer, abuse_server
from tracksync.simulator.resets import reset

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from tests.hostile.sites import Site

ORDINARY: Final = 60
_LONGEST_HEAD: Final = 65_536


@dataclass(slots=True)
class Front:
    """A running door; `asked` counts the requests of each host label."""

    url: str
    abuse: AbuseServer
    asked: dict[str, int] = field(default_factory=dict)


def a_page_that_lists(folder: Path, *abuses: Abuse) -> Path:
    """Write a catalogue of ordinary tracks and of hosts named after these abuses, for `--replay-catalogue`."""
    file = folder / "catalogue.html"
    listed = rows(ORDINARY) + "".join(a_row(abuse.value, f"Abuse by {abuse.value}") for abuse in abuses)
    file.write_text(a_catalogue(listed), encoding="utf-8")
    return file


@asynccontextmanager
async def a_front(
    site: Site, *, abuse_by_label: Mapping[str, Abuse] | None = None, drip_s: float = 0.2
) -> AsyncIterator[Front]:
    """Open the door until the block ends.

    Args:
        site: has the pages.
        abuse_by_label: further hosts that get an abuse, such as `live`, by their first label.
        drip_s: seconds from byte to byte of a drip.
    """
    by_label = {abuse.value: abuse for abuse in Abuse} | dict(abuse_by_label or {})
    async with AsyncExitStack() as stack:
        abuse = await stack.enter_async_context(abuse_server(drip_s=drip_s))
        front = Front("", abuse)
        tasks: set[asyncio.Task[None]] = set()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                path, headers = _parsed(await reader.readuntil(b"\r\n\r\n"))
                label = headers.get("host", "").partition(".")[0].lower()
                front.asked[label] = front.asked.get(label, 0) + 1
                kind = None if path == "/robots.txt" else by_label.get(label)
                if kind is None:
                    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if name != "connection")
                    await _relay(int(site.url.rpartition(":")[2]), f"GET {path} HTTP/1.1\r\n{head}", writer)
                else:
                    await _relay(abuse.port, f"GET / HTTP/1.1\r\nHost: {kind.value}.x\r\n", writer)

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(serve(reader, writer))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        server = await asyncio.start_server(connected, "127.0.0.1", 0, limit=_LONGEST_HEAD)
        front.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield front
        finally:
            server.close()
            for task in tuple(tasks):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await server.wait_closed()


def _parsed(head: bytes) -> tuple[str, dict[str, str]]:
    """Return path and headers of a request, the names in lower case."""
    line, *lines = head.decode("latin-1").strip().split("\r\n")
    parts = (text.partition(":") for text in lines)
    return line.split(" ")[1], {name.lower(): value.strip() for name, _, value in parts}


async def _relay(port: int, head: str, client: asyncio.StreamWriter) -> None:
    """Send the request on, and its answer back byte for byte, until either side ends; a reset is passed on as one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"{head}Connection: close\r\n\r\n".encode("latin-1"))
        while chunk := await reader.read(_LONGEST_HEAD):
            client.write(chunk)
            await client.drain()
    except ConnectionResetError:
        reset(client.transport)
        raise
    finally:
        writer.close()
        client.close()
