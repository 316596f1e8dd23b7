"""Text from a page, made safe to store and to show."""

from __future__ import annotations

import unicodedata
from typing import Final

_BIDI_MARKS: Final = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
"""Characters that turn the direction of text around, and so can make it read as something else."""
_INVISIBLE: Final = (0x00AD, 0x200B, 0x2060, 0xFEFF, *range(0xFFF9, 0xFFFC), *range(0xE0000, 0xE0080))
"""Soft hyphen, zero-width space, byte order mark, annotation and tag characters: they only hide things in a name."""
_SPACES: Final = (0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x85)
_CONTROLS: Final = (*range(0x20), *range(0x7F, 0xA0))
_LONE_SURROGATES: Final = range(0xD800, 0xE000)
_TABLE: Final[dict[int, str | None]] = {
    **dict.fromkeys((*_CONTROLS, *_BIDI_MARKS, *_INVISIBLE, *_LONE_SURROGATES)),
    **dict.fromkeys(_SPACES, " "),
}


def clean_line(text: str, *, limit: int) -> str:
    """Return one line: NFC, no control, bidi or NUL characters, white space collapsed, cut at the limit."""
    if not (text.isascii() and text.isprintable()):
        # Twice: taking a character out can bring a letter and its accent together.
        text = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).translate(_TABLE))
    return " ".join(text.split())[:limit].rstrip()


def clean_block(text: str, *, limit: int) -> str:
    """Return the text as lines, each as `clean_line` leaves it; never two empty lines in a row, none at either end."""
    lines: list[str] = []
    for raw in text.split("\n"):
        line = clean_line(raw, limit=limit)
        if line or (lines and lines[-1]):
            lines.append(line)
    return "\n".join(lines)[:limit].strip()
