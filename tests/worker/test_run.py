"""The five stages on twins: done, done with item errors, failed, and what each leaves behind.

Stopping is in test_stopping.py, crashes at every port call in test_crash_points.py, the display in test_progress.py.
Time is the event loop's, held by looptime.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.support.clocks import LoopClock
from tests.support.sources import GONE, ListSource, a_listing
from tests.worker.running import RUN_ID, SETTING, a_filled_database, a_run, rows_of, some_ports
from tracksync.adapters.memory import MemoryDatabase, MemoryLedger, MemoryProgress
from tracksync.adapters.memory_history import MemoryHistory
from tracksync.api.identity import Stage
from tracksync.api.job import StageState
from tracksync.api.result import MAX_BYTES, Outcome, WorkerResult
from tracksync.core.tracks.model import Listing, SkippedRow, SkipReason
from tracksync.core.tracks.plan import RunMode
from tracksync.errors import DatabaseUnavailableError, ExitCode, OwnerGoneError, SourceUnavailableError
from tracksync.worker.ending import exit_code_of

if TYPE_CHECKING:
    from collections.abc import MutableMapping, Sequence

    from tracksync.core.tracks.model import ItemResult
    from tracksync.ports import RunTicket

pytestmark = pytest.mark.looptime


async def test_a_run_brings_every_listed_track_into_the_database() -> None:
    database = MemoryDatabase(LoopClock())
    result = await a_run(some_ports(database, ListSource(a_listing(120), seconds=0.1)))
    assert (result.outcome, result.reason) == (Outcome.SUCCEEDED, "Completed")
    assert {row["city"] for row in database.rows.values()} == {f"City of track{number:03}" for number in range(120)}
    results = result.status.results
    assert results is not None
    assert (results.listed, results.inserted, results.requests, results.failed_items) == (120, 120, 121, 0)


async def test_a_finished_run_shows_all_five_stages_done_and_every_item() -> None:
    progress = MemoryProgress()
    await a_run(some_ports(MemoryDatabase(LoopClock()), ListSource(a_listing(120)), progress))
    last = progress.published[-1]
    assert [(stage.name, stage.state) for stage in last.stages] == [(stage, StageState.DONE) for stage in Stage]
    assert last.progress is not None
    assert (last.progress.text, last.progress.percent) == ("120/120", 100)


async def test_the_ledger_holds_the_end_and_the_counters() -> None:
    database = MemoryDatabase(LoopClock())
    result = await a_run(some_ports(database))
    run = database.runs[RUN_ID]
    assert (run.outcome, run.reason, run.results) == (Outcome.SUCCEEDED, "Completed", result.status.results)


async def test_a_second_run_on_the_same_source_changes_nothing() -> None:
    database = MemoryDatabase(LoopClock())
    await a_run(some_ports(database))
    before = rows_of(database)
    result = await a_run(some_ports(database), run_id="22222222-2222-4222-8222-222222222222")
    results = result.status.results
    assert results is not None
    assert (results.inserted, results.updated, results.unchanged) == (0, 0, 12)
    assert rows_of(database) == before


async def test_without_metadata_no_dashboard_is_asked_for_and_stored_metadata_stays() -> None:
    database = MemoryDatabase(LoopClock())
    await a_run(some_ports(database))
    source = ListSource(a_listing(12))
    result = await a_run(some_ports(database, source), run_id="22222222-2222-4222-8222-222222222222", refresh=None)
    assert (result.outcome, source.asked) == (Outcome.SUCCEEDED, [])
    assert all(row["city"] for row in database.rows.values())


async def test_dashboards_are_fetched_side_by_side_up_to_the_limit() -> None:
    source = ListSource(a_listing(40), seconds=1)
    await a_run(some_ports(MemoryDatabase(LoopClock()), source), concurrency=6)
    assert source.in_flight_at_most == 6
    assert sorted(source.asked) == [track.slug for track in source.listing.tracks]


async def test_failed_dashboards_within_the_limit_leave_their_metadata_and_the_rest_is_stored() -> None:
    database = MemoryDatabase(LoopClock())
    await a_run(some_ports(database))
    for row in database.rows.values():
        row["city"] = "Oldtown"
    for notes in database.notes.values():
        notes.metadata_hash = None
    source = ListSource(a_listing(12), failing={"track003", "track007"})
    result = await a_run(some_ports(database, source), run_id="22222222-2222-4222-8222-222222222222")
    assert (result.outcome, result.reason) == (Outcome.COMPLETED_WITH_ERRORS, "CompletedWithErrors")
    assert {row["slug"] for row in database.rows.values() if row["city"] == "Oldtown"} == source.failing
    assert {sample.slug for sample in result.status.failed_samples} == source.failing
    assert exit_code_of(result, item_errors=ExitCode.DONE) is ExitCode.DONE
    assert exit_code_of(result, item_errors=ExitCode.ITEM_ERRORS) is ExitCode.ITEM_ERRORS


async def test_too_many_failed_dashboards_end_the_run_before_the_merge_and_spare_the_source() -> None:
    database = await a_filled_database()
    before = rows_of(database)
    slugs = [track.slug for track in a_listing(200).tracks]
    source = ListSource(a_listing(200), failing=slugs, error=GONE)
    result = await a_run(some_ports(database, source))
    assert (result.outcome, result.reason) == (Outcome.FAILED, "TooManyFailedItems")
    assert exit_code_of(result, item_errors=ExitCode.DONE) is ExitCode.TRANSIENT
    assert rows_of(database) == before
    assert len(source.asked) <= 21 + 4


@pytest.mark.parametrize(("max_failed_percent", "is_done"), [(50, True), (49, False)])
async def test_the_run_obeys_the_share_that_may_fail(max_failed_percent: int, *, is_done: bool) -> None:
    slugs = [track.slug for track in a_listing(100).tracks]
    source = ListSource(a_listing(100), failing=slugs[:50], error=GONE)
    ports = some_ports(MemoryDatabase(LoopClock()), source)
    result = await a_run(ports, max_failed_percent=max_failed_percent)
    assert result.reason == ("CompletedWithErrors" if is_done else "TooManyFailedItems")
    assert is_done or "more than 49 %" in result.message


@pytest.mark.parametrize(("batch_size", "most"), [(1, 1), (7, 7), (500, 20)])
async def test_a_checkpoint_holds_no_more_than_the_batch_size_and_what_came_in_five_seconds(
    batch_size: int, most: int
) -> None:
    """Four dashboards a second, as the real source is asked."""
    database, sizes = MemoryDatabase(LoopClock()), []

    class Recording(MemoryLedger):
        """Notes how many items a checkpoint has."""

        async def record_items(self, ticket: RunTicket, items: Sequence[ItemResult]) -> None:
            sizes.append(len(items))
            await super().record_items(ticket, items)

    ports = replace(some_ports(database, ListSource(a_listing(60), seconds=1)), ledger=Recording(database))
    result = await a_run(ports, batch_size=batch_size)
    assert result.outcome is Outcome.SUCCEEDED
    assert (max(sizes), sum(sizes)) == (most, 60)


@pytest.mark.parametrize(
    "listing",
    [
        pytest.param(a_listing(3, problems=("the page ends before its table does",)), id="cut page"),
        pytest.param(Listing((), problems=("no track is listed",)), id="empty page"),
    ],
)
async def test_an_incomplete_listing_fails_the_run_and_touches_no_track(listing: Listing) -> None:
    database = await a_filled_database()
    before = rows_of(database)
    source = ListSource(listing)
    result = await a_run(some_ports(database, source))
    assert (result.outcome, result.reason) == (Outcome.FAILED, "SourceInvalid")
    assert exit_code_of(result, item_errors=ExitCode.DONE) is ExitCode.LISTING_INVALID
    assert listing.problems[0] in result.message
    assert (rows_of(database), source.asked) == (before, [])


async def test_skipped_rows_and_duplicates_are_counted() -> None:
    skipped = (SkippedRow(SkipReason.EMPTY_HREF, 3), SkippedRow(SkipReason.EMPTY_NAME, 9))
    listing = Listing(a_listing(4).tracks, skipped=skipped, duplicates=1)
    result = await a_run(some_ports(MemoryDatabase(LoopClock()), ListSource(listing)))
    results = result.status.results
    assert results is not None
    assert (results.listed, results.skipped_rows, results.duplicates) == (4, 2, 1)


async def test_a_database_without_tables_names_the_setting_and_the_remedy() -> None:
    database = MemoryDatabase(LoopClock())
    database.is_migrated = False
    result = await a_run(some_ports(database))
    assert (result.outcome, result.reason) == (Outcome.FAILED, "SchemaMismatch")
    assert SETTING in result.message
    assert "tracksync migrate" in result.message
    assert exit_code_of(result, item_errors=ExitCode.DONE) is ExitCode.CONFIGURATION


async def test_a_database_that_never_answers_ends_the_run_after_a_bounded_wait() -> None:
    database = MemoryDatabase(LoopClock())
    database.is_reachable = False
    begun = LoopClock().monotonic()
    result = await a_run(some_ports(database))
    assert result.reason == "DatabaseUnavailable"
    assert 20 <= LoopClock().monotonic() - begun <= 23
    assert exit_code_of(result, item_errors=ExitCode.DONE) is ExitCode.TRANSIENT


async def test_a_source_that_cannot_be_reached_is_worth_another_try() -> None:
    class Silent(ListSource):
        async def fetch_listing(self) -> Listing:
            raise SourceUnavailableError("live.liverc.com: no answer after 4 tries; try again later")

    result = await a_run(some_ports(MemoryDatabase(LoopClock()), Silent(a_listing(1))))
    assert (result.outcome, result.reason) == (Outcome.FAILED, "SourceUnavailable")
    assert "catalogue" in result.message


async def test_an_unexpected_error_is_explained_in_the_log_and_shows_no_data_in_its_result(
    logged: list[MutableMapping[str, object]],
) -> None:
    class Broken(ListSource):
        async def fetch_listing(self) -> Listing:
            raise ValueError("secret-canary")

    result = await a_run(some_ports(MemoryDatabase(LoopClock()), Broken(a_listing(1))))
    assert result.reason == "UnexpectedError"
    assert "secret-canary" not in result.model_dump_json()
    assert [str(entry["exc_info"]) for entry in logged if "exc_info" in entry] == ["secret-canary"]
    assert exit_code_of(result, item_errors=ExitCode.DONE) is ExitCode.UNEXPECTED


async def test_a_vanished_owner_stops_the_run_and_nothing_is_merged() -> None:
    database = await a_filled_database()
    before = rows_of(database)
    progress = MemoryProgress(error=OwnerGoneError("TrackSyncJob racing/nightly no longer exists"))
    result = await a_run(some_ports(database, ListSource(a_listing(12), seconds=1), progress))
    assert (result.outcome, result.reason) == (Outcome.CANCELLED, "OwnerGone")
    assert exit_code_of(result, item_errors=ExitCode.DONE) is ExitCode.CANCELLED
    assert rows_of(database) == before
    assert database.runs[RUN_ID].outcome is Outcome.CANCELLED


async def test_the_last_word_fits_into_the_termination_message_and_parses_back() -> None:
    slugs = [track.slug for track in a_listing(400).tracks]
    source = ListSource(a_listing(400), failing=slugs[:40])
    result = await a_run(some_ports(MemoryDatabase(LoopClock()), source))
    data = result.encode()
    assert len(data) <= MAX_BYTES
    again = WorkerResult.model_validate_json(data)
    assert (again.outcome, again.status.results) == (Outcome.COMPLETED_WITH_ERRORS, result.status.results)


async def test_a_plan_tells_what_a_merge_would_do_and_touches_no_track() -> None:
    database = await a_filled_database()
    before = rows_of(database)
    plan = await a_run(some_ports(database), mode=RunMode.PLAN, run_id="22222222-2222-4222-8222-222222222222")
    assert (plan.outcome, plan.reason) == (Outcome.SUCCEEDED, "Planned")
    assert plan.message.startswith("a plan, no track was touched; 12 tracks listed: 7 inserted")
    assert rows_of(database) == before
    done = await a_run(some_ports(database))
    assert plan.status.results is not None
    assert done.status.results is not None
    names = ("listed", "inserted", "updated", "unchanged", "reactivated", "deactivated", "withheld")
    assert [getattr(plan.status.results, name) for name in names] == [
        getattr(done.status.results, name) for name in names
    ]
    assert plan.status.results.inserted == 7


OLD_RUN_ID = "33333333-3333-4333-8333-333333333333"


async def with_an_old_run(days: float = 31) -> MemoryDatabase:
    """A database that remembers a run which finished so many days ago."""
    database = await a_filled_database()
    await a_run(some_ports(database), run_id=OLD_RUN_ID)
    old = database.runs[OLD_RUN_ID]
    for name in ("created_at", "started_at", "finished_at"):
        setattr(old, name, getattr(old, name) - timedelta(days=days))
    return database


@pytest.mark.parametrize(
    ("days", "keep_days", "is_forgotten"), [(31, 30, True), (29, 30, False), (31, 32, False), (8, 7, True)]
)
async def test_a_run_that_succeeds_forgets_what_finished_longer_ago(
    days: int, keep_days: int, *, is_forgotten: bool
) -> None:
    database = await with_an_old_run(days)
    result = await a_run(replace(some_ports(database), history=database.history), keep_days=keep_days)
    assert result.outcome is Outcome.SUCCEEDED
    assert (OLD_RUN_ID not in database.runs) is is_forgotten
    assert RUN_ID in database.runs


async def test_a_run_that_fails_or_is_stopped_forgets_nothing() -> None:
    database = await with_an_old_run()
    ports = replace(some_ports(database, ListSource(a_listing(3, problems=("cut",)))), history=database.history)
    assert (await a_run(ports)).outcome is Outcome.FAILED
    stop = asyncio.Event()
    stop.set()
    assert (await a_run(ports, stop=stop)).outcome is Outcome.CANCELLED
    assert OLD_RUN_ID in database.runs


@pytest.mark.parametrize("kind", ["error", "silence"])
async def test_forgetting_that_fails_or_hangs_changes_nothing_and_takes_ten_seconds_at_most(
    kind: str, logged: list[MutableMapping[str, object]]
) -> None:
    class Failing(MemoryHistory):
        """Cannot forget."""

        async def purge(self, *, keep_days: int, seconds: float) -> int:
            assert (keep_days, seconds) == (30, 5)
            if kind == "error":
                raise DatabaseUnavailableError("gone")
            await asyncio.sleep(3600)
            return 0

    database, clock = MemoryDatabase(LoopClock()), LoopClock()
    begun = clock.monotonic()
    progress = MemoryProgress()
    result = await a_run(replace(some_ports(database, progress=progress), history=Failing(database)))
    assert result.outcome is Outcome.SUCCEEDED
    assert database.runs[RUN_ID].outcome is Outcome.SUCCEEDED
    assert "old runs not forgotten" in {entry["event"] for entry in logged}
    assert clock.monotonic() - begun <= 10.1
