"""A run, with what goes on beside its stages, and its three ways to end: done, failed, stopped."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, NoReturn

import structlog

from tracksync.api.result import Outcome
from tracksync.errors import (
    DatabaseUnavailableError,
    FencedError,
    OwnerGoneError,
    RunCancelledError,
    TrackSyncError,
    TransientError,
)
from tracksync.worker.ending import ending_of, result_of
from tracksync.worker.opening import hold_lease
from tracksync.worker.patience import with_patience
from tracksync.worker.progress import PUBLISH_SECONDS, Publisher, RunProgress
from tracksync.worker.stages import UNWIND_SECONDS, Run, all_stages, end_what_was_merged

if TYPE_CHECKING:
    from tracksync.api.result import WorkerResult
    from tracksync.worker.ending import Ending
    from tracksync.worker.model import RunRequest, WorkerPorts

CLOSE_SECONDS: Final = 5.0
"""How long a failed or stopped run tries to write its end into the ledger."""
PURGE_SECONDS: Final = 5.0
"""How long a run that succeeded forgets old ones; a statement that is under way may take as long again."""
SUCCESSES: Final = frozenset({Outcome.SUCCEEDED, Outcome.COMPLETED_WITH_ERRORS})
ASK_SECONDS: Final = 1.0
"""How long a stopped run waits for the answer whether it may be gone on with; part of CLOSE_SECONDS."""

log = structlog.stdlib.get_logger(__name__)


async def run_sync(request: RunRequest, ports: WorkerPorts, *, stop: asyncio.Event) -> WorkerResult:
    """Run the whole sync and return how it ended; raises nothing that a stage can raise.

    A database that fails for now is waited for, within limits. Losing the lease ends the run at once. Setting `stop`
    ends it at once with no track touched, unless its merge is already committed; what was fetched stays as a checkpoint
    while somebody may go on with it. Everything after that is bounded: unwinding, closing the ledger and the last
    report take at most 18 seconds together.
    """
    ports = with_patience(ports)
    run = Run(request, ports, RunProgress(ports.clock, ports.source.traffic))
    publisher = Publisher(ports.progress, run.progress, ports.clock, every_seconds=request.report_every_seconds)
    try:
        await _until_done_or_stopped(run, publisher, stop)
        ending = run.completed()
    except Exception as error:  # noqa: BLE001 -- the run's last line of defence: every error becomes a result
        ending = _explain(error, run)
        await _close_after_failure(run, error, ending)
    await publisher.publish_last()
    if ending.outcome in SUCCESSES and not stop.is_set():
        await _forget_old_runs(ports, keep_days=request.keep_days)
    return result_of(ending, request.identity, run.progress.snapshot())


async def _forget_old_runs(ports: WorkerPorts, *, keep_days: int) -> None:
    """Forget what finished longer ago, for some seconds: the rest is for the next run, and so is a failure."""
    if ports.history is None:
        return
    try:
        async with asyncio.timeout(2 * PURGE_SECONDS):
            forgotten = await ports.history.purge(keep_days=keep_days, seconds=PURGE_SECONDS)
    except Exception as problem:  # noqa: BLE001 -- the run has succeeded, and nothing here may change that
        log.warning("old runs not forgotten", error=type(problem).__name__)
    else:
        log.info("old runs forgotten", count=forgotten)


async def _until_done_or_stopped(run: Run, publisher: Publisher, stop: asyncio.Event) -> None:
    """Work through all stages.

    Raises:
        RunCancelledError: `stop` was set, or the run's TrackSyncJob is gone, before the merge was committed.
        FencedError: the lease was lost.
    """
    work = asyncio.create_task(all_stages(run), name="stages")
    asked = asyncio.create_task(stop.wait(), name="stop")
    shown = asyncio.create_task(publisher.keep_publishing(), name="progress")
    held = asyncio.create_task(hold_lease(run.ports.ledger, run.opened), name="lease")
    others = {asked, shown, held}
    try:
        await asyncio.wait({work, *others}, return_when=asyncio.FIRST_COMPLETED)
        if work.done() or run.merged:
            await _finish(work)
        elif not await _unwind(work):
            await _end_stopped(run, _why_stopped(held, shown))
    finally:
        publisher.close()
        await asyncio.wait({shown}, timeout=PUBLISH_SECONDS)
        for task in (work, *others):
            task.cancel()
        await asyncio.wait(others)
        for task in (shown, held):
            _error_of(task)  # asked for, so that asyncio does not report it as lost


async def _finish(work: asyncio.Task[None]) -> None:
    """Let a run that has merged write its end, for some seconds."""
    await asyncio.wait({work}, timeout=UNWIND_SECONDS)
    if not work.done():
        raise DatabaseUnavailableError("the run's end could not be written into the ledger before it was stopped")
    await work


async def _unwind(work: asyncio.Task[None]) -> bool:
    """Stop the stages and let them roll back; True when the merge was committed before the stop could take hold."""
    work.cancel()
    await asyncio.wait({work}, timeout=UNWIND_SECONDS)
    return work.done() and not work.cancelled() and work.exception() is None


async def _end_stopped(run: Run, why: BaseException) -> None:
    """Raise why the run stopped, unless it turned out while it was opened that it had merged: then write its end."""
    if not run.merged:
        raise why
    await end_what_was_merged(run)


def _why_stopped(held: asyncio.Task[NoReturn], shown: asyncio.Task[None]) -> BaseException:
    cancelled = RunCancelledError("stopped as asked and rolled back; no track was touched")
    return _error_of(held) or _error_of(shown) or cancelled


def _error_of(task: asyncio.Task[Any]) -> BaseException | None:
    return task.exception() if task.done() and not task.cancelled() else None


def _explain(error: Exception, run: Run) -> Ending:
    if not isinstance(error, TrackSyncError):
        log.error("unexpected error", stage=str(run.progress.stage), exc_info=error)
    ending = ending_of(
        error, stage=run.progress.stage, database_setting=run.request.database_setting, merged=run.merged
    )
    log.warning("run ended early", outcome=str(ending.outcome), reason=ending.reason, message=ending.message)
    return ending


async def _close_after_failure(run: Run, error: Exception, ending: Ending) -> None:
    """Write the end into the ledger if that is possible in a few seconds.

    After a transient error, too many failed items among them, and after a stop the next attempt goes on from the
    checkpoint. After everything else the staged items go: nobody will, or nobody knows what they are worth.
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
                keep_checkpoint=await _is_worth_keeping(run, error),
            )
    except Exception as problem:  # noqa: BLE001 -- the run has failed already; the next epoch takes up what is left
        log.warning("run's end not written to the ledger", error=type(problem).__name__)


async def _is_worth_keeping(run: Run, error: Exception) -> bool:
    """Return whether somebody may go on with what was staged; a stopped run asks, and keeps it when nobody answers."""
    if not isinstance(error, RunCancelledError):
        return isinstance(error, TransientError)
    if isinstance(error, OwnerGoneError):
        return False
    try:
        async with asyncio.timeout(ASK_SECONDS):
            is_abandoned = await run.ports.progress.is_abandoned()
    except Exception as problem:  # noqa: BLE001 -- a display may fail in any way; the checkpoint stays
        log.warning("nobody says whether the run is still wanted", error=type(problem).__name__)
        is_abandoned = False
    log.info("run stopped", checkpoint="discarded" if is_abandoned else "kept")
    return not is_abandoned
