"""The shared pace on a real server: many connections at once, lost connections, a busy or locked row.

The rules that the twin shares are in tests/ports.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.postgres import fetch_all, free_port
from tests.support.store import DEFAULT, numbered, staged
from tracksync.adapters.postgres import session
from tracksync.adapters.postgres.database import PostgresDatabase
from tracksync.errors import DatabaseUnavailableError
from tracksync.ports import DomainState, RobotsRecord

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tracksync.adapters.postgres.pace import PostgresPace

DOMAIN = "example.org"
INTERVAL = 100.0
"""Seconds; so long that a busy machine is not mistaken for a shared slot."""
MOMENT = 10.0
DEADLINE = 10.0
BACKENDS = "SELECT pid FROM pg_stat_activity WHERE application_name = %s AND datname = current_database()"


@pytest.fixture
async def paces(database_url: str) -> AsyncIterator[list[PostgresPace]]:
    """Give the pace of one domain over eight connections of eight users."""
    async with AsyncExitStack() as stack:
        databases = [PostgresDatabase.prepare(database_url, application_name=f"user{number}") for number in range(8)]
        yield [(await stack.enter_async_context(database)).pace(DOMAIN) for database in databases]


async def reservations(pace: PostgresPace, sizes: list[int], *, started: float) -> list[tuple[float, int]]:
    """Take so many slots one after the other; return when each began, in seconds since the start, and its size."""
    taken = []
    for size in sizes:
        reserved = await pace.reserve(size, interval=INTERVAL)
        taken.append((time.monotonic() - started + reserved.seconds, size))
    return taken


async def all_reservations(url: str, sizes: list[list[int]]) -> list[tuple[float, int]]:
    """Let each user take slots of these sizes over a connection of its own, all at the same time."""
    async with AsyncExitStack() as stack:
        databases = [PostgresDatabase.prepare(url, application_name="users") for _ in sizes]
        users = [(await stack.enter_async_context(database)).pace(DOMAIN) for database in databases]
        await asyncio.gather(*(user.look() for user in users))
        started = time.monotonic()
        calls = (reservations(user, each, started=started) for user, each in zip(users, sizes, strict=True))
        return [each for of_one in await asyncio.gather(*calls) for each in of_one]


@given(sizes=st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=12), min_size=2, max_size=8))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_slots_that_many_connections_take_at_once_never_overlap_and_leave_no_gap(
    database_url: str, sizes: list[list[int]]
) -> None:
    fetch_all(database_url, "TRUNCATE source_domains")
    taken = asyncio.run(all_reservations(database_url, sizes))
    free = 0.0
    for begin, size in sorted(taken):
        assert begin == pytest.approx(free, abs=MOMENT)
        free += size * INTERVAL
    assert free == sum(map(sum, sizes)) * INTERVAL
    question = "SELECT extract(epoch FROM next_free - clock_timestamp())::float8 FROM source_domains"
    assert fetch_all(database_url, question)[0][0] == pytest.approx(free, abs=MOMENT)


async def test_a_pause_that_comes_between_holds_for_every_slot_that_is_taken_later(paces: list[PostgresPace]) -> None:
    async def pause_and_take(pace: PostgresPace) -> float:
        await pace.pause(5000)
        return (await pace.reserve(1, interval=1)).seconds

    waits = await asyncio.gather(*(pause_and_take(pace) for pace in paces))
    assert all(wait > 5000 - MOMENT for wait in waits)
    assert (await paces[0].look()).paused_seconds == pytest.approx(5000, abs=MOMENT)


async def test_the_first_call_makes_the_row_whichever_it_is(paces: list[PostgresPace], database_url: str) -> None:
    await asyncio.gather(*(pace.look() for pace in paces))
    assert fetch_all(database_url, "SELECT count(*) FROM source_domains") == [(0,)]
    await asyncio.gather(*(pace.pause(1) for pace in paces))
    assert fetch_all(database_url, "SELECT domain, next_free, off_reason FROM source_domains") == [(DOMAIN, None, None)]


async def test_a_call_is_one_statement_and_leaves_no_transaction_or_setting_behind(
    database: PostgresDatabase, database_url: str
) -> None:
    pace = database.pace(DOMAIN)
    await pace.reserve(1, interval=1)
    connection = database._second_session._connection
    assert connection is not None
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    question = "SELECT state, query FROM pg_stat_activity WHERE pid = %s"
    state, query = fetch_all(database_url, question, connection.info.backend_pid)[0]
    assert (state, query.strip().startswith("INSERT INTO public.source_domains")) == ("idle", True)
    prepared = await (await connection.execute("SELECT count(*) FROM pg_prepared_statements")).fetchone()
    assert prepared == (0,)


async def test_no_schema_in_front_of_ours_can_take_the_rows(database_url: str) -> None:
    user = fetch_all(database_url, "SELECT current_user")[0][0]
    fetch_all(database_url, f"CREATE SCHEMA {user}")
    fetch_all(database_url, f"CREATE TABLE {user}.source_domains (LIKE public.source_domains INCLUDING ALL)")
    async with PostgresDatabase.prepare(database_url, application_name="tests") as database:
        await database.pace(DOMAIN).switch(off_reason="holidays")
        assert (await database.pace(DOMAIN).look()).off_reason == "holidays"
    assert fetch_all(database_url, "SELECT count(*) FROM public.source_domains") == [(1,)]


async def test_a_transaction_under_way_does_not_delay_a_slot(database: PostgresDatabase, database_url: str) -> None:
    pace = database.pace(DOMAIN)
    ticket = await staged(database, numbered(2))
    with psycopg.connect(database_url) as connection:
        connection.execute("LOCK TABLE tracks")
        merging = asyncio.create_task(database.tracks.merge(ticket, guard=DEFAULT))
        await asyncio.wait_for(pace.reserve(1, interval=1), DEADLINE)
        await asyncio.wait_for(database.robots.read(DOMAIN), DEADLINE)
        assert not merging.done()
    assert (await merging).inserted == 2


async def test_the_second_connection_is_opened_when_it_is_first_used_and_closed_with_the_database(
    database_url: str,
) -> None:
    async def backends() -> int:
        return len(await asyncio.to_thread(fetch_all, database_url, BACKENDS, "counted"))

    database = await PostgresDatabase.connect(database_url, application_name="counted")
    assert await backends() == 1
    await asyncio.gather(database.pace(DOMAIN).look(), database.pace("elsewhere.example").look())
    await database.robots.read(DOMAIN)
    assert await backends() == 2
    await database.close()
    deadline = time.monotonic() + DEADLINE
    while await backends():
        assert time.monotonic() < deadline, "a connection was left open"


async def test_a_connection_that_was_ended_while_it_was_idle_costs_nothing(
    paces: list[PostgresPace], database_url: str
) -> None:
    await paces[0].switch(off_reason="holidays")
    for _ in range(2):
        for (pid,) in fetch_all(database_url, BACKENDS, "user0"):
            fetch_all(database_url, "SELECT pg_terminate_backend(%s)", pid)
        assert await paces[0].look() == DomainState(0.0, "holidays")


async def test_a_database_that_is_gone_is_unavailable() -> None:
    url = f"postgresql://nobody@127.0.0.1:{free_port()}/d"
    async with PostgresDatabase.prepare(url, application_name="tests", timeout_seconds=2) as database:
        for call in (database.pace(DOMAIN).reserve(1, interval=1), database.robots.read(DOMAIN)):
            with pytest.raises(DatabaseUnavailableError):
                await call


@contextmanager
def held_row(url: str) -> Iterator[None]:
    with psycopg.connect(url) as connection:
        connection.execute("SELECT 1 FROM source_domains FOR UPDATE")
        yield


async def test_a_row_that_somebody_holds_is_not_waited_for_without_end(
    paces: list[PostgresPace], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "STATEMENT_SECONDS", 0.3)
    await paces[0].reserve(1, interval=INTERVAL)
    with held_row(database_url):
        with pytest.raises(DatabaseUnavailableError, match=r"did not answer within 0.3 s"):
            await paces[0].reserve(5, interval=INTERVAL)
        assert (await paces[0].look()).off_reason is None
    monkeypatch.undo()
    assert (await paces[0].reserve(1, interval=INTERVAL)).seconds == pytest.approx(INTERVAL, abs=MOMENT)


async def test_a_cancelled_call_takes_no_slot_and_the_next_one_works(
    paces: list[PostgresPace], database_url: str
) -> None:
    await paces[0].reserve(1, interval=INTERVAL)
    with held_row(database_url):
        reserving = asyncio.create_task(paces[0].reserve(5, interval=INTERVAL))
        done, _ = await asyncio.wait({reserving}, timeout=0.2)
        assert not done
        reserving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reserving
    assert (await paces[0].reserve(1, interval=INTERVAL)).seconds == pytest.approx(INTERVAL, abs=MOMENT)


async def test_of_a_robots_file_the_beginning_is_kept_in_whole_characters(
    database: PostgresDatabase, database_url: str
) -> None:
    bodies = {"a": "x" * 9000, "b": "x" + "ü" * 9000, "c": "a\x00b\ud800", "d": ""}
    records = [
        RobotsRecord(host, 200, is_allowed=True, crawl_delay=None, fetched_at=_now(), body=body)
        for host, body in bodies.items()
    ]
    await database.robots.write(DOMAIN, records)
    kept = dict(fetch_all(database_url, "SELECT host, body FROM robots"))
    assert kept == {"a": "x" * 8192, "b": "x" + "ü" * 4095, "c": "ab\ufffd", "d": ""}


def _now() -> datetime:
    return datetime.now(UTC)
