"""How politely a source is read: the next slot of a rate, a pause that the source asked for, the wait between tries.

Pure arithmetic on values; the waiting and the clock belong to whoever calls.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

FIRST_BACKOFF: Final = 0.5
"""Seconds; doubled with each further try."""
_LONGEST_WAIT: Final = 10**9
"""Seconds; a longer answer means the same as this one: not within any run."""
_MOST_DIGITS: Final = 10
_MOST_DOUBLINGS: Final = 16


@dataclass(frozen=True, slots=True)
class Pace:
    """A rate limiter's state; instants are seconds of one monotonic clock.

    Attributes:
        rate: slots per second, above 0.
        next_free: when the next slot begins at the earliest.
        paused_until: no slot begins before this.
    """

    rate: float
    next_free: float = -math.inf
    paused_until: float = -math.inf

    def reserve(self, now: float) -> tuple[Pace, float]:
        """Return the pace without its next slot, and when that slot begins (now or later).

        Unused time is not saved up: after a quiet spell there is no burst.
        """
        start = max(now, self.next_free, self.paused_until)
        return replace(self, next_free=start + 1 / self.rate), start

    def pause(self, until: float) -> Pace:
        """Return the pace held until then; a pause never shortens a longer one."""
        return replace(self, paused_until=max(self.paused_until, until))


def backoff_seconds(tries: int, chance: float) -> float:
    """Return the wait after this many failed tries (1 or more): exponential with full jitter.

    `chance` is a random number from 0 to 1.
    """
    return math.ldexp(FIRST_BACKOFF, min(tries - 1, _MOST_DOUBLINGS)) * chance


def retry_after_seconds(value: str | None, *, date: str | None, now: datetime) -> float | None:
    """Return how long a `Retry-After` header asks to wait, in seconds; None when it says nothing usable.

    Both forms are read: seconds, and an HTTP date. A date is judged against the response's own `Date` header, so that
    the two clocks need not agree; against `now` when there is none. There is no cap below 10^9 seconds.
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        digits = text.lstrip("0") or "0"
        return float(_LONGEST_WAIT if len(digits) > _MOST_DIGITS else min(int(digits), _LONGEST_WAIT))
    until = _instant_or_none(text)
    if until is None:
        return None
    asked_at = _instant_or_none((date or "").strip()) or now
    return float(min(max((until - asked_at).total_seconds(), 0.0), _LONGEST_WAIT))


def _instant_or_none(text: str) -> datetime | None:
    try:
        instant = parsedate_to_datetime(text)
    except (ValueError, IndexError, TypeError, OverflowError):
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
