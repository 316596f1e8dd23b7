"""What a host has at /robots.txt, by the switches, its name and the seed."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from tracksync.simulator.answers import Answer
from tracksync.simulator.faults import RobotsFault, Switches
from tracksync.simulator.shares import share_of

if TYPE_CHECKING:
    from collections.abc import Callable

CATALOGUE_LABEL: Final = "live"
_STATUSES: Final = {
    RobotsFault.MISSING: HTTPStatus.NOT_FOUND,
    RobotsFault.FORBIDDEN: HTTPStatus.FORBIDDEN,
    RobotsFault.ERROR: HTTPStatus.SERVICE_UNAVAILABLE,
    RobotsFault.RATE_LIMITED: HTTPStatus.TOO_MANY_REQUESTS,
}
_PLAIN: Final = "text/plain; charset=UTF-8"
_ALLOW: Final = b"User-agent: *\nAllow: /\n"
_HUGE_BYTES: Final = 2 * 2**20
_COMMENT: Final = b"# This line says nothing, like all of its neighbours, of which there are very many indeed.\n"


def robots_answer(
    switches: Switches, seed: int, label: str, domain: str, error: Callable[[HTTPStatus], Answer]
) -> Answer:
    """Return the answer of the host with this first label; never compressed except for the error pages given."""
    kind = switches.robots
    if share_of(seed, f"robots-{kind}", label) >= switches.robots_rate:
        return error(HTTPStatus.NOT_FOUND)
    if kind in _STATUSES:
        answer = error(_STATUSES[kind])
        return answer.asking_to_wait() if kind is RobotsFault.RATE_LIMITED else answer
    if kind is RobotsFault.REDIRECT and label != CATALOGUE_LABEL:
        return error(HTTPStatus.MOVED_PERMANENTLY).with_header("Location", f"//{CATALOGUE_LABEL}.{domain}/robots.txt")
    if kind is RobotsFault.REDIRECT_LOOP:
        return error(HTTPStatus.MOVED_PERMANENTLY).with_header("Location", "/robots.txt")
    return Answer(HTTPStatus.OK, _rules(kind, switches.crawl_delay_s), content_type=_PLAIN)


def _rules(kind: RobotsFault, crawl_delay_s: float) -> bytes:
    match kind:
        case RobotsFault.DISALLOW:
            return b"User-agent: *\nDisallow: /\n"
        case RobotsFault.CRAWL_DELAY:
            return f"User-agent: *\nCrawl-delay: {crawl_delay_s:g}\nAllow: /\n".encode()
        case RobotsFault.HUGE:
            return _COMMENT * (_HUGE_BYTES // len(_COMMENT) + 1) + _ALLOW
        case _:
            return _ALLOW
