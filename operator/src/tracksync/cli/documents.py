"""What a page was read as, as documents whose keys are a contract; personal values leave masked unless asked for."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tracksync.core.tracks.model import PERSONAL_COLUMNS, FieldState, TrackStatus
from tracksync.liverc.relative_time import interval_of
from tracksync.liverc.text import clean_line

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from tracksync.core.tracks.model import Dashboard, ListedTrack, Listing, Location, Reading

Document = dict[str, object]
MASK: Final = "***"
_LONGEST_TEXT: Final = 300
"""Characters; as much as the catalogue's parser takes of a relative time."""


def masked(readings: Mapping[str, Reading]) -> dict[str, Reading]:
    """Return the readings with every personal value replaced; states and origins stay."""
    return {
        column: replace(reading, value=MASK)
        if column in PERSONAL_COLUMNS and reading.state is FieldState.VALUE
        else reading
        for column, reading in readings.items()
    }


def catalogue_document(listing: Listing) -> Document:
    """Return the listing: verdict, counts and tracks; `rows` counts every row, skipped and repeated ones included."""
    status = Counter(track.status for track in listing.tracks)
    return {
        "complete": listing.is_complete,
        "reasons": list(listing.problems),
        "rows": len(listing.tracks) + len(listing.skipped) + listing.duplicates,
        "skipped": dict(Counter(row.reason.value for row in listing.skipped)),
        "duplicates": listing.duplicates,
        "status": {name.value: status[name] for name in TrackStatus},
        "video": sum(track.has_video for track in listing.tracks),
        "featured": sum(track.is_featured for track in listing.tracks),
        "tracks": [_track_document(track) for track in listing.tracks],
    }


def dashboard_document(dashboard: Dashboard) -> Document:
    """Return the dashboard: whether it is proven, why not, and each column with its state and origin."""
    return {
        "proven": dashboard.is_proven,
        "reasons": list(dashboard.problems),
        "fields": _field_documents(dashboard.fields),
    }


def address_document(location: Location) -> Document:
    """Return the location: why a place says nothing, and each column with its state and origin."""
    return {"reasons": list(location.problems), "fields": _field_documents(location.fields)}


def time_document(text: str) -> Document:
    """Return the interval of ages that a relative time stands for; all of it None when the text is not known."""
    phrase = clean_line(text, limit=_LONGEST_TEXT)
    interval = interval_of(phrase)
    if interval is None:
        ages = dict.fromkeys(("youngest_seconds", "oldest_seconds", "stored_seconds", "precision"))
        return {"text": phrase, "known": False, **ages}
    return {
        "text": phrase,
        "known": True,
        "youngest_seconds": _seconds(interval.youngest),
        "oldest_seconds": _seconds(interval.oldest),
        "stored_seconds": _seconds((interval.youngest + interval.oldest) / 2),
        "precision": interval.precision.value,
    }


def _track_document(track: ListedTrack) -> Document:
    return {
        "slug": track.slug,
        "slug_as_listed": track.slug_as_listed,
        "name": track.name,
        "is_featured": track.is_featured,
        "kind": track.kind.value,
        "status": track.status.value if track.status is not None else None,
        "has_video": track.has_video,
        "event_name": track.event_name,
        "last_updated_text": track.last_updated_text,
    }


def _field_documents(readings: Mapping[str, Reading]) -> Document:
    return {
        column: {"state": reading.state.value, "value": reading.value, "from": reading.origin}
        for column, reading in readings.items()
    }


def _seconds(age: timedelta) -> int:
    return int(age.total_seconds())
