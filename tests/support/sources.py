"""Sources made of values: a listing and dashboards without a web."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from tracksync.core.tracks.model import (
    DASHBOARD_COLUMNS,
    Dashboard,
    FetchedDashboard,
    FieldState,
    ListedTrack,
    Listing,
    Reading,
    Traffic,
    Validators,
)
from tracksync.errors import ItemError, ItemErrorClass, SourceUnavailableError

if TYPE_CHECKING:
    from collections.abc import Collection

SERVER_ERROR: Final = ItemError("answered 500", error_class=ItemErrorClass.HTTP_STATUS, http_status=500)
GONE: Final = ItemError("answered 404", error_class=ItemErrorClass.HTTP_STATUS, http_status=404)
TOO_BUSY: Final = SourceUnavailableError("liverc.com asks for a pause of 7200 s; run again later")
REFUSES_AT_ONCE: Final = -1


def a_listing(size: int, *, problems: tuple[str, ...] = ()) -> Listing:
    """Return a listing of tracks named track000, track001 and so on."""
    slugs = [f"track{number:03}" for number in range(size)]
    return Listing(tuple(ListedTrack(slug, slug, slug.capitalize()) for slug in slugs), problems=problems)


def a_dashboard(**values: str | int) -> Dashboard:
    """Return a proven dashboard that has these values and none of the other fields."""
    absent = Reading(FieldState.ABSENT)
    readings = dict.fromkeys(DASHBOARD_COLUMNS, absent)
    return Dashboard(readings | {column: Reading(FieldState.VALUE, value) for column, value in values.items()})


class ListSource:
    """`tracksync.ports.Source` over values.

    Args:
        listing: what the catalogue page says.
        failing: slugs that have no dashboard; or how many attempts of each slug fail before one succeeds.
        error: what a failing dashboard raises; an answer 500 by default.
        unmodified: slugs that are answered with None when they are asked for conditionally.
        refuse_after: `refusal` is raised instead of every dashboard after so many were asked for; None: never.
        refusal: also raised by `verify_open` when `refuse_after` is -1.
        seconds: how long each answer takes.

    `asked` are the slugs in the order of their requests, `conditional` those that came with validators, `asked_at` the
    event loop's time of each request, `in_flight_at_most` is what was seen.
    """

    def __init__(
        self,
        listing: Listing,
        *,
        failing: Collection[str] | Mapping[str, int] = (),
        error: ItemError = SERVER_ERROR,
        unmodified: Collection[str] = (),
        refuse_after: int | None = None,
        refusal: SourceUnavailableError = TOO_BUSY,
        seconds: float = 0.0,
    ) -> None:
        self.listing = listing
        self.failing = failing
        self.error = error
        self.unmodified = unmodified
        self.refuse_after = refuse_after
        self.refusal = refusal
        self.seconds = seconds
        self.listings = 0
        self.asked: list[str] = []
        self.asked_at: list[float] = []
        self.conditional: dict[str, Validators] = {}
        self.in_flight = 0
        self.in_flight_at_most = 0

    async def verify_open(self) -> None:
        if self.refuse_after == REFUSES_AT_ONCE:
            raise self.refusal

    async def fetch_listing(self) -> Listing:
        self.listings += 1
        await asyncio.sleep(self.seconds)
        return self.listing

    async def fetch_dashboard(self, slug: str, *, validators: Validators | None = None) -> FetchedDashboard | None:
        if self.refuse_after is not None and len(self.asked) >= self.refuse_after:
            raise self.refusal
        self.asked.append(slug)
        self.asked_at.append(asyncio.get_running_loop().time())
        if validators is not None:
            self.conditional[slug] = validators
        self.in_flight += 1
        self.in_flight_at_most = max(self.in_flight_at_most, self.in_flight)
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.in_flight -= 1
        if self._fails(slug):
            raise self.error
        if validators is not None and slug in self.unmodified:
            return None
        return FetchedDashboard(a_dashboard(city=f"City of {slug}", total_laps=7), validators_of(slug))

    def _fails(self, slug: str) -> bool:
        if isinstance(self.failing, Mapping):
            return self.asked.count(slug) <= self.failing.get(slug, 0)
        return slug in self.failing

    def traffic(self) -> Traffic:
        requests = self.listings + len(self.asked)
        return Traffic(requests=requests, bytes=100 * requests)


def validators_of(slug: str) -> Validators:
    """Return what comes with every page of this slug."""
    return Validators(etag=f'"{slug}"')
