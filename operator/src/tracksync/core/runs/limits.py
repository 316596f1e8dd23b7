"""A run's times: the hard deadline, the soft one (SLA), the silence that counts as a stall, the life after the end.

Deadline and SLA count from the moment that the run got its turn (`Admitted` became True).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from tracksync.api.base import ConditionStatus, format_timestamp
from tracksync.api.identity import ConditionType, Reason
from tracksync.api.result import Outcome

if TYPE_CHECKING:
    from datetime import datetime

    from tracksync.core.runs.model import JobView, Observed
    from tracksync.core.runs.plan import Ending

_CLOCKS: Final = 5
"""Seconds by which the clocks of operator and API server may differ before a Job's deadline is corrected."""
_SHORTEST: Final = 1


@dataclass(frozen=True, slots=True)
class Finding:
    """What is to be said about a limit."""

    status: ConditionStatus
    reason: Reason
    message: str


def turn_began(observed: Observed) -> datetime | None:
    """Return since when the run has had its turn; None while it has none."""
    for condition in observed.status.conditions:
        if condition.type == ConditionType.ADMITTED:
            return condition.last_transition_time if condition.status is ConditionStatus.TRUE else None
    return observed.status.start_time if observed.status.attempts else None


def deadline_of(observed: Observed) -> datetime | None:
    """Return when the run has to be over; None while it does not have its turn."""
    began = turn_began(observed)
    if began is None or observed.spec is None:
        return None
    return began + timedelta(seconds=observed.spec.active_deadline_seconds)


def job_deadline(observed: Observed, *, since: datetime) -> int:
    """Return the seconds that a Job created at this time may take: all of them, or what earlier attempts left."""
    seconds = observed.spec.active_deadline_seconds if observed.spec is not None else _SHORTEST
    end = deadline_of(observed)
    if end is None or not observed.status.retries:
        return seconds
    return max(_SHORTEST, min(seconds, round((end - since).total_seconds())))


def needs_new_deadline(observed: Observed, job: JobView, seconds: int) -> bool:
    """Return whether the Job's deadline is not the wanted one."""
    if job.active_deadline_seconds is None:
        return True
    return abs(job.active_deadline_seconds - seconds) > (_CLOCKS if observed.status.retries else 0)


def ttl_end(observed: Observed) -> datetime | None:
    """Return when the finished TrackSyncJob is to be deleted; None when that cannot be told."""
    ended = observed.status.completion_time
    if ended is None or observed.spec is None:
        return None
    return ended + timedelta(seconds=observed.spec.ttl_seconds_after_finished)


def last_sign(observed: Observed) -> datetime | None:
    """Return the latest sign of life: the worker's heartbeat, or the start of its pod."""
    pod, progress = observed.pod, observed.worker.progress
    signs = [pod.started if pod is not None else None, progress.heartbeat if progress is not None else None]
    return max((sign for sign in signs if sign is not None), default=None)


def stall(observed: Observed) -> Finding | None:
    """Return what is known about a running worker that has been silent for too long; None when it has not."""
    sign = last_sign(observed)
    if sign is None or observed.spec is None:
        return None
    silent, limit = (observed.now - sign).total_seconds(), observed.spec.stall_seconds
    if silent <= limit:
        return None
    message = (
        f"the worker has given no sign of life for {silent:.0f} s (spec.stallSeconds {limit}); "
        f"{_where(observed, sign)}. Look at its pod's log; it is stopped at the latest by spec.activeDeadlineSeconds"
    )
    return Finding(ConditionStatus.TRUE, Reason.NO_HEARTBEAT, message)


def _where(observed: Observed, sign: datetime) -> str:
    progress = observed.worker.progress
    if progress is None or progress.heartbeat < sign:
        return f"nothing was heard since its pod started at {format_timestamp(sign)}"
    done = f", {progress.text} done" if progress.text else ""
    return f"the last heartbeat came at {format_timestamp(sign)} from stage {progress.stage}{done}"


def sla(observed: Observed, ending: Ending | None) -> Finding | None:
    """Return whether the run keeps its soft limit; None when it never had its turn."""
    began = turn_began(observed)
    if began is None or observed.spec is None:
        return None
    limit = observed.spec.sla_seconds
    if ending is not None:
        return _final_sla(ending, (ending.time - began).total_seconds(), limit)
    elapsed = (observed.now - began).total_seconds()
    if elapsed > limit:
        return Finding(
            ConditionStatus.FALSE,
            Reason.BREACHED,
            f"not done {elapsed:.0f} s after its turn began; the limit is {limit} s",
        )
    return _predicted_breach(observed, began, limit) or Finding(
        ConditionStatus.UNKNOWN, Reason.IN_PROGRESS, f"has to be done within {limit} s"
    )


def _final_sla(ending: Ending, elapsed: float, limit: int) -> Finding:
    numbers = f"after {max(0.0, elapsed):.0f} s; the limit is {limit} s"
    if elapsed > limit:
        return Finding(ConditionStatus.FALSE, Reason.BREACHED, f"ended {numbers}")
    if ending.outcome in {Outcome.SUCCEEDED, Outcome.COMPLETED_WITH_ERRORS}:
        return Finding(ConditionStatus.TRUE, Reason.MET, f"done {numbers}")
    return Finding(ConditionStatus.UNKNOWN, Reason.NOT_COMPLETED, f"ended without success {numbers}")


def _predicted_breach(observed: Observed, began: datetime, limit: int) -> Finding | None:
    """Return that the worker's own estimate is beyond the limit. An estimate of an earlier attempt is not believed."""
    progress, pod = observed.worker.progress, observed.pod
    if progress is None or progress.eta is None or pod is None or pod.started is None:
        return None
    expected = (progress.eta - began).total_seconds()
    if progress.heartbeat < pod.started or expected <= limit:
        return None
    message = (
        f"stage {progress.stage} alone is expected to end {expected:.0f} s after the run's turn began; "
        f"the limit is {limit} s"
    )
    return Finding(ConditionStatus.UNKNOWN, Reason.PREDICTED_BREACH, message)
