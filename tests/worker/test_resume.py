"""A later attempt of a run goes on where an earlier one stopped, or starts from zero when that is not safe.

What the ledger keeps is tests/ports; a kill at every call is in test_crash_points.py.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.clocks import LoopClock
from tests.support.sources import GONE, ListSource, a_listing
from tests.worker.running import ALL, WEEKLY, a_request, a_run, some_ports
from tracksync.adapters.memory import MemoryDatabase, MemoryProgress
from tracksync.api.identity import Stage
from tracksync.api.job import StageState
from tracksync.api.result import Outcome
from tracksync.core.tracks.freshness import Refresh
from tracksync.core.tracks.guards import DeactivationGuard
from tracksync.core.tracks.model import Listing, SkippedRow, SkipReason
from tracksync.errors import ItemError, ItemErrorClass
from tracksync.liverc.version import PARSER_VERSION

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from tracksync.api.result import WorkerResult

pytestmark = pytest.mark.looptime

TRACKS = 60
REFUSED_AFTER = 40
SLUGS = [track.slug for track in a_listing(TRACKS).tracks]


async def interrupted(database: MemoryDatabase, **changes: Any) -> ListSource:
    """Run an attempt whose source wants to be left alone after a while; return it."""
    skipped = (SkippedRow(SkipReason.EMPTY_NAME, 3),)
    listing = Listing(a_listing(TRACKS).tracks, skipped=skipped, duplicates=2)
    source = ListSource(listing, refuse_after=REFUSED_AFTER, seconds=0.1)
    result = await a_run(some_ports(database, source), **changes)
    assert result.outcome is Outcome.FAILED
    return source


async def test_the_next_attempt_asks_for_the_rest_only() -> None:
    database = MemoryDatabase(LoopClock())
    first = await interrupted(database)
    second = ListSource(a_listing(TRACKS))
    result = await a_run(some_ports(database, second), attempt=2)
    assert (result.outcome, second.listings) == (Outcome.SUCCEEDED, 0)
    under_way = set(first.asked) & set(second.asked)
    assert len(under_way) <= 4
    assert sorted(set(first.asked) | set(second.asked)) == SLUGS
    assert {row["city"] for row in database.rows.values()} == {f"City of {slug}" for slug in SLUGS}


async def test_a_resumed_run_shows_the_whole_run(logged: list[MutableMapping[str, object]]) -> None:
    database, progress = MemoryDatabase(LoopClock()), MemoryProgress()
    await interrupted(database)
    second = ListSource(a_listing(TRACKS), seconds=0.1)
    result = await a_run(some_ports(database, second, progress), attempt=2)
    results = result.status.results
    assert results is not None
    assert (results.listed, results.skipped_rows, results.duplicates, results.fetched) == (TRACKS, 1, 2, TRACKS)
    stages = {stage.name: stage for stage in result.status.stages}
    assert (stages[Stage.CATALOGUE].state, stages[Stage.CATALOGUE].done) == (StageState.DONE, TRACKS)
    assert (stages[Stage.METADATA].done, stages[Stage.METADATA].total) == (TRACKS, TRACKS)
    shown = [status.progress for status in progress.published if status.progress]
    begun = [report.done for report in shown if report.stage is Stage.METADATA]
    assert min(begun) >= TRACKS - len(second.asked)
    [entry] = [entry for entry in logged if entry["event"] == "resumed from checkpoint"]
    assert (entry["listed"], entry["epoch"]) == (TRACKS, 2)


async def test_unmodified_pages_of_an_earlier_attempt_stay_counted_as_such() -> None:
    database = MemoryDatabase(LoopClock())
    await a_run(some_ports(database, ListSource(a_listing(TRACKS))), run_id="33333333-3333-4333-8333-333333333333")
    first = ListSource(a_listing(TRACKS), unmodified=SLUGS[:30], refuse_after=REFUSED_AFTER, seconds=0.1)
    await a_run(some_ports(database, first))
    result = await a_run(some_ports(database, ListSource(a_listing(TRACKS))), attempt=2)
    results = result.status.results
    assert results is not None
    assert (results.fetched, results.not_modified) == (30, 30)


async def a_second_attempt(database: MemoryDatabase, **changes: Any) -> tuple[ListSource, WorkerResult]:
    source = ListSource(a_listing(TRACKS))
    return source, await a_run(some_ports(database, source), attempt=2, **changes)


async def test_another_wish_starts_from_zero() -> None:
    database = MemoryDatabase(LoopClock())
    await interrupted(database)
    source, result = await a_second_attempt(database, refresh=WEEKLY)
    assert (result.outcome, source.listings, len(source.asked)) == (Outcome.SUCCEEDED, 1, TRACKS)


async def test_more_attempts_or_less_concurrency_still_go_on() -> None:
    database = MemoryDatabase(LoopClock())
    await interrupted(database)
    source, _ = await a_second_attempt(database, attempts=5, concurrency=1)
    assert source.listings == 0


async def stopped(database: MemoryDatabase, progress: MemoryProgress) -> ListSource:
    """Stop an attempt while four dashboards are under way."""
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(10.5, stop.set)
    source = ListSource(a_listing(TRACKS), seconds=1)
    result = await a_run(some_ports(database, source, progress), stop=stop)
    assert (result.outcome, result.reason) == (Outcome.CANCELLED, "Cancelled")
    return source


async def test_after_a_stop_a_new_attempt_asks_for_the_rest_only_and_nothing_that_had_come_is_lost() -> None:
    database = MemoryDatabase(LoopClock())
    first = await stopped(database, MemoryProgress())
    source, result = await a_second_attempt(database)
    assert (result.outcome, source.listings) == (Outcome.SUCCEEDED, 0)
    had_come = first.asked[:-4]
    assert len(had_come) >= TRACKS // 2
    assert sorted(source.asked) == sorted(set(SLUGS) - set(had_come))
    assert {row["city"] for row in database.rows.values()} == {f"City of {slug}" for slug in SLUGS}


async def test_after_a_stop_of_a_run_that_nobody_can_go_on_with_nothing_is_kept() -> None:
    database = MemoryDatabase(LoopClock())
    await stopped(database, MemoryProgress(abandoned=True))
    assert not any(database.items.values())
    source, _ = await a_second_attempt(database)
    assert (source.listings, len(source.asked)) == (1, TRACKS)


@pytest.mark.parametrize("answer", ["error", "silence"])
async def test_a_stopped_run_keeps_its_checkpoint_when_nobody_says_whether_it_is_wanted(answer: str) -> None:
    class Unwilling(MemoryProgress):
        """A display that cannot say."""

        async def is_abandoned(self) -> bool:
            if answer == "error":
                raise RuntimeError("no answer")
            await asyncio.sleep(3600)
            return True

    database, clock = MemoryDatabase(LoopClock()), LoopClock()
    begun = clock.monotonic()
    await stopped(database, Unwilling())
    assert clock.monotonic() - begun <= 10.5 + 1.1
    source, _ = await a_second_attempt(database)
    assert source.listings == 0


async def test_too_many_failures_keep_what_was_fetched_and_give_the_failed_ones_all_their_attempts_again() -> None:
    database = MemoryDatabase(LoopClock())
    first = ListSource(a_listing(TRACKS), failing=SLUGS[40:], error=GONE, seconds=0.1)
    failed = await a_run(some_ports(database, first))
    assert failed.reason == "TooManyFailedItems"
    second = ListSource(a_listing(TRACKS), failing=dict.fromkeys(SLUGS[40:], 2))
    result = await a_run(some_ports(database, second), attempt=2)
    assert (result.outcome, second.listings) == (Outcome.SUCCEEDED, 0)
    assert set(second.asked) == set(SLUGS[40:])
    assert {second.asked.count(slug) for slug in SLUGS[40:]} == {3}


async def test_failures_of_a_resumed_run_are_measured_by_the_whole_run() -> None:
    """Of the twenty that are left three fail: more than 10 % of the rest, fewer than 10 % of the run."""
    database = MemoryDatabase(LoopClock())
    await interrupted(database)
    second = ListSource(a_listing(TRACKS), failing=SLUGS[50:53], error=GONE)
    result = await a_run(some_ports(database, second), attempt=2)
    assert result.outcome is Outcome.COMPLETED_WITH_ERRORS
    assert result.status.results is not None
    assert (result.status.results.failed_items, result.status.results.fetched) == (3, TRACKS - 3)


async def test_an_attempt_that_was_cut_off_between_two_tries_goes_on_with_the_next_try() -> None:
    timeout = ItemError("no answer", error_class=ItemErrorClass.TIMEOUT)
    database = MemoryDatabase(LoopClock())
    first = ListSource(a_listing(TRACKS), failing={SLUGS[0]}, error=timeout, refuse_after=REFUSED_AFTER, seconds=0.1)
    await a_run(some_ports(database, first))
    second = ListSource(a_listing(TRACKS))
    result = await a_run(some_ports(database, second), attempt=2)
    assert (result.outcome, SLUGS[0] in second.asked) == (Outcome.SUCCEEDED, True)


HASHES = [
    pytest.param({}, True, id="the same"),
    pytest.param({"attempts": 9, "concurrency": 64, "attempt": 2}, True, id="how, not what"),
    pytest.param({"refresh": Refresh(timedelta(hours=24), PARSER_VERSION)}, False, id="another age"),
    pytest.param({"refresh": None}, False, id="no metadata"),
    pytest.param({"guard": DeactivationGuard(approved_ceiling=9)}, True, id="the guard is asked in the merge"),
    pytest.param({"only_slugs": frozenset({"track001"})}, False, id="a part of the catalogue"),
]


@pytest.mark.parametrize(("changes", "is_same"), HASHES)
def test_the_hash_of_the_spec_says_whether_a_checkpoint_fits(*, changes: dict[str, Any], is_same: bool) -> None:
    assert (a_request(**changes).spec_hash == a_request().spec_hash) is is_same


def test_the_hash_of_the_spec_is_the_same_in_every_process() -> None:
    assert a_request(refresh=ALL).spec_hash == a_request(refresh=ALL).spec_hash
    assert len(a_request().spec_hash) == 64
    some, others = (frozenset(slugs) for slugs in (["a", "b"], ["b", "a"]))
    assert a_request(only_slugs=some).spec_hash == a_request(only_slugs=others).spec_hash
