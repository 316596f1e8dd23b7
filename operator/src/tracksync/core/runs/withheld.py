"""What is said about vanished tracks that stay active: how many, which limits held, and how an admin answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tracksync.api.job import WithheldStatus
    from tracksync.api.spec import DeactivationSpec

LIMITS: Final = frozenset({"maxPercent", "maxCount"})
"""Reasons that an approved ceiling overrules; every other one holds however many tracks are approved."""
_OTHER_REMEDIES: Final = {
    "policy": "spec.deactivation.policy is Withhold; a TrackSyncJob with Apply deactivates them within its limits",
    "filtered": "a run with spec.onlySlugs never deactivates; a run without it decides",
    "outdated": "another run has seen the whole catalogue since this one's page was read; the next run decides",
    "skippedRows": "rows of the catalogue page could not be read, and one of them may be a track that seems to have "
    "vanished; a later run decides when the page is well again",
}


def withheld_message(withheld: WithheldStatus, limits: DeactivationSpec | None) -> str:
    """Return one text with the numbers, the limits that held (when they are known) and the remedy."""
    reasons = ", ".join(_with_limit(reason, limits) for reason in withheld.reasons)
    return (
        f"{withheld.count} of {withheld.active_before} active tracks vanished from the catalogue and stay active "
        f"({reasons}). {remedy(withheld)}"
    )


def remedy(withheld: WithheldStatus) -> str:
    """Return what to do about it; an approved ceiling is advised only where it would help."""
    others = [text for reason, text in _OTHER_REMEDIES.items() if reason in withheld.reasons]
    if others:
        text = "; ".join(others)
        return f"{text[0].upper()}{text[1:]}"
    return (
        f"Look at the catalogue; if they are really gone, create a new TrackSyncJob with "
        f"spec.deactivation.approvedCeiling: {withheld.count}"
    )


def _with_limit(reason: str, limits: DeactivationSpec | None) -> str:
    values = {"maxPercent": limits.max_percent, "maxCount": limits.max_count} if limits is not None else {}
    return f"{reason} {values[reason]}" if reason in values else reason
