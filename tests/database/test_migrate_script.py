"""`tracksync migrate --check` and `--sql`: what they say, that they write nothing, and what psql makes of it.

Left out: an unreachable database, which `test_connecting` has for every command.
"""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.cli.starting import tracksync
from tests.database.test_migrations import migrated_to
from tests.support.postgres import fetch_all
from tracksync.adapters.postgres.migrate import current_and_expected, migrate
from tracksync.adapters.postgres.migration_script import migration_script
from tracksync.adapters.postgres.revision import EXPECTED_REVISION
from tracksync.adapters.postgres.roles import Roles
from tracksync.errors import SchemaMismatchError

if TYPE_CHECKING:
    from pathlib import Path

OLDER = ["0001", "0002", "0003"]
CATALOGUE = """
SELECT 'relation', relname, relkind::text, '' FROM pg_class WHERE relnamespace = 'public'::regnamespace
UNION ALL
SELECT 'column', attrelid::regclass::text || '.' || attnum || ' ' || attname, format_type(atttypid, atttypmod),
       attnotnull || coalesce(pg_get_expr(adbin, adrelid), '')
FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace) AND attnum > 0
UNION ALL
SELECT 'constraint', conname, conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace
UNION ALL
SELECT 'index', indexname, tablename, indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL
SELECT 'view', viewname, '', definition FROM pg_views WHERE schemaname = 'public'
UNION ALL
SELECT 'revision', version_num, '', '' FROM tracksync_version
ORDER BY 1, 2, 3, 4
"""


def psql(url: str, script: str) -> subprocess.CompletedProcess[str]:
    command = ["psql", "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", url]
    return subprocess.run(command, input=script, capture_output=True, text=True, timeout=60, check=False)


def relations(url: str) -> list[tuple[object, ...]]:
    return fetch_all(url, "SELECT oid, xmin::text FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1")


def test_a_check_of_a_current_database_succeeds(database_url: str) -> None:
    done = tracksync("migrate", "--check", TRACKSYNC_DATABASE_URL=database_url)
    assert (done.returncode, done.stdout) == (0, f"the database is at revision {EXPECTED_REVISION}\n")


@pytest.mark.parametrize("revision", [None, *OLDER])
def test_a_check_of_another_revision_names_both_and_writes_nothing(
    empty_database_url: str, revision: str | None
) -> None:
    if revision is not None:
        migrated_to(empty_database_url, revision)
    before = relations(empty_database_url)
    done = tracksync("migrate", "--check", TRACKSYNC_DATABASE_URL=empty_database_url)
    assert done.returncode == 30
    assert f"is at revision {revision};" in done.stderr or (
        revision is None and "has no TrackSync tables" in done.stderr
    )
    assert f"expects revision {EXPECTED_REVISION}" in done.stderr
    assert relations(empty_database_url) == before


def test_a_check_makes_no_embedded_database(tmp_path: Path) -> None:
    done = tracksync("migrate", "--check", "--data-dir", str(tmp_path / "data"))
    assert done.returncode == 30
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("options", [("--sql",), ("--writer", "w"), ("--reader", "r")])
def test_a_check_refuses_options_that_it_does_not_obey(options: tuple[str, ...]) -> None:
    assert tracksync("migrate", "--check", *options).returncode == 2


@pytest.mark.parametrize("revision", [None, *OLDER])
def test_the_script_builds_through_psql_what_a_migration_builds(
    empty_database_url: str, database_url: str, revision: str | None
) -> None:
    if revision is not None:
        migrated_to(empty_database_url, revision)
    before = relations(empty_database_url)
    printed = tracksync("migrate", "--sql", TRACKSYNC_DATABASE_URL=empty_database_url)
    assert printed.returncode == 0
    assert relations(empty_database_url) == before
    applied = psql(empty_database_url, printed.stdout)
    assert (applied.returncode, applied.stderr) == (0, "")
    assert fetch_all(empty_database_url, CATALOGUE) == fetch_all(database_url, CATALOGUE)
    assert migrate(empty_database_url).from_revision == EXPECTED_REVISION


def test_the_script_without_a_database_is_that_of_an_empty_one(empty_database_url: str) -> None:
    assert tracksync("migrate", "--sql").stdout == migration_script(empty_database_url, roles=Roles())


def test_a_current_database_gets_a_script_without_a_statement(database_url: str) -> None:
    assert migration_script(database_url, roles=Roles()) == (
        f"-- The database is at revision {EXPECTED_REVISION}: nothing is missing.\n"
    )


def test_a_script_that_was_run_before_stops_at_its_start_and_says_where_the_database_is(
    empty_database_url: str,
) -> None:
    migrated_to(empty_database_url, "0002")
    script = migration_script(empty_database_url, roles=Roles())
    assert psql(empty_database_url, script).returncode == 0
    before = relations(empty_database_url)
    again = psql(empty_database_url, script)
    assert again.returncode == 3
    assert f"begins at revision 0002; the database is at revision {EXPECTED_REVISION}" in again.stderr
    assert relations(empty_database_url) == before


def test_a_script_for_an_empty_database_leaves_a_filled_one_alone(empty_database_url: str) -> None:
    migrated_to(empty_database_url, "0001")
    refused = psql(empty_database_url, migration_script(None, roles=Roles()))
    assert "begins at an empty database; the database is at revision 0001" in refused.stderr
    assert current_and_expected(empty_database_url) == ("0001", EXPECTED_REVISION)


def test_a_database_of_a_later_build_gets_no_script(database_url: str) -> None:
    fetch_all(database_url, "UPDATE tracksync_version SET version_num = '9999'")
    with pytest.raises(SchemaMismatchError, match="9999, which this build does not know"):
        migration_script(database_url, roles=Roles())


def test_of_four_processes_that_migrate_at_once_one_does_the_work(empty_database_url: str) -> None:
    def start(_: int) -> tuple[int, str]:
        done = tracksync("migrate", TRACKSYNC_DATABASE_URL=empty_database_url)
        return done.returncode, done.stdout

    with ThreadPoolExecutor(4) as pool:
        answers = sorted(pool.map(start, range(4)))
    assert answers == [
        *[(0, f"the database is already at revision {EXPECTED_REVISION}\n")] * 3,
        (0, f"the database went from empty to revision {EXPECTED_REVISION}\n"),
    ]
