"""What a host's robots.txt decides: fresh, stale, missing, forbidding, unreachable, hostile.

Left out: redirects and sizes of the file, which are the transport's (test_transport.py).
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.web.server import Handler, Server, answers, response, serving
from tracksync.adapters.clock import SystemClock
from tracksync.adapters.memory_source import MemoryPace, MemoryRobots
from tracksync.adapters.web.budget import Ceilings, DomainBudget
from tracksync.adapters.web.endpoints import Endpoints
from tracksync.adapters.web.parser import CPU_SECONDS, Parser
from tracksync.adapters.web.robots import RobotsForbidError, RobotsGate, RobotsUnknownError, beginning_of
from tracksync.adapters.web.transport import Site, Transport
from tracksync.errors import DatabaseUnavailableError
from tracksync.ports import RobotsRecord

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

DOMAIN = "tracks.example.org"
HOST = f"abc.{DOMAIN}"
FORBIDDING = "User-agent: *\nDisallow: /\n"


class Robots(MemoryRobots):
    """A cache that counts its uses and can be lost."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self.batches: list[int] = []
        self.is_lost = False

    async def read(self, domain: str) -> dict[str, RobotsRecord]:
        self.reads += 1
        return dict(await super().read(domain))

    async def write(self, domain: str, records: Sequence[RobotsRecord]) -> None:
        if self.is_lost:
            raise DatabaseUnavailableError("gone")
        self.batches.append(len(records))
        await super().write(domain, records)


def a_record(*, is_allowed: bool = True, age: timedelta = timedelta(), delay: float | None = None) -> RobotsRecord:
    return RobotsRecord(HOST, 200, is_allowed, delay, datetime.now(UTC) - age)


@asynccontextmanager
async def a_gate(
    server: Server, cache: MemoryRobots | None = None, *, cpu_seconds: int = CPU_SECONDS
) -> AsyncIterator[RobotsGate]:
    async def sleep(_seconds: float) -> None:
        await asyncio.sleep(0)

    clock = SystemClock()
    budget = DomainBudget(DOMAIN, Ceilings(10_000, 6), pace=MemoryPace(clock), clock=clock)
    site = Site(scheme="http", domain=DOMAIN, user_agent="TrackSync/test")
    async with (
        Transport(site, endpoints=Endpoints(server.entry()), budget=budget, clock=clock, sleep=sleep) as transport,
        Parser(cpu_seconds=cpu_seconds) as parser,
    ):
        gate = RobotsGate(DOMAIN, transport=transport, parser=parser, cache=cache or MemoryRobots(), clock=clock)
        try:
            yield gate
        finally:
            await gate.close()


async def verdict(body: str | bytes, *, status: int = 200) -> str:
    """Return what the gate says to a robots.txt: `allowed`, `forbidden`, `unknown`, or the delay."""
    handler = answers(response(body, status=status, content_type="text/plain", Retry_After="0"))
    async with serving(handler, robots=None) as server, a_gate(server) as gate:
        try:
            spacing = await gate.enter(HOST)
        except (RobotsForbidError, RobotsUnknownError) as error:
            outcome = "forbidden" if isinstance(error, RobotsForbidError) else "unknown"
            return outcome if HOST in str(error) else f"{outcome}, without the host's name"
    return "allowed" if spacing is None else f"{spacing._seconds:g}"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("", "allowed"),
        ("User-agent: *\nDisallow:\n", "allowed"),
        ("User-agent: *\nDisallow: /admin\n", "allowed"),
        (FORBIDDING, "forbidden"),
        ("\ufeff" + FORBIDDING, "forbidden"),
        ("User-agent: TrackSync\nDisallow: /\n\nUser-agent: *\nAllow: /\n", "forbidden"),
        ("User-agent: tracksync\nAllow: /\n\nUser-agent: *\nDisallow: /\n", "allowed"),
        ("User-agent: OtherBot\nDisallow: /\n", "allowed"),
        ("User-agent: *\nDisallow: /\nAllow: /$\n", "allowed"),
        ("<html>Not found</html>", "allowed"),
        ("User-agent: *\nCrawl-delay: 2.5\n", "2.5"),
        ("User-agent: *\nCrawl-delay: 0\n", "allowed"),
        ("User-agent: *\nCrawl-delay: soon\n", "allowed"),
        ("User-agent: *\nCrawl-delay: nan\n", "allowed"),
        ("User-agent: *\nCrawl-delay: 60\n", "60"),
        ("User-agent: *\nCrawl-delay: 61\n", "forbidden"),
        ("User-agent: *\nCrawl-delay: 1e300\n", "forbidden"),
        (b"User-agent: *\nDisallow: /\xff\xfe\nDisallow: /\n", "forbidden"),
    ],
)
async def test_the_file_is_obeyed_for_our_own_product(body: str | bytes, said: str) -> None:
    assert await verdict(body) == said


@pytest.mark.parametrize("status", [201, 204, 400, 401, 403, 404, 410])
async def test_a_host_without_a_file_allows(status: int) -> None:
    assert await verdict(FORBIDDING if status != 204 else "", status=status) == "allowed"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 304])
async def test_trap_8_a_host_that_cannot_say_is_not_entered(status: int) -> None:
    assert await verdict("", status=status) == "unknown"


async def test_a_file_that_blows_the_parsers_limits_cannot_be_had() -> None:
    every_rule_for_every_agent = (
        "".join(f"User-agent: {number}\n" for number in range(10_000)) + "Disallow: /x\n" * 20_000
    )
    async with (
        serving(answers(response(every_rule_for_every_agent)), robots=None) as server,
        a_gate(server, cpu_seconds=1) as gate,
    ):
        with pytest.raises(RobotsUnknownError, match="time or memory"):
            await gate.enter(HOST)
        assert len(server.requests) == 1


