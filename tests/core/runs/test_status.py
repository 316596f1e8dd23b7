"""Phase and conditions, their transition times, and the properties that hold for every observation."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.runs import (
    NOW,
    SPEC,
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
from tracksync.api.identity import FINALIZER
from tracksync.api.job import OperatorStatus, Phase, TrackSyncJobSpec, WorkerStatus
from tracksync.api.result import Outcome
from tracksync.core.runs.attempts import current_attempt
from tracksync.core.runs.decide import decide
from tracksync.core.runs.model import EventView, JobEnd, Terminated, Turn
from tracksync.core.runs.plan import CreateJob, Severity
from tracksync.core.runs.queue import has_turn
from tracksync.core.runs.status import events, project, span_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracksync.core.runs.model import Observed
    from tracksync.core.runs.plan import Plan

SUCCESS = last_word(Outcome.SUCCEEDED, "Completed", "3 tracks listed")
HALF_GONE: WorkerStatus = worker_status(
    results={"listed": 545, "withheld": 545},
    withheld={"count": 545, "activeBefore": 1090, "reasons": ["maxPercent", "maxCount"]},
)
WITHHELD = last_word(Outcome.SUCCEEDED, "Completed", "545 tracks listed", status=HALF_GONE)
NO_RETRY = TrackSyncJobSpec.model_validate(SPEC | {"retry": {"limit": 0}})
REPORTED = [{"name": "report", "state": "Done", "startTime": "2026-01-31T02:00:00Z"}]


def shown(observed: Observed) -> dict[str, str]:
    status = project(observed, decide(observed))
    conditions = {condition.type: f"{condition.status}/{condition.reason}" for condition in status.conditions}
    return {"phase": str(status.phase)} | conditions


@pytest.mark.parametrize(
    ("observed", "expected"),
    [
        (a_run(), "Pending Unknown/Pending False/Pending True/Pending False/InProgress"),
        (with_job(), "Pending Unknown/Pending False/PodPending True/Pending False/InProgress"),
        (
            with_job(pod=a_pod(running=True)),
            "Running Unknown/InProgress True/PodRunning True/InProgress False/InProgress",
        ),
        (
            with_job(pod=a_pod(running=True), deleted_at=after(-1)),
            "Cancelling Unknown/Cancelling False/Cancelling True/Cancelling False/InProgress",
        ),
        (
            ended_with(0, message=SUCCESS),
            "Succeeded True/Completed False/Finished False/Finished False/Completed",
        ),
        (ended_with(40), "Failed False/SourceInvalid False/Finished False/Finished True/SourceInvalid"),
        (
            a_run(sources={}),
            "Failed False/SourceNotAllowed False/Finished False/Finished True/SourceNotAllowed",
        ),
    ],
)
def test_phase_and_conditions_say_the_same(observed: Observed, expected: str) -> None:
    names = ("phase", "Succeeded", "Running", "Reconciling", "Stalled")
    assert " ".join(shown(observed)[name] for name in names) == expected


def deactivation(observed: Observed) -> dict[str, str]:
    """The condition about withheld deactivations as a mapping; empty when there is none."""
    conditions = project(observed, decide(observed)).conditions
    return next((found.to_wire() for found in conditions if found.type == "DeactivationWithheld"), {})  # type: ignore[return-value]  # all its values here are texts


@pytest.mark.parametrize(
    "observed",
    [
        pytest.param(ended_with(0, message=WITHHELD), id="the status is away: the last word tells it"),
        pytest.param(
            ended_with(0, worker=HALF_GONE.model_copy(update={"stages": worker_status(stages=REPORTED).stages})),
            id="the last word is away: the status tells it",
        ),
        pytest.param(ended_with(0, message=WITHHELD, worker=HALF_GONE), id="both"),
        pytest.param(
            ended_with(20, message=last_word(Outcome.FAILED, "DatabaseUnavailable", status=HALF_GONE), spec=NO_RETRY),
            id="merged, but the ledger's row could not be closed",
        ),
    ],
)
def test_a_withheld_deactivation_is_told_with_numbers_limits_and_remedy(observed: Observed) -> None:
    condition = deactivation(observed)
    assert (condition["status"], condition["reason"]) == ("True", "Withheld")
    for part in ("545 of 1090", "maxPercent 5", "maxCount 200", "spec.deactivation.approvedCeiling: 545"):
        assert part in condition["message"]


def test_the_limits_in_the_message_are_those_of_the_run() -> None:
    limits = {"deactivation": {"maxPercent": 1, "maxCount": 7}}
    observed = ended_with(0, message=WITHHELD, spec=TrackSyncJobSpec.model_validate(SPEC | limits))
    assert "(maxPercent 1, maxCount 7)" in deactivation(observed)["message"]


def test_a_run_that_withheld_nothing_says_so_at_its_end() -> None:
    condition = deactivation(ended_with(0, message=SUCCESS))
    assert (condition["status"], condition["reason"]) == ("False", "NothingWithheld")


@pytest.mark.parametrize(
    "observed",
    [
        pytest.param(a_run(), id="new"),
        pytest.param(with_job(pod=a_pod(running=True)), id="running"),
        pytest.param(with_job(pod=a_pod(running=True), worker=HALF_GONE), id="merged, not ended"),
        pytest.param(ended_with(40), id="failed before the merge"),
        pytest.param(ended_with(50), id="cancelled"),
    ],
)
def test_before_the_end_and_without_a_merge_nobody_knows_what_was_withheld(observed: Observed) -> None:
    assert deactivation(observed) == {}


def test_a_transition_time_moves_only_with_its_status() -> None:
    first = with_job()
    status = project(first, decide(first))
    later = replace(with_job(pod=a_pod(running=True), status=status), now=after(60))
    times = {condition.type: condition.last_transition_time for condition in project(later, decide(later)).conditions}
    assert (times["Succeeded"], times["Running"]) == (NOW, after(60))


def test_what_is_written_is_what_is_read_back() -> None:
    observed = replace(with_job(pod=a_pod(running=True)), now=NOW.replace(microsecond=123_456))
    status = project(observed, decide(observed))
    assert OperatorStatus.model_validate(status.to_wire()) == status


def test_messages_are_cut_to_what_the_schema_allows() -> None:
    observed = with_job(a_job(events=(EventView("FailedCreate", "x" * 5000),)))
    status = project(observed, decide(observed))
    assert status.message is not None
    assert len(status.message) == 1024


def test_events_are_emitted_on_transitions_only() -> None:
    observed = ended_with(40)
    status = project(observed, decide(observed))
    assert [event.severity for event in events(observed.status, status)] == [Severity.WARNING]
    assert events(status, status) == ()


def test_a_finished_run_still_follows_its_generation() -> None:
    observed = ended_with(0, message=SUCCESS)
    done = project(observed, decide(observed))
    edited = replace(observed, status=done, generation=2)
    after_edit = project(edited, decide(edited))
    assert (after_edit.observed_generation, after_edit.phase) == (2, done.phase)
    assert after_edit.conditions == done.conditions


SPECS = [
    None,
    *(
        TrackSyncJobSpec.model_validate(SPEC | wish)
        for wish in ({}, {"cancel": True}, {"suspend": True}, {"retry": {"limit": 1}}, {"activeDeadlineSeconds": 10})
    ),
]


@pytest.mark.parametrize(
    ("seconds", "text"), [(-3, "0s"), (0, "0s"), (59.6, "1m0s"), (312, "5m12s"), (3600, "1h0m"), (11_099, "3h4m")]
)
def test_a_span_is_told_in_its_two_largest_units(seconds: float, text: str) -> None:
    assert span_text(timedelta(seconds=seconds)) == text


pods = st.builds(
    a_pod,
    running=st.booleans(),
    gone=st.booleans(),
    deleting=st.booleans(),
    disrupted=st.booleans(),
    terminated=st.none()
    | st.builds(
        Terminated,
        st.sampled_from([0, 1, 20, 30, 40, 50, 60, 70, 137]),
        st.sampled_from(["", "Error", "OOMKilled"]),
        st.sampled_from(["", "{", SUCCESS, WITHHELD]),
        st.just(NOW),
    ),
)
jobs = st.builds(
    a_job,
    deleting=st.booleans(),
    end=st.none() | st.builds(JobEnd, st.booleans(), st.sampled_from(["", "DeadlineExceeded"])),
)
observations = st.fixed_dictionaries(
    {
        "jobs": st.lists(jobs, max_size=1).map(tuple),
        "pods": st.lists(pods, max_size=2).map(tuple),
        "deleted_at": st.none() | st.sampled_from([after(-100), after(-1)]),
        "finalizers": st.sampled_from([(), (FINALIZER,)]),
        "foreign_job": st.booleans(),
        "strays": st.sampled_from([(), ("old",)]),
        "generation": st.integers(1, 3),
        "worker": st.sampled_from([WorkerStatus(), HALF_GONE]),
        "resume_token": st.sampled_from(["", "one", "two"]),
        "turn": st.sampled_from([None, Turn(), Turn(2, "waits for another")]),
        "spec": st.sampled_from(SPECS),
    }
)


def lives(sequence: list[dict[str, Any]]) -> Iterator[tuple[Observed, Plan, OperatorStatus]]:
    """What each pass saw, decided and wrote, over a sequence of whatever may happen between two passes."""
    status = OperatorStatus()
    for number, changes in enumerate(sequence):
        observed = a_run(status=status, now=after(30 * number), **changes)
        plan = decide(observed)
        status = project(observed, plan)
        yield observed, plan, status


@given(st.lists(observations, min_size=1, max_size=12))
def test_terminal_is_absorbing_but_for_a_resume_with_a_new_token(sequence: list[dict[str, Any]]) -> None:
    for observed, _, status in lives(sequence):
        before = observed.status
        if before.phase is None or not before.phase.is_terminal or status.phase is before.phase:
            continue
        assert before.phase in {Phase.FAILED, Phase.CANCELLED}
        assert status.last_handled_resume == observed.resume_token != before.last_handled_resume


@given(st.lists(observations, min_size=1, max_size=12))
def test_attempts_only_grow_and_an_ended_one_is_never_opened_again(sequence: list[dict[str, Any]]) -> None:
    for observed, _, status in lives(sequence):
        before = {attempt.number: attempt for attempt in observed.status.attempts}
        numbers = [attempt.number for attempt in status.attempts]
        assert numbers == sorted(set(numbers))
        assert max(numbers, default=0) - max(before, default=0) in {0, 1}
        for attempt in status.attempts:
            if attempt.number in before and before[attempt.number].completion_time is not None:
                assert attempt == before[attempt.number]


@given(st.lists(observations, min_size=1, max_size=12))
def test_a_job_is_only_created_for_the_announced_attempt_of_a_run_that_has_its_turn(
    sequence: list[dict[str, Any]],
) -> None:
    for observed, plan, _ in lives(sequence):
        for action in plan.actions:
            if isinstance(action, CreateJob):
                assert current_attempt(observed) in observed.status.attempts
                assert has_turn(observed)
                assert not observed.jobs
                assert FINALIZER in observed.finalizers


@given(st.lists(observations, min_size=1, max_size=12))
def test_the_observed_generation_is_the_specs_and_a_token_is_handled_once(sequence: list[dict[str, Any]]) -> None:
    for observed, plan, status in lives(sequence):
        if not (plan.silent and observed.deleted_at is not None):
            assert status.observed_generation == observed.generation
        if plan.reason == "Resumed" and plan.memory is not None:
            assert observed.resume_token != observed.status.last_handled_resume
            assert status.last_handled_resume == observed.resume_token


def next_look(observed: Observed) -> Observed:
    """The same world after the plan's status was written: another attempt is current, so its Job is not there yet."""
    status = project(observed, decide(observed))
    later = replace(observed, status=status)
    if current_attempt(later).number != current_attempt(observed).number:
        return replace(later, jobs=(), pods=())
    return later


@given(observations)
def test_deciding_again_and_again_comes_to_rest(changes: dict[str, Any]) -> None:
    observed = announced(**changes)
    for _ in range(6):
        before, observed = observed, next_look(observed)
        if observed.status.to_wire() == before.status.to_wire():
            return
    raise AssertionError(observed.status)


@given(observations)
def test_every_status_fits_the_limits_of_its_schema(changes: dict[str, Any]) -> None:
    status = project(a_run(**changes), decide(a_run(**changes)))
    assert OperatorStatus.model_validate(status.to_wire()) == status
