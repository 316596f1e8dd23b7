"""What the ledger remembers of a run whose TrackSyncJob is gone."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from tracksync.adapters.postgres.database import PostgresDatabase
from tracksync.api.identity import APP_NAME
from tracksync.core.tracks.history import RunQuery

if TYPE_CHECKING:
    from tracksync.core.tracks.history import RunReport

_DONE: Final = frozenset({"succeeded", "completed_with_errors"})
_RUNNING: Final = "running"


@dataclass(frozen=True, slots=True)
class Memory:
    """A run in the ledger."""

    report: RunReport

    @property
    def is_ended(self) -> bool:
        """Whether it has ended, as far as the ledger knows."""
        return self.report.run.state != _RUNNING

    @property
    def is_done(self) -> bool:
        """Whether it ended well."""
        return self.report.run.state in _DONE

    def document(self) -> dict[str, object]:
        """Return what `-o json` has; the first keys are those of a run in the cluster."""
        run = self.report.run
        return {
            "answeredBy": "ledger",
            "name": run.name,
            "namespace": run.namespace,
            "runId": run.run_id,
            "phase": "".join(word.capitalize() for word in run.state.split("_")),
            "reason": run.reason,
            "message": "",
            "ended": self.is_ended,
            "succeeded": self.is_done if self.is_ended else None,
            "startTime": run.created_at,
            "completionTime": run.finished_at,
            "results": dict(run.results),
            "changes": len(self.report.changes),
            "failures": [asdict(failure) for failure in self.report.failures],
            "next": [f"`tracksync report {run.run_id}` lists what it changed, track by track."],
        }


async def remember(run: str, namespace: str, url: str) -> Memory | None:
    """Return the run of this id, else the latest one of this name in the namespace; None: the ledger knows none.

    Raises:
        TrackSyncError: the database cannot be used.
    """
    async with await PostgresDatabase.connect(url, application_name=f"{APP_NAME}-cli") as database:
        await database.ledger.verify_schema()
        report = await database.history.read_run(run)
        if report is None:
            named = await database.history.find_runs(RunQuery(name=run, namespace=namespace, limit=1))
            report = await database.history.read_run(named[0].run_id) if named else None
        return Memory(report) if report is not None else None
