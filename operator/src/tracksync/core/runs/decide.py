"""Observed -> Plan: the first rule that has a verdict wins."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from tracksync.api.identity import Reason
from tracksync.core.runs.model import State, WakeAt
from tracksync.core.runs.policies import JOB_POLICIES

if TYPE_CHECKING:
    from tracksync.core.runs.model import Observed, Plan

_REFUSAL_PAUSE: Final = timedelta(seconds=20)


def decide(observed: Observed) -> Plan:
    """Return what to do now; the same observation always gives the same plan."""
    for policy in JOB_POLICIES:
        plan = policy(observed)
        if plan is not None:
            return plan
    raise AssertionError("the last two policies answer with and without a Job")


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
