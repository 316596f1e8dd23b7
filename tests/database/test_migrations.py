"""Migrations: twice, at the same time, equal to the tables; a database at another revision is named as such."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, create_engine
from sqlalchemy.pool import NullPool

from tests.support.postgres import fetch_all
from tests.support.store import WEEKLY, a_listing, a_run, synced, waiting
from tracksync.adapters.postgres.columns import BOOKKEEPING_COLUMNS, TRACK_COLUMNS
from tracksync.adapters.postgres.database import PostgresDatabase
from tracksync.adapters.postgres.migrate import (
    EXPECTED_REVISION,
    VERSION_TABLE,
    MigrationReport,
    alembic_config,
    current_and_expected,
    migrate,
)
from tracksync.adapters.postgres.tables import METADATA, TRACKS
from tracksync.errors import DatabaseCredentialsError, SchemaMismatchError

CHECKS = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'tracksync_version' ORDER BY 1, 2
"""
DEFAULTS = """
SELECT table_name, column_name, column_default, data_type, is_nullable FROM information_schema.columns
WHERE table_schema = 'public' AND table_name NOT IN ('tracksync_version', 'tracks_with_last_seen') ORDER BY 1, 2
"""
INDEXES = """
SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'tracksync_version' ORDER BY 1
"""


RUN, ITEM = "6c9bd7a0-0000-4000-8000-000000000001", "INSERT INTO sync_items ({}) VALUES ({})"
FILL_0001 = """
INSERT INTO tracks (source, slug, slug_as_listed, name, track_url, events_url, is_featured, kind, city, total_laps,
                    is_followed, start_finish_line, latitude)
SELECT 'liverc', 'track' || n, 'Track' || n, 'Track ' || n, 'https://x/', 'https://x/events', n % 2 = 0, 'track',
       'City ' || n, n, true, '{"a": 1}', 46.9 FROM generate_series(1, 200) AS n;
INSERT INTO runs (run_id, name, namespace, source, state, attempt, epoch, finished_at, reason, results)
SELECT gen_random_uuid(), 'r', 'ns', 'liverc', s, 2, 3, CASE s WHEN 'running' THEN NULL ELSE now() END, 'R',
       '{"listed": 1}'
FROM unnest(ARRAY['running', 'succeeded', 'completed_with_errors', 'failed', 'cancelled']) AS s;
INSERT INTO sync_items (run_id, slug, slug_as_listed, name, track_url, events_url, is_featured, kind, state, dashboard,
                        attempts, error_class, http_status)
SELECT run_id, s, s, s, s, s, true, 'track', s, CASE s WHEN 'fetched' THEN '{"city": "Bern"}'::jsonb END, 1,
       CASE s WHEN 'failed' THEN 'Timeout' END, CASE s WHEN 'failed' THEN 503 END
FROM runs, unnest(ARRAY['waiting', 'fetched', 'failed', 'listed']) AS s WHERE runs.state = 'running';
"""
FILL_0002 = f"""{FILL_0001}
UPDATE tracks SET is_active = false, deactivated_at = now() WHERE slug = 'track7';
INSERT INTO track_freshness (track_id, as_of, etag, attempts)
SELECT id, now(), '"1"', 1 FROM tracks WHERE total_laps > 9;
INSERT INTO sync_items (run_id, slug, slug_as_listed, name, track_url, events_url, is_featured, kind, state)
SELECT run_id, 'u', 'u', 'u', 'u', 'u', true, 'track', 'unmodified' FROM runs WHERE state = 'running';
INSERT INTO source_domains (domain, off_reason) VALUES ('example.org', 'holidays');
INSERT INTO robots VALUES ('example.org', 'a.example.org', 200, true, NULL, now(), 'x');
"""
COLUMNS_OF = """
SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = %s ORDER BY 1
"""


def insert_run_and_item(connection: psycopg.Connection[tuple[Any, ...]], **values: str) -> None:
    connection.execute(
        "INSERT INTO runs (run_id, name, namespace, source, state, attempt, epoch)"
        " VALUES (%s, 'r', 'ns', 'liverc', 'running', 1, 1) ON CONFLICT DO NOTHING",
        [RUN],
    )
    texts = dict.fromkeys(("slug_as_listed", "name", "track_url", "events_url", "kind"), "x")
    row = {"run_id": RUN, "slug": uuid4().hex, "is_featured": "true", **texts, **values}
    connection.execute(ITEM.format(", ".join(row), ", ".join(["%s"] * len(row))), list(row.values()))


