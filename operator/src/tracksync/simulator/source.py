"""The simulated site as content: for each host and path the bytes of the page, rendered and compressed once."""

from __future__ import annotations

import zlib
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from tracksync.errors import SettingsError
from tracksync.simulator.answers import Answer
from tracksync.simulator.catalogue_faults import (
    with_broken_rows,
    with_duplicate_rows,
    with_half_of_the_rows,
    with_moved_rows,
    with_www_hosts,
)
from tracksync.simulator.catalogue_page import render_catalogue
from tracksync.simulator.dashboard_page import DashboardWriter
from tracksync.simulator.day import after_days
from tracksync.simulator.faults import CatalogueFault, DashboardFault, Switches
from tracksync.simulator.other_pages import render_error
from tracksync.simulator.page_faults import other_page_or_none, refusal_or_none, spoiled_answer, spoiled_page
from tracksync.simulator.replay import read_capture, slugs_in
from tracksync.simulator.robots import CATALOGUE_LABEL, robots_answer
from tracksync.simulator.world import World, build_world, replay_world

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracksync.simulator.settings import SimulatorSettings

_CACHE_BYTES: Final = 128 * 2**20
"""Pages kept; beyond it nothing more is. A listing is walked in a fixed order, where evicting would evict everything
before it is asked for again."""
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS
_FASTEST: Final = 1
_NO_SWITCHES: Final = Switches()
_DAMAGES: Final = {
    CatalogueFault.HALF: with_half_of_the_rows,
    CatalogueFault.BROKEN_ROWS: with_broken_rows,
    CatalogueFault.DUPLICATE_ROWS: with_duplicate_rows,
    CatalogueFault.WWW_HOSTS: with_www_hosts,
}


class SimulatedSite:
    """All pages of one world. Faults are the caller's choice; the same page is always the same bytes."""

    def __init__(self, world: World, catalogue: bytes) -> None:
        self.world = world
        self._catalogue = catalogue
        self._writer = DashboardWriter(world.domain)
        self._cache: dict[tuple[str, bool], bytes] = {}
        self._cached_bytes = 0

    def move_on(self, world: World) -> None:
        """Serve this later world from now on, all of it at once."""
        catalogue = render_catalogue(world.tracks, world.domain)
        self.world, self._catalogue = world, catalogue
        self._cache.clear()
        self._cached_bytes = 0

    def catalogue(self, switches: Switches, *, zipped: bool, read: int = 1) -> Answer:
        """Return the catalogue with the fault that the switches ask for; `read` counts its reads from 1."""
        fault = switches.catalogue_fault
        if fault is CatalogueFault.NONE:
            body = self._page("catalogue", lambda: self._catalogue, zipped=zipped)
            return Answer(HTTPStatus.OK, body, zipped, changed_on=self.world.day)
        return self._faulty(
            fault, CATALOGUE_LABEL, lambda: self._faulty_catalogue(switches, read), switches, zipped=zipped
        )

    def dashboard(
        self, slug: str, fault: DashboardFault | None, *, zipped: bool, switches: Switches = _NO_SWITCHES
    ) -> Answer:
        """Return a track's dashboard, or what the fault puts in its place; 404 for a host that no track has."""
        track = self.world.by_slug.get(slug)
        if track is None:
            return self.error(HTTPStatus.NOT_FOUND, zipped=zipped)
        if fault is None:
            body = self._page(f"dashboard: {slug}", lambda: self._render(slug), zipped=zipped)
            return Answer(HTTPStatus.OK, body, zipped, changed_on=track.changed_on)
        return self._faulty(fault, slug, lambda: self._render(slug), switches, zipped=zipped)

    def robots(self, switches: Switches, label: str, *, zipped: bool) -> Answer:
        """Return what the host with this first label has at /robots.txt."""
        world = self.world
        return robots_answer(
            switches, world.seed, label, world.domain, lambda status: self.error(status, zipped=zipped)
        )

    def _faulty_catalogue(self, switches: Switches, read: int) -> bytes:
        match switches.catalogue_fault:
            case CatalogueFault.EMPTY:
                return render_catalogue((), self.world.domain)
            case CatalogueFault.LIST_CHANGES:
                return with_moved_rows(self._catalogue, self.world.seed, read)
            case fault:
                damage = _DAMAGES.get(fault)
                return self._catalogue if damage is None else damage(self._catalogue, self.world.seed)

    def _faulty(
        self, fault: str, label: str, render: Callable[[], bytes], switches: Switches, *, zipped: bool
    ) -> Answer:
        """Return what the fault makes of the page that `render` gives; such pages are not kept, they may be large."""
        refusal = refusal_or_none(fault, label, self.world.domain, lambda status: self.error(status, zipped=zipped))
        if refusal is not None:
            return refusal
        page = other_page_or_none(fault, self.world.domain)
        if page is None:
            page = spoiled_page(fault, render(), switches)
        return spoiled_answer(fault, Answer(HTTPStatus.OK, _gzip(page) if zipped else page, zipped))

    def error(self, status: HTTPStatus, *, zipped: bool) -> Answer:
        """Return a short error page with its status; one for a foreign host says which hosts there are."""
        domain = self.world.domain
        text = (
            f"This simulator serves live.{domain} and the tracks below {domain}."
            if status is HTTPStatus.MISDIRECTED_REQUEST
            else "The simulated server gives no further details."
        )
        body = self._page(f"error: {status.value}", lambda: render_error(status, text), zipped=zipped)
        return Answer(status, body, zipped)

    def _render(self, slug: str) -> bytes:
        track = self.world.by_slug[slug]
        return self._writer.render(track, self.world.profile(track))

    def _page(self, name: str, render: Callable[[], bytes], *, zipped: bool) -> bytes:
        """Return the named page, from the cache or rendered, and compressed if wanted."""
        kept = self._cache.get((name, zipped))
        if kept is not None:
            return kept
        body = _gzip(render()) if zipped else render()
        if self._cached_bytes + len(body) <= _CACHE_BYTES:
            self._cache[name, zipped] = body
            self._cached_bytes += len(body)
        return body


def build_site(settings: SimulatorSettings) -> SimulatedSite:
    """Return the site that the settings describe; SettingsError when the replay file is unusable."""
    if settings.replay_catalogue is None:
        first = build_world(seed=settings.seed, tracks=settings.tracks, domain=settings.domain)
        world = after_days(first, settings.days)
        return SimulatedSite(world, render_catalogue(world.tracks, settings.domain))
    page = read_capture(settings.replay_catalogue)
    slugs = slugs_in(page, settings.domain)
    if not slugs:
        raise SettingsError(
            f"replay_catalogue: {settings.replay_catalogue} links to no host below {settings.domain};"
            " give a saved catalogue page, or the domain that it was saved from"
        )
    world = after_days(replay_world(seed=settings.seed, slugs=slugs, domain=settings.domain), settings.days)
    return SimulatedSite(world, page)


def _gzip(body: bytes) -> bytes:
    compressor = zlib.compressobj(_FASTEST, zlib.DEFLATED, _GZIP_WINDOW)
    return compressor.compress(body) + compressor.flush()
