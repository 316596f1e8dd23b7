"""What a run's status keeps from pass to pass, read from and written to its own fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracksync.api.job import StopWish
from tracksync.core.runs.plan import Memory

if TYPE_CHECKING:
    from tracksync.core.runs.model import Observed


def memory_of(observed: Observed) -> Memory:
    """Return what the status keeps; an overruled suspension is forgotten as soon as the spec does not ask for it."""
    status = observed.status
    return Memory(
        retries=status.retries or 0,
        next_attempt=status.next_attempt_time,
        handled_resume=status.last_handled_resume,
        overridden=tuple(wish for wish in status.overridden if _is_asked(wish, observed)),
    )


def _is_asked(wish: StopWish, observed: Observed) -> bool:
    return wish is StopWish.CANCEL or observed.spec is None or observed.spec.suspend
