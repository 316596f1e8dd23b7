"""The rows of the catalogue without names: status, video, star, age and event in the measured proportions and order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from tracksync.simulator.activity import LONG_IDLE_MINUTES, draw_idle_ages
from tracksync.simulator.model import Status
from tracksync.simulator.scale import apportion, scaled

if TYPE_CHECKING:
    from random import Random

_STATUS_COUNTS: Final = (19, 107, 964)
"""Racing, practice, idle."""
_RACING_VIDEO: Final = (5, 14)
_PRACTICE_VIDEO: Final = (25, 82)
_IDLE_VIDEO: Final = 4
_PRACTICE_JUST_NOW: Final = (106, 1)
"""Practice rows that read "1 minute ago", and those that read "2 minutes ago"."""
_FEATURED_RECENT: Final = 3
"""Featured rows that are also recent; the others are long idle."""
_MISSING_EVENT_IDLE: Final = 39
_MISSING_EVENT_PRACTICE: Final = 2
_VIDEO_WINDOW_MINUTES: Final = 14 * 24 * 60
"""Idle rows that still show a video were active within two weeks."""


@dataclass(frozen=True, slots=True)
class Row:
    """A catalogue row before a track takes it."""

    status: Status
    idle_minutes: int
    has_video: bool = False
    is_featured: bool = False
    has_event: bool = True


def build_rows(rng: Random, tracks: int) -> list[Row]:
    """Return `tracks` rows in the page's order: racing, practice, idle; video first within each; then most recent."""
    racing, practice, idle = apportion(tracks, _STATUS_COUNTS)
    rows = [*_racing(rng, racing), *_practice(rng, practice, tracks), *_idle(rng, idle, tracks)]
    return sorted(rows, key=lambda row: (-row.status, not row.has_video, row.idle_minutes))


def _racing(rng: Random, count: int) -> list[Row]:
    rows = [Row(Status.RACING, idle_minutes=rng.randrange(2)) for _ in range(count)]
    return _with_video(rng, rows, list(range(count)), apportion(count, _RACING_VIDEO)[0])


def _practice(rng: Random, count: int, tracks: int) -> list[Row]:
    just_now, earlier = apportion(count, _PRACTICE_JUST_NOW)
    ages = [rng.randrange(2) for _ in range(just_now)] + [2] * earlier
    rows = [Row(Status.PRACTICE, idle_minutes=age) for age in ages]
    rows = _with_video(rng, rows, list(range(count)), apportion(count, _PRACTICE_VIDEO)[0])
    return _without_event(rng, rows, scaled(_MISSING_EVENT_PRACTICE, tracks))


def _idle(rng: Random, count: int, tracks: int) -> list[Row]:
    rows = [Row(Status.IDLE, idle_minutes=age) for age in draw_idle_ages(rng, count)]
    recent = [index for index, row in enumerate(rows) if row.idle_minutes < _VIDEO_WINDOW_MINUTES]
    rows = _with_video(rng, rows, recent, scaled(_IDLE_VIDEO, tracks))
    rows = _with_star(rng, rows, scaled(_FEATURED_RECENT, tracks))
    return _without_event(rng, rows, scaled(_MISSING_EVENT_IDLE, tracks))


def _with_video(rng: Random, rows: list[Row], candidates: list[int], count: int) -> list[Row]:
    chosen = set(_sample(rng, candidates, count))
    return [replace(row, has_video=index in chosen) for index, row in enumerate(rows)]


def _with_star(rng: Random, rows: list[Row], recent: int) -> list[Row]:
    """Star every long idle row, which is listed for no other reason, and `recent` others, none with a video."""
    long_idle = {index for index, row in enumerate(rows) if row.idle_minutes >= LONG_IDLE_MINUTES}
    others = [index for index, row in enumerate(rows) if index not in long_idle and not row.has_video]
    chosen = long_idle | set(_sample(rng, others, recent))
    return [replace(row, is_featured=index in chosen) for index, row in enumerate(rows)]


def _without_event(rng: Random, rows: list[Row], count: int) -> list[Row]:
    candidates = [index for index, row in enumerate(rows) if not row.is_featured]
    chosen = set(_sample(rng, candidates, count))
    return [replace(row, has_event=index not in chosen) for index, row in enumerate(rows)]


def _sample(rng: Random, candidates: list[int], count: int) -> list[int]:
    return rng.sample(candidates, min(count, len(candidates)))
