"""Taking a run back from the command line: open a run, take back, close it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

import typer

from tracksync.adapters.postgres.database import PostgresDatabase
from tracksync.api.identity import APP_NAME
from tracksync.api.job import Results
from tracksync.api.result import Outcome
from tracksync.cli.databases import opened, refuse_missing
from tracksync.cli.options import RunOutput
from tracksync.cli.render import write_json
from tracksync.core.tracks.plan import RunMode
from tracksync.errors import TrackSyncError
from tracksync.ports import RunIdentity

if TYPE_CHECKING:
    from tracksync.cli.databases import DatabaseChoice
    from tracksync.core.tracks.guards import DeactivationGuard
    from tracksync.core.tracks.undo import UndoReport
    from tracksync.ports import RunTicket


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    run_id: str
    report: UndoReport


@dataclass(frozen=True, slots=True)
class UndoWish:
    """Which run is taken back, whether only on paper, and how many tracks that may deactivate."""

    run_id: str
    is_plan: bool
    guard: DeactivationGuard


def undo_run(wish: UndoWish, choice: DatabaseChoice, output: RunOutput) -> None:
    """Take the run back and say what became of it.

    Raises:
        ConfigurationError: there is no such run, or nothing of it to take back.
        TrackSyncError: there is no usable database, or another run holds the source.
    """
    refuse_missing(choice)
    with opened(choice) as url:
        done = asyncio.run(_undo(wish, url))
    if output is RunOutput.JSON:
        write_json(_document(done))
        return
    for line in _sentences(wish, done):
        typer.echo(line)


async def _undo(wish: UndoWish, url: str) -> _Done:
    async with await PostgresDatabase.connect(url, application_name=f"{APP_NAME}-cli") as database:
        await database.ledger.verify_schema()
        undone = await database.undo.find(wish.run_id)
        identity = RunIdentity(str(uuid4()), f"undo-{str(undone.run_id)[:8]}", "", 1, undone.source)
        mode = RunMode.PLAN if wish.is_plan else RunMode.UNDO
        ticket = await database.ledger.open_run(identity, spec_hash=f"undo {undone.run_id}", mode=mode)
        try:
            report = await database.undo.take_back(ticket, undone, guard=wish.guard)
        except TrackSyncError as error:
            await _close(database, ticket, Outcome.FAILED, error.reason, Results())
            raise
        await _close(database, ticket, Outcome.SUCCEEDED, "Planned" if wish.is_plan else "Undone", _results(report))
        return _Done(run_id=identity.run_id, report=report)


async def _close(
    database: PostgresDatabase, ticket: RunTicket, outcome: Outcome, reason: str, results: Results
) -> None:
    await database.ledger.close_run(ticket, outcome=outcome, reason=reason, results=results)


def _results(report: UndoReport) -> Results:
    counters = report.counters
    return Results(
        updated=counters.updated,
        reactivated=counters.reactivated,
        deactivated=counters.deactivated,
        withheld=counters.withheld,
    )


def _document(done: _Done) -> dict[str, object]:
    counters = done.report.counters
    return {
        "runId": done.run_id,
        "updated": counters.updated,
        "reactivated": counters.reactivated,
        "deactivated": counters.deactivated,
        "withheld": counters.withheld,
        "withheldReasons": [reason.value for reason in counters.withheld_reasons],
        "logged": done.report.logged,
        "changedSince": done.report.changed_since,
        "personal": done.report.personal,
    }


def _sentences(wish: UndoWish, done: _Done) -> list[str]:
    counters, report = done.report.counters, done.report
    verb = "would be" if wish.is_plan else "were"
    changed = f"{counters.updated} tracks {verb} given their values from before, {counters.reactivated} reactivated"
    lines = [f"Of {report.logged} changes: {changed}, {counters.deactivated} deactivated"]
    if report.changed_since:
        lines += [f"{report.changed_since} stay as they are: somebody has changed the track since"]
    if report.personal:
        lines += [f"{report.personal} stay as they are: only personal fields changed, whose old values no log keeps"]
    if counters.withheld:
        limits = ", ".join(reason.value for reason in counters.withheld_reasons)
        lines += [f"{counters.withheld} tracks that the run brought in stay active ({limits})"]
        lines += [f"If they shall go, run again with --approved-ceiling {counters.withheld}"]
    return [*lines, f"This is run {done.run_id}; `tracksync report {done.run_id}` lists every track"]
