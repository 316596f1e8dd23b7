"""Who the tracks are: names and slugs with the oddities of the real listing, all invented."""

from __future__ import annotations

import string
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from tracksync.simulator.model import Kind
from tracksync.simulator.scale import scaled
from tracksync.simulator.words import place, word

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from random import Random

RESERVED_LABELS: Final = frozenset({"live", "live2", "www", "www2", "forum", "help", "blog", "liverc"})
"""Hosts of the site itself: never a track."""
_EVENT_SITES: Final = 16
"""Of 1,090: 1 to 2 %."""
_TEST_TRACKS: Final = 7
"""Of 1,090: about 0.6 %."""
_APOSTROPHES: Final = 27
_QUOTES: Final = 3
_DOUBLE_SPACES: Final = 4
_EXACT_DUPLICATES: Final = 3
_CASE_DUPLICATES: Final = 2
_RANDOM_SLUGS: Final = 3
_MIXED_CASE_SLUGS: Final = 1
_LONGEST_SLUG: Final = 36
_SHORTEST_SLUG: Final = 3
_INITIALS_SHARE: Final = 0.2
"""Share of tracks whose slug is made of initials."""
_INITIALS_TAIL: Final = "zq"
"""Ends every slug of initials: plain ones, such as an "rc" at the end, would now and then be those of a real club."""
_ONE_WORD_SHARE: Final = 0.25
"""Share of tracks whose slug is the longest word of the name alone."""

_SUFFIXES: Final = (
    *("RC Raceway", "RC Racing", "RC Club", "RC Park", "Raceway", "Speedway", "Off-Road", "Offroad RC", "RC Speedway"),
    *("RC Hobbies", "Hobbies", "Hobby Center", "RC Arena", "Indoor RC", "Model Car Club", "RC Car Club", "RC Complex"),
    *("Micro Racing", "RC Oval", "Carpet Track", "Hobby Park", "Dirt Track", "Radio Control Club", "Buggy Park"),
    *("RC Circuit", "On-Road", "RCMCC", "RC Motorplex", "R/C Raceway", "Racing Club"),
)
_SHORT_SUFFIXES: Final = ("RC", "RC", "RCCC", "Raceway", "RC Club", "RC Park")
_EVENT_FORMS: Final = (
    "{year} {place} Nationals",
    "{year} {word} World Championships",
    "{place} National Championships",
    "{year} {word} Challenge",
    "{year} {place} Winter Classic",
)
_TEST_FORMS: Final = ("Test Track {n}", "{word} Test Track", "Demo Test {n}", "LiveTime Test {n}")


@dataclass(frozen=True, slots=True)
class Identity:
    """A track's name as pages show it, its slug as the catalogue spells it, and what it really is."""

    name: str
    slug_as_listed: str
    kind: Kind


def build_identities(rng: Random, tracks: int) -> list[Identity]:
    """Return `tracks` identities in random order: slugs unique in any case, names repeating only on purpose."""
    events, tests = scaled(_EVENT_SITES, tracks), scaled(_TEST_TRACKS, tracks)
    names = _unique_names(rng)
    slugs = _UniqueSlugs(rng)
    ordinary = [_identity(names(_track_name), slugs, Kind.TRACK) for _ in range(tracks - events - tests)]
    event_sites = [_identity(names(_event_name), slugs, Kind.EVENT_SITE) for _ in range(events)]
    test_tracks = [_identity(names(_test_name), slugs, Kind.TEST) for _ in range(tests)]
    identities = [*_with_oddities(rng, ordinary, slugs, names, tracks), *event_sites, *test_tracks]
    rng.shuffle(identities)
    return identities


def new_identity(rng: Random, names: Collection[str], slugs: Collection[str]) -> Identity:
    """Return one more ordinary track, with a name and a slug that nobody has, in any case."""
    draw = _unique_names(rng, names)
    return _identity(draw(_track_name), _UniqueSlugs(rng, slugs), Kind.TRACK)


def _identity(name: str, slugs: _UniqueSlugs, kind: Kind) -> Identity:
    return Identity(name=name, slug_as_listed=slugs.for_name(name), kind=kind)


