"""What became of an attempt to take a run back, as a frozen value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracksync.core.tracks.model import MergeCounters


@dataclass(frozen=True, slots=True)
class UndoReport:
    """What was, or would be, taken back.

    Attributes:
        counters: the transitions; withheld are tracks that the run inserted or reactivated and that stay active.
        logged: changes that the run's log holds.
        changed_since: those that stay, because somebody has changed the track since.
        personal: updates that stay, because only personal fields changed, whose values no log keeps.
    """

    counters: MergeCounters
    logged: int
    changed_since: int
    personal: int
