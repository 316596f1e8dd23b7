"""Retry, cancel, suspend, resume, queue and time to live, with a real API server and its controllers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.apiserver.conftest import Run, wait_for
from tests.apiserver.test_operator import delete, end_pod, until_launched
from tracksync.api.identity import JOB_KIND, Annotation

if TYPE_CHECKING:
    from tests.apiserver.conftest import OperatorProcess


def change(run: Run, **spec: Any) -> None:
    patch = json.dumps({"spec": spec})
    run.control.kubectl("-n", run.namespace, "patch", "tsj", run.name, "--type=merge", "-p", patch)


def resume(run: Run, token: str) -> None:
    annotation = f"{Annotation.RESUME.value}={token}"
    run.control.kubectl("-n", run.namespace, "annotate", "tsj", run.name, annotation, "--overwrite")


def attempts(run: Run) -> list[int]:
    return [attempt["number"] for attempt in run.read().get("status", {}).get("attempts", [])]


def until_phase(run: Run, phase: str, *, seconds: float = 30.0) -> None:
    wait_for(lambda: run.phase() == phase, run.read, seconds=seconds)


def until_attempt(run: Run, number: int) -> None:
    """Wait for the Job of this attempt."""
    name = f"-a{number}"
    wait_for(lambda: any(job["metadata"]["name"].endswith(name) for job in run.jobs()), run.read, seconds=60)


def events(run: Run) -> set[str]:
    found = run.control.get("events", "-n", run.namespace)["items"]
    return {event["reason"] for event in found if event["involvedObject"]["kind"] == JOB_KIND}


def success(run: Run, attempt: int) -> str:
    uid = run.read()["metadata"]["uid"]
    return json.dumps({"runId": uid, "attempt": attempt, "outcome": "Succeeded", "reason": "Completed"})


def test_J1_a_failure_that_may_pass_is_repeated_in_a_second_job(operator: OperatorProcess, run: Run) -> None:  # noqa: N802 -- fault id
    assert operator.process is not None
    run.create(retry={"backoffSeconds": 2})
    end_pod(run, 20)
    until_attempt(run, 2)
    status = run.read()["status"]
    assert (attempts(run), status["attempts"][0]["exitCode"], status["retries"]) == ([1, 2], 20, 1)
    end_pod(run, 0, success(run, 2), attempt=2)
    until_phase(run, "Succeeded")
    assert len(run.jobs()) == 2
    assert "TransientError" in events(run)


def test_a_lease_that_is_held_means_queued_and_the_same_attempt_again(operator: OperatorProcess, run: Run) -> None:
    assert operator.process is not None
    run.create()
    first = until_launched(run)["metadata"]["uid"]
    end_pod(run, 70)
    until_phase(run, "Queued")
    assert run.condition("Admitted") == "False/LeaseHeld"
    wait_for(lambda: [job["metadata"]["uid"] for job in run.jobs()] not in ([], [first]), run.read, seconds=75)
    assert attempts(run) == [1]


def test_spec_cancel_stops_the_job_and_keeps_the_resource(operator: OperatorProcess, run: Run) -> None:
    assert operator.process is not None
    run.create()
    until_launched(run)
    change(run, cancel=True)
    until_phase(run, "Cancelled", seconds=60)
    assert (run.condition("Succeeded"), run.jobs(), run.pods()) == ("False/Cancelled", [], [])
    wait_for(lambda: "finalizers" not in run.read()["metadata"], run.read)


def test_a_run_is_suspended_and_goes_on_in_a_new_attempt(operator: OperatorProcess, run: Run) -> None:
    assert operator.process is not None
    run.create(suspend=True)
    until_phase(run, "Suspended")
    assert run.jobs() == []
    change(run, suspend=False)
    until_launched(run)
    change(run, suspend=True)
    until_phase(run, "Suspended", seconds=60)
    assert (run.jobs(), run.pods(), run.condition("Reconciling")) == ([], [], "False/Suspended")
    change(run, suspend=False)
    until_attempt(run, 2)
    assert attempts(run) == [1, 2]
    delete(run)
    assert not run.exists()


def test_X5_a_token_resumes_once_and_is_refused_where_it_does_not_apply(  # noqa: N802 -- fault id
    operator: OperatorProcess, run: Run
) -> None:
    assert operator.process is not None
    run.create()
    resume(run, "too-early")
    wait_for(lambda: run.read().get("status", {}).get("lastHandledResume") == "too-early", run.read)
    wait_for(lambda: "ResumeRefused" in events(run), run.read)
    end_pod(run, 40)
    until_phase(run, "Failed")
    resume(run, "again")
    until_attempt(run, 2)
    assert run.read()["status"]["lastHandledResume"] == "again"
    end_pod(run, 40, attempt=2)
    until_phase(run, "Failed")
    assert attempts(run) == [1, 2]


def test_a_second_run_waits_and_starts_when_the_first_has_ended(operator: OperatorProcess, run: Run) -> None:
    assert operator.process is not None
    run.create()
    until_launched(run)
    second = Run(run.control, run.namespace, "second")
    second.create()
    until_phase(second, "Queued")
    assert second.read()["status"]["queuePosition"] == 1
    assert len(run.jobs()) == 1
    end_pod(run, 40)
    until_phase(run, "Failed")
    wait_for(lambda: second.condition("Admitted") == "True/Admitted" and len(run.jobs()) == 2, second.read, seconds=10)


def test_a_finished_run_is_deleted_with_its_job_when_its_time_is_over(operator: OperatorProcess, run: Run) -> None:
    assert operator.process is not None
    run.create(ttlSecondsAfterFinished=3)
    end_pod(run, 40)
    wait_for(lambda: not run.exists(), run.read)
    wait_for(lambda: run.jobs() == [], run.jobs)
