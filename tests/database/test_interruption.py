"""Whatever stops a run in the middle: tracks stay byte-identical, and the next transaction works.

Vanished tracks are deactivated in the same transaction, so they are among what stays. Readers see the state before.

Cases: the backend is ended in mid-merge and while idle; the task is cancelled in mid-merge and in staging; a newer
epoch arrives while a merge is under way; two runs insert the same tracks; a checkpoint outlives a crash.
A lost answer to COMMIT is in `test_lost_commits`, faults of the server in `test_faults`.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.support.postgres import fetch_all
from tests.support.store import (
    ALL,
    ANY_NUMBER,
    DEFAULT,
    NO_RESULTS,
    SPEC,
    a_listing,
    a_track,
    fetched,
    numbered,
    staged,
    synced,
    unmodified,
    waiting,
)
from tracksync.adapters.postgres.database import PostgresDatabase
from tracksync.api.result import Outcome
from tracksync.errors import DatabaseUnavailableError, FencedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracksync.core.tracks.model import MergeCounters
    from tracksync.ports import RunTicket

TRACKS = """
SELECT t.ctid::text, t.xmin::text, t::text, f.ctid::text, f.xmin::text, f::text
FROM tracks AS t LEFT JOIN track_freshness AS f ON f.track_id = t.id ORDER BY slug
"""
LOGGED = "SELECT (SELECT array_agg(c::text ORDER BY c) FROM changes AS c), (SELECT s::text FROM source_state AS s)"
BEFORE = ("a", "b", "gone-1", "gone-2", "z")
WAITING = """
SELECT pid FROM pg_stat_activity
WHERE application_name = 'tests' AND datname = current_database() AND wait_event_type = 'Lock'
"""
BACKENDS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'tests' AND datname = current_database()"
DEADLINE = 10.0
CANCEL_SECONDS = 0.5


@contextmanager
def held_row(url: str, slug: str) -> Iterator[None]:
    """Hold a row's lock, so that a merge that has begun to write waits in its middle."""
    with psycopg.connect(url) as connection:
        connection.execute("SELECT 1 FROM tracks WHERE slug = %s FOR UPDATE", [slug])
        yield


async def until_waiting(url: str) -> int:
    """Return the backend of the adapter once it waits for a lock."""
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        rows = await asyncio.to_thread(fetch_all, url, WAITING)
        if rows:
            return int(rows[0][0])
    pytest.fail("the merge never waited for the lock")


async def half_merged(database: PostgresDatabase) -> tuple[RunTicket, asyncio.Task[MergeCounters]]:
    """Start a merge that deactivates what BEFORE has beyond its listing, and writes some rows before `z` holds it."""
    listing = a_listing(*(a_track(name, "New") for name in ("a", "b", "z")), "new")
    ticket = await staged(database, listing, [fetched("a", city="Bern"), unmodified("b"), fetched("new")])
    return ticket, asyncio.create_task(database.tracks.merge(ticket, guard=ANY_NUMBER))


async def test_a_backend_that_is_ended_in_mid_merge_leaves_tracks_byte_identical(
    database: PostgresDatabase, database_url: str
) -> None:
    await synced(database, a_listing(*BEFORE))
    before, logged = fetch_all(database_url, TRACKS), fetch_all(database_url, LOGGED)
    with held_row(database_url, "z"):
        _, merge = await half_merged(database)
        fetch_all(database_url, "SELECT pg_terminate_backend(%s)", await until_waiting(database_url))
        with pytest.raises(DatabaseUnavailableError):
            await merge
    assert (fetch_all(database_url, TRACKS), fetch_all(database_url, LOGGED)) == (before, logged)
    assert await database.tracks.count_active("liverc") == 5


async def test_a_cancelled_merge_is_rolled_back_at_once_and_the_run_can_be_closed(
    database: PostgresDatabase, database_url: str
) -> None:
    await synced(database, a_listing(*BEFORE))
    before, logged = fetch_all(database_url, TRACKS), fetch_all(database_url, LOGGED)
    with held_row(database_url, "z"):
        ticket, merge = await half_merged(database)
        backend = await until_waiting(database_url)
        started = time.monotonic()
        merge.cancel()
        with pytest.raises(asyncio.CancelledError):
            await merge
        took = time.monotonic() - started
    assert backend not in [pid for (pid,) in fetch_all(database_url, WAITING)]
    assert (fetch_all(database_url, TRACKS), fetch_all(database_url, LOGGED)) == (before, logged)
    assert took < CANCEL_SECONDS
    await database.ledger.close_run(ticket, outcome=Outcome.CANCELLED, reason="Cancelled", results=NO_RESULTS)
    assert fetch_all(database_url, "SELECT state FROM runs ORDER BY created_at DESC")[0] == ("cancelled",)
    assert fetch_all(database_url, "SELECT count(*) FROM sync_items WHERE run_id = %s", ticket.identity.run_id) == [
        (0,)
    ]


