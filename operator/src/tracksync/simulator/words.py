"""Invented words for names, places and events. Syllables, not data: nothing here was taken from a real listing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from random import Random


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_HEADS: Final = _split("""
    Alder Amber Ash Basalt Birch Bramble Cedar Cinder Clover Copper Coral Crane Drift Dusk Elder Ember Fallow Fern Flint
    Frost Garnet Granite Hazel Heron Hollow Iron Jasper Juniper Kestrel Larch Linden Maple Marsh Mica Moss Otter Pebble
    Pine Quartz Raven Reed Rowan Russet Saffron Sage Slate Sorrel Sparrow Thistle Timber Umber Willow Wren Yarrow
""")
_TAILS: Final = _split("""
    bank bourne brook burgh by combe cove crest croft dale dell den fall field ford gate glen ham haven hurst ledge ley
    low mead mere mill moor mount pass port reach ridge rock shaw shore stead stow ton vale view wick wold worth
""")
_COMPASS: Final = ("North", "South", "East", "West", "Upper", "Lower", "Old", "New", "Great", "Little")
_COMPASS_SHARE: Final = 0.15
_STREET_TYPES: Final = ("Road", "Street", "Lane", "Avenue", "Drive", "Way", "Court", "Crescent")


def place(rng: Random) -> str:
    """Return an invented place name such as "Alderbrook" or "North Fernwick"."""
    name = rng.choice(_HEADS) + rng.choice(_TAILS)
    return f"{rng.choice(_COMPASS)} {name}" if rng.random() < _COMPASS_SHARE else name


def word(rng: Random) -> str:
    """Return an invented single word, capitalised."""
    return rng.choice(_HEADS)


def street(rng: Random) -> str:
    """Return an invented street with its number."""
    return f"{rng.randrange(1, 400)} {road(rng)}"


def road(rng: Random) -> str:
    """Return an invented street without a number."""
    return f"{rng.choice(_HEADS)}{rng.choice(_TAILS)} {rng.choice(_STREET_TYPES)}"
