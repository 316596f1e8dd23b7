"""The source fails: row H2, and the circuit that ends a run before it does harm."""
# ruff: noqa: N802 -- a test's name carries the id of its row, in capitals as everywhere else

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.hostile import stored
from tests.hostile.runs import Wish, run_worker, shorten_deadlines, sync
from tests.hostile.sites import TRACKS, running_site
from tests.hostile.verdicts import assert_bounded, assert_polite, assert_unavailable, counters, failures
from tests.support.postgres import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from tests.hostile.sites import Site

LIVES = 60
"""Requests that a dying source answers: the catalogue and some thirty hosts."""
WHILE_DYING = 40
"""So many requests at most go to a source that is dead already: a row of twenty, those in flight, and repetitions."""


@pytest.mark.parametrize("kind", ["http-500", "http-503"])
async def test_H2_bursts_of_errors_are_outlived_within_the_retry_budget(
    site: Site, database_url: str, kind: str
) -> None:
    wish = Wish(database_url=database_url, url=site.url)
    site.afflict(kind, 2, times=2)
    result = await sync(wish)
    journal = assert_polite(site, wish)
    assert (result.outcome, failures(result)) == ("Succeeded", {})
    assert counters(result)["retried"] == journal["dashboards"]["repeated"] == 4
    assert stored.differences(database_url, site.truth()) == {}


async def test_H2_an_outage_within_a_run_is_outlived_by_the_attempts_of_each_track(
    site: Site, database_url: str
) -> None:
    """More failures than the transport repeats: the dashboards get another attempt later."""
    wish = Wish(database_url=database_url, url=site.url)
    site.afflict("http-500", 3, times=5)
    result = await sync(wish)
    assert (result.outcome, failures(result)) == ("Succeeded", {})
    assert site.journal()["dashboards"]["repeated"] == counters(result)["retried"] >= 15
    assert stored.differences(database_url, site.truth()) == {}


@pytest.mark.parametrize("death", ["reset", "silence", "http-503"])
async def test_H2_a_source_that_dies_ends_the_run_with_its_checkpoint_and_the_next_epoch_asks_for_the_rest_only(
    site: Site, database_url: str, death: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten_deadlines(0.3, monkeypatch.setattr)
    wish = Wish(database_url=database_url, url=site.url)
    site.switch(dies_at=LIVES, dies_as=death)
    result = await sync(wish)
    assert_unavailable(result)
    assert "asking on would do harm" in result.message
    assert assert_polite(site, wish)["total"] <= LIVES + WHILE_DYING
    kept = stored.checkpoint(database_url)
    assert sum(kept.values()) == TRACKS
    assert kept["fetched"] > 10
    assert stored.tracks(database_url) == {}

    site.switch(dies_at=None)
    site.begin_journal()
    resumed = await sync(wish)
    journal = assert_polite(site, wish)
    assert (resumed.outcome, counters(resumed)["fetched"]) == ("Succeeded", TRACKS)
    assert (journal["by_kind"]["catalogue"], journal["by_kind"]["dashboard"]) == (0, TRACKS - kept["fetched"])
    assert stored.differences(database_url, site.truth()) == {}
    assert stored.runs(database_url) == [("succeeded", "Completed", 2)]


def test_H2_a_worker_at_a_dying_source_exits_as_transient_and_small(
    site: Site, database_url: str, tmp_path: Path
) -> None:
    site.switch(dies_at=LIVES, dies_as="reset")
    ended = run_worker(Wish(database_url=database_url, url=site.url), tmp_path)
    assert ended.code == 20
    assert_unavailable(ended.result)
    assert sum(stored.checkpoint(database_url).values()) == TRACKS
    assert_bounded(ended.peak)


async def test_H2_a_source_whose_process_ends_refuses_connections_and_is_found_again_at_its_place(
    database_url: str,
) -> None:
    port = str(free_port())
    with running_site("--port", port, "--pause-at", "20") as site:
        wish = Wish(database_url=database_url, url=site.url)
        running = asyncio.create_task(sync(wish))
        async with asyncio.timeout(30):
            while await asyncio.to_thread(lambda: site.journal()["held"] < wish.concurrency):
                assert not running.done()
    assert_unavailable(await running)
    kept = stored.checkpoint(database_url)
    assert (kept["fetched"], sum(kept.values())) == (20, TRACKS)
    with running_site("--port", port) as site:
        assert (await sync(wish)).outcome == "Succeeded"
        assert site.journal()["by_kind"]["dashboard"] == TRACKS - 20
        assert stored.differences(database_url, site.truth()) == {}


@pytest.mark.parametrize("url", ["http://127.0.0.1:PORT", "http://no-such-host.invalid:80"], ids=["refused", "no name"])
async def test_H2_a_source_that_cannot_be_reached_at_all_is_unavailable_and_costs_few_tries(
    database_url: str, url: str
) -> None:
    wish = Wish(database_url=database_url, url=url.replace("PORT", str(free_port())))
    result = await sync(wish)
    assert_unavailable(result)
    assert counters(result)["requests"] <= 4
    assert stored.tracks(database_url) == {}


@pytest.mark.parametrize("fault", ["error", "time-out"])
async def test_H2_a_catalogue_that_cannot_be_had_stops_the_run_before_it_asks_for_anything_else(
    site: Site, database_url: str, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten_deadlines(0.3, monkeypatch.setattr)
    site.switch(catalogue_fault=fault)
    wish = Wish(database_url=database_url, url=site.url)
    result = await sync(wish)
    assert_unavailable(result)
    journal = assert_polite(site, wish)
    assert (journal["by_kind"]["catalogue"], journal["by_kind"]["dashboard"]) == (4, 0)
    assert stored.tracks(database_url) == {}
