"""What the source says about tracks, as frozen values: a listing of them and the dashboard of one.

Fields, states and reasons follow the pages of LiveRC: one catalogue page that lists every track, one dashboard a track.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from tracksync.core.tracks.guards import WithheldReason
    from tracksync.errors import ItemErrorClass


class TrackStatus(StrEnum):
    """What the catalogue says is going on at a track. Volatile: never counts as a change."""

    IDLE = "idle"
    PRACTICE = "practice"
    RACING = "racing"


class TrackKind(StrEnum):
    """A labelled guess about what a listed track is; it drops, hides or deactivates nothing."""

    TRACK = "track"
    EVENT_SITE = "event_site"
    TEST = "test"


class SkipReason(StrEnum):
    """Why a catalogue row was not usable."""

    MISSING_LINK = "missing_link"
    EMPTY_HREF = "empty_href"
    INVALID_SLUG = "invalid_slug"
    MISSING_NAME = "missing_name"
    EMPTY_NAME = "empty_name"
    ROW_ERROR = "row_error"


@dataclass(frozen=True, slots=True)
class ListedTrack:
    """One row of the catalogue.

    Attributes:
        slug: the key: lower-case, a legal host label of at most 63 characters.
        slug_as_listed: the spelling on the page.
        name: trimmed, inner white space collapsed, NFC.
        kind: a guess.
        is_featured: the page's star.
        status: volatile; None when the row shows none.
        has_video: volatile.
        event_name: the current event, volatile.
        last_updated_text: relative text such as "2 weeks ago", volatile.
        values: columns of the dashboard that the listing itself carries; None: the dashboard has to be fetched.
    """

    slug: str
    slug_as_listed: str
    name: str
    kind: TrackKind = TrackKind.TRACK
    is_featured: bool = False
    status: TrackStatus | None = None
    has_video: bool = False
    event_name: str | None = None
    last_updated_text: str | None = None
    values: Mapping[str, str | int | None] | None = None


@dataclass(frozen=True, slots=True)
class SkippedRow:
    """A catalogue row that was not usable; `position` counts rows from 1."""

    reason: SkipReason
    position: int


@dataclass(frozen=True, slots=True)
class Listing:
    """The catalogue page as read.

    Attributes:
        tracks: usable rows in page order, one per slug (the first of duplicates).
        skipped: unusable rows.
        duplicates: rows that repeated a slug.
        problems: why the page is not a complete, valid listing; empty when it is one.
        fetched_at: when the page came, by the worker's clock; relative times are counted from it.
    """

    tracks: Sequence[ListedTrack]
    skipped: tuple[SkippedRow, ...] = ()
    duplicates: int = 0
    problems: tuple[str, ...] = ()
    fetched_at: datetime | None = None

    @property
    def is_complete(self) -> bool:
        """Whether the page proved to be a complete, valid listing."""
        return not self.problems


class FieldState(StrEnum):
    """What a proven dashboard says about one field."""

    VALUE = "value"
    BLANK = "blank"
    """The field's place is there and empty: clears the stored value."""
    ABSENT = "absent"
    """The field's place is not there: the stored value stays."""
    INVALID = "invalid"
    """A value is there but unusable: the stored value stays."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One field as read from a dashboard; `value` is set exactly when the state is VALUE."""

    state: FieldState
    value: str | int | None = None
    origin: str = ""
    """Where on the page it came from, or was looked for, in a word or two."""


TEXT_COLUMNS: Final = (
    "street",
    "city",
    "state",
    "postal_code",
    "country_code",
    "country",
    "address",
    "phone",
    "website",
    "email",
    "description",
    "logo_url",
    "livetime_track_id",
    "facebook_url",
)
"""Columns of `tracks` that a dashboard fills with text. `livetime_track_id` is an identifier: digits kept as text."""
TOTAL_COLUMNS: Final = ("total_laps", "total_practice_sessions", "total_races", "total_entries", "total_events")
"""Columns of `tracks` that a dashboard fills with whole numbers; unknown is not zero."""
DASHBOARD_COLUMNS: Final = TEXT_COLUMNS + TOTAL_COLUMNS
PERSONAL_COLUMNS: Final = frozenset({"street", "address", "phone", "email"})
"""Columns that may hold personal data: masked in output unless asked for."""


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A dashboard page as read.

    Attributes:
        problems: why the page is not proven to be a track's dashboard; empty when it is.
        fields: a reading for each of DASHBOARD_COLUMNS; empty when the page is not proven.
    """

    fields: Mapping[str, Reading]
    problems: tuple[str, ...] = ()

    @property
    def is_proven(self) -> bool:
        """Whether the page proved to be a track's dashboard."""
        return not self.problems

    def stored_values(self) -> dict[str, str | int | None]:
        """Return what a merge may write: values, and None for proven blanks; every other column stays as it is."""
        writable = (FieldState.VALUE, FieldState.BLANK)
        return {column: reading.value for column, reading in self.fields.items() if reading.state in writable}


