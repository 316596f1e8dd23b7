from __future__ import annotations

import asyncio
import gzip
import re
from contextlib import asynccontextmanager
from ipaddress import ip_address
from itertools import pairwise
from time import monotonic as time
from typing import TYPE_CHECKING

import pytest

from tests.web.certificates import Authority
from tests.web.server import Handler, Request, Server, answers, response, serving
from tracksync.adapters.clock import SystemClock
from tracksync.adapters.memory_source import MemoryPace
from tracksync.adapters.web.budget import Ceilings, DomainBudget
from tracksync.adapters.web.endpoints import Endpoints
from tracksync.adapters.web.fetching import FetchError, FetchProblem, Limits, Page, RobotsFile
from tracksync.adapters.web.spacing import HostSpacing
from tracksync.adapters.web.transport import Site, Transport
from tracksync.core.tracks.model import Traffic, Validators
from tracksync.errors import SourceUnavailableError

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tracksync.api.source import SourceEntry

DOMAIN = "tracks.example.org"
HOST = f"abc.{DOMAIN}"
PAGE = "<html>\t<p>page</p></html>"
LIMITS = Limits(body_bytes=10_000, total_seconds=5.0)
OK = response(PAGE)


@asynccontextmanager
async def a_transport(
    entry: SourceEntry,
    *,
    scheme: str = "http",
    tls: ssl.SSLContext | None = None,
    waits: list[float] | None = None,
    is_waiting: bool = False,
) -> AsyncIterator[Transport]:
    """Open a transport whose waits between tries are noted instead of waited for, unless it `is_waiting`."""

    async def sleep(seconds: float) -> None:
        if waits is not None:
            waits.append(seconds)
        await asyncio.sleep(seconds if is_waiting else 0)

    clock = SystemClock()
    ceilings = Ceilings(rate=entry.requests_per_second, in_flight=entry.concurrency)
    budget = DomainBudget(entry.domain, ceilings, pace=MemoryPace(clock), clock=clock)
    site = Site(scheme=scheme, domain=entry.domain, user_agent="TrackSync/test (+ops@example.org)", tls=tls)
    async with Transport(site, endpoints=Endpoints(entry), budget=budget, clock=clock, sleep=sleep) as transport:
        yield transport


async def body_of(transport: Transport, host: str = HOST) -> bytes:
    page = await transport.fetch(host, limits=LIMITS)
    assert page is not None
    return page.body


async def failure(handler: Handler, *, limits: Limits = LIMITS) -> tuple[FetchError, Server]:
    """Return how a fetch from this server fails."""
    async with serving(handler) as server, a_transport(server.entry()) as transport:
        with pytest.raises(FetchError) as caught:
            await transport.fetch(HOST, limits=limits)
    return caught.value, server


async def test_a_page_is_fetched_with_the_tracks_host_and_an_honest_name() -> None:
    async with serving(answers(OK)) as server, a_transport(server.entry()) as transport:
        assert await transport.fetch(HOST, limits=LIMITS) == Page(PAGE.encode(), "utf-8")
    (request,) = server.requests
    assert request.path == "/"
    assert dict(request.headers) == {
        "host": HOST,
        "user-agent": "TrackSync/test (+ops@example.org)",
        "accept": "text/html",
        "accept-encoding": "gzip",
    }


async def test_gzip_is_decoded_and_the_bytes_on_the_wire_are_counted() -> None:
    data = gzip.compress(PAGE.encode() * 100)
    async with (
        serving(answers(response(data, Content_Encoding="gzip"))) as server,
        a_transport(server.entry()) as transport,
    ):
        assert await body_of(transport) == PAGE.encode() * 100
        assert transport.traffic() == Traffic(requests=1, bytes=len(data))


async def test_hosts_of_one_address_share_connections() -> None:
    async with serving(answers(OK)) as server, a_transport(server.entry()) as transport:
        for number in range(5):
            await transport.fetch(f"track{number}.{DOMAIN}", limits=LIMITS)
    assert server.connections == 1
    assert [request.host for request in server.requests] == [f"track{number}.{DOMAIN}" for number in range(5)]


