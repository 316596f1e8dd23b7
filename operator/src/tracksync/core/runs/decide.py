"""Observed -> Plan: the first rule that has a verdict wins."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from tracksync.api.identity import Annotation, Reason
from tracksync.core.runs.memory import memory_of
from tracksync.core.runs.plan import EmitEvent, Severity, State, WakeAt
from tracksync.core.runs.policies import JOB_POLICIES
from tracksync.core.runs.resuming import has_new_token, may_resume

if TYPE_CHECKING:
    from tracksync.core.runs.model import Observed
    from tracksync.core.runs.plan import Plan

_REFUSAL_PAUSE: Final = timedelta(seconds=20)


def decide(observed: Observed) -> Plan:
    """Return what to do now; the same observation always gives the same plan."""
    for policy in JOB_POLICIES:
        plan = policy(observed)
        if plan is not None:
            return _with_answer(plan, observed)
    raise AssertionError("the last two policies answer with and without a Job")


def _with_answer(plan: Plan, observed: Observed) -> Plan:
    """Return the plan with an answer to a resume that does not apply: it is refused once, and remembered."""
    if not has_new_token(observed) or may_resume(observed) or observed.deleted_at is not None:
        return plan
    memory = replace(plan.memory or memory_of(observed), handled_resume=observed.resume_token)
    phase = observed.status.phase.value if observed.status.phase is not None else "new"
    message = (
        f"the annotation {Annotation.RESUME} was not acted on: this run is {phase}, and only a Failed, Cancelled or "
        "Suspended one can be resumed. Set another value when it is"
    )
    refusal = EmitEvent(Severity.WARNING, Reason.RESUME_REFUSED, message)
    return replace(plan, memory=memory, events=(*plan.events, refusal))


def after_refusal(plan: Plan, observed: Observed, words: str) -> Plan:
    """Return the plan that remains when the API server refused its actions: wait, and show the server's own words."""
    if plan.state is not State.WAITING:
        return replace(plan, actions=(WakeAt(observed.now + _REFUSAL_PAUSE),))
    return replace(
        plan,
        reason=Reason.POD_REFUSED,
        message=f"the worker's Job was refused: {words}. It is tried again until the cause is gone",
        actions=(WakeAt(observed.now + _REFUSAL_PAUSE),),
    )
