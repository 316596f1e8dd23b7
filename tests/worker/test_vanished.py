"""Tracks that vanished from the catalogue, and runs of a part of it: what the engine asks, applies, holds and tells."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.clocks import LoopClock
from tests.support.sources import ListSource, a_listing
from tests.worker.running import OTHER_RUN_ID, a_run, rows_of, some_ports
from tracksync.adapters.memory import MemoryDatabase, MemoryProgress
from tracksync.api.deactivation import DeactivationPolicy
from tracksync.api.result import Outcome
from tracksync.core.tracks.guards import DeactivationGuard
from tracksync.core.tracks.model import Listing, SkippedRow, SkipReason
from tracksync.errors import ExitCode
from tracksync.worker.ending import exit_code_of

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from tracksync.api.job import Results
    from tracksync.api.result import WorkerResult

pytestmark = pytest.mark.looptime

TRACKS = 40
LIMITS = ("maxPercent", "maxCount")


async def a_database() -> MemoryDatabase:
    """Return a database with forty active tracks."""
    database = MemoryDatabase(LoopClock())
    await a_run(some_ports(database, ListSource(a_listing(TRACKS))))
    return database


async def a_later_run(database: MemoryDatabase, listing: Listing, **changes: Any) -> WorkerResult:
    """Run again, as another run, on this listing."""
    return await a_run(some_ports(database, ListSource(listing)), run_id=OTHER_RUN_ID, **changes)


def results_of(result: WorkerResult) -> Results:
    assert result.status.results is not None
    return result.status.results


def active(database: MemoryDatabase) -> set[str]:
    return {str(row["slug"]) for row in database.rows.values() if row["is_active"]}


async def test_a_few_vanished_tracks_are_deactivated() -> None:
    database = await a_database()
    result = await a_later_run(database, a_listing(TRACKS - 2))
    results = results_of(result)
    assert (result.outcome, results.deactivated, results.withheld) == (Outcome.SUCCEEDED, 2, 0)
    assert active(database) == {track.slug for track in a_listing(TRACKS - 2).tracks}
    assert result.status.withheld is None
    assert "2 deactivated" in result.message


async def test_a_track_that_is_listed_again_comes_back() -> None:
    database = await a_database()
    await a_later_run(database, a_listing(TRACKS - 2))
    result = await a_run(
        some_ports(database, ListSource(a_listing(TRACKS))), run_id="33333333-3333-4333-8333-333333333333"
    )
    assert (results_of(result).reactivated, len(active(database))) == (2, TRACKS)
    assert "2 reactivated" in result.message


async def test_half_of_the_list_gone_is_withheld_with_numbers_and_never_fails_a_run() -> None:
    database = await a_database()
    for row in database.rows.values():
        row["name"] = "A name of yesterday"
    guard = DeactivationGuard(max_percent=5, max_count=10)
    progress = MemoryProgress()
    ports = some_ports(database, ListSource(a_listing(TRACKS // 2)), progress)
    result = await a_run(ports, run_id=OTHER_RUN_ID, guard=guard)
    results, withheld = results_of(result), result.status.withheld
    assert (result.outcome, result.reason) == (Outcome.SUCCEEDED, "Completed")
    assert exit_code_of(result, item_errors=ExitCode.DONE) is ExitCode.DONE
    assert (results.deactivated, results.withheld, results.updated) == (0, TRACKS // 2, TRACKS // 2)
    assert withheld is not None
    assert (withheld.count, withheld.active_before, withheld.reasons) == (TRACKS // 2, TRACKS, LIMITS)
    assert len(active(database)) == TRACKS
    assert "20 vanished tracks stay active (maxPercent, maxCount)" in result.message
    assert progress.published[-1].withheld == withheld
    assert database.runs[OTHER_RUN_ID].outcome is Outcome.SUCCEEDED


async def test_the_log_tells_of_a_withheld_deactivation(logged: list[MutableMapping[str, object]]) -> None:
    await a_later_run(await a_database(), a_listing(TRACKS // 2))
    [entry] = [entry for entry in logged if entry["event"] == "deactivation withheld"]
    assert (entry["count"], entry["active_before"], entry["reasons"]) == (20, 40, ["maxPercent"])


@pytest.mark.parametrize(
    ("ceiling", "deactivated", "withheld"),
    [
        pytest.param(TRACKS // 2, TRACKS // 2, 0, id="as many as were approved"),
        pytest.param(TRACKS // 2 - 1, 0, TRACKS // 2, id="one more than was approved: none"),
    ],
)
async def test_an_approved_ceiling_is_an_answer_to_a_number_and_no_blank_cheque(
    ceiling: int, deactivated: int, withheld: int
) -> None:
    database = await a_database()
    guard = DeactivationGuard(max_count=10, approved_ceiling=ceiling)
    results = results_of(await a_later_run(database, a_listing(TRACKS // 2), guard=guard))
    assert (results.deactivated, results.withheld) == (deactivated, withheld)
    assert len(active(database)) == TRACKS - deactivated


async def test_a_row_that_could_not_be_read_holds_every_deactivation() -> None:
    database = await a_database()
    listing = replace(a_listing(TRACKS - 1), skipped=(SkippedRow(SkipReason.EMPTY_NAME, 3),))
    result = await a_later_run(database, listing, guard=DeactivationGuard(approved_ceiling=TRACKS))
    assert result.status.withheld is not None
    assert result.status.withheld.reasons == ("skippedRows",)
    assert len(active(database)) == TRACKS


@pytest.mark.parametrize(
    ("policy", "reasons"),
    [(DeactivationPolicy.WITHHOLD, ("policy",)), (DeactivationPolicy.DISABLED, None)],
)
async def test_a_policy_may_only_report_or_not_even_look(
    policy: DeactivationPolicy, reasons: tuple[str, ...] | None
) -> None:
    database = await a_database()
    result = await a_later_run(database, a_listing(TRACKS - 1), guard=DeactivationGuard(policy=policy))
    told = result.status.withheld
    assert (told.reasons if told is not None else None) == reasons
    assert results_of(result).withheld == (1 if reasons else 0)
    assert len(active(database)) == TRACKS


# Runs of a part of the catalogue.

SOME = frozenset({"track001", "track003"})


async def test_only_the_wanted_tracks_are_staged_fetched_and_counted() -> None:
    database, source = MemoryDatabase(LoopClock()), ListSource(a_listing(TRACKS))
    result = await a_run(some_ports(database, source), only_slugs=SOME)
    assert (result.outcome, sorted(source.asked)) == (Outcome.SUCCEEDED, sorted(SOME))
    assert (results_of(result).listed, results_of(result).inserted, active(database)) == (2, 2, SOME)
    assert "wanted" not in result.message


async def test_a_part_of_the_catalogue_deactivates_nothing_whatever_is_approved() -> None:
    database = await a_database()
    before = rows_of(database)
    guard = DeactivationGuard(max_percent=100, max_count=TRACKS, approved_ceiling=TRACKS)
    result = await a_later_run(database, a_listing(TRACKS), only_slugs=SOME, guard=guard)
    assert result.status.withheld is not None
    assert result.status.withheld.reasons == ("filtered",)
    assert (results_of(result).deactivated, rows_of(database)) == (0, before)


async def test_a_part_of_the_catalogue_need_not_report_the_rest() -> None:
    guard = DeactivationGuard(policy=DeactivationPolicy.DISABLED)
    result = await a_later_run(await a_database(), a_listing(TRACKS), only_slugs=SOME, guard=guard)
    assert (result.status.withheld, results_of(result).withheld) == (None, 0)


async def test_a_wanted_track_that_is_not_listed_is_named_and_the_others_are_synced(
    logged: list[MutableMapping[str, object]],
) -> None:
    database = MemoryDatabase(LoopClock())
    result = await a_run(some_ports(database), only_slugs=SOME | {"no-such-track"})
    assert (result.outcome, active(database)) == (Outcome.SUCCEEDED, SOME)
    assert "1 wanted but not listed: no-such-track" in result.message
    assert [entry["slugs"] for entry in logged if entry["event"] == "wanted tracks are not listed"] == ["no-such-track"]


async def test_a_resumed_run_still_counts_wanted_tracks_that_are_not_listed() -> None:
    database, wanted = MemoryDatabase(LoopClock()), SOME | {"no-such-track"}
    refusing = ListSource(a_listing(TRACKS), refuse_after=1)
    assert (await a_run(some_ports(database, refusing), only_slugs=wanted)).outcome is Outcome.FAILED
    source = ListSource(a_listing(TRACKS))
    result = await a_run(some_ports(database, source), only_slugs=wanted, attempt=2)
    assert (result.outcome, source.listings, active(database)) == (Outcome.SUCCEEDED, 0, SOME)
    assert "1 wanted but not listed" in result.message


@pytest.mark.parametrize("setting", ["spec.onlySlugs", "--only-slug"])
async def test_a_run_of_which_no_wanted_track_is_listed_names_the_setting_and_touches_nothing(setting: str) -> None:
    database = await a_database()
    before = rows_of(database)
    wanted = frozenset({"no-such-track", "nor-this-one"})
    result = await a_later_run(database, a_listing(TRACKS), only_slugs=wanted, only_slugs_setting=setting)
    assert (result.outcome, result.reason) == (Outcome.FAILED, "ConfigurationInvalid")
    for part in (setting, "no-such-track, nor-this-one", "No track was touched"):
        assert part in result.message
    assert rows_of(database) == before


async def test_whether_the_page_is_complete_is_asked_of_the_whole_page() -> None:
    listing = a_listing(TRACKS, problems=("the page was cut",))
    result = await a_run(some_ports(MemoryDatabase(LoopClock()), ListSource(listing)), only_slugs=SOME)
    assert (result.outcome, result.reason) == (Outcome.FAILED, "SourceInvalid")
