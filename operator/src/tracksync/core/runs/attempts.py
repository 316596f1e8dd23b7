"""How one attempt ended: Job condition, pod, exit code, termination message and worker status -> outcome and reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from tracksync.api.identity import Reason, Stage
from tracksync.api.job import MAX_ATTEMPTS, Attempt, StageState
from tracksync.api.result import Outcome, WorkerResult
from tracksync.core.runs.naming import job_name
from tracksync.core.runs.plan import Ending, Treatment
from tracksync.errors import ExitCode, FailureReason

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from tracksync.api.job import Results, WorkerStatus
    from tracksync.core.runs.model import JobEnd, Observed, Terminated

_SUCCESSES: Final = frozenset({Outcome.SUCCEEDED, Outcome.COMPLETED_WITH_ERRORS})
_DEADLINE_EXCEEDED: Final = "DeadlineExceeded"
_OOM_KILLED: Final = "OOMKilled"

_CLOCK_SKEW: Final = timedelta(minutes=10)
_FINAL_EXIT_CODES: Final = frozenset(
    {ExitCode.CONFIGURATION, ExitCode.LISTING_INVALID, ExitCode.CANCELLED, ExitCode.FENCED}
)
_BY_EXIT_CODE: Final = {
    ExitCode.TRANSIENT: (
        FailureReason.TRANSIENT,
        "the worker met a temporary problem",
    ),
    ExitCode.CONFIGURATION: (FailureReason.CONFIGURATION, "the worker refused its configuration; its log says which"),
    ExitCode.LISTING_INVALID: (FailureReason.SOURCE_INVALID, "the source's catalogue page was not believed"),
    ExitCode.FENCED: (FailureReason.FENCED, "a newer worker of the same run took over"),
    ExitCode.LEASE_HELD: (FailureReason.LEASE_HELD, "another run holds the target database"),
}


def current_attempt(observed: Observed) -> Attempt:
    """Return the attempt that is under way or comes next, with the Job name that it must have."""
    last = last_attempt(observed)
    if last is not None and last.completion_time is None:
        return last.model_copy(update={"job_name": job_name(observed.key.name, observed.uid, last.number)})
    number = last.number + 1 if last is not None else 1
    return Attempt(number=number, job_name=job_name(observed.key.name, observed.uid, number))


def last_attempt(observed: Observed) -> Attempt | None:
    """Return the attempt with the highest number, under way or over."""
    return max(observed.status.attempts, key=lambda attempt: attempt.number, default=None)


def is_recorded(observed: Observed) -> bool:
    """Return whether the status already announces the attempt's Job, so that it may be created."""
    return current_attempt(observed) in observed.status.attempts


def with_attempt(observed: Observed, attempt: Attempt) -> tuple[Attempt, ...]:
    """Return the attempts with this one added or replaced; only the latest are kept."""
    others = [known for known in observed.status.attempts if known.number != attempt.number]
    return tuple(sorted([*others, attempt], key=lambda each: each.number))[-MAX_ATTEMPTS:]


def with_pod(attempt: Attempt, observed: Observed) -> Attempt:
    """Return the attempt with what its latest pod tells."""
    pod = observed.pod
    if pod is None:
        return attempt
    return attempt.model_copy(update={"pod_name": pod.name, "node": pod.node, "start_time": pod.started})


def with_end(attempt: Attempt, observed: Observed, ending: Ending) -> Attempt:
    """Return the attempt with its end."""
    terminated = _terminated(observed)
    exit_code = terminated.exit_code if terminated is not None else None
    update = {"completion_time": ending.time, "exit_code": exit_code, "reason": ending.reason}
    return with_pod(attempt, observed).model_copy(update=update)


def believed_result(observed: Observed) -> WorkerResult | None:
    """Return the worker's last word, if a pod of this run and attempt left a readable one."""
    number = current_attempt(observed).number
    for terminated in _all_terminated(observed):
        result = _parse_result(terminated.message)
        if result is not None and (result.run_id, result.attempt) == (observed.uid, number):
            return result
    return None


def _parse_result(message: str) -> WorkerResult | None:
    try:
        return WorkerResult.model_validate_json(message) if message else None
    except ValidationError:
        return None


def missing_report(observed: Observed) -> WorkerStatus | None:
    """Return the worker's half of the status as it should be, when its last word knows more than the status shows."""
    result = believed_result(observed)
    if result is None:
        return None
    told = {name: value for name in type(result.status).model_fields if (value := getattr(result.status, name))}
    if told.get("results") in {None, observed.worker.results}:
        return None  # the last progress write arrived
    return observed.worker.model_copy(update=told)


def final_report(observed: Observed) -> WorkerStatus:
    """Return the worker's half of the status as its end left it, wherever that was told."""
    return missing_report(observed) or observed.worker


def ending_of(observed: Observed, job_end: JobEnd) -> Ending:
    """Return how the attempt ended, for a Job that is finished, and what follows from it."""
    terminated = _terminated(observed)
    time = _end_time(observed, terminated, job_end)
    result = believed_result(observed)
    if result is not None and (result.outcome in _SUCCESSES or job_end.reason != _DEADLINE_EXCEEDED):
        ending = Ending(outcome=result.outcome, reason=result.reason, message=result.message, time=time)
    elif job_end.reason == _DEADLINE_EXCEEDED:
        return deadline_exceeded(observed, time)
    elif job_end.succeeded:
        ending = ending_by_status(observed, time) or _result_missing(time)
    else:
        ending = _ending_by_exit(observed, terminated, job_end, time)
    return replace(ending, treatment=_treatment(observed, ending, terminated))


