"""How the server works through many staged rows of which it knows nothing: no statement loops over them."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.support.postgres import fetch_all
from tests.support.store import a_listing, a_track, numbered, staged, synced
from tracksync.adapters.postgres import merge_statements, statements
from tracksync.adapters.postgres.database import PostgresDatabase

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.postgres import PostgresServer
    from tracksync.ports import RunTicket

ROWS = 20_000
TABLES = ("sync_items", "sync_new_tracks", "tracks", "track_activity")
HOT = (
    *("COUNT_VANISHED", "DEACTIVATE_TRACKS", "MARK_MISSING", "UPDATE_TRACKS", "INSERT_ITEMS", "INSERT_NEW_TRACKS"),
    *("PLAN_DEACTIVATIONS", "PLAN_UPDATES", "PLAN_ITEMS", "PLAN_NEW_TRACKS", "WRITE_FRESHNESS", "WRITE_ACTIVITY"),
)


async def fill(url: str) -> RunTicket:
    """Store and stage many rows of every kind, with the statistics of a few."""
    async with await PostgresDatabase.connect(url, application_name="tests") as database:
        await synced(database, numbered(ROWS), refresh=None)
        fetch_all(url, "DELETE FROM sync_items WHERE slug NOT LIKE 'track1__'")
        for table in TABLES:
            fetch_all(url, f"ANALYZE {table}")
        rows = [a_track(f"track{number}", "New", has_video=True) for number in range(ROWS // 2)]
        new = [a_track(f"new{number}") for number in range(ROWS // 2)]
        known = [a_track(f"known{number}", values={"city": "Bern"}) for number in range(ROWS // 2)]
        return await staged(database, a_listing(*rows, *new, *known))


@pytest.fixture(scope="module")
def filled(postgres_server: PostgresServer) -> Iterator[tuple[str, RunTicket]]:
    with postgres_server.database() as url:
        for table in TABLES:
            fetch_all(url, f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
        yield url, asyncio.run(fill(url))


@pytest.mark.parametrize("name", HOT)
def test_no_statement_of_the_merge_loops_over_staged_rows(filled: tuple[str, RunTicket], name: str) -> None:
    url, ticket = filled
    run = {"run_id": ticket.identity.run_id, "source": "liverc", "planned_start": ticket.planned_start}
    with psycopg.connect(url) as connection:
        connection.execute(merge_statements.TAKE_TURN, run)
        statement = getattr(merge_statements, name)
        plan = json.dumps(connection.execute(b"EXPLAIN (FORMAT JSON) " + statement.as_bytes(), run).fetchall())
        connection.rollback()
    assert re.search("Hash|Merge Join", plan)
    assert "Nested Loop" not in plan


@pytest.mark.parametrize("name", ["READ_TRACKS", "READ_FRESHNESS", "READ_ACTIVITY", "READ_ACTIVE"])
def test_no_reading_of_stored_tracks_loops(filled: tuple[str, RunTicket], name: str) -> None:
    with psycopg.connect(filled[0]) as connection:
        connection.execute(statements.READ_WHOLE_TABLES)
        statement = getattr(statements, name).as_string().partition("CURSOR FOR")[2]
        question = f"EXPLAIN (FORMAT JSON) {statement}".encode()
        plan = json.dumps(connection.execute(question, {"source": "liverc"}).fetchall())
    assert "Nested Loop" not in plan
