"""Whether a connection's certificate, already verified for one host, is also good for another."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ssl import SSLObject


def certificate_covers(tls: SSLObject, host: str) -> bool:
    """Return whether the peer's verified certificate names the host, or a wildcard one label above it."""
    names = (tls.getpeercert() or {}).get("subjectAltName", ())
    wanted = {("DNS", host.lower()), ("DNS", f"*.{host.lower().partition('.')[2]}")}
    return any((kind, str(name).lower()) in wanted for kind, name, *_ in map(tuple, names))
