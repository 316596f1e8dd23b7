"""How a finished Job is read: worker's last word, Job condition, exit code, in this order of belief."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.runs import NOW, a_job, a_pod, ended_with, last_word, with_job, worker_status
from tracksync.api.result import Outcome
from tracksync.core.runs.attempts import ending_of
from tracksync.core.runs.model import JobEnd, Terminated

if TYPE_CHECKING:
    from tracksync.core.runs.model import Ending, Observed

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
    assert "spec.source.concurrency" in ending(ended_with(137, reason="OOMKilled")).message


def test_the_last_word_of_a_disrupted_pod_does_not_hide_its_replacements() -> None:
    old: Any = Terminated(50, "Error", last_word(Outcome.CANCELLED, "Cancelled"), NOW)
    new: Any = Terminated(0, "Completed", last_word(Outcome.SUCCEEDED, "Completed"), NOW)
    pods = (a_pod(gone=True, disrupted=True, terminated=old), a_pod(name="second", gone=True, terminated=new))
    job = a_job(end=JobEnd(succeeded=True, time=NOW))
    assert ending(with_job(job, pods=pods)).reason == "Completed"
