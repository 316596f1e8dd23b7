"""What is stored of a source's tracks, in short, and what a listing says that is different.

A million stored tracks take about 130 MB here: a number for the slug, and 15 bytes for what is stored, in one dict.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from psycopg.types.json import Jsonb

from tracksync.adapters.activity import ActivityReader, activity_document, says_nothing
from tracksync.adapters.postgres.copying import ITEMS, NEW_TRACKS
from tracksync.adapters.storable import listed_hash, listing_columns, storable_tuple, storable_values
from tracksync.core.tracks.activity import NOTHING_GOING_ON, PRECISIONS, Instant
from tracksync.core.tracks.freshness import Freshness
from tracksync.core.tracks.hashing import metadata_hash
from tracksync.core.tracks.model import Validators

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from uuid import UUID

    from tracksync.adapters.postgres.copying import Target
    from tracksync.core.tracks.freshness import Refresh
    from tracksync.core.tracks.model import ListedTrack, Listing
    from tracksync.ports import RunTicket

    Row = tuple[Any, ...]
    Values = tuple[object, ...]

_KEY: Final = (1 << 60) - 1
"""A slug is known here by 60 bits of its hash, which is another one in each process: the largest number in 32 bytes.
Of a million slugs two meet once in two million runs; one of them then waits for the next run."""
_LISTING: Final = slice(0, 7)
_METADATA: Final = slice(7, 14)
_STATE: Final = 14
_ACTIVITY: Final = 15
"""Where what is in the 15 bytes: 56 bits of either hash, one byte, and then what is going on, if anything is stored."""
_SEEN: Final = b""
"""Instead of the 15 bytes, once the track was met in the listing."""
INACTIVE: Final = 0
ACTIVE: Final = 1
MISSING: Final = 2
"""What the state's byte says; a missing track is active and was not listed."""
_DIGEST: Final = (1 << 56) - 1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_SECOND: Final = 1 << 39
_PACKED_BYTES: Final = 13
_NO_INSTANT: Final = 255
_NOTHING: Final = Validators()


