"""The catalogue's "last updated" text, turned into an interval of ages with a precision.

The interval ends are inferred, not documented by the site; all of them stand in this module's two small tables.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final


class Precision(StrEnum):
    """How coarse a relative time is."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class RelativeTime:
    """An age: something happened between `youngest` and `oldest` before the page was fetched."""

    youngest: timedelta
    oldest: timedelta
    precision: Precision

    def instant(self, fetched_at: datetime) -> datetime:
        """Return the middle of the interval; `fetched_at` is the fetch time, not the time of storing."""
        return fetched_at - (self.youngest + self.oldest) / 2

    def contains(self, instant: datetime, *, fetched_at: datetime) -> bool:
        """Return whether a stored instant still agrees with this text (a finer one is then the better fact)."""
        return self.youngest <= fetched_at - instant <= self.oldest


_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_WEEK: Final = timedelta(days=7)
_MONTH: Final = timedelta(days=30.4375)
_YEAR: Final = timedelta(days=365.25)

_PHRASES: Final = {
    "1 minute ago": RelativeTime(0 * _MINUTE, 2 * _MINUTE, Precision.MINUTE),
    "yesterday": RelativeTime(1 * _DAY, 2 * _DAY, Precision.DAY),
    "last week": RelativeTime(7 * _DAY, 14 * _DAY, Precision.WEEK),
    "last month": RelativeTime(4 * _WEEK, 9 * _WEEK, Precision.MONTH),
    "last year": RelativeTime(11 * _MONTH, 24 * _MONTH, Precision.YEAR),
}
"""Fixed texts; every other text is "N units ago" and means N to N + 1 of the units below."""
_UNITS: Final = {
    "minute": (_MINUTE, Precision.MINUTE),
    "hour": (_HOUR, Precision.HOUR),
    "day": (_DAY, Precision.DAY),
    "week": (_WEEK, Precision.WEEK),
    "month": (_MONTH, Precision.MONTH),
    "year": (_YEAR, Precision.YEAR),
}
_COUNTED: Final = re.compile(r"([0-9]{1,3}) (minute|hour|day|week|month|year)s? ago")


def interval_of(text: str) -> RelativeTime | None:
    """Return the interval that a relative text stands for, or None for a text that is not known."""
    phrase = " ".join(text.lower().split())
    if phrase in _PHRASES:
        return _PHRASES[phrase]
    counted = _COUNTED.fullmatch(phrase)
    if counted is None:
        return None
    number, (unit, precision) = int(counted[1]), _UNITS[counted[2]]
    return RelativeTime(number * unit, (number + 1) * unit, precision)
