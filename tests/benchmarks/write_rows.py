"""The rows of the write benchmark: one seeded generator that every method reads, row by row.

About 500 bytes of text a row in 26 columns; with source, life and times that makes 30 columns of `tracks`. Rows that
are held were made before the clock starts; others are made while they are read, which costs about 10 µs each.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from enum import StrEnum
from random import Random
from typing import TYPE_CHECKING, Any, Final, overload

from tracksync.core.tracks.model import TEXT_COLUMNS, TOTAL_COLUMNS, ListedTrack

if TYPE_CHECKING:
    from collections.abc import Iterator

SEED: Final = 20_240_501
SOURCE: Final = "liverc"
DOMAIN: Final = "liverc.com"
LISTED: Final = ("slug", "slug_as_listed", "name", "track_url", "events_url", "is_featured", "kind")
COLUMNS: Final = (*LISTED, *TEXT_COLUMNS, *TOTAL_COLUMNS)
TYPES: Final = (*["text"] * 5, "bool", "text", *["text"] * len(TEXT_COLUMNS), *["int8"] * len(TOTAL_COLUMNS))
"""PostgreSQL's types of COLUMNS, for binary COPY."""
_TEMPLATES: Final = 997
_CHANGED_EVERY: Final = 20
_VANISHED_EVERY: Final = 100
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz      "


class Workload(StrEnum):
    """What the feed says compared with what is stored."""

    INITIAL = "initial"
    """Nothing is stored."""
    NOCHANGE = "nochange"
    """The same feed again."""
    MIXED = "mixed"
    """5 % of the rows changed, 1 % vanished, 1 % are new."""


class Feed:
    """The rows of one workload, made while they are read, unless they are held."""

    def __init__(self, n: int, workload: Workload) -> None:
        self.n = n
        self._is_mixed = workload is Workload.MIXED
        random = Random(SEED)  # noqa: S311 -- the same rows every time
        self._templates = [_template(random) for _ in range(_TEMPLATES)]
        step = _VANISHED_EVERY
        self.vanished = len(range(3, n, step)) if self._is_mixed else 0
        self.new = n // step if self._is_mixed else 0
        self.changed = len(range(7, n, _CHANGED_EVERY)) if self._is_mixed else 0
        self._tracks: list[ListedTrack] | None = None
        self._rows: list[tuple[Any, ...]] | None = None

    def hold_tracks(self) -> None:
        """Make the tracks now; the collector does not look through them again and again."""
        self._tracks = list(self.tracks())
        gc.collect()
        gc.freeze()

    def hold_rows(self) -> None:
        """Make the rows now, as `hold_tracks` does the tracks."""
        self._rows = list(self.rows())
        gc.collect()
        gc.freeze()

    def __len__(self) -> int:
        return self.n - self.vanished + self.new

    def numbers(self) -> Iterator[int]:
        """Yield the numbers of the rows that the feed has, in slug order."""
        for number in range(self.n + self.new):
            if not self._is_mixed or number >= self.n or number % _VANISHED_EVERY != 3:
                yield number

    def dashboard(self, number: int) -> dict[str, Any]:
        """Return the columns that a dashboard would carry."""
        values = self._templates[number % _TEMPLATES].copy()
        values["website"] = f"https://www.example-{number:07d}.test/club/home"
        values["email"] = f"office.{number:07d}@mail.example.test"
        values["livetime_track_id"] = f"{number:07d}"
        if self._is_mixed and number < self.n and number % _CHANGED_EVERY == 7:
            values["description"] = "Closed for the winter, back in March. " + values["description"][38:]
            values["total_laps"] += 512
        return values

    def tracks(self) -> Iterator[ListedTrack]:
        """Yield the rows as a catalogue that carries the dashboards' values would have them."""
        return iter(self._tracks) if self._tracks is not None else self._made_tracks()

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Yield the rows as values of COLUMNS."""
        return iter(self._rows) if self._rows is not None else self._made_rows()

    def _made_tracks(self) -> Iterator[ListedTrack]:
        for number in self.numbers():
            slug = f"track{number:07d}"
            yield ListedTrack(
                slug,
                slug.upper(),
                f"Raceway No. {number:07d}",
                is_featured=number % 10 == 0,
                values=self.dashboard(number),
            )

    def _made_rows(self) -> Iterator[tuple[Any, ...]]:
        for number in self.numbers():
            slug = f"track{number:07d}"
            url = f"https://{slug}.{DOMAIN}/"
            listed = (slug, slug.upper(), f"Raceway No. {number:07d}", url, f"{url}events", number % 10 == 0, "track")
            yield (*listed, *self.dashboard(number).values())


class FedTracks(Sequence[ListedTrack]):
    """The feed as a sequence, whether it holds its rows or not."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    def __len__(self) -> int:
        return len(self._feed)

    def __iter__(self) -> Iterator[ListedTrack]:
        return self._feed.tracks()

    @overload
    def __getitem__(self, index: int) -> ListedTrack: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[ListedTrack]: ...
    def __getitem__(self, index: int | slice) -> ListedTrack | Sequence[ListedTrack]:
        raise NotImplementedError("the feed is read from its beginning to its end")


def _template(random: Random) -> dict[str, Any]:
    """Return one of each dashboard column, in the order of the model's lists."""
    texts = {
        "street": _words(random, 20),
        "city": _words(random, 12),
        "state": _words(random, 10),
        "postal_code": f"{random.randrange(10_000, 99_999)}",
        "country_code": "US",
        "country": "United States",
        "address": _words(random, 58),
        "phone": f"+1 555 {random.randrange(1_000_000, 9_999_999)}",
        "website": "",
        "email": "",
        "description": _words(random, 130),
        "logo_url": f"https://cdn.example.test/logos/{random.randrange(1 << 60):016x}.png",
        "livetime_track_id": "",
        "facebook_url": f"https://facebook.example.test/{random.randrange(1 << 40):010x}",
    }
    return {name: texts[name] for name in TEXT_COLUMNS} | {name: random.randrange(1_000_000) for name in TOTAL_COLUMNS}


def _words(random: Random, length: int) -> str:
    return "A" + "".join(random.choices(_LETTERS, k=length - 2)) + "z"
