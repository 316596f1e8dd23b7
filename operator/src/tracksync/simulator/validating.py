"""ETag and Last-Modified of a page, and whether a conditional request is answered with 304 (RFC 9110, section 13)."""

from __future__ import annotations

import hashlib
from email.utils import formatdate, parsedate_to_datetime
from typing import TYPE_CHECKING, Final

from tracksync.simulator.faults import Validators

if TYPE_CHECKING:
    from collections.abc import Mapping

_FIRST_DAY: Final = 1_735_689_600
"""2025-01-01: day 0 of every world, so that the same seed and day give the same headers."""
_DAY_SECONDS: Final = 86_400


def validators_of(kind: Validators, page_name: str, body: bytes, changed_on: int, *, zipped: bool) -> dict[str, str]:
    """Return the validator headers of a page; a compressed page has another ETag than the plain one.

    Args:
        kind: which validators are on.
        page_name: tells pages apart, such as the host; all that a lying ETag depends on.
        body: what is sent.
        changed_on: day of the world on which the page became what it is.
        zipped: whether `body` is compressed.
    """
    headers: dict[str, str] = {}
    if kind in {Validators.ETAG, Validators.BOTH}:
        headers["ETag"] = f'"{_digest(body)}"'
    if kind is Validators.LYING_ETAG:
        headers["ETag"] = f'"{_digest(page_name.encode())}{"-gzip" if zipped else ""}"'
    if kind in {Validators.LAST_MODIFIED, Validators.BOTH}:
        headers["Last-Modified"] = formatdate(_FIRST_DAY + changed_on * _DAY_SECONDS, usegmt=True)
    return headers


def is_unmodified(asked: Mapping[str, str], validators: Mapping[str, str]) -> bool:
    """Tell whether 304 is right; If-None-Match, when given, decides alone."""
    tags = asked.get("If-None-Match")
    if tags is not None:
        known = {tag.strip().removeprefix("W/") for tag in tags.split(",")}
        return "ETag" in validators and ("*" in known or validators["ETag"] in known)
    since, modified = asked.get("If-Modified-Since"), validators.get("Last-Modified")
    if since is None or modified is None:
        return False
    try:
        return parsedate_to_datetime(modified) <= parsedate_to_datetime(since)
    except (ValueError, TypeError):
        # A date that cannot be read, or one without a zone: as if it had not been sent.
        return False


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=10).hexdigest()
