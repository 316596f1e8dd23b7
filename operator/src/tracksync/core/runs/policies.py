"""The rules about a TrackSyncJob, in the order in which they are asked; the first that has a verdict wins."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from tracksync.api.identity import FINALIZER, Reason
from tracksync.api.job import Phase
from tracksync.core.runs.attempts import current_attempt, is_recorded, last_attempt, with_attempt, with_pod
from tracksync.core.runs.finishing import concluded, ended, expired, failure, finished, repeated, reported
from tracksync.core.runs.limits import deadline_of, job_deadline, last_sign, needs_new_deadline
from tracksync.core.runs.manifests import build_worker_job
from tracksync.core.runs.plan import AddFinalizer, ChangeDeadline, CreateJob, Plan, State, WakeAt
from tracksync.core.runs.queue import has_turn
from tracksync.core.runs.resuming import resumed
from tracksync.core.runs.starting import START_GRACE, start_problem
from tracksync.core.runs.stopping import cancelled, stopped, stopped_in_vain
from tracksync.errors import FailureReason

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tracksync.api.job import TrackSyncJobSpec
    from tracksync.core.runs.model import JobView, Observed
    from tracksync.core.runs.plan import Action

_YOUNG: Final = timedelta(minutes=1)
_SOON: Final = timedelta(seconds=5)
_LATER: Final = timedelta(seconds=20)
_CHECK_UP: Final = timedelta(seconds=60)
"""How often a running worker's signs of life and its expected end are looked at."""


def unreadable(observed: Observed) -> Plan | None:
    """A spec that this version cannot read is not guessed at; it waits for a fitting version or a correction."""
    if observed.spec is not None:
        return None
    message = (
        f"this version of the operator cannot read the spec: {observed.spec_problem}. Correct it, or create it anew"
    )
    return Plan(State.WAITING, Reason.OBJECT_INVALID, message, attempts=observed.status.attempts)


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
        return ended(observed, failure(observed, FailureReason.SOURCE_NOT_ALLOWED, message))
    if observed.foreign_job:
        message = (
            f"there is already a Job `{current_attempt(observed).job_name}` that does not belong to this TrackSyncJob; "
            "it was left alone. Delete it, or create a TrackSyncJob with another name"
        )
        return ended(observed, failure(observed, FailureReason.NAME_COLLISION, message))
    return None


def queued(observed: Observed) -> Plan | None:
    """Not its turn yet: one run at a time for each database and source, and the installation's limits."""
    turn = observed.turn
    if turn is None or not turn.position or observed.jobs:
        return None
    return Plan(
        State.QUEUED,
        Reason.QUEUED,
        turn.message,
        attempts=observed.status.attempts,
        queue_position=turn.position,
    )


def pausing(observed: Observed) -> Plan | None:
    """The pause before the next attempt."""
    due, attempt, end = observed.status.next_attempt_time, last_attempt(observed), deadline_of(observed)
    if observed.status.phase is not Phase.RETRYING or due is None or observed.now >= due or observed.jobs:
        return None
    return Plan(
        State.RETRYING,
        (attempt.reason if attempt is not None else None) or Reason.RETRYING,
        observed.status.message or "",
        attempts=observed.status.attempts,
        actions=(WakeAt(due if end is None else min(due, end)),),
    )


def launching(observed: Observed) -> Plan | None:
    """No Job yet: first the finalizer and the announcement in the status, in the next pass the Job itself."""
    if observed.spec is None or observed.jobs:
        return None
    attempt = current_attempt(observed)
    attempts = with_attempt(observed, attempt)
    if not is_recorded(observed) or FINALIZER not in observed.finalizers or not has_turn(observed):
        actions: tuple[Action, ...] = () if FINALIZER in observed.finalizers else (AddFinalizer(),)
        return Plan(
            State.WAITING,
            Reason.PENDING,
            "the run is being prepared",
            attempts=attempts,
            actions=(*actions, WakeAt(observed.now)),
        )
    if observed.strays:
        message = f"waits until pod {observed.strays[0]} of an earlier Job of this run has ended"
        again = WakeAt(observed.now + _SOON)
        return Plan(State.WAITING, Reason.WAITING_FOR_OLD_POD, message, attempts=attempts, actions=(again,))
    source = observed.sources[observed.spec.source.name]
    seconds = job_deadline(observed, since=observed.now)
    job = build_worker_job(observed, observed.spec, source, attempt=attempt.number, deadline=seconds)
    again = WakeAt(observed.now + START_GRACE)
    return Plan(
        State.WAITING,
        Reason.JOB_CREATED,
        "the worker's Job was created",
        attempts=attempts,
        actions=(CreateJob(job), again),
    )


def watching(observed: Observed) -> Plan | None:
    """A Job exists that has not ended: it runs, or something keeps it from starting."""
    job, spec = observed.job, observed.spec
    if job is None or spec is None:
        return None
    attempt = current_attempt(observed).model_copy(update={"reason": None})
    attempts = with_attempt(observed, with_pod(attempt, observed))
    if job.deleting:
        message = f"Job {job.name} was deleted by somebody; the run starts again when it is gone"
        again = WakeAt(observed.now + _SOON)
        return Plan(State.WAITING, Reason.WAITING_FOR_OLD_POD, message, attempts=attempts, actions=(again,))
    actions = _changed_deadline(observed, job)
    pod = observed.pod
    if pod is not None and (pod.running or pod.terminated is not None) and not pod.disrupted:
        message = f"the worker runs in pod {pod.name}"
        actions = (*actions, WakeAt(_next_check_up(observed, spec)))
        return Plan(State.RUNNING, Reason.POD_RUNNING, message, attempts=attempts, actions=actions)
    problem = start_problem(observed, spec)
    actions = (*actions, WakeAt(_next_look(observed, job.created)))
    if problem is not None:
        return Plan(State.WAITING, problem.reason, problem.message, attempts=attempts, actions=actions)
    return Plan(State.WAITING, Reason.POD_PENDING, "the worker's pod is starting", attempts=attempts, actions=actions)


JOB_POLICIES: Final[tuple[Callable[[Observed], Plan | None], ...]] = (
    resumed,  # the only way out of a terminal phase
    finished,  # else terminal is absorbing
    cancelled,  # a deletion beats everything below
    unreadable,  # without a spec nothing below can be decided
    reported,  # done, although its Job is gone
    concluded,  # the attempt's end is the run's end, whatever was wished meanwhile
    stopped,  # spec.cancel or spec.suspend
    stopped_in_vain,  # that wish was taken back
    repeated,  # the attempt failed: the next one, or the end
    expired,  # hard deadline while there is no Job
    refused,  # must not start
    pausing,  # before the next attempt
    queued,  # not its turn
    launching,  # no Job yet
    watching,  # it starts or runs
)


def _changed_deadline(observed: Observed, job: JobView) -> tuple[Action, ...]:
    seconds = job_deadline(observed, since=job.created)
    return (ChangeDeadline(job.name, seconds),) if needs_new_deadline(observed, job, seconds) else ()


def _next_check_up(observed: Observed, spec: TrackSyncJobSpec) -> datetime:
    """Return when to look again at a worker that runs: its progress is no event for us."""
    stall = (last_sign(observed) or observed.now) + timedelta(seconds=spec.stall_seconds + 1)
    regular = observed.now + _CHECK_UP
    return min(stall, regular) if stall > observed.now else regular


def _next_look(observed: Observed, created: datetime) -> datetime:
    """Return when to ask again why nothing runs: soon at first, seldom later; a start is an event anyway."""
    return observed.now + (_SOON if observed.now - created < _YOUNG else _LATER)
