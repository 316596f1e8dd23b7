"""A predecessor's row as one of ours: each value is converted, or refused with column and remedy. No I/O."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from psycopg.types.json import Jsonb

from tracksync.adapters.postgres.adopt_mapping import ZeroTotals
from tracksync.adapters.postgres.columns import TRACK_COLUMNS
from tracksync.adapters.storable import MAX_TOTAL
from tracksync.core.tracks.model import TOTAL_COLUMNS, TrackKind
from tracksync.liverc.hosts import is_slug

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_TRUE: Final = frozenset({"true", "t", "yes", "y", "on", "1"})
_FALSE: Final = frozenset({"false", "f", "no", "n", "off", "0"})
_BOOLEANS: Final = ("is_featured", "is_active", "is_followed")
_MOMENTS: Final = ("deactivated_at", "last_seen_at", "created_at", "updated_at")
_LIMITS: Final = {"latitude": 90.0, "longitude": 180.0}
_LONGEST_SHOWN: Final = 80


class RefusedValueError(Exception):
    """A value that cannot be taken over; the text says why, and never what the value is."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that cannot be adopted: which, because of which of our columns, and what to do about it."""

    slug: str
    column: str
    why: str

    @property
    def line(self) -> str:
        """The refusal as a line for people."""
        return f"{self.slug}: {self.column}: {self.why}"


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a row is completed with.

    Attributes:
        source: name of the source that all rows belong to.
        domain: its registrable domain, from which missing addresses are made.
        now: the transaction's instant.
        zero_totals: what a total of 0 means.
    """

    source: str
    domain: str
    now: datetime
    zero_totals: ZeroTotals = ZeroTotals.UNKNOWN


@dataclass(frozen=True, slots=True)
class AdoptableRow:
    """A row as it will be stored.

    Attributes:
        values: one for each of TRACK_COLUMNS, in their order.
        their_slug: the slug as they spell it.
        is_followed: whether people follow the track.
        unknown_totals: totals of 0 that were taken as unknown.
    """

    values: tuple[object, ...]
    their_slug: str
    is_followed: bool
    unknown_totals: int


def adoptable(row: Mapping[str, object], defaults: Defaults, *, position: int) -> AdoptableRow | Refusal:
    """Return their row, whose values are keyed by our columns, as one of ours; or why it cannot be.

    Args:
        row: the mapped columns and the constants.
        defaults: what is missing is completed with.
        position: names a row that has no usable slug.
    """
    their_slug = row.get("slug")
    shown = shown_slug(their_slug, position)
    values: dict[str, Any] = {}
    for column in TRACK_COLUMNS:
        try:
            values[column] = _converted(column, row.get(column))
        except RefusedValueError as refused:
            return Refusal(shown, column, str(refused))
    if values["source"] not in {None, defaults.source}:
        why = (
            f'is not "{defaults.source}": give --source-name, or put "source" into `ignore` when it means another thing'
        )
        return Refusal(shown, "source", why)
    unknown = [name for name in TOTAL_COLUMNS if values[name] == 0 and defaults.zero_totals is ZeroTotals.UNKNOWN]
    values.update(dict.fromkeys(unknown))
    _complete(values, str(their_slug), defaults)
    return AdoptableRow(
        tuple(values[column] for column in TRACK_COLUMNS), str(their_slug), values["is_followed"], len(unknown)
    )


def shown_slug(slug: object, position: int) -> str:
    """Return the slug as it may be shown anywhere; a row without one is named by its number."""
    if not isinstance(slug, str) or not slug:
        return f"row {position}"
    return (slug if slug.isprintable() else ascii(slug))[:_LONGEST_SHOWN]


def _complete(values: dict[str, Any], their_slug: str, defaults: Defaults) -> None:
    """Fill in what may be missing, and bring together what contradicts itself."""
    address = f"https://{values['slug']}.{defaults.domain}/"
    created_at = values["created_at"] or defaults.now
    missing = {
        "source": defaults.source,
        "slug_as_listed": their_slug,
        "track_url": address,
        "events_url": f"{address}events",
        "is_featured": False,
        "kind": TrackKind.TRACK.value,
        "is_followed": False,
        "created_at": created_at,
        "updated_at": created_at,
    }
    for column, value in missing.items():
        if values[column] is None:
            values[column] = value
    if values["is_active"]:
        values["deactivated_at"] = None
    elif values["deactivated_at"] is None:
        values["deactivated_at"] = values["updated_at"]


def _converted(column: str, value: object) -> object:
    if isinstance(value, bytes | bytearray | memoryview | list | tuple) and column != "start_finish_line":
        raise RefusedValueError("has a type that cannot be converted; map another column, or none (`ignore`)")
    convert: Callable[[str, object], object] = _text
    if column in _SPECIAL:
        convert = _SPECIAL[column]
    elif column in _BOOLEANS:
        convert = _boolean
    elif column in TOTAL_COLUMNS:
        convert = _total
    elif column in _MOMENTS:
        convert = _moment
    elif column in _LIMITS:
        convert = _degrees
    return convert(column, value)


def _text(_column: str, value: object) -> str | None:
    if value is None or isinstance(value, str):
        text = value
    elif isinstance(value, int | Decimal | UUID) and not isinstance(value, bool):
        text = str(value)
    else:
        raise RefusedValueError("is no text; map a text column")
    if text is not None and "\x00" in text:
        raise RefusedValueError("holds the character NUL, which cannot be stored; remove it")
    return text


def _id(_column: str, value: object) -> UUID:
    if isinstance(value, UUID):
        return value
    try:
        return UUID(_required("id", value))
    except ValueError:
        raise RefusedValueError("is no UUID; other tables point at ids, so map the column that holds UUIDs") from None


def _slug(_column: str, value: object) -> str:
    slug = _required("slug", value)
    if not slug.isascii() or not is_slug(slug.lower()):
        raise RefusedValueError("is no host label (letters, digits, hyphens; at most 63); correct or remove the row")
    return slug.lower()


def _name(_column: str, value: object) -> str:
    return _required("name", value)


def _required(column: str, value: object) -> str:
    text = _text(column, value)
    if text is None or not text.strip():
        raise RefusedValueError("is empty; fill it in, or remove the row")
    return text


def _kind(column: str, value: object) -> str | None:
    text = _text(column, value)
    if text is not None and text not in set(TrackKind):
        raise RefusedValueError(f"is none of {', '.join(TrackKind)}; map none (`ignore`) or a constant")
    return text


def _boolean(column: str, value: object) -> bool | None:
    if value is None:
        if column == "is_active":
            raise RefusedValueError("is empty; say for each row whether the track is active")
        return None
    word = str(value).strip().lower()
    if not isinstance(value, bool | int | str) or word not in _TRUE | _FALSE:
        raise RefusedValueError("is neither true nor false; map a boolean column")
    return word in _TRUE


def _total(_column: str, value: object) -> int | None:
    if value is None:
        return None
    number = _number(value)
    if number != int(number) or not 0 <= number <= MAX_TOTAL:
        raise RefusedValueError(f"is no whole number from 0 to {MAX_TOTAL}; correct it, or empty it when it is unknown")
    return int(number)


def _degrees(column: str, value: object) -> float | None:
    if value is None:
        return None
    degrees = float(_number(value))
    if abs(degrees) > _LIMITS[column]:
        raise RefusedValueError(f"is outside of -{_LIMITS[column]:g} to {_LIMITS[column]:g} degrees; correct it")
    return degrees


def _number(value: object) -> Decimal:
    """Return the finite number that the value is, or that it spells."""
    number = None
    if isinstance(value, int | float | Decimal | str) and not isinstance(value, bool):
        try:
            number = Decimal(str(value).strip())
        except ArithmeticError:
            number = None
    if number is None or not number.is_finite():
        raise RefusedValueError("is no number; map a column of numbers")
    return number


def _moment(_column: str, value: object) -> datetime | None:
    """Return the instant; one without a time zone is meant in UTC."""
    if value is None:
        return None
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
    except ValueError:
        raise RefusedValueError("is no date and time between the years 1 and 9999; correct or empty it") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _json(_column: str, value: object) -> Jsonb | None:
    if value is None:
        return None
    document = value
    if isinstance(value, str):
        try:
            document = json.loads(value)
        except ValueError:
            raise RefusedValueError("is no JSON; map a jsonb column, or a text that holds JSON") from None
    if not isinstance(document, dict | list):
        raise RefusedValueError("is no JSON object or list; map another column, or none (`ignore`)")
    if "\\u0000" in json.dumps(document):
        raise RefusedValueError("holds the character NUL, which cannot be stored; remove it")
    return Jsonb(document)


_SPECIAL: Final[Mapping[str, Callable[[str, object], object]]] = {
    "id": _id,
    "slug": _slug,
    "name": _name,
    "kind": _kind,
    "start_finish_line": _json,
}
