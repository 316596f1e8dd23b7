"""The distance that a host's `Crawl-delay` asks for between our requests to it."""

from __future__ import annotations

import asyncio
import math
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tracksync.ports import Clock


class HostSpacing:
    """Requests to one host of this process, one at a time and so far apart; it can only slow down.

    Args:
        seconds: from one request to the next.
        last_sent: when the last one was sent, on the clock's monotonic time; -inf when none was.
    """

    def __init__(self, seconds: float, *, last_sent: float = -math.inf) -> None:
        self._seconds = seconds
        self._last_sent = last_sent
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def turn(self, clock: Clock, sleep: Callable[[float], Awaitable[None]]) -> AsyncIterator[None]:
        """Wait until the host may be asked again; the request ends with the context. Call `sent` when it goes out."""
        async with self._turn:
            while (wait := self._last_sent + self._seconds - clock.monotonic()) > 0:
                await sleep(wait)
            yield

    def sent(self, instant: float) -> None:
        """Keep when the request went out."""
        self._last_sent = instant