@pytest.mark.parametrize("is_allowed", [True, False])
@pytest.mark.parametrize("age", [timedelta(), timedelta(hours=23, minutes=59), timedelta(minutes=-9)])
async def test_a_fresh_record_is_believed_without_a_request(*, is_allowed: bool, age: timedelta) -> None:
    cache = MemoryRobots()
    await cache.write(DOMAIN, [a_record(is_allowed=is_allowed, age=age)])
    async with serving(answers(response("")), robots=None) as server, a_gate(server, cache) as gate:
        if is_allowed:
            assert await gate.enter(HOST) is None
        else:
            with pytest.raises(RobotsForbidError):
                await gate.enter(HOST)
    assert server.requests == []


@pytest.mark.parametrize("age", [timedelta(hours=24, seconds=1), timedelta(minutes=-11), timedelta(days=-400)])
async def test_an_old_record_or_one_from_the_future_is_asked_for_again(age: timedelta) -> None:
    cache = MemoryRobots()
    await cache.write(DOMAIN, [a_record(is_allowed=False, age=age)])
    async with serving(answers(response("")), robots=None) as server, a_gate(server, cache) as gate:
        assert await gate.enter(HOST) is None
        assert await gate.enter(HOST) is None
    assert len(server.requests) == 1


@pytest.mark.parametrize("is_allowed", [True, False])
@pytest.mark.parametrize("handler", [answers(response(status=500)), answers(response(status=301, Location="//x.y/"))])
async def test_the_last_known_copy_of_any_age_counts_while_the_host_cannot_say(
    handler: Handler, *, is_allowed: bool
) -> None:
    cache = Robots()
    await cache.write(DOMAIN, [a_record(is_allowed=is_allowed, age=timedelta(days=300))])
    cache.batches.clear()
    async with serving(handler, robots=None) as server, a_gate(server, cache) as gate:
        for _ in range(2):
            if is_allowed:
                assert await gate.enter(HOST) is None
            else:
                with pytest.raises(RobotsForbidError):
                    await gate.enter(HOST)
        asked = len(server.requests)
    assert asked in {1, 4}
    assert cache.batches == []


async def test_a_host_that_could_not_say_is_asked_again_at_the_next_attempt() -> None:
    handler = answers(*[response(status=500)] * 4, response(""))
    async with serving(handler, robots=None) as server, a_gate(server) as gate:
        with pytest.raises(RobotsUnknownError):
            await gate.enter(HOST)
        assert await gate.enter(HOST) is None


async def test_many_who_want_to_enter_at_once_ask_once() -> None:
    async with serving(answers(response("")), robots=None) as server, a_gate(server) as gate:
        await asyncio.gather(*(gate.enter(HOST) for _ in range(10)))
    assert len(server.requests) == 1


async def test_the_cache_is_read_once_and_written_in_batches_and_at_the_end() -> None:
    cache = Robots()
    async with serving(answers(response(status=404)), robots=None) as server:
        async with a_gate(server, cache) as gate:
            await asyncio.gather(*(gate.enter(f"track{number}.{DOMAIN}") for number in range(70)))
            assert sum(cache.batches) >= 50
            assert max(cache.batches) <= 50
        assert sum(cache.batches) == 70
        assert cache.reads == 1
        async with a_gate(server, cache) as gate:
            await gate.enter(f"track7.{DOMAIN}")
    assert len(server.requests) == 70


async def test_what_is_kept_of_a_file_says_what_was_read() -> None:
    cache = MemoryRobots()
    body = "User-agent: *\r\nDisallow: /x\x00\x1b[31m\u202e\r\nCrawl-delay: 3\r\n"
    before = datetime.now(UTC)
    async with serving(answers(response(body)), robots=None) as server, a_gate(server, cache) as gate:
        await gate.enter(HOST)
    record = cache._records[DOMAIN][HOST]
    assert (record.host, record.status, record.is_allowed, record.crawl_delay) == (HOST, 200, True, 3.0)
    assert before <= record.fetched_at <= datetime.now(UTC)
    assert record.body == "User-agent: *\nDisallow: /x[31m\nCrawl-delay: 3\n"


def test_the_beginning_of_a_file_is_8_kib_and_never_half_a_character() -> None:
    assert len(beginning_of(b"x" * 100_000)) == 8_192
    assert beginning_of(b"x" + "\u20ac".encode() * 10_000) == "x" + "\u20ac" * 2_730


async def test_a_lost_database_ends_the_run_but_not_its_close() -> None:
    cache = Robots()
    async with serving(answers(response(status=404)), robots=None) as server:
        async with a_gate(server, cache) as gate:
            cache.is_lost = True
            with pytest.raises(DatabaseUnavailableError):
                await asyncio.gather(*(gate.enter(f"track{number}.{DOMAIN}") for number in range(60)))
        assert cache.batches == []


async def test_a_crawl_delay_counts_from_the_robots_txt_itself() -> None:
    reply = response("User-agent: *\nCrawl-delay: 5\n")
    async with serving(answers(reply), robots=None) as server, a_gate(server) as gate:
        before = SystemClock().monotonic()
        spacing = await gate.enter(HOST)
        assert spacing is not None
        assert before <= spacing._last_sent <= SystemClock().monotonic()
        assert await gate.enter(HOST) is spacing
