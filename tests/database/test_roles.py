"""Owner, writer and reader on a real server: what each may do, and that a whole sync needs no more.

The tables belong to a role of their own, which is no superuser, as an installation should have it.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import pytest

from tests.cli.starting import tracksync
from tests.database.test_command_line import TRACKS, a_simulator, a_sync
from tests.database.test_migrate_script import psql
from tests.support.postgres import fetch_all
from tests.support.store import DEFAULT, NO_RESULTS, numbered, staged, synced
from tracksync.adapters.postgres.columns import ADMIN_COLUMNS
from tracksync.adapters.postgres.database import PostgresDatabase
from tracksync.adapters.postgres.migrate import migrate
from tracksync.adapters.postgres.migration_script import migration_script
from tracksync.adapters.postgres.roles import RIGHTS, Roles, grant_statements, grants_script
from tracksync.adapters.postgres.tables import METADATA
from tracksync.api.result import Outcome
from tracksync.errors import ConfigurationError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.postgres import PostgresServer
    from tracksync.core.tracks.model import Listing

PASSWORD = "pa ss"
INSERT_WITH = """
INSERT INTO tracks ({}, source, slug, slug_as_listed, name, track_url, events_url, is_featured, kind)
VALUES ({}, 'liverc', 'b', 'B', 'B', 'u', 'u', false, 'track')
"""
ACL = """
SELECT c.relname::text, a.attname::text, x.privilege_type, pg_get_userbyid(x.grantee)::text
FROM pg_class AS c
LEFT JOIN LATERAL (
    SELECT ''::name AS attname, c.relacl AS acl
    UNION ALL SELECT attname, attacl FROM pg_attribute WHERE attrelid = c.oid
) AS a ON true
CROSS JOIN LATERAL aclexplode(a.acl) AS x
WHERE c.relnamespace = 'public'::regnamespace AND x.grantee <> c.relowner ORDER BY 1, 2, 3, 4
"""


@dataclass(frozen=True)
class Installation:
    """A database whose tables belong to one role, with rights for two others; each has its URL."""

    owner: str
    writer: str
    reader: str
    roles: Roles


@contextmanager
def an_installation(server: PostgresServer, *, is_migrated: bool = True) -> Iterator[Installation]:
    names = {role: f"{role} {uuid4().hex[:8]}" for role in ("owner", "writer", "reader")}
    for name in names.values():
        server.execute(f"CREATE ROLE {{}} LOGIN PASSWORD '{PASSWORD}'", name)
    try:
        with server.database(is_migrated=False) as url:
            fetch_all(url, f'GRANT CREATE ON SCHEMA public TO "{names["owner"]}"')
            urls = {role: url_as(url, name) for role, name in names.items()}
            roles = Roles(writer=names["writer"], reader=names["reader"])
            if is_migrated:
                migrate(urls["owner"], roles=roles)
            yield Installation(urls["owner"], urls["writer"], urls["reader"], roles)
    finally:
        for name in names.values():
            server.execute("DROP ROLE {}", name)


def url_as(url: str, role: str) -> str:
    """Return the URL with another user; on a socket the server trusts, on TCP it asks for the password."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(role)}:{quote(PASSWORD)}@{host}"))


@pytest.fixture
def installation(postgres_server: PostgresServer) -> Iterator[Installation]:
    with an_installation(postgres_server) as made:
        yield made


@pytest.fixture(scope="module")
def filled(postgres_server: PostgresServer) -> Iterator[Installation]:
    """Give an installation with rows that the owner wrote; its tests write nothing, so they share it."""
    with an_installation(postgres_server) as made, psycopg.connect(made.owner) as connection:
        connection.execute(INSERT_WITH.format("latitude", "46.9"))
        connection.execute(
            "INSERT INTO runs (run_id, name, namespace, source, state, attempt, epoch)"
            " VALUES (gen_random_uuid(), 'r', '', 'liverc', 'running', 1, 1)"
        )
        connection.execute(
            "INSERT INTO changes (run_id, track_id, kind) SELECT run_id, id, 'inserted' FROM runs, tracks"
        )
        connection.execute("INSERT INTO robots VALUES ('d', 'h', 200, true, NULL, now(), 'text')")
        connection.commit()
        yield made


def refused(url: str, statement: str) -> bool:
    """Whether the statement fails for lack of a right, or because a view takes no rows."""
    try:
        fetch_all(url, statement)
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.WrongObjectType):
        return True
    except psycopg.errors.ObjectNotInPrerequisiteState:
        return True
    return False


