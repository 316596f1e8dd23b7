"""How we introduce ourselves: product, version, and a real contact where the real site is asked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tracksync import __version__
from tracksync.errors import SettingsError

if TYPE_CHECKING:
    from tracksync.api.source import SourceEntry

PRODUCT_TOKEN: Final = "TrackSync"  # noqa: S105 - RFC 9309 calls the name in a User-agent line a product token
_LIVERC: Final = "liverc.com"
_PLACEHOLDERS: Final = re.compile(r"example\.(?:com|org|net)|\byour-|changeme|change-me|@localhost", re.IGNORECASE)
_CONTACT: Final = re.compile(r"(?:mailto:)?[^@\s()]+@[^@\s()]+\.[^@\s()]+|https?://[^\s()]+\.[^\s()]+", re.ASCII)


def user_agent(entry: SourceEntry) -> str:
    """Return who we are, with the configured contact.

    Raises:
        SettingsError: the contact cannot stand in a header, or is no real one where the real site is asked.
    """
    contact = entry.contact.strip()
    is_liverc = entry.domain == _LIVERC or entry.domain.endswith(f".{_LIVERC}")
    leads_to_liverc = is_liverc and (entry.scheme == "https" or entry.connect_to is None)
    is_real = _CONTACT.fullmatch(contact) is not None and not _PLACEHOLDERS.search(contact)
    if leads_to_liverc and not is_real:
        raise SettingsError(
            f"sources[].contact of {entry.name} has to be a real mail address or URL before {_LIVERC} is asked:"
            " set it to whoever runs this installation"
        )
    if not (contact.isascii() and contact.isprintable()):
        raise SettingsError(f"sources[].contact of {entry.name} may hold printable ASCII characters only")
    product = f"{PRODUCT_TOKEN}/{__version__}"
    return f"{product} (+{contact})" if contact else product
