"""What catalogue and dashboards have in common when they are wrong, seen by a real client on loopback."""

from __future__ import annotations

import asyncio
import unicodedata
from typing import TYPE_CHECKING

import aiohttp
import pytest

from tests.simulator.running import Client, running_simulator
from tests.simulator.switching import ROW, SETTINGS, SLUGS, ask, catalogue, catalogue_rows, dashboard, switch
from tracksync.simulator.faults import CatalogueFault, DashboardFault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HOSTS = {"catalogue": "live.liverc.com", "dashboard": f"{SLUGS[0]}.liverc.com"}
ASK = {"catalogue": catalogue, "dashboard": dashboard}
BOTH = pytest.mark.parametrize("which", ["catalogue", "dashboard"])


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with running_simulator(SETTINGS) as running:
        yield running


@BOTH
@pytest.mark.parametrize(
    ("fault", "location"),
    [
        ("redirect-host", "//www.liverc.com/"),
        ("redirect-foreign", "//elsewhere.example.invalid/"),
        ("redirect-loop", "/"),
        ("redirect-http", "http://{host}/"),
        ("redirect-private", "//10.255.255.1/"),
    ],
)
async def test_a_redirect_leads_where_its_name_says(client: Client, which: str, fault: str, location: str) -> None:
    reply = await ASK[which](client, fault)
    assert (reply.status, reply.headers["Location"]) == (302, location.format(host=HOSTS[which]))


@BOTH
async def test_a_time_out_is_no_answer_until_the_client_gives_up(client: Client, which: str) -> None:
    await switch(client, catalogue_fault="time-out", dashboard_faults={"time-out": 1})
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.2)) as impatient:
        with pytest.raises(TimeoutError):
            await Client(impatient, client.port).get(HOSTS[which])
    figures = await client.journal_with(abandoned=1)
    assert (figures["in_flight"], figures["statuses"]) == (0, {})


@BOTH
async def test_a_dripping_page_comes_byte_by_byte_under_its_true_length(client: Client, which: str) -> None:
    whole = await ask(client, HOSTS[which])
    await switch(client, catalogue_fault="drip", dashboard_faults={"drip": 1}, drip_s=3600)
    headers = {"Host": HOSTS[which], "Accept-Encoding": "identity"}
    async with client.session.get(f"http://127.0.0.1:{client.port}/", headers=headers) as response:
        assert (response.status, response.content_length) == (200, len(whole.body))
        assert await response.content.readany() == whole.body[:1]
        assert (await client.journal())["in_flight"] == 1


@BOTH
async def test_an_oversize_page_is_the_page_with_so_many_bytes_more(client: Client, which: str) -> None:
    whole = await ask(client, HOSTS[which])
    reply = await ASK[which](client, "oversize", oversize_bytes=2_000_000)
    assert len(reply.body) == len(whole.body) + 2_000_000 + len("<!---->")
    assert reply.body.replace(b"<!--" + b" " * 2_000_000 + b"-->", b"") == whole.body


@BOTH
async def test_a_nested_page_opens_elements_and_closes_none(client: Client, which: str) -> None:
    reply = await ASK[which](client, "nested", nested_bytes=50_000)
    assert b"<div>" * 10_000 + b"</body>" in reply.body


@BOTH
async def test_a_wrong_charset_is_declared_for_a_page_in_utf_8(client: Client, which: str) -> None:
    whole = await ask(client, HOSTS[which])
    reply = await ASK[which](client, "wrong-charset")
    assert (reply.body, reply.headers["Content-Type"]) == (whole.body, "text/html; charset=UTF-16")


@BOTH
@pytest.mark.parametrize("fault", ["captcha", "blank", "not-html"])
async def test_another_document_can_come_with_status_200(client: Client, which: str, fault: str) -> None:
    reply = await ASK[which](client, fault)
    assert reply.status == 200
    assert not [text for text in (b"track_list", b"s Dashboard") if text in reply.body]
    assert (reply.body == b"") == (fault == "blank")
    assert reply.headers["Content-Type"].startswith("application/json" if fault == "not-html" else "text/html")


@BOTH
async def test_a_cut_page_has_the_right_length_for_its_part(client: Client, which: str) -> None:
    whole = await ask(client, HOSTS[which])
    reply = await ASK[which](client, "cut")
    assert whole.body.startswith(reply.body)
    assert int(reply.headers["Content-Length"]) == len(reply.body)
    assert 0 < len(reply.body) <= len(whole.body) // 2
    assert b"</table>" not in reply.body


@BOTH
async def test_bytes_that_no_utf_8_has_stand_in_the_texts(client: Client, which: str) -> None:
    reply = await ASK[which](client, "invalid-utf8")
    with pytest.raises(UnicodeDecodeError):
        reply.body.decode()
    assert reply.body.count(b"<strong>\xff") >= 1
    assert reply.headers["Content-Type"] == "text/html; charset=UTF-8"


