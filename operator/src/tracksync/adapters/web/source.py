"""The `Source` port on the web: politely fetched pages, read in the parser process."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Self

from tracksync.adapters.web.budget import Ceilings, DomainBudget
from tracksync.adapters.web.endpoints import Endpoints
from tracksync.adapters.web.fetching import CATALOGUE_LIMITS, DASHBOARD_LIMITS, FetchError, FetchProblem
from tracksync.adapters.web.introduction import user_agent
from tracksync.adapters.web.parser import PageNotParsedError, Parser
from tracksync.adapters.web.robots import RobotsForbidError, RobotsGate, RobotsUnknownError
from tracksync.adapters.web.transport import Site, Transport
from tracksync.core.tracks.model import FetchedDashboard
from tracksync.errors import (
    ItemError,
    ItemErrorClass,
    ListingInvalidError,
    SourceNotAllowedError,
    SourceUnavailableError,
    TrackSyncError,
)
from tracksync.liverc.hosts import is_slug

if TYPE_CHECKING:
    from types import TracebackType

    from tracksync.adapters.web.fetching import Limits, Page
    from tracksync.api.source import SourceEntry
    from tracksync.core.tracks.model import Listing, Traffic, Validators
    from tracksync.ports import Clock, RobotsCache, SharedPace

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
        pace: rate, pause and off switch, shared with all who ask the domain.
        robots: what is known of robots.txt files, shared by all runs.

    Raises:
        SettingsError: `sources[].contact` is missing or a placeholder, though the entry leads to the real site.
    """

    def __init__(  # noqa: PLR0913 - a composition root is handed what it puts together
        self,
        entry: SourceEntry,
        *,
        requests_per_second: float | None,
        concurrency: int | None,
        clock: Clock,
        pace: SharedPace,
        robots: RobotsCache,
    ) -> None:
        self._entry = entry
        self._clock = clock
        ceilings = Ceilings(
            rate=entry.requests_per_second,
            own_rate=requests_per_second,
            in_flight=min(entry.concurrency, concurrency or entry.concurrency),
        )
        self._budget = DomainBudget(entry.domain, ceilings, pace=pace, clock=clock)
        site = Site(scheme=entry.scheme, domain=entry.domain, user_agent=user_agent(entry))
        self._transport = Transport(site, endpoints=Endpoints(entry), budget=self._budget, clock=clock)
        self._parser = Parser()
        self._robots = RobotsGate(
            entry.domain, transport=self._transport, parser=self._parser, cache=robots, clock=clock
        )
        self._exit = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._transport)
            await stack.enter_async_context(self._parser)
            stack.push_async_callback(self._robots.close)
            self._exit = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._exit.aclose()

    async def verify_open(self) -> None:
        """Pass when the source may be asked; nothing is sent to it."""
        await self._budget.verify_open()

    async def fetch_listing(self) -> Listing:
        """Fetch and read the catalogue page; the caller judges `Listing.problems`."""
        try:
            limits = replace(CATALOGUE_LIMITS, body_bytes=self._entry.catalogue_bytes)
            page = await self._fetch(self._entry.catalogue_host, limits)
            if page is None:
                raise ListingInvalidError("catalogue: not modified, says the source, though nothing was asked")
            fetched_at = self._clock.now()
            listing = await self._parser.parse_catalogue(page, domain=self._entry.domain)
            return replace(listing, fetched_at=fetched_at)
        except FetchError as error:
            raise _listing_error(error) from error
        except RobotsForbidError as error:
            raise SourceNotAllowedError(f"catalogue: {error}; ask whoever runs the source") from error
        except RobotsUnknownError as error:
            raise SourceUnavailableError(f"catalogue: {error}; run again later") from error
        except PageNotParsedError as error:
            raise ListingInvalidError(
                "the catalogue page takes more time or memory to read than a page may; no track was touched"
            ) from error

    async def fetch_dashboard(self, slug: str, *, validators: Validators | None = None) -> FetchedDashboard | None:
        """Fetch and read one track's dashboard; the result is proven. None: it is what the validators say."""
        if not is_slug(slug):
            raise ItemError("the slug is no legal host label", error_class=ItemErrorClass.NOT_A_DASHBOARD)
        try:
            page = await self._fetch(self._entry.track_host(slug), DASHBOARD_LIMITS, validators)
            if page is None:
                return None
            dashboard = await self._parser.parse_dashboard(page, slug=slug)
        except FetchError as error:
            raise ItemError(str(error), error_class=_ITEM_CLASS[error.problem], http_status=error.status) from error
        except RobotsForbidError as error:
            raise ItemError(str(error), error_class=ItemErrorClass.ROBOTS_DISALLOWED) from error
        except RobotsUnknownError as error:
            raise ItemError(str(error), error_class=ItemErrorClass.ROBOTS_UNREACHABLE) from error
        except PageNotParsedError as error:
            message = f"{slug}: the page takes more time or memory to read than a page may"
            raise ItemError(message, error_class=ItemErrorClass.PARSER, http_status=200) from error
        if not dashboard.is_proven:
            message = "; ".join(dashboard.problems)
            raise ItemError(message, error_class=ItemErrorClass.NOT_A_DASHBOARD, http_status=200)
        return FetchedDashboard(dashboard, page.validators)

    async def _fetch(self, host: str, limits: Limits, validators: Validators | None = None) -> Page | None:
        spacing = await self._robots.enter(host)
        return await self._transport.fetch(host, limits=limits, validators=validators, spacing=spacing)

    def traffic(self) -> Traffic:
        """Return what was sent and received so far."""
        return self._transport.traffic()


def _listing_error(error: FetchError) -> TrackSyncError:
    """Return the port's error for a catalogue page that could not be had."""
    if error.problem in _NOT_ALLOWED:
        return SourceNotAllowedError(f"catalogue: {error}")
    if error.problem in _LISTING_INVALID:
        return ListingInvalidError(f"catalogue: {error}; no track was touched")
    remedy = _REMEDY_BY_STATUS.get(error.status or 0, "run again later; check that the source is up")
    return SourceUnavailableError(f"catalogue: {error}: {remedy}")
