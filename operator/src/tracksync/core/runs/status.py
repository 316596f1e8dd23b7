"""Observed + Plan -> OperatorStatus: the only place that derives `phase` and the conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, assert_never

from tracksync.api.base import Condition, ConditionStatus
from tracksync.api.identity import ConditionType, Reason
from tracksync.api.job import OperatorStatus, Phase
from tracksync.api.result import Outcome
from tracksync.core.runs.attempts import final_report
from tracksync.core.runs.model import EmitEvent, Severity, State
from tracksync.core.runs.withheld import withheld_message

if TYPE_CHECKING:
    from datetime import datetime

    from tracksync.core.runs.model import Ending, Observed, Plan

MAX_MESSAGE: Final = 1024
_PROBLEMS: Final = frozenset(
    reason.value
    for reason in (
        Reason.SECRET_MISSING,
        Reason.IMAGE_PROBLEM,
        Reason.UNSCHEDULABLE,
        Reason.POD_REFUSED,
        Reason.CONTAINER_PROBLEM,
        Reason.VOLUME_PROBLEM,
        Reason.OBJECT_INVALID,
        Reason.WAITING_FOR_OLD_POD,
    )
)
_SUCCESSES: Final = frozenset({Outcome.SUCCEEDED, Outcome.COMPLETED_WITH_ERRORS})


class _View(NamedTuple):
    """A condition before its times."""

    type: ConditionType
    status: ConditionStatus
    reason: str
    message: str


def project(observed: Observed, plan: Plan) -> OperatorStatus:
    """Return the operator's whole half of the status; equal to the observed one when nothing changed."""
    before = observed.status
    if plan.silent and observed.deleted_at is not None:
        return before  # it vanishes with its finalizer: there is nothing left to write to
    if plan.silent:
        return before.model_copy(update={"observed_generation": observed.generation})
    ending = plan.ending
    return OperatorStatus(
        observed_generation=observed.generation,
        run_id=observed.uid,
        phase=_phase(plan),
        conditions=_conditions(observed, plan),
        message=clip(plan.message),
        attempts=plan.attempts,
        start_time=before.start_time or whole_seconds(observed.now),
        completion_time=whole_seconds(ending.time) if ending is not None else None,
    )


def _phase(plan: Plan) -> Phase:
    match plan.state:
        case State.WAITING:
            return Phase.PENDING
        case State.RUNNING:
            return Phase.RUNNING
        case State.CANCELLING:
            return Phase.CANCELLING
        case State.ENDED:
            return Phase(_ending(plan).outcome.value)
        case _:
            assert_never(plan.state)


def _conditions(observed: Observed, plan: Plan) -> tuple[Condition, ...]:
    if plan.state is State.ENDED:
        wanted = [*_ended_conditions(_ending(plan)), *_withheld_condition(observed, _ending(plan))]
    else:
        wanted = _active_conditions(plan)
    known = {condition.type: condition for condition in observed.status.conditions}
    return tuple(_condition(view, before=known.get(view.type.value), observed=observed) for view in wanted)


def _active_conditions(plan: Plan) -> list[_View]:
    cancelling = plan.state is State.CANCELLING
    running = ConditionStatus.TRUE if plan.state is State.RUNNING else ConditionStatus.FALSE
    summary = {State.WAITING: Reason.PENDING, State.CANCELLING: Reason.CANCELLING}.get(plan.state, Reason.IN_PROGRESS)
    return [
        _View(ConditionType.SUCCEEDED, ConditionStatus.UNKNOWN, summary, plan.message),
        _View(ConditionType.RUNNING, running, plan.reason, plan.message),
        _View(
            ConditionType.RECONCILING, ConditionStatus.TRUE, summary, "the run is being stopped" if cancelling else ""
        ),
        _View(ConditionType.STALLED, ConditionStatus.FALSE, Reason.IN_PROGRESS, ""),
    ]


def _ended_conditions(ending: Ending) -> list[_View]:
    done = ending.outcome in _SUCCESSES
    succeeded = ConditionStatus.TRUE if done else ConditionStatus.FALSE
    stalled = ConditionStatus.FALSE if done else ConditionStatus.TRUE
    return [
        _View(ConditionType.SUCCEEDED, succeeded, ending.reason, ending.message),
        _View(ConditionType.RUNNING, ConditionStatus.FALSE, Reason.FINISHED, "the run has ended"),
        _View(ConditionType.RECONCILING, ConditionStatus.FALSE, Reason.FINISHED, ""),
        _View(ConditionType.STALLED, stalled, ending.reason, "" if done else ending.message),
    ]


def _withheld_condition(observed: Observed, ending: Ending) -> list[_View]:
    """Return what became of the vanished tracks; nothing when the run ended before its merge, so nobody knows."""
    kind, withheld = ConditionType.DEACTIVATION_WITHHELD, final_report(observed).withheld
    if withheld is not None:
        limits = observed.spec.deactivation if observed.spec is not None else None
        return [_View(kind, ConditionStatus.TRUE, Reason.WITHHELD, withheld_message(withheld, limits))]
    if ending.outcome in _SUCCESSES:
        return [_View(kind, ConditionStatus.FALSE, Reason.NOTHING_WITHHELD, "no deactivation was held back")]
    return []


def _condition(view: _View, *, before: Condition | None, observed: Observed) -> Condition:
    """Return the condition; its transition time moves only when the status does."""
    moved = before is None or before.status is not view.status
    return Condition(
        type=view.type.value,
        status=view.status,
        reason=view.reason,
        message=clip(view.message),
        last_transition_time=whole_seconds(observed.now) if before is None or moved else before.last_transition_time,
        observed_generation=observed.generation,
    )


def events(before: OperatorStatus, after: OperatorStatus) -> tuple[EmitEvent, ...]:
    """Return the Events of this transition: a new start problem, the beginning of a cancellation, the end."""
    if before.phase is not after.phase and after.phase is not None:
        if after.phase.is_terminal:
            return (_event_of(after, ConditionType.SUCCEEDED, failed=_failed(after)),)
        if after.phase is Phase.CANCELLING:
            return (_event_of(after, ConditionType.RUNNING, failed=False),)
    reason = _reason(after, ConditionType.RUNNING)
    if reason in _PROBLEMS and reason != _reason(before, ConditionType.RUNNING):
        return (_event_of(after, ConditionType.RUNNING, failed=True),)
    return ()


def _event_of(status: OperatorStatus, kind: ConditionType, *, failed: bool) -> EmitEvent:
    severity = Severity.WARNING if failed else Severity.NORMAL
    return EmitEvent(severity, _reason(status, kind), status.message or "")


def _failed(status: OperatorStatus) -> bool:
    return status.phase in {Phase.FAILED, Phase.CANCELLED}


def _reason(status: OperatorStatus, kind: ConditionType) -> str:
    return next((condition.reason for condition in status.conditions if condition.type == kind), "")


def _ending(plan: Plan) -> Ending:
    if plan.ending is None:
        raise AssertionError("an ended plan says how it ended")
    return plan.ending


def clip(message: str) -> str:
    """Return the message, cut to what a status may hold."""
    return message if len(message) <= MAX_MESSAGE else f"{message[: MAX_MESSAGE - 1]}…"


def whole_seconds(moment: datetime) -> datetime:
    """Return the moment as a status can store it, so that what is read back equals what was written."""
    return moment.replace(microsecond=0)
