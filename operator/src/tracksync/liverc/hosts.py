"""Which hosts are tracks: the rules for slugs and for links to them."""

from __future__ import annotations

import re
from typing import Final

RESERVED_LABELS: Final = frozenset({"live", "live2", "www", "www2", "forum", "help", "blog", "liverc"})
"""Host labels that LiveRC uses for itself; none of them is ever a track."""

_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_AUTHORITY: Final = re.compile(r"(?:https:)?//([^/?#]*)", re.IGNORECASE | re.ASCII)
_LONGEST_HOST: Final = 253


def is_slug(text: str) -> bool:
    """Return whether the text is a track's key: a legal lower-case host label that is not reserved."""
    return _LABEL.fullmatch(text) is not None and text not in RESERVED_LABELS


def slug_of_href(href: str, domain: str) -> str | None:
    """Return the track's host label as the link spells it, or None when the link leads to no track.

    The link is protocol-relative or https, its host exactly one label below the domain; a leading `www.` is dropped.
    User info, ports, other schemes, reserved and illegal labels give None. The key is the label in lower case.
    """
    match = _AUTHORITY.match(href.strip())
    if match is None or len(match[1]) > _LONGEST_HOST or not match[1].isascii():
        # Only ASCII may be lower-cased: the Kelvin sign would turn into a plain k.
        return None
    host = match[1]
    if host.lower().startswith("www."):
        host = host[len("www.") :]
    suffix = f".{domain}"
    if not host.lower().endswith(suffix):
        return None
    label = host[: -len(suffix)]
    return label if is_slug(label.lower()) else None
