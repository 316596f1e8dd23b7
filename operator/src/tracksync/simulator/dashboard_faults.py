"""What stands in a dashboard's place when its host has a fault: refusals, redirects, pages that hurt."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from tracksync.simulator.faults import DashboardFault, Switches

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracksync.simulator.answers import Answer

_STATUSES: Final = {
    DashboardFault.HTTP_500: HTTPStatus.INTERNAL_SERVER_ERROR,
    DashboardFault.HTTP_404: HTTPStatus.NOT_FOUND,
    DashboardFault.HTTP_403: HTTPStatus.FORBIDDEN,
    DashboardFault.HTTP_410: HTTPStatus.GONE,
    DashboardFault.HTTP_429: HTTPStatus.TOO_MANY_REQUESTS,
    DashboardFault.HTTP_503: HTTPStatus.SERVICE_UNAVAILABLE,
    DashboardFault.HTTP_503_RETRY_AFTER: HTTPStatus.SERVICE_UNAVAILABLE,
    # Never sent: who asks waits for ever. Said here so that every fault is one of three kinds.
    DashboardFault.TIME_OUT: HTTPStatus.GATEWAY_TIMEOUT,
}
_WAITING: Final = {DashboardFault.HTTP_429, DashboardFault.HTTP_503_RETRY_AFTER}
# Without a scheme where it does not matter: the simulator itself speaks plain HTTP.
_LOCATIONS: Final = {
    DashboardFault.REDIRECT_HOST: "//www.{domain}/",
    DashboardFault.REDIRECT_FOREIGN: "//elsewhere.example.invalid/",
    DashboardFault.REDIRECT_LOOP: "/",
    DashboardFault.REDIRECT_HTTP: "http://{slug}.{domain}/",
    DashboardFault.REDIRECT_PRIVATE: "//10.255.255.1/",
}
_OPENING: Final = b"<div>"
_BODY_END: Final = b"</body>"


def refusal_or_none(
    fault: DashboardFault, slug: str, domain: str, error: Callable[[HTTPStatus], Answer]
) -> Answer | None:
    """Return the error or redirect that the fault stands for; None when it sends a page."""
    if fault in _STATUSES:
        answer = error(_STATUSES[fault])
        return answer.asking_to_wait() if fault in _WAITING else answer
    if fault in _LOCATIONS:
        return error(HTTPStatus.FOUND).with_header("Location", _LOCATIONS[fault].format(slug=slug, domain=domain))
    return None


def spoiled_page(fault: DashboardFault, page: bytes, switches: Switches) -> bytes:
    """Return the dashboard's bytes as the fault sends them; most faults leave them alone."""
    match fault:
        case DashboardFault.OVERSIZE:
            return _before_the_end(page, b"<!--" + b" " * switches.oversize_bytes + b"-->")
        case DashboardFault.NESTED:
            return _before_the_end(page, _OPENING * (switches.nested_bytes // len(_OPENING)))
        case _:
            return page


def spoiled_answer(fault: DashboardFault, answer: Answer) -> Answer:
    """Return the answer with this page as the fault declares and sends it."""
    match fault:
        case DashboardFault.WRONG_CHARSET:
            return replace(answer, content_type="text/html; charset=UTF-16")
        case DashboardFault.DRIP:
            return replace(answer, drips=True)
        case _:
            return answer


def _before_the_end(page: bytes, text: bytes) -> bytes:
    before, end, after = page.rpartition(_BODY_END)
    return before + text + end + after
