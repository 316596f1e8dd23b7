"""What the ledger remembers of runs, on a real PostgreSQL: reading, the cost of reading, and forgetting."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import psycopg
import pytest

from tests.cli.starting import tracksync
from tests.support.postgres import fetch_all
from tests.support.store import DEFAULT, SPEC, WEEKLY, a_listing, a_run, failed, fetched
from tracksync.adapters.postgres import history_statements
from tracksync.adapters.postgres.database import PostgresDatabase
from tracksync.api.job import Results
from tracksync.api.result import Outcome
from tracksync.core.tracks.history import RunQuery
from tracksync.core.tracks.plan import ChangeKind, RunMode, TrackChange

if TYPE_CHECKING:
    from tracksync.ports import RunIdentity

ITEMS: Final = int(os.environ.get("TRACKSYNC_TEST_HISTORY_ITEMS", "100000"))
"""Items of the ledger whose reading is measured; the long form has a million."""
RUNS: Final = 1000
MANY = """
INSERT INTO runs (run_id, name, namespace, source, state, attempt, epoch, created_at, started_at, finished_at, reason)
SELECT gen_random_uuid(), 'name' || n %% 50, 'ns' || n %% 10, 'liverc',
       CASE n %% 20 WHEN 0 THEN 'failed' ELSE 'succeeded' END, 1, 1,
       now() - n * interval '1 hour', now() - n * interval '1 hour', now() - n * interval '59 minutes', 'Done'
FROM generate_series(1, %(runs)s) AS n;
INSERT INTO sync_items (run_id, slug, slug_as_listed, name, track_url, events_url, is_featured, kind, state,
                        error_class)
SELECT r.run_id, 'slug' || n, 'slug', 'name', 'url', 'url', false, 'track', 'failed', 'timeout'
FROM runs AS r, generate_series(1, %(each)s) AS n;
INSERT INTO changes (run_id, track_id, kind, fields)
SELECT run_id, gen_random_uuid(), 'updated', '{city}' FROM sync_items;
ANALYZE runs, sync_items, changes
"""


async def a_finished_run(database: PostgresDatabase, identity: RunIdentity, *slugs: str, fails: str = "") -> None:
    ticket = await database.ledger.open_run(identity, spec_hash=SPEC)
    await database.ledger.stage_listing(ticket, a_listing(*slugs), refresh=WEEKLY)
    await database.ledger.record_items(ticket, [fetched(slug, city="Springfield") for slug in slugs if slug != fails])
    if fails:
        await database.ledger.record_items(ticket, [failed(fails)])
    await database.tracks.merge(ticket, guard=DEFAULT)
    results = Results(listed=len(slugs), inserted=len(slugs))
    await database.ledger.close_run(ticket, outcome=Outcome.SUCCEEDED, reason="Completed", results=results)


def age(url: str, run_id: str, days: int) -> None:
    fetch_all(
        url,
        "UPDATE runs SET created_at = created_at - %s * interval '1 day', started_at = started_at - %s * interval "
        "'1 day', finished_at = finished_at - %s * interval '1 day' WHERE run_id = %s RETURNING 1",
        days, days, days, run_id,
    )  # fmt: skip


async def test_a_run_is_found_by_name_state_and_date_and_read_with_changes_and_failures(
    database: PostgresDatabase,
) -> None:
    first, second = a_run(), a_run()
    await a_finished_run(database, first, "alpha", "beta", fails="beta")
    await a_finished_run(database, second, "alpha", "beta")
    found = await database.history.find_runs(RunQuery(name="nightly", state="succeeded"))
    assert [run.run_id for run in found] == [second.run_id, first.run_id]
    assert (found[1].mode, found[1].reason, found[1].results["listed"]) == (RunMode.APPLY, "Completed", 2)
    assert await database.history.find_runs(RunQuery(name="another")) == []
    assert await database.history.find_runs(RunQuery(until=found[1].created_at)) == []
    assert len(await database.history.find_runs(RunQuery(since=found[1].created_at, limit=1))) == 1
    report = await database.history.read_run(first.run_id)
    assert report is not None
    assert list(report.changes) == [
        TrackChange("alpha", ChangeKind.INSERTED),
        TrackChange("beta", ChangeKind.INSERTED),
    ]
    assert [failure.slug for failure in report.failures] == ["beta"]


@pytest.mark.parametrize("run_id", [str(uuid4()), "no id at all"])
async def test_an_unknown_run_is_none(database: PostgresDatabase, run_id: str) -> None:
    assert await database.history.read_run(run_id) is None


async def test_purge_forgets_what_ended_longer_ago_with_all_that_belongs_to_it_and_no_track(
    database: PostgresDatabase, database_url: str
) -> None:
    old, young = a_run(), a_run()
    await a_finished_run(database, old, "alpha", "beta", fails="beta")
    await a_finished_run(database, young, "alpha", "beta")
    age(database_url, old.run_id, days=31)
    assert await database.history.purge(keep_days=30, seconds=10) == 1
    assert [run.run_id for run in await database.history.find_runs(RunQuery())] == [young.run_id]
    left = "SELECT count(*) FROM sync_items UNION ALL SELECT count(*) FROM changes WHERE run_id = %s"
    assert fetch_all(database_url, left, old.run_id) == [(0,), (0,)]
    assert await database.tracks.count_active("liverc") == 2


async def test_purge_forgets_a_run_whose_worker_is_long_gone_but_none_that_holds_its_lease(
    database: PostgresDatabase, database_url: str
) -> None:
    held = a_run()
    await database.ledger.open_run(held, spec_hash=SPEC)
    age(database_url, held.run_id, days=31)
    assert await database.history.purge(keep_days=30, seconds=10) == 0
    fetch_all(database_url, "UPDATE leases SET expires_at = now() - interval '1 day' RETURNING 1")
    assert await database.history.purge(keep_days=30, seconds=10) == 1


async def test_purge_stops_when_its_time_is_over_and_goes_on_in_the_next_run(
    database: PostgresDatabase, database_url: str
) -> None:
    runs = [a_run(source=f"source{number}") for number in range(3)]
    for run in runs:
        await a_finished_run(database, run, "alpha", "beta", fails="beta")
        age(database_url, run.run_id, days=40)
    assert await database.history.purge(keep_days=30, seconds=0) == 0
    assert await database.history.purge(keep_days=30, seconds=10) == 3


async def test_nobody_keeps_history_for_less_than_a_week(database: PostgresDatabase) -> None:
    with pytest.raises(ValueError, match="7 days at least, not 6"):
        await database.history.purge(keep_days=6, seconds=1)


def many_items(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = psycopg.ClientCursor(connection)
        cursor.execute(MANY, {"runs": RUNS, "each": ITEMS // RUNS})


def explained(connection: psycopg.Connection[Any], statement: Any, values: dict[str, object]) -> tuple[float, str]:
    """Return the statement's best execution time of three in milliseconds, and its plan."""
    rows = [
        connection.execute(b"EXPLAIN (ANALYZE, FORMAT JSON) " + statement.as_bytes(connection), values).fetchone()
        for _ in range(3)
    ]
    documents = [row[0][0] for row in rows if row is not None]
    return min(document["Execution Time"] for document in documents), json.dumps(documents[0]["Plan"])


