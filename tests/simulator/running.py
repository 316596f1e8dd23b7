"""A running simulator on loopback, and a client that speaks to its virtual hosts."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp

from tracksync.simulator.app import SimulatorSettings, serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

DEADLINE_SECONDS = 20


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes
    """As it came over the wire: still compressed when it came compressed."""


@dataclass(frozen=True)
class Client:
    """Connects to the simulator's address and names the virtual host in the Host header, as the worker does."""

    session: aiohttp.ClientSession
    port: int

    async def get(self, host: str, path: str = "/", *, method: str = "GET", encoding: str = "identity") -> Reply:
        headers = {"Host": host, "Accept-Encoding": encoding}
        async with self.session.request(method, f"http://127.0.0.1:{self.port}{path}", headers=headers) as response:
            return Reply(response.status, dict(response.headers), await response.read())

    async def track(self, slug: str, **options: Any) -> Reply:
        return await self.get(f"{slug}.liverc.com", **options)

    async def control(self, path: str, *, method: str = "GET", send: object = None) -> tuple[int, Any]:
        async with self.session.request(method, f"http://127.0.0.1:{self.port}{path}", json=send) as response:
            return response.status, await response.json()

    async def journal(self) -> dict[str, Any]:
        _, figures = await self.control("/_journal")
        assert isinstance(figures, dict)
        return figures

    async def journal_with(self, **figures: int) -> dict[str, Any]:
        """Return the journal as soon as it shows these figures; fails after the deadline."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                journal = await self.journal()
                if all(journal[name] == value for name, value in figures.items()):
                    return journal
                await asyncio.sleep(0)


@asynccontextmanager
async def running_simulator(settings: SimulatorSettings) -> AsyncIterator[Client]:
    """Serve until the block ends; fails when start or stop misses its deadline."""
    stop, ready = asyncio.Event(), asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(settings, stop=stop, on_ready=ready.set_result))
    await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED, timeout=DEADLINE_SECONDS)
    if task.done():
        task.result()
    async with aiohttp.ClientSession(auto_decompress=False, timeout=aiohttp.ClientTimeout(DEADLINE_SECONDS)) as session:
        yield Client(session, await ready)
    stop.set()
    await asyncio.wait_for(task, DEADLINE_SECONDS)
