"""The rules about a TrackSyncJob, in the order in which they are asked; the first that has a verdict wins."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from tracksync.api.identity import FINALIZER, Reason
from tracksync.api.result import Outcome
from tracksync.core.runs.attempts import (
    FIRST_ATTEMPT,
    current_attempt,
    deadline_exceeded,
    ending_by_status,
    ending_of,
    is_recorded,
    missing_report,
    with_end,
    with_pod,
)
from tracksync.core.runs.manifests import GRACE_SECONDS, build_worker_job
from tracksync.core.runs.model import (
    AddFinalizer,
    ChangeDeadline,
    CreateJob,
    DeleteJob,
    Ending,
    Plan,
    RemoveFinalizer,
    ReportForWorker,
    State,
    WakeAt,
)
from tracksync.core.runs.starting import START_GRACE, start_problem
from tracksync.errors import FailureReason

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tracksync.api.job import TrackSyncJobSpec
    from tracksync.core.runs.model import Action, JobView, Observed

CANCEL_LIMIT: Final = timedelta(seconds=GRACE_SECONDS + 10)
"""A deleted TrackSyncJob waits no longer than this for its pods; a node that is lost must not block a namespace."""
_YOUNG: Final = timedelta(minutes=1)
_SOON: Final = timedelta(seconds=5)
_LATER: Final = timedelta(seconds=20)


def finished(observed: Observed) -> Plan | None:
    """Terminal is absorbing: nothing happens any more but that the finalizer goes."""
    phase = observed.status.phase
    if phase is None or not phase.is_terminal:
        return None
    return Plan(State.ENDED, phase.value, "", silent=True, actions=_release(observed))


def cancelled(observed: Observed) -> Plan | None:
    """Delete is cancel: the Job goes first, then its pods, then the finalizer; bounded in time."""
    if observed.deleted_at is None:
        return None
    limit = observed.deleted_at + CANCEL_LIMIT
    unfinished = [job for job in observed.jobs if job.end is None]
    if not (unfinished or observed.live_pods) or observed.now >= limit:
        return Plan(State.CANCELLING, Reason.CANCELLING, "", silent=True, actions=_release(observed))
    deletions = tuple(DeleteJob(job.name, job.uid) for job in unfinished if not job.deleting)
    return Plan(
        State.CANCELLING,
        Reason.CANCELLING,
        "the TrackSyncJob was deleted; its worker is being stopped and rolls back",
        attempts=(with_pod(current_attempt(observed), observed),),
        actions=(*deletions, WakeAt(limit)),
    )


def unreadable(observed: Observed) -> Plan | None:
    """A spec that this version cannot read is not guessed at; it waits for a fitting version or a correction."""
    if observed.spec is not None:
        return None
    message = (
        f"this version of the operator cannot read the spec: {observed.spec_problem}. Correct it, or create it anew"
    )
    return Plan(State.WAITING, Reason.OBJECT_INVALID, message, attempts=observed.status.attempts)


def reported(observed: Observed) -> Plan | None:
    """A run whose Job vanished after the worker had reported its end is not run again."""
    if observed.jobs or observed.live_pods or not is_recorded(observed):
        return None
    ending = ending_by_status(observed, observed.now)
    return _ended(observed, ending) if ending is not None else None


def expired(observed: Observed) -> Plan | None:
    """The hard deadline also counts while there is no Job; with a Job, the Job controller enforces it."""
    started = observed.status.start_time
    if observed.spec is None or observed.jobs or started is None:
        return None
    if observed.now < started + timedelta(seconds=observed.spec.active_deadline_seconds):
        return None
    return _ended(observed, deadline_exceeded(observed, observed.now))


def refused(observed: Observed) -> Plan | None:
    """A run that must not start ends before a Job exists: its source is not allowed, or its Job's name is taken."""
    if observed.spec is None or observed.jobs:
        return None
    name = observed.spec.source.name
    if name not in observed.sources:
        allowed = ", ".join(sorted(observed.sources)) or "none"
        message = (
            f"spec.source.name: this installation does not allow the source `{name}`. Use one of: {allowed}; "
            "or ask the cluster's admin to add it to the operator's sources.yaml"
        )
        return _ended(observed, _failure(observed, FailureReason.SOURCE_NOT_ALLOWED, message))
    if observed.foreign_job:
        message = (
            f"there is already a Job `{current_attempt(observed).job_name}` that does not belong to this TrackSyncJob; "
            "it was left alone. Delete it, or create a TrackSyncJob with another name"
        )
        return _ended(observed, _failure(observed, FailureReason.NAME_COLLISION, message))
    return None


