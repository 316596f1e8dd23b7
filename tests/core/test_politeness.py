from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracksync.core.tracks.politeness import Pace, backoff_seconds, retry_after_seconds

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def starts(pace: Pace, asked_at: list[float]) -> list[float]:
    found = []
    for now in asked_at:
        pace, start = pace.reserve(now)
        found.append(start)
    return found


def test_the_first_slot_is_now_and_the_next_ones_keep_the_rate() -> None:
    assert starts(Pace(rate=4), [10.0, 10.0, 10.0, 10.5]) == [10.0, 10.25, 10.5, 10.75]


def test_a_quiet_spell_saves_up_no_burst() -> None:
    assert starts(Pace(rate=2), [0.0, 100.0, 100.0]) == [0.0, 100.0, 100.5]


@given(st.lists(st.floats(0, 100), min_size=2, max_size=50), st.floats(0.1, 1000))
def test_slots_never_come_closer_than_the_rate(times: list[float], rate: float) -> None:
    found = starts(Pace(rate=rate), sorted(times))
    assert all(later - earlier >= 1 / rate - 1e-9 for earlier, later in pairwise(found))


def test_no_slot_lies_in_a_pause_and_a_pause_never_shortens_a_longer_one() -> None:
    pace = Pace(rate=4).pause(30.0).pause(20.0)
    assert starts(pace, [10.0, 10.0]) == [30.0, 30.25]


def test_the_wait_between_tries_doubles_and_has_full_jitter() -> None:
    assert [backoff_seconds(tries, 1.0) for tries in (1, 2, 3)] == [0.5, 1.0, 2.0]
    assert backoff_seconds(3, 0.0) == 0.0
    assert backoff_seconds(3, 0.25) == 0.5
    assert backoff_seconds(10_000, 1.0) == backoff_seconds(17, 1.0)


@pytest.mark.parametrize(
    ("value", "date", "seconds"),
    [
        ("0", None, 0.0),
        (" 120 ", None, 120.0),
        ("86400", None, 86_400.0),
        ("9" * 5_000, None, 1e9),
        ("0" * 5_000, None, 0.0),
        ("Sun, 01 Mar 2026 12:02:00 GMT", None, 120.0),
        ("Sun, 01 Mar 2026 12:02:00 GMT", "Sun, 01 Mar 2026 12:01:30 GMT", 30.0),
        ("Sun, 01 Mar 2026 12:02:00 GMT", "rubbish", 120.0),
        ("Sunday, 01-Mar-26 12:02:00 GMT", None, 120.0),
        ("Sun Mar  1 12:02:00 2026", None, 120.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", None, 0.0),
        ("Fri, 01 Jan 9999 00:00:00 GMT", None, 1e9),
    ],
)
def test_trap_8_retry_after_is_obeyed_in_both_forms_and_without_a_short_cap(
    value: str, date: str | None, seconds: float
) -> None:
    assert retry_after_seconds(value, date=date, now=NOW) == seconds


@pytest.mark.parametrize(
    "value", [None, "", "soon", "-5", "1.5", "1e3", "\u0663", "Sun, 99 Mar 2026 12:02:00 GMT", "Sun,"]
)
def test_an_unusable_retry_after_says_nothing(value: str | None) -> None:
    assert retry_after_seconds(value, date=None, now=NOW) is None


@given(st.text(max_size=40), st.none() | st.text(max_size=40))
def test_no_header_raises(value: str, date: str | None) -> None:
    seconds = retry_after_seconds(value, date=date, now=NOW)
    assert seconds is None or seconds >= 0
