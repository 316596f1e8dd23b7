"""Coalescing, repetition after failures, isolation: with a loop whose time passes only while everybody waits."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.support.clocks import LoopClock
from tracksync.controller.wakeups import LONGEST_PAUSE, Wakeups
from tracksync.core.runs.model import Key
from tracksync.errors import ClusterRefusedError, ClusterUnavailableError

if TYPE_CHECKING:
    from datetime import datetime

pytestmark = pytest.mark.looptime

ONE, TWO = Key("ns", "one"), Key("ns", "two")


class Passes:
    """Records when each key was looked at, and answers as told."""

    def __init__(self) -> None:
        self.clock = LoopClock()
        self.seen: list[tuple[str, float]] = []
        self.failures: list[Exception] = []
        self.due: list[float | None] = []
        self.gate: asyncio.Event | None = None

    async def __call__(self, key: Key) -> datetime | None:
        self.seen.append((key.name, round(self.clock.monotonic(), 3)))
        if self.gate is not None:
            await self.gate.wait()
        if self.failures:
            raise self.failures.pop(0)
        delay = self.due.pop(0) if self.due else None
        return None if delay is None else self.clock.now() + timedelta(seconds=delay)

    def wakeups(self) -> Wakeups:
        return Wakeups(self, self.clock, pick=lambda _low, high: high)


async def test_many_wake_ups_during_a_pass_cause_one_more_pass() -> None:
    passes = Passes()
    passes.gate = asyncio.Event()
    wakeups = passes.wakeups()
    wakeups.wake(ONE)
    await asyncio.sleep(1)
    for _ in range(10):
        wakeups.wake(ONE)
    passes.gate.set()
    await asyncio.sleep(1)
    assert [name for name, _ in passes.seen] == ["one", "one"]
    assert wakeups.awake() == 0


async def test_two_keys_do_not_wait_for_each_other() -> None:
    passes = Passes()
    passes.gate = asyncio.Event()
    wakeups = passes.wakeups()
    wakeups.wake(ONE)
    wakeups.wake(TWO)
    await asyncio.sleep(1)
    assert {name for name, _ in passes.seen} == {"one", "two"}
    passes.gate.set()
    await wakeups.stop()


async def test_a_pass_is_repeated_at_the_time_that_it_asks_for() -> None:
    passes = Passes()
    passes.due = [3.0, None]
    wakeups = passes.wakeups()
    wakeups.wake(ONE)
    await asyncio.sleep(10)
    assert [round(when) for _, when in passes.seen] == [0, 3]


async def test_an_unreachable_api_server_is_asked_again_for_ever_with_growing_pauses() -> None:
    passes = Passes()
    passes.failures = [ClusterUnavailableError("down") for _ in range(20)]
    wakeups = passes.wakeups()
    wakeups.wake(ONE)
    await asyncio.sleep(1000)
    pauses = [later - earlier for (_, earlier), (_, later) in zip(passes.seen, passes.seen[1:], strict=False)]
    assert len(pauses) == 20
    assert pauses[0] < 2
    assert max(pauses) == pytest.approx(LONGEST_PAUSE)


async def test_the_servers_wish_for_a_pause_is_kept() -> None:
    passes = Passes()
    passes.failures = [ClusterUnavailableError("busy", retry_after=17.0)]
    wakeups = passes.wakeups()
    wakeups.wake(ONE)
    await asyncio.sleep(60)
    assert [round(when) for _, when in passes.seen] == [0, 17]


@pytest.mark.parametrize("failure", [ClusterRefusedError("no right"), RuntimeError("a bug")])
async def test_a_poisonous_object_is_paused_and_does_not_stop_the_others(failure: Exception) -> None:
    passes = Passes()
    passes.failures = [failure]
    wakeups = passes.wakeups()
    wakeups.wake(ONE)
    wakeups.wake(TWO)
    await asyncio.sleep(60)
    assert [name for name, _ in passes.seen] == ["one", "two", "one"]


async def test_stopping_lets_a_pass_end_and_takes_no_more_wake_ups() -> None:
    passes = Passes()
    passes.due = [100.0]
    wakeups = passes.wakeups()
    wakeups.wake(ONE)
    await asyncio.sleep(1)
    await wakeups.stop()
    wakeups.wake(TWO)
    await asyncio.sleep(200)
    assert [name for name, _ in passes.seen] == ["one"]
