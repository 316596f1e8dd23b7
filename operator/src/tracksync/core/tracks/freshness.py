"""When a track's dashboard has to be fetched again: pure rules over what is known about the stored one.

The instants at which one track is due are spread evenly over `refresh_after` by a stable hash of its slug, so that a
daily run with the default of seven days fetches about a seventh of the tracks, also after a first run that fetched all.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from tracksync.core.tracks.model import Validators

MOST_UNMODIFIED: Final = 3
"""After so many conditional requests in a row that found nothing new, the page is fetched whole: an ETag may lie."""
_SLACK_SHARE: Final = 20
_MOST_SLACK: Final = timedelta(hours=1)
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Freshness:
    """What is known about a stored dashboard.

    Attributes:
        as_of: planned start of the run that fetched or confirmed it last; None when it never was.
        parser_version: version of the parser that read it.
        validators: what came with its page.
        unmodified: conditional requests in a row that confirmed it without its page.
    """

    as_of: datetime | None = None
    parser_version: int = 0
    validators: Validators = field(default_factory=Validators)
    unmodified: int = 0


@dataclass(frozen=True, slots=True)
class Refresh:
    """A run's wish for fresh dashboards.

    Attributes:
        after: fetch a dashboard whose stored one is older; zero fetches all.
        parser_version: this build's; what an older one read is fetched whole again.
    """

    after: timedelta
    parser_version: int

    def is_due(self, slug: str, known: Freshness, *, planned_start: datetime) -> bool:
        """Tell whether a run that was planned for this instant fetches the track's dashboard.

        Due when it was never fetched, when an older parser read it, when it is older than `after`, or when one of the
        track's own instants lies between the two planned starts. Both measures have a slack of a twentieth of `after`,
        an hour at most: with a daily run and 24 hours the next start may be a minute early, and a dashboard that was
        fetched a minute before the track's own instant is not fetched again a minute after it.
        """
        if not self.after or known.as_of is None or known.parser_version < self.parser_version:
            return True
        slack = min(self.after / _SLACK_SHARE, _MOST_SLACK)
        # Further in the future than a whole period is no skew but a clock that was wrong once: believe it no longer.
        if abs(planned_start - known.as_of) >= self.after - slack:
            return True
        return self._turn(slug, planned_start) > self._turn(slug, known.as_of + slack)

    def validators(self, known: Freshness) -> Validators:
        """Return what to send with the request: nothing when the page has to come whole."""
        is_outdated = known.as_of is None or known.parser_version < self.parser_version
        return Validators() if is_outdated or known.unmodified >= MOST_UNMODIFIED else known.validators

    def _turn(self, slug: str, instant: datetime) -> int:
        """Return how many of the track's own instants lie before this one; negative ones count as well."""
        return (instant - _EPOCH - self.after * phase_of(slug)) // self.after


def phase_of(slug: str) -> float:
    """Return the slug's place in any period, from 0 to below 1: the same on every machine and in every version."""
    digest = hashlib.blake2b(slug.encode(), digest_size=6, person=b"freshness").digest()
    return int.from_bytes(digest) / 2**48
