"""What a run reports, and when: at every stage change, at most every few seconds in between, and at its end."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import structlog

from tracksync.api.job import (
    FailedSample,
    ProgressStatus,
    Results,
    StageState,
    StageStatus,
    WithheldStatus,
    WorkerStatus,
)
from tracksync.core.tracks.report import Pace
from tracksync.errors import OwnerGoneError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from tracksync.api.identity import Stage
    from tracksync.core.tracks.model import FailedItem, MergeCounters, Traffic
    from tracksync.ports import Clock, Progress

MAX_SAMPLES: Final = 10
PUBLISH_SECONDS: Final = 5.0
"""Longest time that one report may take; the run itself never waits for it before its end."""

log = structlog.stdlib.get_logger(__name__)


@dataclass(slots=True)
class _StageRecord:
    name: Stage
    start_time: datetime
    started: float
    total: int
    state: StageState = StageState.RUNNING
    done: int = 0
    failed: int = 0
    retried: int = 0
    skipped: int = 0
    found_done: int = 0
    completion_time: datetime | None = None
    seconds: float | None = None

    def pace(self, monotonic: float) -> Pace:
        seconds = max(0.0, monotonic - self.started) if self.seconds is None else self.seconds
        return Pace(self.done, self.total, seconds, self.found_done)

    def status(self) -> StageStatus:
        return StageStatus(
            name=self.name,
            state=self.state,
            start_time=self.start_time,
            completion_time=self.completion_time,
            duration_seconds=self.seconds,
            done=self.done,
            total=self.total,
            failed=self.failed,
            retried=self.retried,
            skipped=self.skipped,
        )


class RunProgress:
    """Everything that is known about a run so far; counters of a stage and of the run only ever grow."""

    def __init__(self, clock: Clock, traffic: Callable[[], Traffic]) -> None:
        """Start with no stage; `traffic` tells what was sent and received so far."""
        self._clock = clock
        self._traffic = traffic
        self._stages: list[_StageRecord] = []
        self._samples: list[FailedSample] = []
        self._counters: dict[str, int] = {}
        self._withheld: WithheldStatus | None = None
        self.stage_changed = asyncio.Event()

    @property
    def stage(self) -> Stage | None:
        """The stage that was begun last."""
        return self._stages[-1].name if self._stages else None

    @contextmanager
    def in_stage(self, name: Stage, *, total: int = 0) -> Iterator[None]:
        """Count what happens inside as this stage: Done when it ends normally, Failed when it raises."""
        record = _StageRecord(name, self._clock.now(), self._clock.monotonic(), total)
        self._stages.append(record)
        self.stage_changed.set()
        log.info("stage started", stage=str(name))
        try:
            yield
        except BaseException:
            self._end(record, StageState.FAILED)
            raise
        self._end(record, StageState.DONE)

    def _end(self, record: _StageRecord, state: StageState) -> None:
        record.state = state
        record.completion_time = self._clock.now()
        record.seconds = round(max(0.0, self._clock.monotonic() - record.started), 3)
        log.info(
            "stage finished",
            stage=str(record.name),
            state=str(state),
            seconds=record.seconds,
            done=record.done,
            total=record.total,
            failed=record.failed,
            retried=record.retried,
            skipped=record.skipped,
        )

    def expect(self, total: int) -> None:
        """Set how many items the current stage has."""
        self._stages[-1].total = total

    def find_done(self, count: int) -> None:
        """Count items that an earlier epoch finished: done, but no sign of how fast this stage is."""
        self._stages[-1].found_done += count
        self._stages[-1].done += count

    def skip_items(self, count: int) -> None:
        """Count items that need no work in the current stage; they are no part of its total."""
        self._stages[-1].skipped += count

    def finish_items(self, count: int = 1) -> None:
        """Count finished items of the current stage."""
        self._stages[-1].done += count

    def retry_item(self) -> None:
        """Count an attempt that repeats a failed one of the current stage."""
        self._stages[-1].retried += 1
        self.add(retried=1)

    def fail_item(self, item: FailedItem) -> int:
        """Count an item of the current stage that failed for good, keep the first few as samples; return all so far."""
        record = self._stages[-1]
        record.done += 1
        record.failed += 1
        self._counters["failed_items"] = record.failed
        if len(self._samples) < MAX_SAMPLES:
            sample = FailedSample(slug=item.slug, error_class=item.error_class, http_status=item.http_status)
            self._samples.append(sample)
        return record.failed

    def count_merge(self, merged: MergeCounters) -> None:
        """Set what the merge did, and what it held back."""
        self.count(
            inserted=merged.inserted,
            updated=merged.updated,
            updated_totals=merged.updated_totals,
            unchanged=merged.unchanged,
            reactivated=merged.reactivated,
            deactivated=merged.deactivated,
            withheld=merged.withheld,
        )
        if merged.withheld_reasons:
            self._withheld = WithheldStatus(
                count=merged.withheld,
                active_before=merged.active_before,
                reasons=tuple(reason.value for reason in merged.withheld_reasons),
            )

    @property
    def withheld(self) -> WithheldStatus | None:
        """The deactivation that did not happen; None when nothing was held back, or nothing was merged."""
        return self._withheld

    def count(self, **counters: int) -> None:
        """Set counters of the run's results by their names in `Results`."""
        self._counters.update(counters)

    def add(self, **counters: int) -> None:
        """Add to counters of the run's results."""
        for name, more in counters.items():
            self._counters[name] = self._counters.get(name, 0) + more

    def results(self) -> Results:
        """Return the counters so far."""
        traffic = self._traffic()
        of_the_source = {
            "requests": traffic.requests,
            "robots_requests": traffic.robots_requests,
            "bytes": traffic.bytes,
            "retried": self._counters.get("retried", 0) + traffic.retries,
        }
        counters: dict[str, Any] = self._counters | of_the_source
        return Results(**counters)

    def snapshot(self) -> WorkerStatus:
        """Return the worker's half of the status as of now."""
        return WorkerStatus(
            progress=self._progress() if self._stages else None,
            stages=tuple(record.status() for record in self._stages),
            results=self.results(),
            withheld=self._withheld,
            failed_samples=tuple(self._samples),
        )

    def _progress(self) -> ProgressStatus:
        record, now = self._stages[-1], self._clock.now()
        pace = record.pace(self._clock.monotonic())
        return ProgressStatus(
            stage=record.name,
            done=record.done,
            total=record.total,
            percent=pace.percent,
            text=pace.text,
            items_per_minute=pace.items_per_minute,
            eta=pace.eta(now) if record.state is StageState.RUNNING else None,
            heartbeat=now,
        )


