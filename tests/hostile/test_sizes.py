"""Answers that are no honest HTTP: rows H5 and H6. Memory is watched from outside, in the worker's own process."""
# ruff: noqa: N802 -- a test's name carries the id of its row, in capitals as everywhere else

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.hostile import stored
from tests.hostile.front import ORDINARY, a_front, a_page_that_lists
from tests.hostile.memory import MIB
from tests.hostile.runs import Wish, run_worker, sync
from tests.hostile.sites import running_site
from tests.hostile.verdicts import assert_bounded, counters, failures
from tracksync.simulator.abuse import Abuse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.hostile.sites import Site

CLASSES = {
    Abuse.ENDLESS: "TooLarge",
    Abuse.GZIP_BOMB: "TooLarge",
    Abuse.LENGTH_TOO_LONG: "Connection",
    Abuse.LENGTH_TOO_SHORT: "NotADashboard",
    Abuse.RESET: "Connection",
}
"""What becomes of a dashboard. A drip needs a shorter deadline than a worker's: it is in test_pages."""


@pytest.fixture(scope="module")
def abused_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    page = a_page_that_lists(tmp_path_factory.mktemp("site"), *CLASSES)
    with running_site("--replay-catalogue", str(page)) as site:
        yield site


async def test_H5_H6_endless_bodies_wrong_lengths_resets_and_bombs_cost_their_track_and_no_other(
    abused_site: Site, database_url: str, tmp_path: Path
) -> None:
    async with a_front(abused_site) as front:
        wish = Wish(database_url=database_url, url=front.url, attempts=1)
        ended = await asyncio.to_thread(run_worker, wish, tmp_path)
        assert (ended.code, ended.result.outcome) == (0, "CompletedWithErrors")
        assert failures(ended.result) == {abuse.value: error_class for abuse, error_class in CLASSES.items()}
        assert counters(ended.result)["fetched"] == ORDINARY
        assert front.abuse.body_bytes < 40 * MIB
    assert_bounded(ended.peak)
    tracks = stored.tracks(database_url)
    assert sum(row["city"] is not None for row in tracks.values()) == ORDINARY
    assert {slug for slug, row in tracks.items() if row["total_laps"] is None} == {abuse.value for abuse in CLASSES}


@pytest.mark.parametrize("abuse", [Abuse.ENDLESS, Abuse.GZIP_BOMB])
async def test_H5_H6_a_catalogue_without_end_is_not_believed_and_memory_stays_small(
    abused_site: Site, database_url: str, tmp_path: Path, abuse: Abuse
) -> None:
    async with a_front(abused_site, abuse_by_label={"live": abuse}) as front:
        wish = Wish(database_url=database_url, url=front.url)
        ended = await asyncio.to_thread(run_worker, wish, tmp_path)
        assert front.abuse.body_bytes < 40 * MIB
    assert (ended.code, ended.result.reason) == (40, "SourceInvalid")
    assert set(front.asked) == {"live"}
    assert_bounded(ended.peak)
    assert stored.tracks(database_url) == {}


@pytest.mark.parametrize("abuse", [Abuse.LENGTH_TOO_LONG, Abuse.LENGTH_TOO_SHORT, Abuse.RESET])
async def test_H5_a_catalogue_of_the_wrong_length_is_not_believed(
    abused_site: Site, database_url: str, abuse: Abuse
) -> None:
    async with a_front(abused_site, abuse_by_label={"live": abuse}) as front:
        result = await sync(Wish(database_url=database_url, url=front.url))
    assert (result.outcome, result.reason) == ("Failed", "SourceInvalid")
    assert stored.tracks(database_url) == {}


def test_every_abuse_has_its_place() -> None:
    assert {*CLASSES, Abuse.DRIP} == set(Abuse)
