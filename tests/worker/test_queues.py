"""The metadata stage's two queues: who is taken when, and what a checkpoint holds.

Time is the event loop's, held by looptime.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.clocks import LoopClock
from tracksync.core.tracks.model import DueDashboard, UnmodifiedItem
from tracksync.worker.queues import (
    CHECKPOINT_SECONDS,
    LONGEST_PAUSE,
    DueQueue,
    ResultQueue,
    pause_after,
)

BATCH = 50


async def taken(queue: DueQueue) -> tuple[str, float]:
    """Take the next dashboard; return its slug and the time."""
    dashboard = await queue.take()
    assert dashboard is not None
    return dashboard.slug, round(LoopClock().monotonic(), 2)


@pytest.mark.parametrize(("attempts", "most"), [(1, 2), (2, 4), (3, 8), (5, 32), (6, 60), (9, 60)])
def test_the_pause_doubles_up_to_a_minute(attempts: int, most: float) -> None:
    assert pause_after(attempts, chance=1) == most


@given(attempts=st.integers(min_value=1, max_value=10_000), chance=st.floats(min_value=0, max_value=1))
def test_the_pause_has_full_jitter_and_an_end(attempts: int, chance: float) -> None:
    assert pause_after(attempts, chance=chance) == pytest.approx(chance * pause_after(attempts, chance=1))
    assert pause_after(attempts, chance=chance) <= LONGEST_PAUSE


@pytest.mark.looptime
async def test_a_repetition_comes_before_the_others_when_it_is_due_and_never_holds_them_up() -> None:
    clock = LoopClock()
    queue = DueQueue([DueDashboard(slug) for slug in "abcd"], clock)
    begun = clock.monotonic()
    first = await queue.take()
    assert first is not None
    queue.put_off(first, clock.now() + timedelta(seconds=2))
    order = [await taken(queue)]
    await asyncio.sleep(2)
    order += [await taken(queue) for _ in range(3)]
    assert [(slug, round(time - begun, 1)) for slug, time in order] == [("b", 0), ("a", 2), ("c", 2), ("d", 2)]


@pytest.mark.looptime
async def test_a_repetition_has_its_attempt_counted() -> None:
    clock = LoopClock()
    queue = DueQueue([DueDashboard("a", attempts=1)], clock)
    dashboard = await queue.take()
    assert dashboard is not None
    queue.put_off(dashboard, clock.now())
    again = await queue.take()
    assert (again and again.attempts) == 2


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("wished", "waited"),
    [
        pytest.param(-5, 0, id="in the past"),
        pytest.param(7, 7, id="soon"),
        pytest.param(86_400, 60, id="an earlier epoch's clock was wrong"),
    ],
)
async def test_a_resumed_dashboard_waits_for_its_time_but_for_a_minute_at_most(wished: int, waited: int) -> None:
    clock = LoopClock()
    begun = clock.monotonic()
    queue = DueQueue([DueDashboard("a", not_before=clock.now() + timedelta(seconds=wished))], clock)
    _, time = await taken(queue)
    assert time - begun == pytest.approx(waited, abs=0.01)


@pytest.mark.looptime
async def test_everybody_who_waits_is_told_that_all_have_ended() -> None:
    queue = DueQueue([DueDashboard("a")], LoopClock())
    await taken(queue)
    idle = [asyncio.create_task(queue.take()) for _ in range(3)]
    await asyncio.sleep(1)
    assert not any(task.done() for task in idle)
    queue.end()
    assert await asyncio.gather(*idle) == [None, None, None]


@pytest.mark.looptime
async def test_somebody_who_waits_takes_what_another_puts_off() -> None:
    clock = LoopClock()
    queue = DueQueue([DueDashboard("a")], clock)
    dashboard = await queue.take()
    assert dashboard is not None
    idle = asyncio.create_task(queue.take())
    await asyncio.sleep(1)
    queue.put_off(dashboard, clock.now() + timedelta(seconds=3))
    begun = clock.monotonic()
    assert await idle is not None
    assert clock.monotonic() - begun == pytest.approx(3, abs=0.01)


def put(results: ResultQueue, count: int) -> None:
    for number in range(count):
        results.put(UnmodifiedItem(f"track{number:03}"))


@pytest.mark.looptime
async def test_a_checkpoint_is_full_or_as_old_as_it_may_get() -> None:
    results, clock = ResultQueue(BATCH), LoopClock()
    put(results, BATCH + 3)
    begun = clock.monotonic()
    assert len(await results.next_batch()) == BATCH
    assert clock.monotonic() == begun
    assert [item.slug for item in await results.next_batch()] == ["track050", "track051", "track052"]
    assert clock.monotonic() - begun == pytest.approx(CHECKPOINT_SECONDS, abs=0.01)


@pytest.mark.looptime
async def test_a_closed_queue_gives_what_is_left_at_once_and_then_nothing() -> None:
    results, clock = ResultQueue(BATCH), LoopClock()
    waiting = asyncio.create_task(results.next_batch())
    await asyncio.sleep(1)
    put(results, 2)
    results.close()
    begun = clock.monotonic()
    assert (len(await waiting), await results.next_batch()) == (2, [])
    assert clock.monotonic() == begun


@pytest.mark.looptime
async def test_fetchers_wait_for_a_slow_ledger() -> None:
    results = ResultQueue(BATCH)
    put(results, 2 * BATCH)
    waiting = asyncio.create_task(results.wait_for_room())
    await asyncio.sleep(60)
    assert not waiting.done()
    await results.next_batch()
    async with asyncio.timeout(1):
        await waiting