def _with_oddities(
    rng: Random,
    ordinary: list[Identity],
    slugs: _UniqueSlugs,
    names: Callable[[Callable[[Random], str]], str],
    tracks: int,
) -> list[Identity]:
    """Change disjoint samples of the ordinary tracks; the list's head is used up, which is as good as random."""
    changed = list(ordinary)
    spot = iter(range(len(changed)))

    def change(measured: int, make: Callable[[Identity], Identity]) -> None:
        for index in _take(spot, scaled(measured, tracks)):
            changed[index] = make(changed[index])

    def repeat(measured: int, spelling: Callable[[str], str]) -> None:
        for first in _take(spot, scaled(measured, tracks)):
            for second in _take(spot, 1):
                changed[second] = replace(changed[second], name=spelling(changed[first].name))

    change(_APOSTROPHES, lambda old: replace(old, name=names(_possessive_name)))
    change(_QUOTES, lambda old: replace(old, name=names(_quoted_name)))
    change(_DOUBLE_SPACES, lambda old: replace(old, name=old.name.replace(" ", "  ", 1)))
    change(_RANDOM_SLUGS, lambda old: replace(old, slug_as_listed=slugs.at_random()))
    change(_MIXED_CASE_SLUGS, lambda old: replace(old, slug_as_listed=_mixed_case(rng, old.slug_as_listed)))
    repeat(_EXACT_DUPLICATES, lambda name: name)
    repeat(_CASE_DUPLICATES, lambda name: name.lower() if name.isupper() else name.upper())
    return changed


def _take(spot: Iterator[int], count: int) -> list[int]:
    """Return up to `count` further positions; a tiny world simply runs out of them."""
    return [index for index, _ in zip(spot, range(count), strict=False)]


def _mixed_case(rng: Random, slug: str) -> str:
    """Return the slug with capitals at its start and somewhere inside."""
    inner = rng.randrange(1, len(slug))
    return slug[0].upper() + slug[1:inner] + slug[inner].upper() + slug[inner + 1 :]


def _unique_names(rng: Random, taken: Collection[str] = ()) -> Callable[[Callable[[Random], str]], str]:
    """Return a function that draws from a name maker until the name is new, in any case."""
    used = {name.lower() for name in taken}

    def draw(make: Callable[[Random], str]) -> str:
        name = make(rng)
        for number in range(2, 1_000_000):
            if name.lower() not in used:
                break
            name = make(rng) if number % 8 else f"{make(rng)} {number // 8 + 1}"
        used.add(name.lower())
        return name

    return draw


def _track_name(rng: Random) -> str:
    make = rng.choices((_abbreviated_name, _paired_name, _short_name, _full_name), weights=(5, 3, 42, 50))[0]
    return make(rng)


def _abbreviated_name(rng: Random) -> str:
    return "".join(rng.choices(string.ascii_uppercase, k=rng.choice((3, 4)))) + rng.choice(("", " RC", "CC"))


def _paired_name(rng: Random) -> str:
    return f"{place(rng)} and {place(rng)} {rng.choice(_SUFFIXES)}"


def _short_name(rng: Random) -> str:
    return f"{place(rng)} {rng.choice(_SHORT_SUFFIXES)}"


def _full_name(rng: Random) -> str:
    return f"{place(rng)} {rng.choice(_SUFFIXES)}"


def _possessive_name(rng: Random) -> str:
    return f"{word(rng)}'s {place(rng)} {rng.choice(_SUFFIXES)}"


def _quoted_name(rng: Random) -> str:
    return f'"The {word(rng)}" {place(rng)} {rng.choice(_SUFFIXES)}'


def _event_name(rng: Random) -> str:
    return rng.choice(_EVENT_FORMS).format(year=rng.choice((2024, 2025, 2026)), place=place(rng), word=word(rng))


def _test_name(rng: Random) -> str:
    return rng.choice(_TEST_FORMS).format(n=rng.randrange(1, 1000), word=word(rng))


class _UniqueSlugs:
    """Hands out legal host labels of 3 to 36 lower-case letters and digits, each once."""

    def __init__(self, rng: Random, taken: Collection[str] = ()) -> None:
        self._rng = rng
        self._used: set[str] = {*RESERVED_LABELS, *taken}

    def for_name(self, name: str) -> str:
        """Return a new slug that resembles the name."""
        shape, parts = self._rng.random(), name.split()
        if shape < _INITIALS_SHARE:
            text = "".join(part[0] for part in parts) + _INITIALS_TAIL
        else:
            text = max(parts, key=len) if shape < _INITIALS_SHARE + _ONE_WORD_SHARE else name
        slug = "".join(char for char in text.lower() if char in string.ascii_lowercase + string.digits)
        return self._reserve(slug[:_LONGEST_SLUG].ljust(_SHORTEST_SLUG, "x"))

    def at_random(self) -> str:
        """Return a new slug that looks like a random token; such slugs are real."""
        return self._reserve("".join(self._rng.choices(string.ascii_lowercase + string.digits, k=14)))

    def _reserve(self, slug: str) -> str:
        candidate, number = slug, 2
        while candidate in self._used:
            candidate, number = f"{slug[: _LONGEST_SLUG - len(str(number))]}{number}", number + 1
        self._used.add(candidate)
        return candidate
