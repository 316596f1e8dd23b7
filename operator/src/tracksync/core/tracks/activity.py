"""What is going on at a track, as the catalogue says: volatile facts, and the approximate instant of its last update.

The catalogue tells a relative time, which is an interval of instants. A stored instant that lies in it and is at least
as fine stays: "2 hours ago" is the better fact when the next day says "Yesterday".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

    from tracksync.core.tracks.model import TrackStatus

PRECISIONS: Final = ("minute", "hour", "day", "week", "month", "year")
"""How coarse an instant can be, from the finest on."""


@dataclass(frozen=True, slots=True)
class Instant:
    """An approximate instant and its precision, one of PRECISIONS."""

    at: datetime
    precision: str


@dataclass(frozen=True, slots=True)
class Interval:
    """The instants that a relative time may mean; both ends belong to it.

    Attributes:
        earliest: its beginning.
        latest: its end.
        precision: one of PRECISIONS.
    """

    earliest: datetime
    latest: datetime
    precision: str

    def middle(self) -> Instant:
        """Return its middle, in whole seconds."""
        return Instant((self.earliest + (self.latest - self.earliest) / 2).replace(microsecond=0), self.precision)

    def agrees_with(self, known: Instant) -> bool:
        """Tell whether the instant lies in the interval and is at least as fine."""
        is_as_fine = PRECISIONS.index(known.precision) <= PRECISIONS.index(self.precision)
        return is_as_fine and self.earliest <= known.at <= self.latest


@dataclass(frozen=True, slots=True)
class Activity:
    """What is going on at a track.

    Attributes:
        status: as the catalogue shows it; None when it shows none.
        has_video: whether there is a live video.
        event_name: the current event.
        instant: when something happened there last, as far as is known.
    """

    status: TrackStatus | None = None
    has_video: bool = False
    event_name: str | None = None
    instant: Instant | None = None


NOTHING_GOING_ON: Final = Activity()
"""What is known of a track of which nothing was ever said; it is not stored."""


def latest_instant(known: Instant | None, said: Interval | None) -> Instant | None:
    """Return the instant to keep: the known one unless what is said now contradicts it or is finer."""
    if said is None or (known is not None and said.agrees_with(known)):
        return known
    return said.middle()
