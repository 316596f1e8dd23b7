"""What a row of the catalogue says of what is going on at its track, compared with what is stored. No I/O.

Here the source's relative times become intervals: the rules know instants only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracksync.adapters.storable import storable_text
from tracksync.core.tracks.activity import Activity, Interval, latest_instant
from tracksync.liverc.relative_time import interval_of

if TYPE_CHECKING:
    from datetime import datetime

    from tracksync.core.tracks.activity import Instant
    from tracksync.core.tracks.model import ListedTrack


class ActivityReader:
    """Reads the rows of one page.

    Args:
        fetched_at: when the page came; without it no instant can be told.
    """

    def __init__(self, fetched_at: datetime | None) -> None:
        self._fetched_at = fetched_at
        self._intervals: dict[str | None, Interval | None] = {None: None}

    def activity_of(self, track: ListedTrack, known: Instant | None) -> Activity:
        """Return what is going on, when the stored instant is this one."""
        event_name = storable_text(track.event_name) if track.event_name is not None else None
        instant = latest_instant(known, self._interval(track.last_updated_text))
        return Activity(track.status, track.has_video, event_name, instant)

    def _interval(self, text: str | None) -> Interval | None:
        """Return what the text means; None when it says nothing that is understood."""
        if text not in self._intervals:
            # A page has a few dozen different texts.
            self._intervals[text] = _interval(text or "", self._fetched_at)
        return self._intervals[text]


def _interval(text: str, fetched_at: datetime | None) -> Interval | None:
    age = interval_of(text) if fetched_at is not None else None
    if age is None or fetched_at is None:
        return None
    try:
        return Interval(fetched_at - age.oldest, fetched_at - age.youngest, age.precision.value)
    except OverflowError:
        return None


def activity_document(activity: Activity, fetched_at: datetime | None) -> dict[str, object]:
    """Return the activity as it is staged."""
    instant = activity.instant
    return {
        "status": activity.status.value if activity.status is not None else None,
        "has_video": activity.has_video,
        "event_name": activity.event_name,
        "active_at": instant.at.isoformat() if instant is not None else None,
        "precision": instant.precision if instant is not None else None,
        "observed_at": fetched_at.isoformat() if fetched_at is not None else None,
    }


def says_nothing(track: ListedTrack) -> bool:
    """Tell whether the row says nothing of what is going on."""
    return track.last_updated_text is None and track.event_name is None and track.status is None and not track.has_video
