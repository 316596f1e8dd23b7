"""Parsing in a process that can be killed: a page that takes too much time or memory fails alone.

Pages are sent ahead while earlier ones are read, and come back in order. The first page in the queue is at fault when
the process ends or its deadline passes; the others are sent again to a new process.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from tracksync.adapters.web.fetching import Page
from tracksync.adapters.web.wire import (
    LARGEST_ANSWER,
    LENGTH,
    dashboard_from_json,
    encode_request,
    listing_from_json,
    location_from_json,
    rules_from_json,
)
from tracksync.errors import TrackSyncError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from tracksync.adapters.web.wire import RobotsRules
    from tracksync.core.tracks.model import Dashboard, Listing, Location

_Value = TypeVar("_Value")
_CHILD: Final = "tracksync.adapters.web.child"
_LAUNCH: Final = (
    "import runpy, sys; name, cpu, memory, *sys.path = sys.argv[1:]; sys.argv[1:] = [cpu, memory];"
    "runpy.run_module(name, run_name='__main__')"
)
"""An isolated interpreter reads no PYTHONPATH, and an image keeps its packages in folders of its own: name them."""
_START_SECONDS: Final = 30.0
_PAGES_AHEAD: Final = 4
PAGE_SECONDS: Final = 10.0
"""Wall-clock deadline of one page; the CPU limit strikes first unless the machine is very busy."""
CPU_SECONDS: Final = 3
"""CPU limit of one page: it strikes at the latest after this and up to one second earlier, for the kernel counts in
whole ones. An ordinary page takes a thousandth of a second."""
MEMORY_BYTES: Final = 512 * 2**20
"""Address space of the process; a page of the largest size that is fetched needs a tenth of it."""


class PageNotParsedError(Exception):
    """The page took more time or memory than a page may, and the parser process was ended."""


class _ChildLostError(Exception):
    """The parser process ended because of another page; this one has to be sent again."""


class Parser:
    """Reads pages in a child process; use as an async context manager, which ends the process at once.

    Args:
        page_seconds: wall-clock deadline of a page.
        cpu_seconds: CPU limit of a page, in whole seconds; up to one of them may be missing, see CPU_SECONDS.
        memory_bytes: address space of the process.
    """

    def __init__(
        self,
        *,
        page_seconds: float = PAGE_SECONDS,
        cpu_seconds: int = CPU_SECONDS,
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        self._page_seconds = page_seconds
        self._cpu_seconds = cpu_seconds
        self._memory_bytes = memory_bytes
        self._child: _Child | None = None
        self._warming: asyncio.Task[_Child] | None = None
        self._starting = asyncio.Lock()
        self._pages_ahead = asyncio.Semaphore(_PAGES_AHEAD)

    async def __aenter__(self) -> Self:
        # Beside whatever comes first, usually the wait for the first page; a failure shows at the first page.
        self._warming = asyncio.create_task(self._living_child(), name="parser start")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._warming is not None:
            self._warming.cancel()
            await asyncio.wait({self._warming})
            if not self._warming.cancelled():
                self._warming.exception()  # asked for, so that asyncio does not report it as lost
        if self._child is not None:
            await self._child.end()

    async def parse_catalogue(self, page: Page, *, domain: str) -> Listing:
        """Return the listing; PageNotParsedError when the page goes beyond its limits."""
        return await self._parse({"kind": "catalogue", "domain": domain}, page, listing_from_json)

    async def parse_dashboard(self, page: Page, *, slug: str) -> Dashboard:
        """Return the dashboard; PageNotParsedError when the page goes beyond its limits."""
        return await self._parse({"kind": "dashboard", "slug": slug}, page, dashboard_from_json)

    async def parse_address(self, page: Page) -> Location:
        """Return the location in a map's query or in HTML; PageNotParsedError when it goes beyond its limits."""
        return await self._parse({"kind": "address"}, page, location_from_json)

    async def parse_robots(self, body: bytes, *, host: str, agent: str) -> RobotsRules:
        """Return what a robots.txt says to this product; PageNotParsedError when it goes beyond its limits."""
        return await self._parse({"kind": "robots", "host": host, "agent": agent}, Page(body, ""), rules_from_json)

    async def _parse(self, head: dict[str, str], page: Page, read: Callable[[Mapping[str, Any]], _Value]) -> _Value:
        frame = encode_request({**head, "charset": page.charset}, page.body)
        async with self._pages_ahead:
            while True:
                child = await self._living_child()
                try:
                    answer = await child.ask(frame)
                except _ChildLostError:
                    continue
                try:
                    return read(json.loads(answer))
                except (ValueError, KeyError, TypeError) as error:
                    # A process that answers so is not in order any more; what it says next is not waited for.
                    await child.end()
                    raise PageNotParsedError from error

    async def _living_child(self) -> _Child:
        async with self._starting:
            if self._child is None or not self._child.is_alive:
                if self._child is not None:
                    await self._child.end()
                self._child = await _Child.start(self._page_seconds, self._cpu_seconds, self._memory_bytes)
            return self._child


