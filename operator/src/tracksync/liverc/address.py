"""Where a track is, read from the map's query first and from the address block second."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tracksync.core.tracks.model import FieldState, Reading
from tracksync.liverc.countries import COUNTRY_NAMES, country_code_or_none
from tracksync.liverc.postal import is_placeholder, postal_code_or_none, split_postal_code
from tracksync.liverc.text import clean_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LOCATION_COLUMNS: Final = ("street", "city", "state", "postal_code", "country_code", "country", "address")

_MAP: Final = "map"
_MAP_GAP: Final = "map, left empty"
_BLOCK: Final = "address block"
_NOWHERE: Final = "map and address block"
_LONGEST: Final = 300
_LONGEST_STATE: Final = 50
_FEWEST_PARTS: Final = 4
_UNKNOWN_COUNTRY: Final = "the map's query does not end with a known country code: it says nothing"
_SHORT: Final = f"the map's query has fewer than {_FEWEST_PARTS} parts: only its country counts"
_NO_PLUS: Final = "the map's query has no STATE+POSTAL in front of the country: only its country counts"
_NOTHING: Final = frozenset({"", "n/a"})
"""How the site writes that there is no value, in lower case."""
_CITY_AND_STATE: Final = re.compile(r"(?P<city>[^,].*), ?(?P<state>[A-Z]{2,3})")


def read_location(*, map_query: str | None, block: Sequence[str]) -> dict[str, Reading]:
    """Return a reading for each of LOCATION_COLUMNS.

    Args:
        map_query: what follows `q=` in the map's address, not decoded; None when the page has no map.
        block: lines of the address block between the track's name and the contact lines, blank ones included.
    """
    from_map, code = _read_map(map_query or "")
    from_block = _read_block(block, code)
    fields = {column: _choose(from_map.get(column), from_block.get(column)) for column in LOCATION_COLUMNS[:-1]}
    return {**fields, "address": _display_line(fields)}


def _choose(first: Reading | None, second: Reading | None) -> Reading:
    """Return the map's reading; the block speaks where the map is silent, or left a street or city empty."""
    if first is None or (first.state is FieldState.BLANK and first.origin == _MAP_GAP):
        return second or first or Reading(FieldState.ABSENT, origin=_NOWHERE)
    return first


def map_problem(query: str) -> str:
    """Return why the map's query does not say everything about a location, or "" when it does."""
    rest, _, country = query.rpartition(",")
    if country.strip().upper() not in COUNTRY_NAMES:
        return _UNKNOWN_COUNTRY
    if query.count(",") < _FEWEST_PARTS - 1:
        return _SHORT
    return "" if "+" in rest.rpartition(",")[2] else _NO_PLUS


def _read_map(query: str) -> tuple[dict[str, Reading], str | None]:
    """Return what the map's query says, and its country's code; how much it says is `map_problem`'s verdict."""
    problem = map_problem(query)
    if problem == _UNKNOWN_COUNTRY:
        return {}, None
    code = query.rpartition(",")[2].strip().upper()
    fields = _country(code, _MAP)
    if problem:
        return fields, code
    # From the right: only the street may hold commas.
    street, city, region, _ = query.rsplit(",", _FEWEST_PARTS - 1)
    state, _, postal = region.partition("+")
    fields["street"] = _text(street, _MAP, gap=_MAP_GAP)
    fields["city"] = _text(city, _MAP, gap=_MAP_GAP)
    fields["state"] = _state(state, code, _MAP)
    fields["postal_code"] = _postal(postal.replace("+", " "), code, _MAP)
    return fields, code


def _read_block(block: Sequence[str], map_code: str | None) -> dict[str, Reading]:
    """Return what the address block says; its lines end with the country and one blank line."""
    lines = list(block)
    if lines and not lines[-1]:
        lines.pop()
    if not lines:
        return {}
    name = lines.pop()
    fields = _named_country(name)
    if lines:
        fields.update(_read_city_line(lines.pop(), country_code_or_none(name) or map_code))
    if lines:
        fields["street"] = _text(", ".join(line for line in lines if line), _BLOCK)
    return fields


def _named_country(name: str) -> dict[str, Reading]:
    if name.lower() in _NOTHING:
        return dict.fromkeys(("country_code", "country"), Reading(FieldState.BLANK, origin=_BLOCK))
    code = country_code_or_none(name)
    if code is None:
        return dict.fromkeys(("country_code", "country"), Reading(FieldState.INVALID, origin=_BLOCK))
    return _country(code, _BLOCK)


def _country(code: str, origin: str) -> dict[str, Reading]:
    return {
        "country_code": Reading(FieldState.VALUE, code, origin),
        "country": Reading(FieldState.VALUE, COUNTRY_NAMES[code], origin),
    }


def _read_city_line(line: str, code: str | None) -> dict[str, Reading]:
    """Return city, state and postal code of "City, ST ZIP" or "City ZIP"."""
    if code is None and any(char.isdigit() for char in line):
        # Where the city ends and the code begins depends on the country.
        return dict.fromkeys(("city", "state", "postal_code"), Reading(FieldState.INVALID, origin=_BLOCK))
    place, postal = split_postal_code(line, code)
    state = ""
    match = _CITY_AND_STATE.fullmatch(place)
    if match:
        place, state = match["city"], match["state"]
    return {
        "city": _text(place, _BLOCK),
        "state": _state(state, code, _BLOCK),
        "postal_code": _postal(postal, code, _BLOCK),
    }


def _text(raw: str, origin: str, *, gap: str | None = None) -> Reading:
    """Return the text as it is, placeholders such as "TBD" included; `gap` is the origin of a missing one."""
    text = clean_line(raw, limit=_LONGEST)
    if text.lower() in _NOTHING:
        return Reading(FieldState.BLANK, origin=gap or origin)
    return Reading(FieldState.VALUE, text, origin)


def _state(raw: str, code: str | None, origin: str) -> Reading:
    text = clean_line(raw, limit=_LONGEST)
    is_stray_letter = code == "AU" and len(text) == 1
    if text.lower() in _NOTHING or is_stray_letter:
        return Reading(FieldState.BLANK, origin=origin)
    if len(text) > _LONGEST_STATE or any(char.isdigit() for char in text):
        return Reading(FieldState.INVALID, origin=origin)
    return Reading(FieldState.VALUE, text, origin)


def _postal(raw: str, code: str | None, origin: str) -> Reading:
    text = clean_line(raw, limit=_LONGEST)
    if text.lower() in _NOTHING or is_placeholder(text):
        return Reading(FieldState.BLANK, origin=origin)
    postal = postal_code_or_none(text, code)
    return Reading(FieldState.INVALID, origin=origin) if postal is None else Reading(FieldState.VALUE, postal, origin)


def _display_line(fields: Mapping[str, Reading]) -> Reading:
    """Return the address as one line: street, city, state and postal code, country."""
    shown = {
        column: str(reading.value) if reading.state is FieldState.VALUE else "" for column, reading in fields.items()
    }
    region = f"{shown['state']} {shown['postal_code']}".strip()
    line = ", ".join(part for part in (shown["street"], shown["city"], region, shown["country"]) if part)
    if line:
        return Reading(FieldState.VALUE, line, "composed")
    states = {reading.state for reading in fields.values()}
    return Reading(FieldState.BLANK if states == {FieldState.BLANK} else FieldState.ABSENT, origin="composed")
