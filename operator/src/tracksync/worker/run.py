"""The five stages of a run, in order, and its three ways to end: done, failed, stopped."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import structlog

from tracksync.api.identity import Stage
from tracksync.api.result import Outcome
from tracksync.core.tracks.model import ListingSummary
from tracksync.errors import (
    ConfigurationError,
    DatabaseUnavailableError,
    FencedError,
    ListingInvalidError,
    RunCancelledError,
    TrackSyncError,
    TransientError,
)
from tracksync.worker.ending import completed, ending_of, name_some, result_of
from tracksync.worker.metadata import MetadataWork, fetch_dashboards
from tracksync.worker.progress import PUBLISH_SECONDS, Publisher, RunProgress

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from tracksync.api.result import WorkerResult
    from tracksync.core.tracks.model import Listing, MergeCounters
    from tracksync.ports import RunTicket
    from tracksync.worker.ending import Ending
    from tracksync.worker.model import RunRequest, WorkerPorts

DATABASE_WAIT_SECONDS: Final = 20.0
"""How long preflight waits for a database that does not answer; it may be starting at the same time."""
DATABASE_PAUSE_SECONDS: Final = 1.0
UNWIND_SECONDS: Final = 3.0
"""How long a stopped stage may take to roll back before the run ends without it."""
CLOSE_SECONDS: Final = 5.0
"""How long a failed or stopped run tries to write its end into the ledger."""

log = structlog.stdlib.get_logger(__name__)


async def run_sync(request: RunRequest, ports: WorkerPorts, *, stop: asyncio.Event) -> WorkerResult:
    """Run the whole sync and return how it ended; raises nothing that a stage can raise.

    Setting `stop` ends the run at once and rolls it back, unless its merge is already committed. Everything after that
    is bounded: unwinding, closing the ledger and the last report take at most 18 seconds together.
    """
    run = _Run(request, ports, RunProgress(ports.clock, ports.source.traffic))
    publisher = Publisher(ports.progress, run.progress, ports.clock, every_seconds=request.report_every_seconds)
    try:
        await _until_done_or_stopped(run, publisher, stop)
        ending = run.completed()
    except Exception as error:  # noqa: BLE001 -- the run's last line of defence: every error becomes a result
        ending = _explain(error, run)
        await _close_after_failure(run, error, ending)
    await publisher.publish_last()
    return result_of(ending, request.identity, run.progress.snapshot())


@dataclass(slots=True)
class _Run:
    """A run under way.

    Attributes:
        ticket: its right to write; None before the ledger gave one.
        merged: whether the merge was committed, so that there is nothing left to roll back.
        not_listed: wanted tracks that the catalogue does not have; those whose names an earlier epoch knew are counted.
    """

    request: RunRequest
    ports: WorkerPorts
    progress: RunProgress
    ticket: RunTicket | None = None
    merged: bool = False
    not_listed: tuple[str, ...] = ()

    def completed(self) -> Ending:
        """Return the end of the run once its merge was committed."""
        results, wanted = self.progress.results(), len(self.request.only_slugs)
        missing = max(0, wanted - results.listed) if wanted else 0
        return completed(results, withheld=self.progress.withheld, missing=missing, missing_names=self.not_listed)


async def _all_stages(run: _Run) -> None:
    with run.progress.in_stage(Stage.PREFLIGHT):
        await _reach_database(run)
        ticket = await _open(run)
        await run.ports.source.verify_open()
    with run.progress.in_stage(Stage.CATALOGUE):
        summary = await _stage_listing(run, ticket)
        run.progress.finish_items(summary.listed)
    with run.progress.in_stage(Stage.METADATA):
        await _fetch_metadata(run, ticket, summary)
    with run.progress.in_stage(Stage.MERGE, total=summary.listed):
        await _merge(run, ticket)
        run.progress.finish_items(summary.listed)
    with run.progress.in_stage(Stage.REPORT, total=summary.listed):
        run.progress.finish_items(summary.listed)
        await _close(run, ticket)


async def _reach_database(run: _Run) -> None:
    """Pass when the database answers and is at the expected migration; wait a little for one that does not answer."""
    clock = run.ports.clock
    deadline = clock.monotonic() + DATABASE_WAIT_SECONDS
    while True:
        try:
            await run.ports.ledger.verify_schema()
        except DatabaseUnavailableError:
            if clock.monotonic() >= deadline:
                raise
            log.warning("database does not answer, waiting", seconds_left=round(deadline - clock.monotonic(), 1))
            await asyncio.sleep(DATABASE_PAUSE_SECONDS)
        else:
            return


async def _open(run: _Run) -> RunTicket:
    """Open the run's row; a stop waits for it, because an opened row without its ticket could not be closed."""
    request = run.request
    opening = asyncio.ensure_future(run.ports.ledger.open_run(request.identity, spec_hash=request.spec_hash))
    try:
        run.ticket = await asyncio.shield(opening)
    except asyncio.CancelledError:
        await asyncio.wait({opening}, timeout=UNWIND_SECONDS / 2)
        if opening.done() and opening.exception() is None:
            run.ticket = opening.result()
        opening.cancel()
        raise
    return run.ticket


