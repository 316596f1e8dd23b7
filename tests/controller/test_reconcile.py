"""Whole runs on the twin of the cluster, and the same with the operator killed around every single port call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.controller.driving import CrashPoint, Rig
from tests.support.runs import KEY, SPEC
from tracksync.api.identity import FINALIZER
from tracksync.api.result import Outcome, WorkerResult
from tracksync.core.runs.model import Key
from tracksync.core.runs.reading import mapping
from tracksync.errors import ClusterRefusedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Scenario = Callable[[Rig], Awaitable[None]]

RESULTS = {"listed": 3, "inserted": 3}


def last_word(rig: Rig, outcome: Outcome = Outcome.SUCCEEDED, reason: str = "Completed") -> str:
    result = WorkerResult.model_validate(
        {"runId": rig.uid, "attempt": 1, "outcome": outcome, "reason": reason, "status": {"results": RESULTS}}
    )
    return result.encode().decode()


async def success(rig: Rig) -> None:
    await rig.settle()
    pod = rig.start_pod()
    await rig.settle()
    rig.cluster.end_pod(pod, exit_code=0, message=last_word(rig))
    rig.cluster.end_job(rig.job, succeeded=True)
    await rig.settle()
    await rig.settle()


async def failure(rig: Rig) -> None:
    await rig.settle()
    pod = rig.start_pod()
    rig.cluster.end_pod(pod, exit_code=40)
    rig.cluster.end_job(rig.job, succeeded=False, reason="PodFailurePolicy")
    await rig.settle()
    await rig.settle()


async def cancellation(rig: Rig) -> None:
    await rig.settle()
    rig.start_pod()
    await rig.settle()
    rig.cluster.remove_run(KEY)
    await rig.settle()
    rig.cluster.end_deletion()
    await rig.settle()


async def lost_job(rig: Rig) -> None:
    await rig.settle()
    rig.cluster.jobs.clear()
    await rig.settle()
    rig.start_pod()
    await rig.settle()


SCENARIOS: dict[str, tuple[Scenario, int]] = {
    "success": (success, 1),
    "failure": (failure, 1),
    "cancellation": (cancellation, 1),
    "lost job": (lost_job, 2),
}


async def test_a_run_goes_from_announcement_to_success() -> None:
    rig = Rig()
    await success(rig)
    assert (rig.status["phase"], rig.condition("Succeeded")) == ("Succeeded", "True/Completed")
    known = {name: rig.status["results"][name] for name in RESULTS}
    assert known == RESULTS, "what only the last word knew is reported in the worker's name"
    assert rig.status["attempts"][0]["exitCode"] == 0
    assert "finalizers" not in rig.run["metadata"] or not rig.run["metadata"]["finalizers"]


async def test_the_finalizer_is_there_before_the_job() -> None:
    rig = Rig()
    created_with: list[Any] = []
    rig.cluster._before_call = lambda name: (
        created_with.append((rig.run["metadata"].get("finalizers"), rig.status.get("attempts")))
        if name == "create_job"
        else None
    )
    await rig.settle()
    assert created_with == [([FINALIZER], [{"number": 1, "jobName": rig.job.name}])]


async def test_a_settled_run_is_not_written_again() -> None:
    rig = Rig()
    await success(rig)
    writes = rig.cluster.status_writes
    await rig.settle()
    assert rig.cluster.status_writes == writes


async def test_a_watched_run_is_written_only_when_something_changed() -> None:
    rig = Rig()
    await rig.settle()
    rig.start_pod()
    await rig.settle()
    writes = rig.cluster.status_writes
    await rig.settle()
    assert rig.cluster.status_writes == writes


async def test_a_whole_run_costs_few_writes() -> None:
    rig = Rig()
    await success(rig)
    assert rig.cluster.status_writes <= 5  # announced, created, running, the worker's missing results, done


async def test_deleting_a_running_run_waits_for_its_pod() -> None:
    rig = Rig()
    await rig.settle()
    rig.start_pod()
    await rig.settle()
    rig.cluster.remove_run(KEY)
    await rig.settle()
    assert (rig.status["phase"], KEY in rig.cluster.runs) == ("Cancelling", True)
    rig.cluster.end_deletion()
    await rig.settle()
    assert KEY not in rig.cluster.runs


async def test_deleting_a_run_is_bounded_even_when_its_pod_never_ends() -> None:
    rig = Rig()
    await rig.settle()
    rig.start_pod()
    rig.cluster.remove_run(KEY)
    await rig.settle()
    rig.clock.advance(40)
    await rig.settle()
    assert KEY not in rig.cluster.runs


async def test_a_run_that_is_deleted_before_it_was_seen_is_let_alone() -> None:
    rig = Rig()
    rig.cluster.remove_run(KEY)
    assert KEY not in rig.cluster.runs
    await rig.settle()
    assert not rig.cluster.jobs


async def test_a_source_that_is_not_allowed_ends_the_run_without_a_job() -> None:
    rig = Rig(spec=SPEC | {"source": {"name": "elsewhere"}})
    await rig.settle()
    assert (rig.condition("Succeeded"), rig.cluster.jobs) == ("False/SourceNotAllowed", {})
    assert "elsewhere" in rig.status["message"]
    assert "liverc" in rig.status["message"]


async def test_a_foreign_job_with_our_name_is_left_alone() -> None:
    rig = Rig()
    await rig.settle()
    foreign = rig.cluster.jobs[rig.job]
    mapping(foreign, "metadata")["ownerReferences"] = []  # type: ignore[index]  # the twin's own dictionary
    await rig.settle()
    assert (rig.condition("Succeeded"), rig.cluster.jobs_created) == ("False/NameCollision", 1)


async def test_a_spec_that_cannot_be_read_becomes_a_condition_and_heals() -> None:
    rig = Rig(spec={"target": {"databaseSecretRef": {"name": "tracksync-db"}}, "fromTheFuture": True})
    await rig.settle()
    assert rig.condition("Running") == "False/ObjectInvalid"
    rig.run["spec"].pop("fromTheFuture")
    await rig.settle()
    assert rig.cluster.jobs


async def test_a_status_that_somebody_scribbled_on_is_made_anew() -> None:
    rig = Rig()
    rig.run["status"] = {"phase": "Dancing", "conditions": "none", "attempts": [{"number": "x"}], "stages": 7}
    await rig.settle()
    assert (rig.status["phase"], len(rig.cluster.jobs)) == ("Pending", 1)


async def test_a_refused_job_shows_the_servers_words_and_is_tried_again() -> None:
    rig = Rig()
    refuse = True

    def quota(name: str) -> None:
        if name == "create_job" and refuse:
            raise ClusterRefusedError("exceeded quota: jobs")

    rig.cluster._before_call = quota
    await rig.settle()
    assert rig.condition("Running") == "False/PodRefused"
    assert "exceeded quota: jobs" in rig.status["message"]
    refuse = False
    await rig.settle()
    assert rig.cluster.jobs


async def test_a_missing_secret_is_named_and_heals_when_the_pod_starts() -> None:
    rig = Rig()
    await rig.settle()
    pod = Key(KEY.namespace, f"{rig.job.name}-x7k2p")
    uid = rig.cluster.add_pod(rig.job, pod.name)["metadata"]
    rig.cluster.events[Key(KEY.namespace, "e")] = {
        "involvedObject": {"uid": mapping(uid).get("uid")},
        "reason": "FailedMount",
        "message": 'MountVolume.SetUp failed for volume "database" : secret "tracksync-db" not found',
    }
    rig.clock.advance(5)
    await rig.settle()
    assert rig.condition("Running") == "False/SecretMissing"
    rig.cluster.run_pod(pod)
    await rig.settle()
    assert rig.condition("Running") == "True/PodRunning"


async def test_a_pod_that_only_carries_our_label_is_not_believed() -> None:
    rig = Rig()
    await rig.settle()
    pod = rig.start_pod()
    rig.cluster.end_pod(pod, exit_code=0, message=last_word(rig))
    rig.cluster.pods[pod]["metadata"]["ownerReferences"][0]["uid"] = "another"  # type: ignore[index,call-overload]
    rig.cluster.end_job(rig.job, succeeded=True)
    await rig.settle()
    assert rig.condition("Running") == "False/ResultMissing"


async def test_a_changed_deadline_reaches_the_job() -> None:
    rig = Rig()
    await rig.settle()
    rig.start_pod()
    rig.cluster.change_spec(KEY, activeDeadlineSeconds=77)
    await rig.settle()
    assert rig.cluster.jobs[rig.job]["spec"]["activeDeadlineSeconds"] == 77  # type: ignore[index,call-overload]
    assert rig.status["observedGeneration"] == 2


async def test_a_new_run_under_an_old_name_has_its_own_job() -> None:
    rig = Rig()
    await rig.settle()
    old = rig.job
    rig.cluster.remove_run(KEY)
    rig.clock.advance(40)
    await rig.settle()
    rig.cluster.add_run(KEY, dict(SPEC))
    await rig.settle()
    assert len({*rig.cluster.jobs, old}) == 2


async def _end_state(scenario: Scenario, crash: CrashPoint) -> tuple[Any, int, int]:
    rig = Rig(crash)
    await scenario(rig)
    rig.cluster.collect_garbage()
    status = rig.status if KEY in rig.cluster.runs else None
    volatile = {"runId", "attempts"}
    shown = {name: value for name, value in (status or {}).items() if name not in volatile}
    return (
        (shown, sorted(rig.cluster.jobs, key=lambda key: key.name), len(rig.cluster.pods)),
        (rig.cluster.jobs_created),
        rig.kills,
    )


async def _count_calls(scenario: Scenario) -> int:
    counter = CrashPoint()
    await _end_state(scenario, counter)
    return counter.calls


@pytest.mark.parametrize("name", SCENARIOS)
async def test_O1_killing_the_operator_around_any_port_call_changes_no_outcome(name: str) -> None:  # noqa: N802 -- fault id
    scenario, jobs = SCENARIOS[name]
    expected, created, _ = await _end_state(scenario, CrashPoint())
    assert created == jobs
    calls = await _count_calls(scenario)
    for number in range(1, calls + 1):  # before call n is after call n - 1
        state, created, kills = await _end_state(scenario, CrashPoint(number))
        assert (state, created, kills) == (expected, jobs, 1), f"killed before call {number} of {calls}"
