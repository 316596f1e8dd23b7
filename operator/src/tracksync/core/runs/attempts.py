"""How one attempt ended: Job condition, pod, exit code, termination message and worker status -> outcome and reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from tracksync.api.identity import Reason, Stage
from tracksync.api.job import Attempt, StageState
from tracksync.api.result import Outcome, WorkerResult
from tracksync.core.runs.model import Ending
from tracksync.core.runs.naming import job_name
from tracksync.errors import ExitCode, FailureReason

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from tracksync.api.job import Results, WorkerStatus
    from tracksync.core.runs.model import JobEnd, Observed, Terminated

FIRST_ATTEMPT: Final = 1
_SUCCESSES: Final = frozenset({Outcome.SUCCEEDED, Outcome.COMPLETED_WITH_ERRORS})
_DEADLINE_EXCEEDED: Final = "DeadlineExceeded"
_OOM_KILLED: Final = "OOMKilled"

_BY_EXIT_CODE: Final = {
    ExitCode.TRANSIENT: (
        FailureReason.TRANSIENT,
        "the worker met a temporary problem; create a new TrackSyncJob later",
    ),
    ExitCode.CONFIGURATION: (FailureReason.CONFIGURATION, "the worker refused its configuration; its log says which"),
    ExitCode.LISTING_INVALID: (FailureReason.SOURCE_INVALID, "the source's catalogue page was not believed"),
    ExitCode.FENCED: (FailureReason.FENCED, "a newer worker of the same run took over"),
    ExitCode.LEASE_HELD: (FailureReason.LEASE_HELD, "another run holds the target database"),
}


def current_attempt(observed: Observed) -> Attempt:
    """Return the attempt that is or will be under way, with the Job name that it must have."""
    name = job_name(observed.key.name, observed.uid, FIRST_ATTEMPT)
    for attempt in observed.status.attempts:
        if attempt.number == FIRST_ATTEMPT:
            return attempt.model_copy(update={"job_name": name})
    return Attempt(number=FIRST_ATTEMPT, job_name=name)


def is_recorded(observed: Observed) -> bool:
    """Return whether the status already announces the attempt's Job, so that it may be created."""
    return current_attempt(observed) in observed.status.attempts


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
    for terminated in _all_terminated(observed):
        result = _parse_result(terminated.message)
        if result is not None and (result.run_id, result.attempt) == (observed.uid, FIRST_ATTEMPT):
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
    """Return how the run ended, for a Job that is finished."""
    terminated = _terminated(observed)
    time = (terminated.time if terminated is not None else None) or job_end.time or observed.now
    result = believed_result(observed)
    if result is not None and (result.outcome in _SUCCESSES or job_end.reason != _DEADLINE_EXCEEDED):
        return Ending(outcome=result.outcome, reason=result.reason, message=result.message, time=time)
    if job_end.reason == _DEADLINE_EXCEEDED:
        return deadline_exceeded(observed, time)
    if job_end.succeeded:
        return ending_by_status(observed, time) or _result_missing(time)
    return _ending_by_exit(terminated, job_end, time)


def deadline_exceeded(observed: Observed, time: datetime) -> Ending:
    """Return the ending of a run that was stopped by its hard limit."""
    seconds = observed.spec.active_deadline_seconds if observed.spec is not None else 0
    return _failure(
        FailureReason.DEADLINE_EXCEEDED,
        f"the run did not end within spec.activeDeadlineSeconds ({seconds} s) and was stopped; no track was changed. "
        "Create a TrackSyncJob with a longer deadline or a higher spec.source.requestsPerSecond",
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


def _ending_by_exit(terminated: Terminated | None, job_end: JobEnd, time: datetime) -> Ending:
    if terminated is None:
        said = f"{job_end.reason}: {job_end.message}" if job_end.message else job_end.reason
        return _failure(FailureReason.POD_FAILED, f"the worker's Job failed and left no pod to ask: {said}", time)
    if terminated.reason == _OOM_KILLED:
        return _failure(
            FailureReason.OUT_OF_MEMORY,
            "the worker was killed for using more memory than its limit of 512Mi; no track was changed. "
            "Lower spec.source.concurrency, or report the run's size",
            time,
        )
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


def _result_missing(time: datetime) -> Ending:
    message = (
        "the worker exited 0, but neither its status nor its termination message arrived; "
        "the ledger (`runs` in the database) knows whether it merged. Create a new TrackSyncJob to be sure"
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
