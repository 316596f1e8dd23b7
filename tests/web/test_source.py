from __future__ import annotations

import asyncio

import pytest

from tests.liverc.pages import a_catalogue, a_dashboard, rows
from tests.web.server import Handler, Request, Server, answers, response, serving
from tracksync import __version__
from tracksync.adapters.clock import SystemClock
from tracksync.adapters.memory_source import MemoryPace, MemoryRobots
from tracksync.adapters.web.budget import LONGEST_PAUSE
from tracksync.adapters.web.source import WebSource
from tracksync.api.source import SourceEntry
from tracksync.core.tracks.model import Validators
from tracksync.errors import (
    ItemError,
    ItemErrorClass,
    ListingInvalidError,
    SettingsError,
    SourceNotAllowedError,
    SourceOffError,
    SourceUnavailableError,
)

CATALOGUE = response(a_catalogue(rows(3)).replace("liverc.com", "tracks.example.org"))
DASHBOARD = response(a_dashboard())
NESTED = response(b"<div><b>" * 60_000)


def a_source(
    entry: SourceEntry,
    *,
    rate: float | None = None,
    concurrency: int | None = None,
    pace: MemoryPace | None = None,
    robots: MemoryRobots | None = None,
) -> WebSource:
    clock = SystemClock()
    return WebSource(
        entry,
        requests_per_second=rate,
        concurrency=concurrency,
        clock=clock,
        pace=pace or MemoryPace(clock),
        robots=robots or MemoryRobots(),
    )


async def item_error(handler: Handler) -> ItemError:
    async with serving(handler) as server, a_source(server.entry()) as source:
        with pytest.raises(ItemError) as caught:
            await source.fetch_dashboard("abc")
    return caught.value


async def test_a_listing_and_a_dashboard_arrive_whole_and_are_counted() -> None:
    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(CATALOGUE if request.host.startswith("live.") else DASHBOARD)

    async with serving(handle) as server, a_source(server.entry()) as source:
        listing = await source.fetch_listing()
        assert [track.slug for track in listing.tracks] == ["track0", "track1", "track2"]
        assert listing.is_complete
        fetched = await source.fetch_dashboard("track1")
        assert fetched is not None
        assert fetched.dashboard.is_proven
        traffic = source.traffic()
    assert [request.host for request in server.requests] == ["live.tracks.example.org", "track1.tracks.example.org"]
    assert (traffic.requests, traffic.robots_requests, traffic.retries) == (4, 2, 0)
    assert traffic.bytes == len(a_catalogue(rows(3)).replace("liverc.com", "tracks.example.org")) + len(a_dashboard())


@pytest.mark.parametrize("status", [403, 404, 410])
async def test_trap_1_a_refused_dashboard_is_a_failed_item_with_its_status(status: int) -> None:
    error = await item_error(answers(response(a_dashboard(), status=status)))
    assert (error.error_class, error.http_status) == (ItemErrorClass.HTTP_STATUS, status)


@pytest.mark.parametrize(
    ("reply", "error_class", "status"),
    [
        (response("<html>Welcome</html>"), ItemErrorClass.NOT_A_DASHBOARD, 200),
        (response(a_dashboard(), content_type="application/json"), ItemErrorClass.NOT_A_DASHBOARD, 200),
        (response(b" " * 1_000_001), ItemErrorClass.TOO_LARGE, 200),
        (response(status=302, Location="https://example.org/"), ItemErrorClass.REDIRECT, None),
        (response(status=302, Location="http://live.tracks.example.org/"), ItemErrorClass.REDIRECT, None),
    ],
)
async def test_any_other_answer_is_a_failed_item_of_its_class(
    reply: bytes, error_class: ItemErrorClass, status: int | None
) -> None:
    error = await item_error(answers(reply))
    assert (error.error_class, error.http_status) == (error_class, status)


async def test_an_items_message_holds_no_text_of_the_page() -> None:
    error = await item_error(answers(response("<html><h1 class='page-header'>secret@example.org</h1></html>")))
    assert "secret" not in str(error)


@pytest.mark.parametrize("slug", ["", "www", "A", "a.b", "a/b", "abc@127.0.0.1", "a" * 64])
async def test_an_illegal_slug_never_becomes_a_request(slug: str) -> None:
    async with serving(answers(DASHBOARD)) as server, a_source(server.entry()) as source:
        with pytest.raises(ItemError):
            await source.fetch_dashboard(slug)
    assert server.requests == []


