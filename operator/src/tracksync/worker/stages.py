"""The five stages of a run, in order: preflight, catalogue, metadata, merge, report."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import structlog

from tracksync.api.identity import Stage
from tracksync.core.tracks.model import ListingSummary
from tracksync.core.tracks.plan import RunMode
from tracksync.errors import ConfigurationError, DatabaseUnavailableError, ListingInvalidError
from tracksync.worker.ending import completed, name_some
from tracksync.worker.metadata import MetadataWork, fetch_dashboards
from tracksync.worker.opening import open_run, reach_database
from tracksync.worker.patience import OUTAGE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from tracksync.core.tracks.model import Listing, MergeCounters
    from tracksync.ports import RunTicket
    from tracksync.worker.ending import Ending
    from tracksync.worker.model import RunRequest, WorkerPorts
    from tracksync.worker.progress import RunProgress

UNWIND_SECONDS: Final = 3.0
"""How long a stopped stage may take to roll back before the run ends without it."""
END_SECONDS: Final = OUTAGE_SECONDS + 15.0
"""How long a run that has merged tries to write its end, unless it is stopped: its tracks are there already."""

log = structlog.stdlib.get_logger(__name__)


@dataclass(slots=True)
class Run:
    """A run under way.

    Attributes:
        opened: its right to write, once the ledger gave it.
        merged: whether the merge was committed, so that there is nothing left to roll back.
        not_listed: wanted tracks that the catalogue does not have; those whose names an earlier epoch knew are counted.
    """

    request: RunRequest
    ports: WorkerPorts
    progress: RunProgress
    opened: asyncio.Future[RunTicket] = field(default_factory=asyncio.Future)
    merged: bool = False
    not_listed: tuple[str, ...] = ()

    @property
    def ticket(self) -> RunTicket | None:
        """Its right to write; None before the ledger gave one."""
        return self.opened.result() if self.opened.done() else None

    def completed(self) -> Ending:
        """Return the end of the run once its merge was committed, or planned."""
        results, wanted = self.progress.results(), len(self.request.only_slugs)
        missing = max(0, wanted - results.listed) if wanted else 0
        return completed(
            results,
            withheld=self.progress.withheld,
            missing=missing,
            missing_names=self.not_listed,
            is_plan=self.request.mode is RunMode.PLAN,
        )


async def all_stages(run: Run) -> None:
    """Work through all stages of the run, or through those that an earlier epoch left."""
    with run.progress.in_stage(Stage.PREFLIGHT):
        await reach_database(run.ports.ledger, run.ports.clock)
        ticket = await _open(run)
        if ticket.merged is None:
            await run.ports.source.verify_open()
    if ticket.merged is None:
        listed = await _up_to_the_merge(run, ticket)
    else:
        listed = _take_over_merge(run, ticket.checkpoint or ListingSummary(0), ticket.merged)
    await _report(run, ticket, listed)


async def end_what_was_merged(run: Run) -> None:
    """Write the end of a run that an earlier epoch has merged, although this epoch was stopped: nothing else is left.

    Raises:
        DatabaseUnavailableError: it could not be written in time, or the merge was this epoch's own.
    """
    ticket = run.ticket
    try:
        if ticket is not None and ticket.merged is not None:
            async with asyncio.timeout(UNWIND_SECONDS):
                await _report(run, ticket, _take_over_merge(run, ticket.checkpoint or ListingSummary(0), ticket.merged))
            return
    except TimeoutError:
        pass
    raise DatabaseUnavailableError("the run's end could not be written into the ledger before it was stopped")


async def _report(run: Run, ticket: RunTicket, listed: int) -> None:
    with run.progress.in_stage(Stage.REPORT, total=listed):
        run.progress.finish_items(listed)
        await _close(run, ticket)


async def _up_to_the_merge(run: Run, ticket: RunTicket) -> int:
    """Do all stages that touch the source or the tracks, and return how many tracks are listed."""
    with run.progress.in_stage(Stage.CATALOGUE):
        summary = await _stage_listing(run, ticket)
        run.progress.finish_items(summary.listed)
    with run.progress.in_stage(Stage.METADATA):
        await _fetch_metadata(run, ticket, summary)
    with run.progress.in_stage(Stage.MERGE, total=summary.listed):
        await _merge(run, ticket)
        run.progress.finish_items(summary.listed)
    return summary.listed


def _take_over_merge(run: Run, summary: ListingSummary, merged: MergeCounters) -> int:
    """Count what an earlier epoch has merged: only the run's end is missing. Return how many tracks were listed."""
    log.info("already merged by an earlier epoch", listed=summary.listed)
    run.merged = True
    with run.progress.in_stage(Stage.MERGE, total=summary.listed):
        _show_listing(run, summary)
        fetched = max(0, summary.due - summary.not_modified - summary.failed)
        run.progress.add(fetched=fetched, not_modified=summary.not_modified, failed_items=summary.failed)
        run.progress.count_merge(merged)
        run.progress.finish_items(summary.listed)
    return summary.listed