def migrated_to(url: str, revision: str) -> None:
    """Bring an empty database to a revision that may be older than this build's."""
    engine = engine_of(url)
    with engine.begin() as connection:
        config = alembic_config()
        config.attributes.update(connection=connection, on_version_apply=())
        command.upgrade(config, revision)


def engine_of(url: str):  # type: ignore[no-untyped-def]  # noqa: ANN201 -- SQLAlchemy's Engine, of one test's use
    return create_engine(url.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool)


def test_the_expected_revision_is_the_newest_file() -> None:
    assert ScriptDirectory.from_config(alembic_config()).get_current_head() == EXPECTED_REVISION


def test_an_empty_database_is_brought_to_the_expected_revision_and_each_step_is_told(empty_database_url: str) -> None:
    steps: list[str] = []
    assert current_and_expected(empty_database_url) == (None, EXPECTED_REVISION)
    assert migrate(empty_database_url, on_step=steps.append) == MigrationReport(None, EXPECTED_REVISION)
    assert steps == ["0001", "0002", "0003", "0004"]
    assert current_and_expected(empty_database_url) == (EXPECTED_REVISION, EXPECTED_REVISION)


def test_migrating_again_changes_nothing(database_url: str) -> None:
    before = fetch_all(database_url, "SELECT oid, xmin::text FROM pg_class WHERE relnamespace = 'public'::regnamespace")
    assert migrate(database_url) == MigrationReport(EXPECTED_REVISION, EXPECTED_REVISION)
    after = fetch_all(database_url, "SELECT oid, xmin::text FROM pg_class WHERE relnamespace = 'public'::regnamespace")
    assert after == before


def test_of_many_migrations_at_the_same_time_one_does_the_work(empty_database_url: str) -> None:
    with ThreadPoolExecutor(6) as pool:
        reports = list(pool.map(migrate, [empty_database_url] * 6))
    done = [report for report in reports if report.from_revision is None]
    assert (len(done), {report.to_revision for report in reports}) == (1, {EXPECTED_REVISION})


def test_a_step_that_fails_leaves_nothing_behind(empty_database_url: str) -> None:
    def fail(_: str) -> None:
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        migrate(empty_database_url, on_step=fail)
    assert (
        fetch_all(empty_database_url, "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace") == []
    )


def test_a_database_that_was_filled_at_the_first_revision_keeps_every_row(empty_database_url: str) -> None:
    url = empty_database_url
    migrated_to(url, "0001")
    with psycopg.connect(url) as connection:
        connection.execute(FILL_0001)
    tables = ("tracks", "runs", "sync_items")
    kept = {table: ", ".join(name for (name,) in fetch_all(url, COLUMNS_OF, table)) for table in tables}
    before = {table: fetch_all(url, f"SELECT {kept[table]} FROM {table} ORDER BY 1, 2, 3") for table in tables}
    assert [len(rows) for rows in before.values()] == [200, 5, 4]
    assert migrate(url) == MigrationReport("0001", EXPECTED_REVISION)
    after = {table: fetch_all(url, f"SELECT {kept[table]} FROM {table} ORDER BY 1, 2, 3") for table in tables}
    assert after == before


def test_a_database_that_was_filled_at_the_second_revision_keeps_every_row_as_it_lies(empty_database_url: str) -> None:
    url = empty_database_url
    migrated_to(url, "0002")
    with psycopg.connect(url) as connection:
        connection.execute(FILL_0002)
    tables = ("tracks", "runs", "sync_items", "track_freshness", "source_domains", "robots")
    # What a later revision adds is left out.
    added = "listed_at,mode,merged,merged_at,listing_hash,known_hash,metadata_hash,missing_since,activity"
    columns = f"ctid::text, xmin::text, (to_jsonb(t) - string_to_array('{added}', ','))::text"
    everything = {table: f"SELECT {columns} FROM {table} AS t ORDER BY 3" for table in tables}
    before = {table: fetch_all(url, question) for table, question in everything.items()}
    assert [len(rows) for rows in before.values()] == [200, 5, 5, 191, 1, 1]
    assert migrate(url) == MigrationReport("0002", EXPECTED_REVISION)
    assert {table: fetch_all(url, question) for table, question in everything.items()} == before
    assert fetch_all(url, "SELECT (SELECT count(*) FROM changes), (SELECT count(*) FROM source_state)") == [(0, 0)]
    same = (
        "SELECT count(*) FROM tracks AS t JOIN tracks_with_last_seen AS v"
        " ON to_jsonb(v) = to_jsonb(t) - ARRAY['listing_hash', 'metadata_hash']"
    )
    assert fetch_all(url, same) == [(200,)]


