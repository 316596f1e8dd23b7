"""Names of current events, with the characters that break careless readers."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING, Final

from tracksync.simulator.scale import scaled
from tracksync.simulator.words import place, word

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

_LONGEST: Final = 50
"""No event text of the real page is longer, in characters."""
_AMPERSANDS: Final = 9
_NON_ASCII: Final = 23
_APOSTROPHES: Final = 15
_QUOTES: Final = 1
_DOUBLE_SPACES: Final = 14

_SERIES: Final = (
    "Winter Series",
    "Summer Series",
    "Points Series",
    "Club Series",
    "Night Series",
    "Spring Cup",
    "Autumn Cup",
)
_CLASSES: Final = (
    "2WD Buggy",
    "4WD Buggy",
    "Stadium Truck",
    "Short Course",
    "Touring",
    "Mini",
    "1/8 Nitro",
    "Oval",
    "Carpet",
)
_FOREIGN: Final = (
    "冬季积分赛 第{n}站",
    "周末俱乐部赛 {n}",
    "室内电动越野杯 第{n}回",
    "夏のオフロード {n}",
    "겨울 시리즈 {n}라운드",
    "Зимняя серия — этап {n}",
    "Кубок клуба {n}",
    "“Evening” Club Race {n}",
    "Members’ Night {n}",  # noqa: RUF001 - a smart quote on purpose
    "Frühjahrslauf Nr. {n}",
    "Prova de Inverno nº {n}",
)


def build_events(rng: Random, count: int, tracks: int) -> list[str]:
    """Return `count` event names in random order, odd ones as often as among 1,090 tracks."""
    # In turn, so that every script occurs.
    foreign = cycle(_FOREIGN)
    oddities: list[tuple[int, Callable[[Random], str]]] = [
        (_AMPERSANDS, lambda rng: f"{rng.choice(_CLASSES)} & {rng.choice(_CLASSES)} #{rng.randrange(1, 12)}"),
        (_NON_ASCII, lambda rng: next(foreign).format(n=rng.randrange(1, 12))),
        (_APOSTROPHES, lambda rng: f"{word(rng)}'s {rng.choice(_SERIES)}"),
        (_QUOTES, lambda rng: f'"{word(rng)}" {rng.choice(_SERIES)}'),
        (_DOUBLE_SPACES, lambda rng: f"{place(rng)}  {rng.choice(_SERIES)}"),
    ]
    events = [make(rng) for measured, make in oddities for _ in range(scaled(measured, tracks))][:count]
    events += [_plain(rng) for _ in range(count - len(events))]
    rng.shuffle(events)
    return [event[:_LONGEST].rstrip() for event in events]


def _plain(rng: Random) -> str:
    make = rng.choices((_round_of_series, _round_of_class, _meeting), weights=(5, 3, 2))[0]
    return make(rng)


def _round_of_series(rng: Random) -> str:
    return f"{rng.choice(_SERIES)} {_round(rng)}"


def _round_of_class(rng: Random) -> str:
    return f"{rng.choice(_CLASSES)} {_round(rng)}"


def _meeting(rng: Random) -> str:
    return f"{place(rng)} {rng.choice(_SERIES)} {rng.randrange(2025, 2027)}"


def _round(rng: Random) -> str:
    return f"{rng.choice(('#', 'Round ', 'Race ', 'Week '))}{rng.randrange(1, 16)}"
