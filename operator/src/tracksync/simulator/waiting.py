"""Retry-After: the header in each of its forms, and the seconds of pause that it truly asks for."""

from __future__ import annotations

from email.utils import formatdate
from typing import Final, assert_never

from tracksync.simulator.faults import RetryAfterForm

_ABSURD_SECONDS: Final = 315_360_000
_AN_HOUR: Final = 3600


def retry_after(form: RetryAfterForm, seconds: int, source_now: float) -> tuple[str | None, float]:
    """Return the header's value (None: no header) and the pause in seconds that a polite client keeps.

    Args:
        form: how the header is written.
        seconds: the pause, where the form does not bring its own.
        source_now: seconds since 1970 by the clock that the answer's Date header shows. An HTTP-date has whole
            seconds: the clock's fraction is cut as in the Date header, so that the difference of both is `seconds`.
    """
    match form:
        case RetryAfterForm.SECONDS:
            return str(seconds), float(seconds)
        case RetryAfterForm.DATE:
            until = int(source_now) + seconds
            return formatdate(until, usegmt=True), max(0.0, until - source_now)
        case RetryAfterForm.ABSURD:
            return str(_ABSURD_SECONDS), float(_ABSURD_SECONDS)
        case RetryAfterForm.PAST:
            return formatdate(int(source_now) - _AN_HOUR, usegmt=True), 0.0
        case RetryAfterForm.GARBAGE:
            return "soon", 0.0
        case RetryAfterForm.NONE:
            return None, 0.0
        case _:
            assert_never(form)
