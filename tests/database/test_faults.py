"""The database fails in the middle of a run: the run repeats what failed, within its budget; nothing is half-written.

Whole runs on a real server. What is set up is the fault itself: an ended backend, a restart, a read-only server, a
deadlock, a full disk. What is looked at is the table, the ledger, and what was asked of the source.
"""
# ruff: noqa: N802 -- a test's name carries the id of its row, in capitals as everywhere else

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.database.running import (
    OTHER_RUN_ID,
    ROWS,
    TRACKS,
    At,
    contents,
    held,
    renamed,
    run_on,
    run_row,
    slow,
    terminate,
    until,
    until_waiting,
)
from tests.support.postgres import PostgresServer, a_role, fetch_all, started_server
from tests.support.postgres import _programs as programs
from tests.support.sources import ListSource, a_listing
from tracksync.adapters.postgres import fencing, session
from tracksync.adapters.postgres.database import PostgresDatabase
from tracksync.api.result import Outcome
from tracksync.errors import ExitCode
from tracksync.worker import opening, patience
from tracksync.worker.ending import exit_code_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tracksync.api.result import WorkerResult

CALLS = ["ledger.open_run", "ledger.stage_listing", "ledger.pending_dashboards", "ledger.record_items", "tracks.merge"]
REFUSE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no' USING ERRCODE = '{}'; END$$;
CREATE TRIGGER refuse AFTER INSERT OR UPDATE ON {} FOR EACH STATEMENT EXECUTE FUNCTION refuse()
"""
ATTEMPTS = "SELECT max(attempts) FROM track_freshness"


@pytest.fixture
async def filled(database: PostgresDatabase) -> PostgresDatabase:
    """A database with five tracks of an earlier run, of which every one has another name today."""
    source = renamed(ListSource(a_listing(5)), "Yesterday's")
    assert (await run_on(database, source, run_id=OTHER_RUN_ID)).outcome is Outcome.SUCCEEDED
    return database


def assert_done(result: WorkerResult, url: str, source: ListSource | None = None) -> None:
    """The run succeeded, its counters are those of a run without a fault, and nothing was asked for twice."""
    assert (result.outcome, result.reason) == (Outcome.SUCCEEDED, "Completed")
    results = result.status.results
    assert results is not None
    assert (results.inserted + results.updated, results.fetched) == (TRACKS, TRACKS)
    assert len(contents(url)) == TRACKS
    assert run_row(url)[:2] == ("succeeded", "Completed")
    assert fetch_all(url, ATTEMPTS) == [(1,)]
    if source is not None:
        assert sorted(source.asked) == sorted(set(source.asked))


@pytest.mark.parametrize("call", [*CALLS, "ledger.close_run"])
async def test_D1_a_backend_that_is_ended_before_any_call_costs_one_new_connection(
    filled: PostgresDatabase, database_url: str, call: str
) -> None:
    async def end_it() -> None:
        await asyncio.to_thread(terminate, database_url)

    at, source = At(call, "before", end_it), ListSource(a_listing(TRACKS))
    result = await run_on(filled, source, calls=at)
    assert at.hit
    assert_done(result, database_url, source)


async def test_D1_a_backend_that_is_ended_in_mid_merge_is_rolled_back_and_the_merge_repeated(
    filled: PostgresDatabase, database_url: str
) -> None:
    before = fetch_all(database_url, ROWS)
    with held(database_url, "SELECT 1 FROM tracks WHERE slug = 'track004' FOR UPDATE"):
        run = asyncio.create_task(run_on(filled))
        for _ in range(2):
            backend = await until_waiting(database_url)
            fetch_all(database_url, "SELECT pg_terminate_backend(%s)", backend)
            await until("the backend is gone", lambda pid=backend: not fetch_all(database_url, _ALIVE, pid))
        assert fetch_all(database_url, ROWS) == before
    assert_done(await run, database_url)


_ALIVE = "SELECT 1 FROM pg_stat_activity WHERE pid = %s"


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """A server of the test's own, that it may stop."""
    with started_server(programs()) as server:
        yield server


