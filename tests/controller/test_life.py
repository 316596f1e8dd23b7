"""Retry, cancel, suspend and resume on the twin of the cluster, each with the operator killed around every port call.

Left out: what a worker does with its checkpoint when it is stopped (tests/worker), and real signals (tests/e2e).
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.controller.driving import CrashPoint, Rig
from tests.support.clocks import START
from tests.support.runs import KEY, SPEC
from tracksync.api.base import format_timestamp
from tracksync.api.identity import Annotation
from tracksync.api.result import Outcome, WorkerResult

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Scenario = Callable[[Rig], Awaitable[None]]

LONG = 700
"""Seconds beyond the longest pause."""


def last_word(rig: Rig, attempt: int, outcome: Outcome = Outcome.SUCCEEDED, reason: str = "Completed") -> str:
    fields = {"runId": rig.uid, "attempt": attempt, "outcome": outcome, "reason": reason, "message": "as told"}
    return WorkerResult.model_validate(fields | {"status": {"results": {"listed": 3}}}).encode().decode()


def resume(rig: Rig, token: str) -> None:
    rig.cluster.annotate(KEY, Annotation.RESUME, token)


def numbers(rig: Rig) -> list[int]:
    return [attempt["number"] for attempt in rig.status["attempts"]]


async def stop_worker(rig: Rig) -> None:
    """What kubelet and garbage collector do with a Job that is being deleted."""
    await rig.settle()
    rig.cluster.end_deletion()
    await rig.settle()


# Retry


@pytest.mark.parametrize(
    ("exit_code", "kubelet", "reason"),
    [(20, "", "TransientError"), (137, "OOMKilled", "OutOfMemory"), (3, "", "PodFailed"), (0, "", "ResultMissing")],
)
async def test_a_failure_that_may_pass_is_tried_again_in_a_new_job(exit_code: int, kubelet: str, reason: str) -> None:
    rig = Rig()
    await rig.settle()
    await rig.attempt(exit_code, reason=kubelet)
    assert (rig.status["phase"], rig.condition("Running")) == ("Retrying", f"False/{reason}")
    assert rig.condition("Succeeded") == "Unknown/Retrying"
    assert rig.status["nextAttemptTime"] in rig.status["message"]
    assert rig.live_jobs == []
    await rig.pass_time(30)
    assert [key.name.rpartition("-")[2] for key in rig.live_jobs] == ["a2"]
    await rig.attempt(0, message=last_word(rig, 2))
    assert (rig.status["phase"], numbers(rig)) == ("Succeeded", [1, 2])
    assert [attempt["reason"] for attempt in rig.status["attempts"]] == [reason, "Completed"]


async def test_out_of_memory_names_limit_and_field_and_a_higher_limit_counts_from_the_next_attempt_on() -> None:
    rig = Rig()
    await rig.settle()
    await rig.attempt(137, reason="OOMKilled")
    assert "512Mi" in rig.status["message"]
    assert "spec.worker.resources.limits.memory" in rig.status["message"]
    rig.cluster.change_spec(KEY, worker={"resources": {"limits": {"memory": "1Gi"}}})
    await rig.pass_time(30)
    job: Any = rig.cluster.jobs[rig.job]
    assert job["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"] == "1Gi"


async def test_a_pod_that_left_nothing_is_a_failed_attempt() -> None:
    rig = Rig()
    await rig.settle()
    rig.cluster.end_job(rig.job, succeeded=False, reason="BackoffLimitExceeded")
    await rig.settle()
    assert rig.status["phase"] == "Retrying"


async def test_after_the_last_attempt_the_run_has_failed_with_the_last_reason() -> None:
    rig = Rig(spec=SPEC | {"retry": {"limit": 2, "backoffSeconds": 1}})
    for _ in range(3):
        await rig.pass_time(LONG)
        await rig.attempt(20)
    assert (rig.status["phase"], rig.condition("Succeeded")) == ("Failed", "False/TransientError")
    assert "after 3 attempts" in rig.status["message"]
    await rig.pass_time(LONG)
    assert rig.live_jobs == []


@pytest.mark.parametrize(("exit_code", "phase"), [(30, "Failed"), (40, "Failed"), (60, "Failed"), (50, "Cancelled")])
async def test_what_a_repetition_cannot_heal_is_not_repeated(exit_code: int, phase: str) -> None:
    rig = Rig()
    await rig.settle()
    await rig.attempt(exit_code)
    assert (rig.status["phase"], rig.live_jobs) == (phase, [])


async def test_only_the_latest_attempts_are_kept_and_their_numbers_go_on() -> None:
    rig = Rig(spec=SPEC | {"retry": {"limit": 9, "backoffSeconds": 1}, "activeDeadlineSeconds": 100_000})
    for _ in range(7):
        await rig.pass_time(LONG)
        await rig.attempt(20)
    assert numbers(rig) == [3, 4, 5, 6, 7]
    assert rig.status["retries"] == 7


async def test_a_disruption_does_not_count() -> None:
    rig = Rig(spec=SPEC | {"retry": {"limit": 0}})
    await rig.settle()
    pod = rig.start_pod()
    rig.cluster.end_pod(pod, exit_code=50)
    rig.cluster.pods[pod]["status"]["conditions"] = [{"type": "DisruptionTarget", "status": "True"}]  # type: ignore[index]  # the twin's own dictionary
    rig.cluster.end_job(rig.job, succeeded=False)
    await rig.settle()
    assert (rig.status["phase"], "retries" in rig.status) == ("Retrying", False)


async def test_the_deadline_covers_all_attempts_and_the_pauses_between_them() -> None:
    rig = Rig(spec=SPEC | {"activeDeadlineSeconds": 1000})
    await rig.pass_time(0)
    pod = rig.start_pod()
    rig.clock.advance(400)
    rig.cluster.end_pod(pod, exit_code=20)
    rig.cluster.end_job(rig.job, succeeded=False)
    await rig.settle()
    await rig.pass_time(100)
    job: Any = rig.cluster.jobs[rig.job]
    assert job["spec"]["activeDeadlineSeconds"] == 500
    rig.cluster.change_spec(KEY, activeDeadlineSeconds=2000)
    await rig.settle()
    assert rig.cluster.jobs[rig.job]["spec"]["activeDeadlineSeconds"] == 1500  # type: ignore[index,call-overload]  # the twin's own dictionary


async def test_a_deadline_during_a_pause_ends_the_run() -> None:
    rig = Rig(spec=SPEC | {"activeDeadlineSeconds": 10, "retry": {"backoffSeconds": 3600, "maxBackoffSeconds": 3600}})
    await rig.settle()
    await rig.attempt(20)
    await rig.pass_time(10)
    assert rig.condition("Succeeded") == "False/DeadlineExceeded"


async def test_a_lease_that_another_run_holds_means_queued_and_costs_nothing() -> None:
    rig = Rig(spec=SPEC | {"retry": {"limit": 0}})
    await rig.settle()
    await rig.attempt(70)
    assert (rig.status["phase"], rig.condition("Admitted")) == ("Queued", "False/LeaseHeld")
    assert rig.condition("Reconciling") == "True/Queued"
    first = rig.cluster.jobs[rig.job]["metadata"]
    await rig.pass_time(31)
    await stop_worker(rig)
    assert (numbers(rig), len(rig.live_jobs)) == ([1], 1)
    assert rig.cluster.jobs[rig.job]["metadata"] != first
    assert rig.condition("Admitted") == "True/Admitted"
    await rig.attempt(0, message=last_word(rig, 1))
    assert rig.status["phase"] == "Succeeded"


# Cancel


async def test_spec_cancel_stops_the_worker_and_keeps_the_record() -> None:
    rig = Rig()
    await rig.settle()
    rig.start_pod()
    await rig.settle()
    rig.cluster.change_spec(KEY, cancel=True)
    await rig.settle()
    assert rig.status["phase"] == "Cancelling"
    await stop_worker(rig)
    assert (rig.status["phase"], rig.condition("Succeeded")) == ("Cancelled", "False/Cancelled")
    assert (rig.cluster.jobs, rig.status["attempts"][0]["reason"]) == ({}, "Cancelled")


@pytest.mark.parametrize("before", ["new", "retrying", "suspended", "leased"])
async def test_spec_cancel_ends_a_run_that_does_not_run_at_once(before: str) -> None:
    rig = Rig(spec=SPEC | {"suspend": before == "suspended"})
    if before != "new":
        await rig.settle()
    if before in {"retrying", "leased"}:
        await rig.attempt(20 if before == "retrying" else 70)
    rig.cluster.change_spec(KEY, cancel=True)
    await rig.settle()
    assert (rig.status["phase"], rig.live_jobs) == ("Cancelled", [])


async def test_spec_cancel_is_bounded_when_the_pod_never_ends() -> None:
    rig = Rig()
    await rig.settle()
    rig.start_pod()
    rig.cluster.change_spec(KEY, cancel=True)
    await rig.settle()
    await rig.pass_time(40)
    assert rig.status["phase"] == "Cancelled"


async def test_X2_what_was_committed_before_the_cancellation_counts() -> None:  # noqa: N802 -- fault id
    rig = Rig()
    await rig.settle()
    pod = rig.start_pod()
    await rig.settle()
    rig.cluster.change_spec(KEY, cancel=True)
    await rig.settle()
    rig.cluster.end_pod(pod, exit_code=0, message=last_word(rig, 1))
    rig.cluster.end_job(rig.job, succeeded=True)
    await rig.settle()
    assert rig.status["phase"] == "Succeeded"


# Suspend


async def test_a_suspended_run_stops_and_goes_on_in_a_new_attempt_that_costs_no_retry() -> None:
    rig = Rig(spec=SPEC | {"retry": {"limit": 0}})
    await rig.settle()
    rig.start_pod()
    await rig.settle()
    rig.cluster.change_spec(KEY, suspend=True)
    await rig.settle()
    assert (rig.status["phase"], rig.condition("Running")) == ("Running", "True/Suspending")
    await stop_worker(rig)
    assert (rig.status["phase"], rig.live_jobs) == ("Suspended", [])
    assert {kind: rig.condition(kind) for kind in ("Reconciling", "Stalled", "Admitted")} == {
        "Reconciling": "False/Suspended",
        "Stalled": "False/InProgress",
        "Admitted": "False/Suspended",
    }
    await rig.pass_time(100_000)
    assert rig.status["phase"] == "Suspended", "suspended time is not the run's"
    rig.cluster.change_spec(KEY, suspend=False)
    await rig.settle()
    assert (numbers(rig), len(rig.live_jobs)) == ([1, 2], 1)


async def test_a_run_that_is_suspended_from_the_start_never_starts() -> None:
    rig = Rig(spec=SPEC | {"suspend": True})
    await rig.settle()
    assert (rig.status["phase"], rig.cluster.jobs, "attempts" in rig.status) == ("Suspended", {}, True)
    assert rig.status["attempts"] == []
    rig.cluster.change_spec(KEY, suspend=False)
    await rig.settle()
    assert numbers(rig) == [1]


async def test_X9_the_last_wish_wins_and_leaves_no_second_pod() -> None:  # noqa: N802 -- fault id
    rig = Rig()
    await rig.settle()
    rig.start_pod()
    await rig.settle()
    for suspend in (True, False, True, False):
        rig.cluster.change_spec(KEY, suspend=suspend)
        await rig.settle()
        assert len(rig.cluster.jobs) == 1, "no new Job while the old one's pod is alive"
    await stop_worker(rig)
    assert (numbers(rig), len(rig.live_jobs), rig.cluster.pods) == ([1, 2], 1, {})


async def test_a_cancellation_beats_a_suspension() -> None:
    rig = Rig(spec=SPEC | {"suspend": True, "cancel": True})
    await rig.settle()
    assert rig.status["phase"] == "Cancelled"


# Resume


async def failed(rig: Rig) -> None:
    await rig.settle()
    await rig.attempt(40)


async def cancelled(rig: Rig) -> None:
    await rig.settle()
    rig.cluster.change_spec(KEY, cancel=True)
    await stop_worker(rig)


async def suspended(rig: Rig) -> None:
    await rig.settle()
    rig.cluster.change_spec(KEY, suspend=True)
    await stop_worker(rig)


@pytest.mark.parametrize("how", [failed, cancelled, suspended])
async def test_a_new_token_starts_the_next_attempt_once(how: Scenario) -> None:
    rig = Rig()
    await how(rig)
    resume(rig, "again")
    await rig.settle()
    assert (rig.status["phase"], numbers(rig), len(rig.live_jobs)) == ("Pending", [1, 2], 1)
    assert rig.status["lastHandledResume"] == "again"
    await rig.attempt(40)
    await rig.pass_time(LONG)
    assert (rig.status["phase"], rig.live_jobs) == ("Failed", []), "the same token acts once"
    resume(rig, "and again")
    await rig.settle()
    assert numbers(rig) == [1, 2, 3]


async def test_an_overruled_suspension_counts_again_when_it_is_asked_for_again() -> None:
    rig = Rig()
    await suspended(rig)
    resume(rig, "go")
    await rig.settle()
    assert rig.status["overridden"] == ["Suspend"]
    rig.cluster.change_spec(KEY, suspend=False)
    await rig.settle()
    rig.cluster.change_spec(KEY, suspend=True)
    await stop_worker(rig)
    assert rig.status["phase"] == "Suspended"


async def test_a_resume_gives_all_retries_again() -> None:
    rig = Rig(spec=SPEC | {"retry": {"limit": 1, "backoffSeconds": 1}})
    for _ in range(2):
        await rig.pass_time(LONG)
        await rig.attempt(20)
    assert rig.status["phase"] == "Failed"
    resume(rig, "again")
    await rig.settle()
    await rig.attempt(20)
    assert rig.status["phase"] == "Retrying"


@pytest.mark.parametrize("state", ["new", "running", "succeeded"])
async def test_a_resume_that_does_not_apply_is_refused_with_an_event_and_remembered(state: str) -> None:
    rig = Rig()
    await rig.settle()
    if state == "running":
        rig.start_pod()
    if state == "succeeded":
        await rig.attempt(0, message=last_word(rig, 1))
    await rig.settle()
    before = rig.status["phase"]
    resume(rig, "odd")
    await rig.settle()
    assert ("ResumeRefused" in rig.reasons, rig.status["lastHandledResume"]) == (True, "odd")
    writes = rig.cluster.status_writes
    await rig.settle()
    assert (rig.cluster.status_writes, rig.status["phase"], numbers(rig)) == (writes, rig.status["phase"], [1])
    assert rig.status["phase"] == before or state == "running"


@pytest.mark.parametrize("token", ["x" * 5000, "\u2603", "a\nb", " "])
async def test_odd_tokens_act_once_like_any_other(token: str) -> None:
    rig = Rig()
    await failed(rig)
    resume(rig, token)
    await rig.settle()
    await rig.settle()
    assert (numbers(rig), rig.status["lastHandledResume"]) == ([1, 2], token[:256])


async def test_a_resume_waits_for_the_last_pod_of_the_attempt_before() -> None:
    rig = Rig()
    await rig.settle()
    rig.start_pod()
    rig.cluster.change_spec(KEY, cancel=True)
    await rig.settle()
    await rig.pass_time(40)
    assert rig.status["phase"] == "Cancelled"
    resume(rig, "again")
    await rig.settle()
    assert (rig.condition("Running"), rig.condition("Admitted")) == ("False/WaitingForOldPod", "True/Admitted")
    rig.cluster.end_deletion()
    await rig.pass_time(5)
    assert len(rig.live_jobs) == 1


async def test_J3_a_pod_of_a_lost_node_is_not_waited_for_for_ever() -> None:  # noqa: N802 -- fault id
    """It never ends, but its lease in the database does: the next worker gets it, with a newer epoch."""
    rig = Rig()
    await rig.settle()
    rig.start_pod()
    await rig.settle()
    rig.cluster.change_spec(KEY, suspend=True)
    await rig.settle()
    await rig.pass_time(41)
    assert rig.status["phase"] == "Suspended"
    rig.cluster.change_spec(KEY, suspend=False)
    await rig.settle()
    assert (rig.condition("Running"), rig.live_jobs) == ("False/WaitingForOldPod", [*rig.cluster.jobs])
    await rig.pass_time(50)
    assert len(rig.cluster.jobs) == 2


# Stall, SLA, time to live


def heartbeat(rig: Rig, **progress: Any) -> None:
    now = format_timestamp(rig.clock.now())
    rig.run["status"]["progress"] = {"stage": "metadata", "text": "5/9", "heartbeat": now} | progress


async def running(rig: Rig) -> None:
    await rig.settle()
    rig.start_pod()
    await rig.settle()


async def test_a_silent_worker_is_stalled_with_a_diagnosis_until_it_speaks_again() -> None:
    rig = Rig()
    await running(rig)
    heartbeat(rig)
    await rig.pass_time(121)
    assert (rig.status["phase"], rig.condition("Stalled")) == ("Running", "True/NoHeartbeat")
    assert all(word in rig.told("Stalled") for word in ("121 s", "metadata", "5/9"))
    assert "NoHeartbeat" in rig.reasons
    writes = rig.cluster.status_writes
    await rig.pass_time(60)
    assert rig.cluster.status_writes == writes, "a stall that goes on is not written again"
    heartbeat(rig)
    await rig.settle()
    assert rig.condition("Stalled") == "False/InProgress"


async def test_a_worker_that_never_spoke_is_stalled_too() -> None:
    rig = Rig()
    await running(rig)
    await rig.pass_time(121)
    assert "nothing was heard" in rig.told("Stalled")


async def test_a_missed_sla_is_foretold_then_told_with_numbers() -> None:
    rig = Rig()
    await running(rig)
    assert rig.condition("SLAMet") == "Unknown/InProgress"
    rig.clock.advance(60)
    heartbeat(rig, eta=format_timestamp(START + timedelta(seconds=900)))
    await rig.settle()
    assert rig.condition("SLAMet") == "Unknown/PredictedBreach"
    assert all(word in rig.told("SLAMet") for word in ("900 s", "600 s"))
    assert "PredictedBreach" in rig.reasons
    heartbeat(rig, eta=format_timestamp(START + timedelta(seconds=500)))
    await rig.settle()
    assert rig.condition("SLAMet") == "Unknown/InProgress"
    await rig.pass_time(541)
    assert (rig.condition("SLAMet"), rig.status["phase"]) == ("False/Breached", "Running")


@pytest.mark.parametrize(
    ("seconds", "exit_code", "expected"),
    [(312, 0, "True/Met"), (700, 0, "False/Breached"), (10, 40, "Unknown/NotCompleted"), (700, 40, "False/Breached")],
)
async def test_the_end_says_whether_the_sla_was_met(seconds: int, exit_code: int, expected: str) -> None:
    rig = Rig()
    await rig.settle()
    pod = rig.start_pod()
    rig.clock.advance(seconds)
    rig.cluster.end_pod(pod, exit_code=exit_code, message=last_word(rig, 1) if exit_code == 0 else "")
    rig.cluster.end_job(rig.job, succeeded=exit_code == 0)
    await rig.settle()
    assert rig.condition("SLAMet") == expected
    assert f"{seconds} s" in rig.told("SLAMet")


async def test_a_finished_run_is_deleted_when_its_time_is_over() -> None:
    rig = Rig(spec=SPEC | {"ttlSecondsAfterFinished": 60})
    await failed(rig)
    await rig.pass_time(59)
    assert KEY in rig.cluster.runs
    await rig.pass_time(1)
    assert KEY not in rig.cluster.runs


async def test_a_resumed_run_is_not_deleted_for_its_earlier_end() -> None:
    rig = Rig(spec=SPEC | {"ttlSecondsAfterFinished": 60})
    await failed(rig)
    resume(rig, "again")
    await rig.pass_time(61)
    assert rig.status["phase"] == "Pending"


# The operator killed around every port call


async def retry(rig: Rig) -> None:
    await rig.settle()
    await rig.attempt(20)
    await rig.pass_time(30)
    await rig.attempt(0, message=last_word(rig, 2))
    await rig.settle()


async def cancel(rig: Rig) -> None:
    await running(rig)
    rig.cluster.change_spec(KEY, cancel=True)
    await stop_worker(rig)


async def suspend_and_resume(rig: Rig) -> None:
    await running(rig)
    rig.cluster.change_spec(KEY, suspend=True)
    await stop_worker(rig)
    rig.cluster.change_spec(KEY, suspend=False)
    await rig.settle()
    await rig.attempt(0, message=last_word(rig, 2))


async def resume_by_token(rig: Rig) -> None:
    await failed(rig)
    resume(rig, "again")
    await rig.settle()
    await rig.attempt(0, message=last_word(rig, 2))


async def lease(rig: Rig) -> None:
    await rig.settle()
    await rig.attempt(70)
    await rig.pass_time(31)
    await stop_worker(rig)
    await rig.attempt(0, message=last_word(rig, 1))


async def deadline(rig: Rig) -> None:
    await running(rig)
    rig.cluster.end_job(rig.job, succeeded=False, reason="DeadlineExceeded")
    rig.cluster.pods.clear()
    await rig.settle()


SCENARIOS: dict[str, tuple[Scenario, int]] = {
    "retry": (retry, 2),
    "cancel": (cancel, 1),
    "suspend and resume": (suspend_and_resume, 2),
    "resume by token": (resume_by_token, 2),
    "lease held": (lease, 2),
    "deadline": (deadline, 1),
}


async def end_state(scenario: Scenario, crash: CrashPoint) -> tuple[Any, int, int]:
    rig = Rig(crash)
    await scenario(rig)
    await rig.settle()
    status = {name: value for name, value in rig.status.items() if name != "runId"}
    return (status, sorted(key.name for key in rig.cluster.jobs)), rig.cluster.jobs_created, rig.kills


@pytest.mark.parametrize("name", SCENARIOS)
async def test_O1_killing_the_operator_around_any_port_call_changes_no_outcome(name: str) -> None:  # noqa: N802 -- fault id
    scenario, jobs = SCENARIOS[name]
    counter = CrashPoint()
    expected, created, _ = await end_state(scenario, counter)
    assert created == jobs
    for number in range(1, counter.calls + 1):
        state, created, kills = await end_state(scenario, CrashPoint(number))
        assert (state, created, kills) == (expected, jobs, 1), f"killed before call {number} of {counter.calls}"