@BOTH
async def test_hostile_text_is_the_page_with_characters_that_nobody_should_store(client: Client, which: str) -> None:
    whole = await ask(client, HOSTS[which])
    text = (await ASK[which](client, "hostile-text")).body.decode()
    assert {"\x00", "\x1b", "\x07", "\u202e", "\u200b"} <= set(text)
    kept = "".join(char for char in text if char in "\n\t" or unicodedata.category(char) not in {"Cc", "Cf"})
    assert kept.replace("&#27;", "").encode() == whole.body


async def test_a_name_an_event_an_address_and_a_map_can_all_be_hostile(client: Client) -> None:
    rows = await catalogue_rows(client, "hostile-text")
    assert all(b"<strong>\x00" in row for row in rows)
    assert sum(b"<small>\x00" in row for row in rows) > len(rows) * 0.9
    page = (await dashboard(client, "hostile-text")).body
    assert b"<br>\x00" in page
    assert b"&q=\x1b" in page


async def test_from_its_second_read_on_the_list_changes_and_always_in_the_same_way(client: Client) -> None:
    reads = [await catalogue_rows(client, "list-changes")]
    reads += [ROW.findall((await ask(client, HOSTS["catalogue"])).body) for _ in range(3)]
    first, second, third, _ = reads
    assert first == await catalogue_rows(client, "none")
    for rows in (second, third):
        twice, once = rows[-2:]
        assert (rows.count(twice), rows.count(once), set(rows)) == (2, 1, set(first))
        assert rows[:-2] == [row for row in first if row != once]
    assert second != third
    await switch(client, catalogue_fault="list-changes")
    again = [ROW.findall((await ask(client, HOSTS["catalogue"])).body) for _ in range(4)]
    assert again == reads


async def test_the_catalogue_can_be_wrong_for_some_reads_only(client: Client) -> None:
    await switch(client, catalogue_fault="error", catalogue_fault_times=2)
    statuses = [(await ask(client, HOSTS["catalogue"])).status for _ in range(4)]
    assert statuses == [503, 503, 200, 200]


async def test_robots_txt_can_be_wrong_for_the_first_requests_of_each_host_only(client: Client) -> None:
    await switch(client, robots="error", robots_times=1)
    for host in HOSTS.values():
        statuses = [(await ask(client, host, "/robots.txt")).status for _ in range(3)]
        assert statuses == [503, 200, 200]


async def test_the_catalogue_can_have_a_delay_of_its_own_and_each_host_one_that_stays(client: Client) -> None:
    loop = asyncio.get_running_loop()

    async def seconds(host: str) -> float:
        started = loop.time()
        await ask(client, host)
        return loop.time() - started

    await switch(client, catalogue_latency_ms=300)
    assert await seconds(HOSTS["catalogue"]) >= 0.3
    await switch(client, catalogue_latency_ms=0, latency_spread_ms=600_000)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.3)) as impatient:
        with pytest.raises(TimeoutError):
            await Client(impatient, client.port).get(HOSTS["dashboard"])


# The whole domain.


async def everything(client: Client) -> list[int]:
    hosts = [(HOSTS["catalogue"], "/"), (HOSTS["dashboard"], "/robots.txt"), (HOSTS["dashboard"], "/")]
    return [(await ask(client, host, path)).status for host, path in hosts]


async def test_from_a_request_on_the_whole_domain_answers_503(client: Client) -> None:
    await switch(client, robots="allow", dies_at=4)
    assert await everything(client) == [200, 200, 200]
    assert await everything(client) == [200, 503, 503]
    assert "Retry-After" not in (await ask(client, HOSTS["catalogue"])).headers
    assert (await ask(client, "live.example.org")).status == 421
    await switch(client, dies_at=None)
    assert await everything(client) == [200, 200, 200]


async def test_a_dead_domain_can_reset_every_connection(client: Client) -> None:
    await switch(client, dies_at=0, dies_as="reset")
    for host in HOSTS.values():
        with pytest.raises(aiohttp.ClientConnectionError):
            await ask(client, host)
    # aiohttp's client repeats a request once whose connection was kept from before.
    figures = await client.journal()
    assert figures["abandoned"] == figures["total"] >= 2
    assert figures["in_flight"] == 0


async def test_a_dead_domain_can_be_silent(client: Client) -> None:
    await switch(client, dies_at=0, dies_as="silence")
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.2)) as impatient:
        with pytest.raises(TimeoutError):
            await Client(impatient, client.port).get(HOSTS["dashboard"])
    assert (await client.journal_with(abandoned=1))["in_flight"] == 0


def test_a_kind_that_both_pages_have_is_the_same_word() -> None:
    shared = {fault.value for fault in CatalogueFault} & {fault.value for fault in DashboardFault}
    assert shared >= {"cut", "drip", "oversize", "nested", "hostile-text", "redirect-loop", "time-out"}
    assert {CatalogueFault(kind).name for kind in shared} == {DashboardFault(kind).name for kind in shared}
