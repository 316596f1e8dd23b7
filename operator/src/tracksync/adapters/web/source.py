"""The `Source` port on the web: politely fetched pages, read in the parser process."""

from __future__ import annotations

import re
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final, Self

from tracksync import __version__
from tracksync.adapters.web.budget import LocalBudget
from tracksync.adapters.web.endpoints import Endpoints
from tracksync.adapters.web.fetching import CATALOGUE_LIMITS, DASHBOARD_LIMITS, FetchError, FetchProblem
from tracksync.adapters.web.parser import PageNotParsedError, Parser
from tracksync.adapters.web.transport import Site, Transport
from tracksync.core.tracks.model import Traffic
from tracksync.errors import (
    ItemError,
    ItemErrorClass,
    ListingInvalidError,
    SettingsError,
    SourceNotAllowedError,
    SourceUnavailableError,
    TrackSyncError,
)
from tracksync.liverc.hosts import is_slug

if TYPE_CHECKING:
    from types import TracebackType

    from tracksync.api.source import SourceEntry
    from tracksync.core.tracks.model import Dashboard, Listing
    from tracksync.ports import Clock

_LIVERC: Final = "liverc.com"
_PLACEHOLDERS: Final = re.compile(r"example\.(?:com|org|net)|\byour-|changeme|change-me|@localhost", re.IGNORECASE)
_CONTACT: Final = re.compile(r"(?:mailto:)?[^@\s()]+@[^@\s()]+\.[^@\s()]+|https?://[^\s()]+\.[^\s()]+", re.ASCII)

_ITEM_CLASS: Final = {
    FetchProblem.STATUS: ItemErrorClass.HTTP_STATUS,
    FetchProblem.TIMEOUT: ItemErrorClass.TIMEOUT,
    FetchProblem.CONNECTION: ItemErrorClass.CONNECTION,
    FetchProblem.CUT: ItemErrorClass.CONNECTION,
    FetchProblem.NOT_HTML: ItemErrorClass.NOT_A_DASHBOARD,
    FetchProblem.TOO_LARGE: ItemErrorClass.TOO_LARGE,
    FetchProblem.MOVED: ItemErrorClass.REDIRECT,
    FetchProblem.OUTSIDE: ItemErrorClass.REDIRECT,
    FetchProblem.ADDRESS: ItemErrorClass.CONNECTION,
    FetchProblem.MISDIRECTED: ItemErrorClass.CONNECTION,
}
_LISTING_INVALID: Final = frozenset(
    {FetchProblem.CUT, FetchProblem.NOT_HTML, FetchProblem.TOO_LARGE, FetchProblem.MOVED}
)
_NOT_ALLOWED: Final = frozenset({FetchProblem.OUTSIDE, FetchProblem.ADDRESS})
_REMEDY_BY_STATUS: Final = {
    403: "the source refuses us; check sources[].contact and whether our address is blocked",
    404: "there is no catalogue at this host; check sources[].domain",
    410: "there is no catalogue at this host any more; check sources[].domain",
    429: "we ask too often; lower sources[].requestsPerSecond and run again later",
}


class WebSource:
    """A `Source` for one run; use as an async context manager.

    Args:
        entry: the installation's entry of the source.
        requests_per_second: the run's own ceiling; None or a higher one leaves the entry's.
        concurrency: the run's own ceiling of requests in flight; None or a higher one leaves the entry's.
        clock: wall clock and monotonic time.

    Raises:
        SettingsError: `sources[].contact` is missing or a placeholder, though the entry leads to the real site.
    """

    def __init__(
        self, entry: SourceEntry, *, requests_per_second: float | None, concurrency: int | None, clock: Clock
    ) -> None:
        self._entry = entry
        budget = LocalBudget(
            entry.domain,
            rate=min(entry.requests_per_second, requests_per_second or entry.requests_per_second),
            max_in_flight=min(entry.concurrency, concurrency or entry.concurrency),
            clock=clock,
        )
        site = Site(scheme=entry.scheme, domain=entry.domain, user_agent=_user_agent(entry))
        self._transport = Transport(site, endpoints=Endpoints(entry), budget=budget, clock=clock)
        self._parser = Parser()
        self._exit = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._transport)
            await stack.enter_async_context(self._parser)
            self._exit = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._exit.aclose()

    async def fetch_listing(self) -> Listing:
        """Fetch and read the catalogue page; the caller judges `Listing.problems`."""
        try:
            page = await self._transport.fetch(self._entry.catalogue_host, limits=CATALOGUE_LIMITS)
            return await self._parser.parse_catalogue(page, domain=self._entry.domain)
        except FetchError as error:
            raise _listing_error(error) from error
        except PageNotParsedError as error:
            raise ListingInvalidError(
                "the catalogue page takes more time or memory to read than a page may; no track was touched"
            ) from error

    async def fetch_dashboard(self, slug: str) -> Dashboard:
        """Fetch and read one track's dashboard; the result is proven."""
        if not is_slug(slug):
            raise ItemError("the slug is no legal host label", error_class=ItemErrorClass.NOT_A_DASHBOARD)
        try:
            page = await self._transport.fetch(self._entry.track_host(slug), limits=DASHBOARD_LIMITS)
            dashboard = await self._parser.parse_dashboard(page, slug=slug)
        except FetchError as error:
            raise ItemError(str(error), error_class=_ITEM_CLASS[error.problem], http_status=error.status) from error
        except PageNotParsedError as error:
            message = f"{slug}: the page takes more time or memory to read than a page may"
            raise ItemError(message, error_class=ItemErrorClass.PARSER, http_status=200) from error
        if not dashboard.is_proven:
            message = "; ".join(dashboard.problems)
            raise ItemError(message, error_class=ItemErrorClass.NOT_A_DASHBOARD, http_status=200)
        return dashboard

    def traffic(self) -> Traffic:
        """Return the requests sent and the bytes of bodies received so far."""
        return Traffic(requests=self._transport.requests, bytes=self._transport.bytes_received)


def _listing_error(error: FetchError) -> TrackSyncError:
    """Return the port's error for a catalogue page that could not be had."""
    if error.problem in _NOT_ALLOWED:
        return SourceNotAllowedError(f"catalogue: {error}")
    if error.problem in _LISTING_INVALID:
        return ListingInvalidError(f"catalogue: {error}; no track was touched")
    remedy = _REMEDY_BY_STATUS.get(error.status or 0, "run again later; check that the source is up")
    return SourceUnavailableError(f"catalogue: {error}: {remedy}")


def _user_agent(entry: SourceEntry) -> str:
    """Return who we are, with the configured contact.

    Raises:
        SettingsError: the contact cannot stand in a header, or is no real one where the real site is asked.
    """
    contact = entry.contact.strip()
    is_liverc = entry.domain == _LIVERC or entry.domain.endswith(f".{_LIVERC}")
    leads_to_liverc = is_liverc and (entry.scheme == "https" or entry.connect_to is None)
    is_real = _CONTACT.fullmatch(contact) is not None and not _PLACEHOLDERS.search(contact)
    if leads_to_liverc and not is_real:
        raise SettingsError(
            f"sources[].contact of {entry.name} has to be a real mail address or URL before {_LIVERC} is asked:"
            " set it to whoever runs this installation"
        )
    if not (contact.isascii() and contact.isprintable()):
        raise SettingsError(f"sources[].contact of {entry.name} may hold printable ASCII characters only")
    product = f"TrackSync/{__version__}"
    return f"{product} (+{contact})" if contact else product