def test_every_table_and_view_has_its_rights(database_url: str) -> None:
    question = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v')"
    assert {name for (name,) in fetch_all(database_url, question)} == set(RIGHTS)
    assert set(METADATA.tables) < set(RIGHTS)


def test_a_whole_sync_needs_no_more_than_the_writer_has(installation: Installation) -> None:
    options = ("--refresh-after", "0s")
    with a_simulator("--dashboard-fault", "http-404=0.05") as url:
        begun = a_sync(url, TRACKSYNC_DATABASE_URL=installation.writer)
        first = json.loads(begun.stdout)
        second = a_sync(url, *options, TRACKSYNC_DATABASE_URL=installation.writer)
    assert first["outcome"] == "CompletedWithErrors", begun.stderr
    assert (first["inserted"], first["activeTracks"]) == (TRACKS, TRACKS)
    assert json.loads(second.stdout)["unchanged"] == TRACKS
    with a_simulator(tracks=TRACKS - 5) as url:
        third = a_sync(url, "--max-percent", "100", TRACKSYNC_DATABASE_URL=installation.writer)
    assert json.loads(third.stdout)["deactivated"] > 0


async def test_the_writer_plans_takes_back_and_cleans_up_and_the_reader_reads_it(installation: Installation) -> None:
    async with await PostgresDatabase.connect(installation.writer, application_name="tests") as database:
        ticket = await staged(database, numbered(60))
        assert len((await database.tracks.plan(ticket, guard=DEFAULT)).changes) == 60
        await synced(database, numbered(60))
        run_id = await succeeded(database, numbered(58))
        for command in (("history",), ("report", run_id), ("tracks",)):
            shown = tracksync(*command, TRACKSYNC_DATABASE_URL=installation.reader)
            assert shown.returncode == 0, shown.stderr
        for options in (["--plan"], []):
            undone = tracksync("undo", run_id, *options, TRACKSYNC_DATABASE_URL=installation.writer)
            assert undone.returncode == 0, undone.stderr
        aged = ", ".join(
            f"{column} = now() - interval '1 year'" for column in ("created_at", "started_at", "finished_at")
        )
        fetch_all(installation.owner, f"UPDATE runs SET {aged} WHERE state <> 'running'")
        assert await database.history.purge(keep_days=30, seconds=60) == 5
    assert fetch_all(installation.reader, "SELECT count(*) FROM tracks WHERE is_active") == [(60,)]


async def succeeded(database: PostgresDatabase, listing: Listing) -> str:
    """Do a whole run and return its id."""
    ticket = await staged(database, listing, refresh=None)
    await database.tracks.merge(ticket, guard=DEFAULT)
    await database.ledger.close_run(ticket, outcome=Outcome.SUCCEEDED, reason="", results=NO_RESULTS)
    return ticket.identity.run_id


def test_the_writer_throws_the_off_switch_and_the_reader_sees_it(installation: Installation) -> None:
    off = tracksync("source", "off", "--reason", "holidays", TRACKSYNC_DATABASE_URL=installation.writer)
    assert off.returncode == 0
    assert fetch_all(installation.reader, "SELECT off_reason FROM source_domains") == [("holidays",)]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM tracks",
        "TRUNCATE tracks CASCADE",
        "UPDATE tracks SET id = gen_random_uuid()",
        "UPDATE tracks SET slug = 'b'",
        "UPDATE tracks SET created_at = now()",
        INSERT_WITH.format("id", "gen_random_uuid()"),
        "TRUNCATE changes",
        "UPDATE changes SET run_id = gen_random_uuid()",
        "UPDATE runs SET name = 'another'",
        "DELETE FROM track_freshness",
        "UPDATE tracksync_version SET version_num = '0001'",
        "ALTER TABLE tracks ADD COLUMN x int",
        "DROP TABLE changes",
        "DROP VIEW tracks_with_last_seen",
        "CREATE INDEX ON tracks (name)",
        "CREATE TRIGGER x AFTER INSERT ON tracks FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "LOCK TABLE tracks IN ACCESS EXCLUSIVE MODE",
        *(f"UPDATE tracks SET {column} = NULL" for column in ADMIN_COLUMNS),
        *(INSERT_WITH.format(column, "NULL") for column in ADMIN_COLUMNS),
    ],
)
def test_the_writer_is_refused(filled: Installation, statement: str) -> None:
    before = fetch_all(filled.owner, "SELECT * FROM tracks")
    assert refused(filled.writer, statement)
    assert fetch_all(filled.owner, "SELECT * FROM tracks") == before


