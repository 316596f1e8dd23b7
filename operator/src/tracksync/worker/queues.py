"""The two queues of the metadata stage: dashboards on their way to the source, results on their way to the ledger."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import replace
from heapq import heappop, heappush
from itertools import count
from math import ldexp
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from tracksync.core.tracks.model import DueDashboard, ItemResult
    from tracksync.ports import Clock

CHECKPOINT_SECONDS: Final = 5.0
"""A checkpoint is committed after so many seconds, or earlier when its items are together: what a crash can lose."""
FIRST_PAUSE: Final = 2.0
"""Seconds before a dashboard's second attempt, at most; doubled with each further attempt."""
LONGEST_PAUSE: Final = 60.0
"""Seconds; no dashboard waits longer for its next attempt, whatever an earlier epoch of the run has written."""
_CLOCK_GRAIN: Final = 0.001
"""Seconds; a timer may fire so much early, and waiting for the rest would be a busy loop."""


def pause_after(attempts: int, *, chance: float) -> float:
    """Return the seconds until the next attempt after this many failed ones (1 or more): exponential with full jitter.

    `chance` is a random number from 0 to 1.
    """
    doublings = min(attempts - 1, 10)
    return chance * min(ldexp(FIRST_PAUSE, doublings), LONGEST_PAUSE)


class DueQueue:
    """Dashboards to fetch. A repetition comes first as soon as it is due, so that a sick source shows early.

    Each dashboard that was taken has to be handed back by `put_off` or ended by `end`.
    """

    def __init__(self, due: Iterable[DueDashboard], clock: Clock) -> None:
        """Queue these; one with `not_before` waits until then, or for LONGEST_PAUSE."""
        self._clock = clock
        self._fresh: deque[DueDashboard] = deque()
        self._later: list[tuple[float, int, DueDashboard]] = []
        self._number = count()
        self._changed = asyncio.Event()
        self._left = 0
        for dashboard in due:
            self._left += 1
            if dashboard.not_before is None:
                self._fresh.append(dashboard)
            else:
                self._push(dashboard, dashboard.not_before)

    async def take(self) -> DueDashboard | None:
        """Wait for the next dashboard that is due; None when all have ended."""
        while self._left:
            wait = self._later[0][0] - self._clock.monotonic() if self._later else None
            if wait is not None and wait <= _CLOCK_GRAIN:
                return heappop(self._later)[2]
            if self._fresh:
                return self._fresh.popleft()
            self._changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._changed.wait()
        return None

    def put_off(self, dashboard: DueDashboard, not_before: datetime) -> None:
        """Queue a dashboard that was taken and failed again, with one more attempt counted."""
        self._push(replace(dashboard, attempts=dashboard.attempts + 1, not_before=not_before), not_before)
        self._changed.set()

    def end(self) -> None:
        """Count one dashboard that was taken as ended."""
        self._left -= 1
        if not self._left:
            self._changed.set()

    def _push(self, dashboard: DueDashboard, not_before: datetime) -> None:
        seconds = (not_before - self._clock.now()).total_seconds()
        due = self._clock.monotonic() + min(seconds, LONGEST_PAUSE)
        heappush(self._later, (due, next(self._number), dashboard))


class ResultQueue:
    """Results on their way into the ledger. Putting never waits, so that a stop between fetch and put loses nothing."""

    def __init__(self, batch_size: int) -> None:
        """Give out at most `batch_size` results at once."""
        self._batch_size = batch_size
        self._results: deque[ItemResult] = deque()
        self._changed = asyncio.Event()
        self._closed = False

    def put(self, result: ItemResult) -> None:
        """Add a result."""
        self._results.append(result)
        self._changed.set()

    async def wait_for_room(self) -> None:
        """Wait while the ledger is two checkpoints behind; asked before a fetch, so memory stays bounded."""
        while len(self._results) >= 2 * self._batch_size:
            await self._next_change()

    def close(self) -> None:
        """End the queue after what is in it."""
        self._closed = True
        self._changed.set()

    async def next_batch(self) -> list[ItemResult]:
        """Return the next checkpoint's results, in their order; none when the queue has ended."""
        while not self._results and not self._closed:
            await self._next_change()
        with suppress(TimeoutError):
            async with asyncio.timeout(CHECKPOINT_SECONDS):
                while len(self._results) < self._batch_size and not self._closed:
                    await self._next_change()
        batch = [self._results.popleft() for _ in range(min(len(self._results), self._batch_size))]
        self._changed.set()
        return batch

    async def _next_change(self) -> None:
        self._changed.clear()
        await self._changed.wait()
