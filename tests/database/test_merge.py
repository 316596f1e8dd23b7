"""The merge on a real server: what it writes, what it cannot write, how much of it.

The rules that the twin shares are in tests/ports.
"""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.sql import Composable

from tests.support.postgres import fetch_all
from tests.support.store import (
    ALL,
    ANY_NUMBER,
    DEFAULT,
    NO_RESULTS,
    SPEC,
    a_listing,
    a_run,
    a_track,
    failed,
    fetched,
    numbered,
    staged,
    synced,
    unmodified,
    waiting,
)
from tracksync.adapters.postgres import merge_statements, statements
from tracksync.adapters.postgres.columns import ADMIN_COLUMNS
from tracksync.adapters.postgres.fencing import fenced
from tracksync.adapters.postgres.staging import _outcomes
from tracksync.api.result import Outcome
from tracksync.core.tracks.model import MergeCounters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tracksync.adapters.postgres.database import PostgresDatabase
    from tracksync.core.tracks.model import ItemResult

TURN = "SELECT pg_advisory_xact_lock(hashtextextended('tracksync merge into liverc', 0))"
EVERYTHING = "SELECT ctid::text, xmin::text, xmax::text, t::text FROM tracks AS t ORDER BY slug"
WAL_OF_A_MERGE_WITHOUT_CHANGES = 8192
"""Bytes; one row lock, the source's one row, one commit record, and now and then the server's own notes."""


@contextmanager
def held_merges(url: str) -> Iterator[Callable[[], None]]:
    """Hold the turn of merges into the source until it is released."""
    with psycopg.connect(url) as connection:
        connection.execute(TURN)
        yield connection.rollback


async def test_nothing_changed_and_nothing_asked_for_means_nothing_written(
    database: PostgresDatabase, database_url: str
) -> None:
    items = [fetched(f"track{number}", city="Bern", phone=None, total_laps=number) for number in range(1090)]
    await synced(database, numbered(1090), items)
    ticket = await staged(database, numbered(1090), refresh=None)
    fetch_all(database_url, "SELECT pg_switch_wal()")
    before = fetch_all(database_url, EVERYTHING)
    start = fetch_all(database_url, "SELECT pg_current_wal_insert_lsn()::text")[0][0]
    assert await database.tracks.merge(ticket, guard=DEFAULT) == MergeCounters(unchanged=1090, active_before=1090)
    wal = fetch_all(database_url, "SELECT pg_current_wal_insert_lsn() - %s::pg_lsn", start)[0][0]
    assert fetch_all(database_url, EVERYTHING) == before
    assert fetch_all(database_url, "SELECT count(*) FROM changes WHERE run_id = %s", ticket.identity.run_id) == [(0,)]
    assert wal <= WAL_OF_A_MERGE_WITHOUT_CHANGES


async def test_dashboards_that_say_the_same_as_before_leave_tracks_byte_identical(
    database: PostgresDatabase, database_url: str
) -> None:
    items = [fetched(f"track{number}", city="Bern", phone=None, total_laps=number) for number in range(100)]
    await synced(database, numbered(100), items)
    before = fetch_all(database_url, EVERYTHING)
    assert await synced(database, numbered(100), items) == MergeCounters(unchanged=100, active_before=100)
    assert await synced(database, numbered(100), [unmodified(f"track{number}") for number in range(100)]) == (
        MergeCounters(unchanged=100, active_before=100)
    )
    assert fetch_all(database_url, EVERYTHING) == before
    assert fetch_all(database_url, "SELECT DISTINCT unmodified FROM track_freshness") == [(1,)]


async def test_only_what_was_asked_for_in_this_run_has_its_freshness_written(
    database: PostgresDatabase, database_url: str
) -> None:
    versions = "SELECT t.slug, f.xmin::text FROM track_freshness AS f JOIN tracks AS t ON t.id = f.track_id"
    await synced(database, numbered(100), [fetched(f"track{number}") for number in range(90)])
    before = dict(fetch_all(database_url, versions))
    outcomes: list[ItemResult] = [fetched("track1"), unmodified("track2"), failed("track3"), fetched("track95")]
    await synced(database, numbered(100), outcomes)
    after = dict(fetch_all(database_url, versions))
    assert {slug for slug, version in after.items() if before.get(slug) != version} == {item.slug for item in outcomes}
    assert len(after) == 91


