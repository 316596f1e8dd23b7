"""When tracks were last active: the measured distribution, and the relative text by which the page shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracksync.simulator.scale import apportion

if TYPE_CHECKING:
    from random import Random

_HOUR: Final = 60
_DAY: Final = 24 * _HOUR
_WEEK_DAYS: Final = 7
_FIRST_MONTH_DAY: Final = 35
"""From five weeks on the site counts in months."""
_YEAR_DAYS: Final = 365
LONG_IDLE_MINUTES: Final = 200 * _DAY
"""Beyond this age only featured rows are still listed: they escape the site's cut-off."""

_MINUTES: Final = {14: 1, 29: 1, 31: 1, 43: 1, 57: 1}
_HOURS: Final = {
    # Twelve hours a line.
    **dict(enumerate((9, 15, 14, 18, 18, 28, 22, 27, 21, 17, 11, 5), start=1)),
    **dict(enumerate((5, 2, 2, 2, 2, 2, 1, 1, 0, 0, 1), start=13)),
}
_DAYS: Final = {1: 45, 2: 26, 3: 27, 4: 9, 5: 5, 6: 45}
_WEEKS: Final = {1: 104, 2: 62, 3: 53, 4: 26}
_MONTHS: Final = {1: 163, 2: 118, 3: 46, 7: 1, 8: 1, 10: 3}
_YEARS: Final = {1: 2}


@dataclass(frozen=True, slots=True)
class Band:
    """Ages in minutes, `low` ≤ age < `high`, that read the same, and how many idle rows of 1,090 had that text."""

    low: int
    high: int
    count: int


def idle_bands() -> list[Band]:
    """Return the ages of idle rows, youngest first; the days are uneven because weekends are busier."""
    return [
        *(Band(number, number + 1, count) for number, count in _MINUTES.items()),
        *(Band(number * _HOUR, (number + 1) * _HOUR, count) for number, count in _HOURS.items()),
        *(Band(number * _DAY, (number + 1) * _DAY, count) for number, count in _DAYS.items()),
        *(_days_band(number * _WEEK_DAYS, (number + 1) * _WEEK_DAYS, count) for number, count in _WEEKS.items()),
        *(_days_band(_month_start(number), _month_start(number + 1), count) for number, count in _MONTHS.items()),
        *(_days_band(number * _YEAR_DAYS, (number + 1) * _YEAR_DAYS, count) for number, count in _YEARS.items()),
    ]


def draw_idle_ages(rng: Random, rows: int) -> list[int]:
    """Return `rows` ages in minutes, distributed over the texts as measured."""
    bands = idle_bands()
    counts = apportion(rows, [band.count for band in bands])
    return [rng.randrange(band.low, band.high) for band, count in zip(bands, counts, strict=True) for _ in range(count)]


def relative_text(idle_minutes: int) -> str:
    """Return the page's words for an age: the reverse of what a reader has to do."""
    hours, days = idle_minutes // _HOUR, idle_minutes // _DAY
    if hours == 0:
        return _counted(max(idle_minutes, 1), "minute")
    if days == 0:
        return _counted(hours, "hour")
    if days < _WEEK_DAYS:
        return "Yesterday" if days == 1 else _counted(days, "day")
    if days < _FIRST_MONTH_DAY:
        return _last_or_counted(days // _WEEK_DAYS, "week")
    if days < _YEAR_DAYS:
        return _last_or_counted(days * 12 // _YEAR_DAYS, "month")
    return _last_or_counted(days // _YEAR_DAYS, "year")


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}{'' if number == 1 else 's'} ago"


def _last_or_counted(number: int, unit: str) -> str:
    return f"last {unit}" if number == 1 else _counted(number, unit)


def _days_band(first_day: int, end_day: int, count: int) -> Band:
    return Band(first_day * _DAY, end_day * _DAY, count)


def _month_start(number: int) -> int:
    """Return the first day that reads as `number` months."""
    return _FIRST_MONTH_DAY if number == 1 else -(-number * _YEAR_DAYS // 12)
