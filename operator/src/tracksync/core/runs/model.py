"""What one reconcile pass saw and what it decided, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from tracksync.api.job import OperatorStatus, WorkerStatus

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tracksync.api.job import TrackSyncJobSpec
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
    deleting_since: datetime | None = None
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
    deleting_since: datetime | None = None
    gone: bool = False
    running: bool = False
    unschedulable: str | None = None
    waiting: ContainerWait | None = None
    terminated: Terminated | None = None
    disrupted: bool = False
    events: tuple[EventView, ...] = ()


@dataclass(frozen=True, slots=True)
class Turn:
    """What the queue says to a run that has not been admitted.

    Attributes:
        position: its place, 1 is next; 0: it may start.
        message: what it waits for.
    """

    position: int = 0
    message: str = ""


@dataclass(frozen=True, slots=True)
class WorkerTemplate:
    """What the installation decides about worker pods.

    Attributes:
        history_days: for how long the ledger remembers finished runs.
    """

    image: str
    pull_policy: str = "IfNotPresent"
    history_days: int = 30


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything that one pass knows; nothing is read after it was made.

    Attributes:
        spec: None when it cannot be read by this version; `spec_problem` then says why.
        resume_token: the annotation by which somebody asks for the next attempt; empty when there is none.
        turn: what the queue says; None when it was not asked, because the run has its turn or needs none.
        jobs: the current attempt's Kubernetes Job, when there is one and its controller is this TrackSyncJob.
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
    resume_token: str = ""
    turn: Turn | None = None
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
