from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tracksync.liverc.relative_time import Precision, interval_of

FETCHED_AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE, HOUR, DAY, WEEK = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)


@pytest.mark.parametrize(
    ("text", "youngest", "oldest", "precision"),
    [
        ("1 minute ago", 0 * MINUTE, 2 * MINUTE, Precision.MINUTE),
        ("2 minutes ago", 2 * MINUTE, 3 * MINUTE, Precision.MINUTE),
        ("57 minutes ago", 57 * MINUTE, 58 * MINUTE, Precision.MINUTE),
        ("1 hour ago", HOUR, 2 * HOUR, Precision.HOUR),
        ("23 hours ago", 23 * HOUR, DAY, Precision.HOUR),
        ("Yesterday", DAY, 2 * DAY, Precision.DAY),
        ("6 days ago", 6 * DAY, 7 * DAY, Precision.DAY),
        ("last week", WEEK, 2 * WEEK, Precision.WEEK),
        ("4 weeks ago", 4 * WEEK, 5 * WEEK, Precision.WEEK),
        ("last month", 4 * WEEK, 9 * WEEK, Precision.MONTH),
        ("  LAST \t Month ", 4 * WEEK, 9 * WEEK, Precision.MONTH),
    ],
)
def test_a_known_text_is_its_interval(text: str, youngest: timedelta, oldest: timedelta, precision: Precision) -> None:
    found = interval_of(text)
    assert found is not None
    assert (found.youngest, found.oldest, found.precision) == (youngest, oldest, precision)


@pytest.mark.parametrize(
    ("text", "months", "precision"),
    [
        ("2 months ago", (2, 3), "month"),
        ("10 months ago", (10, 11), "month"),
        ("last year", (11, 24), "year"),
        ("3 years ago", (36, 48), "year"),
    ],
)
def test_months_and_years_are_counted_in_average_months(text: str, months: tuple[int, int], precision: str) -> None:
    found = interval_of(text)
    assert found is not None
    assert [round(age / timedelta(days=30.4375), 6) for age in (found.youngest, found.oldest)] == list(months)
    assert found.precision == precision


@pytest.mark.parametrize(
    "text",
    [
        "",
        "just now",
        "in 2 days",
        "minute",
        "day",
        "2 fortnights ago",
        "-1 days ago",
        "9999 days ago",
        "2026-01-01",
        "x 2 days ago",
    ],
)
def test_an_unknown_text_has_no_interval(text: str) -> None:
    assert interval_of(text) is None


def test_the_instant_is_the_middle_of_the_interval_before_the_fetch() -> None:
    found = interval_of("Yesterday")
    assert found is not None
    assert found.instant(FETCHED_AT) == FETCHED_AT - timedelta(hours=36)


def test_a_finer_instant_stays_the_better_fact_while_the_interval_contains_it() -> None:
    yesterday = interval_of("Yesterday")
    assert yesterday is not None
    assert yesterday.contains(FETCHED_AT - timedelta(hours=26), fetched_at=FETCHED_AT)
    assert not yesterday.contains(FETCHED_AT - timedelta(hours=2), fetched_at=FETCHED_AT)
    assert not yesterday.contains(FETCHED_AT - timedelta(days=3), fetched_at=FETCHED_AT)


def test_an_interval_contains_its_ends() -> None:
    yesterday = interval_of("Yesterday")
    assert yesterday is not None
    assert yesterday.contains(FETCHED_AT - DAY, fetched_at=FETCHED_AT)
    assert yesterday.contains(FETCHED_AT - 2 * DAY, fetched_at=FETCHED_AT)


@pytest.mark.parametrize("unit", ["minute", "hour", "day", "week", "month", "year"])
@pytest.mark.parametrize("ending", ["", "s"])
def test_a_precision_is_called_like_its_unit(unit: str, ending: str) -> None:
    found = interval_of(f"999 {unit}{ending} ago")
    assert found is not None
    assert found.precision.value == unit
    assert found.oldest - found.youngest == found.youngest / 999
