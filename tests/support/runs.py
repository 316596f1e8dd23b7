"""Observations of a run, from sentences: a row of a table states only what matters to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from tests.support.clocks import START
from tracksync.api.identity import FINALIZER
from tracksync.api.job import Attempt, OperatorStatus, Phase, TrackSyncJobSpec, WorkerStatus
from tracksync.api.result import Outcome, WorkerResult
from tracksync.api.source import SourceEntry
from tracksync.core.runs.model import JobEnd, JobView, Key, Observed, PodView, Terminated, WorkerTemplate
from tracksync.core.runs.naming import job_name

KEY = Key("team-a", "nightly")
UID = "0c5a0ad0-6d8e-4d0a-9f5e-0f3f7f8f4c11"
SPEC: dict[str, Any] = {"target": {"databaseSecretRef": {"name": "tracksync-db"}}}
JOB_NAME = job_name(KEY.name, UID, 1)
NOW = START


def after(seconds: float) -> Any:
    """A moment this long after NOW."""
    return NOW + timedelta(seconds=seconds)


def a_run(**changes: Any) -> Observed:
    """A TrackSyncJob that was created a moment ago and that nobody has touched yet."""
    base = Observed(
        key=KEY,
        uid=UID,
        now=NOW,
        generation=1,
        resource_version="7",
        template=WorkerTemplate("registry.example/tracksync:1", "IfNotPresent"),
        sources={"liverc": SourceEntry()},
        spec=TrackSyncJobSpec.model_validate(SPEC),
    )
    return replace(base, **changes)


def announced(**changes: Any) -> Observed:
    """A run whose Job's name is in its status already and whose finalizer is set; there is no Job yet."""
    status = OperatorStatus(
        observed_generation=1,
        run_id=UID,
        phase=Phase.PENDING,
        attempts=(Attempt(number=1, job_name=JOB_NAME),),
        start_time=NOW,
    )
    return a_run(**({"finalizers": (FINALIZER,), "status": status} | changes))


def a_job(**changes: Any) -> JobView:
    """The run's Job, a second old."""
    return replace(JobView(JOB_NAME, "job-uid", after(-1), active_deadline_seconds=3600), **changes)


def a_pod(**changes: Any) -> PodView:
    """A pod of the run's Job that has not started."""
    return replace(PodView(f"{JOB_NAME}-x7k2p", "pod-uid", after(-1)), **changes)


def with_job(job: JobView | None = None, pod: PodView | None = None, **changes: Any) -> Observed:
    """A run with its Job and perhaps a pod."""
    found = {"jobs": (job or a_job(),), "pods": (pod,) if pod is not None else ()}
    return announced(**(found | changes))


def ended_with(exit_code: int, *, message: str = "", reason: str = "Error", **changes: Any) -> Observed:
    """A run whose pod ended and whose Job is finished accordingly."""
    pod = a_pod(gone=True, terminated=Terminated(exit_code, reason, message, NOW))
    job = a_job(end=JobEnd(exit_code == 0, time=NOW))
    return with_job(job, pod, **changes)


def last_word(outcome: Outcome, reason: str, message: str = "", **changes: Any) -> str:
    """A termination message of this run's first attempt."""
    result = WorkerResult(run_id=UID, attempt=1, outcome=outcome, reason=reason, message=message)
    return result.model_copy(update=changes).encode().decode()


def worker_status(**fields: Any) -> WorkerStatus:
    """The worker's half of the status."""
    return WorkerStatus.model_validate(fields)