class _Child:
    """One parser process and the pages that wait for it."""

    def __init__(self, process: asyncio.subprocess.Process, page_seconds: float) -> None:
        self._process = process
        self._page_seconds = page_seconds
        self._waiting: deque[asyncio.Future[bytes]] = deque()
        self._has_work = asyncio.Event()
        self._reader = asyncio.create_task(self._read_answers(), name="parser answers")

    @classmethod
    async def start(cls, page_seconds: float, cpu_seconds: int, memory_bytes: int) -> _Child:
        """Return a process that has said it is ready."""
        limits = (str(cpu_seconds), str(memory_bytes))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-B", "-c", _LAUNCH, _CHILD, *limits, *filter(None, sys.path)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={},
            cwd="/",
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(_START_SECONDS):
                await _read_frame(process)
        except (TimeoutError, asyncio.IncompleteReadError, OSError) as error:
            await _kill(process)
            raise TrackSyncError("the parser process does not start; is the installation complete?") from error
        except asyncio.CancelledError:
            await _kill(process)
            raise
        return cls(process, page_seconds)

    @property
    def is_alive(self) -> bool:
        """Whether pages can be sent to it."""
        return self._process.returncode is None and not self._reader.done()

    async def ask(self, frame: bytes) -> bytes:
        """Return the answer to a request.

        Raises:
            PageNotParsedError: this page ended the process.
            _ChildLostError: another page did.
        """
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._has_work.set()
        if self._process.stdin is not None:
            with suppress(OSError):  # a broken pipe also ends the answers, and so the future
                self._process.stdin.write(frame)
                await self._process.stdin.drain()
        return await future

    async def end(self) -> None:
        """Kill the process and wait until it is gone."""
        self._reader.cancel()
        await asyncio.wait({self._reader})
        await _kill(self._process)

    async def _read_answers(self) -> None:
        try:
            while await self._has_work.wait():
                async with asyncio.timeout(self._page_seconds):
                    answer = await _read_frame(self._process)
                future = self._waiting.popleft()
                if not future.done():
                    future.set_result(answer)
                if not self._waiting:
                    self._has_work.clear()
        except (TimeoutError, asyncio.IncompleteReadError, OSError):
            self._fail_first()
        finally:
            await _kill(self._process)
            self._fail_others()

    def _fail_first(self) -> None:
        if self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_exception(PageNotParsedError())

    def _fail_others(self) -> None:
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_exception(_ChildLostError())


async def _read_frame(process: asyncio.subprocess.Process) -> bytes:
    """Return the next answer's JSON; EOFError or OSError when there is none."""
    if process.stdout is None:
        raise BrokenPipeError
    (length,) = LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))
    if length > LARGEST_ANSWER:
        raise BrokenPipeError
    return await process.stdout.readexactly(length)


async def _kill(process: asyncio.subprocess.Process) -> None:
    """Kill the process, if it still runs, and wait until it is gone."""
    if process.returncode is None:
        # Not `process.kill()`: that asks for the exit status first, and asyncio, which waits for it, would miss it.
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    if process.stdin is not None:
        process.stdin.close()
    await process.wait()
