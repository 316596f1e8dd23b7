"""The metadata stage: dashboards of all staged tracks that wait for theirs, a few at once, committed in batches."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from tracksync.core.tracks.model import FailedItem, FetchedItem
from tracksync.core.tracks.report import MAX_FAILED_PERCENT, too_many_failed
from tracksync.errors import ItemError, TooManyFailedItemsError, TrackSyncError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracksync.core.tracks.model import ItemResult
    from tracksync.ports import RunTicket, Source
    from tracksync.worker.model import WorkerPorts
    from tracksync.worker.progress import RunProgress

CHECKPOINT_ITEMS: Final = 50
CHECKPOINT_SECONDS: Final = 2.0
"""A checkpoint is committed after so many items or seconds, whichever comes first: what a crash can lose."""


async def fetch_dashboards(
    ports: WorkerPorts, ticket: RunTicket, progress: RunProgress, *, slugs: tuple[str, ...], concurrency: int
) -> None:
    """Fetch and record the dashboard of every slug; an item's failure is recorded and the stage goes on.

    Raises:
        TooManyFailedItemsError: more items failed than a run may lose; the rest is not asked for.
    """
    results: asyncio.Queue[ItemResult] = asyncio.Queue(maxsize=2 * CHECKPOINT_ITEMS)
    waiting = iter(slugs)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_record_all(ports, ticket, results, total=len(slugs)))
            for _ in range(min(concurrency, len(slugs))):
                group.create_task(_fetch_each(ports.source, waiting, results, progress, total=len(slugs)))
    except* Exception as errors:
        raise _first_of(errors) from errors


async def _fetch_each(
    source: Source, waiting: Iterator[str], results: asyncio.Queue[ItemResult], progress: RunProgress, *, total: int
) -> None:
    """Fetch slugs from the shared iterator until it is empty."""
    for slug in waiting:
        item = await _fetch(source, slug)
        await results.put(item)
        match item:
            case FetchedItem():
                progress.finish_items()
            case FailedItem():
                _refuse_too_many(progress.fail_item(item), total)


async def _fetch(source: Source, slug: str) -> ItemResult:
    try:
        dashboard = await source.fetch_dashboard(slug)
    except ItemError as error:
        return FailedItem(slug, error.error_class, error.http_status)
    return FetchedItem(slug, dashboard.stored_values())


def _refuse_too_many(failed: int, total: int) -> None:
    if too_many_failed(failed, total):
        raise TooManyFailedItemsError(
            f"{failed} of {total} dashboards failed, more than {MAX_FAILED_PERCENT} %; no track was touched. "
            "See status.failedSamples, and try again when the source answers"
        )


async def _record_all(ports: WorkerPorts, ticket: RunTicket, results: asyncio.Queue[ItemResult], *, total: int) -> None:
    """Commit all results as they come; one batch at a time, so that checkpoints never overlap."""
    left = total
    while left:
        batch = await _next_batch(results, at_most=min(left, CHECKPOINT_ITEMS))
        await ports.ledger.record_items(ticket, batch)
        left -= len(batch)


async def _next_batch(results: asyncio.Queue[ItemResult], *, at_most: int) -> list[ItemResult]:
    batch = [await results.get()]
    try:
        async with asyncio.timeout(CHECKPOINT_SECONDS):
            while len(batch) < at_most:
                batch.append(await results.get())
    except TimeoutError:
        pass  # what has come so far is the checkpoint
    return batch


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
