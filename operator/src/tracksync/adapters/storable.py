"""What can be stored about a track, decided once for the database and for its in-memory twin. No I/O.

PostgreSQL refuses two things that a page can hold: the character NUL, and half of a surrogate pair. Neither carries a
meaning in a name or an address, so NUL is dropped and a lone half becomes U+FFFD. The track stays, the run goes on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracksync.core.tracks.model import TEXT_COLUMNS, TOTAL_COLUMNS, Validators

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tracksync.core.tracks.model import Listing

LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")
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


def storable_rows(listing: Listing, domain: str) -> Iterator[ListingRow]:
    """Yield one row per slug, the first of duplicates, in page order."""
    seen: set[str] = set()
    for track in listing.tracks:
        if track.slug in seen:
            continue
        seen.add(track.slug)
        yield ListingRow(
            slug=track.slug,
            slug_as_listed=storable_text(track.slug_as_listed),
            name=storable_text(track.name),
            track_url=f"https://{track.slug}.{domain}/",
            events_url=f"https://{track.slug}.{domain}/events",
            is_featured=track.is_featured,
            kind=track.kind.value,
        )


def storable_values(values: Mapping[str, str | int | None]) -> dict[str, str | int | None]:
    """Return the dashboard columns to write; a value that its column cannot hold is left out, so the stored one stays.

    Raises:
        ValueError: a key is no dashboard column, which is a mistake of the caller.
    """
    unknown = values.keys() - {*TEXT_COLUMNS, *TOTAL_COLUMNS}
    if unknown:
        raise ValueError(f"not a dashboard column: {', '.join(sorted(unknown))}")
    stored: dict[str, str | int | None] = {}
    for column, value in values.items():
        if value is None:
            stored[column] = None
        elif column in TOTAL_COLUMNS:
            if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_TOTAL:
                stored[column] = value
        elif isinstance(value, str):
            stored[column] = storable_text(value)
    return stored


def storable_validators(validators: Validators) -> Validators:
    """Return the validators that can be kept: each verbatim or not at all, since another text would never match."""
    return Validators(_verbatim_or_none(validators.etag), _verbatim_or_none(validators.last_modified))


def _verbatim_or_none(text: str | None) -> str | None:
    if text is None or len(text) > MOST_VALIDATOR_CHARACTERS or storable_text(text) != text:
        return None
    return text
