"""What one reconcile pass saw and what it decided, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, TypeAlias

from tracksync.api.job import Attempt, OperatorStatus, WorkerStatus

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tracksync.api.job import TrackSyncJobSpec
    from tracksync.api.result import Outcome
    from tracksync.api.source import SourceEntry

Manifest: TypeAlias = "dict[str, object]"
"""A Kubernetes object as the API server writes it."""


@dataclass(frozen=True, slots=True)
class Key:
    """Which TrackSyncJob: namespace and name."""

    namespace: str
    name: str

    @property
    def text(self) -> str:
        """Both in one word, for logs."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class EventView:
    """A Kubernetes Event about a Job or pod: the only place where some start problems are told."""

    reason: str
    message: str
    last_seen: datetime | None = None


@dataclass(frozen=True, slots=True)
class JobEnd:
    """How a Kubernetes Job ended: its Complete or Failed condition."""

    succeeded: bool
    reason: str = ""
    message: str = ""
    time: datetime | None = None


@dataclass(frozen=True, slots=True)
class JobView:
    """A Kubernetes Job that this run owns."""

    name: str
    uid: str
    created: datetime
    active_deadline_seconds: int | None = None
    deleting: bool = False
    end: JobEnd | None = None
    events: tuple[EventView, ...] = ()


@dataclass(frozen=True, slots=True)
class Terminated:
    """How the worker container ended."""

    exit_code: int
    reason: str = ""
    message: str = ""
    time: datetime | None = None


@dataclass(frozen=True, slots=True)
class ContainerWait:
    """Why the worker container has not started yet, in the kubelet's words."""

    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class PodView:
    """A pod of one of the run's Jobs.

    Attributes:
        running: whether the worker container runs.
        unschedulable: the scheduler's words, or None when it found a node or has not looked yet.
        disrupted: whether the pod was taken away (drain, eviction, preemption), which is not the run's fault.
    """

    name: str
    uid: str
    created: datetime
    node: str | None = None
    started: datetime | None = None
    deleting: bool = False
    gone: bool = False
    running: bool = False
    unschedulable: str | None = None
    waiting: ContainerWait | None = None
    terminated: Terminated | None = None
    disrupted: bool = False
    events: tuple[EventView, ...] = ()


@dataclass(frozen=True, slots=True)
class WorkerTemplate:
    """What the installation decides about worker pods."""

    image: str
    pull_policy: str = "IfNotPresent"


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything that one pass knows; nothing is read after it was made.

    Attributes:
        spec: None when it cannot be read by this version; `spec_problem` then says why.
        jobs: the Kubernetes Jobs whose controller this TrackSyncJob is, oldest first.
        pods: the pods of these Jobs, oldest first.
        strays: live pods that carry the run's label although none of its present Jobs made them: of a deleted Job.
        foreign_job: whether the name of the attempt's Job is taken by an object that is not ours.
        sources: what the installation allows, by name.
    """

    key: Key
    uid: str
    now: datetime
    generation: int
    resource_version: str
    template: WorkerTemplate
    sources: Mapping[str, SourceEntry]
    spec: TrackSyncJobSpec | None
    spec_problem: str = ""
    deleted_at: datetime | None = None
    finalizers: tuple[str, ...] = ()
    status: OperatorStatus = field(default_factory=OperatorStatus)
    worker: WorkerStatus = field(default_factory=WorkerStatus)
    jobs: tuple[JobView, ...] = ()
    pods: tuple[PodView, ...] = ()
    strays: tuple[str, ...] = ()
    foreign_job: bool = False

    @property
    def job(self) -> JobView | None:
        """The latest Job of the run."""
        return self.jobs[-1] if self.jobs else None

    @property
    def pod(self) -> PodView | None:
        """The latest pod of the run."""
        return self.pods[-1] if self.pods else None

    @property
    def live_pods(self) -> tuple[str, ...]:
        """Names of the pods that may still write."""
        return tuple(pod.name for pod in self.pods if not pod.gone) + self.strays


class State(Enum):
    """Where a verdict puts the run; `core.runs.status` turns it into phase and conditions."""

    WAITING = "waiting"
    """Nothing runs yet, or nothing runs for the moment."""
    RUNNING = "running"
    CANCELLING = "cancelling"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Ending:
    """How the run ended."""

    outcome: Outcome
    reason: str
    message: str
    time: datetime


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


Action: TypeAlias = AddFinalizer | RemoveFinalizer | CreateJob | DeleteJob | ChangeDeadline | ReportForWorker | WakeAt


@dataclass(frozen=True, slots=True)
class Plan:
    """The verdict of one pass.

    Attributes:
        reason: CamelCase word for the `Running` condition, or of the run's end.
        message: one sentence for people, with the remedy when something is wrong.
        attempts: the attempts as the status shall show them.
        ending: how the run ended, when it did.
        silent: leave the status as it is (a finished or vanishing run), but for `observedGeneration`.
    """

    state: State
    reason: str
    message: str
    attempts: tuple[Attempt, ...] = ()
    ending: Ending | None = None
    silent: bool = False
    actions: tuple[Action, ...] = ()
