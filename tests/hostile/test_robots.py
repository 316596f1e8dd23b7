"""robots.txt: row H10. Missing allows, everything doubtful does not; what was heard once is kept for a day."""
# ruff: noqa: N802 -- a test's name carries the id of its row, in capitals as everywhere else

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.hostile import stored
from tests.hostile.runs import Wish, run_worker, sync
from tests.hostile.sites import FEW, TRACKS
from tests.hostile.verdicts import assert_bounded, assert_polite, assert_unavailable, counters, failures
from tracksync.simulator.faults import RobotsFault

if TYPE_CHECKING:
    from pathlib import Path

    from tests.hostile.sites import Site

ALLOWING = ("missing", "allow", "forbidden", "huge", "redirect")
REFUSING = {"disallow": "RobotsDisallowed", "error": "RobotsUnreachable", "redirect-loop": "RobotsUnreachable"}
WAITING = ("rate-limited", "crawl-delay")
"""The first one is in test_pauses: it asks everybody to wait."""


def let_a_day_pass(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE robots SET fetched_at = fetched_at - interval '25 hours'")


@pytest.mark.parametrize("kind", ALLOWING)
async def test_H10_a_file_that_allows_is_asked_for_once_a_day(site: Site, database_url: str, kind: str) -> None:
    site.switch(robots=kind)
    wish = Wish(database_url=database_url, url=site.url)
    first = await sync(wish)
    asked = assert_polite(site, wish)["by_kind"]["robots"]
    # A redirect leads from every track to the file of the catalogue's host, which is a request of its own.
    assert asked == counters(first)["robots_requests"] == (TRACKS + 1 if kind != "redirect" else 2 * TRACKS + 1)
    site.begin_journal()
    second = await sync(wish.again())
    assert site.journal()["by_kind"]["robots"] == counters(second).get("robots_requests", 0) == 0
    assert {first.outcome, second.outcome} == {"Succeeded"}
    assert stored.differences(database_url, site.truth()) == {}


async def test_H10_a_file_is_asked_for_again_after_a_day(site: Site, database_url: str) -> None:
    wish = Wish(database_url=database_url, url=site.url)
    for _ in range(2):
        assert counters(await sync(wish.again()))["robots_requests"] == TRACKS + 1
        let_a_day_pass(database_url)


@pytest.mark.parametrize(("kind", "error_class"), REFUSING.items())
async def test_H10_a_host_that_forbids_or_that_nobody_knows_about_is_not_asked_for_its_page(
    site: Site, database_url: str, kind: str, error_class: str
) -> None:
    hosts = 1 if kind == "error" else 2
    hit = site.afflict_robots(kind, hosts)
    wish = Wish(database_url=database_url, url=site.url, attempts=1)
    result = await sync(wish)
    journal = assert_polite(site, wish)
    assert (result.outcome, failures(result)) == ("CompletedWithErrors", dict.fromkeys(hit, error_class))
    assert journal["dashboards"] == {"distinct": TRACKS - hosts, "repeated": 0}
    tracks = stored.tracks(database_url)
    assert {slug for slug, row in tracks.items() if row["total_laps"] is None} == hit
    assert stored.differences(database_url, site.truth()).keys() == hit


@pytest.mark.parametrize(
    ("kind", "reason", "most"),
    [("disallow", "SourceNotAllowed", 1), ("error", "SourceUnavailable", 4), ("redirect-loop", "SourceUnavailable", 6)],
)
async def test_H10_a_catalogue_that_must_not_be_read_is_not_read(
    site: Site, database_url: str, kind: str, reason: str, most: int
) -> None:
    site.switch(robots=kind)
    wish = Wish(database_url=database_url, url=site.url)
    result = await sync(wish)
    journal = assert_polite(site, wish)
    assert (result.outcome, result.reason) == ("Failed", reason)
    assert journal["total"] == journal["by_kind"]["robots"] <= most
    assert stored.tracks(database_url) == {}


async def test_H10_a_file_that_cannot_be_had_today_counts_as_it_was_yesterday(site: Site, database_url: str) -> None:
    site.switch(robots="allow")
    wish = Wish(database_url=database_url, url=site.url, attempts=1)
    assert (await sync(wish)).outcome == "Succeeded"
    forbidding, allowing = site.afflict_robots("redirect-loop", 2)
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE robots SET is_allowed = false WHERE host = %s", (f"{forbidding}.liverc.com",))
    let_a_day_pass(database_url)
    site.begin_journal()
    result = await sync(wish.again())
    assert (result.outcome, failures(result)) == ("CompletedWithErrors", {forbidding: "RobotsDisallowed"})
    assert site.journal()["statuses"]["301"] == 12
    assert site.journal()["dashboards"]["distinct"] == TRACKS - 1
    assert allowing in stored.tracks(database_url)


async def test_H10_an_error_that_passes_is_asked_again_within_the_same_run(site: Site, database_url: str) -> None:
    site.afflict_robots("error", 2, robots_times=2)
    result = await sync(Wish(database_url=database_url, url=site.url))
    assert (result.outcome, counters(result)["retried"]) == ("Succeeded", 4)
    assert stored.differences(database_url, site.truth()) == {}


async def test_H10_a_crawl_delay_spaces_the_requests_to_its_host_and_slows_nobody_else(
    small_site: Site, database_url: str
) -> None:
    small_site.switch(robots="crawl-delay", crawl_delay_s=1.2)
    wish = Wish(database_url=database_url, url=small_site.url, concurrency=FEW)
    result = await sync(wish)
    journal = assert_polite(small_site, wish)
    assert result.outcome == "Succeeded"
    assert journal["per_host"] == {"peak": 1, "max_in_flight": 1}
    assert journal["requests_per_second"]["peak"] > 4
    assert stored.differences(database_url, small_site.truth()) == {}


async def test_H10_a_host_that_asks_for_longer_waits_than_a_run_has_is_left_alone(
    site: Site, database_url: str
) -> None:
    hit = site.afflict_robots("crawl-delay", 2, crawl_delay_s=3600)
    result = await sync(Wish(database_url=database_url, url=site.url))
    assert (result.outcome, failures(result)) == ("CompletedWithErrors", dict.fromkeys(hit, "RobotsDisallowed"))
    assert site.journal()["by_kind"]["dashboard"] == TRACKS - 2


def test_H10_a_worker_reads_huge_files_within_its_memory(site: Site, database_url: str, tmp_path: Path) -> None:
    site.switch(robots="huge")
    wish = Wish(database_url=database_url, url=site.url)
    ended = run_worker(wish, tmp_path)
    assert_polite(site, wish)
    assert (ended.code, ended.result.outcome) == (0, "Succeeded")
    assert_bounded(ended.peak)
    sizes = stored.rows(database_url, "SELECT max(octet_length(body)) AS largest FROM robots")
    assert sizes[0]["largest"] <= 8192


async def test_H10_files_in_trouble_on_every_track_end_the_run_before_a_page_is_asked_for(
    site: Site, database_url: str
) -> None:
    """What the catalogue's host allows is known from before."""
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO robots (domain, host, status, is_allowed, fetched_at)"
            " VALUES ('liverc.com', 'live.liverc.com', 200, true, now())"
        )
    site.switch(robots="error")
    wish = Wish(database_url=database_url, url=site.url)
    assert_unavailable(await sync(wish))
    journal = assert_polite(site, wish)
    assert journal["by_kind"]["dashboard"] == 0
    assert journal["total"] <= 40
    assert sum(stored.checkpoint(database_url).values()) == TRACKS


def test_every_robots_txt_has_its_place() -> None:
    assert {*ALLOWING, *REFUSING, *WAITING} == {kind.value for kind in RobotsFault}
