"""What stands in a page's place when it has a fault: refusals, redirects, other pages, pages that hurt.

Kinds are compared as text: catalogue and dashboards have different enumerations of them, in which the same word means
the same.
"""

from __future__ import annotations

import re
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from tracksync.simulator.faults import CatalogueFault, DashboardFault, cut
from tracksync.simulator.other_pages import render_captcha, render_login

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracksync.simulator.answers import Answer
    from tracksync.simulator.faults import Switches

_STATUSES: Final[dict[str, HTTPStatus]] = {
    DashboardFault.HTTP_500: HTTPStatus.INTERNAL_SERVER_ERROR,
    DashboardFault.HTTP_404: HTTPStatus.NOT_FOUND,
    DashboardFault.HTTP_403: HTTPStatus.FORBIDDEN,
    DashboardFault.HTTP_410: HTTPStatus.GONE,
    DashboardFault.HTTP_429: HTTPStatus.TOO_MANY_REQUESTS,
    DashboardFault.HTTP_503: HTTPStatus.SERVICE_UNAVAILABLE,
    DashboardFault.HTTP_503_RETRY_AFTER: HTTPStatus.SERVICE_UNAVAILABLE,
    CatalogueFault.ERROR: HTTPStatus.SERVICE_UNAVAILABLE,
    CatalogueFault.FORBIDDEN: HTTPStatus.FORBIDDEN,
    CatalogueFault.RATE_LIMITED: HTTPStatus.TOO_MANY_REQUESTS,
    # Never sent: who asks waits for ever. Said here so that every fault is one of few kinds.
    DashboardFault.TIME_OUT: HTTPStatus.GATEWAY_TIMEOUT,
}
_WAITING: Final[frozenset[str]] = frozenset(
    {DashboardFault.HTTP_429, DashboardFault.HTTP_503_RETRY_AFTER, CatalogueFault.RATE_LIMITED}
)
# Without a scheme where it does not matter: the simulator itself speaks plain HTTP.
_LOCATIONS: Final[dict[str, str]] = {
    DashboardFault.REDIRECT_HOST: "//www.{domain}/",
    DashboardFault.REDIRECT_FOREIGN: "//elsewhere.example.invalid/",
    DashboardFault.REDIRECT_LOOP: "/",
    DashboardFault.REDIRECT_HTTP: "http://{label}.{domain}/",
    DashboardFault.REDIRECT_PRIVATE: "//10.255.255.1/",
}
_OTHER_PAGES: Final[dict[str, Callable[[str], bytes]]] = {
    DashboardFault.LOGIN_PAGE: render_login,
    CatalogueFault.GENERIC_PAGE: render_login,
    DashboardFault.CAPTCHA: render_captcha,
    DashboardFault.BLANK: lambda _domain: b"",
    DashboardFault.NOT_HTML: lambda _domain: b'{"tracks": [], "message": "this is no page"}\n',
}
_CONTENT_TYPES: Final[dict[str, str]] = {
    DashboardFault.WRONG_CHARSET: "text/html; charset=UTF-16",
    DashboardFault.NOT_HTML: "application/json",
}
_OPENING: Final = b"<div>"
_BODY_END: Final = b"</body>"
_NO_UTF_8: Final = b"\xff\xc3(\xed\xa0\x80"
_INVISIBLE: Final = "\x1b\x07\u202e\u200b".encode()
_HOSTILE: Final = b"\x00" + _INVISIBLE + b"&#27;"
_TEXT_START: Final = re.compile(
    rb"(?P<attribute>&q=)(?=\S)|(?:<strong>|<br>|<br />\n|<hr />\s*|<div class=\"indent\"><small>)(?=[^\s<])"
)
"""Where a name, an event, a line of an address or of a description begins."""


def refusal_or_none(fault: str, label: str, domain: str, error: Callable[[HTTPStatus], Answer]) -> Answer | None:
    """Return the error or redirect that the fault stands for; None when it sends a page."""
    if fault in _STATUSES:
        answer = error(_STATUSES[fault])
        return answer.asking_to_wait() if fault in _WAITING else answer
    if fault in _LOCATIONS:
        return error(HTTPStatus.FOUND).with_header("Location", _LOCATIONS[fault].format(label=label, domain=domain))
    return None


def other_page_or_none(fault: str, domain: str) -> bytes | None:
    """Return the document that comes instead of the page; None when the page itself is sent."""
    render = _OTHER_PAGES.get(fault)
    return None if render is None else render(domain)


def spoiled_page(fault: str, page: bytes, switches: Switches) -> bytes:
    """Return the page's bytes as the fault sends them; many faults leave them alone."""
    match fault:
        case DashboardFault.OVERSIZE:
            return _before_the_end(page, b"<!--" + b" " * switches.oversize_bytes + b"-->")
        case DashboardFault.NESTED:
            return _before_the_end(page, _OPENING * (switches.nested_bytes // len(_OPENING)))
        case DashboardFault.CUT:
            return cut(page, switches.catalogue_cut_at)
        case DashboardFault.INVALID_UTF8:
            return _TEXT_START.sub(lambda match: match[0] + _NO_UTF_8, page)
        case DashboardFault.HOSTILE_TEXT:
            return _TEXT_START.sub(lambda match: match[0] + (_INVISIBLE if match["attribute"] else _HOSTILE), page)
        case _:
            return page


def spoiled_answer(fault: str, answer: Answer) -> Answer:
    """Return the answer with this page as the fault declares and sends it."""
    if fault in _CONTENT_TYPES:
        return replace(answer, content_type=_CONTENT_TYPES[fault])
    return replace(answer, drips=True) if fault == DashboardFault.DRIP else answer


def _before_the_end(page: bytes, text: bytes) -> bytes:
    before, end, after = page.rpartition(_BODY_END)
    return before + text + end + after
