"""The source asks to be left alone: rows H1 and H13."""
# ruff: noqa: N802 -- a test's name carries the id of its row, in capitals as everywhere else

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.hostile import stored
from tests.hostile.runs import Wish, run_worker, sync
from tests.hostile.sites import FEW
from tests.hostile.verdicts import assert_bounded, assert_polite, assert_unavailable, counters, failures

if TYPE_CHECKING:
    from pathlib import Path

    from tests.hostile.sites import Site

RATE = 10.0
"""At a tenth of a second from slot to slot even a busy machine has heard of a pause before its next slot."""


async def a_known_source(wish: Wish, site: Site) -> None:
    """Let an earlier run ask for everything that is asked once, and fill the database."""
    assert (await sync(Wish(database_url=wish.database_url, url=wish.url))).outcome == "Succeeded"
    site.begin_journal()


@pytest.mark.parametrize(("form", "hosts", "seconds"), [("seconds", 2, 1), ("date", 1, 2)])
async def test_H1_a_pause_holds_the_whole_domain_back_and_costs_no_track(
    small_site: Site, database_url: str, form: str, hosts: int, seconds: int
) -> None:
    wish = Wish(database_url=database_url, url=small_site.url, rate=RATE)
    await a_known_source(wish, small_site)
    small_site.afflict("http-429", hosts, times=1, retry_after_form=form, retry_after_s=seconds)
    result = await sync(wish)
    journal = assert_polite(small_site, wish)
    assert (result.outcome, failures(result)) == ("Succeeded", {})
    assert journal["pauses"] == counters(result)["retried"] == hosts
    # A date has whole seconds: a pause of two is at least one.
    assert journal["seconds"] >= FEW / RATE + hosts
    assert stored.differences(database_url, small_site.truth()) == {}


def test_H1_a_worker_that_is_told_to_wait_by_catalogue_robots_and_dashboards_waits_for_each(
    small_site: Site, database_url: str, tmp_path: Path
) -> None:
    wish = Wish(database_url=database_url, url=small_site.url, rate=RATE)
    small_site.afflict("http-503-retry-after", 2, times=1)
    small_site.afflict_robots(
        "rate-limited",
        1,
        robots_times=1,
        catalogue_fault="rate-limited",
        catalogue_fault_times=1,
        retry_after_s=1,
    )
    ended = run_worker(wish, tmp_path)
    journal = small_site.journal()
    assert (ended.code, ended.result.outcome, failures(ended.result)) == (0, "Succeeded", {})
    assert journal["pauses"] == counters(ended.result)["retried"] == 4
    assert journal["requests_during_pause"] == 0
    assert stored.differences(database_url, small_site.truth()) == {}
    assert_bounded(ended.peak)


async def test_H1_a_pause_beyond_any_run_stops_it_with_its_checkpoint_and_the_next_one_before_it_asks(
    small_site: Site, database_url: str
) -> None:
    wish = Wish(database_url=database_url, url=small_site.url, rate=RATE)
    await a_known_source(wish, small_site)
    small_site.afflict("http-429", 3, retry_after_form="absurd")
    result = await sync(wish)
    assert_unavailable(result)
    assert "run again after that time" in result.message
    assert failures(result) == {}
    journal = assert_polite(small_site, wish)
    assert journal["pauses"] == 1
    kept = stored.checkpoint(database_url)
    assert kept.get("waiting", 0) > 0
    assert sum(kept.values()) == FEW
    for later in (wish, wish.again()):
        small_site.begin_journal()
        again = await sync(later)
        assert_unavailable(again)
        assert small_site.journal()["total"] == counters(again).get("requests", 0) == 0
    assert stored.runs(database_url)[1] == ("failed", "SourceUnavailable", 2)


@pytest.mark.parametrize("form", ["past", "garbage", "none"])
async def test_H1_a_retry_after_that_says_nothing_is_answered_with_a_pause_of_ones_own(
    site: Site, database_url: str, form: str
) -> None:
    site.afflict("http-429", 3, times=1, retry_after_form=form)
    result = await sync(Wish(database_url=database_url, url=site.url))
    assert (result.outcome, counters(result)["retried"]) == ("Succeeded", 3)
    assert stored.differences(database_url, site.truth()) == {}


async def test_H13_a_date_is_judged_by_the_clock_of_the_source_itself(site: Site, database_url: str) -> None:
    wish = Wish(database_url=database_url, url=site.url)
    site.switch(
        catalogue_fault="rate-limited", catalogue_fault_times=1, retry_after_form="date", clock_offset_s=-315_360_000
    )
    result = await sync(wish)
    journal = assert_polite(site, wish)
    assert (result.outcome, journal["pauses"]) == ("Succeeded", 1)
    assert 1 <= journal["seconds"] < 30
    assert stored.differences(database_url, site.truth()) == {}


def test_H13_a_worker_keeps_a_pause_of_a_source_that_is_ten_years_ahead(
    small_site: Site, database_url: str, tmp_path: Path
) -> None:
    wish = Wish(database_url=database_url, url=small_site.url, rate=25.0)
    small_site.switch(
        catalogue_fault="rate-limited",
        catalogue_fault_times=1,
        retry_after_form="date",
        clock_offset_s=315_360_000,
    )
    ended = run_worker(wish, tmp_path)
    journal = assert_polite(small_site, wish)
    assert (ended.code, ended.result.outcome) == (0, "Succeeded")
    assert journal["pauses"] == 1
    assert_bounded(ended.peak)