@pytest.mark.parametrize(("status", "remedy"), [(403, "contact"), (404, "domain"), (410, "domain")])
async def test_a_refused_catalogue_names_its_status_and_a_remedy(status: int, remedy: str) -> None:
    async with serving(answers(response(status=status))) as server, a_source(server.entry()) as source:
        with pytest.raises(SourceUnavailableError, match=rf"status {status}.*{remedy}"):
            await source.fetch_listing()


@pytest.mark.parametrize(
    "reply",
    [
        response(a_catalogue(rows(3)), content_type="text/plain"),
        response(b" " * 5_000_001),
        response(status=302, Location="http://www.tracks.example.org/"),
    ],
)
async def test_a_catalogue_that_is_no_page_of_its_host_is_an_invalid_listing(reply: bytes) -> None:
    async with serving(answers(reply)) as server, a_source(server.entry()) as source:
        with pytest.raises(ListingInvalidError, match="no track was touched"):
            await source.fetch_listing()


async def test_a_catalogue_that_redirects_off_the_source_is_not_allowed() -> None:
    reply = response(status=302, Location="http://169.254.169.254/")
    async with serving(answers(reply)) as server, a_source(server.entry()) as source:
        with pytest.raises(SourceNotAllowedError):
            await source.fetch_listing()
    assert len(server.requests) == 1


async def test_a_catalogue_at_a_private_address_is_not_allowed_and_the_message_names_the_setting() -> None:
    async with serving(answers(CATALOGUE)) as server:
        entry = server.entry().model_copy(update={"allow_private_addresses": False})
        async with a_source(entry) as source:
            with pytest.raises(SourceNotAllowedError, match="allowPrivateAddresses"):
                await source.fetch_listing()
            with pytest.raises(ItemError) as caught:
                await source.fetch_dashboard("abc")
    assert caught.value.error_class is ItemErrorClass.CONNECTION
    assert server.connections == 0


async def test_a_page_that_blows_the_parsers_limit_fails_its_track_and_no_other() -> None:
    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(NESTED if request.host.startswith("nested.") else DASHBOARD)

    async with serving(handle) as server, a_source(server.entry()) as source:
        source._parser._page_seconds = 0.3
        (await source._parser._living_child())._page_seconds = 0.3
        nested, *others = await asyncio.gather(
            *(source.fetch_dashboard(slug) for slug in ("nested", "a", "b", "c")), return_exceptions=True
        )
    assert isinstance(nested, ItemError)
    assert nested.error_class is ItemErrorClass.PARSER
    assert not any(isinstance(other, BaseException) for other in others)


async def test_a_pause_that_is_too_long_to_wait_for_ends_the_run() -> None:
    reply = response(status=429, Retry_After=str(int(LONGEST_PAUSE) + 100))
    async with serving(answers(reply)) as server, a_source(server.entry()) as source:
        with pytest.raises(SourceUnavailableError, match="asks to wait"):
            await source.fetch_dashboard("abc")
        with pytest.raises(SourceUnavailableError, match="asks to wait"):
            await source.fetch_dashboard("other")
    assert len(server.requests) == 1


async def test_a_run_may_lower_the_entrys_limits_but_not_raise_them() -> None:
    entry = Server(port=1).entry(rate=10, concurrency=4)
    lower = a_source(entry, rate=2.0, concurrency=1)
    higher = a_source(entry, rate=50.0, concurrency=9)
    rates = [source._budget._own.rate for source in (lower, higher)]
    places = [source._budget._in_flight._value for source in (lower, higher)]
    assert (rates, places) == ([2.0, 10.0], [1, 4])


@pytest.mark.parametrize(
    "contact",
    [
        "",
        " ",
        "me",
        "ops@example.com",
        "https://example.org/bot",
        "your-mail@club.net",
        "changeme@club.net",
        "ops@localhost",
    ],
)
def test_the_real_site_is_never_asked_without_a_real_contact(contact: str) -> None:
    with pytest.raises(SettingsError, match=r"sources\[\]\.contact"):
        a_source(SourceEntry(contact=contact))


def test_a_contact_that_cannot_stand_in_a_header_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"sources\[\]\.contact"):
        a_source(Server(port=1).entry().model_copy(update={"contact": "ops@club.net\r\nX: y"}))


async def test_the_contact_is_part_of_the_user_agent() -> None:
    async with serving(answers(CATALOGUE)) as server:
        entry = server.entry().model_copy(update={"contact": "https://club.net/bot"})
        async with a_source(entry) as source:
            await source.fetch_listing()
    assert server.requests[0].headers["user-agent"] == f"TrackSync/{__version__} (+https://club.net/bot)"


