"""Migrations: twice, at the same time, equal to the tables; a database at another revision is named as such."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, create_engine
from sqlalchemy.pool import NullPool

from tests.support.postgres import fetch_all
from tracksync.adapters.postgres.columns import TRACK_COLUMNS
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
WHERE table_schema = 'public' AND table_name <> 'tracksync_version' ORDER BY 1, 2
"""
INDEXES = """
SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'tracksync_version' ORDER BY 1
"""


def engine_of(url: str):  # type: ignore[no-untyped-def]  # noqa: ANN201 -- SQLAlchemy's Engine, of one test's use
    return create_engine(url.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool)


def test_the_expected_revision_is_the_newest_file() -> None:
    assert ScriptDirectory.from_config(alembic_config()).get_current_head() == EXPECTED_REVISION


def test_an_empty_database_is_brought_to_the_expected_revision_and_each_step_is_told(empty_database_url: str) -> None:
    steps: list[str] = []
    assert current_and_expected(empty_database_url) == (None, EXPECTED_REVISION)
    assert migrate(empty_database_url, on_step=steps.append) == MigrationReport(None, EXPECTED_REVISION)
    assert steps == ["0001"]
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
    assert sorted(TRACK_COLUMNS) == sorted(TRACKS.columns.keys())


def test_another_programs_tables_and_revisions_are_left_alone(empty_database_url: str) -> None:
    fetch_all(empty_database_url, "CREATE TABLE alembic_version (version_num text)")
    fetch_all(empty_database_url, "INSERT INTO alembic_version VALUES ('theirs')")
    migrate(empty_database_url)
    assert fetch_all(empty_database_url, "SELECT * FROM alembic_version") == [("theirs",)]


async def test_a_database_without_tables_names_the_revision_and_the_remedy(empty_database_url: str) -> None:
    async with await PostgresDatabase.connect(empty_database_url, application_name="tests") as database:
        with pytest.raises(SchemaMismatchError, match=r"no TrackSync tables.*0001.*tracksync migrate"):
            await database.ledger.verify_schema()


async def test_a_newer_database_names_both_revisions_and_is_not_touched(
    database: PostgresDatabase, database_url: str
) -> None:
    fetch_all(database_url, "UPDATE tracksync_version SET version_num = '9999'")
    for call in (database.ledger.verify_schema(), asyncio.to_thread(migrate, database_url)):
        with pytest.raises(SchemaMismatchError, match=r"9999.*0001.*newer TrackSync"):
            await call
    assert current_and_expected(database_url) == ("9999", EXPECTED_REVISION)


async def test_a_dropped_table_is_a_schema_mismatch_and_no_traceback_of_sql(
    database: PostgresDatabase, database_url: str
) -> None:
    fetch_all(database_url, "DROP TABLE sync_items, tracks")
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


def test_the_metadata_has_the_three_tables() -> None:
    assert isinstance(METADATA, MetaData)
    assert sorted(METADATA.tables) == ["runs", "sync_items", "tracks"]
