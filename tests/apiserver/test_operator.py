"""The operator as a process against a real API server and Job controller: killed, restarted, told to delete."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.apiserver.conftest import Run, wait_for
from tracksync.api.base import format_timestamp
from tracksync.api.identity import FINALIZER, JOB_KIND
from tracksync.core.runs.naming import job_name

if TYPE_CHECKING:
    from tests.apiserver.conftest import Control, OperatorProcess


def until_launched(run: Run) -> dict[str, Any]:
    """Wait for the run's only Job and return it."""
    wait_for(lambda: len(run.jobs()) == 1, run.read)
    return run.jobs()[0]


def until_pod(run: Run) -> dict[str, Any]:
    wait_for(lambda: len(run.pods()) == 1, run.jobs)
    return run.pods()[0]


def delete(run: Run, *, wait: bool = True) -> None:
    run.control.kubectl("-n", run.namespace, "delete", "tsj", run.name, f"--wait={'true' if wait else 'false'}")


def end_pod(run: Run, exit_code: int, message: str = "", *, attempt: int = 1) -> None:
    """Write the pod's status as the kubelet does when the container has ended."""
    label = {"tracksync.io/attempt": str(attempt)}

    def found() -> list[str]:
        return [pod["metadata"]["name"] for pod in run.pods() if label.items() <= pod["metadata"]["labels"].items()]

    wait_for(lambda: len(found()) == 1, run.jobs)
    [pod] = found()
    terminated = {
        "exitCode": exit_code,
        "message": message,
        "startedAt": None,
        "finishedAt": format_timestamp(datetime.now(UTC)),
    }
    container = {
        "name": "worker",
        "image": "x",
        "imageID": "x",
        "ready": False,
        "restartCount": 0,
        "state": {"terminated": terminated},
    }
    status = {"phase": "Succeeded" if exit_code == 0 else "Failed", "containerStatuses": [container]}
    run.control.kubectl(
        "-n",
        run.namespace,
        "patch",
        "pod",
        pod,
        "--subresource=status",
        "--type=merge",
        "-p",
        json.dumps({"status": status}),
    )


def test_one_job_with_our_owner_reference_and_the_announced_name(operator: OperatorProcess, run: Run) -> None:
    assert operator.process is not None
    run.create()
    job = until_launched(run)
    uid = run.read()["metadata"]["uid"]
    [owner] = job["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == (JOB_KIND, uid, True)
    assert job["metadata"]["name"] == job_name(run.name, uid, 1)
    assert run.read()["status"]["attempts"][0]["jobName"] == job["metadata"]["name"]
    assert run.read()["metadata"]["finalizers"] == [FINALIZER]


def test_kopf_leaves_no_trace_on_the_object(operator: OperatorProcess, run: Run) -> None:
    assert operator.process is not None
    run.create()
    until_launched(run)
    assert "annotations" not in run.read()["metadata"]


def test_O1_killed_and_restarted_it_makes_no_second_job(operator: OperatorProcess, run: Run) -> None:  # noqa: N802 -- fault id
    run.create()
    first = until_launched(run)
    operator.kill()
    operator.start()
    wait_for(lambda: run.condition("Running") != "", run.read)
    patch = json.dumps({"spec": {"activeDeadlineSeconds": 1234}})
    run.control.kubectl("-n", run.namespace, "patch", "tsj", run.name, "--type=merge", "-p", patch)
    wait_for(lambda: run.jobs()[0]["spec"]["activeDeadlineSeconds"] == 1234, run.read)
    [job] = run.jobs()
    assert job["metadata"]["uid"] == first["metadata"]["uid"]


def test_O2_what_ended_while_it_was_away_is_found_out(operator: OperatorProcess, run: Run) -> None:  # noqa: N802 -- fault id
    run.create()
    until_pod(run)
    operator.kill()
    result = {"runId": run.read()["metadata"]["uid"], "attempt": 1, "outcome": "Failed", "reason": "SchemaMismatch"}
    end_pod(run, 30, json.dumps(result | {"message": "the database is empty; run `tracksync migrate`"}))
    operator.start()
    wait_for(lambda: run.phase() == "Failed", run.read)
    assert run.condition("Succeeded") == "False/SchemaMismatch"
    assert run.condition("Stalled") == "True/SchemaMismatch"
    assert "tracksync migrate" in run.read()["status"]["message"]
    assert run.read()["status"]["attempts"][0]["exitCode"] == 30
    wait_for(lambda: "finalizers" not in run.read()["metadata"], run.read)


def test_the_result_comes_home_in_the_termination_message(operator: OperatorProcess, run: Run) -> None:
    assert operator.process is not None
    run.create()
    until_pod(run)
    result = {"runId": run.read()["metadata"]["uid"], "attempt": 1, "outcome": "Succeeded", "reason": "Completed"}
    withheld = {"count": 545, "activeBefore": 1090, "reasons": ["maxPercent", "maxCount"]}
    status = {"results": {"listed": 3, "inserted": 3, "withheld": 545}, "withheld": withheld}
    end_pod(run, 0, json.dumps(result | {"status": status}))
    wait_for(lambda: run.phase() == "Succeeded", run.read)
    assert run.condition("Succeeded") == "True/Completed"
    assert run.condition("DeactivationWithheld") == "True/Withheld"
    assert (run.read()["status"]["results"]["inserted"], run.read()["status"]["withheld"]) == (3, withheld)


def test_deleting_a_run_ends_its_job_and_releases_it(operator: OperatorProcess, run: Run) -> None:
    assert operator.process is not None
    run.create()
    until_launched(run)
    delete(run)
    assert not run.exists()
    wait_for(lambda: run.jobs() == [], run.jobs)


def test_a_finished_run_can_be_deleted_without_an_operator(operator: OperatorProcess, run: Run) -> None:
    run.create(source={"name": "elsewhere"})
    wait_for(lambda: run.phase() == "Failed" and "finalizers" not in run.read()["metadata"], run.read)
    assert run.condition("Succeeded") == "False/SourceNotAllowed"
    assert "liverc" in run.read()["status"]["message"]
    assert run.jobs() == []
    operator.kill()
    delete(run)
    assert not run.exists()
    operator.start()
    wait_for(lambda: operator.log.count("operator_ready") == 2, lambda: operator.log)


def test_a_namespace_with_a_run_can_be_deleted(operator: OperatorProcess, run: Run, control: Control) -> None:
    assert operator.process is not None
    run.create()
    until_launched(run)
    control.kubectl("delete", "namespace", run.namespace, "--timeout=60s")
    assert run.namespace not in control.kubectl("get", "namespaces")
    control.kubectl("create", "namespace", run.namespace)  # the fixture takes it down again


def test_J7_a_job_that_was_deleted_by_hand_is_made_anew(operator: OperatorProcess, run: Run) -> None:  # noqa: N802 -- fault id
    assert operator.process is not None
    run.create()
    first = until_launched(run)
    run.control.kubectl("-n", run.namespace, "delete", "job", first["metadata"]["name"], "--cascade=foreground")
    wait_for(lambda: [job["metadata"]["uid"] for job in run.jobs()] not in ([], [first["metadata"]["uid"]]), run.jobs)
    assert [job["metadata"]["name"] for job in run.jobs()] == [first["metadata"]["name"]]


def test_J5_a_quota_is_shown_in_the_servers_words_and_heals(  # noqa: N802 -- fault id
    operator: OperatorProcess, run: Run, control: Control
) -> None:
    assert operator.process is not None
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "none", "namespace": run.namespace},
        "spec": {"hard": {"pods": "0"}},
    }
    control.apply(quota)
    run.create()
    wait_for(lambda: run.condition("Running") == "False/PodRefused", run.read)
    assert "exceeded quota" in run.read()["status"]["message"]
    control.kubectl("-n", run.namespace, "delete", "resourcequota", "none")
    wait_for(lambda: len(run.pods()) == 1, run.jobs, seconds=60)


