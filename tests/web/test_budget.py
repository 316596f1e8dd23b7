from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tracksync.adapters.web.budget import LONGEST_PAUSE, LocalBudget
from tracksync.errors import SourceUnavailableError


class HeldTime:
    """A clock that only its own sleep moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        wake_at = self.seconds + seconds
        await asyncio.sleep(0)
        self.seconds = max(self.seconds, wake_at)


def a_budget(time: HeldTime, *, rate: float = 4, max_in_flight: int = 6) -> LocalBudget:
    return LocalBudget("liverc.com", rate=rate, max_in_flight=max_in_flight, clock=time, sleep=time.sleep)


async def test_slots_keep_the_rate() -> None:
    time, starts = HeldTime(), list[float]()
    budget = a_budget(time, rate=4)
    for _ in range(5):
        async with budget.slot():
            starts.append(time.seconds)
    assert starts == [0.0, 0.25, 0.5, 0.75, 1.0]


async def test_a_pause_holds_back_every_request() -> None:
    time = HeldTime()
    budget = a_budget(time)
    budget.pause(30.0)
    budget.pause(10.0)
    async with budget.slot():
        assert time.seconds == 30.0


async def test_a_request_that_already_waited_for_its_slot_heeds_a_pause_that_begins_meanwhile() -> None:
    time, starts = HeldTime(), list[float]()
    budget = a_budget(time, rate=1)

    async def request(*, pause: float) -> None:
        async with budget.slot():
            starts.append(time.seconds)
            if pause:
                budget.pause(pause)

    await asyncio.gather(request(pause=60.0), request(pause=0), request(pause=0))
    assert starts[0] == 0.0
    assert all(start >= 60.0 for start in starts[1:])
    assert starts[2] - starts[1] >= 1.0


async def test_never_more_in_flight_than_allowed() -> None:
    time = HeldTime()
    budget = a_budget(time, rate=1_000, max_in_flight=3)
    in_flight, most = 0, 0

    async def request() -> None:
        nonlocal in_flight, most
        async with budget.slot():
            in_flight += 1
            most = max(most, in_flight)
            for _ in range(5):
                await asyncio.sleep(0)
            in_flight -= 1

    await asyncio.gather(*(request() for _ in range(12)))
    assert most == 3


async def test_a_pause_longer_than_a_run_waits_ends_the_run_instead() -> None:
    time = HeldTime()
    budget = a_budget(time)
    budget.pause(LONGEST_PAUSE + 1)
    with pytest.raises(SourceUnavailableError, match=r"liverc\.com asks to wait 3601 s"):
        async with budget.slot():
            pytest.fail("no request may be sent")
    assert time.seconds == 0.0
