"""What can be stored about a track, decided once for the database and for its in-memory twin. No I/O.

PostgreSQL refuses two things that a page can hold: the character NUL, and half of a surrogate pair. Neither carries a
meaning in a name or an address, so NUL is dropped and a lone half becomes U+FFFD. The track stays, the run goes on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracksync.core.tracks.hashing import listing_hash
from tracksync.core.tracks.model import DASHBOARD_COLUMNS, TEXT_COLUMNS, TOTAL_COLUMNS, Validators

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracksync.core.tracks.model import ListedTrack

LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_COLUMNS: Final = frozenset(TEXT_COLUMNS + TOTAL_COLUMNS)
_TOTALS: Final = frozenset(TOTAL_COLUMNS)
MAX_TOTAL: Final = 2**63 - 1
"""Largest total that its column (bigint) holds."""
MOST_VALIDATOR_CHARACTERS: Final = 512
"""A longer one is not kept: it would cost more than the page that it saves."""


@dataclass(frozen=True, slots=True)
class ListingRow:
    """The columns of `tracks` that the catalogue page fills, ready to be stored."""

    slug: str
    slug_as_listed: str
    name: str
    track_url: str
    events_url: str
    is_featured: bool
    kind: str


def storable_text(text: str) -> str:
    """Return the text without NUL and with U+FFFD for each lone surrogate: what PostgreSQL can hold."""
    if text.isascii():
        return text.replace("\x00", "")
    return LONE_SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text.replace("\x00", ""))


def storable_row(track: ListedTrack, domain: str) -> ListingRow:
    """Return what is stored of a row of the catalogue."""
    return ListingRow(*listing_columns(track, domain))


def listing_columns(track: ListedTrack, domain: str) -> tuple[str, str, str, str, str, bool, str]:
    """Return the columns of ListingRow in their order; a million of them take a second less than of ListingRow."""
    slug, url = track.slug, f"https://{track.slug}.{domain}/"
    spelling, name = storable_text(track.slug_as_listed), storable_text(track.name)
    return slug, spelling, name, url, f"{url}events", track.is_featured, track.kind.value


def listed_hash(track: ListedTrack, domain: str) -> bytes:
    """Return the hash of all that `storable_row` is made of; before mending, which takes longer than hashing."""
    return listing_hash((domain, track.slug, track.slug_as_listed, track.name, track.is_featured, track.kind.value))


def storable_values(values: Mapping[str, str | int | None]) -> dict[str, str | int | None]:
    """Return the dashboard columns to write; a value that its column cannot hold is left out, so the stored one stays.

    Raises:
        ValueError: a key is no dashboard column, which is a mistake of the caller.
    """
    if tuple(values) == DASHBOARD_COLUMNS and _are_storable(tuple(values.values())):
        return dict(values)
    if not values.keys() <= _COLUMNS:
        raise ValueError(f"not a dashboard column: {', '.join(sorted(values.keys() - _COLUMNS))}")
    stored: dict[str, str | int | None] = {}
    for column, value in values.items():
        if value is None:
            stored[column] = None
        elif column in _TOTALS:
            if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_TOTAL:
                stored[column] = value
        elif isinstance(value, str):
            stored[column] = storable_text(value)
    return stored


def storable_tuple(values: Mapping[str, str | int | None]) -> tuple[str | int | None, ...]:
    """Return what `storable_values` does, as one value for each of DASHBOARD_COLUMNS; None where there is none."""
    if tuple(values) == DASHBOARD_COLUMNS:
        said = tuple(values.values())
        if _are_storable(said):
            return said
    return tuple(map(storable_values(values).get, DASHBOARD_COLUMNS))


def _are_storable(values: tuple[str | int | None, ...]) -> bool:
    """Tell whether nothing is to be mended: the quick way for a whole row, in the order of DASHBOARD_COLUMNS."""
    texts = [text for text in values[: len(TEXT_COLUMNS)] if isinstance(text, str)]
    totals = [total for total in values[len(TEXT_COLUMNS) :] if type(total) is int]
    if len(texts) + len(totals) + values.count(None) != len(values):
        return False
    together = "".join(texts)
    is_text_storable = together.isascii() and "\x00" not in together
    return is_text_storable and min(totals, default=0) >= 0 and max(totals, default=0) <= MAX_TOTAL


def storable_validators(validators: Validators) -> Validators:
    """Return the validators that can be kept: each verbatim or not at all, since another text would never match."""
    return Validators(_verbatim_or_none(validators.etag), _verbatim_or_none(validators.last_modified))


def _verbatim_or_none(text: str | None) -> str | None:
    if text is None or len(text) > MOST_VALIDATOR_CHARACTERS or storable_text(text) != text:
        return None
    return text
