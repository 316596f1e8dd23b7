"""The metadata stage: attempts of one dashboard, unchanged pages, what is due, a source that wants to be left alone.

The order of the queues is in test_queues.py, going on in a later attempt in test_resume.py. Time is the event loop's.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.clocks import LoopClock
from tests.support.sources import GONE, TOO_BUSY, ListSource, a_listing, validators_of
from tests.worker.running import OTHER_RUN_ID, WEEKLY, a_run, rows_of, some_ports
from tracksync.adapters.memory import MemoryDatabase
from tracksync.api.identity import Stage
from tracksync.api.result import Outcome, WorkerResult
from tracksync.core.tracks.freshness import Refresh
from tracksync.core.tracks.model import FailedItem, ItemResult
from tracksync.errors import ExitCode, ItemError, ItemErrorClass, SourceOffError, SourceUnavailableError
from tracksync.liverc.version import PARSER_VERSION
from tracksync.worker import metadata
from tracksync.worker.ending import exit_code_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracksync.api.job import Results, StageStatus
    from tracksync.ports import RunTicket

pytestmark = pytest.mark.looptime


class LongestPauses:
    def random(self) -> float:
        return 1.0


@pytest.fixture(autouse=True)
def _no_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "_RANDOM", LongestPauses())


class Recorded:
    """A ledger that remembers what was recorded."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._ledger = database.ledger
        self.batches: list[list[ItemResult]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    async def record_items(self, ticket: RunTicket, items: Sequence[ItemResult]) -> None:
        await self._ledger.record_items(ticket, items)
        self.batches.append(list(items))

    def of(self, slug: str) -> list[ItemResult]:
        return [item for batch in self.batches for item in batch if item.slug == slug]


def results_of(result: WorkerResult) -> Results:
    assert result.status.results is not None
    return result.status.results


def stage_of(result: WorkerResult, name: Stage = Stage.METADATA) -> StageStatus:
    return next(stage for stage in result.status.stages if stage.name is name)


async def test_a_dashboard_that_fails_for_a_while_is_fetched_in_the_same_run() -> None:
    source = ListSource(a_listing(12), failing={"track003": 2})
    result = await a_run(some_ports(MemoryDatabase(LoopClock()), source))
    results, stage = results_of(result), stage_of(result)
    assert (result.outcome, source.asked.count("track003")) == (Outcome.SUCCEEDED, 3)
    assert (results.fetched, results.retried, results.failed_items) == (12, 2, 0)
    assert (stage.done, stage.total, stage.retried, stage.failed) == (12, 12, 2, 0)


@pytest.mark.parametrize("attempts", [1, 3, 5])
async def test_the_last_attempts_failure_is_final_and_counts_once(attempts: int) -> None:
    database = MemoryDatabase(LoopClock())
    ledger, source = Recorded(database), ListSource(a_listing(12), failing={"track003"})
    result = await a_run(replace(some_ports(database, source), ledger=ledger), attempts=attempts)
    assert (result.outcome, results_of(result).failed_items) == (Outcome.COMPLETED_WITH_ERRORS, 1)
    assert [sample.slug for sample in result.status.failed_samples] == ["track003"]
    failures = [item for item in ledger.of("track003") if isinstance(item, FailedItem)]
    assert [item.next_try is None for item in failures] == [False] * (attempts - 1) + [True]
    assert {(item.error_class, item.http_status) for item in failures} == {(ItemErrorClass.HTTP_STATUS, 500)}


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(GONE, id="404"),
        pytest.param(ItemError("x", error_class=ItemErrorClass.NOT_A_DASHBOARD, http_status=200), id="no dashboard"),
        pytest.param(ItemError("x", error_class=ItemErrorClass.ROBOTS_DISALLOWED), id="robots"),
    ],
)
async def test_a_failure_that_another_attempt_cannot_heal_is_final_at_once(error: ItemError) -> None:
    source = ListSource(a_listing(12), failing={"track003"}, error=error)
    result = await a_run(some_ports(MemoryDatabase(LoopClock()), source))
    assert (source.asked.count("track003"), results_of(result).retried) == (1, 0)
    assert results_of(result).failed_items == 1


async def test_the_pause_before_each_attempt_grows_and_holds_nobody_up() -> None:
    source = ListSource(a_listing(20), failing={"track000": 3}, seconds=0.1)
    await a_run(some_ports(MemoryDatabase(LoopClock()), source), concurrency=1, attempts=4)
    times = [time for slug, time in zip(source.asked, source.asked_at, strict=True) if slug == "track000"]
    assert [round(later - earlier - 0.1) for earlier, later in pairwise(times)] == [2, 4, 8]
    assert source.asked[1:20] == [f"track{number:03}" for number in range(1, 20)]


async def test_tracks_that_failed_in_the_run_before_do_not_fail_every_later_run() -> None:
    database = MemoryDatabase(LoopClock())
    slugs = [track.slug for track in a_listing(100).tracks]
    gone: set[str] = set()
    for number, more in enumerate((slugs[:8], slugs[8:16], slugs[16:24])):
        gone |= set(more)
        run_id = f"{number}1111111-1111-4111-8111-111111111111"
        source = ListSource(a_listing(100), failing=gone, error=GONE)
        result = await a_run(some_ports(database, source), run_id=run_id)
        assert (result.outcome, results_of(result).failed_items) == (Outcome.COMPLETED_WITH_ERRORS, len(gone))
    source = ListSource(a_listing(100), failing=gone | set(slugs[24:36]), error=GONE)
    assert (await a_run(some_ports(database, source), run_id=OTHER_RUN_ID)).reason == "TooManyFailedItems"