class Comparison:
    """The stored tracks, and the listing against them: first `add_tracks` and `add_activity`, then `stage`.

    Attributes:
        listed: tracks that were met in the listing.
        repeated: rows that repeated a slug.
        due: tracks whose dashboard has to be fetched.
        active: stored tracks that are active and were not met yet.
    """

    def __init__(self, run_id: UUID, ticket: RunTicket, listing: Listing, refresh: Refresh | None) -> None:
        self._run_id = run_id.bytes
        self._domain = ticket.identity.domain
        self._planned_start = ticket.planned_start
        self._refresh = refresh
        self._fetched_at = listing.fetched_at
        self._reader = ActivityReader(listing.fetched_at)
        self._stored: dict[int, bytes] = {}
        self._due: dict[int, tuple[bytes | None, Validators]] = {}
        self.listed = self.repeated = self.due = self.active = 0

    def add_tracks(self, rows: Iterable[Row]) -> None:
        """Take stored tracks: slug and the 15 bytes, and with a Refresh the metadata's hash and what is known of it."""
        stored, refresh = self._stored, self._refresh
        for slug, brief, *known in rows:
            key = hash(slug) & _KEY
            stored[key] = brief
            self.active += brief[_STATE] != INACTIVE
            if refresh is not None:
                self._add_due(key, slug, refresh, *known)

    def _add_due(  # noqa: PLR0913, PLR0917 -- the columns of one row
        self,
        key: int,
        slug: str,
        refresh: Refresh,
        known_hash: bytes | None,
        as_of: datetime | None,
        parser_version: int | None,
        etag: str | None,
        last_modified: str | None,
        unmodified: int | None,
    ) -> None:
        validators = Validators(etag, last_modified) if etag is not None or last_modified is not None else _NOTHING
        known = Freshness(as_of, parser_version or 0, validators, unmodified or 0)
        if refresh.is_due(slug, known, planned_start=self._planned_start):
            self._due[key] = known_hash, refresh.validators(known)

    def add_activity(self, rows: Iterable[Row]) -> None:
        """Take what is stored of what is going on: slug, status, video, event, instant, precision."""
        for slug, status, has_video, event_name, active_at, precision in rows:
            key = hash(slug) & _KEY
            brief = self._stored.get(key)
            if brief is not None:
                instant = (active_at, PRECISIONS.index(precision)) if active_at is not None else None
                self._stored[key] = brief + _packed(_digest(status, has_video, event_name), instant)

    def stage(self, tracks: Iterable[ListedTrack], add: Callable[[Target, Values], None]) -> None:
        """Hand on the rows to stage, each with where; a track of which nothing is new and nothing is due has none."""
        stored = self._stored
        for track in tracks:
            key = hash(track.slug) & _KEY
            brief = stored.get(key)
            if brief is _SEEN:
                self.repeated += 1
                continue
            stored[key] = _SEEN
            self.listed += 1
            listing = listed_hash(track, self._domain)
            if brief is not None:
                self.active -= brief[_STATE] != INACTIVE
            elif track.values is not None:
                add(NEW_TRACKS, self._new_row(track, track.values, listing))
                continue
            is_same = brief is not None and brief[_STATE] == ACTIVE and brief[_LISTING] == listing[_LISTING]
            work = self._work(track, key, brief)
            activity = self._activity(track, brief)
            if not is_same or work is not _NO_WORK or activity is not None:
                state, dashboard, etag, last_modified, known_hash, metadata = work
                what = (state, dashboard, etag, last_modified, listing, known_hash, metadata, activity)
                add(ITEMS, (self._run_id, *listing_columns(track, self._domain), *what))

    def _new_row(self, track: ListedTrack, values: Mapping[str, str | int | None], listing: bytes) -> Values:
        said = (*storable_tuple(values), listing, metadata_hash(values), self._activity(track, None))
        return (self._run_id, *listing_columns(track, self._domain), *said)

    def _work(self, track: ListedTrack, key: int, brief: bytes | None) -> Values:
        """Return state, dashboard, validators, known and new metadata hash."""
        if track.values is not None:
            metadata = metadata_hash(track.values)
            if brief is not None and brief[_METADATA] == metadata[:7]:
                return _NO_WORK
            return "fetched", Jsonb(storable_values(track.values)), None, None, None, metadata
        if self._refresh is None or (brief is not None and key not in self._due):
            return _NO_WORK
        known_hash, validators = self._due.get(key, (None, _NOTHING))
        self.due += 1
        return "waiting", None, validators.etag, validators.last_modified, known_hash, None

    def _activity(self, track: ListedTrack, brief: bytes | None) -> Jsonb | None:
        packed = brief[_ACTIVITY:] if brief is not None else b""
        if not packed and says_nothing(track):
            return None
        digest, instant = _unpacked(packed)
        said = self._reader.activity_of(track, instant)
        shown = _digest(said.status, said.has_video, said.event_name)
        if (said == NOTHING_GOING_ON) if not packed else (said.instant == instant and shown == digest):
            return None
        return Jsonb(activity_document(said, self._fetched_at))

    def vanished(self, slugs: Iterable[Row]) -> list[Values]:
        """Return the rows for VANISHED_COLUMNS of those stored tracks that were not met in the listing."""
        return [
            (self._run_id, slug, "vanished")
            for (slug,) in slugs
            if self._stored.get(hash(slug) & _KEY, _SEEN) is not _SEEN
        ]


_NO_WORK: Final[Values] = ("listed", None, None, None, None, None)


def _digest(status: str | None, has_video: object, event_name: object) -> int:
    return hash((status, has_video, event_name)) & _DIGEST


def _packed(digest: int, instant: tuple[datetime, int] | None) -> bytes:
    """Return what is going on in 13 bytes: 56 bits of what is shown, 40 of the instant's second, 8 of its precision."""
    seconds, precision = (int(instant[0].timestamp()), instant[1]) if instant is not None else (0, _NO_INSTANT)
    return (digest << 48 | (seconds + _FIRST_SECOND) << 8 | precision).to_bytes(_PACKED_BYTES)


def _unpacked(packed: bytes) -> tuple[int, Instant | None]:
    if not packed:
        return 0, None
    number = int.from_bytes(packed)
    precision, seconds = number & 0xFF, (number >> 8 & 0xFF_FFFF_FFFF) - _FIRST_SECOND
    if precision == _NO_INSTANT:
        return number >> 48, None
    return number >> 48, Instant(_EPOCH + timedelta(seconds=seconds), PRECISIONS[precision])
