"""What the days change in a track's profile: totals rise with its activity, now and then somebody edits it."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Final

from tracksync.simulator.model import Contact, Profile, Totals, Track
from tracksync.simulator.words import place, word

if TYPE_CHECKING:
    from collections.abc import Callable

_LAPS_PER_PRACTICE_SESSION: Final = 40
_LAPS_PER_RACE: Final = 120
_LAPS_PER_ENTRY: Final = 75


def evolved_profile(seed: int, track: Track, first: Profile) -> Profile:
    """Return the track's profile of today from that of day 0: a function of its arguments alone."""
    profile = replace(first, totals=_risen(first.totals, track.laps_gained, track.days_active))
    for number in range(1, track.edits + 1):
        rng = Random(f"{seed}/edit/{track.slug}/{number}")
        profile = rng.choice(_EDITS)(rng, profile)
    return profile


def _risen(totals: Totals, laps: int, days: int) -> Totals:
    return Totals(
        laps=totals.laps + laps,
        practice_sessions=totals.practice_sessions + laps // _LAPS_PER_PRACTICE_SESSION,
        races=totals.races + laps // _LAPS_PER_RACE,
        entries=totals.entries + laps // _LAPS_PER_ENTRY,
        events=totals.events + days,
    )


def _another_phone(rng: Random, profile: Profile) -> Profile:
    # Five digits at the end: on day 0 there are four, so that an edit always changes something.
    number = f"+{profile.location.country.dial} 555-01{rng.randrange(100):02d}-{rng.randrange(10_000, 100_000):05d}"
    return replace(profile, phone=Contact(shown=number))


def _another_description(rng: Random, profile: Profile) -> Profile:
    line = f"Now with a {word(rng)} straight, by {place(rng)} Road No. {rng.randrange(1000, 1_000_000)}."
    return replace(profile, description=(line,))


def _other_website(rng: Random, profile: Profile) -> Profile:
    """Take the website away, or give a new one where there is none."""
    shown = None if profile.website.shown else f"https://www.example.org/new/{rng.randrange(1000, 1_000_000)}"
    return replace(profile, website=Contact(shown=shown))


_EDITS: Final[tuple[Callable[[Random, Profile], Profile], ...]] = (
    _another_phone,
    _another_description,
    _other_website,
)
