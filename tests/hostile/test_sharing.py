"""Two workers at one source: one rate, one pause, one off switch, kept in the database that they share."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.cli.starting import tracksync
from tests.hostile import stored
from tests.hostile.runs import Ended, Wish, run_worker, sync
from tests.hostile.sites import FEW
from tests.hostile.verdicts import assert_bounded, assert_polite, assert_unavailable, counters, failures
from tracksync.adapters.postgres.database import PostgresDatabase

if TYPE_CHECKING:
    from pathlib import Path

    from tests.hostile.sites import Site

RATE = 4.0
"""The real site's. From slot to slot there is time enough for the other worker to hear of a pause."""


async def two_workers(wish: Wish, tmp_path: Path) -> list[Ended]:
    """Run two worker processes at the same time."""
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    return await asyncio.gather(*(asyncio.to_thread(run_worker, wish.again(), folder) for folder in folders))


async def a_known_source(wish: Wish, site: Site) -> None:
    """Let an earlier run ask for everything that is asked once, and fill the database."""
    assert (await sync(Wish(database_url=wish.database_url, url=wish.url))).outcome == "Succeeded"
    site.begin_journal()


async def test_two_workers_together_keep_one_rate_also_during_a_pause(
    small_site: Site, database_url: str, tmp_path: Path
) -> None:
    wish = Wish(database_url=database_url, url=small_site.url, rate=RATE)
    await a_known_source(wish, small_site)
    small_site.afflict("http-429", 1, times=1, retry_after_s=3)
    ended = await two_workers(wish, tmp_path)
    journal = assert_polite(small_site, wish)
    assert [(worker.code, failures(worker.result)) for worker in ended] == [(0, {}), (0, {})]
    assert journal["total"] == 2 * (FEW + 1) + 1 == sum(counters(worker.result)["requests"] for worker in ended)
    # Both were at work at the same time, and together as fast as one may be: neither waited for the other's end.
    assert (journal["pauses"], journal["dashboards"]["repeated"]) == (1, FEW + 1)
    assert journal["seconds"] >= (journal["total"] - 1) / RATE * 0.95 + 2.5
    assert stored.differences(database_url, small_site.truth()) == {}
    for worker in ended:
        assert_bounded(worker.peak)


async def test_the_off_switch_stops_a_run_at_its_next_request_and_on_lets_it_go_on_where_it_was(
    small_site: Site, database_url: str
) -> None:
    wish = Wish(database_url=database_url, url=small_site.url, concurrency=4)
    small_site.switch(pause_at=5)
    running = asyncio.create_task(sync(wish))
    async with asyncio.timeout(30):
        while await asyncio.to_thread(lambda: small_site.journal()["held"] < wish.concurrency):
            assert not running.done()
    done = await asyncio.to_thread(
        tracksync, "source", "off", "--reason", "asked by mail", TRACKSYNC_DATABASE_URL=database_url
    )
    assert done.returncode == 0
    before = small_site.journal()["total"]
    small_site.call("/_release", method="POST")
    result = await running
    assert (result.outcome, result.reason) == ("Failed", "SourceOff")
    assert "asked by mail" in result.message
    assert failures(result) == {}
    assert "failed_items" not in counters(result)
    # At most what was known to be allowed a tenth of a second ago.
    assert small_site.journal()["total"] <= before + wish.concurrency
    kept = stored.checkpoint(database_url)
    assert set(kept) == {"fetched", "waiting"}
    assert sum(kept.values()) == FEW
    assert stored.tracks(database_url) == {}

    small_site.begin_journal()
    still = await sync(wish)
    assert (still.reason, small_site.journal()["total"]) == ("SourceOff", 0)
    assert tracksync("source", "on", TRACKSYNC_DATABASE_URL=database_url).returncode == 0
    resumed = await sync(wish)
    journal = assert_polite(small_site, wish)
    assert (resumed.outcome, counters(resumed)["fetched"]) == ("Succeeded", FEW)
    assert (journal["by_kind"]["catalogue"], journal["by_kind"]["dashboard"]) == (0, kept["waiting"])
    assert stored.differences(database_url, small_site.truth()) == {}
    assert stored.runs(database_url) == [("succeeded", "Completed", 3)]


async def test_a_source_that_was_switched_off_stops_every_worker(small_site: Site, database_url: str) -> None:
    wish = Wish(database_url=database_url, url=small_site.url, rate=5.0)
    runs = [asyncio.create_task(sync(wish.again())) for _ in range(2)]
    async with asyncio.timeout(30):
        while await asyncio.to_thread(lambda: small_site.journal()["by_kind"]["dashboard"] < 2):
            assert not any(run.done() for run in runs)
    async with await PostgresDatabase.connect(database_url, application_name="tests") as database:
        await database.pace("liverc.com").switch(off_reason="maintenance")
    for result in await asyncio.gather(*runs):
        assert (result.reason, failures(result)) == ("SourceOff", {})
    assert stored.tracks(database_url) == {}


async def test_a_pause_that_one_run_was_asked_for_is_kept_by_the_next_one(small_site: Site, database_url: str) -> None:
    wish = Wish(database_url=database_url, url=small_site.url)
    small_site.switch(catalogue_fault="rate-limited", retry_after_s=7200)
    assert_unavailable(await sync(wish))
    small_site.switch(catalogue_fault="none")
    other = await sync(wish.again())
    assert_unavailable(other)
    assert small_site.journal()["total"] == 2
