"""The metadata stage: the dashboards that are due, a few at once, each with its attempts, committed in batches."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import SystemRandom
from typing import TYPE_CHECKING, Final

from tracksync.core.tracks.model import FailedItem, FetchedItem, UnmodifiedItem
from tracksync.core.tracks.report import MAX_FAILED_PERCENT, too_many_failed
from tracksync.errors import ItemError, TooManyFailedItemsError, TrackSyncError
from tracksync.worker.queues import DueQueue, ResultQueue, pause_after
from tracksync.worker.recording import record_all

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracksync.core.tracks.model import DueDashboard, ItemResult
    from tracksync.ports import RunTicket
    from tracksync.worker.model import WorkerPorts
    from tracksync.worker.progress import RunProgress

LAST_CHECKPOINT_SECONDS: Final = 1.0
"""How long a stopped stage tries to commit what had come by then."""
_RANDOM: Final = SystemRandom()


@dataclass(frozen=True, slots=True)
class MetadataWork:
    """What the stage has to do.

    Attributes:
        waiting: the dashboards to fetch.
        due: dashboards of the whole run, those that an earlier epoch fetched included; failures are measured by it.
        listed: tracks of the catalogue.
        attempts: attempts for one dashboard, 1 or more.
        concurrency: dashboards in flight at once.
        batch_size: results that are committed together, at most.
        max_failed_percent: share of `due` that may fail.
    """

    waiting: Sequence[DueDashboard]
    due: int
    listed: int
    attempts: int
    concurrency: int
    batch_size: int
    max_failed_percent: int = MAX_FAILED_PERCENT


async def fetch_dashboards(ports: WorkerPorts, ticket: RunTicket, progress: RunProgress, work: MetadataWork) -> None:
    """Fetch and record every waiting dashboard; an item's failure is recorded and the stage goes on.

    Whatever ends the stage early, the results that had come by then are committed first; when it is cancelled, as far
    as that can be done in LAST_CHECKPOINT_SECONDS.

    Raises:
        TooManyFailedItemsError: more items failed than a run may lose; the rest is not asked for.
        SourceUnavailableError: the source wants to be left alone; what was under way has not failed.
    """
    fetching = _Fetching(ports, progress, work)
    try:
        async with asyncio.TaskGroup() as group:
            recording = group.create_task(record_all(ports.ledger, ticket, fetching.results))
            problem = await fetching.until_done()
            if isinstance(problem, asyncio.CancelledError):
                await asyncio.wait({recording}, timeout=LAST_CHECKPOINT_SECONDS)
                recording.cancel()
    except* Exception as errors:
        raise _first_of(errors) from errors
    if problem is not None:
        raise problem


class _Fetching:
    """Fetchers that share one queue of dashboards; what they find goes into `results`."""

    def __init__(self, ports: WorkerPorts, progress: RunProgress, work: MetadataWork) -> None:
        self._source = ports.source
        self._clock = ports.clock
        self._progress = progress
        self._work = work
        self._queue = DueQueue(work.waiting, ports.clock)
        self._newly_failed = 0
        self.results = ResultQueue(work.batch_size)

    async def until_done(self) -> BaseException | None:
        """Fetch everything and close `results`; return, not raise, what ended it early: the rest is to be recorded."""
        problem: BaseException | None = None
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self._work.concurrency, len(self._work.waiting))):
                    group.create_task(self._fetch_each())
        except* Exception as errors:  # noqa: BLE001 -- raised by the caller, once the rest is recorded
            problem = _first_of(errors)
        except* asyncio.CancelledError as stops:
            problem = asyncio.CancelledError(*stops.exceptions[0].args)
        finally:
            self.results.close()
        return problem

    async def _fetch_each(self) -> None:
        await self.results.wait_for_room()
        while (dashboard := await self._queue.take()) is not None:
            if dashboard.attempts:
                self._progress.retry_item()
            result = await self._fetch(dashboard)
            self.results.put(result)
            self._account(dashboard, result)
            await self.results.wait_for_room()

    async def _fetch(self, dashboard: DueDashboard) -> ItemResult:
        slug = dashboard.slug
        try:
            page = await self._source.fetch_dashboard(slug, validators=dashboard.validators or None)
        except ItemError as error:
            return FailedItem(slug, error.error_class, error.http_status, self._next_try(dashboard, error))
        if page is None:
            return UnmodifiedItem(slug)
        return FetchedItem(slug, page.dashboard.stored_values(), page.validators)

    def _next_try(self, dashboard: DueDashboard, error: ItemError) -> datetime | None:
        attempts = dashboard.attempts + 1
        if attempts >= self._work.attempts or not error.is_transient:
            return None
        return self._clock.now() + timedelta(seconds=pause_after(attempts, chance=_RANDOM.random()))

    def _account(self, dashboard: DueDashboard, result: ItemResult) -> None:
        match result:
            case FailedItem(next_try=datetime() as next_try):
                self._queue.put_off(dashboard, next_try)
                return
            case FailedItem():
                self._progress.fail_item(result)
                # What failed in the run before is asked for each day: it says nothing about the source today.
                self._newly_failed += not dashboard.has_failed_before
                self._refuse_too_many(self._newly_failed)
            case FetchedItem():
                self._progress.finish_items()
                self._progress.add(fetched=1)
            case UnmodifiedItem():
                self._progress.finish_items()
                self._progress.add(not_modified=1)
        self._queue.end()

    def _refuse_too_many(self, failed: int) -> None:
        work = self._work
        if too_many_failed(failed, work.due, listed=work.listed, max_percent=work.max_failed_percent):
            raise TooManyFailedItemsError(
                f"{failed} of {work.due} dashboards failed that did not fail before, more than "
                f"{work.max_failed_percent} %; no track was touched. See status.failedSamples, and try again when the "
                "source answers"
            )


def _first_of(errors: BaseExceptionGroup[Exception]) -> Exception:
    """Return the error that explains the group: one of ours before an unexpected one."""
    leaves = list(_leaves(errors))
    return next((error for error in leaves if isinstance(error, TrackSyncError)), leaves[0])


def _leaves(errors: BaseExceptionGroup[Exception]) -> Iterator[Exception]:
    for error in errors.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
