"""A table per rule: what was seen, and what is decided. Which rule comes first is part of what the rows prove."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.runs import (
    JOB_NAME,
    a_job,
    a_pod,
    a_run,
    after,
    announced,
    ended_with,
    last_word,
    with_job,
    worker_status,
)
from tracksync.api.job import OperatorStatus, Phase, TrackSyncJobSpec
from tracksync.api.result import Outcome
from tracksync.core.runs.decide import after_refusal, decide
from tracksync.core.runs.model import ContainerWait, EventView, JobEnd
from tracksync.core.runs.plan import (
    AddFinalizer,
    ChangeDeadline,
    CreateJob,
    DeleteJob,
    RemoveFinalizer,
    ReportForWorker,
    State,
    WakeAt,
)

if TYPE_CHECKING:
    from tracksync.core.runs.model import Observed

DONE_STATUS = {
    "stages": [{"name": "report", "state": "Done", "startTime": "2026-01-31T02:00:00Z"}],
    "results": {"listed": 3, "inserted": 3},
}


def kinds(observed: Observed) -> list[str]:
    return [type(action).__name__ for action in decide(observed).actions]


def terminal(phase: Phase, **changes: Any) -> Observed:
    return announced(**({"status": OperatorStatus(phase=phase, observed_generation=1)} | changes))


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase.is_terminal])
def test_a_finished_run_only_gives_its_finalizer_back(phase: Phase) -> None:
    plan = decide(terminal(phase, jobs=(a_job(),), pods=(a_pod(running=True),)))
    assert (plan.state, plan.silent, plan.actions) == (State.ENDED, True, (RemoveFinalizer(),))


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase.is_terminal])
def test_a_finished_run_without_finalizer_needs_nothing(phase: Phase) -> None:
    assert decide(terminal(phase, finalizers=())).actions == ()


def test_a_new_run_announces_its_job_before_it_creates_it() -> None:
    plan = decide(a_run())
    assert (AddFinalizer() in plan.actions, any(isinstance(action, CreateJob) for action in plan.actions)) == (
        True,
        False,
    )
    assert [attempt.job_name for attempt in plan.attempts] == [JOB_NAME]


@pytest.mark.parametrize("changes", [{"finalizers": ()}, {"status": OperatorStatus()}])
def test_no_job_is_created_without_both_finalizer_and_announcement(changes: dict[str, Any]) -> None:
    assert "CreateJob" not in kinds(announced(**changes))


def test_a_forged_job_name_in_the_status_is_announced_anew() -> None:
    forged = announced().status.attempts[0].model_copy(update={"job_name": "somebody-elses"})
    observed = announced(status=announced().status.model_copy(update={"attempts": (forged,)}))
    assert ("CreateJob" not in kinds(observed), decide(observed).attempts[0].job_name) == (True, JOB_NAME)


def test_an_announced_run_creates_its_job() -> None:
    assert kinds(announced()) == ["CreateJob", "WakeAt"]


def test_a_job_that_was_deleted_by_hand_is_created_again_when_its_pods_have_ended() -> None:
    waiting = decide(announced(strays=("old-pod",)))
    assert (waiting.reason, "old-pod" in waiting.message) == ("WaitingForOldPod", True)
    assert kinds(announced()) == ["CreateJob", "WakeAt"]


def test_a_vanished_job_is_not_repeated_when_the_worker_had_reported_its_end() -> None:
    plan = decide(announced(worker=worker_status(**DONE_STATUS)))
    assert plan.ending is not None
    assert (plan.ending.outcome, plan.ending.reason) == (Outcome.SUCCEEDED, "Completed")


@pytest.mark.parametrize(
    ("changes", "reason", "words"),
    [
        ({"sources": {}}, "SourceNotAllowed", ("spec.source.name", "liverc", "none")),
        ({"foreign_job": True}, "NameCollision", (JOB_NAME,)),
        ({"now": after(3600)}, "DeadlineExceeded", ("spec.activeDeadlineSeconds", "3600")),
    ],
)
def test_a_run_that_must_not_start_fails_without_a_job(
    changes: dict[str, Any], reason: str, words: tuple[str, ...]
) -> None:
    plan = decide(announced(**changes))
    assert plan.ending is not None
    assert (plan.ending.outcome, plan.ending.reason) == (Outcome.FAILED, reason)
    assert not plan.actions
    assert all(word in plan.message for word in words), plan.message


def test_an_unreadable_spec_waits_and_names_the_field() -> None:
    plan = decide(announced(spec=None, spec_problem="spec.target: Field required"))
    assert (plan.state, plan.reason, "spec.target" in plan.message) == (State.WAITING, "ObjectInvalid", True)


def deleted(**changes: Any) -> Observed:
    return with_job(**({"deleted_at": after(-1)} | changes))


def test_deleting_a_run_deletes_its_job_once_and_waits_for_the_pods() -> None:
    assert kinds(deleted(pod=a_pod(running=True))) == ["DeleteJob", "WakeAt"]
    assert kinds(deleted(job=a_job(deleting=True), pod=a_pod(running=True))) == ["WakeAt"]


@pytest.mark.parametrize(
    "changes",
    [
        {"jobs": (), "pods": ()},
        {"jobs": (a_job(end=JobEnd(succeeded=True)),), "pods": (a_pod(gone=True),)},
        {"jobs": (a_job(deleting=True),), "pods": (a_pod(running=True),), "deleted_at": after(-40)},
    ],
    ids=["never started", "ended meanwhile", "pod of a lost node"],
)
def test_a_deleted_run_is_let_go_when_nothing_runs_or_the_time_is_over(changes: dict[str, Any]) -> None:
    plan = decide(announced(**({"deleted_at": after(-1)} | changes)))
    assert (plan.silent, plan.actions) == (True, (RemoveFinalizer(),))


def test_a_live_pod_of_a_vanished_job_holds_a_deleted_run() -> None:
    assert kinds(announced(deleted_at=after(-1), strays=("old",))) == ["WakeAt"]


def test_a_deletion_beats_a_spec_that_cannot_be_read() -> None:
    assert DeleteJob(JOB_NAME, "job-uid") in decide(deleted(spec=None)).actions


def test_the_wake_up_of_a_cancellation_is_its_limit() -> None:
    assert WakeAt(after(39)) in decide(deleted(pod=a_pod(running=True))).actions


def test_a_running_pod_is_a_running_run() -> None:
    plan = decide(with_job(pod=a_pod(running=True, node="node-1")))
    assert (plan.state, plan.reason, plan.attempts[0].node) == (State.RUNNING, "PodRunning", "node-1")
    assert plan.actions == (WakeAt(after(60)),), "a worker's silence is no event"


def test_a_disrupted_pod_means_waiting_for_its_replacement() -> None:
    ended = ended_with(50, message=last_word(Outcome.CANCELLED, "Cancelled")).pods[0]
    plan = decide(with_job(pod=a_pod(gone=True, disrupted=True, terminated=ended.terminated)))
    assert (plan.state, plan.reason) == (State.WAITING, "PodPending")


def test_a_changed_deadline_reaches_the_job() -> None:
    spec = TrackSyncJobSpec.model_validate(
        {"target": {"databaseSecretRef": {"name": "x"}}, "activeDeadlineSeconds": 60}
    )
    assert ChangeDeadline(JOB_NAME, 60) in decide(with_job(pod=a_pod(running=True), spec=spec)).actions


def test_a_job_that_somebody_deletes_is_waited_for() -> None:
    assert decide(with_job(a_job(deleting=True))).reason == "WaitingForOldPod"


MOUNT = 'MountVolume.SetUp failed for volume "database" : '


@pytest.mark.parametrize(
    ("job", "pod", "reason", "words"),
    [
        (a_job(), None, "PodPending", ()),
        (
            a_job(events=(EventView("FailedCreate", 'pods "x" is forbidden: exceeded quota: q'),)),
            None,
            "PodRefused",
            ("exceeded quota: q",),
        ),
        (
            a_job(events=(EventView("FailedCreate", 'serviceaccount "tracksync-worker" not found'),)),
            None,
            "PodRefused",
            ("worker-access",),
        ),
        (a_job(), a_pod(unschedulable="0/1 nodes: taint"), "Unschedulable", ("0/1 nodes: taint",)),
        (a_job(), a_pod(waiting=ContainerWait("ContainerCreating")), "PodPending", ()),
        (
            a_job(),
            a_pod(waiting=ContainerWait("ErrImageNeverPull", "not present")),
            "ImageProblem",
            ("ErrImageNeverPull", "TRACKSYNC_WORKER_IMAGE"),
        ),
        (
            a_job(),
            a_pod(waiting=ContainerWait("CreateContainerConfigError", "runs as root")),
            "ContainerProblem",
            ("runs as root",),
        ),
        (
            a_job(),
            a_pod(events=(EventView("FailedMount", f'{MOUNT}secret "tracksync-db" not found'),)),
            "SecretMissing",
            ("spec.target.databaseSecretRef.name", "tracksync-db", "`url`"),
        ),
        (
            a_job(),
            a_pod(events=(EventView("FailedMount", f"{MOUNT}references non-existent secret key: url"),)),
            "SecretMissing",
            ("spec.target.databaseSecretRef.key", "`url`"),
        ),
        (
            a_job(),
            a_pod(
                events=(
                    EventView("FailedMount", f'{MOUNT}secret "tracksync-db" not found', after(-9)),
                    EventView("FailedMount", f"{MOUNT}references non-existent secret key: url", after(-2)),
                )
            ),
            "SecretMissing",
            ("databaseSecretRef.key",),
        ),
        (
            a_job(),
            a_pod(events=(EventView("FailedMount", 'configmap "kube-root-ca.crt" not found'),)),
            "VolumeProblem",
            ("kube-root-ca.crt",),
        ),
    ],
)
def test_what_keeps_a_worker_from_starting_is_named_with_its_remedy(
    job: Any, pod: Any, reason: str, words: tuple[str, ...]
) -> None:
    plan = decide(with_job(job, pod))
    assert (plan.state, plan.reason) == (State.WAITING, reason)
    assert all(word in plan.message for word in words), plan.message
    assert any(isinstance(action, WakeAt) for action in plan.actions), "it must heal without an event"


def test_what_the_status_lacks_is_reported_in_the_workers_name() -> None:
    told = worker_status(**DONE_STATUS)
    message = last_word(Outcome.SUCCEEDED, "Completed", status=told)
    assert ReportForWorker(told) in decide(ended_with(0, message=message)).actions
    assert decide(ended_with(0, message=message, worker=told)).actions == ()


def test_a_refused_action_is_shown_in_the_servers_own_words_and_tried_again() -> None:
    observed = announced()
    plan = after_refusal(decide(observed), observed, 'jobs.batch "x" is forbidden: exceeded quota')
    assert (plan.reason, "exceeded quota" in plan.message) == ("PodRefused", True)
    assert [type(action) for action in plan.actions] == [WakeAt]


def test_a_job_that_makes_room_for_the_next_try_after_a_held_lease_costs_no_attempt_when_its_pod_goes_first() -> None:
    job = a_job(end=JobEnd(succeeded=False, reason="BackoffLimitExceeded", time=after(-31)), deleting=True)
    leased = announced().status.model_copy(update={"phase": Phase.QUEUED})
    plan = decide(with_job(job, status=leased))
    assert (plan.state, plan.reason) == (State.QUEUED, "LeaseHeld")
    assert [attempt.number for attempt in plan.attempts] == [1]
    assert not any(isinstance(action, DeleteJob) for action in plan.actions)
