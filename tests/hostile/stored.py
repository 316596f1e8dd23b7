"""What is in the database after a run."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg.rows import dict_row

from tracksync.core.tracks.model import TEXT_COLUMNS, TOTAL_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping

LISTING_COLUMNS: Final = ("name", "slug_as_listed", "is_featured", "kind", "track_url", "events_url")
_DIRECTIONS: Final = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def rows(url: str, statement: str, *values: object) -> list[dict[str, Any]]:
    """Return the rows of a query."""
    with psycopg.connect(url, row_factory=dict_row) as connection:
        return connection.execute(statement, values or None).fetchall()


def tracks(url: str) -> dict[str, dict[str, Any]]:
    """Return the stored tracks by slug."""
    return {row["slug"]: row for row in rows(url, "SELECT * FROM tracks")}


def checkpoint(url: str) -> dict[str, int]:
    """Return how many staged items there are, by state; empty when nothing is staged."""
    counted = rows(url, "SELECT state, count(*) AS items FROM sync_items GROUP BY state")
    return {row["state"]: row["items"] for row in counted}


def runs(url: str) -> list[tuple[str, str, int]]:
    """Return state, reason and epoch of every run, oldest first."""
    found = rows(url, "SELECT state, reason, epoch FROM runs ORDER BY started_at")
    return [(row["state"], row["reason"], row["epoch"]) for row in found]


def differences(url: str, truth: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, tuple[Any, Any]]]:
    """Return, by slug, every column in which a stored track is not what it must be: stored value, true value.

    A slug that is stored but not in the truth, or the other way round, is one as well.
    """
    stored, found = tracks(url), {}
    for slug in stored.keys() | truth.keys():
        one, other = stored.get(slug, {}), truth.get(slug, {})
        columns = (other.keys() & one.keys()) or {"slug"}
        wrong = {name: (one.get(name), other.get(name)) for name in columns if one.get(name) != other.get(name)}
        if wrong:
            found[slug] = wrong
    return found


def unsafe_texts(url: str) -> list[tuple[str, str]]:
    """Return slug and column of every stored text that could steer a terminal or turn its reading around."""
    return [
        (slug, column)
        for slug, row in tracks(url).items()
        for column in (*TEXT_COLUMNS, "name", "slug_as_listed")
        for text in (str(row[column] or ""),)
        if set(text) & _DIRECTIONS or {unicodedata.category(char) for char in text if char != "\n"} & {"Cc", "Cs"}
    ]


def metadata_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a dashboard fills of a stored track."""
    return {column: row[column] for column in (*TEXT_COLUMNS, *TOTAL_COLUMNS)}
