"""Which instant of a track's last activity is kept: the finer one, until what is said contradicts it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracksync.core.tracks.activity import PRECISIONS, Instant, Interval, latest_instant

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def ago(youngest: timedelta, oldest: timedelta, precision: str) -> Interval:
    return Interval(NOON - oldest, NOON - youngest, precision)


YESTERDAY = ago(DAY, 2 * DAY, "day")
precisions = st.sampled_from(PRECISIONS)
ages = st.timedeltas(timedelta(0), timedelta(days=900))
instants = st.builds(lambda age, precision: Instant(NOON - age, precision), ages, precisions)
intervals = st.builds(lambda age, width, precision: ago(age, age + width, precision), ages, ages, precisions)


@pytest.mark.parametrize(
    ("known", "kept"),
    [
        pytest.param(None, Instant(NOON - 1.5 * DAY, "day"), id="nothing known"),
        pytest.param(Instant(NOON - 26 * HOUR, "hour"), Instant(NOON - 26 * HOUR, "hour"), id="finer, and it agrees"),
        pytest.param(Instant(NOON - 26 * HOUR, "day"), Instant(NOON - 26 * HOUR, "day"), id="as fine, and it agrees"),
        pytest.param(Instant(NOON - 26 * HOUR, "week"), Instant(NOON - 1.5 * DAY, "day"), id="coarser"),
        pytest.param(Instant(NOON - 72 * HOUR, "hour"), Instant(NOON - 1.5 * DAY, "day"), id="too old"),
        pytest.param(Instant(NOON - 2 * HOUR, "hour"), Instant(NOON - 1.5 * DAY, "day"), id="too young"),
        pytest.param(Instant(NOON - DAY, "hour"), Instant(NOON - DAY, "hour"), id="at the young end"),
        pytest.param(Instant(NOON - 2 * DAY, "hour"), Instant(NOON - 2 * DAY, "hour"), id="at the old end"),
    ],
)
def test_yesterday_keeps_what_agrees_with_it_and_is_no_coarser(known: Instant | None, kept: Instant) -> None:
    assert latest_instant(known, YESTERDAY) == kept


@given(st.none() | instants)
def test_what_is_not_understood_changes_nothing(known: Instant | None) -> None:
    assert latest_instant(known, None) == known


@given(st.none() | instants, intervals)
def test_saying_the_same_again_changes_nothing(known: Instant | None, said: Interval) -> None:
    once = latest_instant(known, said)
    assert latest_instant(once, said) == once


@given(st.none() | instants, intervals)
def test_what_is_kept_lies_in_what_was_said_to_the_second(known: Instant | None, said: Interval) -> None:
    kept = latest_instant(known, said)
    assert kept is not None
    assert said.earliest - timedelta(seconds=1) <= kept.at <= said.latest
    assert PRECISIONS.index(kept.precision) <= PRECISIONS.index(said.precision)
