"""Each fault switch, seen by a real client on loopback. The first switches (empty, cut, pause...) are in test_app."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.simulator.running import Client, Reply, running_simulator
from tests.simulator.switching import SETTINGS, SLUGS, ask, catalogue_rows, dashboard, switch
from tracksync.simulator.app import SimulatorSettings, Switches
from tracksync.simulator.faults import (
    DashboardFault,
    DashboardRule,
    RetryAfterForm,
    RobotsFault,
    Validators,
)
from tracksync.simulator.kinds import Death

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with running_simulator(SETTINGS) as running:
        yield running


def seconds_ahead(reply: Reply, header: str) -> float:
    sent = parsedate_to_datetime(reply.headers["Date"])
    return (parsedate_to_datetime(reply.headers[header]) - sent).total_seconds()


# Retry-After.


@pytest.mark.parametrize("fault", ["http-429", "http-503-retry-after"])
async def test_a_dashboard_asks_to_wait_for_so_many_seconds(client: Client, fault: str) -> None:
    reply = await dashboard(client, fault, retry_after_s=7)
    assert (str(reply.status), reply.headers["Retry-After"]) == (fault[5:8], "7")


async def test_catalogue_and_robots_can_ask_to_wait_as_well(client: Client) -> None:
    await switch(client, catalogue_fault="rate-limited", robots="rate-limited")
    for path in ("/", "/robots.txt"):
        reply = await ask(client, "live.liverc.com", path)
        assert (reply.status, reply.headers["Retry-After"]) == (429, "2")
    assert (await client.journal())["pauses"] == 2


@pytest.mark.parametrize(("form", "ahead"), [("date", 40), ("past", -3600)])
@pytest.mark.parametrize("offset", [0, -86_400, 7_200])
async def test_a_date_is_meant_by_the_clock_of_its_own_date_header(
    client: Client, form: str, ahead: int, offset: int
) -> None:
    reply = await dashboard(client, "http-429", retry_after_form=form, retry_after_s=40, clock_offset_s=offset)
    assert seconds_ahead(reply, "Retry-After") == ahead


@pytest.mark.parametrize(("form", "header"), [("absurd", "315360000"), ("garbage", "soon"), ("none", None)])
async def test_retry_after_can_be_absurd_or_garbage_or_missing(client: Client, form: str, header: str | None) -> None:
    reply = await dashboard(client, "http-429", retry_after_form=form)
    assert (reply.status, reply.headers.get("Retry-After")) == (429, header)


@pytest.mark.parametrize(("form", "counted"), [("seconds", 2), ("date", 2), ("absurd", 2), ("none", 0), ("past", 0)])
async def test_the_journal_counts_who_comes_during_a_pause_on_any_host(client: Client, form: str, counted: int) -> None:
    await switch(
        client, retry_after_form=form, retry_after_s=3600, dashboard_faults={"http-429": {"rate": 1, "times": 1}}
    )
    await ask(client, f"{SLUGS[0]}.liverc.com")
    await ask(client, "live.liverc.com")
    await ask(client, f"{SLUGS[1]}.liverc.com", "/robots.txt")
    await ask(client, "live.example.org")
    figures = await client.journal()
    assert figures["requests_during_pause"] == counted
    _, figures = await client.control("/_journal", method="DELETE")
    await ask(client, "live.liverc.com")
    assert (await client.journal())["requests_during_pause"] == 0


# robots.txt.


@pytest.mark.parametrize(
    ("kind", "status", "text"),
    [
        ("missing", 404, b""),
        ("forbidden", 403, b""),
        ("error", 503, b""),
        ("allow", 200, b"Allow: /\n"),
        ("disallow", 200, b"Disallow: /\n"),
        ("crawl-delay", 200, b"Crawl-delay: 1.5\n"),
        ("huge", 200, b"Allow: /\n"),
    ],
)
async def test_robots_txt_is_as_asked_on_every_host(client: Client, kind: str, status: int, text: bytes) -> None:
    await switch(client, robots=kind, crawl_delay_s=1.5)
    for host in ("live.liverc.com", f"{SLUGS[0]}.liverc.com", "unlisted.liverc.com"):
        reply = await ask(client, host, "/robots.txt")
        assert reply.status == status
        assert text in reply.body
        assert reply.headers["Content-Type"].startswith("text/plain" if status == 200 else "text/html")
        assert (len(reply.body) > 2 * 2**20) == (kind == "huge")


async def test_robots_txt_can_redirect_to_the_catalogue_host_or_for_ever(client: Client) -> None:
    await switch(client, robots="redirect")
    reply = await ask(client, f"{SLUGS[0]}.liverc.com", "/robots.txt")
    assert (reply.status, reply.headers["Location"]) == (301, "//live.liverc.com/robots.txt")
    assert (await ask(client, "live.liverc.com", "/robots.txt")).status == 200
    await switch(client, robots="redirect-loop")
    reply = await ask(client, f"{SLUGS[0]}.liverc.com", "/robots.txt")
    assert (reply.status, reply.headers["Location"]) == (301, "/robots.txt")


async def test_a_share_of_the_hosts_has_the_robots_txt_and_always_the_same(client: Client) -> None:
    async def forbidding() -> set[str]:
        replies = {slug: await ask(client, f"{slug}.liverc.com", "/robots.txt") for slug in SLUGS}
        assert {reply.status for reply in replies.values()} == {200, 404}
        return {slug for slug, reply in replies.items() if reply.status == 200}

    await switch(client, robots="disallow", robots_rate=0.3)
    some = await forbidding()
    assert some == await forbidding()
    await switch(client, robots_rate=0.6)
    assert some < await forbidding()


# The catalogue.


async def test_half_of_the_rows_can_be_gone_and_always_the_same(client: Client) -> None:
    whole = await catalogue_rows(client, "none")
    half = await catalogue_rows(client, "half")
    assert (len(half), set(half) < set(whole)) == (60, True)
    assert half == await catalogue_rows(client, "half")
    async with running_simulator(SimulatorSettings(tracks=120, seed=3, port=0)) as other:
        assert half == await catalogue_rows(other, "half")


async def test_broken_rows_come_beside_all_true_ones(client: Client) -> None:
    whole = await catalogue_rows(client, "none")
    rows = await catalogue_rows(client, "broken-rows")
    unlinked, unnamed, illegal = rows[len(whole) :]
    assert rows[: len(whole)] == whole
    assert b"<a " not in unlinked
    assert b"<strong> </strong>" in unnamed
    assert re.search(rb'<a href="//-[^."]+_\.liverc\.com/">', illegal)


async def test_rows_can_occur_twice_with_another_spelling_and_name(client: Client) -> None:
    whole = await catalogue_rows(client, "none")
    rows = await catalogue_rows(client, "duplicate-rows")
    assert rows[: len(whole)] == whole
    (again,) = rows[len(whole) :]
    slug = re.search(rb'<a href="//([A-Z0-9]+)\.liverc\.com/"><strong>Listed Twice<', again)
    assert slug is not None
    assert slug[1].decode().lower() in SLUGS


async def test_about_half_of_the_rows_can_link_with_www(client: Client) -> None:
    rows = await catalogue_rows(client, "www-hosts")
    changed = [row for row in rows if b'<a href="https://www.' in row]
    assert len(rows) == 120
    assert 40 < len(changed) < 80
    assert all(row.count(b"https://www.") == 2 for row in changed)


async def test_the_catalogue_can_be_a_generic_page(client: Client) -> None:
    await switch(client, catalogue_fault="generic-page")
    reply = await ask(client, "live.liverc.com")
    assert (reply.status, b"track_list" in reply.body, b"</html>" in reply.body) == (200, False, True)


# Dashboards.


@pytest.mark.parametrize(("fault", "status"), [("http-403", 403), ("http-410", 410), ("http-503", 503)])
async def test_a_refused_dashboard_has_its_status_and_no_retry_after(client: Client, fault: str, status: int) -> None:
    reply = await dashboard(client, fault)
    assert (reply.status, "Retry-After" in reply.headers) == (status, False)


# Validators and the clock.


@pytest.mark.parametrize("host", ["live.liverc.com", f"{SLUGS[0]}.liverc.com"])
@pytest.mark.parametrize(
    ("kind", "header", "condition"),
    [
        ("etag", "ETag", "If-None-Match"),
        ("both", "ETag", "If-None-Match"),
        ("lying-etag", "ETag", "If-None-Match"),
        ("last-modified", "Last-Modified", "If-Modified-Since"),
        ("both", "Last-Modified", "If-Modified-Since"),
    ],
)
async def test_a_page_that_is_known_by_its_validator_is_not_sent_again(
    client: Client, host: str, kind: str, header: str, condition: str
) -> None:
    await switch(client, validators=kind)
    for encoding in ("identity", "gzip"):
        first = await ask(client, host, **{"Accept-Encoding": encoding})
        again = await ask(client, host, **{"Accept-Encoding": encoding, condition: first.headers[header]})
        assert (first.status, again.status, again.body) == (200, 304, b"")
        assert again.headers[header] == first.headers[header]


async def test_without_validators_nothing_is_sent_or_honoured(client: Client) -> None:
    reply = await ask(client, "live.liverc.com", **{"If-None-Match": "*"})
    assert reply.status == 200
    assert not {"ETag", "Last-Modified"} & set(reply.headers)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-None-Match": '"other"'}, 200),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": '"other"', "If-Modified-Since": "Wed, 01 Jan 2031 00:00:00 GMT"}, 200),
        ({"If-Modified-Since": "Mon, 01 Jan 2024 00:00:00 GMT"}, 200),
        ({"If-Modified-Since": "yesterday"}, 200),
    ],
)
async def test_conditions_are_judged_as_http_says(client: Client, headers: dict[str, str], status: int) -> None:
    await switch(client, validators="both")
    assert (await ask(client, "live.liverc.com", **headers)).status == status


async def test_an_honest_etag_differs_between_encodings_and_faults_have_none(client: Client) -> None:
    await switch(client, validators="both")
    plain = await ask(client, "live.liverc.com")
    zipped = await ask(client, "live.liverc.com", **{"Accept-Encoding": "gzip"})
    assert plain.headers["ETag"] != zipped.headers["ETag"]
    assert "ETag" not in (await dashboard(client, "http-500")).headers


@pytest.mark.parametrize("offset", [-315_360_000, 86_400])
async def test_the_clock_of_the_source_can_be_off(client: Client, offset: int) -> None:
    right = parsedate_to_datetime((await ask(client, "live.liverc.com")).headers["Date"])
    await switch(client, clock_offset_s=offset)
    wrong = parsedate_to_datetime((await ask(client, "live.liverc.com")).headers["Date"])
    assert (wrong - right).total_seconds() == pytest.approx(offset, abs=10)


# All of them.


@pytest.mark.parametrize("fault", [fault for fault in DashboardFault if fault is not DashboardFault.TIME_OUT])
async def test_no_fault_makes_a_dashboard_of_a_host_that_no_track_has(client: Client, fault: DashboardFault) -> None:
    await switch(client, dashboard_faults={fault.value: 1})
    assert (await ask(client, "nobody.liverc.com")).status == 404


@pytest.mark.parametrize(
    "changes",
    [
        {"retry_after_form": "later"},
        {"retry_after_s": -1},
        {"drip_s": 0},
        {"oversize_bytes": 2**40},
        {"nested_bytes": 0},
        {"validators": "all"},
        {"robots": "none"},
        {"robots_rate": 1.1},
        {"crawl_delay_s": float("nan")},
        {"clock_offset_s": 10**12},
        {"latency_spread_ms": -1},
        {"catalogue_latency_ms": 10**9},
        {"catalogue_fault_times": 0},
        {"robots_times": 0},
        {"dies_at": -1},
        {"dies_as": "slowly"},
    ],
)
async def test_an_unusable_figure_is_refused_by_name(client: Client, changes: dict[str, Any]) -> None:
    status, answer = await client.control("/_faults", method="POST", send=changes)
    assert status == 400
    assert next(iter(changes)) in answer["error"]


def test_all_switches_survive_the_way_through_json() -> None:
    switches = Switches(
        dashboard_faults=tuple(DashboardRule(fault, 0.01) for fault in DashboardFault),
        retry_after_form=RetryAfterForm.DATE,
        retry_after_s=9,
        drip_s=0.5,
        oversize_bytes=5,
        nested_bytes=6,
        validators=Validators.BOTH,
        robots=RobotsFault.HUGE,
        robots_rate=0.5,
        crawl_delay_s=1.5,
        clock_offset_s=-60,
        latency_spread_ms=7,
        catalogue_latency_ms=8,
        catalogue_fault_times=2,
        robots_times=3,
        dies_at=4,
        dies_as=Death.SILENCE,
    )
    assert Switches().changed(switches.as_json()) == switches
