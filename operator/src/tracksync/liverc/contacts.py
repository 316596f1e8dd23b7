"""Phone, website and e-mail: personal data, read exactly or not at all."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from tracksync.core.tracks.model import FieldState, Reading
from tracksync.liverc.text import clean_line

if TYPE_CHECKING:
    from tracksync.liverc.block import ContactLine, Link

_ORIGIN: Final = "address block"
_ABSENT: Final = Reading(FieldState.ABSENT, origin=_ORIGIN)
_BLANK: Final = Reading(FieldState.BLANK, origin=_ORIGIN)
_INVALID: Final = Reading(FieldState.INVALID, origin=_ORIGIN)
_NOTHING: Final = frozenset({"", "n/a"})
_LONGEST_URL: Final = 2_000
_LONGEST_EMAIL: Final = 254
_PHONE: Final = re.compile(r"\+?[0-9 ().\-/]+(?: ?(?:x|ext\.?) ?[0-9]{1,6})?", re.IGNORECASE)
_FEWEST_DIGITS: Final = 7
_MOST_DIGITS: Final = 21
"""Fifteen of an international number and six of an extension."""
_LONGEST_PHONE: Final = 60
_QUOTED: Final = r"'((?:[^'\\]|\\.)*)'"
_NO_SPAM: Final = re.compile(rf"javascript:\s*noSpam\(\s*{_QUOTED}\s*,\s*{_QUOTED}\s*\);?\s*", re.IGNORECASE)
_EMAIL: Final = re.compile(r"[^@\s<>\"(),:;\[\]\\]+@[^@\s<>\"(),:;\[\]\\.]+(?:\.[^@\s<>\"(),:;\[\]\\.]+)+")


def read_phone(line: ContactLine | None) -> Reading:
    """Return the number as it is written; too few or too many digits make it invalid."""
    if line is None:
        return _ABSENT
    link = _first(line, "tel:")
    text = clean_line((link.text or link.href[len("tel:") :]) if link else line.text, limit=_LONGEST_PHONE + 1)
    if text.lower() in _NOTHING:
        return _BLANK
    digits = sum(char.isdigit() for char in text)
    is_number = len(text) <= _LONGEST_PHONE and _PHONE.fullmatch(text) and _FEWEST_DIGITS <= digits <= _MOST_DIGITS
    return Reading(FieldState.VALUE, text, _ORIGIN) if is_number else _INVALID


def read_website(line: ContactLine | None) -> Reading:
    """Return the link's address when it is http or https with a host; any other address is invalid."""
    if line is None:
        return _ABSENT
    if not line.links:
        return _BLANK if line.text.lower() in _NOTHING else _INVALID
    url = web_address_or_none(line.links[0].href)
    return _INVALID if url is None else Reading(FieldState.VALUE, url, _ORIGIN)


def read_email(line: ContactLine | None) -> Reading:
    """Return the address that both the link's arguments and its text spell; where they differ it is invalid.

    The script in the link is matched, never evaluated.
    """
    if line is None:
        return _ABSENT
    if not line.links:
        return _BLANK if line.text.lower() in _NOTHING else _INVALID
    link = line.links[0]
    match = _NO_SPAM.fullmatch(link.href)
    if match is None:
        return _INVALID
    user, host = (re.sub(r"\\(.)", r"\1", argument) for argument in match.groups())
    address = clean_line(f"{user}@{host}", limit=_LONGEST_EMAIL + 1)
    shown = clean_line(link.text, limit=_LONGEST_EMAIL + 1)
    if address in {"@", "N/A@"} and shown.lower() in {"@", *_NOTHING}:
        return _BLANK
    is_address = len(address) <= _LONGEST_EMAIL and _EMAIL.fullmatch(address) and address.lower() == shown.lower()
    return Reading(FieldState.VALUE, address, _ORIGIN) if is_address else _INVALID


def web_address_or_none(raw: str) -> str | None:
    """Return the address when it is http or https, has a host and neither user info nor white space; else None."""
    url = clean_line(raw, limit=_LONGEST_URL + 1)
    if len(url) > _LONGEST_URL or " " in url:
        return None
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return None
    is_web = parts.scheme in {"http", "https"} and "." in host.strip(".") and "@" not in parts.netloc
    return url if is_web else None


def _first(line: ContactLine, scheme: str) -> Link | None:
    return next((link for link in line.links if link.href.lower().startswith(scheme)), None)
