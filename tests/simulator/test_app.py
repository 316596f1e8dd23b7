"""The running simulator, asked by a real client on loopback. Its later switches are in test_switches."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import socket
from email.utils import parsedate_to_datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from tests.simulator.running import DEADLINE_SECONDS, Client, Reply, running_simulator
from tracksync.errors import SettingsError
from tracksync.simulator.app import CatalogueFault, DashboardFault, DashboardRule, SimulatorSettings, Switches, serve
from tracksync.simulator.catalogue_page import render_catalogue
from tracksync.simulator.dashboard_page import DashboardWriter
from tracksync.simulator.world import World, build_world

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


def settings(*, switches: Switches = Switches(), **values: Any) -> SimulatorSettings:  # noqa: B008 - frozen
    values = {"tracks": 120, "seed": 3, "port": 0} | values
    return SimulatorSettings(switches=switches, **values)


@cache
def the_world() -> World:
    return build_world(seed=3, tracks=120, domain="liverc.com")


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with running_simulator(settings()) as running:
        yield running


def slugs() -> list[str]:
    return [track.slug for track in the_world().tracks]


# What the site serves.


async def test_the_live_host_serves_the_catalogue(client: Client) -> None:
    reply = await client.get("live.liverc.com")
    assert (reply.status, reply.body) == (200, render_catalogue(the_world().tracks, "liverc.com"))
    assert reply.headers["Content-Type"] == "text/html; charset=UTF-8"
    assert int(reply.headers["Content-Length"]) == len(reply.body)
    assert parsedate_to_datetime(reply.headers["Date"]).year >= 2025


async def test_each_track_host_serves_its_own_dashboard(client: Client) -> None:
    writer = DashboardWriter("liverc.com")
    for track in the_world().tracks:
        reply = await client.track(track.slug)
        assert (reply.status, reply.body) == (200, writer.render(track, the_world().profile(track)))


async def test_a_host_is_found_in_any_case_and_with_a_port(client: Client) -> None:
    listed = next(track for track in the_world().tracks if track.slug != track.slug_as_listed)
    assert (await client.get(f"{listed.slug_as_listed}.LiveRC.com:443")).status == 200


@pytest.mark.parametrize(
    ("host", "path", "status"),
    [
        ("nobody-here.liverc.com", "/", 404),
        ("www.liverc.com", "/", 404),
        ("live.liverc.com", "/robots.txt", 404),
        ("live.liverc.com", "/events/calendar/", 404),
        ("live.example.org", "/", 421),
        ("a.live.liverc.com", "/", 421),
    ],
)
async def test_anything_else_is_refused(client: Client, host: str, path: str, status: int) -> None:
    assert (await client.get(host, path)).status == status


async def test_a_foreign_host_is_told_which_domain_is_served(client: Client) -> None:
    assert b"live.liverc.com" in (await client.get("live.example.org")).body


async def test_robots_txt_is_missing_on_every_track(client: Client) -> None:
    assert {(await client.track(slug, path="/robots.txt")).status for slug in slugs()[:5]} == {404}


async def test_only_get_and_head_are_allowed(client: Client) -> None:
    head = await client.get("live.liverc.com", method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert int(head.headers["Content-Length"]) > 60_000
    post = await client.get("live.liverc.com", method="POST")
    assert (post.status, post.headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("encoding", ["gzip", "gzip, deflate, br", "br;q=1.0, gzip;q=0.5", "*"])
async def test_a_client_that_takes_gzip_gets_it_with_the_right_length(client: Client, encoding: str) -> None:
    for host in ("live.liverc.com", f"{the_world().tracks[0].slug}.liverc.com"):
        plain, zipped = await client.get(host), await client.get(host, encoding=encoding)
        assert zipped.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(zipped.body) == plain.body
        assert int(zipped.headers["Content-Length"]) == len(zipped.body) < len(plain.body) / 3


@pytest.mark.parametrize("encoding", ["identity", "deflate", "gzip;q=0", "br"])
async def test_a_client_that_refuses_gzip_gets_plain_bytes(client: Client, encoding: str) -> None:
    assert "Content-Encoding" not in (await client.get("live.liverc.com", encoding=encoding)).headers


async def test_a_browser_on_the_address_itself_sees_catalogue_and_dashboards(client: Client) -> None:
    slug = the_world().tracks[0].slug
    assert (await client.get("127.0.0.1")).body == (await client.get("live.liverc.com")).body
    assert (await client.get("localhost", f"/_dashboard/{slug}")).body == (await client.track(slug)).body
    assert (await client.get("localhost", "/_dashboard/nobody")).status == 404


async def test_latency_delays_the_answer_by_so_many_milliseconds() -> None:
    async with running_simulator(settings(switches=Switches(latency_ms=80))) as client:
        loop = asyncio.get_running_loop()
        start = loop.time()
        await client.get("live.liverc.com")
        assert loop.time() - start >= 0.08


# Control paths.


async def test_the_truth_is_the_worlds(client: Client) -> None:
    status, truth = await client.control("/_truth")
    assert status == 200
    rows = the_world().truth()
    assert truth == {"domain": "liverc.com", "seed": 3, "day": 0, "count": 120, "tracks": rows, "dropped": []}


async def test_health_answers_on_any_host(client: Client) -> None:
    assert await client.control("/_healthz") == (200, {"status": "ok"})
    assert (await client.get("live.liverc.com", "/_healthz")).status == 200


async def test_the_journal_counts_the_site_and_not_the_control_paths(client: Client) -> None:
    await client.get("live.liverc.com")
    for slug in [*slugs()[:3], slugs()[0], "nobody"]:
        await client.track(slug)
    await client.track(slugs()[0], path="/robots.txt")
    await client.get("www.liverc.com", "/signup/")
    for path in ("/_truth", "/_faults", "/_healthz", "/_nothing"):
        await client.control(path)
    figures = await client.journal()
    assert figures["total"] == 8
    assert figures["by_kind"] == {"catalogue": 1, "dashboard": 5, "robots": 1, "other": 1}
    assert figures["statuses"] == {"200": 5, "404": 3}
    assert figures["dashboards"] == {"distinct": 4, "repeated": 1}
    assert (figures["in_flight"], figures["held"], figures["abandoned"]) == (0, 0, 0)
    assert figures["requests_per_second"]["peak"] >= 1


async def test_the_journal_counts_the_bytes_of_the_wire(client: Client) -> None:
    reply = await client.get("live.liverc.com", encoding="gzip")
    assert (await client.journal())["body_bytes"] == len(reply.body)


async def test_the_journal_can_be_started_anew(client: Client) -> None:
    await client.get("live.liverc.com")
    status, figures = await client.control("/_journal", method="DELETE")
    assert (status, figures["total"]) == (200, 0)
    assert (await client.journal())["total"] == 0


async def test_the_journal_sees_how_many_requests_are_in_flight() -> None:
    async with running_simulator(settings(switches=Switches(pause_at=0))) as client:
        waiting = [asyncio.create_task(client.track(slug)) for slug in slugs()[:6]]
        await client.journal_with(held=6)
        await client.control("/_release", method="POST")
        await asyncio.gather(*waiting)
        figures = await client.journal()
    assert (figures["max_in_flight"], figures["in_flight"]) == (6, 0)


@pytest.mark.parametrize(
    ("method", "path", "status", "hint"),
    [
        ("GET", "/_nothing", 404, "/_journal"),
        ("POST", "/_journal", 405, "GET, DELETE"),
        ("GET", "/_release", 405, "POST"),
        ("POST", "/_dashboard/x", 404, "/_truth"),
    ],
)
async def test_a_wrong_control_request_is_told_what_would_work(
    client: Client, method: str, path: str, status: int, hint: str
) -> None:
    answered, body = await client.control(path, method=method)
    assert answered == status
    assert hint in body["error"]


@pytest.mark.parametrize("send", [{"latency": 5}, {"pause_at": "x"}, [1], "text", None])
async def test_a_wrong_switch_is_refused_and_changes_nothing(client: Client, send: object) -> None:
    _, before = await client.control("/_faults")
    status, body = await client.control("/_faults", method="POST", send=send)
    assert status == 400
    assert body["error"]
    assert (await client.control("/_faults"))[1] == before


# Faults.


async def catalogue_with(fault: str, **changes: Any) -> Reply:
    async with running_simulator(settings()) as client:
        await client.control("/_faults", method="POST", send={"catalogue_fault": fault, **changes})
        return await client.get("live.liverc.com")


async def test_an_empty_catalogue_is_whole_and_lists_nothing() -> None:
    reply = await catalogue_with("empty")
    assert reply.status == 200
    assert b"clickable-row" not in reply.body
    assert reply.body.rstrip().endswith(b"</html>")


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.999])
async def test_a_cut_catalogue_ends_early_with_a_matching_length(fraction: float) -> None:
    whole = render_catalogue(the_world().tracks, "liverc.com")
    reply = await catalogue_with("cut", catalogue_cut_at=fraction)
    assert reply.status == 200
    assert whole.startswith(reply.body)
    assert len(reply.body) == min(int(len(whole) * fraction), whole.index(b"</table>"))
    assert b"</table>" not in reply.body


@pytest.mark.parametrize(("fault", "status"), [("error", 503), ("forbidden", 403)])
async def test_a_refused_catalogue_has_its_status(fault: str, status: int) -> None:
    assert (await catalogue_with(fault)).status == status


async def test_faults_can_be_set_from_the_start_and_taken_back() -> None:
    async with running_simulator(settings(switches=Switches(catalogue_fault=CatalogueFault.ERROR))) as client:
        assert (await client.get("live.liverc.com")).status == 503
        await client.control("/_faults", method="POST", send={"catalogue_fault": "none"})
        assert (await client.get("live.liverc.com")).status == 200
        await client.control("/_faults", method="DELETE")
        assert (await client.get("live.liverc.com")).status == 503


@pytest.mark.parametrize(("kind", "status"), [("http-500", 500), ("http-404", 404), ("login-page", 200)])
async def test_a_dashboard_fault_strikes_as_many_hosts_as_announced_and_always_the_same(
    client: Client, kind: str, status: int
) -> None:
    _, faults = await client.control("/_faults", method="POST", send={"dashboard_faults": {kind: 0.3}})

    async def stricken() -> set[str]:
        replies = {slug: await client.track(slug) for slug in slugs()}
        return {
            slug for slug, reply in replies.items() if reply.status == status and b"'s Dashboard</h1>" not in reply.body
        }

    first = await stricken()
    assert first == await stricken()
    assert faults["dashboards_affected"] == {kind: len(first)}
    assert 0 < len(first) < len(the_world().tracks)


async def test_a_fault_with_times_lets_a_retry_succeed() -> None:
    rule = DashboardRule(DashboardFault.HTTP_500, 1.0, times=2)
    async with running_simulator(settings(switches=Switches(dashboard_faults=(rule,)))) as client:
        slug = slugs()[0]
        assert [(await client.track(slug)).status for _ in range(4)] == [500, 500, 200, 200]


async def test_the_pause_holds_dashboards_after_the_nth_but_nothing_else() -> None:
    async with running_simulator(settings(switches=Switches(pause_at=4))) as client:
        waiting = [asyncio.create_task(client.track(slug)) for slug in slugs()[:9]]
        figures = await client.journal_with(held=5)
        assert figures["statuses"] == {"200": 4}
        assert (await client.get("live.liverc.com")).status == 200
        assert (await client.track(slugs()[0], path="/robots.txt")).status == 404
        assert await client.control("/_release", method="POST") == (200, {"released": 5})
        assert {reply.status for reply in await asyncio.gather(*waiting)} == {200}
        assert (await client.track(slugs()[10])).status == 200


async def test_a_client_that_goes_away_while_held_is_counted_as_abandoned() -> None:
    async with running_simulator(settings(switches=Switches(pause_at=0))) as client:
        async with aiohttp.ClientSession() as impatient:
            hasty = Client(impatient, client.port)
            task = asyncio.create_task(hasty.track(slugs()[0]))
            await client.journal_with(held=1)
            task.cancel()
            await asyncio.wait({task})
        figures = await client.journal_with(held=0, abandoned=1)
    assert (figures["in_flight"], figures["statuses"]) == (0, {})


# Replay.


async def test_a_replayed_catalogue_is_served_byte_for_byte_with_dashboards_for_its_hosts(tmp_path: Path) -> None:
    page = b'\n<!DOCTYPE html>\xc3\x28<a href="//Alpha.liverc.com/">A</a>\t<a href="//beta.liverc.com/">B</a></html>'
    (tmp_path / "capture.html").write_bytes(page)
    async with running_simulator(settings(replay_catalogue=tmp_path / "capture.html")) as client:
        assert (await client.get("live.liverc.com")).body == page
        for slug in ("alpha", "beta"):
            reply = await client.track(slug)
            assert reply.status == 200
            assert re.search(rf"(?i){slug}'s Dashboard</h1>", reply.body.decode())
        assert (await client.track("gamma")).status == 404
        _, truth = await client.control("/_truth")
    assert [(row["slug"], row["slug_as_listed"]) for row in truth["tracks"]] == [("alpha", "Alpha"), ("beta", "beta")]


@pytest.mark.parametrize("content", [None, b"", b"<html>//alpha.liverc.com</html>"])
async def test_a_useless_replay_file_is_refused_before_anything_listens(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "capture.html"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match=r"replay_catalogue.*capture\.html.*give"):
        await serve(settings(replay_catalogue=file), stop=asyncio.Event(), on_ready=lambda _port: pytest.fail("ready"))


# Start and stop.


async def test_a_taken_port_is_refused_with_the_remedy() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"127\.0\.0\.1:{port} is taken.*--port"):
            await serve(settings(port=port), stop=asyncio.Event(), on_ready=lambda _port: pytest.fail("ready"))


async def test_an_address_of_another_machine_is_refused_with_the_remedy() -> None:
    with pytest.raises(SettingsError, match=r"cannot listen on 192\.0\.2\.1:0.*give an address of this machine"):
        await serve(settings(host="192.0.2.1"), stop=asyncio.Event(), on_ready=lambda _port: pytest.fail("ready"))


async def test_it_stops_within_a_second_even_with_dashboards_held_and_connections_open() -> None:
    stop, ready = asyncio.Event(), asyncio.get_running_loop().create_future()
    server = asyncio.create_task(serve(settings(switches=Switches(pause_at=1)), stop=stop, on_ready=ready.set_result))
    port = await asyncio.wait_for(ready, DEADLINE_SECONDS)
    async with aiohttp.ClientSession() as session:
        client = Client(session, port)
        await client.track(slugs()[0])
        held = asyncio.create_task(client.track(slugs()[1]))
        await client.journal_with(held=1)
        stop.set()
        async with asyncio.timeout(1):
            await server
        with pytest.raises(aiohttp.ClientError):
            await held
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


async def test_two_simulators_serve_side_by_side_without_sharing_anything() -> None:
    async with running_simulator(settings()) as one, running_simulator(settings(seed=4)) as two:
        await one.get("live.liverc.com")
        assert (await two.journal())["total"] == 0
        assert json.dumps(await one.control("/_truth")) != json.dumps(await two.control("/_truth"))