@pytest.mark.parametrize("contact", ["ops@club.net", "https://club.net/bot", "mailto:ops@club.net"])
def test_a_real_contact_is_enough(contact: str) -> None:
    a_source(SourceEntry(contact=contact))


DISALLOWED = response("User-agent: *\nDisallow: /\n", content_type="text/plain")


async def test_what_robots_txt_forbids_is_never_asked_for() -> None:
    async with serving(answers(DASHBOARD), robots=DISALLOWED) as server, a_source(server.entry()) as source:
        with pytest.raises(ItemError, match=r"robots\.txt of abc\.tracks\.example\.org forbids") as caught:
            await source.fetch_dashboard("abc")
        with pytest.raises(SourceNotAllowedError, match=r"robots\.txt of live\.tracks\.example\.org forbids"):
            await source.fetch_listing()
    assert caught.value.error_class is ItemErrorClass.ROBOTS_DISALLOWED
    assert not caught.value.is_transient
    assert server.requests == []


async def test_trap_8_robots_txt_fails_closed() -> None:
    error = response(status=500)
    async with serving(answers(DASHBOARD), robots=error) as server, a_source(server.entry()) as source:
        with pytest.raises(ItemError) as caught:
            await source.fetch_dashboard("abc")
        with pytest.raises(SourceUnavailableError, match=r"robots\.txt of live"):
            await source.fetch_listing()
    assert caught.value.error_class is ItemErrorClass.ROBOTS_UNREACHABLE
    assert caught.value.is_transient
    assert server.requests == []


async def test_what_one_run_learnt_of_robots_txt_the_next_one_knows() -> None:
    robots = MemoryRobots()
    async with serving(answers(DASHBOARD)) as server:
        for _ in range(2):
            async with a_source(server.entry(), robots=robots) as source:
                await source.fetch_dashboard("abc")
    assert len(server.robots_requests) == 1
    assert len(server.requests) == 2


async def test_trap_9_a_dashboard_brings_its_validators_and_an_unchanged_one_does_not_come_again() -> None:
    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        is_known = request.headers.get("if-none-match") == '"1"'
        writer.write(response(status=304) if is_known else response(a_dashboard(), ETag='"1"'))

    async with serving(handle) as server, a_source(server.entry()) as source:
        fetched = await source.fetch_dashboard("abc")
        assert fetched is not None
        assert fetched.validators == Validators(etag='"1"')
        assert await source.fetch_dashboard("abc", validators=fetched.validators) is None


async def test_trap_10_a_source_that_is_switched_off_is_not_asked_and_no_item_fails_for_it() -> None:
    clock = SystemClock()
    pace = MemoryPace(clock)
    async with serving(answers(DASHBOARD)) as server, a_source(server.entry(), pace=pace) as source:
        await source.verify_open()
        await pace.switch(off_reason="asked to stop")
        source._budget._known_at = -1.0
        for ask in (source.verify_open, source.fetch_listing, lambda: source.fetch_dashboard("abc")):
            with pytest.raises(SourceOffError, match="asked to stop"):
                await ask()
    assert server.requests == server.robots_requests == []


async def test_two_runs_keep_one_rate_as_the_server_counts_it() -> None:
    clock = SystemClock()
    pace, robots = MemoryPace(clock), MemoryRobots()
    async with (
        serving(answers(DASHBOARD)) as server,
        a_source(server.entry(rate=20), pace=pace, robots=robots) as first,
        a_source(server.entry(rate=20), pace=pace, robots=robots) as second,
    ):
        await asyncio.gather(*(run.fetch_dashboard(f"t{number}") for run in (first, second) for number in range(5)))
    times = sorted(request.at for request in [*server.requests, *server.robots_requests])
    assert len(times) == 20
    assert all(times[index + 5] - times[index] >= 5 / 20 - 0.06 for index in range(15))


async def test_the_entry_says_how_large_the_catalogue_may_be() -> None:
    page = a_catalogue(rows(300)).replace("liverc.com", "tracks.example.org")
    assert len(page) > 100_000
    async with serving(answers(response(page))) as server:
        small = server.entry().model_copy(update={"catalogue_bytes": 100_000})
        async with a_source(small) as source:
            with pytest.raises(ListingInvalidError, match="larger than 100,000 bytes"):
                await source.fetch_listing()
        async with a_source(server.entry()) as source:
            assert len((await source.fetch_listing()).tracks) == 300
