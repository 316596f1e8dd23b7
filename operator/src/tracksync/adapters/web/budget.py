"""The request budget of one process: one limiter for a whole registrable domain."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from tracksync.core.tracks.politeness import Pace
from tracksync.errors import SourceUnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tracksync.ports import Clock

LONGEST_PAUSE: Final = 3_600.0
"""Seconds that a run waits at most for a source that asked for a pause; a longer pause ends it as transient."""


class LocalBudget:
    """A `RequestBudget` shared by all requests of this process to one domain.

    Args:
        domain: the registrable domain, for messages.
        rate: requests per second.
        max_in_flight: requests at once.
        clock: only its monotonic time is used.
        sleep: waits for this many seconds.
    """

    def __init__(
        self,
        domain: str,
        *,
        rate: float,
        max_in_flight: int,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._domain = domain
        self._pace = Pace(rate=rate)
        self._in_flight = asyncio.Semaphore(max_in_flight)
        self._clock = clock
        self._sleep = sleep

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for a place among the requests in flight, then for the next slot of the rate."""
        async with self._in_flight:
            await self._wait_for_slot()
            yield

    def pause(self, seconds: float) -> None:
        """Hold back every further request, also those that wait for their slot already."""
        self._pace = self._pace.pause(self._clock.monotonic() + seconds)

    async def _wait_for_slot(self) -> None:
        while True:
            self._refuse_long_pause()
            self._pace, start = self._pace.reserve(self._clock.monotonic())
            wait = start - self._clock.monotonic()
            if wait > 0:
                await self._sleep(wait)
            if self._pace.paused_until <= start:
                return
            # A pause began while this request waited: its slot lies in the pause, so it takes another one.

    def _refuse_long_pause(self) -> None:
        seconds = self._pace.paused_until - self._clock.monotonic()
        if seconds > LONGEST_PAUSE:
            raise SourceUnavailableError(
                f"{self._domain} asks to wait {seconds:.0f} s before the next request, longer than a run waits"
                f" ({LONGEST_PAUSE:.0f} s): run again after that time"
            )
