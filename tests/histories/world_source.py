"""The simulator's world as a `Source`, without pages in between; it keeps what it served to whom."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from tests.support.clocks import START
from tests.support.sources import SERVER_ERROR
from tracksync.core.tracks.model import (
    DASHBOARD_COLUMNS,
    Dashboard,
    FetchedDashboard,
    FieldState,
    ListedTrack,
    Listing,
    Reading,
    TrackKind,
    Traffic,
    Validators,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from tracksync.simulator.world import World

NO_FACT = frozenset({"address"})
"""Columns of a dashboard that the simulator's truth does not tell."""


@dataclass
class Served:
    """What one run was told: its latest listing by slug, and the dashboards since then."""

    listing: dict[str, dict[str, Any]] = field(default_factory=dict)
    dashboards: dict[str, dict[str, Any]] = field(default_factory=dict)


class WorldSource:
    """`tracksync.ports.Source` over the truth of a world; dashboards of `failing` slugs cannot be had."""

    def __init__(self, world: World, served: Served, *, failing: Collection[str] = ()) -> None:
        self.truth = {row["slug"]: row for row in world.truth()}
        self.served = served
        self.failing = frozenset(failing)
        self.asked = 0

    async def verify_open(self) -> None:
        await asyncio.sleep(0)

    async def fetch_listing(self) -> Listing:
        await asyncio.sleep(0)
        self.served.listing = dict(self.truth)
        self.served.dashboards = {}
        return Listing(tuple(map(_listed, self.truth.values())), fetched_at=START)

    async def fetch_dashboard(self, slug: str, *, validators: Validators | None = None) -> FetchedDashboard | None:
        self.asked += 1
        # Asked again: what an earlier epoch was told got lost with it.
        self.served.dashboards.pop(slug, None)
        await asyncio.sleep(0)
        if slug in self.failing or slug not in self.truth:
            raise SERVER_ERROR
        values = {column: self.truth[slug][column] for column in DASHBOARD_COLUMNS if column not in NO_FACT}
        etag = f'"{blake2b(repr(values).encode(), digest_size=8).hexdigest()}"'
        if validators is not None and validators.etag == etag:
            return None
        self.served.dashboards[slug] = values
        return FetchedDashboard(_dashboard(values), Validators(etag=etag))

    def traffic(self) -> Traffic:
        return Traffic(requests=self.asked)


def _listed(row: dict[str, Any]) -> ListedTrack:
    kind = TrackKind(row["kind"])
    return ListedTrack(row["slug"], row["slug_as_listed"], row["name"], kind, is_featured=row["is_featured"])


def _dashboard(values: dict[str, Any]) -> Dashboard:
    absent = Reading(FieldState.ABSENT)
    readings = {
        column: Reading(FieldState.BLANK) if value is None else Reading(FieldState.VALUE, value)
        for column, value in values.items()
    }
    return Dashboard(dict.fromkeys(DASHBOARD_COLUMNS, absent) | readings)
