"""Observed + Plan -> OperatorStatus: the only place that derives `phase` and the conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from tracksync.api.base import Condition, ConditionStatus
from tracksync.api.identity import ConditionType, Reason
from tracksync.api.job import OperatorStatus, Phase
from tracksync.api.result import Outcome
from tracksync.core.runs.attempts import final_report
from tracksync.core.runs.limits import sla, stall
from tracksync.core.runs.memory import memory_of
from tracksync.core.runs.plan import EmitEvent, Severity, State
from tracksync.core.runs.withheld import withheld_message

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from tracksync.core.runs.model import Observed
    from tracksync.core.runs.plan import Ending, Plan

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
_WARNINGS: Final = (
    (ConditionType.RUNNING, _PROBLEMS),
    (ConditionType.STALLED, frozenset({Reason.NO_HEARTBEAT.value})),
    (ConditionType.SLA_MET, frozenset({Reason.BREACHED.value, Reason.PREDICTED_BREACH.value})),
)
_PHASES: Final = {
    State.WAITING: Phase.PENDING,
    State.QUEUED: Phase.QUEUED,
    State.RUNNING: Phase.RUNNING,
    State.SUSPENDING: Phase.RUNNING,
    State.SUSPENDED: Phase.SUSPENDED,
    State.RETRYING: Phase.RETRYING,
    State.CANCELLING: Phase.CANCELLING,
}
_SUMMARIES: Final = {
    State.WAITING: Reason.PENDING,
    State.QUEUED: Reason.QUEUED,
    State.SUSPENDING: Reason.SUSPENDING,
    State.SUSPENDED: Reason.SUSPENDED,
    State.RETRYING: Reason.RETRYING,
    State.CANCELLING: Reason.CANCELLING,
}
_RECONCILING: Final = {
    State.CANCELLING: "the run is being stopped",
    State.SUSPENDING: "the run is being stopped",
}
_STEADY: Final = frozenset({ConditionType.SLA_MET, ConditionType.STALLED})
"""Conditions whose message has numbers of the moment: it is kept while status and reason stay, to spare writes."""
_TOLD_PHASES: Final = frozenset({Phase.CANCELLING, Phase.QUEUED, Phase.SUSPENDED, Phase.RETRYING})
"""Phases that an Event tells of when the run comes into them."""
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
        memory = plan.memory or memory_of(observed)
        update = {"observed_generation": observed.generation, "last_handled_resume": memory.handled_resume}
        return before.model_copy(update=update)
    ending, memory = plan.ending, plan.memory or memory_of(observed)
    start = before.start_time or whole_seconds(observed.now)
    return OperatorStatus(
        observed_generation=observed.generation,
        run_id=observed.uid,
        phase=_phase(plan),
        conditions=_conditions(observed, plan),
        message=clip(plan.message),
        attempts=plan.attempts,
        start_time=start,
        completion_time=whole_seconds(ending.time) if ending is not None else None,
        duration=span_text(ending.time - start) if ending is not None else None,
        retries=memory.retries or None,
        next_attempt_time=memory.next_attempt if plan.state is State.RETRYING else None,
        queue_position=plan.queue_position,
        last_handled_resume=memory.handled_resume,
        overridden=memory.overridden,
    )


def _phase(plan: Plan) -> Phase:
    return Phase(_ending(plan).outcome.value) if plan.state is State.ENDED else _PHASES[plan.state]


def _conditions(observed: Observed, plan: Plan) -> tuple[Condition, ...]:
    if plan.state is State.ENDED:
        wanted = [*_ended_conditions(_ending(plan)), *_withheld_condition(observed, _ending(plan))]
    else:
        wanted = _active_conditions(observed, plan)
    finding = sla(observed, plan.ending)
    if finding is not None:
        wanted.append(_View(ConditionType.SLA_MET, finding.status, finding.reason, finding.message))
    known = {condition.type: condition for condition in observed.status.conditions}
    return tuple(_condition(view, before=known.get(view.type.value), observed=observed) for view in wanted)


def _active_conditions(observed: Observed, plan: Plan) -> list[_View]:
    runs = plan.state in {State.RUNNING, State.SUSPENDING}
    summary = _SUMMARIES.get(plan.state, Reason.IN_PROGRESS)
    suspended = plan.state is State.SUSPENDED
    return [
        _View(ConditionType.SUCCEEDED, ConditionStatus.UNKNOWN, summary, plan.message),
        _admitted(plan),
        _View(ConditionType.RUNNING, _status_of(runs), plan.reason, plan.message),
        _View(ConditionType.RECONCILING, _status_of(not suspended), summary, _RECONCILING.get(plan.state, "")),
        _stalled(observed, plan),
    ]


def _status_of(value: bool) -> ConditionStatus:  # noqa: FBT001 -- it is what the function turns into words
    return ConditionStatus.TRUE if value else ConditionStatus.FALSE


def _admitted(plan: Plan) -> _View:
    """Return whether the run has its turn: it keeps it through pauses and stops, until nothing of it runs."""
    kind = ConditionType.ADMITTED
    if plan.state in {State.QUEUED, State.SUSPENDED}:
        return _View(kind, ConditionStatus.FALSE, plan.reason, plan.message)
    if plan.state is State.WAITING and all(attempt.completion_time is not None for attempt in plan.attempts):
        return _View(kind, ConditionStatus.FALSE, Reason.PENDING, "the run has not asked for its turn yet")
    return _View(kind, ConditionStatus.TRUE, Reason.ADMITTED, "it is this run's turn")


def _stalled(observed: Observed, plan: Plan) -> _View:
    finding = stall(observed) if plan.state is State.RUNNING else None
    if finding is None:
        return _View(ConditionType.STALLED, ConditionStatus.FALSE, Reason.IN_PROGRESS, "")
    return _View(ConditionType.STALLED, finding.status, finding.reason, finding.message)


def _ended_conditions(ending: Ending) -> list[_View]:
    done = ending.outcome in _SUCCESSES
    succeeded = ConditionStatus.TRUE if done else ConditionStatus.FALSE
    stalled = ConditionStatus.FALSE if done else ConditionStatus.TRUE
    return [
        _View(ConditionType.SUCCEEDED, succeeded, ending.reason, ending.message),
        _View(ConditionType.ADMITTED, ConditionStatus.FALSE, Reason.FINISHED, "the run has ended"),
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
    steady = before is not None and not moved and view.type in _STEADY and before.reason == view.reason
    return Condition(
        type=view.type.value,
        status=view.status,
        reason=view.reason,
        message=before.message if before is not None and steady else clip(view.message),
        last_transition_time=whole_seconds(observed.now) if before is None or moved else before.last_transition_time,
        observed_generation=observed.generation,
    )


def events(before: OperatorStatus, after: OperatorStatus) -> tuple[EmitEvent, ...]:
    """Return the Events of this transition: where the run came to, a new start problem, a stall, a missed SLA."""
    found = [_phase_event(before, after), *(_warning(kind, reasons, before, after) for kind, reasons in _WARNINGS)]
    return tuple(event for event in found if event is not None)


def _phase_event(before: OperatorStatus, after: OperatorStatus) -> EmitEvent | None:
    phase = after.phase
    if phase is None or before.phase is phase:
        return None
    if phase.is_terminal:
        return _event_of(after, ConditionType.SUCCEEDED, failed=_failed(after))
    if phase in _TOLD_PHASES:
        return _event_of(after, ConditionType.RUNNING, failed=phase is Phase.RETRYING)
    return None


def _warning(
    kind: ConditionType, reasons: frozenset[str], before: OperatorStatus, after: OperatorStatus
) -> EmitEvent | None:
    """Return the Event of a condition that has come to one of these reasons."""
    reason = _reason(after, kind)
    if reason not in reasons or reason == _reason(before, kind):
        return None
    message = next(condition.message for condition in after.conditions if condition.type == kind)
    return EmitEvent(Severity.WARNING, reason, message)


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


def span_text(span: timedelta) -> str:
    """Return a span for people: its two largest units, such as 42s, 5m12s or 3h4m; never negative."""
    seconds = max(0, round(span.total_seconds()))
    minutes, hours = seconds // 60, seconds // 3600
    if hours:
        return f"{hours}h{minutes % 60}m"
    return f"{minutes}m{seconds % 60}s" if minutes else f"{seconds}s"
