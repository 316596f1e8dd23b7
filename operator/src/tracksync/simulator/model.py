"""The values of the invented world: a listed track, its dashboard's profile, and the oddities that either may have."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum, auto


class Status(IntEnum):
    """What happens at a track right now; the number is the one in the page's class names."""

    IDLE = 0
    PRACTICE = 1
    RACING = 2


class Kind(StrEnum):
    """What a listed row really is. The page never says so: a reader can only guess it."""

    TRACK = "track"
    EVENT_SITE = "event_site"
    TEST = "test"


class Quirk(StrEnum):
    """The one oddity that a dashboard may have, so that each trap of the real data occurs in every world."""

    NONE = auto()
    # Postal codes.
    US_PLUS_FOUR = auto()
    """99999-1234."""
    US_LEADING_ZERO = auto()
    """A US code that truly starts with 0."""
    CA_LOWER_CASE = auto()
    """a1a1a1."""
    AU_STRAY_LETTER = auto()
    """A2600; the code is 2600."""
    AU_TRUE_ZERO = auto()
    """A four-digit code that starts with 0, padded to 00NNN: one zero is padding, the other belongs to the code."""
    PLACEHOLDER_POSTAL = auto()
    """00000 or 12345: no code at all."""
    NO_POSTAL = auto()
    NO_STATE = auto()
    # Addresses.
    TBD_STREET = auto()
    LOCATION_VARIES = auto()
    COUNTRY_AS_CITY = auto()
    """The city reads USA or China."""
    NAME_AS_CITY = auto()
    """The city repeats the track's name."""
    PO_BOX = auto()
    COMMA_STREET = auto()
    AMPERSAND_STREET = auto()
    HASH_STREET = auto()
    # The map.
    SHORT_MAP = auto()
    """Fewer than four parts in the map's query: only the address block tells the location."""
    UNKNOWN_MAP_COUNTRY = auto()
    """The map's query ends in a code that no country has."""
    NO_MAP = auto()
    # Contacts.
    BAD_PHONE = auto()
    """Too few digits: unusable, which is not the same as blank."""
    FTP_WEBSITE = auto()
    """Neither http nor https: unusable."""
    ZERO_TOTALS = auto()
    """All lifetime totals read 0: known, and zero."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What the catalogue page says about a track beside its name and link."""

    kind: Kind
    status: Status
    has_video: bool
    is_featured: bool
    idle_minutes: int
    """Minutes since the last activity; the page shows them as relative text."""
    event: str | None
    """Name of the current event; None leaves its element out of the row."""


@dataclass(frozen=True, slots=True)
class Track:
    """One host of the world.

    Attributes:
        number: running number within the world; the timing system's track id derives from it.
        slug_as_listed: first label of the host, in the catalogue's spelling.
        name: the name as the pages show it, double spaces included.
        quirk: the oddity of its dashboard.
        listing: its catalogue row; None when the catalogue is a replayed file that the simulator does not understand.
        laps_gained: laps driven since day 0.
        days_active: days with activity since day 0.
        edits: how often its profile was edited since day 0.
        changed_on: day on which its dashboard became what it is.
    """

    number: int
    slug_as_listed: str
    name: str
    quirk: Quirk
    listing: Listing | None
    laps_gained: int = 0
    days_active: int = 0
    edits: int = 0
    changed_on: int = 0

    @property
    def slug(self) -> str:
        """The key: the lower-case slug."""
        return self.slug_as_listed.lower()


@dataclass(frozen=True, slots=True)
class Country:
    """A country of the world.

    Attributes:
        code: ISO 3166 two-letter code.
        name: display name as the address block shows it.
        dial: international dialling code, digits only.
        share: tracks per thousand.
        states: codes of its states or provinces; empty where addresses have none.
    """

    code: str
    name: str
    dial: str
    share: int
    states: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Postal:
    """A postal code: as the page shows it, and as it must be stored (None: blank)."""

    shown: str
    stored: str | None


@dataclass(frozen=True, slots=True)
class Location:
    """Where a track is, and what the map's query says about it.

    Attributes:
        state: code, or empty.
        map_query: text after `&q=`; None when the page has no map.
    """

    street: str
    city: str
    state: str
    postal: Postal
    country: Country
    map_query: str | None


@dataclass(frozen=True, slots=True)
class Contact:
    """A line of the address block: what it shows (None: N/A), and whether that is usable."""

    shown: str | None
    usable: bool = True

    @property
    def stored(self) -> str | None:
        """What a sync into an empty database must have stored."""
        return self.shown if self.usable else None


@dataclass(frozen=True, slots=True)
class Logo:
    """The track's logo at the timing system; `stamp` is the part after `?dt=`, which is no part of its identity."""

    track_id: int
    url: str
    stamp: str


class FacebookForm(StrEnum):
    """The two panels in which a Facebook address appears."""

    FEED = auto()
    PAGE = auto()


@dataclass(frozen=True, slots=True)
class Facebook:
    """The track's Facebook address and the panel that shows it."""

    url: str
    form: FacebookForm


@dataclass(frozen=True, slots=True)
class Totals:
    """Lifetime totals of a track."""

    laps: int
    practice_sessions: int
    races: int
    entries: int
    events: int


@dataclass(frozen=True, slots=True)
class Tiles:
    """The counters of the current month: volatile, and of no use to a sync."""

    results: int
    sessions: int
    videos: int


@dataclass(frozen=True, slots=True)
class Profile:
    """Everything that a track's dashboard shows."""

    location: Location
    phone: Contact
    website: Contact
    email: str | None
    description: tuple[str, ...]
    """Lines of free text; empty: the page has no description."""
    logo: Logo | None
    facebook: Facebook | None
    totals: Totals
    tiles: Tiles