def _end_time(observed: Observed, terminated: Terminated | None, job_end: JobEnd) -> datetime:
    """Return when the attempt ended; what a node with a wrong clock says is not believed."""
    created = observed.job.created if observed.job is not None else observed.now
    told = (terminated.time if terminated is not None else None, job_end.time)
    earliest, latest = created - _CLOCK_SKEW, observed.now + _CLOCK_SKEW
    return next((time for time in told if time is not None and earliest <= time <= latest), observed.now)


def _treatment(observed: Observed, ending: Ending, terminated: Terminated | None) -> Treatment:
    """Return what follows: what somebody has to change first, and what somebody stopped, is never retried."""
    if ending.outcome in _SUCCESSES:
        return Treatment.FINAL
    if observed.pods and all(pod.disrupted for pod in observed.pods):
        return Treatment.RETRY_FREE
    if terminated is None:
        return Treatment.RETRY
    if terminated.exit_code == ExitCode.LEASE_HELD:
        return Treatment.QUEUE
    return Treatment.FINAL if terminated.exit_code in _FINAL_EXIT_CODES else Treatment.RETRY


def deadline_exceeded(observed: Observed, time: datetime) -> Ending:
    """Return the ending of a run that was stopped by its hard limit."""
    seconds = observed.spec.active_deadline_seconds if observed.spec is not None else 0
    return _failure(
        FailureReason.DEADLINE_EXCEEDED,
        f"the run did not end within spec.activeDeadlineSeconds ({seconds} s) and was stopped; no track was changed. "
        "Raise spec.activeDeadlineSeconds and resume it with the annotation tracksync.io/resume",
        time,
    )


def ending_by_status(observed: Observed, time: datetime) -> Ending | None:
    """Return the ending that the worker's half of the status proves: its last stage is done and the counters are in."""
    results = observed.worker.results
    reported = any(stage.name is Stage.REPORT and stage.state is StageState.DONE for stage in observed.worker.stages)
    if results is None or not reported:
        return None
    if results.failed_items:
        outcome, reason = Outcome.COMPLETED_WITH_ERRORS, Reason.COMPLETED_WITH_ERRORS
    else:
        outcome, reason = Outcome.SUCCEEDED, Reason.COMPLETED
    return Ending(outcome=outcome, reason=reason.value, message=_summary(results), time=time)


def _summary(results: Results) -> str:
    return (
        f"{results.listed} tracks listed: {results.inserted} inserted, {results.updated} updated, "
        f"{results.unchanged} unchanged, {results.deactivated} deactivated, {results.failed_items} failed"
    )


def _ending_by_exit(observed: Observed, terminated: Terminated | None, job_end: JobEnd, time: datetime) -> Ending:
    if terminated is None:
        said = f"{job_end.reason}: {job_end.message}" if job_end.message else job_end.reason
        return _failure(FailureReason.POD_FAILED, f"the worker's Job failed and left no pod to ask: {said}", time)
    if terminated.reason == _OOM_KILLED:
        return _failure(FailureReason.OUT_OF_MEMORY, _out_of_memory(observed), time)
    if terminated.exit_code == ExitCode.CANCELLED:
        message = "the worker was stopped from outside and rolled back; no track was changed"
        return Ending(outcome=Outcome.CANCELLED, reason=FailureReason.CANCELLED.value, message=message, time=time)
    if terminated.exit_code in _BY_EXIT_CODE:
        reason, message = _BY_EXIT_CODE[ExitCode(terminated.exit_code)]
        return _failure(reason, f"{message} (exit code {terminated.exit_code})", time)
    return _failure(
        FailureReason.POD_FAILED,
        f"the worker ended with exit code {terminated.exit_code} ({terminated.reason or 'no reason given'}) "
        "and without a result; its log says more",
        time,
    )


def _out_of_memory(observed: Observed) -> str:
    limit = observed.spec.worker.resources.limits.memory if observed.spec is not None else "?"
    return (
        f"OOMKilled: the worker was killed for using more memory than its limit of {limit}. Raise "
        "spec.worker.resources.limits.memory (it counts from the next attempt on)"
    )


def _result_missing(time: datetime) -> Ending:
    message = (
        "the worker exited 0, but neither its status nor its termination message arrived; "
        "the ledger (`runs` in the database) knows whether it merged"
    )
    return _failure(FailureReason.RESULT_MISSING, message, time)


def _failure(reason: FailureReason, message: str, time: datetime) -> Ending:
    return Ending(outcome=Outcome.FAILED, reason=reason.value, message=message, time=time)


def _terminated(observed: Observed) -> Terminated | None:
    """Return the end of the latest pod that was not merely disrupted."""
    return next(_all_terminated(observed), None)


def _all_terminated(observed: Observed) -> Iterator[Terminated]:
    newest_first = reversed(observed.pods)
    for pod in sorted(newest_first, key=lambda pod: pod.disrupted):  # stable: disrupted ones last
        if pod.terminated is not None:
            yield pod.terminated
