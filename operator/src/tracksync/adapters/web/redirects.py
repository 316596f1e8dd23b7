"""Redirects, checked by hand before anything is sent to where they lead."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import urljoin, urlsplit

from tracksync.adapters.web.fetching import FetchError, FetchProblem

REDIRECT_STATUSES: Final = frozenset(
    {
        HTTPStatus.MOVED_PERMANENTLY,
        HTTPStatus.FOUND,
        HTTPStatus.SEE_OTHER,
        HTTPStatus.TEMPORARY_REDIRECT,
        HTTPStatus.PERMANENT_REDIRECT,
    }
)
_PORT_BY_SCHEME: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Target:
    """What a request asks for; `path` includes the query."""

    scheme: str
    host: str
    path: str = "/"


def follow_redirect(source: Target, location: str, *, domain: str) -> Target:
    """Return where the redirect leads: the same host, by the same scheme or https.

    Raises:
        FetchError: it leads off the domain, to a lower scheme or to no address at all (OUTSIDE), or to another host of
            the domain (MOVED): the final host has to be the requested one, so there is no point in asking that host.
    """
    try:
        parts = urlsplit(urljoin(f"{source.scheme}://{source.host}{source.path}", location))
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise FetchError(FetchProblem.OUTSIDE, f"{source.host} redirects to no address at all") from error
    keeps_scheme = parts.scheme in {source.scheme, "https"}
    is_plain = "@" not in parts.netloc and port in {None, _PORT_BY_SCHEME.get(parts.scheme)} and location.isprintable()
    if not (keeps_scheme and is_plain and host.endswith(f".{domain}")):
        raise FetchError(FetchProblem.OUTSIDE, f"{source.host} redirects off {domain}, or to a lower scheme")
    if host != source.host:
        raise FetchError(FetchProblem.MOVED, f"{source.host} redirects to another host of {domain}")
    return Target(parts.scheme, host, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
