"""Who is looked at when: one pass at a time for each TrackSyncJob, wake-ups coalesced, failures repeated for ever.

A wake-up carries no information but the key. However many arrive during a pass, one more pass follows it.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from tracksync.errors import ClusterUnavailableError, TrackSyncError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from tracksync.core.runs.model import Key
    from tracksync.ports import Clock

_log = structlog.get_logger(__name__)

FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0
PASSES_AT_ONCE: Final = 32
STOP_SECONDS: Final = 5.0


@dataclass(slots=True)
class _Turn:
    """What is known about one key while it is awake or due."""

    task: asyncio.Task[None] | None = None
    timer: asyncio.TimerHandle | None = None
    again: bool = False
    failures: int = 0


class Wakeups:
    """Runs passes; owns every timer and task that does."""

    def __init__(
        self,
        run_pass: Callable[[Key], Awaitable[datetime | None]],
        clock: Clock,
        *,
        pick: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """Take the pass, which returns when it wants to be repeated, and a source of jitter."""
        self._run_pass = run_pass
        self._clock = clock
        self._pick = pick
        self._turns: dict[Key, _Turn] = {}
        self._slots = asyncio.Semaphore(PASSES_AT_ONCE)
        self._stopped = False

    def wake(self, key: Key) -> None:
        """Have the key looked at now, or once more when it is being looked at."""
        if self._stopped:
            return
        turn = self._turns.setdefault(key, _Turn())
        if turn.timer is not None:
            turn.timer.cancel()
            turn.timer = None
        if turn.task is not None:
            turn.again = True
            return
        turn.task = asyncio.get_running_loop().create_task(self._work(key, turn), name=f"reconcile {key.text}")

    def awake(self) -> int:
        """Return how many keys are being looked at or have a time at which they will be."""
        return len(self._turns)

    async def stop(self) -> None:
        """Take no more wake-ups; passes under way may end, but not for long."""
        self._stopped = True
        tasks = [turn.task for turn in self._turns.values() if turn.task is not None]
        for turn in self._turns.values():
            if turn.timer is not None:
                turn.timer.cancel()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=STOP_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, key: Key, turn: _Turn) -> None:
        """Make passes until none is asked for any more, then set the timer for the next."""
        delay: float | None = None
        turn.again = True
        while turn.again and not self._stopped:
            turn.again = False
            async with self._slots:
                delay = await self._pass(key, turn)
            if delay == 0.0:
                turn.again = True
        turn.task = None
        if delay is None or self._stopped:
            self._turns.pop(key, None)
        else:
            turn.timer = asyncio.get_running_loop().call_later(delay, self.wake, key)

    async def _pass(self, key: Key, turn: _Turn) -> float | None:
        """Make one pass; return the seconds after which the next is due, or None."""
        try:
            due = await self._run_pass(key)
        except ClusterUnavailableError as error:
            return self._pause(key, turn, error, at_least=error.retry_after)
        except TrackSyncError as error:
            return self._pause(key, turn, error, at_least=LONGEST_PAUSE / 2)
        except Exception as error:  # noqa: BLE001 -- I9: one poisonous object never stops the operator; it is logged by name
            _log.exception("pass_failed", run=key.text)
            return self._pause(key, turn, error, at_least=LONGEST_PAUSE / 2)
        turn.failures = 0
        return None if due is None else max(0.0, (due - self._clock.now()).total_seconds())

    def _pause(self, key: Key, turn: _Turn, error: Exception, *, at_least: float) -> float:
        """Return how long to wait after a failure: exponential with full jitter, capped, never zero."""
        turn.failures += 1
        ceiling = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(turn.failures, 10))
        pause = max(at_least, self._pick(FIRST_PAUSE / 2, ceiling))
        _log.warning("pass_repeated", run=key.text, pause=round(pause, 1), problem=str(error))
        return pause
