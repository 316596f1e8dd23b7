"""How politely a source is read: the next slot of a rate, pauses, the wait between tries, when to try no more.

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


@dataclass(frozen=True, slots=True)
class RetryBudget:
    """How many failed requests may be repeated, so that a source in trouble is not asked all the more.

    Within a sliding window repetitions are at most a share of all requests; a few are always allowed, else a short run
    had none.

    Attributes:
        share: repetitions per request of the window.
        floor: repetitions that the window always has.
        window: seconds; counted in sixths, so that up to a sixth more is looked back.
        buckets: start, requests and repetitions of each sixth, oldest first.
    """

    share: float = 0.2
    floor: int = 10
    window: float = 60.0
    buckets: tuple[tuple[float, int, int], ...] = ()

    def count_request(self, now: float) -> RetryBudget:
        """Return the budget after a request of any kind, repetitions included."""
        return self._count(now, requests=1, retries=0)

    def spend(self, now: float) -> tuple[RetryBudget, bool]:
        """Return the budget after a wish to repeat a request, and whether it may be repeated."""
        recent = self._recent(now)
        retries = sum(bucket[2] for bucket in recent)
        requests = sum(bucket[1] for bucket in recent)
        if retries + 1 > max(self.floor, self.share * requests):
            return self, False
        return self._count(now, requests=0, retries=1), True

    def _recent(self, now: float) -> tuple[tuple[float, int, int], ...]:
        oldest = now - self.window - self._step
        return tuple(bucket for bucket in self.buckets if bucket[0] > oldest)

    def _count(self, now: float, *, requests: int, retries: int) -> RetryBudget:
        if self.buckets and now < self.buckets[-1][0] + self._step:
            start, known_requests, known_retries = self.buckets[-1]
            last = (start, known_requests + requests, known_retries + retries)
            return replace(self, buckets=(*self.buckets[:-1], last))
        return replace(self, buckets=(*self._recent(now), (now, requests, retries)))

    @property
    def _step(self) -> float:
        return self.window / 6


@dataclass(frozen=True, slots=True)
class Circuit:
    """Whether a source fails so much that asking on would do harm; once open it stays open.

    It opens when many requests in a row fail, or when the source asks for one pause after the other with no good answer
    in between. A few hosts prove nothing about their source: the row has to have several, and a host that failed while
    others answered well counts no more until it answers well itself. Otherwise the last broken hosts of a run, which
    are asked among themselves, would look like the end of the source.

    Attributes:
        most_failures: failed requests in a row that open it.
        most_pauses: pauses in a row that open it.
        fewest_hosts: hosts that the row has to have.
        failures: failed requests since the last good answer.
        pauses: pauses since the last good answer.
        failing: hosts that failed since the last good answer.
        broken: hosts that failed while others answered well.
        paused_at: when the last pause began, on the caller's monotonic clock.
    """

    most_failures: int = 20
    most_pauses: int = 5
    fewest_hosts: int = 5
    failures: int = 0
    pauses: int = 0
    failing: frozenset[str] = frozenset()
    broken: frozenset[str] = frozenset()
    paused_at: float = -math.inf

    @property
    def is_open(self) -> bool:
        """Whether nothing more may be asked."""
        is_long = self.failures >= self.most_failures or self.pauses >= self.most_pauses
        return is_long and len(self.failing) >= self.fewest_hosts

    def fail(self, host: str) -> Circuit:
        """Return the circuit after a request without a good answer."""
        if host in self.broken:
            return self
        return replace(self, failures=self.failures + 1, failing=self.failing | {host})

    def pause(self, host: str, *, sent_at: float, now: float) -> Circuit:
        """Return the circuit after an answer that asks everybody to wait, to a request that was sent then.

        Answers to requests that were on their way already when the last pause began belong to that one.
        """
        after = self.fail(host)
        if after is self or sent_at < self.paused_at:
            return after
        return replace(after, pauses=self.pauses + 1, paused_at=now)

    def succeed(self, host: str) -> Circuit:
        """Return the circuit after a good answer."""
        if self.is_open or not (self.failing or host in self.broken):
            return self
        return replace(self, failures=0, pauses=0, failing=frozenset(), broken=(self.broken | self.failing) - {host})


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
