"""A clock that the event loop holds (`tracksync.adapters.memory.ManualClock` is the one that tests move by hand)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 31, 2, 0, tzinfo=UTC)


class LoopClock:
    """The event loop's own time; with looptime it passes only while everybody waits."""

    def now(self) -> datetime:
        return START + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()