async def test_the_first_run_after_an_upgrade_deactivates_within_the_guards(empty_database_url: str) -> None:
    url = empty_database_url
    migrated_to(url, "0002")
    with psycopg.connect(url) as connection:
        connection.execute(FILL_0002)
    migrate(url)
    async with await PostgresDatabase.connect(url, application_name="tests") as database:
        listing = a_listing(*(f"track{number}" for number in range(1, 196)))
        counters = await synced(database, listing)
    assert (counters.active_before, counters.deactivated, counters.reactivated) == (199, 5, 1)
    assert fetch_all(url, "SELECT kind, count(*) FROM changes GROUP BY 1 ORDER BY 1") == [
        ("deactivated", 5),
        ("reactivated", 1),
        ("updated", 194),
    ]
    assert fetch_all(url, "SELECT listed, active FROM source_state") == [(195, 195)]


async def test_a_run_that_an_older_build_left_behind_starts_from_zero(empty_database_url: str) -> None:
    url = empty_database_url
    migrated_to(url, "0001")
    with psycopg.connect(url) as connection:
        connection.execute(FILL_0001)
    migrate(url)
    run_id = str(fetch_all(url, "SELECT run_id FROM runs WHERE state = 'running'")[0][0])
    async with await PostgresDatabase.connect(url, application_name="tests") as database:
        ticket = await database.ledger.open_run(a_run(run_id=run_id), spec_hash="")
        assert (ticket.epoch, ticket.checkpoint) == (4, None)
        assert await database.ledger.pending_dashboards(ticket) == []
        await database.ledger.stage_listing(ticket, a_listing("track1", "new"), refresh=WEEKLY)
        assert await waiting(database, ticket) == ["new", "track1"]


def test_an_older_build_can_finish_what_it_has_begun(database_url: str) -> None:
    columns = "run_id, slug, slug_as_listed, name, track_url, events_url, is_featured, kind, state"
    fetch_all(
        database_url,
        "INSERT INTO runs (run_id, name, namespace, source, state, attempt, epoch)"
        " VALUES (%s, 'r', 'ns', 'liverc', 'running', 1, 1)",
        RUN,
    )
    item = f"INSERT INTO sync_items ({columns}) VALUES (%s, %s, 'x', 'x', 'x', 'x', true, 'track', 'waiting')"
    for slug in ("a", "b"):
        fetch_all(database_url, item, RUN, slug)
    fetch_all(
        database_url, "UPDATE sync_items SET state = 'failed', error_class = 'Timeout', attempts = 1 WHERE slug = 'a'"
    )
    fetch_all(database_url, "UPDATE sync_items SET state = 'fetched', dashboard = '{}', attempts = 1 WHERE slug = 'b'")
    fetch_all(database_url, "UPDATE runs SET state = 'succeeded', finished_at = now()")
    rows = fetch_all(database_url, "SELECT spec_hash, checkpoint_format, listing FROM runs")
    assert rows == [("", None, None)]


def test_migrations_build_exactly_the_tables(database_url: str) -> None:
    engine = engine_of(database_url)
    with engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True, "version_table": VERSION_TABLE}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), METADATA) == []


def test_checks_defaults_and_indexes_equal_the_tables(database_url: str, empty_database_url: str) -> None:
    METADATA.create_all(engine_of(empty_database_url))
    for question in (CHECKS, DEFAULTS, INDEXES):
        assert fetch_all(database_url, question) == fetch_all(empty_database_url, question)


def test_the_column_lists_name_every_column_once() -> None:
    assert sorted(TRACK_COLUMNS + BOOKKEEPING_COLUMNS) == sorted(TRACKS.columns.keys())


def test_the_view_has_every_column_of_tracks_but_the_hashes_in_its_order(database_url: str) -> None:
    question = (
        "SELECT column_name, data_type FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name = %s ORDER BY ordinal_position"
    )
    columns = fetch_all(database_url, question, "tracks")
    shown = [(name, kind) for name, kind in columns if not name.endswith("_hash")]
    assert fetch_all(database_url, question, "tracks_with_last_seen") == shown


