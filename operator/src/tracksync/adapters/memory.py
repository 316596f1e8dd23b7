"""In-memory twins of the ports `Ledger`, `TrackStore`, `History`, `Progress` and `Clock`, for tests without a database.

They keep the same promises as the real adapters (`tests/ports` runs one suite on both) and are written row by row, so
that they can serve as the set-based SQL's oracle. Nothing here is shared between processes or kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from tracksync.adapters import memory_lease
from tracksync.adapters.checkpoint import CHECKPOINT_FORMAT, merged_counters, summary_or_none
from tracksync.adapters.memory_history import MemoryHistory
from tracksync.adapters.memory_staging import MemoryStaging, go_on
from tracksync.adapters.memory_tables import MemoryTables, Run, run_key
from tracksync.adapters.memory_tracks import MemoryTrackStore
from tracksync.api.result import Outcome
from tracksync.core.tracks.plan import RunMode
from tracksync.errors import ConfigurationError, SchemaMismatchError
from tracksync.liverc.version import PARSER_VERSION
from tracksync.ports import RunTicket

if TYPE_CHECKING:
    from tracksync.api.job import Results, WorkerStatus
    from tracksync.core.tracks.model import ListingSummary
    from tracksync.ports import Clock, RunIdentity

SUCCESSES: Final = frozenset({Outcome.SUCCEEDED, Outcome.COMPLETED_WITH_ERRORS})


class ManualClock:
    """A clock that stands still until it is moved."""

    def __init__(self, start: datetime = datetime(2026, 1, 31, 2, tzinfo=UTC)) -> None:
        self._now = start
        self._monotonic = 0.0

    def now(self) -> datetime:
        """Return the wall clock in UTC."""
        return self._now

    def monotonic(self) -> float:
        """Return seconds since the clock was made."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Move both clocks forward."""
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds


@dataclass(slots=True)
class MemoryProgress:
    """Keeps what was published.

    Attributes:
        published: every status, oldest first.
        error: raised by the next calls, such as an OwnerGoneError.
        abandoned: whether nobody can go on with a stopped run.
    """

    published: list[WorkerStatus] = field(default_factory=list)
    error: Exception | None = None
    abandoned: bool = False

    async def publish(self, status: WorkerStatus) -> None:
        """Keep the status, or raise the error that was set."""
        if self.error is not None:
            raise self.error
        self.published.append(status)

    async def is_abandoned(self) -> bool:
        """Return what was set."""
        return self.abandoned


class MemoryDatabase(MemoryTables):
    """A database in memory, with the same entrances as the real one.

    Attributes:
        ledger: runs and their items.
        tracks: the tracks.
        history: what became of runs.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        super().__init__(clock or ManualClock())
        self.ledger = MemoryLedger(self)
        self.tracks = MemoryTrackStore(self)
        self.history = MemoryHistory(self)

    async def close(self) -> None:
        """Do nothing: there is no connection."""


class MemoryLedger(MemoryStaging):
    """`tracksync.ports.Ledger` in memory."""

    async def verify_schema(self) -> None:
        """Pass unless the database is set to be at another migration."""
        self._database.check_reachable()
        if not self._database.is_migrated:
            raise SchemaMismatchError("the database has no TrackSync tables; run `tracksync migrate`")

    async def open_run(self, identity: RunIdentity, *, spec_hash: str, mode: RunMode = RunMode.APPLY) -> RunTicket:
        """Take the lease and open the run, or re-open it with the next epoch and with the checkpoint that is left."""
        self._database.check_reachable()
        key = run_key(identity)
        memory_lease.verify_free(self._database, identity)
        known = self._database.runs.get(key)
        if known is None:
            run = Run(identity, 1, self._database.clock.now(), spec_hash)
        elif known.outcome in SUCCESSES or known.identity.source != identity.source:
            raise ConfigurationError(
                f"run {identity.run_id} has already succeeded, or belongs to another source; start a new run"
            )
        else:
            run = _reopened(known, identity, spec_hash)
        run.mode, run.started_at = mode, self._database.clock.now()
        self._database.runs[key] = run
        lease_epoch = memory_lease.take(self._database, identity)
        merged = merged_counters(run.merged)
        checkpoint = go_on(self._database, key, run) if merged is None else self._as_merged(key, run)
        return RunTicket(identity, run.epoch, run.created_at, checkpoint, mode, merged, lease_epoch)

    def _as_merged(self, key: str, run: Run) -> ListingSummary | None:
        """Return what a run that has merged knew of its listing and of its items, as far as it is still there."""
        summary = summary_or_none(run.listing, checkpoint_format=CHECKPOINT_FORMAT)
        ends = [item.state for item in self._database.items.get(key, {}).values() if item.finished_at is not None]
        if summary is None:
            return None
        unmodified, failed = ends.count("unmodified"), ends.count("failed")
        return replace(summary, due=len(ends), not_modified=unmodified, failed=failed)

    async def renew_lease(self, ticket: RunTicket) -> None:
        """Hold the source's lease for a further LEASE_SECONDS; FencedError when it is not this run's any more."""
        memory_lease.renew(self._database, ticket)

    async def close_run(
        self, ticket: RunTicket, *, outcome: Outcome, reason: str, results: Results, keep_checkpoint: bool = False
    ) -> None:
        """Keep the run's end; of its items those that failed, or all of a checkpoint that is kept."""
        self._database.check_reachable()
        key = run_key(ticket.identity)
        run = self._database.runs.get(key)
        memory_lease.give_back(self._database, ticket)
        if run is not None and run.epoch == ticket.epoch and run.outcome is outcome:
            return
        run, items = self._database.fenced_run(ticket), self._database.fenced_items(ticket)
        run.outcome, run.reason, run.results = outcome, reason, results
        run.finished_at = self._database.clock.now()
        if keep_checkpoint and outcome not in SUCCESSES:
            return
        run.checkpoint_format = None
        if outcome in SUCCESSES:
            kept = {slug: item for slug, item in items.items() if item.state == "failed"}
        else:
            kept = {slug: item.without_contents() for slug, item in items.items() if item.error_class is not None}
        self._database.items[key] = kept


def _reopened(known: Run, identity: RunIdentity, spec_hash: str) -> Run:
    """Return the run's next epoch: its first opening and, for the same spec, its checkpoint stay."""
    versions = [version for version in (known.parser_version, PARSER_VERSION) if version is not None]
    return Run(
        identity,
        known.epoch + 1,
        known.created_at,
        spec_hash,
        checkpoint_format=known.checkpoint_format if known.spec_hash == spec_hash else None,
        listing=known.listing,
        parser_version=min(versions),
        listed_at=known.listed_at,
        merged=known.merged,
        merged_at=known.merged_at,
    )