@pytest.mark.parametrize("column", ["slug", "deactivated_at", "last_seen_at"])
async def test_readers_of_every_track_are_not_blocked_and_see_the_state_before(
    database: PostgresDatabase, database_url: str, column: str
) -> None:
    await synced(database, a_listing(*BEFORE))
    question = f"SELECT {column} FROM tracks_with_last_seen WHERE is_active ORDER BY slug"
    before = fetch_all(database_url, question)
    with held_row(database_url, "z"):
        _, merge = await half_merged(database)
        await until_waiting(database_url)
        with psycopg.connect(database_url, options="-c statement_timeout=250") as reader:
            seen = reader.execute(question).fetchall()
        assert not merge.done()
    counters = await merge
    assert (counters.deactivated, counters.inserted, seen) == (2, 1, before)


@pytest.mark.parametrize("point", ["tracks", "changes", "source_state"])
async def test_a_merge_that_fails_at_any_of_its_tables_leaves_everything_as_it_was(
    database: PostgresDatabase, database_url: str, point: str
) -> None:
    await synced(database, a_listing(*BEFORE))
    before, logged = fetch_all(database_url, TRACKS), fetch_all(database_url, LOGGED)
    refuse = (
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no' USING ERRCODE = '53100'; END$$"
    )
    fetch_all(database_url, refuse)
    fetch_all(
        database_url, f"CREATE TRIGGER refuse AFTER INSERT OR UPDATE ON {point} FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    ticket = await staged(database, a_listing("a", "b", "z", "new"), [fetched("a", city="Bern")])
    with pytest.raises(DatabaseUnavailableError):
        await database.tracks.merge(ticket, guard=ANY_NUMBER)
    assert (fetch_all(database_url, TRACKS), fetch_all(database_url, LOGGED)) == (before, logged)
    fetch_all(database_url, f"DROP TRIGGER refuse ON {point}")
    counters = await database.tracks.merge(ticket, guard=ANY_NUMBER)
    assert (counters.deactivated, counters.updated, counters.inserted) == (2, 1, 1)


SLOW_COMMIT = """
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.5); RETURN NULL; END';
CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON tracks DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION slow();
"""
COMMITTING = """
SELECT pid FROM pg_stat_activity
WHERE application_name = 'tests' AND datname = current_database() AND query = 'COMMIT' AND state = 'active'
"""


async def test_a_merge_that_is_cancelled_in_its_commit_still_tells_that_it_was_committed(
    database: PostgresDatabase, database_url: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(SLOW_COMMIT)
    ticket = await staged(database, a_listing(a_track("a", "New")), [])
    merging = asyncio.create_task(database.tracks.merge(ticket, guard=DEFAULT))
    deadline = time.monotonic() + DEADLINE
    while not await asyncio.to_thread(fetch_all, database_url, COMMITTING):
        assert time.monotonic() < deadline, "the merge never came to its COMMIT"
    merging.cancel()
    counters = await merging
    assert counters.inserted == 1
    assert await database.tracks.count_active("liverc") == 1


async def test_a_cancelled_staging_leaves_no_items(database: PostgresDatabase, database_url: str) -> None:
    ticket = await staged(database, a_listing("a"))
    before = fetch_all(database_url, "SELECT slug FROM sync_items")
    stage = asyncio.create_task(database.ledger.stage_listing(ticket, numbered(60_000), refresh=ALL))
    await until_in_transaction(database_url)
    stage.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stage
    assert fetch_all(database_url, "SELECT slug FROM sync_items") == before
    assert await waiting(database, ticket) == ["a"]


async def until_in_transaction(url: str) -> None:
    deadline = time.monotonic() + DEADLINE
    question = f"{BACKENDS} AND xact_start IS NOT NULL"
    while time.monotonic() < deadline:
        if await asyncio.to_thread(fetch_all, url, question):
            return
    pytest.fail("the staging never began")


async def test_after_an_idle_connection_was_ended_the_next_call_connects_again(
    database: PostgresDatabase, database_url: str
) -> None:
    await synced(database, a_listing("a"))
    for (pid,) in fetch_all(database_url, BACKENDS):
        fetch_all(database_url, "SELECT pg_terminate_backend(%s)", pid)
    with pytest.raises(DatabaseUnavailableError, match=r"lost|ended"):
        await database.tracks.count_active("liverc")
    assert await database.tracks.count_active("liverc") == 1


async def test_a_newer_epoch_waits_for_a_merge_under_way_and_then_fences(
    database: PostgresDatabase, database_url: str
) -> None:
    await synced(database, a_listing("a", "b", "z"))
    listing = a_listing(a_track("z", "New"))
    old = await staged(database, listing)
    async with await PostgresDatabase.connect(database_url, application_name="newer") as newer:
        with held_row(database_url, "z"):
            merge = asyncio.create_task(database.tracks.merge(old, guard=DEFAULT))
            await until_waiting(database_url)
            opening = asyncio.create_task(newer.ledger.open_run(old.identity, spec_hash=SPEC))
            done, _ = await asyncio.wait({opening}, timeout=0.2)
            assert not done
        assert (await merge).updated == 1
        assert (await opening).epoch == 2
    with pytest.raises(FencedError):
        await database.tracks.merge(old, guard=DEFAULT)


async def test_of_two_runs_that_insert_the_same_tracks_only_the_one_with_the_lease_does(
    database: PostgresDatabase, database_url: str
) -> None:
    async with await PostgresDatabase.connect(database_url, application_name="other") as other:
        tickets = [await staged(each, numbered(500)) for each in (database, other)]
        merges = (
            each.tracks.merge(ticket, guard=DEFAULT) for each, ticket in zip((database, other), tickets, strict=True)
        )
        first, second = await asyncio.gather(*merges, return_exceptions=True)
    assert isinstance(first, FencedError)
    assert not isinstance(second, BaseException)
    assert second.inserted == await database.tracks.count_active("liverc") == 500


async def test_a_run_whose_process_died_goes_on_in_another_one(database: PostgresDatabase, database_url: str) -> None:
    await synced(database, a_listing("a"), [fetched("a", city="Old")])
    before = fetch_all(database_url, TRACKS)
    dying = await PostgresDatabase.connect(database_url, application_name="dying")
    old = await staged(dying, a_listing("a", "b", "c"), [fetched("a", city="Bern")])
    recording = asyncio.create_task(dying.ledger.record_items(old, [fetched("b", city="Biel")]))
    fetch_all(database_url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'dying'")
    await asyncio.wait({recording})
    assert fetch_all(database_url, TRACKS) == before
    new = await database.ledger.open_run(old.identity, spec_hash=SPEC)
    assert new.checkpoint is not None
    left = await waiting(database, new)
    assert left == (["b", "c"] if recording.exception() else ["c"])
    await database.ledger.record_items(new, [fetched(slug, city="Davos") for slug in left])
    assert (await database.tracks.merge(new, guard=DEFAULT)).inserted == 2
    assert fetch_all(database_url, "SELECT city FROM tracks WHERE slug IN ('a', 'c') ORDER BY slug") == [
        ("Bern",),
        ("Davos",),
    ]
    await dying.close()


async def test_calls_at_the_same_time_take_turns(database: PostgresDatabase) -> None:
    slugs = [f"track{number}" for number in range(200)]
    ticket = await staged(database, numbered(200))
    batches = [[fetched(slug, city="Bern") for slug in slugs[start : start + 20]] for start in range(0, 200, 20)]
    await asyncio.gather(*(database.ledger.record_items(ticket, batch) for batch in batches))
    assert await waiting(database, ticket) == []


async def test_the_limits_hold_inside_a_transaction_and_leave_no_trace_outside(database: PostgresDatabase) -> None:
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "search_path", "jit")
    question = ", ".join(f"current_setting('{name}')" for name in names)
    async with database._session.transaction() as connection:
        inside = await (await connection.execute(f"SELECT {question}")).fetchone()
    assert inside == ("5min", "15s", "1min", "public, pg_temp", "off")
    outside = await (await database._session._connection.execute(f"SELECT {question}")).fetchone()  # type: ignore[union-attr]  # connected
    assert outside is not None
    assert outside[0] == "0"