def launching(observed: Observed) -> Plan | None:
    """No Job yet: first the finalizer and the announcement in the status, in the next pass the Job itself."""
    if observed.spec is None or observed.jobs:
        return None
    attempt = current_attempt(observed)
    if observed.strays:
        message = f"waits until pod {observed.strays[0]} of the run's deleted Job has ended"
        again = WakeAt(observed.now + _SOON)
        return Plan(State.WAITING, Reason.WAITING_FOR_OLD_POD, message, attempts=(attempt,), actions=(again,))
    if not is_recorded(observed) or FINALIZER not in observed.finalizers:
        actions: tuple[Action, ...] = () if FINALIZER in observed.finalizers else (AddFinalizer(),)
        return Plan(
            State.WAITING,
            Reason.PENDING,
            "the run is being prepared",
            attempts=(attempt,),
            actions=(*actions, WakeAt(observed.now)),
        )
    source = observed.sources[observed.spec.source.name]
    create = CreateJob(build_worker_job(observed, observed.spec, source, attempt=FIRST_ATTEMPT))
    again = WakeAt(observed.now + START_GRACE)
    return Plan(
        State.WAITING, Reason.JOB_CREATED, "the worker's Job was created", attempts=(attempt,), actions=(create, again)
    )


def watching(observed: Observed) -> Plan | None:
    """A Job exists: it ended, it runs, or something keeps it from starting."""
    job, spec = observed.job, observed.spec
    if job is None or spec is None:
        return None
    if job.end is not None:
        return _ended(observed, ending_of(observed, job.end))
    attempts = (with_pod(current_attempt(observed), observed),)
    if job.deleting:
        message = f"Job {job.name} was deleted by somebody; the run starts again when it is gone"
        again = WakeAt(observed.now + _SOON)
        return Plan(State.WAITING, Reason.WAITING_FOR_OLD_POD, message, attempts=attempts, actions=(again,))
    actions = _changed_deadline(job, spec)
    pod = observed.pod
    if pod is not None and (pod.running or pod.terminated is not None) and not pod.disrupted:
        message = f"the worker runs in pod {pod.name}"
        return Plan(State.RUNNING, Reason.POD_RUNNING, message, attempts=attempts, actions=actions)
    problem = start_problem(observed, spec)
    actions = (*actions, WakeAt(_next_look(observed, job.created)))
    if problem is not None:
        return Plan(State.WAITING, problem.reason, problem.message, attempts=attempts, actions=actions)
    return Plan(State.WAITING, Reason.POD_PENDING, "the worker's pod is starting", attempts=attempts, actions=actions)


JOB_POLICIES: Final[tuple[Callable[[Observed], Plan | None], ...]] = (
    finished,  # terminal is absorbing
    cancelled,  # a deletion beats everything below
    unreadable,  # without a spec nothing below can be decided
    reported,  # done, although its Job is gone
    expired,  # hard deadline while there is no Job
    refused,  # must not start
    launching,  # no Job yet
    watching,  # it starts, runs or has ended
)


def _ended(observed: Observed, ending: Ending) -> Plan:
    report = missing_report(observed)
    attempts = observed.status.attempts
    if observed.jobs or attempts:
        attempts = (with_end(current_attempt(observed), observed, ending),)
    return Plan(
        State.ENDED,
        ending.reason,
        ending.message,
        attempts=attempts,
        ending=ending,
        actions=(ReportForWorker(report),) if report is not None else (),
    )


def _failure(observed: Observed, reason: FailureReason, message: str) -> Ending:
    return Ending(outcome=Outcome.FAILED, reason=reason.value, message=message, time=observed.now)


def _release(observed: Observed) -> tuple[Action, ...]:
    return (RemoveFinalizer(),) if FINALIZER in observed.finalizers else ()


def _changed_deadline(job: JobView, spec: TrackSyncJobSpec) -> tuple[Action, ...]:
    if job.active_deadline_seconds == spec.active_deadline_seconds:
        return ()
    return (ChangeDeadline(job.name, spec.active_deadline_seconds),)


def _next_look(observed: Observed, created: datetime) -> datetime:
    """Return when to ask again why nothing runs: soon at first, seldom later; a start is an event anyway."""
    return observed.now + (_SOON if observed.now - created < _YOUNG else _LATER)