def test_C3_a_foreign_job_with_our_name_is_reported_and_left_alone(  # noqa: N802 -- fault id
    operator: OperatorProcess, run: Run
) -> None:
    operator.kill()
    run.create()
    name = job_name(run.name, run.read()["metadata"]["uid"], 1)
    run.control.kubectl("-n", run.namespace, "create", "job", name, "--image=x")
    operator.start()
    wait_for(lambda: run.phase() == "Failed", run.read)
    assert run.condition("Succeeded") == "False/NameCollision"
    [job] = run.jobs()
    assert "ownerReferences" not in job["metadata"]


def events_of(run: Run) -> list[dict[str, Any]]:
    events = run.control.get("events", "-n", run.namespace)["items"]
    return [event for event in events if event["involvedObject"]["kind"] == JOB_KIND]


def test_a_transition_leaves_one_event_that_counts(operator: OperatorProcess, run: Run) -> None:
    assert operator.process is not None
    run.create(source={"name": "elsewhere"})
    wait_for(lambda: run.phase() == "Failed", run.read)
    # The Event follows the status: the status is what has to be right first.
    wait_for(lambda: bool(events_of(run)), run.read)
    [event] = events_of(run)
    assert (event["reason"], event["type"], event["count"]) == ("SourceNotAllowed", "Warning", 1)


def test_C1_a_missing_secret_is_named_and_the_run_goes_on_when_it_appears(  # noqa: N802 -- fault id
    operator: OperatorProcess, run: Run, control: Control
) -> None:
    """The next obstacle is the image that does not exist: it is only met when the volume could be mounted."""
    assert operator.process is not None
    run.create()
    wait_for(lambda: run.condition("Running") == "False/SecretMissing", run.read)
    message = run.read()["status"]["message"]
    assert "spec.target.databaseSecretRef.name" in message
    assert "tracksync-db" in message
    literal = "--from-literal=url=postgresql://somebody@nowhere.invalid/none"
    control.kubectl("-n", run.namespace, "create", "secret", "generic", "tracksync-db", literal)
    wait_for(lambda: run.condition("Running") == "False/ImageProblem", run.read, seconds=150)
    assert "ErrImageNeverPull" in run.read()["status"]["message"]
