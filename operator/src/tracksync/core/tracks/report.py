"""What a run says about itself: shares, rates, expected ends, and how many failed tracks a run may lose."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

MAX_FAILED_PERCENT: Final = 10
"""More failed items than this share fail the run, unless `maxFailedPercent` says another one."""
TOLERATED_FAILURES: Final = 2
"""So many failures are always tolerated: in a catalogue of twelve tracks one failure is no sign of a sick source."""

_SECONDS_PER_MINUTE: Final = 60.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How far a stage is and how long it has taken so far.

    Attributes:
        done: items finished, failed ones included.
        total: items of the stage; 0 while it is not known.
        seconds: time since the stage began, from a monotonic clock.
        found_done: those of `done` that were finished before the stage began; they say nothing about its rate.
    """

    done: int
    total: int
    seconds: float
    found_done: int = 0

    @property
    def percent(self) -> int:
        """Share that is finished, rounded down: 100 only when everything is finished."""
        if self.total <= 0:
            return 0
        return min(100, self.done * 100 // self.total)

    @property
    def text(self) -> str:
        """Return done and total for people, such as 812/1090; empty while the total is not known."""
        return f"{self.done}/{self.total}" if self.total > 0 else ""

    @property
    def items_per_minute(self) -> float | None:
        """Items finished per minute; None before there is anything to measure."""
        if self._own <= 0 or self.seconds <= 0:
            return None
        return round(self._own * _SECONDS_PER_MINUTE / self.seconds, 1)

    def eta(self, now: datetime) -> datetime | None:
        """Return when the stage ends if it goes on as it went so far; None when nothing says so or nothing is left."""
        left = self.total - self.done
        if left <= 0 or self._own <= 0 or self.seconds <= 0:
            return None
        return now + timedelta(seconds=left * self.seconds / self._own)

    @property
    def _own(self) -> int:
        return self.done - self.found_done


def allowed_failures(due: int, *, listed: int, max_percent: int = MAX_FAILED_PERCENT) -> int:
    """Return how many of `due` dashboards may fail: that share, or two, but never as many as there are tracks listed.

    A daily run may have a single track to fetch; that one's broken page must not keep the catalogue from being merged.
    """
    if due <= 0:
        return 0
    return max(0, min(max(due * max_percent // 100, TOLERATED_FAILURES), listed - 1))


def too_many_failed(failed: int, due: int, *, listed: int, max_percent: int = MAX_FAILED_PERCENT) -> bool:
    """Whether so many of `due` dashboards failed, though they did not in the run before, that nothing may be merged."""
    return failed > allowed_failures(due, listed=listed, max_percent=max_percent)