@pytest.mark.parametrize("table", [*RIGHTS])
@pytest.mark.parametrize("change", ["INSERT INTO {} DEFAULT VALUES", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_the_reader_changes_nothing(filled: Installation, table: str, change: str) -> None:
    assert refused(filled.reader, change.format(table))


@pytest.mark.parametrize("table", [*METADATA.tables])
def test_the_reader_updates_no_column(filled: Installation, table: str) -> None:
    for column in METADATA.tables[table].columns:
        assert refused(filled.reader, f"UPDATE {table} SET {column.name} = DEFAULT")


@pytest.mark.parametrize("table", sorted(set(RIGHTS) - {"sync_items", "sync_new_tracks", "robots"}))
def test_the_reader_reads_tracks_and_history(filled: Installation, table: str) -> None:
    assert fetch_all(filled.reader, f"SELECT * FROM {table}") == fetch_all(filled.owner, f"SELECT * FROM {table}")


def test_the_reader_sees_neither_staged_rows_nor_the_text_of_robots_files(filled: Installation) -> None:
    for column in ("dashboard", "name", "activity", "*"):
        assert refused(filled.reader, f"SELECT {column} FROM sync_items")
    assert fetch_all(filled.reader, "SELECT slug, error_class FROM sync_items") == []
    assert refused(filled.reader, "SELECT slug FROM sync_new_tracks")
    assert refused(filled.reader, "SELECT body FROM robots")
    assert fetch_all(filled.reader, "SELECT host, is_allowed FROM robots") == [("h", True)]
    assert tracksync("tracks", TRACKSYNC_DATABASE_URL=filled.reader).returncode == 0


def test_the_printed_grants_give_the_same_rights_however_often_they_are_run(installation: Installation) -> None:
    granted = fetch_all(installation.owner, ACL)
    options = ("--writer", str(installation.roles.writer), "--reader", str(installation.roles.reader))
    printed = tracksync("admin", "grants", *options)
    assert printed.stdout == grants_script(installation.roles)
    fetch_all(installation.owner, f'GRANT DELETE, TRUNCATE ON tracks TO "{installation.roles.writer}"')
    for _ in range(2):
        applied = psql(installation.owner, printed.stdout)
        assert (applied.returncode, applied.stderr) == (0, "")
        assert fetch_all(installation.owner, ACL) == granted
    assert len(granted) > len(RIGHTS)


def test_a_script_with_roles_does_what_a_migration_with_roles_does(
    postgres_server: PostgresServer, installation: Installation
) -> None:
    def without_names(rows: list[tuple[str, ...]]) -> set[tuple[str, ...]]:
        return {(*row[:3], row[3].split(" ")[0]) for row in rows}

    with an_installation(postgres_server, is_migrated=False) as other:
        applied = psql(other.owner, migration_script(other.owner, roles=other.roles))
        assert (applied.returncode, applied.stderr) == (0, "")
        assert without_names(fetch_all(other.owner, ACL)) == without_names(fetch_all(installation.owner, ACL))


def test_a_role_that_is_missing_stops_the_migration_with_its_name(
    postgres_server: PostgresServer,
) -> None:
    with an_installation(postgres_server, is_migrated=False) as made:
        done = tracksync("migrate", "--writer", "nobody-such", TRACKSYNC_DATABASE_URL=made.owner)
        assert done.returncode == 30
        assert "--writer: there is no role nobody-such; create it first" in done.stderr
        assert fetch_all(made.owner, "SELECT count(*) FROM pg_class WHERE relname = 'tracks'") == [(0,)]


def test_the_owner_cannot_be_the_writer(installation: Installation) -> None:
    owner = fetch_all(installation.owner, "SELECT current_user")[0][0]
    with pytest.raises(ConfigurationError, match="has all rights of the tables' owner"):
        migrate(installation.owner, roles=Roles(writer=owner))


@pytest.mark.parametrize("name", ["", "public", "none", "pg_monitor", "x" * 64, "nul\x00"])
def test_a_name_that_is_no_role_of_the_admin_s_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="--reader"):
        Roles(reader=name)


def test_one_role_cannot_be_both() -> None:
    with pytest.raises(SettingsError, match="writer as well"):
        Roles(writer="x", reader="x")


def test_grants_without_a_role_name_what_is_missing() -> None:
    done = tracksync("admin", "grants")
    assert (done.returncode, done.stdout) == (30, "")
    assert "--writer, --reader" in done.stderr


def test_a_name_is_quoted_wherever_it_stands() -> None:
    name = 'w"; DROP TABLE tracks; --'
    quoted = '"w""; DROP TABLE tracks; --"'
    assert all(statement.endswith(f" {quoted}") for statement in grant_statements(Roles(writer=name)))
