"""What a run reports and when: snapshots, throttling, a display that fails.

Time is the event loop's, held by looptime: no test waits for real.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.support.clocks import LoopClock
from tracksync.adapters.memory import ManualClock
from tracksync.api.identity import Stage
from tracksync.api.job import StageState, WorkerStatus
from tracksync.core.tracks.model import FailedItem, Traffic
from tracksync.errors import ItemErrorClass, OwnerGoneError
from tracksync.worker.progress import MAX_SAMPLES, Publisher, RunProgress

if TYPE_CHECKING:
    from tracksync.ports import Clock


def a_report(clock: Clock) -> RunProgress:
    return RunProgress(clock, lambda: Traffic(requests=3, bytes=500))


class Shown:
    """A Progress port that remembers when what was shown; `fails_with` is raised by each publish."""

    def __init__(self, *, seconds: float = 0.0, fails_with: Exception | None = None) -> None:
        self.times: list[float] = []
        self.statuses: list[WorkerStatus] = []
        self.seconds = seconds
        self.fails_with = fails_with

    async def publish(self, status: WorkerStatus) -> None:
        self.times.append(asyncio.get_running_loop().time())
        self.statuses.append(status)
        await asyncio.sleep(self.seconds)
        if self.fails_with is not None:
            raise self.fails_with

    async def is_abandoned(self) -> bool:
        return False


def test_a_snapshot_tells_stage_pace_and_expected_end() -> None:
    clock = ManualClock()
    report = a_report(clock)
    with report.in_stage(Stage.METADATA, total=1090):
        clock.advance(203)
        report.finish_items(812)
        wire = report.snapshot().to_wire()
    assert wire["progress"] == {
        "stage": "metadata",
        "done": 812,
        "total": 1090,
        "percent": 74,
        "text": "812/1090",
        "itemsPerMinute": 240.0,
        "eta": "2026-01-31T02:04:32Z",
        "heartbeat": "2026-01-31T02:03:23Z",
    }


def test_durations_come_from_the_monotonic_clock_and_stop_with_the_stage() -> None:
    clock = ManualClock()
    report = a_report(clock)
    with report.in_stage(Stage.PREFLIGHT):
        clock.advance(1.5)
    clock.advance(10)
    (stage,) = report.snapshot().stages
    assert (stage.state, stage.duration_seconds) == (StageState.DONE, 1.5)


def test_a_stage_that_raises_is_failed() -> None:
    report = a_report(ManualClock())
    with suppress(ValueError), report.in_stage(Stage.MERGE):
        raise ValueError
    assert report.snapshot().stages[0].state is StageState.FAILED


def test_failed_items_are_counted_and_the_first_ten_shown() -> None:
    report = a_report(ManualClock())
    with report.in_stage(Stage.METADATA, total=50):
        counts = [report.fail_item(FailedItem(f"t{n}", ItemErrorClass.TIMEOUT)) for n in range(12)]
    status = report.snapshot()
    assert counts == list(range(1, 13))
    assert [sample.slug for sample in status.failed_samples] == [f"t{n}" for n in range(MAX_SAMPLES)]
    assert status.results is not None
    assert (status.results.failed_items, status.results.requests, status.stages[0].failed) == (12, 3, 12)


def test_what_an_earlier_epoch_finished_counts_as_done_but_not_into_the_rate() -> None:
    clock = ManualClock()
    report = a_report(clock)
    with report.in_stage(Stage.METADATA, total=156):
        report.find_done(96)
        report.skip_items(934)
        clock.advance(15)
        report.finish_items(30)
        status = report.snapshot()
    assert status.progress is not None
    assert (status.progress.text, status.progress.items_per_minute) == ("126/156", 120.0)
    assert status.progress.eta == clock.now() + timedelta(seconds=15)
    assert (status.stages[0].done, status.stages[0].skipped) == (126, 934)


def test_repetitions_are_those_of_the_transport_and_of_the_items() -> None:
    report = RunProgress(ManualClock(), lambda: Traffic(requests=30, bytes=500, robots_requests=4, retries=5))
    with report.in_stage(Stage.METADATA, total=20):
        report.retry_item()
        report.retry_item()
        results, [stage] = report.results(), report.snapshot().stages
    assert (results.retried, results.robots_requests, stage.retried) == (7, 4, 2)


@pytest.mark.looptime
async def test_reports_come_at_stage_changes_and_at_most_every_five_seconds() -> None:
    clock, shown = LoopClock(), Shown()
    report = a_report(clock)
    publisher = Publisher(shown, report, clock, every_seconds=5)
    start = clock.monotonic()
    publishing = asyncio.create_task(publisher.keep_publishing())
    with report.in_stage(Stage.PREFLIGHT):
        await asyncio.sleep(1)
    with report.in_stage(Stage.METADATA, total=1000):
        for _ in range(120):
            await asyncio.sleep(0.1)
            report.finish_items()
    publisher.close()
    await publishing
    assert [round(moment - start, 1) for moment in shown.times] == [0.0, 1.0, 6.0, 11.0]


@pytest.mark.looptime
async def test_what_is_shown_only_ever_grows() -> None:
    clock, shown = LoopClock(), Shown()
    report = a_report(clock)
    publisher = Publisher(shown, report, clock, every_seconds=0.5)
    publishing = asyncio.create_task(publisher.keep_publishing())
    with report.in_stage(Stage.METADATA, total=100):
        for _ in range(100):
            await asyncio.sleep(0.1)
            report.finish_items()
    publisher.close()
    await publishing
    done = [status.progress.done for status in shown.statuses if status.progress]
    assert done == sorted(done)
    assert len(done) > 10


@pytest.mark.looptime
@pytest.mark.parametrize("failure", [RuntimeError("no"), OSError("no"), None], ids=["bug", "network", "too slow"])
async def test_a_display_that_fails_or_hangs_never_fails_the_run(failure: Exception | None) -> None:
    clock = LoopClock()
    shown = Shown(seconds=0 if failure else 3600, fails_with=failure)
    report = a_report(clock)
    publisher = Publisher(shown, report, clock, every_seconds=5)
    publishing = asyncio.create_task(publisher.keep_publishing())
    with report.in_stage(Stage.PREFLIGHT):
        await asyncio.sleep(30)
    publisher.close()
    await publishing
    await publisher.publish_last()
    assert len(shown.times) >= 3


@pytest.mark.looptime
async def test_a_missing_owner_ends_the_publishing_but_not_the_last_report() -> None:
    clock, shown = LoopClock(), Shown(fails_with=OwnerGoneError("gone"))
    publisher = Publisher(shown, a_report(clock), clock, every_seconds=5)
    with pytest.raises(OwnerGoneError):
        await publisher.keep_publishing()
    await publisher.publish_last()
    assert len(shown.times) == 2


@pytest.mark.looptime
async def test_no_report_is_under_way_when_the_publishing_has_ended() -> None:
    clock, shown = LoopClock(), Shown(seconds=2)
    report = a_report(clock)
    publisher = Publisher(shown, report, clock, every_seconds=5)
    publishing = asyncio.create_task(publisher.keep_publishing())
    with report.in_stage(Stage.PREFLIGHT):
        await asyncio.sleep(1)
    publisher.close()
    begun = clock.monotonic()
    await publishing
    assert clock.monotonic() - begun == pytest.approx(1.0, abs=0.1)
    assert len(shown.times) == 1
