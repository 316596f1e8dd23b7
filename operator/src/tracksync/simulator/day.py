"""The day step: what changes from one day to the next, the same for the same seed, at the real site's rates."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Final

from tracksync.errors import SettingsError
from tracksync.simulator.events import build_events
from tracksync.simulator.model import Kind, Listing, Quirk, Status, Track
from tracksync.simulator.names import new_identity
from tracksync.simulator.rows import Row, build_rows
from tracksync.simulator.scale import scaled
from tracksync.simulator.world import Dropped, World, with_tracks

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_DAYS: Final = 366
_DAY_MINUTES: Final = 24 * 60
_WEEK_MINUTES: Final = 7 * _DAY_MINUTES
_MONTH_MINUTES: Final = 35 * _DAY_MINUTES
_VIDEO_MINUTES: Final = 14 * _DAY_MINUTES
_NEW: Final = 1
_DROPPED: Final = 2
_ONE_RETURNS_OF: Final = 3
_RETURN_DAYS: Final = (2, 14)
_MOST_RENAMES: Final = 5
_EDITS: Final = 4
"""Of 1,090."""
_LAPS_A_DAY: Final = (40, 3000)
_WOKEN: Final = 43
"""Of 1,090: tracks that are active today and were not yesterday. The other active ones were."""
_WAKING_WITHIN_A_WEEK: Final = 0.19
_WAKING_WITHIN_WEEKS: Final = 0.045
_WAKING_LATER: Final = 0.006
"""Shares that wake on one day, worked out from how many rows each age has: so the mix of ages stays as it is."""


def after_days(world: World, days: int) -> World:
    """Return the world so many days later.

    Raises:
        SettingsError: the number is out of range, or the catalogue is a replayed file, which cannot change.
    """
    if not 0 <= days <= MOST_DAYS:
        raise SettingsError(f"days is {days}; give a whole number from 0 to {MOST_DAYS}")
    if days and any(track.listing is None for track in world.tracks):
        raise SettingsError("days: a replayed catalogue stays as it is; leave out replay_catalogue for a day step")
    for _ in range(days):
        world = next_day(world)
    return world


def next_day(world: World) -> World:
    """Return the world one day later.

    Two rows go: those that were idle longest, of which every third comes back days later. One track is new. Up to five
    are renamed. The active ones get fresh rows and higher totals, all others age by a day; a few profiles are edited.
    """
    day = world.day + 1
    rng = Random(f"{world.seed}/day/{day}")
    gone = _longest_idle(world.tracks)
    dropped = [
        *(record for record in world.dropped if record.returns_on != day),
        *(Dropped(track, _return_day(rng, day, place)) for place, track in enumerate(gone)),
    ]
    back = [record.track for record in world.dropped if record.returns_on == day]
    staying = [track for track in world.tracks if track not in gone]
    new = [_newcomer(rng, [*world.tracks, *(record.track for record in world.dropped)]) for _ in range(_NEW)]
    # Names are settled before activity, so that a rename counts as the dashboard's change like anything else.
    tracks = _edited(rng, _renamed(rng, staying, day), day)
    return with_tracks(
        replace(world, day=day, dropped=tuple(dropped)), _in_page_order(_lived(rng, tracks, [*back, *new], day))
    )


def _longest_idle(tracks: Iterable[Track]) -> list[Track]:
    """Return the tracks that go today; a world always keeps its last track."""
    idle = [
        track
        for track in tracks
        if (row := track.listing) is not None and row.status is Status.IDLE and not row.is_featured
    ]
    oldest = sorted(idle, key=lambda track: (-_age(track), track.slug))
    return oldest[: max(0, min(_DROPPED, len(oldest) - 1))]


def _return_day(rng: Random, day: int, place: int) -> int | None:
    """Return when a track that goes today comes back: every third does."""
    number = (day - 1) * _DROPPED + place
    return day + rng.randint(*_RETURN_DAYS) if number % _ONE_RETURNS_OF == 0 else None


def _newcomer(rng: Random, known: list[Track]) -> Track:
    identity = new_identity(rng, {track.name for track in known}, {track.slug for track in known})
    row = Listing(Kind.TRACK, Status.IDLE, has_video=False, is_featured=False, idle_minutes=0, event=None)
    return Track(max(track.number for track in known) + 1, identity.slug_as_listed, identity.name, Quirk.NONE, row)


def _renamed(rng: Random, tracks: list[Track], day: int) -> list[Track]:
    chosen = {track.slug for track in rng.sample(tracks, min(len(tracks), rng.randint(0, _MOST_RENAMES)))}
    names, renamed = {track.name for track in tracks}, []
    for track in tracks:
        name = new_identity(rng, names, set()).name if track.slug in chosen else track.name
        names.add(name)
        renamed.append(replace(track, name=name, changed_on=day) if track.slug in chosen else track)
    return renamed


def _edited(rng: Random, tracks: list[Track], day: int) -> list[Track]:
    """Edit a few profiles without oddity: an odd one keeps it, so that every trap stays in the world."""
    plain = [track.slug for track in tracks if track.quirk is Quirk.NONE]
    chosen = set(rng.sample(plain, min(len(plain), scaled(_EDITS, len(tracks)))))
    return [
        replace(track, edits=track.edits + 1, changed_on=day) if track.slug in chosen else track for track in tracks
    ]


def _lived(rng: Random, tracks: list[Track], arrived: list[Track], day: int) -> list[Track]:
    """Give fresh rows to those who are active today, among them all who arrived, and let the others age."""
    total = len(tracks) + len(arrived)
    fresh = [row for row in build_rows(rng, total) if row.idle_minutes < _DAY_MINUTES and not row.is_featured]
    rng.shuffle(fresh)
    active = [*arrived, *_awake(rng, tracks, max(0, len(fresh) - len(arrived)))]
    # More arrivals than fresh rows, in a tiny world: they were active an hour ago.
    fresh += [Row(Status.IDLE, idle_minutes=60)] * (len(active) - len(fresh))
    events = iter(build_events(rng, len(active), total))
    alive = [_active(rng, track, row, next(events), day) for track, row in zip(active, fresh, strict=False)]
    slugs = {track.slug for track in alive}
    return [*alive, *(_aged(track, day) for track in tracks if track.slug not in slugs)]


def _awake(rng: Random, tracks: list[Track], count: int) -> list[Track]:
    """Return up to `count` tracks that are active today: most were yesterday; none is a starred event."""
    ordinary = [track for track in tracks if not _row_of(track).is_featured]
    rng.shuffle(ordinary)
    yesterday = [track for track in ordinary if _age(track) < _DAY_MINUTES]
    # By random keys, so that each is taken in proportion to its weight.
    asleep = sorted(
        (track for track in ordinary if _age(track) >= _DAY_MINUTES),
        key=lambda track: rng.random() ** (1 / _waking(track)),
        reverse=True,
    )
    woken = asleep[: min(count, max(count - len(yesterday), scaled(_WOKEN, len(tracks))))]
    return [*woken, *yesterday[: count - len(woken)]]


def _waking(track: Track) -> float:
    if _age(track) < _WEEK_MINUTES:
        return _WAKING_WITHIN_A_WEEK
    return _WAKING_WITHIN_WEEKS if _age(track) < _MONTH_MINUTES else _WAKING_LATER


def _active(rng: Random, track: Track, row: Row, event: str, day: int) -> Track:
    listing = _row_of(track)
    return replace(
        track,
        laps_gained=track.laps_gained + rng.randint(*_LAPS_A_DAY),
        days_active=track.days_active + 1,
        changed_on=day,
        listing=replace(
            listing,
            status=row.status,
            has_video=row.has_video,
            idle_minutes=row.idle_minutes,
            event=event if row.has_event else None,
        ),
    )


def _aged(track: Track, day: int) -> Track:
    listing = _row_of(track)
    age = listing.idle_minutes + _DAY_MINUTES
    # The dashboard shows whether the track is live.
    changed_on = track.changed_on if listing.status is Status.IDLE else day
    return replace(
        track,
        changed_on=changed_on,
        listing=replace(
            listing,
            status=Status.IDLE,
            idle_minutes=age,
            has_video=listing.has_video and age < _VIDEO_MINUTES,
        ),
    )


def _in_page_order(tracks: list[Track]) -> list[Track]:
    """Return the tracks as the page lists them: racing, practice, idle; video first within each; most recent first."""

    def place(track: Track) -> tuple[int, bool, int]:
        row = _row_of(track)
        return -row.status, not row.has_video, row.idle_minutes

    return sorted(tracks, key=place)


def _age(track: Track) -> int:
    return _row_of(track).idle_minutes


def _row_of(track: Track) -> Listing:
    if track.listing is None:
        raise SettingsError("days: a replayed catalogue stays as it is; leave out replay_catalogue for a day step")
    return track.listing