def test_a_change_of_a_kind_that_nobody_knows_is_refused(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(FILL_0001)
        with pytest.raises(psycopg.errors.CheckViolation, match="changes_kind_check"):
            connection.execute("INSERT INTO changes (run_id, track_id, kind) SELECT run_id, id, 'x' FROM tracks, runs")


def test_another_programs_tables_and_revisions_are_left_alone(empty_database_url: str) -> None:
    fetch_all(empty_database_url, "CREATE TABLE alembic_version (version_num text)")
    fetch_all(empty_database_url, "INSERT INTO alembic_version VALUES ('theirs')")
    migrate(empty_database_url)
    assert fetch_all(empty_database_url, "SELECT * FROM alembic_version") == [("theirs",)]


async def test_a_database_without_tables_names_the_revision_and_the_remedy(empty_database_url: str) -> None:
    async with await PostgresDatabase.connect(empty_database_url, application_name="tests") as database:
        with pytest.raises(SchemaMismatchError, match=r"no TrackSync tables.*0004.*tracksync migrate"):
            await database.ledger.verify_schema()


async def test_a_newer_database_names_both_revisions_and_is_not_touched(
    database: PostgresDatabase, database_url: str
) -> None:
    fetch_all(database_url, "UPDATE tracksync_version SET version_num = '9999'")
    for call in (database.ledger.verify_schema(), asyncio.to_thread(migrate, database_url)):
        with pytest.raises(SchemaMismatchError, match=r"9999.*0004.*newer TrackSync"):
            await call
    assert current_and_expected(database_url) == ("9999", EXPECTED_REVISION)


async def test_a_dropped_table_is_a_schema_mismatch_and_no_traceback_of_sql(
    database: PostgresDatabase, database_url: str
) -> None:
    fetch_all(database_url, "DROP TABLE sync_items, track_freshness, changes, tracks CASCADE")
    with pytest.raises(SchemaMismatchError, match="tracksync migrate"):
        await database.tracks.count_active("liverc")


def test_a_user_who_may_not_create_tables_is_told_so(empty_database_url: str) -> None:
    role = "reader_" + urlsplit(empty_database_url).path[1:]
    fetch_all(empty_database_url, f"CREATE ROLE {role} LOGIN")
    fetch_all(empty_database_url, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    try:
        with pytest.raises(DatabaseCredentialsError, match="lacks a right"):
            migrate(empty_database_url.replace("tester@", f"{role}@"))
    finally:
        fetch_all(empty_database_url, f"DROP ROLE {role}")


def test_the_metadata_has_the_twelve_tables() -> None:
    assert isinstance(METADATA, MetaData)
    of_runs = ["changes", "leases", "planned_changes", "runs", "sync_items", "sync_new_tracks"]
    of_sources = ["robots", "source_domains", "source_state"]
    assert sorted(METADATA.tables) == sorted([*of_runs, *of_sources, "track_activity", "track_freshness", "tracks"])


def test_a_robots_body_beyond_what_is_kept_is_refused(database_url: str) -> None:
    insert = "INSERT INTO robots VALUES ('example.org', 'a.example.org', 200, true, NULL, now(), repeat('x', %s))"
    fetch_all(database_url, insert, 8192)
    with pytest.raises(psycopg.errors.CheckViolation, match="robots_body_check"):
        fetch_all(database_url, insert.replace("'a.", "'b."), 8193)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"state": "failed"}, id="failed without a class"),
        pytest.param({"state": "listed", "error_class": "Timeout"}, id="a class on what was not asked for"),
        pytest.param({"state": "unmodified", "error_class": "Timeout"}, id="a class on a success"),
        pytest.param({"state": "failed", "error_class": "Timeout", "next_try": "now"}, id="a next try after the last"),
        pytest.param({"state": "unmodified", "dashboard": "{}"}, id="values of what was confirmed"),
        pytest.param({"state": "sleeping"}, id="a state that nobody knows"),
    ],
)
def test_an_item_that_contradicts_itself_is_refused(database_url: str, values: dict[str, str]) -> None:
    with psycopg.connect(database_url) as connection:
        insert_run_and_item(connection, state="waiting", error_class="Timeout", next_try="now")
        with pytest.raises(psycopg.errors.CheckViolation):
            insert_run_and_item(connection, **values)