@pytest.mark.parametrize("call", ["ledger.record_items", "tracks.merge", "ledger.close_run"])
async def test_D3_after_a_restart_of_five_seconds_the_run_goes_on_within_fifteen_and_fetches_nothing_twice(
    own_server: PostgresServer, call: str, record_property: Callable[[str, object], None]
) -> None:
    with own_server.database() as url:
        async with await PostgresDatabase.connect(url, application_name="tests") as database:
            restarting: list[asyncio.Task[None]] = []

            async def restart() -> None:
                await asyncio.to_thread(own_server.stop)
                restarting.append(asyncio.create_task(start_later()))

            async def start_later() -> None:
                await asyncio.sleep(5)
                await asyncio.to_thread(own_server.start_again)

            source, at = slow(0.1), At(call, "before", restart)
            result = await run_on(database, source, calls=at)
            await asyncio.gather(*restarting)
            assert at.seconds is not None
            assert 5 < at.seconds < 15
            assert_done(result, url, source)
            record_property("seconds", round(at.seconds, 1))


@pytest.mark.parametrize("call", CALLS)
async def test_D3_a_server_that_turns_read_only_is_waited_for(
    filled: PostgresDatabase, database_url: str, call: str
) -> None:
    name = urlsplit(database_url).path[1:]
    healing: list[asyncio.TimerHandle] = []

    def set_read_only(value: str) -> None:
        with psycopg.connect(database_url, options="-c default_transaction_read_only=off") as connection:
            connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = {value}")
        terminate(database_url)

    async def fail_over() -> None:
        await asyncio.to_thread(set_read_only, "on")
        healing.append(asyncio.get_running_loop().call_later(1.0, set_read_only, "off"))

    at, source = At(call, "before", fail_over), ListSource(a_listing(TRACKS))
    result = await run_on(filled, source, calls=at)
    assert (at.hit, len(healing)) == (True, 1)
    assert_done(result, database_url, source)


async def test_D4_the_victim_of_a_deadlock_repeats_its_merge(filled: PostgresDatabase, database_url: str) -> None:
    with psycopg.connect(database_url, options="-c deadlock_timeout=30s") as rival:
        rival.execute("SELECT 1 FROM tracks WHERE slug = 'track004' FOR UPDATE")
        run = asyncio.create_task(run_on(filled))
        await until_waiting(database_url)
        # The merge has written track000 and waits for track004; now each waits for the other.
        closing = asyncio.to_thread(rival.execute, "UPDATE tracks SET is_followed = true WHERE slug = 'track000'")
        await closing
        deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        rival.commit()
        assert_done(await run, database_url)
        await until("the deadlock is counted", lambda: fetch_all(database_url, deadlocks) == [(1,)])
    assert fetch_all(database_url, "SELECT slug FROM tracks WHERE is_followed") == [("track000",)]


async def test_D4_a_serialization_failure_repeats_the_merge(filled: PostgresDatabase, database_url: str) -> None:
    name = urlsplit(database_url).path[1:]
    fetch_all(database_url, f"ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'")
    terminate(database_url)
    rival = held(database_url, "UPDATE tracks SET is_followed = true WHERE slug = 'track004'")
    run = asyncio.create_task(run_on(filled))
    await until_waiting(database_url)
    rival.commit()
    rival.close()
    assert_done(await run, database_url)
    assert fetch_all(database_url, "SELECT slug FROM tracks WHERE is_followed") == [("track004",)]


@pytest.mark.parametrize(
    "lock",
    [
        "LOCK TABLE tracks IN ACCESS EXCLUSIVE MODE",
        "LOCK TABLE sync_items IN SHARE MODE",
        "SELECT 1 FROM tracks FOR UPDATE",
    ],
)
async def test_D10_a_long_lock_by_others_is_waited_for_within_the_budget(
    filled: PostgresDatabase, database_url: str, lock: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "SET_LIMITS", session.SET_LIMITS.replace("'15s'", "'100ms'"))
    holder = held(database_url, lock)
    asyncio.get_running_loop().call_later(1.5, holder.close)
    began = time.monotonic()
    result = await run_on(filled)
    assert time.monotonic() - began > 1
    assert_done(result, database_url)


