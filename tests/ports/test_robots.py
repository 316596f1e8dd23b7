"""What every RobotsCache promises. Left out: what is kept of a body, which only people read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.ports.conftest import DOMAIN, at
from tracksync.ports import RobotsRecord

if TYPE_CHECKING:
    from tracksync.ports import RobotsCache


def a_record(host: str, minute: int = 0, *, status: int = 200, crawl_delay: float | None = None) -> RobotsRecord:
    return RobotsRecord(host, status, status != 403, crawl_delay, at(minute))


async def test_nothing_is_known_at_first_and_nothing_may_be_written(robots: RobotsCache) -> None:
    await robots.write(DOMAIN, [])
    assert await robots.read(DOMAIN) == {}


async def test_what_was_written_is_read_by_host(robots: RobotsCache) -> None:
    records = [a_record("a.example.org", 1), a_record("b.example.org", 2, status=403, crawl_delay=2.5)]
    await robots.write(DOMAIN, records)
    assert await robots.read(DOMAIN) == {record.host: record for record in records}


async def test_bodies_are_left_out(robots: RobotsCache) -> None:
    await robots.write(DOMAIN, [RobotsRecord("a.example.org", 200, True, None, at(1), "User-agent: *\n")])
    assert (await robots.read(DOMAIN))["a.example.org"].body == ""


async def test_a_later_record_replaces_an_earlier_one_whole(robots: RobotsCache) -> None:
    await robots.write(DOMAIN, [a_record("a.example.org", 1, crawl_delay=9)])
    later = a_record("a.example.org", 2, status=404)
    await robots.write(DOMAIN, [later])
    assert await robots.read(DOMAIN) == {"a.example.org": later}


async def test_an_earlier_record_that_comes_late_changes_nothing(robots: RobotsCache) -> None:
    later = a_record("a.example.org", 2)
    await robots.write(DOMAIN, [later])
    await robots.write(DOMAIN, [a_record("a.example.org", 1, status=403), a_record("b.example.org", 1)])
    assert await robots.read(DOMAIN) == {"a.example.org": later, "b.example.org": a_record("b.example.org", 1)}


async def test_of_two_in_one_batch_the_later_one_stays_in_either_order(robots: RobotsCache) -> None:
    later, earlier = a_record("a.example.org", 5, status=403), a_record("a.example.org", 4)
    for batch in ([later, earlier], [earlier, later]):
        await robots.write(DOMAIN, batch)
        assert await robots.read(DOMAIN) == {"a.example.org": later}


async def test_of_two_that_are_equally_late_the_one_that_is_written_last_stays(robots: RobotsCache) -> None:
    first, last = a_record("a.example.org", 1), a_record("a.example.org", 1, status=403)
    await robots.write(DOMAIN, [last, first, last])
    assert await robots.read(DOMAIN) == {"a.example.org": last}
    await robots.write(DOMAIN, [first])
    assert await robots.read(DOMAIN) == {"a.example.org": first}


async def test_domains_do_not_see_each_others_hosts(robots: RobotsCache) -> None:
    await robots.write(DOMAIN, [a_record("a.example.org", 1)])
    await robots.write("elsewhere.example", [a_record("a.example.org", 2)])
    assert await robots.read(DOMAIN) == {"a.example.org": a_record("a.example.org", 1)}


async def test_thousands_of_hosts_are_written_at_once(robots: RobotsCache) -> None:
    records = [a_record(f"host{number}.example.org", number % 60) for number in range(3000)]
    await robots.write(DOMAIN, records)
    assert await robots.read(DOMAIN) == {record.host: record for record in records}
