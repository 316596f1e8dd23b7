"""Sources made of values: a listing and dashboards without a web."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tracksync.core.tracks.model import DASHBOARD_COLUMNS, Dashboard, FieldState, ListedTrack, Listing, Reading, Traffic
from tracksync.errors import ItemError, ItemErrorClass

if TYPE_CHECKING:
    from collections.abc import Collection


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

    Slugs in `failing` have no dashboard. `seconds` is how long each answer takes. `in_flight_at_most` is what was seen.
    """

    def __init__(self, listing: Listing, *, failing: Collection[str] = (), seconds: float = 0.0) -> None:
        self.listing = listing
        self.failing = failing
        self.seconds = seconds
        self.asked: list[str] = []
        self.in_flight = 0
        self.in_flight_at_most = 0

    async def fetch_listing(self) -> Listing:
        await asyncio.sleep(self.seconds)
        return self.listing

    async def fetch_dashboard(self, slug: str) -> Dashboard:
        self.asked.append(slug)
        self.in_flight += 1
        self.in_flight_at_most = max(self.in_flight_at_most, self.in_flight)
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.in_flight -= 1
        if slug in self.failing:
            raise ItemError(f"{slug}: answered 500", error_class=ItemErrorClass.HTTP_STATUS, http_status=500)
        return a_dashboard(city=f"City of {slug}", total_laps=7)

    def traffic(self) -> Traffic:
        return Traffic(requests=1 + len(self.asked), bytes=100 * (1 + len(self.asked)))