class Publisher:
    """Shows a run's progress beside the run, so that a slow or unreachable display never delays it."""

    def __init__(self, port: Progress, report: RunProgress, clock: Clock, *, every_seconds: float) -> None:
        """Publish `report` to `port`, at most once in `every_seconds` unless the stage changes."""
        self._port = port
        self._report = report
        self._clock = clock
        self._every = every_seconds
        self._last = clock.monotonic()
        self._closing = False

    async def keep_publishing(self) -> None:
        """Publish whenever it is due, until `close`.

        Raises:
            OwnerGoneError: nobody wants this run any more.
        """
        while not self._closing:
            await self._until_due()
            if not self._closing:
                await self._publish()

    def close(self) -> None:
        """End `keep_publishing` after the report that is under way, so that none can overtake the last one."""
        self._closing = True
        self._report.stage_changed.set()

    async def publish_last(self) -> None:
        """Publish the final state; nothing that happens here matters to the run any more."""
        with suppress(OwnerGoneError):
            await self._publish()

    async def _until_due(self) -> None:
        wait = max(0.0, self._last + self._every - self._clock.monotonic())
        with suppress(TimeoutError):
            await asyncio.wait_for(self._report.stage_changed.wait(), timeout=wait)

    async def _publish(self) -> None:
        self._report.stage_changed.clear()
        self._last = self._clock.monotonic()
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                await self._port.publish(self._report.snapshot())
        except OwnerGoneError:
            raise
        except Exception as error:  # noqa: BLE001 -- a display may fail in any way, the run goes on
            log.warning("progress not shown", error=type(error).__name__)