@dataclass(frozen=True, slots=True)
class Location:
    """What a map's query and an address block say, read outside a whole dashboard; it proves nothing.

    Attributes:
        fields: a reading for each column of a location.
        problems: why one of the two places says nothing, or not everything.
    """

    fields: Mapping[str, Reading]
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Validators:
    """What a server said by which a page can be asked for conditionally later (RFC 9110, section 8.8), verbatim."""

    etag: str | None = None
    last_modified: str | None = None

    def __bool__(self) -> bool:
        """Whether there is anything to send."""
        return self.etag is not None or self.last_modified is not None


@dataclass(frozen=True, slots=True)
class FetchedDashboard:
    """A proven dashboard, and the validators that came with its page."""

    dashboard: Dashboard
    validators: Validators = field(default_factory=Validators)


@dataclass(frozen=True, slots=True)
class DueDashboard:
    """A staged track whose dashboard is to be fetched.

    Attributes:
        slug: the track's slug.
        attempts: failed attempts of this run so far.
        validators: what to send along, so that an unchanged page need not come again; empty when it has to come.
        not_before: earliest instant of the next attempt; None: at once.
        has_failed_before: whether the run that asked for it last could not have it either.
    """

    slug: str
    attempts: int = 0
    validators: Validators = field(default_factory=Validators)
    not_before: datetime | None = None
    has_failed_before: bool = False


@dataclass(frozen=True, slots=True)
class FetchedItem:
    """A track whose dashboard was read and proven."""

    slug: str
    values: Mapping[str, str | int | None]
    """Columns to write; a column that is not here stays as it is."""
    validators: Validators = field(default_factory=Validators)


@dataclass(frozen=True, slots=True)
class UnmodifiedItem:
    """A track whose dashboard is, says the source, what it was when it was fetched last."""

    slug: str


@dataclass(frozen=True, slots=True)
class FailedItem:
    """A track whose dashboard could not be had in this attempt.

    Attributes:
        slug: the track's slug.
        error_class: what kind of failure it was.
        http_status: the answer's status code, or None when there was no answer.
        next_try: when the next attempt is due; None: there is none, the item has failed for this run.
    """

    slug: str
    error_class: ItemErrorClass
    http_status: int | None = None
    next_try: datetime | None = None


ItemResult = FetchedItem | UnmodifiedItem | FailedItem


@dataclass(frozen=True, slots=True)
class ListingSummary:
    """What a run keeps of its catalogue page, and of the work that followed from it.

    Attributes:
        listed: tracks of the page, whether they were staged or not.
        skipped_rows: rows that were unusable.
        duplicates: rows that repeated a slug.
        due: staged tracks that wanted their dashboard when they were staged, the finished ones included.
        not_modified: those of `due` that an earlier epoch found unmodified.
        staged: tracks that took a row, vanished ones included.
        vanished: those of `staged` that are active and not listed.
        failed: those of `due` that were given up; only told of a run that has merged.
    """

    listed: int
    skipped_rows: int = 0
    duplicates: int = 0
    due: int = 0
    not_modified: int = 0
    staged: int = 0
    vanished: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class MergeCounters:
    """What one merge did to the stored tracks; every number counts transitions.

    Attributes:
        inserted: tracks that were not stored.
        updated: tracks of which a stored value changed.
        updated_totals: those of `updated` of which only lifetime totals changed.
        unchanged: listed tracks that were not touched.
        reactivated: inactive tracks that are listed again.
        deactivated: active tracks that vanished from the listing.
        withheld: active tracks that vanished and stay active, because a guard held.
        withheld_reasons: which guards held; empty when none did.
        active_before: active tracks of the source before the merge.
    """

    inserted: int = 0
    updated: int = 0
    updated_totals: int = 0
    unchanged: int = 0
    reactivated: int = 0
    deactivated: int = 0
    withheld: int = 0
    withheld_reasons: tuple[WithheldReason, ...] = ()
    active_before: int = 0


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a run cost the source.

    Attributes:
        requests: sent, of every kind: pages, robots.txt, redirects, repetitions.
        bytes: received, of bodies as they came over the wire.
        robots_requests: those of `requests` that asked for a robots.txt.
        retries: those of `requests` that repeated a failed one.
    """

    requests: int = 0
    bytes: int = 0
    robots_requests: int = 0
    retries: int = 0


@dataclass(frozen=True, slots=True)
class StoredTrack:
    """A row of `tracks`, for display."""

    columns: Mapping[str, object] = field(default_factory=dict)
