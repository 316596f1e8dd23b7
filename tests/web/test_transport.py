from __future__ import annotations

import asyncio
import gzip
from contextlib import asynccontextmanager
from ipaddress import ip_address
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from tests.web.certificates import Authority
from tests.web.server import Handler, Request, Server, answers, response, serving
from tracksync.adapters.clock import SystemClock
from tracksync.adapters.web.budget import LocalBudget
from tracksync.adapters.web.endpoints import Endpoints
from tracksync.adapters.web.fetching import FetchError, FetchProblem, Limits, Page
from tracksync.adapters.web.transport import Site, Transport

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
    entry: SourceEntry, *, scheme: str = "http", tls: ssl.SSLContext | None = None, waits: list[float] | None = None
) -> AsyncIterator[Transport]:
    """Open a transport whose waits between tries are noted instead of waited for."""

    async def sleep(seconds: float) -> None:
        if waits is not None:
            waits.append(seconds)

    clock = SystemClock()
    budget = LocalBudget(entry.domain, rate=entry.requests_per_second, max_in_flight=entry.concurrency, clock=clock)
    site = Site(scheme=scheme, domain=entry.domain, user_agent="TrackSync/test (+ops@example.org)", tls=tls)
    async with Transport(site, endpoints=Endpoints(entry), budget=budget, clock=clock, sleep=sleep) as transport:
        yield transport


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
        page = await transport.fetch(HOST, limits=LIMITS)
        assert page.body == PAGE.encode() * 100
        assert (transport.requests, transport.bytes_received) == (1, len(data))


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
        assert (await transport.fetch(HOST, limits=LIMITS)).body == PAGE.encode()


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
        assert (await transport.fetch(HOST, limits=LIMITS)).body == PAGE.encode()
        assert transport.requests == 2


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
        assert (await transport.fetch(HOST, limits=LIMITS)).body == PAGE.encode()
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
        bodies = [(await transport.fetch(host, limits=LIMITS)).body.decode() for host in contexts]
    assert bodies == [f"a.{DOMAIN} on 1", f"b.{DOMAIN} on 2", f"c.{DOMAIN} on 3"]


async def test_a_server_that_answers_421_gets_a_connection_per_host() -> None:
    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        first = next(other for other in server.requests if other.connection == request.connection)
        writer.write(OK if first.host == request.host else response(status=421))

    async with serving(handle) as server, a_transport(server.entry()) as transport:
        for name in ("a", "b", "c"):
            assert (await transport.fetch(f"{name}.{DOMAIN}", limits=LIMITS)).body == PAGE.encode()
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