def scans(plan: dict[str, Any]) -> set[tuple[str, str]]:
    """Return the tables that the plan reads, each with the way in which it does."""
    own = {(plan["Relation Name"], plan["Node Type"])} if "Relation Name" in plan else set()
    return own.union(*map(scans, plan.get("Plans", ())))


def test_queries_by_id_name_state_and_date_stay_quick_in_a_full_ledger(database_url: str) -> None:
    many_items(database_url)
    nothing: dict[str, object] = dict.fromkeys(("name", "namespace", "state", "since", "until"))
    [(run_id,)] = fetch_all(database_url, "SELECT run_id FROM runs ORDER BY created_at LIMIT 1")
    week = datetime.now(UTC) - timedelta(days=7)
    queries: dict[str, tuple[Any, dict[str, object]]] = {
        "name": (history_statements.FIND_RUNS, {**nothing, "name": "name7", "limit": 50}),
        "state": (history_statements.FIND_RUNS, {**nothing, "state": "failed", "limit": 50}),
        "date": (history_statements.FIND_RUNS, {**nothing, "since": week, "limit": 50}),
        "id": (history_statements.READ_RUN, {"run_id": run_id}),
        "changes": (history_statements.CHANGES_OF_RUN, {"run_id": run_id}),
        "failures": (history_statements.FAILURES_OF_RUN, {"run_id": run_id}),
    }
    with psycopg.connect(database_url) as connection:
        figures = {what: explained(connection, *query) for what, query in queries.items()}
    for what, (milliseconds, plan) in figures.items():
        assert milliseconds < 20, (what, milliseconds, plan)
    for what, table in (("changes", "changes"), ("failures", "sync_items")):
        nodes = scans(json.loads(figures[what][1]))
        assert (table, "Seq Scan") not in nodes, nodes
        assert table in {name for name, _ in nodes}, nodes


def test_the_commands_list_and_show_runs(database_url: str) -> None:
    async def act() -> str:
        async with await PostgresDatabase.connect(database_url, application_name="tests") as database:
            identity = a_run()
            await a_finished_run(database, identity, "alpha", "beta", fails="beta")
            return identity.run_id

    run_id = asyncio.run(act())
    listed = tracksync("history", "--output", "json", TRACKSYNC_DATABASE_URL=database_url)
    assert [run["run_id"] for run in json.loads(listed.stdout)] == [run_id]
    table = tracksync("history", "--since", "1h", "--state", "succeeded", TRACKSYNC_DATABASE_URL=database_url)
    assert run_id in table.stdout
    assert "1 runs" in table.stdout
    by_name = tracksync("report", "nightly", TRACKSYNC_DATABASE_URL=database_url)
    by_id = tracksync("report", run_id, TRACKSYNC_DATABASE_URL=database_url)
    assert by_name.stdout == by_id.stdout
    assert by_id.stdout.startswith("Run nightly\n")
    unknown = tracksync("report", "nobody", TRACKSYNC_DATABASE_URL=database_url)
    assert unknown.returncode == 30
    assert "remembers no run 'nobody'" in unknown.stderr
