"""What became of runs, read from the in-memory database; and forgetting them when they are old."""

from __future__ import annotations

from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING
from uuid import UUID

from tracksync.adapters.memory_tables import run_key
from tracksync.core.tracks.history import (
    LEAST_KEEP_DAYS,
    RUNNING,
    STATES,
    FailedTrack,
    RunRecord,
    RunReport,
)
from tracksync.core.tracks.plan import ChangeKind, RunMode, TrackChange

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from tracksync.adapters.memory_tables import MemoryTables, Run
    from tracksync.core.tracks.history import RunQuery


class MemoryHistory:
    """`tracksync.ports.History` in memory."""

    def __init__(self, database: MemoryTables) -> None:
        self._database = database

    async def find_runs(self, query: RunQuery) -> Sequence[RunRecord]:
        """Return the runs that the query finds, newest first."""
        self._database.check_reachable()
        found = [record for record in map(_record, self._database.runs.values()) if _is_wanted(record, query)]
        by_id = sorted(found, key=lambda record: record.run_id)
        return sorted(by_id, key=lambda record: record.created_at, reverse=True)[: query.limit]

    async def read_run(self, run_id: str) -> RunReport | None:
        """Return one run with its changes and failed tracks; None: there is none of this id, or it is no id."""
        self._database.check_reachable()
        try:
            key = str(UUID(run_id))
        except ValueError:
            return None
        run = self._database.runs.get(key)
        return RunReport(_record(run), self._changes(key, run), self._failures(key)) if run is not None else None

    async def purge(self, *, keep_days: int, seconds: float) -> int:
        """Forget runs that ended longer ago, oldest first, for so many seconds at most; return how many.

        Raises:
            ValueError: `keep_days` is below LEAST_KEEP_DAYS.
        """
        if keep_days < LEAST_KEEP_DAYS:
            raise ValueError(f"history is kept for {LEAST_KEEP_DAYS} days at least, not {keep_days}")
        self._database.check_reachable()
        before = self._database.clock.now() - timedelta(days=keep_days)
        runs = sorted(self._database.runs.items(), key=lambda entry: entry[1].created_at)
        old = [run_id for run_id, run in runs if _ended_at(run) < before and not self._is_held(run_id)]
        deadline, forgotten = monotonic() + seconds, 0
        for run_id in old:
            if monotonic() >= deadline:
                break
            self._forget(run_id)
            forgotten += 1
        return forgotten

    def _changes(self, run_id: str, run: Run) -> Sequence[TrackChange]:
        if run.mode is RunMode.PLAN:
            return self._database.planned_changes.get(run_id, ())
        return [
            TrackChange(slug, ChangeKind(change.kind), tuple(change.fields))
            for (owner, _, slug), change in sorted(self._database.changes.items(), key=lambda entry: entry[0][2])
            if owner == run_id
        ]

    def _failures(self, run_id: str) -> Sequence[FailedTrack]:
        items = sorted(self._database.items.get(run_id, {}).items())
        return [
            FailedTrack(slug, item.error_class, item.http_status, item.attempts)
            for slug, item in items
            if item.error_class is not None
        ]

    def _is_held(self, run_id: str) -> bool:
        """Return whether the run's worker lives."""
        now = self._database.clock.now()
        return any(lease.run_id == run_id and lease.expires_at > now for lease in self._database.leases.values())

    def _forget(self, run_id: str) -> None:
        del self._database.runs[run_id]
        self._database.items.pop(run_id, None)
        self._database.planned_changes.pop(run_id, None)
        for key in [key for key in self._database.changes if key[0] == run_id]:
            del self._database.changes[key]


def _ended_at(run: Run) -> datetime:
    """Return when the run ended, or when its worker was seen last."""
    return run.finished_at or run.started_at or run.created_at


def _is_wanted(record: RunRecord, query: RunQuery) -> bool:
    return (
        query.name in {None, record.name}
        and query.namespace in {None, record.namespace}
        and query.state in {None, record.state}
        and (query.since is None or record.created_at >= query.since)
        and (query.until is None or record.created_at < query.until)
    )


def _record(run: Run) -> RunRecord:
    identity = run.identity
    return RunRecord(
        run_id=run_key(identity),
        name=identity.name,
        namespace=identity.namespace,
        source=identity.source,
        mode=run.mode,
        state=RUNNING if run.outcome is None else STATES[run.outcome],
        reason=run.reason,
        attempt=identity.attempt,
        created_at=run.created_at,
        started_at=run.started_at or run.created_at,
        finished_at=run.finished_at,
        merged_at=run.merged_at,
        results=run.results.to_wire() if run.results is not None else {},
    )
