"""What the ledger remembers of a run, as frozen values, and how long."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tracksync.api.result import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from tracksync.core.tracks.plan import TrackChange

KEEP_DAYS: Final = 30
"""How long finished runs are kept unless somebody says otherwise."""
LEAST_KEEP_DAYS: Final = 7
"""Nobody may keep them for less: a week of history is what the ledger promises."""
RUNNING: Final = "running"
STATES: Final = {
    Outcome.SUCCEEDED: "succeeded",
    Outcome.COMPLETED_WITH_ERRORS: "completed_with_errors",
    Outcome.FAILED: "failed",
    Outcome.CANCELLED: "cancelled",
}
"""The ledger's word for the state of a run that ended."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run's row.

    Attributes:
        run_id: a UUID as text.
        mode: what it was for, such as `apply`.
        state: `running`, `succeeded`, `completed_with_errors`, `failed` or `cancelled`.
        reason: why it ended, as a CamelCase word; empty while it runs.
        created_at: when it was opened first.
        started_at: when its latest epoch began.
        finished_at: when it ended; None while it runs.
        merged_at: when its merge was committed; None when none was.
        results: its counters, named as in a TrackSyncJob's status; empty when it left none.
    """

    run_id: str
    name: str
    namespace: str
    source: str
    mode: str
    state: str
    reason: str
    attempt: int
    created_at: datetime
    started_at: datetime
    finished_at: datetime | None = None
    merged_at: datetime | None = None
    results: Mapping[str, object] = field(default_factory=dict)

    @property
    def seconds(self) -> float | None:
        """How long its latest epoch took; None while it runs."""
        return (self.finished_at - self.started_at).total_seconds() if self.finished_at is not None else None


@dataclass(frozen=True, slots=True)
class FailedTrack:
    """A track whose dashboard a run could not have."""

    slug: str
    error_class: str
    http_status: int | None
    attempts: int


@dataclass(frozen=True, slots=True)
class RunReport:
    """A run with what it changed, or would have changed, and what failed; both in slug order."""

    run: RunRecord
    changes: Sequence[TrackChange] = ()
    failures: Sequence[FailedTrack] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunQuery:
    """Which runs are wanted, newest first; None does not narrow."""

    name: str | None = None
    namespace: str | None = None
    state: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    limit: int = 50
