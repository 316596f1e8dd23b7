"""Shares, rates and expected ends of a run, and how many failed tracks it may lose.

Left out: the engine's use of these rules (tests/worker).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracksync.core.tracks.report import MAX_FAILED_PERCENT, Pace, allowed_failures, too_many_failed

NOW = datetime(2026, 1, 31, 2, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("due", "listed", "allowed"),
    [
        pytest.param(0, 1090, 0, id="nothing to fetch, nothing may fail"),
        pytest.param(1, 1, 0, id="never the whole catalogue"),
        pytest.param(2, 2, 1, id="of two, one"),
        pytest.param(3, 3, 2, id="a small catalogue tolerates two"),
        pytest.param(1, 1090, 2, id="a daily run whose only due track has a broken page"),
        pytest.param(29, 29, 2, id="two are fewer than 10 % of 29"),
        pytest.param(30, 30, 3, id="from 30 on the share decides"),
        pytest.param(156, 1090, 15, id="10 % of what a daily run fetches"),
        pytest.param(1090, 1090, 109, id="10 % of the real catalogue"),
    ],
)
def test_the_number_of_failures_a_run_may_lose(due: int, listed: int, allowed: int) -> None:
    assert allowed_failures(due, listed=listed) == allowed
    assert not too_many_failed(allowed, due, listed=listed)
    assert too_many_failed(allowed + 1, due, listed=listed)


@pytest.mark.parametrize(
    ("max_percent", "allowed"),
    [(0, 2), (1, 2), (10, 20), (50, 100), (100, 199)],
    ids=["two in any case", "two are more", "the default", "half", "never all of them"],
)
def test_the_share_may_be_another_one(max_percent: int, allowed: int) -> None:
    assert allowed_failures(200, listed=200, max_percent=max_percent) == allowed
    assert not too_many_failed(allowed, 200, listed=200, max_percent=max_percent)
    assert too_many_failed(allowed + 1, 200, listed=200, max_percent=max_percent)


@given(due=st.integers(min_value=30, max_value=10**6), failed=st.integers(min_value=0, max_value=10**6))
def test_of_many_due_dashboards_more_than_the_share_is_too_many(due: int, failed: int) -> None:
    assert too_many_failed(failed, due, listed=due) == (failed * 100 > due * MAX_FAILED_PERCENT)


@given(listed=st.integers(min_value=1, max_value=10**6))
def test_a_catalogue_of_which_every_dashboard_failed_is_never_merged(listed: int) -> None:
    assert too_many_failed(listed, listed, listed=listed)


@given(total=st.integers(min_value=1, max_value=10**6), data=st.data())
def test_a_hundred_percent_means_that_everything_is_finished(total: int, data: st.DataObject) -> None:
    done = data.draw(st.integers(min_value=0, max_value=total))
    assert (Pace(done, total, 1.0).percent == 100) == (done == total)


@pytest.mark.parametrize(
    ("pace", "text", "percent", "rate", "seconds_left"),
    [
        pytest.param(Pace(812, 1090, 203.0), "812/1090", 74, 240.0, 69.5, id="in the middle"),
        pytest.param(Pace(0, 1090, 3.0), "0/1090", 0, None, None, id="nothing finished yet"),
        pytest.param(Pace(0, 0, 3.0), "", 0, None, None, id="total not known"),
        pytest.param(Pace(7, 7, 0.0), "7/7", 100, None, None, id="no time has passed"),
        pytest.param(Pace(126, 156, 15.0, found_done=96), "126/156", 80, 120.0, 15.0, id="most was found done"),
        pytest.param(Pace(96, 156, 5.0, found_done=96), "96/156", 61, None, None, id="nothing but what was found"),
        pytest.param(Pace(10, 10, 60.0), "10/10", 100, 10.0, None, id="nothing left"),
    ],
)
def test_a_stage_says_how_far_it_is_and_when_it_ends(
    pace: Pace, text: str, percent: int, rate: float | None, seconds_left: float | None
) -> None:
    eta = None if seconds_left is None else NOW + timedelta(seconds=seconds_left)
    assert (pace.text, pace.percent, pace.items_per_minute, pace.eta(NOW)) == (text, percent, rate, eta)
