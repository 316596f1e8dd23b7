"""The way out of an end: somebody asks, with a token that was not used before, for the next attempt."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tracksync.api.identity import Reason
from tracksync.api.job import Phase
from tracksync.core.runs.attempts import current_attempt
from tracksync.core.runs.memory import memory_of
from tracksync.core.runs.plan import Plan, State, WakeAt
from tracksync.core.runs.stopping import wishes

if TYPE_CHECKING:
    from tracksync.core.runs.model import Observed

_RESUMABLE: Final = frozenset({Phase.FAILED, Phase.CANCELLED, Phase.SUSPENDED})


def resumed(observed: Observed) -> Plan | None:
    """A new token asks to go on with a failed, cancelled or suspended run: the only way out of an end."""
    if not may_resume(observed):
        return None
    number = current_attempt(observed).number
    memory = replace(memory_of(observed), retries=0, handled_resume=observed.resume_token, overridden=wishes(observed))
    return Plan(
        State.WAITING,
        Reason.RESUMED,
        f"resumed by the annotation tracksync.io/resume; attempt {number} follows",
        attempts=observed.status.attempts,
        memory=memory,
        actions=(WakeAt(observed.now),),
    )


def may_resume(observed: Observed) -> bool:
    """Return whether a resume was asked for that has not been handled, and applies."""
    if not has_new_token(observed) or observed.spec is None or observed.deleted_at is not None:
        return False
    return observed.status.phase in _RESUMABLE


def has_new_token(observed: Observed) -> bool:
    """Return whether the annotation says something that it did not say the last time."""
    return bool(observed.resume_token) and observed.resume_token != observed.status.last_handled_resume
