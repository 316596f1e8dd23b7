"""What became of runs, read from PostgreSQL; and forgetting them when they are old."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from tracksync.adapters.postgres import history_statements
from tracksync.adapters.postgres.history_statements import RUN_COLUMNS
from tracksync.core.tracks.history import LEAST_KEEP_DAYS, FailedTrack, RunRecord, RunReport
from tracksync.core.tracks.plan import ChangeKind, RunMode, TrackChange

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from psycopg.sql import SQL, Composed

    from tracksync.adapters.postgres.session import Session
    from tracksync.core.tracks.history import RunQuery

RUNS_AT_ONCE: Final = 100
ROWS_AT_ONCE: Final = 5_000
"""Rows that one transaction deletes; on a slow disk that is a fraction of a second."""


class PostgresHistory:
    """`tracksync.ports.History` on PostgreSQL."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def find_runs(self, query: RunQuery) -> Sequence[RunRecord]:
        """Return the runs that the query finds, newest first."""
        values = {
            "name": query.name,
            "namespace": query.namespace,
            "state": query.state,
            "since": query.since,
            "until": query.until,
            "limit": query.limit,
        }
        return [_record(row) for row in await self._rows(history_statements.FIND_RUNS, values)]

    async def read_run(self, run_id: str) -> RunReport | None:
        """Return one run with its changes and failed tracks; None: there is none of this id, or it is no id."""
        try:
            values = {"run_id": UUID(run_id)}
        except ValueError:
            return None
        rows = await self._rows(history_statements.READ_RUN, values)
        if not rows:
            return None
        run = _record(rows[0])
        is_plan = run.mode == RunMode.PLAN
        statement = history_statements.PLANNED_BY_RUN if is_plan else history_statements.CHANGES_OF_RUN
        changes = changes_of(await self._rows(statement, values))
        failures = [FailedTrack(*row) for row in await self._rows(history_statements.FAILURES_OF_RUN, values)]
        return RunReport(run, changes, failures)

    async def purge(self, *, keep_days: int, seconds: float) -> int:
        """Forget runs that ended longer ago, oldest first, for so many seconds at most; return how many.

        Raises:
            ValueError: `keep_days` is below LEAST_KEEP_DAYS.
        """
        if keep_days < LEAST_KEEP_DAYS:
            raise ValueError(f"history is kept for {LEAST_KEEP_DAYS} days at least, not {keep_days}")
        deadline, forgotten = monotonic() + seconds, 0
        while True:
            values = {"keep_days": keep_days, "limit": RUNS_AT_ONCE}
            old = await self._rows(history_statements.OLD_RUNS, values)
            for (run_id,) in old:
                if not await self._forget(run_id, deadline):
                    return forgotten
                forgotten += 1
            if len(old) < RUNS_AT_ONCE:
                return forgotten

    async def _forget(self, run_id: UUID, deadline: float) -> bool:
        """Delete what belongs to the run in parts, then the run; False when the time was over before."""
        values = {"run_id": run_id, "limit": ROWS_AT_ONCE}
        for statement in history_statements.FORGET_PARTS:
            deleted = ROWS_AT_ONCE
            while deleted == ROWS_AT_ONCE:
                if monotonic() >= deadline:
                    return False
                async with self._session.transaction() as connection:
                    deleted = (await connection.execute(statement, values)).rowcount
        async with self._session.transaction() as connection:
            await connection.execute(history_statements.FORGET_RUN, values)
        return True

    async def _rows(self, statement: SQL | Composed, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
        async with self._session.transaction() as connection:
            return await (await connection.execute(statement, values)).fetchall()


def _record(row: tuple[Any, ...]) -> RunRecord:
    columns = dict(zip(RUN_COLUMNS, row, strict=True))
    return RunRecord(**{**columns, "run_id": str(columns["run_id"]), "results": columns["results"] or {}})


def changes_of(rows: Sequence[tuple[Any, ...]]) -> tuple[TrackChange, ...]:
    """Return rows of slug, kind and fields as changes."""
    return tuple(TrackChange(slug, ChangeKind(kind), tuple(fields)) for slug, kind, fields in rows)
