"""How a finished Job is read: worker's last word, Job condition, exit code, in this order of belief."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.runs import NOW, UID, a_job, a_pod, after, ended_with, last_word, with_job, worker_status
from tracksync.api.result import Outcome
from tracksync.api.spec import RetrySpec
from tracksync.core.runs.attempts import ending_of
from tracksync.core.runs.model import JobEnd, Terminated
from tracksync.core.runs.plan import Treatment
from tracksync.core.runs.retrying import backoff

if TYPE_CHECKING:
    from tracksync.core.runs.model import Observed
    from tracksync.core.runs.plan import Ending

DONE = worker_status(
    stages=[{"name": "report", "state": "Done", "startTime": "2026-01-31T02:00:00Z"}],
    results={"listed": 3, "unchanged": 3},
)


def ending(observed: Observed) -> Ending:
    job = observed.job
    assert job is not None
    assert job.end is not None
    return ending_of(observed, job.end)


@pytest.mark.parametrize(
    ("observed", "outcome", "reason"),
    [
        (ended_with(0, message=last_word(Outcome.SUCCEEDED, "Completed")), "Succeeded", "Completed"),
        (
            ended_with(0, message=last_word(Outcome.COMPLETED_WITH_ERRORS, "CompletedWithErrors")),
            "CompletedWithErrors",
            "CompletedWithErrors",
        ),
        (ended_with(0, worker=DONE), "Succeeded", "Completed"),
        (ended_with(0), "Failed", "ResultMissing"),
        (ended_with(0, message="not json"), "Failed", "ResultMissing"),
        (
            ended_with(0, message=last_word(Outcome.SUCCEEDED, "Completed", run_id="another")),
            "Failed",
            "ResultMissing",
        ),
        (ended_with(0, message=last_word(Outcome.SUCCEEDED, "Completed", attempt=2)), "Failed", "ResultMissing"),
        (ended_with(30, message=last_word(Outcome.FAILED, "SchemaMismatch", "migrate")), "Failed", "SchemaMismatch"),
        (ended_with(20), "Failed", "TransientError"),
        (ended_with(30), "Failed", "ConfigurationInvalid"),
        (ended_with(40), "Failed", "SourceInvalid"),
        (ended_with(50), "Cancelled", "Cancelled"),
        (ended_with(60), "Failed", "LeaseLost"),
        (ended_with(70), "Failed", "LeaseHeld"),
        (ended_with(1), "Failed", "PodFailed"),
        (ended_with(137, reason="OOMKilled"), "Failed", "OutOfMemory"),
        (with_job(a_job(end=JobEnd(succeeded=False, reason="BackoffLimitExceeded"))), "Failed", "PodFailed"),
    ],
)
def test_the_end_of_an_attempt_is_read_from_what_it_left(observed: Observed, outcome: str, reason: str) -> None:
    found = ending(observed)
    assert (found.outcome.value, found.reason) == (outcome, reason)


def deadline(message: str, exit_code: int = 50) -> Observed:
    job = a_job(end=JobEnd(succeeded=False, reason="DeadlineExceeded", time=NOW))
    return with_job(job, a_pod(gone=True, terminated=Terminated(exit_code, "Error", message, NOW)))


def test_a_deadline_explains_the_cancellation_that_it_caused() -> None:
    assert ending(deadline(last_word(Outcome.CANCELLED, "Cancelled"))).reason == "DeadlineExceeded"


def test_a_merge_that_was_faster_than_the_deadline_counts() -> None:
    assert ending(deadline(last_word(Outcome.SUCCEEDED, "Completed"), 0)).reason == "Completed"


@pytest.mark.parametrize("exit_code", [1, 20, 30, 40, 50, 60, 70, 137])
def test_no_ending_is_without_an_explanation(exit_code: int) -> None:
    assert len(ending(ended_with(exit_code)).message) > 20


def test_out_of_memory_names_the_remedy() -> None:
    assert "spec.worker.resources.limits.memory" in ending(ended_with(137, reason="OOMKilled")).message


def test_the_last_word_of_a_disrupted_pod_does_not_hide_its_replacements() -> None:
    old: Any = Terminated(50, "Error", last_word(Outcome.CANCELLED, "Cancelled"), NOW)
    new: Any = Terminated(0, "Completed", last_word(Outcome.SUCCEEDED, "Completed"), NOW)
    pods = (a_pod(gone=True, disrupted=True, terminated=old), a_pod(name="second", gone=True, terminated=new))
    job = a_job(end=JobEnd(succeeded=True, time=NOW))
    assert ending(with_job(job, pods=pods)).reason == "Completed"


@pytest.mark.parametrize(
    ("exit_code", "reason", "treatment"),
    [
        (0, "", Treatment.RETRY),
        (1, "", Treatment.RETRY),
        (20, "", Treatment.RETRY),
        (30, "", Treatment.FINAL),
        (40, "", Treatment.FINAL),
        (50, "", Treatment.FINAL),
        (60, "", Treatment.FINAL),
        (70, "", Treatment.QUEUE),
        (137, "OOMKilled", Treatment.RETRY),
        (143, "", Treatment.RETRY),
    ],
)
def test_the_exit_code_says_what_follows(exit_code: int, reason: str, treatment: Treatment) -> None:
    assert ending(ended_with(exit_code, reason=reason)).treatment is treatment


def test_a_success_a_deadline_and_a_lost_pod() -> None:
    assert ending(ended_with(0, message=last_word(Outcome.SUCCEEDED, "Completed"))).treatment is Treatment.FINAL
    assert ending(deadline("", 20)).treatment is Treatment.FINAL
    lost = with_job(a_job(end=JobEnd(succeeded=False, reason="BackoffLimitExceeded")))
    assert ending(lost).treatment is Treatment.RETRY


def test_a_disrupted_attempt_is_repeated_and_does_not_count() -> None:
    pod = a_pod(gone=True, disrupted=True, terminated=Terminated(50, "Error", "", NOW))
    assert ending(with_job(a_job(end=JobEnd(succeeded=False)), pod)).treatment is Treatment.RETRY_FREE


@given(st.integers(1, 100), st.integers(0, 100), st.integers(1, 3600), st.integers(1, 86_400))
def test_the_pause_is_bounded_and_the_same_after_a_restart(attempt: int, retries: int, base: int, most: int) -> None:
    retry = RetrySpec(backoff_seconds=base, max_backoff_seconds=most)
    pause = backoff(retry, uid=UID, attempt=attempt, retries=retries)
    assert pause == backoff(retry, uid=UID, attempt=attempt, retries=retries)
    assert timedelta(seconds=1) <= pause <= timedelta(seconds=min(most, base * 2**retries))


def test_pauses_grow_and_differ_between_runs() -> None:
    pauses = [backoff(RetrySpec(), uid=str(number), attempt=4, retries=3).total_seconds() for number in range(200)]
    assert len(set(pauses)) > 50
    assert 90 < sum(pauses) / len(pauses) < 150, "full jitter: half of 240 s on average"


@pytest.mark.parametrize(
    ("pod_says", "job_says", "expected"),
    [
        (after(-1), after(3), after(-1)),
        (after(-300_000), after(3), after(3)),
        (after(300_000), after(3), after(3)),
        (after(-300_000), after(-300_000), NOW),
        (None, after(-1), after(-1)),
    ],
)
def test_a_node_with_a_wrong_clock_does_not_tell_when_a_run_ended(pod_says: Any, job_says: Any, expected: Any) -> None:
    pod = a_pod(gone=True, terminated=Terminated(40, "Error", "", pod_says))
    assert ending(with_job(a_job(end=JobEnd(succeeded=False, time=job_says)), pod)).time == expected
