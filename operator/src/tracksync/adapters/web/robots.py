"""Whether a host lets us in: its robots.txt, asked for once a day, remembered durably, and believed when in doubt."""

from __future__ import annotations

import asyncio
import unicodedata
from contextlib import suppress
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from tracksync.adapters.web.fetching import FetchError, FetchProblem
from tracksync.adapters.web.introduction import PRODUCT_TOKEN
from tracksync.adapters.web.parser import PageNotParsedError
from tracksync.adapters.web.spacing import HostSpacing
from tracksync.errors import TrackSyncError
from tracksync.ports import RobotsRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracksync.adapters.web.fetching import RobotsFile
    from tracksync.adapters.web.parser import Parser
    from tracksync.adapters.web.transport import Transport
    from tracksync.ports import Clock, RobotsCache

FRESH_FOR: Final = timedelta(hours=24)
"""RFC 9309, section 2.4."""
_SKEW: Final = timedelta(minutes=10)
"""By so much two machines' clocks may differ; a record from later than that says nothing about its age."""
LONGEST_CRAWL_DELAY: Final = 60.0
"""Seconds; a host that asks for a longer distance is not fetched at all."""
_BATCH: Final = 50
_KEPT_BYTES: Final = 8 * 2**10
_LAST_WRITE_SECONDS: Final = 2.0


class RobotsForbidError(Exception):
    """The host's robots.txt does not let us in."""


class RobotsUnknownError(Exception):
    """Nobody can say what the host's robots.txt allows."""


class RobotsGate:
    """Lets requests pass to hosts whose robots.txt allows it; use as an async context manager within the transport's.

    A host that cannot be asked is judged by the last known copy, of whatever age; without one it is not entered.

    Args:
        domain: the registrable domain whose records are read.
        transport: fetches the files.
        parser: reads them.
        cache: what is known of them, shared by all runs.
        clock: the wall clock, for the age of records.
    """

    def __init__(self, domain: str, *, transport: Transport, parser: Parser, cache: RobotsCache, clock: Clock) -> None:
        self._domain = domain
        self._transport = transport
        self._parser = parser
        self._cache = cache
        self._clock = clock
        self._known: dict[str, RobotsRecord] | None = None
        self._reading = asyncio.Lock()
        self._asking: dict[str, asyncio.Lock] = {}
        self._settled: set[str] = set()
        self._unwritten: list[RobotsRecord] = []
        self._spacings: dict[str, HostSpacing] = {}

    async def close(self) -> None:
        """Write what is not written yet, within a moment; what cannot be written is asked for again by the next run."""
        with suppress(TrackSyncError, TimeoutError):
            async with asyncio.timeout(_LAST_WRITE_SECONDS):
                await self._write()

    async def enter(self, host: str) -> HostSpacing | None:
        """Return the distance that the host asks us to keep between requests, when it lets us in.

        Raises:
            RobotsForbidError: it does not, or asks for a longer distance than a run can keep.
            RobotsUnknownError: its robots.txt cannot be had, and there is no earlier copy.
            FetchError: the host may not be connected to at all.
            SourceUnavailableError, SourceOffError: as the transport says.
            DatabaseUnavailableError: what is known cannot be read or written.
        """
        record = await self._settled_record(host)
        if not record.is_allowed:
            raise RobotsForbidError(f"the robots.txt of {host} forbids its page to us")
        delay = record.crawl_delay or 0.0
        if delay > LONGEST_CRAWL_DELAY:
            raise RobotsForbidError(
                f"the robots.txt of {host} asks for {delay:.0f} s between two requests,"
                f" longer than a run waits ({LONGEST_CRAWL_DELAY:.0f} s)"
            )
        return self._spacing(host, delay) if delay else None

    async def _settled_record(self, host: str) -> RobotsRecord:
        known = await self._records()
        record = known.get(host)
        if record is not None and (host in self._settled or self._is_fresh(record)):
            return record
        async with self._asking.setdefault(host, asyncio.Lock()):
            if host in self._settled:
                return known[host]
            record = await self._ask(host, known.get(host))
            known[host] = record
            self._settled.add(host)
        self._asking.pop(host, None)
        if len(self._unwritten) >= _BATCH:
            await self._write()
        return record

    async def _ask(self, host: str, last_known: RobotsRecord | None) -> RobotsRecord:
        """Return what the host says now, or else what it said last."""
        try:
            record = await self._read(host, await self._transport.fetch_robots(host))
        except (FetchError, PageNotParsedError) as error:
            if isinstance(error, FetchError) and error.problem is FetchProblem.ADDRESS:
                raise
            if last_known is None:
                what = str(error) or "it takes more time or memory to read than a file may"
                raise RobotsUnknownError(
                    f"what the robots.txt of {host} allows is not known, so its page is not fetched: {what}"
                ) from error
            return last_known
        self._unwritten.append(record)
        if record.crawl_delay:
            # The answer has just come: counted from here, the next request is rather later than asked for.
            self._spacings[host] = HostSpacing(record.crawl_delay, last_sent=self._clock.monotonic())
        return record

    async def _read(self, host: str, file: RobotsFile) -> RobotsRecord:
        fetched_at = self._clock.now()
        if file.status != HTTPStatus.OK:
            return RobotsRecord(host, file.status, is_allowed=True, crawl_delay=None, fetched_at=fetched_at)
        rules = await self._parser.parse_robots(file.body, host=host, agent=PRODUCT_TOKEN)
        return RobotsRecord(
            host,
            file.status,
            is_allowed=rules.is_allowed,
            crawl_delay=rules.crawl_delay,
            fetched_at=fetched_at,
            body=beginning_of(file.body),
        )

    async def _records(self) -> dict[str, RobotsRecord]:
        if self._known is None:
            async with self._reading:
                if self._known is None:
                    self._known = dict(await self._cache.read(self._domain))
        return self._known

    async def _write(self) -> None:
        while self._unwritten:
            batch: Sequence[RobotsRecord] = self._unwritten[:_BATCH]
            del self._unwritten[: len(batch)]
            try:
                await self._cache.write(self._domain, batch)
            except BaseException:
                self._unwritten[:0] = batch
                raise

    def _spacing(self, host: str, seconds: float) -> HostSpacing:
        return self._spacings.setdefault(host, HostSpacing(seconds))

    def _is_fresh(self, record: RobotsRecord) -> bool:
        now = self._clock.now()
        return now - FRESH_FOR < record.fetched_at <= now + _SKEW


def beginning_of(body: bytes) -> str:
    """Return the first 8 KiB of a robots.txt as text that a database and a terminal can take."""
    text = body[:_KEPT_BYTES].decode("utf-8-sig", errors="ignore")
    return "".join(char for char in text if char in "\n\t" or not unicodedata.category(char).startswith("C"))