async def _stage_listing(run: _Run, ticket: RunTicket) -> ListingSummary:
    """Fetch and stage the catalogue, unless an earlier epoch did: a resumed run never asks for it again."""
    summary = ticket.checkpoint
    if summary is not None:
        log.info("resumed from checkpoint", epoch=ticket.epoch, listed=summary.listed, due=summary.due)
        _show_listing(run, summary)
        return summary
    listing = await _read_listing(run)
    summary = ListingSummary(len(listing.tracks), len(listing.skipped), listing.duplicates)
    _show_listing(run, summary)
    await run.ports.ledger.stage_listing(ticket, listing, refresh=run.request.refresh)
    return summary


async def _read_listing(run: _Run) -> Listing:
    log.info("first request sent")
    listing = await run.ports.source.fetch_listing()
    if not listing.is_complete:
        raise ListingInvalidError(
            f"the source {run.request.identity.source!r} did not serve a complete catalogue page: "
            f"{'; '.join(listing.problems)}. No track was touched; look at the page, then start a new run"
        )
    return _wanted_part(run, listing) if run.request.only_slugs else listing


def _wanted_part(run: _Run, listing: Listing) -> Listing:
    """Return the listing with the wanted tracks only.

    Raises:
        ConfigurationError: none of them is listed.
    """
    request = run.request
    tracks = tuple(track for track in listing.tracks if track.slug in request.only_slugs)
    run.not_listed = tuple(sorted(request.only_slugs - {track.slug for track in tracks}))
    if not tracks:
        raise ConfigurationError(
            f"{request.only_slugs_setting}: the catalogue of {request.identity.source!r} has none of these tracks: "
            f"{name_some(run.not_listed)}. No track was touched; correct the slugs"
        )
    if run.not_listed:
        log.warning("wanted tracks are not listed", count=len(run.not_listed), slugs=name_some(run.not_listed))
    return replace(listing, tracks=tracks)


def _show_listing(run: _Run, summary: ListingSummary) -> None:
    run.progress.expect(summary.listed)
    run.progress.count(listed=summary.listed, skipped_rows=summary.skipped_rows, duplicates=summary.duplicates)


async def _fetch_metadata(run: _Run, ticket: RunTicket, summary: ListingSummary) -> None:
    """Fetch the dashboards that are due and not fetched yet; progress starts at what earlier epochs fetched."""
    request = run.request
    if request.refresh is None:
        run.progress.skip_items(summary.listed)
        return
    waiting = await run.ports.ledger.pending_dashboards(ticket)
    due = max(summary.due, len(waiting))
    found_done = due - len(waiting)
    run.progress.expect(due)
    run.progress.find_done(found_done)
    run.progress.skip_items(max(0, summary.listed - due))
    run.progress.add(fetched=max(0, found_done - summary.not_modified), not_modified=summary.not_modified)
    work = MetadataWork(
        waiting, due=due, listed=summary.listed, attempts=request.attempts, concurrency=request.concurrency
    )
    await fetch_dashboards(run.ports, ticket, run.progress, work)