async def test_a_merge_touches_only_the_rows_that_differ(database: PostgresDatabase, database_url: str) -> None:
    await synced(database, numbered(1000))
    before = dict(fetch_all(database_url, "SELECT slug, xmin::text FROM tracks"))
    changed = [fetched(f"track{number}", city="Bern") for number in range(50)]
    listing = a_listing(*(f"track{number}" for number in range(990)), *(f"new{number}" for number in range(10)))
    assert await synced(database, listing, changed, guard=ANY_NUMBER) == MergeCounters(
        inserted=10, updated=50, unchanged=940, deactivated=10, active_before=1000
    )
    after = dict(fetch_all(database_url, "SELECT slug, xmin::text FROM tracks"))
    written = {item.slug for item in changed} | {f"track{number}" for number in range(990, 1000)}
    assert {slug for slug in before if before[slug] != after[slug]} == written
    assert len(after) == 1010


@pytest.mark.parametrize("count", [1090, 20_000])
async def test_a_whole_catalogue_is_merged(database: PostgresDatabase, database_url: str, count: int) -> None:
    items = [fetched(f"track{number}", city=f"City {number}", total_laps=number) for number in range(count)]
    _run = a_run()
    ticket = await database.ledger.open_run(_run, spec_hash=SPEC)
    await database.ledger.stage_listing(ticket, numbered(count), refresh=ALL)
    for start in range(0, count, 1000):
        await database.ledger.record_items(ticket, items[start : start + 1000])
    assert await waiting(database, ticket) == []
    assert await database.tracks.merge(ticket, guard=DEFAULT) == MergeCounters(inserted=count)
    total = fetch_all(database_url, "SELECT count(DISTINCT id), count(DISTINCT slug), sum(total_laps) FROM tracks")
    assert total == [(count, count, count * (count - 1) // 2)]
    assert await database.tracks.count_active(_run.source) == count
    question = "SELECT count(*) FROM track_freshness WHERE as_of = %s"
    assert fetch_all(database_url, question, ticket.planned_start) == [(count,)]


@pytest.mark.parametrize("column", ADMIN_COLUMNS)
def test_no_statement_of_the_sync_names_an_admin_owned_column(column: str) -> None:
    everything = vars(statements) | vars(merge_statements)
    texts = {name: value.as_string() for name, value in everything.items() if isinstance(value, Composable)}
    naming = {name for name, text in texts.items() if re.search(rf"\b{column}\b", text)}
    assert naming == {"FIND_TRACKS"}
    assert re.match(r"\s*SELECT", texts["FIND_TRACKS"])


async def test_what_the_server_is_asked_to_write_names_no_admin_owned_column(
    database: PostgresDatabase, database_url: str
) -> None:
    fetch_all(
        database_url,
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'admin owned'; END$$",
    )
    columns = ", ".join(ADMIN_COLUMNS)
    fetch_all(
        database_url,
        f"CREATE TRIGGER guard BEFORE UPDATE OF id, created_at, {columns} ON tracks EXECUTE FUNCTION refuse()",
    )
    await synced(database, a_listing("a"), [fetched("a", city="Bern")])
    assert (await synced(database, a_listing(a_track("a", "New")), [fetched("a", city=None)])).updated == 1
    with pytest.raises(psycopg.errors.RaiseException):
        fetch_all(database_url, "UPDATE tracks SET is_followed = true")


async def test_a_change_of_a_column_moves_updated_at_and_only_there(
    database: PostgresDatabase, database_url: str
) -> None:
    await synced(database, a_listing("a", "b"))
    await synced(database, a_listing(a_track("a", "New"), "b"))
    rows = fetch_all(database_url, "SELECT slug, updated_at > created_at FROM tracks ORDER BY slug")
    assert rows == [("a", True), ("b", False)]


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.CANCELLED])
async def test_closing_a_run_that_did_not_succeed_keeps_how_items_failed_and_nothing_that_a_page_said(
    database: PostgresDatabase, database_url: str, outcome: Outcome
) -> None:
    new = a_track("new", values={"phone": "555-0199"})
    listing = a_listing("a", a_track("b", "Known by name"), new)
    ticket = await staged(database, listing, [fetched("a", phone="555-0100"), failed("b")])
    await database.ledger.close_run(ticket, outcome=outcome, reason="Because", results=NO_RESULTS)
    left = fetch_all(database_url, "SELECT jsonb_strip_nulls(to_jsonb(i)) FROM sync_items AS i")
    blank = {"slug_as_listed": "", "name": "", "track_url": "", "events_url": "", "is_featured": False, "kind": "track"}
    how = {"slug": "b", "state": "failed", "error_class": "HttpStatus", "http_status": 503, "attempts": 1}
    assert [{**row, "run_id": "", "finished_at": ""} for (row,) in left] == [
        {**blank, **how, "run_id": "", "finished_at": ""}
    ]
    assert fetch_all(database_url, "SELECT count(*) FROM sync_new_tracks") == [(0,)]
    assert fetch_all(database_url, "SELECT state, reason, finished_at IS NOT NULL FROM runs") == [
        (outcome.value.lower(), "Because", True)
    ]


