"""Redirects, checked by hand before anything is sent to where they lead."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import quote, urljoin, urlsplit

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
_LONGEST_LOCATION: Final = 2_048
_URL_CHARACTERS: Final = "/?:@!$&'()*+,;=-._~%[]"


@dataclass(frozen=True, slots=True)
class Redirect:
    """An answer that leads elsewhere."""

    location: str


@dataclass(frozen=True, slots=True)
class Target:
    """What a request asks for; `path` includes the query and is ASCII."""

    scheme: str
    host: str
    path: str = "/"


def follow_redirect(source: Target, redirect: Redirect, *, domain: str, may_change_host: bool = False) -> Target:
    """Return where the redirect leads: by the same scheme or https, to the same host or another one of the domain.

    Raises:
        FetchError: it leads off the domain, to a lower scheme or to no address at all (OUTSIDE); or to another host of
            the domain though that one's answer would be of no use (MOVED).
    """
    location = redirect.location
    try:
        parts = urlsplit(urljoin(f"{source.scheme}://{source.host}{source.path}", location))
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise FetchError(FetchProblem.OUTSIDE, f"{source.host} redirects to no address at all") from error
    keeps_scheme = parts.scheme in {source.scheme, "https"}
    is_plain = (
        "@" not in parts.netloc
        and port in {None, _PORT_BY_SCHEME.get(parts.scheme)}
        and location.isprintable()
        and len(location) <= _LONGEST_LOCATION
    )
    if not (keeps_scheme and is_plain and host.isascii() and host.endswith(f".{domain}")):
        raise FetchError(FetchProblem.OUTSIDE, f"{source.host} redirects off {domain}, or to a lower scheme")
    if host != source.host and not may_change_host:
        raise FetchError(FetchProblem.MOVED, f"{source.host} redirects to another host of {domain}")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, quote(path, safe=_URL_CHARACTERS))