async def _merge(run: _Run, ticket: RunTicket) -> None:
    guard, is_filtered = run.request.guard, bool(run.request.only_slugs)
    merge = run.ports.tracks.merge(ticket, guard=guard, is_filtered=is_filtered)
    counters = await _commit_or_roll_back(merge)
    run.merged = True
    run.progress.count_merge(counters)
    if counters.withheld_reasons:
        log.warning(
            "deactivation withheld",
            count=counters.withheld,
            active_before=counters.active_before,
            reasons=[str(reason) for reason in counters.withheld_reasons],
        )


async def _commit_or_roll_back(merge: Coroutine[None, None, MergeCounters]) -> MergeCounters:
    """Return the merge's counters, also when a stop came too late to keep it from committing."""
    merging = asyncio.ensure_future(merge)
    try:
        return await asyncio.shield(merging)
    except asyncio.CancelledError:
        merging.cancel()
        await asyncio.wait({merging}, timeout=UNWIND_SECONDS - 0.5)
        if merging.done() and not merging.cancelled() and merging.exception() is None:
            return merging.result()
        raise


async def _close(run: _Run, ticket: RunTicket) -> None:
    results = run.progress.results()
    ending = run.completed()
    async with asyncio.timeout(CLOSE_SECONDS):
        await run.ports.ledger.close_run(ticket, outcome=ending.outcome, reason=ending.reason, results=results)


async def _until_done_or_stopped(run: _Run, publisher: Publisher, stop: asyncio.Event) -> None:
    """Work through all stages.

    Raises:
        RunCancelledError: `stop` was set, or the run's TrackSyncJob is gone, before the merge was committed.
    """
    work = asyncio.create_task(_all_stages(run), name="stages")
    asked = asyncio.create_task(stop.wait(), name="stop")
    shown = asyncio.create_task(publisher.keep_publishing(), name="progress")
    try:
        await asyncio.wait({work, asked, shown}, return_when=asyncio.FIRST_COMPLETED)
        if work.done() or run.merged:
            await work
        elif not await _unwind(work):
            raise _why_stopped(shown)
    finally:
        publisher.close()
        await asyncio.wait({shown}, timeout=PUBLISH_SECONDS)
        for task in (work, asked, shown):
            task.cancel()
        await asyncio.wait({asked, shown})
        if not shown.cancelled():
            shown.exception()  # asked for, so that asyncio does not report it as lost


async def _unwind(work: asyncio.Task[None]) -> bool:
    """Stop the stages and let them roll back; True when the merge was committed before the stop could take hold."""
    work.cancel()
    await asyncio.wait({work}, timeout=UNWIND_SECONDS)
    return work.done() and not work.cancelled() and work.exception() is None


def _why_stopped(shown: asyncio.Task[None]) -> BaseException:
    gone = shown.exception() if shown.done() and not shown.cancelled() else None
    return gone or RunCancelledError("stopped as asked; everything of this run was rolled back, no track was touched")


def _explain(error: Exception, run: _Run) -> Ending:
    if not isinstance(error, TrackSyncError):
        log.error("unexpected error", stage=str(run.progress.stage), exc_info=error)
    ending = ending_of(
        error, stage=run.progress.stage, database_setting=run.request.database_setting, merged=run.merged
    )
    log.warning("run ended early", outcome=str(ending.outcome), reason=ending.reason, message=ending.message)
    return ending


async def _close_after_failure(run: _Run, error: Exception, ending: Ending) -> None:
    """Write the end into the ledger if that is possible in a few seconds.

    After a transient error, too many failed items among them, the next attempt goes on from the checkpoint. After
    everything else the staged items go: somebody wanted that, or nobody knows what they are worth.
    """
    if run.ticket is None or isinstance(error, FencedError):
        return
    outcome = Outcome.CANCELLED if ending.outcome is Outcome.CANCELLED else Outcome.FAILED
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await run.ports.ledger.close_run(
                run.ticket,
                outcome=outcome,
                reason=ending.reason,
                results=run.progress.results(),
                keep_checkpoint=isinstance(error, TransientError),
            )
    except Exception as problem:  # noqa: BLE001 -- the run has failed already; the next epoch takes up what is left
        log.warning("run's end not written to the ledger", error=type(problem).__name__)