async def test_D10_a_lock_that_never_goes_ends_the_run_as_transient_and_keeps_its_checkpoint(
    filled: PostgresDatabase, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "SET_LIMITS", session.SET_LIMITS.replace("'15s'", "'100ms'"))
    monkeypatch.setattr(patience, "OUTAGE_SECONDS", 1.0)
    before, source = fetch_all(database_url, ROWS), ListSource(a_listing(TRACKS))
    with held(database_url, "SELECT 1 FROM tracks FOR UPDATE"):
        result = await run_on(filled, source)
    assert (result.reason, exit_code_of(result, item_errors=ExitCode.DONE)) == (
        "DatabaseUnavailable",
        ExitCode.TRANSIENT,
    )
    assert "holds a lock for too long" in result.message
    assert fetch_all(database_url, ROWS) == before
    assert_done(await run_on(filled, source, attempt=2), database_url, source)


SLOW_ITEMS = """
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.03); RETURN NULL; END';
CREATE TRIGGER slow AFTER UPDATE ON sync_items FOR EACH ROW EXECUTE FUNCTION slow()
"""


async def test_D10_a_checkpoint_that_takes_too_long_is_halved_until_it_passes(
    database: PostgresDatabase, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fencing, "SHARED_TIMEOUT", "300ms")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(SLOW_ITEMS)
    calls, source = At("nothing", "before", _nothing), ListSource(a_listing(60))
    result = await run_on(database, source, calls=calls, concurrency=60)
    assert result.outcome is Outcome.SUCCEEDED
    assert len(contents(database_url)) == 60
    assert fetch_all(database_url, ATTEMPTS) == [(1,)]
    assert calls.names.count("ledger.record_items") > 6


async def _nothing() -> None:
    pass


@pytest.mark.parametrize("code", ["53100", "53200"])
@pytest.mark.parametrize("table", ["runs", "sync_items", "tracks", "changes", "track_freshness", "source_state"])
async def test_D5_a_full_database_is_waited_for_and_then_named_and_nothing_is_half_written(
    filled: PostgresDatabase, database_url: str, table: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "OUTAGE_SECONDS", 0.5)
    before = fetch_all(database_url, ROWS)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(REFUSE.format(code, table))
    result = await run_on(filled)
    assert (result.outcome, result.reason) == (Outcome.FAILED, "DatabaseCapacity")
    assert exit_code_of(result, item_errors=ExitCode.DONE) is ExitCode.TRANSIENT
    assert CAPACITY[code] in result.message
    assert fetch_all(database_url, ROWS) == before
    fetch_all(database_url, f"DROP TRIGGER refuse ON {table}")
    if table == "runs":
        assert (await run_on(filled, attempt=2)).outcome is Outcome.SUCCEEDED
    else:
        assert_done(await run_on(filled, attempt=2), database_url)


async def test_D5_a_disk_that_gets_room_in_time_costs_only_time(filled: PostgresDatabase, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(REFUSE.format("53100", "tracks"))
    drop = "DROP TRIGGER refuse ON tracks"
    asyncio.get_running_loop().call_later(1.0, fetch_all, database_url, drop)
    assert_done(await run_on(filled), database_url)


CAPACITY = {"53100": "disk is full", "53200": "out of memory"}
ROLE, PASSWORD = "limited", "s3cret-of-the-test"


@pytest.fixture
def limited(database_url: str) -> Iterator[str]:
    """Give the URL of a role that may have a single connection."""
    with a_role(database_url, ROLE, f"PASSWORD '{PASSWORD}' CONNECTION LIMIT 1") as place:
        yield f"postgresql://{ROLE}:{PASSWORD}@{place}"


async def test_D5_too_many_connections_are_named_after_a_wait_and_a_free_one_is_taken(
    limited: str, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "DATABASE_WAIT_SECONDS", 1.0)
    monkeypatch.setattr(opening, "DATABASE_PAUSE_SECONDS", 0.2)
    holder = await asyncio.to_thread(psycopg.connect, limited)
    async with PostgresDatabase.prepare(limited, application_name="tests") as database:
        result = await run_on(database)
        assert (result.outcome, result.reason) == (Outcome.FAILED, "DatabaseCapacity")
        assert "too many connections" in result.message
        assert PASSWORD not in result.message
        asyncio.get_running_loop().call_later(0.5, holder.close)
        assert_done(await run_on(database, attempt=2), database_url)
