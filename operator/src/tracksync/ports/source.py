"""The web site, and what all who ask it share: its budget of requests, its pace and its robots.txt files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime

    from tracksync.core.tracks.model import FetchedDashboard, Listing, Traffic, Validators


class Source(Protocol):
    """The web site, read politely: every request waits for its slot in the domain's budget."""

    async def verify_open(self) -> None:
        """Pass when the source may be asked; nothing is sent to it.

        Raises:
            SourceOffError: somebody switched it off.
            SourceUnavailableError: it asked for a pause that is too long to wait for.
        """
        ...

    async def fetch_listing(self) -> Listing:
        """Fetch and read the catalogue page; the caller judges `Listing.problems`.

        Raises:
            SourceUnavailableError: no usable answer after all tries.
            SourceNotAllowedError: a redirect or an address leads outside the installation's list, or robots.txt
                forbids the page.
            SourceOffError: somebody switched the source off.
            ListingInvalidError: the answer is no whole HTML page (wrong type, cut, over the byte cap).
        """
        ...

    async def fetch_dashboard(self, slug: str, *, validators: Validators | None = None) -> FetchedDashboard | None:
        """Fetch and read one track's dashboard; the result is proven. None: it is what it was, says the source.

        Raises:
            ItemError: the dashboard could not be had or is not proven to be one.
            SourceUnavailableError: the source asks for a pause that is too long to wait for, or fails so often that
                asking on would do harm: the run should stop and keep its checkpoint.
            SourceOffError: somebody switched the source off; the same.
        """
        ...

    def traffic(self) -> Traffic:
        """Return what was sent and received so far."""
        ...


class RequestBudget(Protocol):
    """One budget of requests for a registrable domain: a rate, a ceiling of requests in flight, and one pause for all.

    Every request takes a slot: listing, dashboards, robots.txt, retries and redirects.
    """

    def slot(self) -> AbstractAsyncContextManager[None]:
        """Wait until one request may be sent; it counts as in flight until the context ends.

        Raises:
            SourceUnavailableError: on entering, when the pause that the source asked for is too long to wait for.
            SourceOffError: on entering, when the source is switched off.
        """
        ...

    async def pause(self, seconds: float) -> None:
        """Hold back every further request to the domain for this long; never shortens a longer pause."""
        ...


@dataclass(frozen=True, slots=True)
class DomainState:
    """What holds for everybody who asks a domain.

    Attributes:
        paused_seconds: how long nobody may ask it, from now; 0 when there is no pause.
        off_reason: why somebody switched the source off; None while it is on.
    """

    paused_seconds: float = 0.0
    off_reason: str | None = None


@dataclass(frozen=True, slots=True)
class ReservedSlots:
    """Slots that nobody else gets: the first begins in so many seconds, each further one an interval later."""

    seconds: float
    state: DomainState = DomainState()


class SharedPace(Protocol):
    """The request rate of one registrable domain, its pause and its off switch, shared by all who use one database.

    Durations are relative: the database's clock decides, and nobody else's has to agree with it. All methods raise
    DatabaseUnavailableError when the connection is lost.
    """

    async def reserve(self, slots: int, *, interval: float) -> ReservedSlots:
        """Take the next `slots` free slots, each `interval` seconds long; none begins during the pause.

        Unused time is not saved up. While the source is off nothing is taken.
        """
        ...

    async def look(self) -> DomainState:
        """Return what holds now."""
        ...

    async def pause(self, seconds: float) -> None:
        """Let nobody's slot begin for so long; never shortens a longer pause."""
        ...

    async def switch(self, *, off_reason: str | None) -> None:
        """Switch the source off for this reason, or on (None)."""
        ...


@dataclass(frozen=True, slots=True)
class RobotsRecord:
    """What a host's robots.txt says about our page there, as of when it was asked for.

    Attributes:
        host: the host's full name, lower case.
        status: HTTP status of the answer.
        is_allowed: whether our user agent may fetch `/`.
        crawl_delay: seconds between two requests to the host that it asks of us; None when it asks for nothing.
        fetched_at: when.
        body: the beginning of the file, for people to look at; "" when there is none.
    """

    host: str
    status: int
    is_allowed: bool
    crawl_delay: float | None
    fetched_at: datetime
    body: str = ""


class RobotsCache(Protocol):
    """What is known of robots.txt files, durable and shared by all runs.

    All methods raise DatabaseUnavailableError when the connection is lost.
    """

    async def read(self, domain: str) -> Mapping[str, RobotsRecord]:
        """Return what is known of the domain's hosts, by host and of any age; bodies are left out."""
        ...

    async def write(self, domain: str, records: Sequence[RobotsRecord]) -> None:
        """Keep these records; of two for one host the later `fetched_at` stays."""
        ...
