"""The request budget of a domain: rate, pause and off switch of all who use it, and our own requests in flight.

What is shared lives in a `SharedPace`. Here stand the waiting, the run's own lower rate, and the rule that directly
before a request nothing older than a blink is believed about the pause and the switch.
"""

from __future__ import annotations

import asyncio
import math
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracksync.core.tracks.politeness import Pace
from tracksync.errors import SourceOffError, SourceUnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tracksync.ports import Clock, DomainState, SharedPace

LONGEST_PAUSE: Final = 3_600.0
"""Seconds that a run waits at most for a source that asked for a pause; a longer pause ends it as transient."""
_FRESH: Final = 0.1
"""Seconds for which a look at the shared pause and switch is believed."""
_AHEAD: Final = 0.1
"""Seconds of slots that are reserved at once: at a high rate one look into the database serves several requests."""
_LATE: Final = 0.05
"""Seconds by which a slot may be used late; a slow rate's slot until the next one begins. Older slots are dropped."""
_LONGEST_SLEEP: Final = 10.0
"""Seconds; a longer wait looks up in between, for the switch may have been thrown."""
_EARLY: Final = 0.02
"""Seconds before its turn at which a request takes its shared slot, so that taking it costs no time."""
_TIMER: Final = 0.0005
"""Seconds; no event loop wakes up more exactly."""
_LONGEST_REASON: Final = 200


@dataclass(frozen=True, slots=True)
class Ceilings:
    """How much may be asked.

    Attributes:
        rate: the installation's requests per second, by all runs together.
        in_flight: requests of this run at once.
        own_rate: this run's requests per second; None or a higher one leaves the installation's.
    """

    rate: float
    in_flight: int
    own_rate: float | None = None


class DomainBudget:
    """A `RequestBudget`: the installation's rate is shared, the run's own and the requests in flight are local.

    Args:
        domain: the registrable domain, for messages.
        ceilings: how much may be asked.
        pace: what all who ask the domain share.
        clock: only its monotonic time is used.
        sleep: waits for this many seconds.
    """

    def __init__(
        self,
        domain: str,
        ceilings: Ceilings,
        *,
        pace: SharedPace,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._domain = domain
        self._pace = pace
        own_rate = min(ceilings.rate, ceilings.own_rate or ceilings.rate)
        # Also at the installation's own rate: a slot that is used late must not come close to the next one.
        self._own = Pace(rate=own_rate)
        # No more than what this run can use: slots that are reserved and not used are lost to everybody.
        ahead = min(int(own_rate * _AHEAD), 2 * ceilings.in_flight)
        self._batch = _Batch(size=max(1, ahead), interval=1 / ceilings.rate)
        self._in_flight = asyncio.Semaphore(ceilings.in_flight)
        self._clock = clock
        self._sleep = sleep
        self._asking = asyncio.Lock()
        self._known_at = -math.inf
        self._paused_until = -math.inf
        self._off_reason: str | None = None

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for a place among the requests in flight, then for the next slot of the rate."""
        async with self._in_flight:
            await self._wait_for_slot()
            yield

    async def pause(self, seconds: float) -> None:
        """Hold back all further requests: at once this run's, also those that wait for their slot, then everybody's."""
        self._paused_until = max(self._paused_until, self._clock.monotonic() + seconds)
        await self._pace.pause(seconds)

    async def verify_open(self) -> None:
        """Pass when requests may be sent: now, or after a pause that a run waits for."""
        await self._look()

    async def _wait_for_slot(self) -> None:
        while True:
            self._own, own_start = self._own.reserve(self._clock.monotonic())
            await self._wait_until(own_start - _EARLY)
            start = await self._next_start()
            await self._wait_until(max(start, own_start))
            if await self._is_still_good(start):
                return

    async def _is_still_good(self, start: float) -> bool:
        """Tell whether the slot that began then may be used now, by fresh knowledge.

        A pause that outlasts the slot takes it away. The last moments of the pause that the slot was reserved behind
        are waited for: two looks at one pause differ by the time that they took.
        """
        while True:
            await self._look()
            now = self._clock.monotonic()
            if max(now, self._paused_until) - start > self._batch.lateness:
                return False
            if self._paused_until <= now:
                return True
            await self._wait_until(self._paused_until)

    async def _next_start(self) -> float:
        """Return when the next slot of ours begins, reserving further ones when there is none."""
        start = self._batch.take(self._clock.monotonic(), self._paused_until)
        while start is None:
            async with self._asking:
                start = self._batch.take(self._clock.monotonic(), self._paused_until)
                if start is None:
                    await self._reserve()
                    start = self._batch.take(self._clock.monotonic(), self._paused_until)
        return start

    async def _reserve(self) -> None:
        asked_at = self._clock.monotonic()
        reserved = await self._pace.reserve(self._batch.size, interval=self._batch.interval)
        self._learn(reserved.state, asked_at)
        self._batch.fill(self._clock.monotonic() + reserved.seconds)

    async def _look(self) -> None:
        """Make sure that what is known of the pause and the switch is fresh, and that it lets a run go on."""
        if not self._is_fresh():
            async with self._asking:
                if not self._is_fresh():
                    asked_at = self._clock.monotonic()
                    self._learn(await self._pace.look(), asked_at)
        self._judge()

    def _is_fresh(self) -> bool:
        return self._clock.monotonic() - self._known_at <= _FRESH

    def _learn(self, state: DomainState, asked_at: float) -> None:
        self._known_at = asked_at
        self._off_reason = state.off_reason
        if state.paused_seconds > 0:
            self._paused_until = max(self._paused_until, self._clock.monotonic() + state.paused_seconds)
        self._judge()

    def _judge(self) -> None:
        if self._off_reason is not None:
            reason = "".join(filter(str.isprintable, self._off_reason))[:_LONGEST_REASON] or "no reason was given"
            raise SourceOffError(
                f"the source {self._domain} is switched off: {reason}; `tracksync source on` switches it on again"
            )
        seconds = self._paused_until - self._clock.monotonic()
        if seconds > LONGEST_PAUSE:
            raise SourceUnavailableError(
                f"{self._domain} asks to wait {seconds:.0f} s before the next request, longer than a run waits"
                f" ({LONGEST_PAUSE:.0f} s): run again after that time"
            )

    async def _wait_until(self, instant: float) -> None:
        while (wait := instant - self._clock.monotonic()) > _TIMER:
            await self._sleep(min(wait, _LONGEST_SLEEP))
            if wait > _LONGEST_SLEEP:
                await self._look()


class _Batch:
    """Reserved slots, one behind the other; used from the front, and never two at once."""

    def __init__(self, *, size: int, interval: float) -> None:
        self.size = size
        self.interval = interval
        self.lateness = max(interval, _LATE)
        self._first = 0.0
        self._left = 0

    def fill(self, first: float) -> None:
        """Hold a full batch whose first slot begins then."""
        self._first, self._left = first, self.size

    def take(self, now: float, paused_until: float) -> float | None:
        """Return when the next slot begins that is neither past nor taken away by a pause; None when none is left."""
        late = now - self.lateness - self._first
        if late > 0:
            self._drop(math.ceil(late / self.interval))
        if self._first + self.lateness < paused_until:
            self._left = 0
        if not self._left:
            return None
        start = self._first
        self._drop(1)
        return start

    def _drop(self, slots: int) -> None:
        self._first += slots * self.interval
        self._left = max(0, self._left - slots)