async def test_no_cookie_is_ever_sent_back() -> None:
    reply = response(PAGE, Set_Cookie="id=1; Path=/")
    async with serving(answers(reply)) as server, a_transport(server.entry()) as transport:
        await transport.fetch(HOST, limits=LIMITS)
        await transport.fetch(HOST, limits=LIMITS)
    assert all("cookie" not in request.headers for request in server.requests)


async def test_a_proxy_in_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    async with serving(answers(OK)) as server, a_transport(server.entry()) as transport:
        assert await body_of(transport) == PAGE.encode()


@pytest.mark.parametrize("status", [204, 400, 403, 404, 410])
async def test_trap_1_a_refusal_is_a_failure_with_its_status_and_is_not_tried_again(status: int) -> None:
    error, server = await failure(answers(response(PAGE, status=status)))
    assert (error.problem, error.status) == (FetchProblem.STATUS, status)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [500, 502, 504])
async def test_a_server_error_is_tried_four_times_with_growing_waits(status: int) -> None:
    waits: list[float] = []
    async with (
        serving(answers(response(status=status))) as server,
        a_transport(server.entry(), waits=waits) as transport,
    ):
        with pytest.raises(FetchError) as caught:
            await transport.fetch(HOST, limits=LIMITS)
    assert caught.value.status == status
    assert len(server.requests) == 4
    assert len(waits) == 3
    assert all(0 <= wait <= cap for wait, cap in zip(waits, (0.5, 1.0, 2.0), strict=True))


async def test_a_try_after_a_failure_can_succeed() -> None:
    async with serving(answers(response(status=500), OK)) as server, a_transport(server.entry()) as transport:
        assert await body_of(transport) == PAGE.encode()
        assert (transport.traffic().requests, transport.traffic().retries) == (2, 1)


@pytest.mark.parametrize("status", [429, 503])
async def test_trap_8_retry_after_pauses_every_request_to_the_domain(status: int) -> None:
    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(response(status=status, Retry_After="1") if request is server.requests[0] else OK)

    async with serving(handle) as server, a_transport(server.entry()) as transport:
        await asyncio.gather(*(transport.fetch(f"{name}.{DOMAIN}", limits=LIMITS) for name in ("a", "b")))
        await transport.fetch(HOST, limits=LIMITS)
    refused, *others = server.requests
    # The second one may have been on its way already.
    assert all(request.at - refused.at >= 0.99 for request in others[1:])
    assert len(others) == 3


async def test_the_rate_is_kept_as_the_server_counts_it() -> None:
    async with serving(answers(OK)) as server, a_transport(server.entry(rate=20)) as transport:
        await asyncio.gather(*(transport.fetch(f"track{number}.{DOMAIN}", limits=LIMITS) for number in range(12)))
    times = [request.at for request in server.requests]
    assert len(times) == 12
    assert times[-1] - times[0] >= 11 / 20 - 0.03
    assert all(times[index + 5] - times[index] >= 5 / 20 - 0.03 for index in range(7))


async def test_retries_and_redirects_take_slots_of_the_rate_as_well() -> None:
    replies = (response(status=302, Location="/a"), response(status=500), response(status=302, Location="/a"), OK)
    async with serving(answers(*replies)) as server, a_transport(server.entry(rate=20)) as transport:
        await transport.fetch(HOST, limits=LIMITS)
    times = [request.at for request in server.requests]
    assert len(times) == 4
    assert all(later - earlier >= 1 / 20 - 0.02 for earlier, later in pairwise(times))


async def test_never_more_requests_in_flight_than_allowed() -> None:
    async def handle(_request: Request, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.01)
        writer.write(OK)

    async with serving(handle) as server, a_transport(server.entry(concurrency=3)) as transport:
        await asyncio.gather(*(transport.fetch(f"track{number}.{DOMAIN}", limits=LIMITS) for number in range(15)))
    assert server.most_in_flight == 3


async def test_more_than_one_pool_opens_when_many_requests_are_in_flight() -> None:
    everybody = asyncio.Barrier(20)

    async def handle(_request: Request, writer: asyncio.StreamWriter) -> None:
        await everybody.wait()
        writer.write(OK)

    async with serving(handle) as server, a_transport(server.entry(concurrency=20)) as transport:
        await asyncio.gather(*(transport.fetch(f"track{number}.{DOMAIN}", limits=LIMITS) for number in range(20)))
    assert server.most_in_flight == 20


