"""Conditional requests and refreshAfter: row H11. An unchanged page need not come again; one that lies is found out."""
# ruff: noqa: N802 -- a test's name carries the id of its row, in capitals as everywhere else

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.hostile import stored
from tests.hostile.runs import Wish, run_worker, sync
from tests.hostile.sites import TRACKS
from tests.hostile.verdicts import assert_bounded, assert_polite, counters
from tracksync.core.tracks.freshness import MOST_UNMODIFIED

if TYPE_CHECKING:
    from pathlib import Path

    from tests.hostile.sites import Site


def execute(database_url: str, statement: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(statement.encode())


def statuses(site: Site) -> dict[str, int]:
    found: dict[str, int] = site.journal()["statuses"]
    return found


@pytest.mark.parametrize("kind", ["etag", "last-modified"])
async def test_H11_honest_validators_bring_the_changed_pages_and_no_others(
    changing_site: Site, database_url: str, kind: str
) -> None:
    site = changing_site
    site.switch(validators=kind, robots="allow")
    wish = Wish(database_url=database_url, url=site.url)
    first = await sync(wish)
    site.begin_journal()
    second = await sync(wish.again())
    assert counters(second).keys() >= {"not_modified"}
    assert (counters(second)["not_modified"], counters(second).get("fetched", 0)) == (TRACKS, 0)
    assert statuses(site) == {"200": 1, "304": TRACKS}
    assert counters(second)["bytes"] < counters(first)["bytes"] / 5
    site.next_day()
    site.begin_journal()
    third = await sync(wish.again())
    assert counters(third)["fetched"] + counters(third)["not_modified"] == counters(third)["listed"]
    assert 0 < counters(third)["fetched"] < TRACKS
    truth = site.truth()
    wrong = stored.differences(database_url, truth)
    assert {slug for slug in wrong if slug in truth} == set()
    assert_polite(site, wish)


async def test_H11_an_etag_that_lies_is_believed_a_few_times_and_then_found_out(
    changing_site: Site, database_url: str
) -> None:
    site = changing_site
    site.switch(validators="lying-etag", robots="allow")
    wish = Wish(database_url=database_url, url=site.url)
    await sync(wish)
    site.next_day()
    listed = site.truth().keys()
    for _ in range(MOST_UNMODIFIED):
        confirmed = await sync(wish.again())
        assert counters(confirmed)["not_modified"] >= TRACKS - 2
        assert any(slug in listed for slug in stored.differences(database_url, site.truth()))
    site.begin_journal()
    whole = await sync(wish.again())
    # The new track of that day has been confirmed once less.
    assert counters(whole).get("not_modified", 0) <= 1
    assert statuses(site)["200"] >= len(listed)
    assert [slug for slug in stored.differences(database_url, site.truth()) if slug in listed] == []
    # It goes on from there: the next requests are conditional again.
    assert counters(await sync(wish.again()))["not_modified"] >= len(listed) - 1


async def test_H11_what_an_older_parser_read_comes_whole_whatever_the_source_says(
    site: Site, database_url: str
) -> None:
    site.switch(validators="lying-etag", robots="allow")
    wish = Wish(database_url=database_url, url=site.url)
    await sync(wish)
    execute(database_url, "UPDATE track_freshness SET parser_version = 0")
    execute(database_url, "UPDATE tracks SET city = 'As the older parser read it', metadata_hash = NULL")
    site.begin_journal()
    result = await sync(wish.again())
    assert (statuses(site), counters(result)["fetched"]) == ({"200": TRACKS + 1}, TRACKS)
    assert stored.differences(database_url, site.truth()) == {}


async def test_a_week_s_refresh_fetches_nothing_twice_a_part_after_a_day_and_all_after_a_week(
    site: Site, database_url: str
) -> None:
    site.switch(robots="allow")
    wish = Wish(database_url=database_url, url=site.url, refresh_after="168h")
    fetched = []
    for hours in (0, 0, 24, 0, 168):
        execute(database_url, f"UPDATE track_freshness SET as_of = as_of - interval '{hours} hours'")
        site.begin_journal()
        result = await sync(wish.again())
        assert result.outcome == "Succeeded"
        assert site.journal()["by_kind"]["dashboard"] == counters(result).get("fetched", 0)
        fetched.append(counters(result).get("fetched", 0))
    assert (fetched[0], fetched[1], fetched[3], fetched[4]) == (TRACKS, 0, 0, TRACKS)
    # About a seventh.
    assert 1 <= fetched[2] <= TRACKS // 3
    assert stored.differences(database_url, site.truth()) == {}


async def test_a_failed_dashboard_is_due_again_although_the_others_are_fresh(site: Site, database_url: str) -> None:
    site.switch(robots="allow")
    hit = site.afflict("http-404", 2)
    wish = Wish(database_url=database_url, url=site.url, refresh_after="168h")
    assert (await sync(wish)).outcome == "CompletedWithErrors"
    site.switch(dashboard_faults={})
    result = await sync(wish.again())
    assert (result.outcome, counters(result)["fetched"]) == ("Succeeded", len(hit))
    assert stored.differences(database_url, site.truth()) == {}


def test_H11_a_worker_stays_small_when_every_page_is_unmodified(site: Site, database_url: str, tmp_path: Path) -> None:
    site.switch(validators="both", robots="allow")
    wish = Wish(database_url=database_url, url=site.url)
    codes = []
    for _ in range(2):
        ended = run_worker(wish.again(), tmp_path)
        codes.append(ended.code)
    assert (codes, counters(ended.result)["not_modified"]) == ([0, 0], TRACKS)
    assert_bounded(ended.peak)
