"""The budget of one run and of several that share a pace; the pace itself is proved in tests/ports.

Left out: that PostgreSQL is one such pace for several processes (tests/ports, tests/database).
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from tracksync.adapters.memory_source import MemoryPace
from tracksync.adapters.web.budget import LONGEST_PAUSE, Ceilings, DomainBudget
from tracksync.errors import DatabaseUnavailableError, SourceOffError, SourceUnavailableError

if TYPE_CHECKING:
    from tracksync.ports import DomainState, ReservedSlots


class HeldTime:
    """A clock that only its own sleep moves: to the earliest instant that anybody waits for."""

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


class CountedPace(MemoryPace):
    """A pace that counts how often it is asked."""

    def __init__(self, clock: HeldTime) -> None:
        super().__init__(clock)
        self.reserved: list[int] = []
        self.looks = 0

    async def reserve(self, slots: int, *, interval: float) -> ReservedSlots:
        self.reserved.append(slots)
        return await super().reserve(slots, interval=interval)

    async def look(self) -> DomainState:
        self.looks += 1
        return await super().look()


def a_budget(
    time: HeldTime,
    *,
    rate: float = 4,
    own_rate: float | None = None,
    in_flight: int = 6,
    pace: MemoryPace | None = None,
) -> DomainBudget:
    ceilings = Ceilings(rate=rate, own_rate=own_rate, in_flight=in_flight)
    return DomainBudget("liverc.com", ceilings, pace=pace or MemoryPace(time), clock=time, sleep=time.sleep)


async def starts_of(time: HeldTime, budget: DomainBudget, requests: int) -> list[float]:
    starts = []
    for _ in range(requests):
        async with budget.slot():
            starts.append(time.seconds)
    return starts


async def test_slots_keep_the_rate() -> None:
    time = HeldTime()
    assert await starts_of(time, a_budget(time, rate=4), 5) == pytest.approx([0.0, 0.25, 0.5, 0.75, 1.0])


async def test_a_run_may_be_slower_than_the_installation() -> None:
    time = HeldTime()
    assert await starts_of(time, a_budget(time, rate=4, own_rate=2), 3) == pytest.approx([0.0, 0.5, 1.0])


async def test_a_run_is_never_faster_than_the_installation() -> None:
    time = HeldTime()
    assert await starts_of(time, a_budget(time, rate=4, own_rate=50), 3) == pytest.approx([0.0, 0.25, 0.5])


async def test_runs_that_share_a_pace_share_one_rate() -> None:
    time = HeldTime()
    pace = MemoryPace(time)
    starts: list[float] = []

    async def run(requests: int) -> None:
        starts.extend(await starts_of(time, a_budget(time, rate=4, pace=pace), requests))

    await asyncio.gather(run(8), run(8))
    starts.sort()
    assert len(starts) == 16
    assert all(later - earlier == pytest.approx(0.25) for earlier, later in pairwise(starts))


async def test_slots_that_nobody_used_are_not_used_up_in_a_burst_later() -> None:
    time = HeldTime()
    budget = a_budget(time, rate=100)
    await starts_of(time, budget, 2)
    time.seconds += 0.2
    starts = await starts_of(time, budget, 4)
    assert all(later - earlier >= 0.0099 for earlier, later in pairwise(starts))


@pytest.mark.parametrize(
    ("rate", "own_rate", "in_flight", "slots"),
    [(4, None, 6, 1), (100, None, 6, 10), (1_000, None, 6, 12), (100_000, None, 16, 32), (1_000, 4, 6, 1)],
)
async def test_a_fast_run_reserves_a_tenth_of_a_second_at_once_and_no_more_than_it_can_use(
    rate: float, own_rate: float | None, in_flight: int, slots: int
) -> None:
    time = HeldTime()
    pace = CountedPace(time)
    await starts_of(time, a_budget(time, rate=rate, own_rate=own_rate, in_flight=in_flight, pace=pace), 1)
    assert pace.reserved == [slots]


async def test_a_pause_holds_back_every_request_and_is_never_shortened() -> None:
    time = HeldTime()
    budget = a_budget(time)
    await budget.pause(30.0)
    await budget.pause(10.0)
    assert await starts_of(time, budget, 2) == pytest.approx([30.0, 30.25])


async def test_a_pause_of_one_run_holds_back_the_other() -> None:
    time = HeldTime()
    pace = MemoryPace(time)
    await a_budget(time, pace=pace).pause(30.0)
    assert await starts_of(time, a_budget(time, pace=pace), 1) == pytest.approx([30.0])


async def test_a_request_that_already_waited_for_its_slot_heeds_a_pause_that_begins_meanwhile() -> None:
    time, starts = HeldTime(), list[float]()
    budget = a_budget(time, rate=1)

    async def request(*, pause: float) -> None:
        async with budget.slot():
            starts.append(time.seconds)
            if pause:
                await budget.pause(pause)

    await asyncio.gather(request(pause=60.0), request(pause=0), request(pause=0))
    assert starts[0] == 0.0
    assert all(start >= 60.0 for start in starts[1:])
    assert starts[2] - starts[1] >= 0.99


async def test_a_pause_that_another_run_begins_while_this_one_waits_for_its_slot_is_seen_before_the_request() -> None:
    time = HeldTime()
    pace = MemoryPace(time)
    budget = a_budget(time, rate=0.2, pace=pace)
    await starts_of(time, budget, 1)
    waiting = asyncio.create_task(starts_of(time, budget, 1))
    await asyncio.sleep(0)
    await pace.pause(60.0)
    assert (await waiting)[0] >= 60.0


async def test_what_is_known_is_fresh_before_each_request_and_not_asked_for_more_often_than_that() -> None:
    time = HeldTime()
    pace = CountedPace(time)
    budget = a_budget(time, rate=1_000, in_flight=50, pace=pace)
    await starts_of(time, budget, 300)
    assert len(pace.reserved) + pace.looks <= 8
    time.seconds += 1.0
    asked = len(pace.reserved) + pace.looks
    await starts_of(time, budget, 1)
    assert len(pace.reserved) + pace.looks > asked


async def test_the_off_switch_is_read_before_each_request_and_names_reason_and_remedy() -> None:
    time = HeldTime()
    pace = MemoryPace(time)
    budget = a_budget(time, pace=pace)
    await budget.verify_open()
    await starts_of(time, budget, 2)
    await pace.switch(off_reason="their mail of \x1b[31mMonday")
    time.seconds += 0.2
    with pytest.raises(
        SourceOffError, match=r"liverc\.com is switched off: their mail of \[31mMonday; `tracksync source on`"
    ):
        await starts_of(time, budget, 1)
    with pytest.raises(SourceOffError):
        await budget.verify_open()
    await pace.switch(off_reason=None)
    time.seconds += 0.2
    await budget.verify_open()
    assert len(await starts_of(time, budget, 1)) == 1


async def test_a_run_that_waits_out_a_long_pause_notices_the_switch_within_seconds() -> None:
    time = HeldTime()
    pace = MemoryPace(time)
    budget = a_budget(time, pace=pace)
    await budget.pause(3_000.0)
    waiting = asyncio.create_task(starts_of(time, budget, 1))
    await asyncio.sleep(0)
    await pace.switch(off_reason="enough")
    with pytest.raises(SourceOffError):
        await waiting
    assert time.seconds < 60.0


async def test_never_more_in_flight_than_allowed() -> None:
    time = HeldTime()
    budget = a_budget(time, rate=1_000, in_flight=3)
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
    await budget.pause(LONGEST_PAUSE + 1)
    for refused in (budget.slot().__aenter__, budget.verify_open):
        with pytest.raises(SourceUnavailableError, match=r"liverc\.com asks to wait 3601 s"):
            await refused()
    assert time.seconds == 0.0


async def test_a_lost_database_lets_no_request_pass() -> None:
    class Lost(MemoryPace):
        async def reserve(self, slots: int, *, interval: float) -> ReservedSlots:
            raise DatabaseUnavailableError(f"no {slots} slots of {interval} s")

    time = HeldTime()
    with pytest.raises(DatabaseUnavailableError):
        await starts_of(time, a_budget(time, pace=Lost(time)), 1)
