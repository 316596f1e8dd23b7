"""What every SharedPace promises. Calls from many connections at once are in tests/database/test_pace.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tracksync.ports import DomainState, ReservedSlots

if TYPE_CHECKING:
    from tests.ports.conftest import PaceBed
    from tracksync.ports import SharedPace

MOMENT = 5.0
"""Seconds that the calls of a test may take on a busy machine; slots here are a hundred seconds long."""


async def take(pace: SharedPace, slots: int = 1) -> ReservedSlots:
    return await pace.reserve(slots, interval=100)


def about(seconds: float) -> object:
    """Equal to what is left of so many seconds a moment later."""
    return pytest.approx(seconds - MOMENT / 2, abs=MOMENT / 2 + 0.001)


async def test_the_first_slot_begins_at_once(bed: PaceBed) -> None:
    assert await take(bed.one) == ReservedSlots(0.0, DomainState(0.0, None))


async def test_two_users_of_a_row_share_its_rate(bed: PaceBed) -> None:
    found = [(await take(pace)).seconds for pace in (bed.one, bed.two, bed.two, bed.one)]
    assert found == [0.0, about(100), about(200), about(300)]


async def test_several_slots_are_taken_at_once(bed: PaceBed) -> None:
    found = [(await take(bed.one, 3)).seconds, (await take(bed.two, 2)).seconds, (await take(bed.one)).seconds]
    assert found == [0.0, about(300), about(500)]


async def test_each_user_takes_slots_of_its_own_length(bed: PaceBed) -> None:
    await bed.one.reserve(2, interval=30)
    assert (await bed.two.reserve(1, interval=500)).seconds == about(60)
    assert (await bed.one.reserve(1, interval=30)).seconds == about(560)


async def test_another_domain_has_a_rate_of_its_own(bed: PaceBed) -> None:
    await take(bed.one, 9)
    await bed.one.pause(900)
    await bed.one.switch(off_reason="holidays")
    assert await take(bed.elsewhere) == ReservedSlots(0.0, DomainState())


async def test_unused_time_is_not_saved_up(bed: PaceBed) -> None:
    await take(bed.one)
    bed.pass_time(100_000)
    found = [(await take(bed.one)).seconds for _ in range(3)]
    assert found == [0.0, about(100), about(200)]


async def test_time_that_passed_brings_the_next_slot_nearer(bed: PaceBed) -> None:
    await take(bed.one)
    bed.pass_time(60)
    assert (await take(bed.two)).seconds == about(40)


async def test_no_slot_begins_during_a_pause_and_the_rate_holds_after_it(bed: PaceBed) -> None:
    await bed.one.pause(5000)
    first, second = await take(bed.two), await take(bed.one)
    assert (first.seconds, second.seconds) == (about(5000), about(5100))
    assert first.state == DomainState(about(5000), None)  # type: ignore[arg-type]  # equal to a range of numbers


async def test_a_pause_that_is_over_is_none(bed: PaceBed) -> None:
    await bed.one.pause(1000)
    bed.pass_time(1001)
    assert await bed.two.look() == DomainState()
    assert (await take(bed.two)).seconds == 0.0


async def test_a_pause_never_shortens_a_longer_one(bed: PaceBed) -> None:
    for seconds, left in ((1000, 1000), (100, 1000), (3000, 3000), (0, 3000), (-50, 3000)):
        await bed.one.pause(seconds)
        assert (await bed.two.look()).paused_seconds == about(left)


@pytest.mark.parametrize("seconds", [1e9, 1e12, float("inf")])
async def test_however_long_a_pause_is_asked_for_it_is_kept_as_one_that_no_run_waits_for(
    bed: PaceBed, seconds: float
) -> None:
    await bed.one.pause(seconds)
    assert (await bed.two.look()).paused_seconds > 999_999_000


async def test_slots_that_were_taken_before_a_pause_are_not_given_back(bed: PaceBed) -> None:
    await take(bed.one, 3)
    await bed.one.pause(50)
    assert (await take(bed.two)).seconds == about(300)


async def test_looking_takes_nothing(bed: PaceBed) -> None:
    assert [await bed.one.look() for _ in range(3)] == [DomainState()] * 3
    assert (await take(bed.two)).seconds == 0.0


async def test_a_source_that_is_off_says_why_and_gives_no_slot(bed: PaceBed) -> None:
    await bed.one.switch(off_reason="asked by its owner")
    assert await bed.two.look() == DomainState(0.0, "asked by its owner")
    for _ in range(2):
        assert (await take(bed.two, 5)).state == DomainState(0.0, "asked by its owner")
    await bed.two.switch(off_reason=None)
    assert await take(bed.one) == ReservedSlots(0.0, DomainState())


async def test_switching_again_changes_the_reason(bed: PaceBed) -> None:
    await bed.one.switch(off_reason="one")
    await bed.two.switch(off_reason="")
    assert (await bed.one.look()).off_reason == ""


async def test_switching_leaves_slots_and_pause_alone(bed: PaceBed) -> None:
    await take(bed.one, 2)
    await bed.one.pause(1000)
    await bed.one.switch(off_reason="holidays")
    await bed.one.switch(off_reason=None)
    assert (await take(bed.one)).seconds == about(1000)
