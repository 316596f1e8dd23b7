"""What one reconcile pass decided, as frozen values: where the run stands, what to do, what to remember."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from datetime import datetime

    from tracksync.api.job import Attempt, StopWish, WorkerStatus
    from tracksync.api.result import Outcome
    from tracksync.core.runs.model import Manifest


class State(Enum):
    """Where a verdict puts the run; `core.runs.status` turns it into phase and conditions."""

    WAITING = "waiting"
    """Nothing runs yet, or nothing runs for the moment."""
    QUEUED = "queued"
    RUNNING = "running"
    SUSPENDING = "suspending"
    SUSPENDED = "suspended"
    RETRYING = "retrying"
    """The pause before the next attempt."""
    CANCELLING = "cancelling"
    ENDED = "ended"


class Treatment(Enum):
    """What follows from the end of an attempt."""

    FINAL = "final"
    """The run has ended with it."""
    RETRY = "retry"
    """Another attempt may help."""
    RETRY_FREE = "retry-free"
    """Another attempt, and this one does not count: it was not the run's fault."""
    QUEUE = "queue"
    """The same attempt again: another run held the database's lease."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt, and perhaps with it the run, ended."""

    outcome: Outcome
    reason: str
    message: str
    time: datetime
    treatment: Treatment = Treatment.FINAL


class Severity(StrEnum):
    """Type of a Kubernetes Event."""

    NORMAL = "Normal"
    WARNING = "Warning"


@dataclass(frozen=True, slots=True)
class AddFinalizer:
    """Keep the TrackSyncJob from vanishing before its Job is stopped."""


@dataclass(frozen=True, slots=True)
class RemoveFinalizer:
    """Let the TrackSyncJob go."""


@dataclass(frozen=True, slots=True)
class CreateJob:
    """Create this Job; that it exists already, with our owner, is success."""

    manifest: Manifest


@dataclass(frozen=True, slots=True)
class DeleteJob:
    """Delete this Job and, before it, its pods."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class DeleteRun:
    """Delete the finished TrackSyncJob, if it is still exactly the one that was seen."""


@dataclass(frozen=True, slots=True)
class ChangeDeadline:
    """Give the Job the deadline that the spec has now."""

    name: str
    seconds: int


@dataclass(frozen=True, slots=True)
class ReportForWorker:
    """Apply, in the worker's name, what its termination message says and the status lacks."""

    status: WorkerStatus


@dataclass(frozen=True, slots=True)
class EmitEvent:
    """Record this Event on the TrackSyncJob, counted when it repeats."""

    severity: Severity
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class WakeAt:
    """Look again at this time, event or not."""

    time: datetime


Action: TypeAlias = (
    AddFinalizer | RemoveFinalizer | CreateJob | DeleteJob | DeleteRun | ChangeDeadline | ReportForWorker | WakeAt
)


@dataclass(frozen=True, slots=True)
class Memory:
    """What the status keeps from one pass to the next, beside attempts and conditions.

    Attributes:
        retries: repetitions so far that count against the limit.
        next_attempt: when the pause before the next attempt is over.
        handled_resume: the latest resume token that was acted on or refused.
        overridden: stops of the spec that a resume overruled.
    """

    retries: int = 0
    next_attempt: datetime | None = None
    handled_resume: str | None = None
    overridden: tuple[StopWish, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """The verdict of one pass.

    Attributes:
        reason: CamelCase word for the `Running` condition, or of the run's end.
        message: one sentence for people, with the remedy when something is wrong.
        attempts: the attempts as the status shall show them.
        ending: how the run ended, when it did.
        silent: leave the status as it is (a finished or vanishing run), but for `observedGeneration`.
        memory: what the status shall keep; None: what it kept so far.
        queue_position: the place in the queue, 1 is next.
        events: Events beside those that the status's transitions cause.
    """

    state: State
    reason: str
    message: str
    attempts: tuple[Attempt, ...] = ()
    ending: Ending | None = None
    silent: bool = False
    actions: tuple[Action, ...] = ()
    memory: Memory | None = None
    queue_position: int | None = None
    events: tuple[EmitEvent, ...] = ()
