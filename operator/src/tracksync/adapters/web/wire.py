"""Frames between the parser process and its parent: lengths, JSON and page bytes; nothing that could run code."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from tracksync.core.tracks.model import (
    Dashboard,
    FieldState,
    ListedTrack,
    Listing,
    Location,
    Reading,
    SkippedRow,
    SkipReason,
    TrackKind,
    TrackStatus,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LENGTHS: Final = struct.Struct(">II")
"""A request's header: bytes of its JSON head, bytes of its page."""
LENGTH: Final = struct.Struct(">I")
"""An answer's header: bytes of its JSON."""
LARGEST_ANSWER: Final = 16 * 2**20
"""Bytes; a longer answer counts as a parser out of hand."""


@dataclass(frozen=True, slots=True)
class RobotsRules:
    """What a host's robots.txt says to us.

    Attributes:
        is_allowed: whether we may fetch `/`.
        crawl_delay: seconds between two requests that it asks of us; None when it asks for nothing.
    """

    is_allowed: bool
    crawl_delay: float | None = None


_TRACK_FIELDS: Final = tuple(field.name for field in fields(ListedTrack))
_KIND, _STATUS = _TRACK_FIELDS.index("kind"), _TRACK_FIELDS.index("status")
_STATUS_BY_WORD: Final[dict[str | None, TrackStatus | None]] = {
    None: None,
    **{status.value: status for status in TrackStatus},
}


def encode_request(head: Mapping[str, str], page: bytes) -> bytes:
    """Return one request's frame."""
    text = json.dumps(head).encode()
    return LENGTHS.pack(len(text), len(page)) + text + page


def encode_answer(answer: Mapping[str, Any]) -> bytes:
    """Return one answer's frame."""
    text = json.dumps(answer).encode()
    return LENGTH.pack(len(text)) + text


def listing_to_json(listing: Listing) -> dict[str, Any]:
    """Return the listing as JSON values."""
    return {
        "tracks": [[getattr(track, name) for name in _TRACK_FIELDS] for track in listing.tracks],
        "skipped": [(row.reason, row.position) for row in listing.skipped],
        "duplicates": listing.duplicates,
        "problems": listing.problems,
    }


def listing_from_json(data: Mapping[str, Any]) -> Listing:
    """Return the listing that `listing_to_json` wrote; KeyError, TypeError or ValueError for anything else."""
    return Listing(
        tracks=tuple(_listed_track(track) for track in data["tracks"]),
        skipped=tuple(SkippedRow(SkipReason(reason), int(position)) for reason, position in data["skipped"]),
        duplicates=int(data["duplicates"]),
        problems=tuple(map(str, data["problems"])),
    )


def _listed_track(values: Sequence[Any]) -> ListedTrack:
    """Return the track; by position, because a large catalogue has very many."""
    if len(values) != len(_TRACK_FIELDS):
        raise ValueError("a track has other fields")
    fields_in_order = list(values)
    fields_in_order[_KIND] = TrackKind(values[_KIND])
    fields_in_order[_STATUS] = _STATUS_BY_WORD[values[_STATUS]]
    return ListedTrack(*fields_in_order)


def dashboard_to_json(dashboard: Dashboard) -> dict[str, Any]:
    """Return the dashboard as JSON values."""
    return {"problems": dashboard.problems, "fields": _fields_to_json(dashboard.fields)}


def dashboard_from_json(data: Mapping[str, Any]) -> Dashboard:
    """Return the dashboard that `dashboard_to_json` wrote; KeyError, TypeError or ValueError for anything else."""
    return Dashboard(fields=_fields_from_json(data["fields"]), problems=tuple(map(str, data["problems"])))


def location_to_json(location: Location) -> dict[str, Any]:
    """Return the location as JSON values."""
    return {"problems": location.problems, "fields": _fields_to_json(location.fields)}


def location_from_json(data: Mapping[str, Any]) -> Location:
    """Return the location that `location_to_json` wrote; KeyError, TypeError or ValueError for anything else."""
    return Location(fields=_fields_from_json(data["fields"]), problems=tuple(map(str, data["problems"])))


def rules_to_json(rules: RobotsRules) -> dict[str, Any]:
    """Return the rules as JSON values."""
    return {"is_allowed": rules.is_allowed, "crawl_delay": rules.crawl_delay}


def rules_from_json(data: Mapping[str, Any]) -> RobotsRules:
    """Return the rules that `rules_to_json` wrote; KeyError, TypeError or ValueError for anything else."""
    delay = data["crawl_delay"]
    return RobotsRules(bool(data["is_allowed"]), None if delay is None else float(delay))


def _fields_to_json(readings: Mapping[str, Reading]) -> dict[str, Any]:
    return {name: (reading.state, reading.value, reading.origin) for name, reading in readings.items()}


def _fields_from_json(data: Mapping[str, Any]) -> dict[str, Reading]:
    return {name: Reading(FieldState(state), value, str(origin)) for name, (state, value, origin) in data.items()}