async def test_closing_a_run_that_succeeded_keeps_failures_and_no_personal_data(
    database: PostgresDatabase, database_url: str
) -> None:
    ticket = await staged(database, a_listing("a", "b"), [fetched("a", phone="555-0100"), failed("b", http_status=404)])
    await database.tracks.merge(ticket, guard=DEFAULT)
    results = NO_RESULTS.model_copy(update={"listed": 2, "failed_items": 1})
    await database.ledger.close_run(
        ticket, outcome=Outcome.COMPLETED_WITH_ERRORS, reason="CompletedWithErrors", results=results
    )
    items = fetch_all(database_url, "SELECT slug, dashboard, attempts, error_class, http_status FROM sync_items")
    assert items == [("b", None, 1, "HttpStatus", 404)]
    state, stored = fetch_all(database_url, "SELECT state, results FROM runs")[0]
    assert (state, stored["listed"], stored["failedItems"]) == ("completed_with_errors", 2, 1)
    assert "555-0100" not in json.dumps(stored)


async def test_a_failed_run_that_keeps_its_checkpoint_keeps_its_items(
    database: PostgresDatabase, database_url: str
) -> None:
    ticket = await staged(database, a_listing("a", "b"), [fetched("a", city="Bern"), failed("b")])
    await database.ledger.close_run(
        ticket, outcome=Outcome.FAILED, reason="Because", results=NO_RESULTS, keep_checkpoint=True
    )
    items = fetch_all(database_url, "SELECT slug, state FROM sync_items ORDER BY slug")
    assert items == [("a", "fetched"), ("b", "failed")]
    assert fetch_all(database_url, "SELECT state, finished_at IS NOT NULL, listing->>'listed' FROM runs") == [
        ("failed", True, "2")
    ]


async def test_a_batch_of_attempts_says_when_each_item_was_tried_last(
    database: PostgresDatabase, database_url: str
) -> None:
    ticket = await staged(database, a_listing("a", "b"))
    await database.ledger.record_items(ticket, [failed("a")])
    await database.ledger.record_items(ticket, [fetched("a")])
    question = "SELECT slug, attempts, finished_at > (SELECT created_at FROM runs) FROM sync_items ORDER BY slug"
    assert fetch_all(database_url, question) == [("a", 2, True), ("b", 0, None)]