async def _open(run: Run) -> RunTicket:
    """Open the run's row; a stop waits for it, because an opened row without its ticket could not be closed."""
    opening = asyncio.ensure_future(open_run(run.request, run.ports))
    try:
        return _opened(run, await asyncio.shield(opening))
    except asyncio.CancelledError:
        await asyncio.wait({opening}, timeout=UNWIND_SECONDS / 2)
        if opening.done() and not opening.cancelled() and opening.exception() is None:
            _opened(run, opening.result())
        opening.cancel()
        raise


def _opened(run: Run, ticket: RunTicket) -> RunTicket:
    run.opened.set_result(ticket)
    run.merged = ticket.merged is not None
    return ticket


async def _stage_listing(run: Run, ticket: RunTicket) -> ListingSummary:
    """Fetch and stage the catalogue, unless an earlier epoch did: a resumed run never asks for it again."""
    summary = ticket.checkpoint
    if summary is not None:
        log.info("resumed from checkpoint", epoch=ticket.epoch, listed=summary.listed, due=summary.due)
        _show_listing(run, summary)
        return summary
    listing = await _read_listing(run)
    _show_listing(run, ListingSummary(len(listing.tracks), len(listing.skipped), listing.duplicates))
    return await run.ports.ledger.stage_listing(ticket, listing, refresh=run.request.refresh)


async def _read_listing(run: Run) -> Listing:
    log.info("first request sent")
    listing = await run.ports.source.fetch_listing()
    if not listing.is_complete:
        raise ListingInvalidError(
            f"the source {run.request.identity.source!r} did not serve a complete catalogue page: "
            f"{'; '.join(listing.problems)}. No track was touched; look at the page, then start a new run"
        )
    return _wanted_part(run, listing) if run.request.only_slugs else listing


def _wanted_part(run: Run, listing: Listing) -> Listing:
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


def _show_listing(run: Run, summary: ListingSummary) -> None:
    run.progress.expect(summary.listed)
    run.progress.count(listed=summary.listed, skipped_rows=summary.skipped_rows, duplicates=summary.duplicates)


async def _fetch_metadata(run: Run, ticket: RunTicket, summary: ListingSummary) -> None:
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
        waiting,
        due=due,
        listed=summary.listed,
        attempts=request.attempts,
        concurrency=request.concurrency,
        batch_size=request.batch_size,
        max_failed_percent=request.max_failed_percent,
    )
    await fetch_dashboards(run.ports, ticket, run.progress, work)


async def _merge(run: Run, ticket: RunTicket) -> None:
    guard, is_filtered = run.request.guard, bool(run.request.only_slugs)
    if run.request.mode is RunMode.PLAN:
        plan = await run.ports.tracks.plan(ticket, guard=guard, is_filtered=is_filtered)
        run.progress.count_merge(plan.counters)
        return
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


async def _close(run: Run, ticket: RunTicket) -> None:
    results = run.progress.results()
    ending = run.completed()
    try:
        async with asyncio.timeout(END_SECONDS):
            await run.ports.ledger.close_run(ticket, outcome=ending.outcome, reason=ending.reason, results=results)
    except TimeoutError:
        raise DatabaseUnavailableError("the run's end could not be written into the ledger in time") from None
