"""In-memory twins of what concurrent runs share about a source: its pace, and what is known of robots.txt files.

Whoever holds the same object shares one budget, as whoever uses one database does.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from tracksync.ports import DomainState, ReservedSlots

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracksync.ports import Clock, RobotsRecord


class MemoryPace:
    """The request rate of one domain, its pause and its off switch (port `SharedPace`), for one process.

    Args:
        clock: only its monotonic time is used.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._next_free = -math.inf
        self._paused_until = -math.inf
        self._off_reason: str | None = None

    async def reserve(self, slots: int, *, interval: float) -> ReservedSlots:
        """Take the next `slots` free slots; nothing while the source is off."""
        now, state = self._clock.monotonic(), self._state()
        if state.off_reason is not None:
            return ReservedSlots(0.0, state)
        start = max(now, self._next_free, self._paused_until)
        self._next_free = start + slots * interval
        return ReservedSlots(start - now, state)

    async def look(self) -> DomainState:
        """Return what holds now."""
        return self._state()

    async def pause(self, seconds: float) -> None:
        """Let nobody's slot begin for so long; never shortens a longer pause."""
        self._paused_until = max(self._paused_until, self._clock.monotonic() + seconds)

    async def switch(self, *, off_reason: str | None) -> None:
        """Switch the source off for this reason, or on (None)."""
        self._off_reason = off_reason

    def _state(self) -> DomainState:
        return DomainState(max(0.0, self._paused_until - self._clock.monotonic()), self._off_reason)


class MemoryRobots:
    """What is known of robots.txt files (port `RobotsCache`), for one process."""

    def __init__(self) -> None:
        self._records: dict[str, dict[str, RobotsRecord]] = {}

    async def read(self, domain: str) -> Mapping[str, RobotsRecord]:
        """Return what is known of the domain's hosts, by host and of any age; bodies are left out."""
        return {host: replace(record, body="") for host, record in self._records.get(domain, {}).items()}

    async def write(self, domain: str, records: Sequence[RobotsRecord]) -> None:
        """Keep these records; of two for one host the later `fetched_at` stays."""
        kept = self._records.setdefault(domain, {})
        for record in records:
            known = kept.get(record.host)
            if known is None or record.fetched_at >= known.fetched_at:
                kept[record.host] = record
