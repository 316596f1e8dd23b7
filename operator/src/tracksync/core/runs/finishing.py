"""Rules about ends: of an attempt, which another may follow, and of the run, after which nothing follows."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from tracksync.api.base import format_timestamp
from tracksync.api.job import Phase
from tracksync.api.result import Outcome
from tracksync.core.runs.attempts import (
    current_attempt,
    deadline_exceeded,
    ending_by_status,
    ending_of,
    is_recorded,
    missing_report,
    with_attempt,
    with_end,
    with_pod,
)
from tracksync.core.runs.limits import deadline_of, ttl_end
from tracksync.core.runs.memory import memory_of
from tracksync.core.runs.plan import DeleteJob, DeleteRun, Ending, Plan, ReportForWorker, State, Treatment, WakeAt
from tracksync.core.runs.retrying import LEASE_PAUSE, backoff
from tracksync.core.runs.stopping import release, stop_wish
from tracksync.errors import FailureReason

if TYPE_CHECKING:
    from tracksync.core.runs.model import JobView, Observed
    from tracksync.core.runs.plan import Action, Memory

_TTL_WATCH: Final = timedelta(hours=1)
"""How long a finished run is watched by a timer of its own; later ends are found by the resync."""
_SOON: Final = timedelta(seconds=5)


def finished(observed: Observed) -> Plan | None:
    """Terminal is absorbing: the finalizer goes, and when its time is over the TrackSyncJob itself."""
    phase = observed.status.phase
    if phase is None or not phase.is_terminal:
        return None
    actions, end = release(observed), ttl_end(observed)
    if end is not None and observed.deleted_at is None:
        if observed.now >= end:
            actions = (*actions, DeleteRun())
        elif end - observed.now <= _TTL_WATCH:
            actions = (*actions, WakeAt(end))
    return Plan(State.ENDED, phase.value, "", silent=True, actions=actions)


def reported(observed: Observed) -> Plan | None:
    """A run whose Job vanished after the worker had reported its end is not run again."""
    if observed.jobs or observed.live_pods or not is_recorded(observed):
        return None
    ending = ending_by_status(observed, observed.now)
    return ended(observed, ending) if ending is not None else None


def concluded(observed: Observed) -> Plan | None:
    """The Job has ended and the run with it, or another run held the database's lease."""
    job = observed.job
    if job is None or job.end is None or observed.spec is None:
        return None
    ending = ending_of(observed, job.end)
    if ending.treatment is Treatment.FINAL and not _was_stopped(observed, ending):
        return ended(observed, ending)
    return None


def _was_stopped(observed: Observed, ending: Ending) -> bool:
    """Return whether the worker ended because we stopped it; then the wish says what comes of it."""
    stopping = current_attempt(observed).reason is not None
    return ending.outcome is Outcome.CANCELLED and (stopping or stop_wish(observed) is not None)


def repeated(observed: Observed) -> Plan | None:
    """The attempt failed for a reason that may pass: again after a pause, as often as spec.retry allows."""
    job, spec = observed.job, observed.spec
    if job is None or job.end is None or spec is None:
        return None
    ending = ending_of(observed, job.end)
    # Its pod goes before the Job that we delete, and with the pod the exit code that told of the lease.
    is_making_room = job.deleting and observed.status.phase is Phase.QUEUED
    if ending.treatment is Treatment.QUEUE or is_making_room:
        return _leased(observed, job, ending)
    if ending.treatment is Treatment.FINAL:
        return ended(observed, ending)
    memory, attempt = memory_of(observed), current_attempt(observed)
    counts = ending.treatment is not Treatment.RETRY_FREE
    if counts and memory.retries >= spec.retry.limit:
        return ended(observed, _given_up(ending, memory.retries + 1))
    due = ending.time + backoff(spec.retry, uid=observed.uid, attempt=attempt.number, retries=memory.retries)
    return _pause(
        observed,
        replace(ending, message=f"attempt {attempt.number} failed: {ending.message}"),
        replace(memory, retries=memory.retries + counts, next_attempt=due),
    )


def _given_up(ending: Ending, number: int) -> Ending:
    if number == 1:
        return ending
    return replace(ending, message=f"{ending.message} (after {number} attempts)")


def _pause(observed: Observed, ending: Ending, memory: Memory) -> Plan:
    due = memory.next_attempt or observed.now
    report = missing_report(observed)
    actions: tuple[Action, ...] = (ReportForWorker(report),) if report is not None else ()
    return Plan(
        State.RETRYING,
        ending.reason,
        f"{ending.message}. The next attempt starts at {format_timestamp(due)}",
        attempts=with_attempt(observed, with_end(current_attempt(observed), observed, ending)),
        memory=memory,
        actions=(*actions, WakeAt(due)),
    )


def _leased(observed: Observed, job: JobView, ending: Ending) -> Plan:
    """Another run holds the lease: the same attempt again, with a new Job, after a pause; it costs nothing."""
    again = ending.time + LEASE_PAUSE
    due = observed.now >= again
    deletion: tuple[Action, ...] = (DeleteJob(job.name, job.uid),) if due and not job.deleting else ()
    return Plan(
        State.QUEUED,
        FailureReason.LEASE_HELD,
        "another run holds the database's lease for this source (another secret, namespace or installation leads to "
        "the same database). It is tried again every 30 s",
        attempts=with_attempt(observed, with_pod(current_attempt(observed), observed)),
        actions=(*deletion, WakeAt(observed.now + _SOON if due else again)),
    )


def expired(observed: Observed) -> Plan | None:
    """The hard deadline also counts while there is no Job; with a Job, the Job controller enforces it."""
    end = deadline_of(observed)
    if end is None or observed.jobs or observed.now < end:
        return None
    return ended(observed, deadline_exceeded(observed, observed.now))


def ended(observed: Observed, ending: Ending) -> Plan:
    """Return the plan of a run that ended this way, with what only its worker's last word knew."""
    report = missing_report(observed)
    attempts = observed.status.attempts
    if observed.jobs or is_recorded(observed):
        attempts = with_attempt(observed, with_end(current_attempt(observed), observed, ending))
    return Plan(
        State.ENDED,
        ending.reason,
        ending.message,
        attempts=attempts,
        ending=ending,
        actions=(ReportForWorker(report),) if report is not None else (),
    )


def failure(observed: Observed, reason: FailureReason, message: str) -> Ending:
    """Return the end of a run that failed now, whatever its attempts did."""
    return Ending(outcome=Outcome.FAILED, reason=reason.value, message=message, time=observed.now)
