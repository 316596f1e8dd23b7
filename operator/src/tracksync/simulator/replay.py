"""A captured catalogue page as the source: served as it is, its hosts found by a loose search and not by a parser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tracksync.errors import SettingsError
from tracksync.simulator.names import RESERVED_LABELS

if TYPE_CHECKING:
    from pathlib import Path


def read_capture(path: Path) -> bytes:
    """Return the file's bytes; SettingsError when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"replay_catalogue: cannot read {path} ({error.strerror}); give a saved catalogue page"
        ) from error


def slugs_in(page: bytes, domain: str) -> list[str]:
    """Return the track hosts that the page links to, first label as spelled there, in order, each once in any case.

    Any attribute that holds `//LABEL.domain/` counts, whatever surrounds it; the site's own hosts do not.
    """
    label = r"([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)"
    link = rf"""href\s*=\s*["']?(?:https?:)?//(?:www\.)?{label}\.{re.escape(domain)}(?=[/"'\s>])"""
    found: dict[str, str] = {}
    for slug in re.findall(link, page.decode("utf-8", errors="replace"), flags=re.IGNORECASE):
        if slug.lower() not in RESERVED_LABELS:
            found.setdefault(slug.lower(), slug)
    return list(found.values())
