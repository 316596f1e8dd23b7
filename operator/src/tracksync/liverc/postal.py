"""Postal codes: their shapes by country, the padding and the placeholders that the site shows."""

from __future__ import annotations

import re
from typing import Final

_SPACED_BY_COUNTRY: Final = {
    "CA": r"[A-Z][0-9][A-Z] [0-9][A-Z][0-9]",
    "CZ": r"[0-9]{3} [0-9]{2}",
    "GB": r"[A-Z]{1,2}[0-9][0-9A-Z]? [0-9][A-Z]{2}",
    "GR": r"[0-9]{3} [0-9]{2}",
    "IE": r"[A-Z][0-9][0-9W] [0-9A-Z]{4}",
    "NL": r"[0-9]{4,5} [A-Z]{2}",
    "SE": r"[0-9]{3} [0-9]{2}",
    "SK": r"[0-9]{3} [0-9]{2}",
}
"""Shapes with a space inside; all others, and these without their space, are the last word of a line with a digit."""
_ANY_POSTAL: Final = r"(?=[A-Z-]*[0-9])[0-9A-Z-]{3,10}"
_CITY_LINE_BY_COUNTRY: Final = {
    code: re.compile(rf"(?:(?P<place>.*)[ ,])?(?P<postal>{shape})", re.IGNORECASE)
    for code, shape in _SPACED_BY_COUNTRY.items()
}
_CITY_LINE: Final = re.compile(rf"(?:(?P<place>.*)[ ,])?(?P<postal>{_ANY_POSTAL})", re.IGNORECASE)
_PLACEHOLDER: Final = re.compile(r"0+|12345")
_PADDED: Final = re.compile(r"0(?P<code>[0-9]{4}(?![0-9]).*)")
_STRAY_LETTER: Final = re.compile(r"[A-Z](?P<code>[0-9]{4,5})", re.IGNORECASE)
_LONGEST: Final = 20
_FOUR_DIGITS: Final = frozenset(
    (
        *("AF", "AL", "AM", "AR", "AT", "AU", "BD", "BE", "BG", "CC", "CH", "CV", "CX", "CY", "DK", "GE", "GL", "GW"),
        *("HM", "HT", "HU", "LI", "LR", "LU", "LV", "MD", "MK", "MZ", "NE", "NF", "NL", "NO", "NZ", "PH", "PT", "PY"),
        *("SI", "SJ", "TN", "VE", "ZA"),
    )
)
"""Countries whose codes have, or begin with, four digits: the site pads them with a zero to five."""


def is_placeholder(text: str) -> bool:
    """Return whether somebody without a code filled this in."""
    return _PLACEHOLDER.fullmatch(text) is not None


def postal_code_or_none(text: str, code: str | None) -> str | None:
    """Return the postal code of a country as it is stored, or None when the text is none.

    Padding is taken off where codes have four digits (elsewhere a leading zero is real), a stray letter in Australia.
    """
    if len(text) > _LONGEST or not any(char.isdigit() for char in text):
        return None
    stray = _STRAY_LETTER.fullmatch(text) if code == "AU" else None
    postal = stray["code"] if stray else text
    padded = _PADDED.fullmatch(postal) if code in _FOUR_DIGITS else None
    return padded["code"] if padded else postal


def split_postal_code(line: str, code: str | None) -> tuple[str, str]:
    """Return what stands before the postal code at a line's end, and the code as written ("" when there is none)."""
    shape = _CITY_LINE_BY_COUNTRY.get(code, _CITY_LINE) if code else _CITY_LINE
    match = shape.fullmatch(line) or _CITY_LINE.fullmatch(line)
    return ((match["place"] or "").strip(" ,"), match["postal"]) if match else (line, "")
