"""The simulated site as content: for each host and path the bytes of the page, rendered and compressed once."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from tracksync.errors import SettingsError
from tracksync.simulator.catalogue_page import render_catalogue
from tracksync.simulator.dashboard_page import DashboardWriter
from tracksync.simulator.faults import CatalogueFault, DashboardFault, Switches, cut
from tracksync.simulator.other_pages import render_error, render_login
from tracksync.simulator.replay import read_capture, slugs_in
from tracksync.simulator.world import World, build_world, replay_world

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracksync.simulator.settings import SimulatorSettings

_CACHE_BYTES: Final = 128 * 2**20
"""Pages kept; beyond it nothing more is. A listing is walked in a fixed order, where evicting would evict everything
before it is asked for again."""
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS
_FASTEST: Final = 1


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a whole body, which is compressed when the client takes gzip."""

    status: HTTPStatus
    body: bytes


class SimulatedSite:
    """All pages of one world. Faults are the caller's choice; the same page is always the same bytes."""

    def __init__(self, world: World, catalogue: bytes) -> None:
        self.world = world
        self._catalogue = catalogue
        self._writer = DashboardWriter(world.domain)
        self._cache: dict[tuple[str, bool], bytes] = {}
        self._cached_bytes = 0

    def catalogue(self, switches: Switches, *, zipped: bool) -> Answer:
        """Return the catalogue with the fault that the switches ask for."""
        fault = switches.catalogue_fault
        match fault:
            case CatalogueFault.NONE:
                body = self._page("catalogue", lambda: self._catalogue, zipped=zipped)
            case CatalogueFault.EMPTY:
                body = self._page("catalogue: empty", lambda: render_catalogue((), self.world.domain), zipped=zipped)
            case CatalogueFault.CUT:
                at = switches.catalogue_cut_at
                body = self._page(f"catalogue: cut at {at}", lambda: cut(self._catalogue, at), zipped=zipped)
            case CatalogueFault.ERROR:
                return self.error(HTTPStatus.SERVICE_UNAVAILABLE, zipped=zipped)
            case CatalogueFault.FORBIDDEN:
                return self.error(HTTPStatus.FORBIDDEN, zipped=zipped)
        return Answer(HTTPStatus.OK, body)

    def dashboard(self, slug: str, fault: DashboardFault | None, *, zipped: bool) -> Answer:
        """Return a track's dashboard, or what the fault puts in its place; 404 for a host that no track has."""
        if slug not in self.world.by_slug:
            return self.error(HTTPStatus.NOT_FOUND, zipped=zipped)
        match fault:
            case None:
                return Answer(
                    HTTPStatus.OK, self._page(f"dashboard: {slug}", lambda: self._render(slug), zipped=zipped)
                )
            case DashboardFault.HTTP_500:
                return self.error(HTTPStatus.INTERNAL_SERVER_ERROR, zipped=zipped)
            case DashboardFault.HTTP_404:
                return self.error(HTTPStatus.NOT_FOUND, zipped=zipped)
            case DashboardFault.LOGIN_PAGE:
                return Answer(
                    HTTPStatus.OK, self._page("login", lambda: render_login(self.world.domain), zipped=zipped)
                )

    def error(self, status: HTTPStatus, *, zipped: bool) -> Answer:
        """Return a short error page with its status; one for a foreign host says which hosts there are."""
        domain = self.world.domain
        text = (
            f"This simulator serves live.{domain} and the tracks below {domain}."
            if status is HTTPStatus.MISDIRECTED_REQUEST
            else "The simulated server gives no further details."
        )
        return Answer(status, self._page(f"error: {status.value}", lambda: render_error(status, text), zipped=zipped))

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
        world = build_world(seed=settings.seed, tracks=settings.tracks, domain=settings.domain)
        return SimulatedSite(world, render_catalogue(world.tracks, settings.domain))
    page = read_capture(settings.replay_catalogue)
    slugs = slugs_in(page, settings.domain)
    if not slugs:
        raise SettingsError(
            f"replay_catalogue: {settings.replay_catalogue} links to no host below {settings.domain};"
            " give a saved catalogue page, or the domain that it was saved from"
        )
    return SimulatedSite(replay_world(seed=settings.seed, slugs=slugs, domain=settings.domain), page)


def _gzip(body: bytes) -> bytes:
    compressor = zlib.compressobj(_FASTEST, zlib.DEFLATED, _GZIP_WINDOW)
    return compressor.compress(body) + compressor.flush()