async def test_the_freshness_holds_nothing_that_a_page_said(database: PostgresDatabase, database_url: str) -> None:
    await synced(database, a_listing("a", "b"), [fetched("a", phone="555-0100", street="Lane 1"), failed("b")])
    rows = fetch_all(database_url, "SELECT to_jsonb(f)::text FROM track_freshness AS f")
    assert len(rows) == 2
    assert not re.search("555-0100|Lane", "".join(text for (text,) in rows))


async def test_a_run_that_is_opened_again_is_running_and_has_its_new_attempt(
    database: PostgresDatabase, database_url: str
) -> None:
    ticket = await staged(database, a_listing("a"))
    await database.ledger.close_run(ticket, outcome=Outcome.FAILED, reason="Because", results=NO_RESULTS)
    await database.ledger.open_run(a_run(run_id=ticket.identity.run_id, attempt=2), spec_hash=SPEC)
    rows = fetch_all(database_url, "SELECT state, attempt, epoch, reason, results, finished_at FROM runs")
    assert rows == [("running", 2, 2, "", None, None)]


async def test_a_batch_of_outcomes_reads_its_own_items_and_not_the_whole_run(
    database: PostgresDatabase, database_url: str
) -> None:
    fetch_all(database_url, "ALTER TABLE sync_items SET (autovacuum_enabled = false)")
    await staged(database, numbered(100))
    fetch_all(database_url, "ANALYZE sync_items")
    ticket = await staged(database, numbered(5000))
    values = _outcomes(ticket, [fetched(f"track{number}") for number in range(50)])
    async with fenced(database._session, ticket, is_shared=True) as connection:
        explained = await connection.execute(b"EXPLAIN (FORMAT JSON) " + statements.RECORD_ITEMS.as_bytes(), values)
        plan = json.dumps(await explained.fetchall())
    assert re.search(r"Index Cond.{1,40}run_id[^\"]*AND[^\"]*slug", plan)


async def test_withheld_tracks_are_written_once_to_say_that_they_are_missing_and_then_not_even_locked(
    database: PostgresDatabase, database_url: str
) -> None:
    await synced(database, numbered(100))
    inserted = fetch_all(database_url, EVERYTHING)
    assert (await synced(database, numbered(50))).withheld == 50
    before = fetch_all(database_url, EVERYTHING)
    assert len(set(before) & set(inserted)) == 50
    assert (await synced(database, numbered(50))).withheld == 50
    assert fetch_all(database_url, EVERYTHING) == before
    missing = "SELECT count(*), count(missing_since) FROM tracks WHERE is_active"
    assert fetch_all(database_url, missing) == [(100, 50)]


async def test_a_deactivation_writes_two_columns_and_the_log_nothing_personal(
    database: PostgresDatabase, database_url: str
) -> None:
    question = "SELECT to_jsonb(t) - 'is_active' - 'deactivated_at' FROM tracks AS t WHERE slug = 'track9'"
    items = [fetched(f"track{number}", phone="555-0100", city="Bern") for number in range(10)]
    await synced(database, numbered(10), items)
    before = fetch_all(database_url, question)
    ticket = await staged(database, numbered(9), [fetched("track1", phone="555-0199", city="Biel")])
    assert (await database.tracks.merge(ticket, guard=ANY_NUMBER)).deactivated == 1
    assert fetch_all(database_url, question) == before
    logged = fetch_all(database_url, "SELECT kind, fields FROM changes WHERE run_id = %s", ticket.identity.run_id)
    assert sorted(logged) == [("deactivated", []), ("updated", ["city", "phone"])]
    texts = fetch_all(database_url, "SELECT to_jsonb(c)::text FROM changes AS c")
    assert not re.search("555-01", "".join(text for (text,) in texts))


async def test_a_merge_waits_for_the_turn_of_another_one(database: PostgresDatabase, database_url: str) -> None:
    ticket = await staged(database, numbered(10))
    with held_merges(database_url) as release:
        merging = asyncio.create_task(database.tracks.merge(ticket, guard=DEFAULT))
        done, _ = await asyncio.wait({merging}, timeout=0.2)
        assert not done
        release()
    assert (await merging).inserted == 10
