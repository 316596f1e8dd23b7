"""The invented world: the same tracks for the same seed, in every process, in the proportions of the real catalogue."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from tracksync.simulator.events import build_events
from tracksync.simulator.evolution import evolved_profile
from tracksync.simulator.model import Kind, Listing, Profile, Quirk, Track
from tracksync.simulator.names import Identity, build_identities
from tracksync.simulator.profiles import build_profile
from tracksync.simulator.rows import Row, build_rows
from tracksync.simulator.scale import apportion, scaled
from tracksync.simulator.truth import expected_track

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_TRACKS_PER_QUIRK: Final = 4
"""Of 1,090: each oddity at a few per mille."""
_FEATURED_EVENTS: Final = (7, 3)
"""Of ten featured rows seven are event microsites; the others are ordinary tracks."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """A track that is listed no more, and the day on which it will be again; None: never."""

    track: Track
    returns_on: int | None


@dataclass(frozen=True, slots=True)
class World:
    """All tracks of one day, in the order of the catalogue's rows.

    Attributes:
        seed: what all randomness derives from.
        domain: registrable domain of all hosts.
        tracks: the listed tracks.
        by_slug: the same by key (lower-case slug).
        day: how many days after its beginning the world is.
        dropped: tracks that were listed before and are not now, in the order of their going.
    """

    seed: int
    domain: str
    tracks: tuple[Track, ...]
    by_slug: Mapping[str, Track]
    day: int = 0
    dropped: tuple[Dropped, ...] = ()

    def profile(self, track: Track) -> Profile:
        """Return what the track's dashboard shows; built anew at each call, always equal."""
        return evolved_profile(self.seed, track, build_profile(self.seed, track))

    def truth(self) -> list[dict[str, Any]]:
        """Return, for each track, the row that a correct sync into an empty database must have stored.

        Keys are the columns of `tracks` that are a fact of the pages. In a world made from a replayed catalogue the
        columns that come from its rows (`name`, `is_featured`, `kind`) are absent: the simulator does not read them.
        """
        return [expected_track(self.domain, track, self.profile(track)) for track in self.tracks]


def build_world(*, seed: int, tracks: int, domain: str) -> World:
    """Return a world of `tracks` invented tracks, deterministic by its arguments."""
    rng = Random(f"{seed}/world/{tracks}")
    rows = build_rows(rng, tracks)
    identities = _seat(rng, rows, build_identities(rng, tracks))
    events = iter(build_events(rng, sum(row.has_event for row in rows), tracks))
    quirks = _spread_quirks(rng, tracks)
    return _assemble(
        seed,
        domain,
        (
            Track(number, identity.slug_as_listed, identity.name, quirk, _listing(row, identity, events))
            for number, (row, identity, quirk) in enumerate(zip(rows, identities, quirks, strict=True))
        ),
    )


def replay_world(*, seed: int, slugs: Iterable[str], domain: str) -> World:
    """Return a world of the given hosts with invented dashboards; their catalogue rows are unknown to it."""
    by_key: dict[str, str] = {}
    for slug in slugs:
        by_key.setdefault(slug.lower(), slug)
    spellings = list(by_key.values())
    quirks = _spread_quirks(Random(f"{seed}/replay/{len(spellings)}"), len(spellings))
    tracks = (
        Track(number, spelling, spelling, quirk, None)
        for number, (spelling, quirk) in enumerate(zip(spellings, quirks, strict=True))
    )
    return _assemble(seed, domain, tracks)


def with_tracks(world: World, tracks: Iterable[Track]) -> World:
    """Return the world with these tracks listed instead of its own."""
    listed = tuple(tracks)
    return replace(world, tracks=listed, by_slug=MappingProxyType({track.slug: track for track in listed}))


def _assemble(seed: int, domain: str, tracks: Iterable[Track]) -> World:
    listed = tuple(tracks)
    return World(seed, domain, listed, MappingProxyType({track.slug: track for track in listed}))


def _listing(row: Row, identity: Identity, events: Iterable[str]) -> Listing:
    return Listing(
        kind=identity.kind,
        status=row.status,
        has_video=row.has_video,
        is_featured=row.is_featured,
        idle_minutes=row.idle_minutes,
        event=next(iter(events)) if row.has_event else None,
    )


def _seat(rng: Random, rows: list[Row], identities: list[Identity]) -> list[Identity]:
    """Return the identities in the order of the rows: event sites first on the featured rows, the rest anywhere."""
    featured = [index for index, row in enumerate(rows) if row.is_featured]
    rng.shuffle(featured)
    event_sites = [identity for identity in identities if identity.kind is Kind.EVENT_SITE]
    ordinary = [identity for identity in identities if identity.kind is Kind.TRACK]
    events, others = apportion(len(featured), _FEATURED_EVENTS)
    starred = [*event_sites[:events], *ordinary[:others]]
    seats = dict(zip(featured, starred, strict=False))
    taken = {identity.slug_as_listed for identity in seats.values()}
    rest = iter([identity for identity in identities if identity.slug_as_listed not in taken])
    return [seats[index] if index in seats else next(rest) for index in range(len(rows))]


def _spread_quirks(rng: Random, tracks: int) -> list[Quirk]:
    """Give each quirk to its few tracks, at random."""
    each = scaled(_TRACKS_PER_QUIRK, tracks)
    odd: list[Quirk] = [quirk for quirk in Quirk for _ in range(each) if quirk != Quirk.NONE]
    quirks = [*odd[:tracks], *[Quirk.NONE] * (tracks - len(odd))]
    rng.shuffle(quirks)
    return quirks