async def test_a_body_that_drips_ends_at_the_total_deadline() -> None:
    async def drip(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    error, server = await failure(drip, limits=Limits(body_bytes=10_000, total_seconds=0.15))
    assert error.problem is FetchProblem.TIMEOUT
    assert len(server.requests) == 4


async def test_headers_that_never_come_end_at_the_deadline() -> None:
    async def hang(_request: Request, _writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    error, _ = await failure(hang, limits=Limits(body_bytes=10_000, total_seconds=0.05))
    assert error.problem is FetchProblem.TIMEOUT


async def test_headers_without_end_are_refused() -> None:
    async def flood(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n" + b"X-Header: value\r\n" * 20_000)
        await writer.drain()

    error, _ = await failure(flood)
    assert error.problem is FetchProblem.CONNECTION


async def test_a_body_over_the_cap_is_refused_without_being_read_to_its_end() -> None:
    sent = 0

    async def endless(_request: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"1000\r\n" + b"x" * 0x1000 + b"\r\n")
            await writer.drain()
            sent += 0x1000

    error, server = await failure(endless)
    assert error.problem is FetchProblem.TOO_LARGE
    assert len(server.requests) == 1
    assert sent < 20_000_000


async def test_a_gzip_bomb_is_refused() -> None:
    error, server = await failure(answers(response(gzip.compress(b" " * 5_000_000), Content_Encoding="gzip")))
    assert error.problem is FetchProblem.TOO_LARGE
    assert len(server.requests) == 1


def closing(data: bytes) -> Handler:
    """Return a handler that sends this and hangs up."""

    async def handle(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        writer.close()

    return handle


@pytest.mark.parametrize(
    "data",
    [
        OK[:-5],
        response(gzip.compress(PAGE.encode())[:-3], Content_Encoding="gzip"),
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n<html\r\n",
    ],
)
async def test_a_cut_body_is_a_failure_after_four_tries(data: bytes) -> None:
    error, server = await failure(closing(data))
    assert error.problem is FetchProblem.CUT
    assert len(server.requests) == 4


@pytest.mark.parametrize("data", [b"", b"HTTP/1.1 200", b"rubbish\r\n\r\n"])
async def test_a_connection_that_breaks_or_speaks_no_http_is_a_failure_after_four_tries(data: bytes) -> None:
    error, server = await failure(closing(data))
    assert error.problem is FetchProblem.CONNECTION
    assert len(server.requests) == 4


async def test_a_refused_connection_is_a_failure() -> None:
    async with serving(answers(OK)) as server:
        entry = server.entry()
    async with a_transport(entry) as transport:
        with pytest.raises(FetchError) as caught:
            await transport.fetch(HOST, limits=LIMITS)
    assert caught.value.problem is FetchProblem.CONNECTION


@pytest.mark.parametrize(
    "reply",
    [
        response(PAGE, content_type="application/json"),
        response(PAGE, content_type=""),
        response(PAGE, content_type="text/plain; charset=text/html"),
        response(PAGE, Content_Encoding="br"),
        response(PAGE, Content_Encoding="gzip, gzip"),
    ],
)
async def test_what_is_not_html_in_a_known_encoding_is_refused(reply: bytes) -> None:
    error, server = await failure(answers(reply))
    assert (error.problem, error.status) == (FetchProblem.NOT_HTML, 200)
    assert len(server.requests) == 1


@pytest.mark.parametrize("location", ["/home", "home?x=1", f"//{HOST}/home", f"http://{HOST}:80/home"])
async def test_a_redirect_on_the_same_host_is_followed(location: str) -> None:
    async with (
        serving(answers(response(status=302, Location=location), OK)) as server,
        a_transport(server.entry()) as transport,
    ):
        assert await body_of(transport) == PAGE.encode()
    assert [request.host for request in server.requests] == [HOST, HOST]
    assert server.requests[1].path in {"/home", "/home?x=1"}


@pytest.mark.parametrize(
    "location",
    [
        "http://example.org/",
        f"http://{DOMAIN}.example.com/",
        f"http://evil{DOMAIN}/",
        "http://127.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]/",
        "http://[bad/",
        f"ftp://{HOST}/",
        "file:///etc/passwd",
        f"http://user:pw@{HOST}/",
        f"http://{HOST}:8080/",
        f"http://{HOST}:99999/",
    ],
)
async def test_a_redirect_off_the_source_is_refused_and_never_followed(location: str) -> None:
    error, server = await failure(answers(response(status=301, Location=location), OK))
    assert error.problem is FetchProblem.OUTSIDE
    assert len(server.requests) == 1


async def test_a_redirect_to_another_host_of_the_source_is_no_answer_for_this_one() -> None:
    error, server = await failure(answers(response(status=302, Location=f"http://live.{DOMAIN}/"), OK))
    assert error.problem is FetchProblem.MOVED
    assert len(server.requests) == 1


async def test_a_redirect_loop_ends_after_three() -> None:
    error, server = await failure(answers(response(status=302, Location="/again")))
    assert error.problem is FetchProblem.MOVED
    assert len(server.requests) == 4


async def test_a_redirect_to_a_lower_scheme_is_refused(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    reply = response(status=302, Location=f"http://{HOST}/")
    async with (
        serving(answers(reply), tls=authority.server(HOST)) as server,
        a_transport(server.entry(), scheme="https", tls=authority.client()) as transport,
    ):
        with pytest.raises(FetchError) as caught:
            await transport.fetch(HOST, limits=LIMITS)
    assert caught.value.problem is FetchProblem.OUTSIDE


async def test_tls_is_verified_for_the_tracks_host_and_shared_under_a_wildcard(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with (
        serving(answers(OK), tls=authority.server(f"*.{DOMAIN}")) as server,
        a_transport(server.entry(), scheme="https", tls=authority.client()) as transport,
    ):
        for name in ("a", "b", "c"):
            await transport.fetch(f"{name}.{DOMAIN}", limits=LIMITS)
    assert server.connections == 1


async def test_a_shared_connection_whose_certificate_is_another_hosts_is_not_believed(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    contexts = {host: authority.server(host) for host in (f"a.{DOMAIN}", f"b.{DOMAIN}", f"c.{DOMAIN}")}
    tls = contexts[f"a.{DOMAIN}"]
    tls.sni_callback = lambda connection, name, _context: setattr(connection, "context", contexts[name or ""])

    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(response(f"{request.host} on {request.connection}"))

    async with (
        serving(handle, tls=tls) as server,
        a_transport(server.entry(), scheme="https", tls=authority.client()) as transport,
    ):
        bodies = [(await body_of(transport, host)).decode() for host in contexts]
    assert bodies == [f"a.{DOMAIN} on 1", f"b.{DOMAIN} on 2", f"c.{DOMAIN} on 3"]


async def test_a_server_that_answers_421_gets_a_connection_per_host() -> None:
    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        first = next(other for other in server.requests if other.connection == request.connection)
        writer.write(OK if first.host == request.host else response(status=421))

    async with serving(handle) as server, a_transport(server.entry()) as transport:
        for name in ("a", "b", "c"):
            assert await body_of(transport, f"{name}.{DOMAIN}") == PAGE.encode()
    assert server.connections == 3


async def test_an_unknown_authority_is_a_failed_connection(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with (
        serving(answers(OK), tls=authority.server(HOST)) as server,
        a_transport(server.entry(), scheme="https") as transport,
    ):
        with pytest.raises(FetchError) as caught:
            await transport.fetch(HOST, limits=LIMITS)
    assert caught.value.problem is FetchProblem.CONNECTION
    assert server.requests == []


async def test_an_address_that_is_not_public_is_never_connected_to() -> None:
    async with serving(answers(OK)) as server:
        entry = server.entry().model_copy(update={"allow_private_addresses": False})
        async with a_transport(entry) as transport:
            with pytest.raises(FetchError, match="allowPrivateAddresses") as caught:
                await transport.fetch(HOST, limits=LIMITS)
    assert caught.value.problem is FetchProblem.ADDRESS
    assert server.connections == 0


async def test_one_private_address_among_public_ones_denies_the_host() -> None:
    async def rebinding(_host: str, _port: int) -> tuple[object, ...]:
        return (ip_address("8.8.8.8"), ip_address("169.254.169.254"))

    entry = Server().entry().model_copy(update={"connect_to": None, "allow_private_addresses": False})
    endpoints = Endpoints(entry, resolver=rebinding)  # type: ignore[arg-type]
    with pytest.raises(FetchError) as caught:
        await endpoints.find(HOST, "https", turn=0)
    assert caught.value.problem is FetchProblem.ADDRESS


async def test_a_host_is_resolved_once_and_connected_to_as_checked() -> None:
    asked: list[tuple[str, int]] = []

    async def resolver(host: str, port: int) -> tuple[object, ...]:
        asked.append((host, port))
        return (ip_address("8.8.8.8"), ip_address("2606:4700::1"))

    entry = Server().entry().model_copy(update={"connect_to": None, "allow_private_addresses": False})
    endpoints = Endpoints(entry, resolver=resolver)  # type: ignore[arg-type]
    netlocs = [(await endpoints.find(HOST, "https", turn=turn)).netloc for turn in (0, 1)]
    assert netlocs == ["8.8.8.8:443", "[2606:4700::1]:443"]
    assert asked == [(HOST, 443)] * 2


async def test_connect_to_is_resolved_once_for_all_hosts_until_connecting_fails() -> None:
    asked: list[tuple[str, int]] = []

    async def resolver(host: str, port: int) -> tuple[object, ...]:
        asked.append((host, port))
        return (ip_address("::1"),)

    entry = Server().entry().model_copy(update={"connect_to": "[::1]:8080"})
    endpoints = Endpoints(entry, resolver=resolver)  # type: ignore[arg-type]
    for name in ("a", "b"):
        assert (await endpoints.find(f"{name}.{DOMAIN}", "http", turn=0)).netloc == "[::1]:8080"
    assert asked == [("::1", 8080)]
    endpoints.forget()
    await endpoints.find(HOST, "http", turn=0)
    assert len(asked) == 2


async def test_a_name_that_does_not_resolve_is_a_failed_connection() -> None:
    async def resolver(_host: str, _port: int) -> tuple[object, ...]:
        raise OSError("no such name")

    endpoints = Endpoints(Server(port=80).entry(), resolver=resolver)  # type: ignore[arg-type]
    with pytest.raises(FetchError) as caught:
        await endpoints.find(HOST, "http", turn=0)
    assert caught.value.problem is FetchProblem.CONNECTION


ETAG, MODIFIED = 'W/"a1"', "Sun, 01 Mar 2026 12:00:00 GMT"


async def test_the_validators_of_a_page_come_with_it() -> None:
    reply = response(PAGE, ETag=ETAG, Last_Modified=MODIFIED)
    async with serving(answers(reply)) as server, a_transport(server.entry()) as transport:
        assert await transport.fetch(HOST, limits=LIMITS) == Page(PAGE.encode(), "utf-8", Validators(ETAG, MODIFIED))


@pytest.mark.parametrize(
    ("etag", "usable"),
    [('"abc"', '"abc"'), ("  x ", "x"), ("", None), ("\xe9", None), ("a\tb", None), ("x" * 256, "x" * 256)],
)
async def test_only_short_printable_ascii_is_kept_as_a_validator(etag: str, usable: str | None) -> None:
    reply = response(PAGE, ETag=etag, Last_Modified="x" * 257)
    async with serving(answers(reply)) as server, a_transport(server.entry()) as transport:
        page = await transport.fetch(HOST, limits=LIMITS)
    assert page is not None
    assert page.validators == Validators(usable, None)


async def test_a_conditional_request_that_finds_nothing_new_brings_no_page() -> None:
    async with serving(answers(response(status=304))) as server, a_transport(server.entry()) as transport:
        assert await transport.fetch(HOST, limits=LIMITS, validators=Validators(ETAG, MODIFIED)) is None
    (request,) = server.requests
    assert request.headers["if-none-match"] == ETAG
    assert request.headers["if-modified-since"] == MODIFIED


async def test_a_conditional_request_that_finds_something_new_brings_the_page() -> None:
    async with serving(answers(OK)) as server, a_transport(server.entry()) as transport:
        page = await transport.fetch(HOST, limits=LIMITS, validators=Validators(etag=ETAG))
    assert page == Page(PAGE.encode(), "utf-8")
    assert "if-modified-since" not in server.requests[0].headers


@pytest.mark.parametrize("stored", [Validators(), Validators("a\r\nX: y", "\u0663"), Validators("x" * 257)])
async def test_a_304_that_nobody_asked_for_is_a_failure_and_unfit_validators_are_not_sent(stored: Validators) -> None:
    async with serving(answers(response(status=304))) as server, a_transport(server.entry()) as transport:
        with pytest.raises(FetchError) as caught:
            await transport.fetch(HOST, limits=LIMITS, validators=stored)
    assert (caught.value.problem, caught.value.status) == (FetchProblem.STATUS, 304)
    (request,) = server.requests
    assert not {"if-none-match", "if-modified-since", "x"} & set(request.headers)


async def test_h2_a_source_that_only_fails_costs_little_and_ends_the_run() -> None:
    async with serving(answers(response(status=500))) as server, a_transport(server.entry()) as transport:
        for number in range(20):
            with pytest.raises((FetchError, SourceUnavailableError)) as caught:
                await transport.fetch(f"track{number}.{DOMAIN}", limits=LIMITS)
        traffic = transport.traffic()
    assert isinstance(caught.value, SourceUnavailableError)
    assert re.search(r"last 20 requests in a row failed, to \d+ hosts.*keeps its checkpoint", str(caught.value))
    assert len(server.requests) == traffic.requests == 20
    assert traffic.retries == 10


async def test_h1_a_source_that_asks_for_one_pause_after_the_other_ends_the_run() -> None:
    reply = response(status=429, Retry_After="0")
    async with serving(answers(reply)) as server, a_transport(server.entry()) as transport:
        outcomes = await asyncio.gather(
            *(transport.fetch(f"track{number}.{DOMAIN}", limits=LIMITS) for number in range(30)),
            return_exceptions=True,
        )
        with pytest.raises(SourceUnavailableError, match="pauses asked for"):
            await transport.fetch(HOST, limits=LIMITS)
    assert any(isinstance(outcome, SourceUnavailableError) for outcome in outcomes)
    assert len(server.requests) < 60


async def test_broken_hosts_among_good_ones_fail_alone() -> None:
    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(response(status=500) if request.host.startswith("broken") else OK)

    async with serving(handle) as server, a_transport(server.entry()) as transport:
        for number in range(10):
            with pytest.raises(FetchError):
                await transport.fetch(f"broken{number}.{DOMAIN}", limits=LIMITS)
            await transport.fetch(f"good{number}.{DOMAIN}", limits=LIMITS)
        for number in range(10):
            with pytest.raises(FetchError):
                await transport.fetch(f"broken{number}.{DOMAIN}", limits=LIMITS)
    assert len(server.requests) >= 30


async def test_robots_txt_is_fetched_whatever_its_type_and_counted_apart() -> None:
    reply = response("User-agent: *", content_type="application/octet-stream")
    async with serving(answers(reply), robots=None) as server, a_transport(server.entry()) as transport:
        assert await transport.fetch_robots(HOST) == RobotsFile(200, b"User-agent: *")
        assert transport.traffic() == Traffic(requests=1, bytes=13, robots_requests=1)
    assert [(request.host, request.path) for request in server.requests] == [(HOST, "/robots.txt")]


@pytest.mark.parametrize("status", [204, 401, 403, 404, 410])
async def test_a_host_without_robots_txt_says_so_at_once(status: int) -> None:
    async with (
        serving(answers(response("x", status=status)), robots=None) as server,
        a_transport(server.entry()) as transport,
    ):
        assert await transport.fetch_robots(HOST) == RobotsFile(status)
    assert len(server.requests) == 1


@pytest.mark.parametrize(("status", "tries"), [(500, 4), (503, 4), (429, 4), (304, 1)])
async def test_a_robots_txt_that_cannot_be_had_is_a_failure(status: int, tries: int) -> None:
    reply = response(status=status, Retry_After="0")
    async with serving(answers(reply), robots=None) as server, a_transport(server.entry()) as transport:
        with pytest.raises(FetchError):
            await transport.fetch_robots(HOST)
        assert transport.traffic() == Traffic(requests=tries, robots_requests=tries, retries=tries - 1)


@pytest.mark.parametrize("is_zipped", [False, True])
async def test_h10_a_huge_robots_txt_is_cut_at_a_line_and_not_failed(*, is_zipped: bool) -> None:
    body = b"User-agent: *\nDisallow: /private/area\n" * 20_000
    reply = response(gzip.compress(body), Content_Encoding="gzip") if is_zipped else response(body)
    async with serving(answers(reply), robots=None) as server, a_transport(server.entry()) as transport:
        file = await transport.fetch_robots(HOST)
    assert 500 * 1024 <= len(file.body) <= 512 * 1024
    assert file.body.endswith((b"\nUser-agent: *", b"\nDisallow: /private/area"))
    assert len(server.requests) == 1


async def test_a_robots_txt_behind_redirects_on_the_domain_is_followed_by_hand() -> None:
    replies = [response(status=302, Location=f"http://h{number}.{DOMAIN}/robots.txt") for number in range(5)]
    async with (
        serving(answers(*replies, response("x")), robots=None) as server,
        a_transport(server.entry()) as transport,
    ):
        assert await transport.fetch_robots(HOST) == RobotsFile(200, b"x")
        assert transport.traffic() == Traffic(requests=6, bytes=1, robots_requests=6)
    assert [request.host for request in server.requests] == [HOST, *(f"h{number}.{DOMAIN}" for number in range(5))]


@pytest.mark.parametrize(
    ("location", "requests"),
    [("/robots.txt", 6), ("http://example.org/robots.txt", 1), ("http://169.254.169.254/", 1), (f"ftp://{HOST}/", 1)],
)
async def test_h10_a_robots_txt_that_leads_in_circles_or_away_cannot_be_had(location: str, requests: int) -> None:
    reply = response(status=301, Location=location)
    async with serving(answers(reply), robots=None) as server, a_transport(server.entry()) as transport:
        with pytest.raises(FetchError):
            await transport.fetch_robots(HOST)
    assert len(server.requests) == requests


async def test_a_host_is_asked_no_faster_than_its_crawl_delay_also_when_a_try_is_repeated() -> None:
    async with (
        serving(answers(response(status=500), OK)) as server,
        a_transport(server.entry(), is_waiting=True) as transport,
    ):
        spacing = HostSpacing(0.6)
        await transport.fetch(HOST, limits=LIMITS, spacing=spacing)
        await asyncio.gather(*(transport.fetch(HOST, limits=LIMITS, spacing=spacing) for _ in range(2)))
    assert len(server.requests) == 4
    assert all(later.at - earlier.at >= 0.58 for earlier, later in pairwise(server.requests))


async def test_only_the_host_that_asked_for_a_crawl_delay_waits() -> None:
    async with serving(answers(OK)) as server, a_transport(server.entry(), is_waiting=True) as transport:
        slow = asyncio.create_task(transport.fetch(HOST, limits=LIMITS, spacing=HostSpacing(3_600.0, last_sent=time())))
        await asyncio.gather(*(transport.fetch(f"track{number}.{DOMAIN}", limits=LIMITS) for number in range(12)))
        slow.cancel()
        await asyncio.wait({slow})
    assert len(server.requests) == 12


async def test_a_redirect_with_odd_characters_becomes_a_plain_request_line() -> None:
    replies = (response(status=302, Location="/a b%20\u00e9?x={y}"), OK)
    async with serving(answers(*replies)) as server, a_transport(server.entry()) as transport:
        assert await body_of(transport) == PAGE.encode()
    assert server.requests[1].path.isascii()
    assert " " not in server.requests[1].path


@pytest.mark.parametrize("is_later", [False, True])
async def test_h5_what_comes_after_an_answer_is_never_taken_for_the_next_hosts_answer(*, is_later: bool) -> None:
    forged, has_come = response("<html>forged</html>"), asyncio.Event()

    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        if request.host != HOST:
            writer.write(OK)
        elif not is_later:
            writer.write(OK + forged)
        else:
            writer.write(OK)
            await has_come.wait()
            writer.write(forged)

    async with serving(handle) as server, a_transport(server.entry()) as transport:
        await transport.fetch(HOST, limits=LIMITS)
        has_come.set()
        if is_later:
            connection = transport._exchanges._connections._idle[0]
            async with asyncio.timeout(3):
                while not connection.has_expired():  # noqa: ASYNC110 - the socket has no event to wait for
                    await asyncio.sleep(0.005)
        assert await body_of(transport, f"other.{DOMAIN}") == PAGE.encode()
    assert server.connections == 2
