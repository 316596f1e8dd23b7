"""Whether the tracks that vanished from the catalogue may be deactivated: pure rules over counted facts.

A false mass deactivation empties every picker and stops every nightly job that reads active tracks, so all vanished
tracks of a run are deactivated, or none. The figures come from the database, inside the transaction that would do it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tracksync.api.deactivation import MAX_COUNT, MAX_PERCENT, DeactivationPolicy


class WithheldReason(StrEnum):
    """Why vanished tracks stay active."""

    POLICY = "policy"
    SKIPPED_ROWS = "skippedRows"
    """A row that could not be read may be one of those that seem to have vanished."""
    FILTERED = "filtered"
    """The run looked at a part of the catalogue only."""
    OUTDATED = "outdated"
    """Another run saw the whole catalogue after this one's page was read."""
    MAX_PERCENT = "maxPercent"
    MAX_COUNT = "maxCount"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeactivationGuard:
    """The limits of one run.

    Attributes:
        policy: what the run does with vanished tracks.
        max_percent: more vanished tracks than this share of the active ones are withheld.
        max_count: more vanished tracks than this are withheld.
        approved_ceiling: an admin's answer to a withheld deactivation: up to so many may go although they are more than
            `max_percent` or `max_count`. It lifts no other guard, and a larger number is withheld again.
    """

    policy: DeactivationPolicy = DeactivationPolicy.APPLY
    max_percent: int = MAX_PERCENT
    max_count: int = MAX_COUNT
    approved_ceiling: int = 0

    def judge(
        self,
        *,
        candidates: int,
        active_before: int,
        skipped_rows: int = 0,
        is_filtered: bool = False,
        is_outdated: bool = False,
    ) -> tuple[WithheldReason, ...]:
        """Return why the candidates stay active; empty when they may be deactivated, or when there are none.

        Args:
            candidates: active tracks of the source that a complete, valid listing does not have.
            active_before: active tracks of the source before the run changed any.
            skipped_rows: rows of the listing that could not be read.
            is_filtered: whether the run looked at a part of the catalogue only.
            is_outdated: whether another run has seen the whole catalogue since this one's page was read.
        """
        if candidates <= 0 or self.policy is DeactivationPolicy.DISABLED:
            return ()
        is_approved = candidates <= self.approved_ceiling
        checks = (
            (self.policy is DeactivationPolicy.WITHHOLD, WithheldReason.POLICY),
            (skipped_rows > 0, WithheldReason.SKIPPED_ROWS),
            (is_filtered, WithheldReason.FILTERED),
            (is_outdated, WithheldReason.OUTDATED),
            # Whole numbers on both sides: no rounding decides.
            (candidates * 100 > self.max_percent * active_before and not is_approved, WithheldReason.MAX_PERCENT),
            (candidates > self.max_count and not is_approved, WithheldReason.MAX_COUNT),
        )
        return tuple(reason for applies, reason in checks if applies)
