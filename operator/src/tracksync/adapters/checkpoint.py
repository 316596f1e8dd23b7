"""The checkpoint of a run: what its row says about the listing that was staged. No I/O.

Decided once for the database and its in-memory twin.
"""

from __future__ import annotations

from typing import Final

from tracksync.core.tracks.model import ListingSummary

CHECKPOINT_FORMAT: Final = 1
"""What staged rows mean. Raise it when they come to mean something else: no later build then goes on with old ones."""
_KEYS: Final = {"listed": "listed", "skippedRows": "skipped_rows", "duplicates": "duplicates"}


def listing_document(summary: ListingSummary) -> dict[str, int]:
    """Return what is stored of the listing."""
    return {key: getattr(summary, name) for key, name in _KEYS.items()}


def summary_or_none(document: object, *, checkpoint_format: int | None) -> ListingSummary | None:
    """Return the listing that a stored document tells of; None when this build cannot read it, whatever it holds."""
    if checkpoint_format != CHECKPOINT_FORMAT or not isinstance(document, dict) or document.keys() != _KEYS.keys():
        return None
    if not all(type(value) is int and value >= 0 for value in document.values()):
        return None
    return ListingSummary(**{name: document[key] for key, name in _KEYS.items()})
