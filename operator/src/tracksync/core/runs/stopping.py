"""Rules that stop a run: deletion, `spec.cancel`, `spec.suspend`. Job first, then its pods, in bounded time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from tracksync.api.identity import FINALIZER, Reason
from tracksync.api.job import StopWish
from tracksync.api.result import Outcome
from tracksync.core.runs.attempts import current_attempt, is_recorded, last_attempt, with_attempt, with_end, with_pod
from tracksync.core.runs.manifests import GRACE_SECONDS
from tracksync.core.runs.plan import DeleteJob, Ending, Plan, RemoveFinalizer, State, WakeAt
from tracksync.errors import FailureReason

if TYPE_CHECKING:
    from datetime import datetime

    from tracksync.api.job import Attempt
    from tracksync.core.runs.model import JobView, Observed
    from tracksync.core.runs.plan import Action

SLACK: Final = timedelta(seconds=10)
_AGAIN: Final = timedelta(seconds=5)
_STOPPED: Final = {StopWish.CANCEL: Reason.CANCELLING.value, StopWish.SUSPEND: Reason.SUSPENDING.value}
"""Reason of an attempt that is being stopped: written when its Job is deleted, so that a wish that is taken back
meanwhile still finds what became of it."""


def stop_limit(observed: Observed) -> timedelta:
    """Return how long a stop waits for pods at most; a node that is lost must not block a namespace."""
    grace = observed.spec.worker.termination_grace_period_seconds if observed.spec is not None else GRACE_SECONDS
    return timedelta(seconds=grace) + SLACK


def release(observed: Observed) -> tuple[Action, ...]:
    """Return what lets the TrackSyncJob go when it is deleted."""
    return (RemoveFinalizer(),) if FINALIZER in observed.finalizers else ()


def wishes(observed: Observed) -> tuple[StopWish, ...]:
    """Return the stops that the spec asks for, overruled or not."""
    if observed.spec is None:
        return ()
    asked = ((StopWish.CANCEL, observed.spec.cancel), (StopWish.SUSPEND, observed.spec.suspend))
    return tuple(wish for wish, is_set in asked if is_set)


def stop_wish(observed: Observed) -> StopWish | None:
    """Return the stop that counts now; a cancellation beats a suspension."""
    return next((wish for wish in wishes(observed) if wish not in observed.status.overridden), None)


def cancelled(observed: Observed) -> Plan | None:
    """Delete is cancel: the Job goes first, then its pods, then the finalizer; bounded in time."""
    if observed.deleted_at is None:
        return None
    limit = observed.deleted_at + stop_limit(observed)
    if not _is_alive(observed) or observed.now >= limit:
        return Plan(State.CANCELLING, Reason.CANCELLING, "", silent=True, actions=release(observed))
    return Plan(
        State.CANCELLING,
        Reason.CANCELLING,
        "the TrackSyncJob was deleted; its worker is being stopped and rolls back",
        attempts=_marked(observed, StopWish.CANCEL),
        actions=(*_deletions(observed), WakeAt(limit)),
    )


def stopped(observed: Observed) -> Plan | None:
    """The spec asks to stop: when nothing runs any more, the run is Cancelled or Suspended."""
    wish = stop_wish(observed)
    if wish is None:
        return None
    limit = _deadline(observed)
    if _is_alive(observed) and (limit is None or observed.now < limit):
        return _stopping(observed, wish, limit or observed.now + _AGAIN)
    return _cancelled_at_last(observed) if wish is StopWish.CANCEL else _suspended(observed)


def _stopping(observed: Observed, wish: StopWish, limit: datetime) -> Plan:
    state, reason, message = {
        StopWish.CANCEL: (State.CANCELLING, Reason.CANCELLING, "spec.cancel: the worker is being stopped, rolls back"),
        StopWish.SUSPEND: (State.SUSPENDING, Reason.SUSPENDING, "spec.suspend: the worker is being stopped"),
    }[wish]
    actions = (*_deletions(observed), WakeAt(min(limit, observed.now + stop_limit(observed))))
    return Plan(state, reason, message, attempts=_marked(observed, wish), actions=actions)


def _cancelled_at_last(observed: Observed) -> Plan:
    message = "spec.cancel: the run was stopped and rolled back; no track was changed"
    ending = Ending(Outcome.CANCELLED, FailureReason.CANCELLED.value, message, observed.now)
    attempts = closed(observed, FailureReason.CANCELLED.value)
    return Plan(State.ENDED, ending.reason, message, attempts=attempts, ending=ending)


def _suspended(observed: Observed) -> Plan:
    message = (
        "spec.suspend: nothing runs. It goes on when spec.suspend is false, or with the annotation tracksync.io/resume"
    )
    attempts = closed(observed, Reason.SUSPENDED.value)
    return Plan(State.SUSPENDED, Reason.SUSPENDED, message, attempts=attempts)


def stopped_in_vain(observed: Observed) -> Plan | None:
    """The wish was taken back while the worker was being stopped: this attempt ends, then the next one follows."""
    attempt = current_attempt(observed)
    if attempt.reason not in _STOPPED.values():
        return None
    job, limit = observed.job, _deadline(observed)
    if job is not None and job.end is None and not job.deleting:
        return None  # its deletion never happened: it simply runs on
    if _is_alive(observed) and (limit is None or observed.now < limit):
        message = "the worker is being stopped; the run goes on in a new attempt when it has ended"
        again = WakeAt(min(limit or observed.now + _AGAIN, observed.now + _AGAIN))
        attempts = with_attempt(observed, with_pod(attempt, observed))
        return Plan(State.SUSPENDING, Reason.SUSPENDING, message, attempts=attempts, actions=(again,))
    attempts = closed(observed, Reason.SUSPENDED.value)
    message = "the run goes on in a new attempt"
    return Plan(State.WAITING, Reason.RESUMED, message, attempts=attempts, actions=(WakeAt(observed.now),))


def closed(observed: Observed, reason: str) -> tuple[Attempt, ...]:
    """Return the attempts with the one under way ended for this reason; nothing was announced: nothing is added."""
    if not is_recorded(observed):
        return observed.status.attempts
    ending = Ending(Outcome.CANCELLED, reason, "", observed.now)
    return with_attempt(observed, with_end(current_attempt(observed), observed, ending))


def _marked(observed: Observed, wish: StopWish) -> tuple[Attempt, ...]:
    last = last_attempt(observed)
    if last is None or last.completion_time is not None:
        return observed.status.attempts
    attempt = with_pod(current_attempt(observed), observed).model_copy(update={"reason": _STOPPED[wish]})
    return with_attempt(observed, attempt)


def _is_alive(observed: Observed) -> bool:
    return bool(_unfinished(observed) or observed.live_pods)


def _unfinished(observed: Observed) -> tuple[JobView, ...]:
    return tuple(job for job in observed.jobs if job.end is None)


def _deletions(observed: Observed) -> tuple[Action, ...]:
    return tuple(DeleteJob(job.name, job.uid) for job in _unfinished(observed) if not job.deleting)


def _deadline(observed: Observed) -> datetime | None:
    """Return until when the Job that is being deleted is waited for; None while there is none."""
    since = observed.job.deleting_since if observed.job is not None else None
    return since + stop_limit(observed) if since is not None else None