async def test_a_source_of_which_every_dashboard_fails_is_not_asked_for_all_of_them_three_times() -> None:
    slugs = [track.slug for track in a_listing(400).tracks]
    source = ListSource(a_listing(400), failing=slugs, seconds=0.5)
    result = await a_run(some_ports(MemoryDatabase(LoopClock()), source))
    assert result.reason == "TooManyFailedItems"
    assert len(source.asked) <= 200
    assert max(map(source.asked.count, slugs)) == 3


async def test_a_page_that_is_unchanged_says_the_source_is_counted_and_keeps_its_values() -> None:
    database = MemoryDatabase(LoopClock())
    await a_run(some_ports(database))
    before = rows_of(database)
    source = ListSource(a_listing(12), unmodified={"track001", "track002"})
    result = await a_run(some_ports(database, source), run_id=OTHER_RUN_ID)
    assert source.conditional == {slug: validators_of(slug) for slug in source.asked}
    assert (results_of(result).fetched, results_of(result).not_modified) == (10, 2)
    assert (stage_of(result).done, rows_of(database)) == (12, before)
    assert "10 fetched, 2 not modified" in result.message


async def test_what_another_parser_read_is_asked_for_unconditionally() -> None:
    database = MemoryDatabase(LoopClock())
    await a_run(some_ports(database))
    source = ListSource(a_listing(12), unmodified={"track001"})
    newer = Refresh(WEEKLY.after, PARSER_VERSION + 1)
    result = await a_run(some_ports(database, source), run_id=OTHER_RUN_ID, refresh=newer)
    assert (source.conditional, results_of(result).fetched) == ({}, 12)


async def test_only_what_is_due_is_fetched_and_the_rest_is_shown_as_skipped() -> None:
    database = MemoryDatabase(LoopClock())
    await a_run(some_ports(database, ListSource(a_listing(12))))
    source = ListSource(a_listing(15))
    result = await a_run(some_ports(database, source), run_id=OTHER_RUN_ID, refresh=WEEKLY)
    stage = stage_of(result)
    assert sorted(source.asked) == ["track012", "track013", "track014"]
    assert (stage.done, stage.total, stage.skipped) == (3, 3, 12)
    assert "dashboards: 3 fetched, 12 not due" in result.message


async def test_the_share_that_may_fail_is_one_of_the_due_dashboards_not_of_the_catalogue() -> None:
    database = MemoryDatabase(LoopClock())
    await a_run(some_ports(database, ListSource(a_listing(100))))
    source = ListSource(a_listing(104), failing={f"track{number}" for number in range(100, 104)}, error=GONE)
    result = await a_run(some_ports(database, source), run_id=OTHER_RUN_ID, refresh=WEEKLY)
    assert result.reason == "TooManyFailedItems"
    assert "3 of 4 dashboards failed" in result.message


async def test_a_daily_run_whose_only_due_track_has_a_broken_page_still_merges_the_catalogue() -> None:
    database = MemoryDatabase(LoopClock())
    await a_run(some_ports(database, ListSource(a_listing(100))))
    source = ListSource(a_listing(101), failing={"track100"}, error=GONE)
    result = await a_run(some_ports(database, source), run_id=OTHER_RUN_ID, refresh=WEEKLY)
    assert (result.outcome, len(database.rows)) == (Outcome.COMPLETED_WITH_ERRORS, 101)


@pytest.mark.parametrize(
    ("refusal", "reason"),
    [
        pytest.param(TOO_BUSY, "SourceUnavailable", id="too long a pause"),
        pytest.param(SourceOffError("liverc.com is switched off"), "SourceOff", id="switched off"),
    ],
)
async def test_a_source_that_wants_to_be_left_alone_ends_the_stage_and_what_came_is_a_checkpoint(
    refusal: SourceUnavailableError, reason: str
) -> None:
    database = MemoryDatabase(LoopClock())
    ledger = Recorded(database)
    source = ListSource(a_listing(200), refuse_after=123, refusal=refusal, seconds=0.01)
    result = await a_run(replace(some_ports(database, source), ledger=ledger))
    assert (result.outcome, result.reason) == (Outcome.FAILED, reason)
    assert exit_code_of(result, item_errors=ExitCode.DONE) is ExitCode.TRANSIENT
    recorded = {item.slug for batch in ledger.batches for item in batch}
    assert len(recorded) == results_of(result).fetched == 120
    assert (results_of(result).failed_items, len(source.asked), database.rows) == (0, 123, {})


@pytest.mark.parametrize("refusal", [TOO_BUSY, SourceOffError("off")], ids=["paused", "off"])
async def test_preflight_asks_the_source_for_nothing_while_it_wants_to_be_left_alone(
    refusal: SourceUnavailableError,
) -> None:
    database = MemoryDatabase(LoopClock())
    source = ListSource(a_listing(12), refuse_after=-1, refusal=refusal)
    result = await a_run(some_ports(database, source))
    assert (source.listings, source.asked) == (0, [])
    assert (result.reason, [stage.name for stage in result.status.stages]) == (refusal.reason, [Stage.PREFLIGHT])
    assert next(iter(database.runs.values())).reason == refusal.reason


async def test_without_metadata_all_dashboards_are_skipped() -> None:
    source = ListSource(a_listing(12))
    result = await a_run(some_ports(MemoryDatabase(LoopClock()), source), refresh=None)
    assert (source.asked, stage_of(result).skipped, stage_of(result).total) == ([], 12, 0)
