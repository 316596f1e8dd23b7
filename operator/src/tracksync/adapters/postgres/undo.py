"""Taking back what a run changed, as a run of its own: the same lease, fence, guards and log as a merge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from psycopg.types.json import Jsonb

from tracksync.adapters.checkpoint import merged_document
from tracksync.adapters.postgres import merge_statements, undo_statements
from tracksync.adapters.postgres.fencing import fenced, run_id_of, written
from tracksync.adapters.postgres.session import one_row
from tracksync.core.tracks.model import MergeCounters
from tracksync.core.tracks.plan import ChangeKind, RunMode
from tracksync.core.tracks.undo import UndoReport
from tracksync.errors import ConfigurationError

if TYPE_CHECKING:
    from datetime import datetime

    from tracksync.adapters.postgres.session import Connection, Session
    from tracksync.core.tracks.guards import DeactivationGuard
    from tracksync.ports import RunTicket


@dataclass(frozen=True, slots=True)
class UndoneRun:
    """The run that is to be taken back."""

    run_id: UUID
    source: str
    merged_at: datetime


class PostgresUndo:
    """The inverse of a finished run's log of changes."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def find(self, run_id: str) -> UndoneRun:
        """Return the run, if there is something of it to take back.

        Raises:
            ConfigurationError: it is not known, has not succeeded, or is itself something that cannot be taken back.
        """
        try:
            undone = UUID(run_id)
        except ValueError:
            raise ConfigurationError("RUN-ID: not a run's id; `tracksync history` shows the ids") from None
        async with self._session.transaction() as connection:
            rows = await (await connection.execute(undo_statements.UNDONE_RUN, {"undone": undone})).fetchall()
        if not rows:
            raise ConfigurationError(
                f"RUN-ID: the database remembers no finished run {undone} that merged anything; `tracksync history` "
                "shows the runs and how they ended"
            )
        source, mode, merged_at = rows[0]
        if mode == RunMode.ADOPT:
            raise ConfigurationError("RUN-ID: an adoption cannot be taken back: other tables point at the adopted ids")
        return UndoneRun(undone, source, merged_at)

    async def take_back(self, ticket: RunTicket, undone: UndoneRun, *, guard: DeactivationGuard) -> UndoReport:
        """Take back, in one transaction, what the run changed and nobody has changed since.

        With a ticket of mode PLAN nothing is written but the plan. Tracks that the run inserted or reactivated are
        deactivated, all of them or none: the guard is asked as in a merge.

        Raises:
            FencedError: a newer epoch of this run exists; nothing was written.
        """
        run: dict[str, object] = {
            "run_id": run_id_of(ticket.identity),
            "epoch": ticket.epoch,
            "source": undone.source,
            "undone": undone.run_id,
            "merged_at": undone.merged_at,
        }
        is_plan = ticket.mode is RunMode.PLAN
        settled = dict(run)
        settle = None if is_plan else written(run_id_of(ticket.identity), merge_statements.IS_MERGED, settled)
        async with fenced(self._session, ticket, commit_outlives_cancel=True, settle=settle) as connection:
            await connection.execute(merge_statements.TAKE_TURN, run)
            report = await _take_back(connection, run, guard, is_plan=is_plan)
            if not is_plan:
                merged = {**run, "merged": Jsonb(merged_document(report.counters, epoch=ticket.epoch))}
                (settled["merged_at"],) = await one_row(connection, merge_statements.WRITE_MERGED, merged)
        return report


async def _take_back(
    connection: Connection, run: dict[str, object], guard: DeactivationGuard, *, is_plan: bool
) -> UndoReport:
    (logged,) = await one_row(connection, undo_statements.COUNT_CHANGES, run)
    possible, candidates, active, personal = await one_row(connection, undo_statements.COUNT_TAKEN_BACK, run)
    reasons = guard.judge(candidates=candidates, active_before=active)
    statement = undo_statements.PLAN_TAKE_BACK if is_plan else undo_statements.TAKE_BACK
    values = {**run, "deactivates": not reasons}
    counts: dict[str, int] = dict(await (await connection.execute(statement, values)).fetchall())
    counters = MergeCounters(
        updated=counts.get(ChangeKind.UPDATED, 0),
        reactivated=counts.get(ChangeKind.REACTIVATED, 0),
        deactivated=counts.get(ChangeKind.DEACTIVATED, 0),
        withheld=candidates if reasons else 0,
        withheld_reasons=reasons,
        active_before=active,
    )
    return UndoReport(counters, logged=logged, changed_since=logged - possible - personal, personal=personal)
