"""What a run's row says of the listing that was staged, and of what its merge did. No I/O.

Decided once for the database and its in-memory twin.
"""

from __future__ import annotations

from typing import Final

from tracksync.core.tracks.guards import WithheldReason
from tracksync.core.tracks.model import ListingSummary, MergeCounters

CHECKPOINT_FORMAT: Final = 2
"""What staged rows mean. Raise it when they come to mean something else: no later build then goes on with old ones."""
_LISTING_KEYS: Final = {
    "listed": "listed",
    "skippedRows": "skipped_rows",
    "duplicates": "duplicates",
    "staged": "staged",
    "vanished": "vanished",
}
_COUNTER_KEYS: Final = {
    "inserted": "inserted",
    "updated": "updated",
    "updatedTotals": "updated_totals",
    "unchanged": "unchanged",
    "reactivated": "reactivated",
    "deactivated": "deactivated",
    "withheld": "withheld",
    "activeBefore": "active_before",
}
_EPOCH: Final = "epoch"
_REASONS: Final = "withheldReasons"


def listing_document(summary: ListingSummary) -> dict[str, int]:
    """Return what is stored of the listing."""
    return {key: getattr(summary, name) for key, name in _LISTING_KEYS.items()}


def summary_or_none(document: object, *, checkpoint_format: int | None) -> ListingSummary | None:
    """Return the listing that a stored document tells of; None when this build cannot read it, whatever it holds."""
    if checkpoint_format != CHECKPOINT_FORMAT or not isinstance(document, dict):
        return None
    if document.keys() != _LISTING_KEYS.keys() or not all(map(_is_count, document.values())):
        return None
    return ListingSummary(**{name: document[key] for key, name in _LISTING_KEYS.items()})


def merged_document(counters: MergeCounters, *, epoch: int) -> dict[str, object]:
    """Return what a merge stores of itself, in its own transaction."""
    counts = {key: getattr(counters, name) for key, name in _COUNTER_KEYS.items()}
    return {_EPOCH: epoch, **counts, _REASONS: [reason.value for reason in counters.withheld_reasons]}


def merged_counters(document: object) -> MergeCounters | None:
    """Return what a merge said that it did; None when there was none, or when this build cannot read it."""
    if not isinstance(document, dict) or document.keys() != {_EPOCH, _REASONS, *_COUNTER_KEYS}:
        return None
    counts, reasons = {name: document[key] for key, name in _COUNTER_KEYS.items()}, document[_REASONS]
    if not all(map(_is_count, counts.values())) or not isinstance(reasons, list):
        return None
    known = {reason.value: reason for reason in WithheldReason}
    if not all(isinstance(reason, str) and reason in known for reason in reasons):
        return None
    return MergeCounters(**counts, withheld_reasons=tuple(known[reason] for reason in reasons))


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0
