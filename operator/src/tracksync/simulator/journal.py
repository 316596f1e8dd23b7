"""What the source saw: requests by kind and status, how many at once, how many a second. Politeness is judged by it."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from enum import StrEnum, auto
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_WINDOW_SECONDS: Final = 1.0


class RequestKind(StrEnum):
    """What a request asked for."""

    CATALOGUE = auto()
    DASHBOARD = auto()
    ROBOTS = auto()
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class Entry:
    """A request that has arrived and is not answered yet.

    Attributes:
        epoch: the journal's epoch at arrival; an answer after a restart of the journal belongs to no figure.
        host: whom it asked.
    """

    epoch: int
    host: str


class Journal:
    """Counts requests from arrival to the last byte of the answer; knows nothing of their content.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._epoch = 0
        self._in_flight = 0
        self._in_flight_by_host: Counter[str] = Counter()
        self._max_in_flight = self._max_in_flight_per_host = 0
        self._pause_until = 0.0
        self._pauses = self._during_pause = 0
        self._start_figures()

    def arrived(self, kind: RequestKind, host: str, *, of_the_domain: bool = True) -> Entry:
        """Note a request; each must be followed by `answered` or `abandoned`.

        A request of another domain counts, but a pause is none of its business.
        """
        now = self._clock()
        if of_the_domain and now < self._pause_until:
            self._during_pause += 1
        self._kinds[kind] += 1
        if kind is RequestKind.DASHBOARD:
            self._dashboards[host] += 1
        self._in_flight += 1
        self._in_flight_by_host[host] += 1
        self._max_in_flight = max(self._max_in_flight, self._in_flight)
        self._max_in_flight_per_host = max(self._max_in_flight_per_host, self._in_flight_by_host[host])
        self._note_rate(now, host)
        return Entry(self._epoch, host)

    def answered(self, entry: Entry, status: int, body_bytes: int) -> None:
        """Note that the answer is sent: its status and the bytes of its body as they went over the wire."""
        self._left(entry)
        if entry.epoch == self._epoch:
            self._statuses[status] += 1
            self._bytes += body_bytes

    def abandoned(self, entry: Entry) -> None:
        """Note that the client went away before the answer was sent."""
        self._left(entry)
        if entry.epoch == self._epoch:
            self._abandoned += 1

    def pause(self, seconds: float) -> None:
        """Note that the whole domain was asked, just now, to send nothing for so long; the latest end counts."""
        self._pauses += 1
        self._pause_until = max(self._pause_until, self._clock() + seconds)

    def restart(self) -> None:
        """Forget all figures and any pause; requests in flight stay in flight."""
        self._epoch += 1
        self._start_figures()

    def as_json(self) -> dict[str, Any]:
        """Return the figures.

        `peak` is the highest number of arrivals within any second; `mean` is arrivals over the time from the first to
        the last (0 with fewer than two); `repeated` counts dashboard requests beyond each host's first.
        `requests_during_pause` counts arrivals, on any host of the domain, before a Retry-After that had been sent was
        over; `pauses` how many were sent. `per_host` holds the highest figures that any one host saw.
        """
        dashboards = self._kinds[RequestKind.DASHBOARD]
        seconds = self._last - self._first
        total = sum(self._kinds.values())
        return {
            "total": total,
            "by_kind": {kind.value: self._kinds[kind] for kind in RequestKind},
            "statuses": {str(status): count for status, count in sorted(self._statuses.items())},
            "abandoned": self._abandoned,
            "in_flight": self._in_flight,
            "max_in_flight": self._max_in_flight,
            "requests_per_second": {
                "peak": self._peak,
                "mean": round((total - 1) / seconds, 3) if total > 1 and seconds > 0 else 0.0,
            },
            "per_host": {"peak": self._peak_per_host, "max_in_flight": self._max_in_flight_per_host},
            "pauses": self._pauses,
            "requests_during_pause": self._during_pause,
            "seconds": round(seconds, 3),
            "body_bytes": self._bytes,
            "dashboards": {"distinct": len(self._dashboards), "repeated": dashboards - len(self._dashboards)},
        }

    def _start_figures(self) -> None:
        self._kinds: Counter[RequestKind] = Counter()
        self._statuses: Counter[int] = Counter()
        self._dashboards: Counter[str] = Counter()
        self._recent: deque[tuple[float, str]] = deque()
        self._recent_by_host: Counter[str] = Counter()
        self._first = self._last = 0.0
        self._peak = self._peak_per_host = 0
        self._max_in_flight = self._in_flight
        self._max_in_flight_per_host = max(self._in_flight_by_host.values(), default=0)
        self._pause_until = 0.0
        self._pauses = self._during_pause = 0
        self._abandoned = 0
        self._bytes = 0

    def _left(self, entry: Entry) -> None:
        self._in_flight -= 1
        _take_one(self._in_flight_by_host, entry.host)

    def _note_rate(self, now: float, host: str) -> None:
        if not self._recent:
            # An empty window means the very first arrival: later ones always hold themselves.
            self._first = now
        self._last = now
        self._recent.append((now, host))
        self._recent_by_host[host] += 1
        while self._recent[0][0] <= now - _WINDOW_SECONDS:
            _take_one(self._recent_by_host, self._recent.popleft()[1])
        self._peak = max(self._peak, len(self._recent))
        self._peak_per_host = max(self._peak_per_host, self._recent_by_host[host])


def _take_one(counts: Counter[str], host: str) -> None:
    """Count one less, and forget a host with none: there may be very many."""
    counts[host] -= 1
    if not counts[host]:
        del counts[host]
