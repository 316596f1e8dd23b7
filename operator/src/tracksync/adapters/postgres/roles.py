"""What each database role may do, per table and column: one list, from which the grants are made.

Three roles: the owner runs `tracksync migrate` and owns the tables, the writer is whom workers connect as, the reader
whom the command line and dashboards connect as. The owner needs no grants. Roles are made by an admin, not here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from psycopg.sql import SQL, Composable, Identifier
from sqlalchemy import text

from tracksync.adapters.postgres.columns import ADMIN_COLUMNS, KEY_COLUMNS
from tracksync.adapters.postgres.revision import EXPECTED_REVISION
from tracksync.adapters.postgres.tables import METADATA
from tracksync.errors import ConfigurationError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import Connection

LAST_SEEN_VIEW: Final = "tracks_with_last_seen"
VERSION_TABLE: Final = "tracksync_version"
"""Alembic's table; not its usual name: the database may hold another program's tables and revisions."""
GRANTS_LOCK: Final = 0x7472_6163_6B73
"""Key of the transaction-scoped advisory lock of migrations and grants ("tracks"): they wait for each other."""

Columns = tuple[str, ...]
NONE: Final[Columns] = ()
EVERY: Final[Columns] = ("*",)
"""The whole table, with the columns that it may get later."""
_LONGEST_NAME: Final = 63


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What a role may do with one table: the columns of each statement."""

    select: Columns = NONE
    insert: Columns = NONE
    update: Columns = NONE
    may_delete: bool = False


@dataclass(frozen=True, slots=True)
class TableRights:
    """What writer and reader may do with one table."""

    writer: Rights
    reader: Rights


@dataclass(frozen=True, slots=True)
class Roles:
    """The names of the roles that get grants; None: that one gets none.

    Raises:
        SettingsError: a name is unusable, or one name is given twice.
    """

    writer: str | None = None
    reader: str | None = None

    def __post_init__(self) -> None:
        """Refuse names that PostgreSQL would read as something else than a role of the admin's."""
        for option, name in (("--writer", self.writer), ("--reader", self.reader)):
            if name is not None:
                _refuse_unusable(option, name)
        if self.writer is not None and self.writer == self.reader:
            raise SettingsError("--reader: is the writer as well; give each role a name of its own")

    @property
    def named(self) -> Mapping[str, str]:
        """The given names by option."""
        given = {"--writer": self.writer, "--reader": self.reader}
        return {option: name for option, name in given.items() if name is not None}


def _all_but(table: str, *left_out: str) -> Columns:
    return tuple(column.name for column in METADATA.tables[table].columns if column.name not in left_out)


READ: Final = Rights(select=EVERY)
READ_AND_WRITE: Final = Rights(select=EVERY, insert=EVERY, update=EVERY)
STAGING: Final = Rights(select=EVERY, insert=EVERY, update=EVERY, may_delete=True)
NO_RIGHTS: Final = Rights()

RIGHTS: Final[Mapping[str, TableRights]] = {
    # No delete, and what belongs to the admin is out of the writer's reach, as is what never changes.
    "tracks": TableRights(
        writer=Rights(
            select=EVERY,
            insert=_all_but("tracks", "id", *ADMIN_COLUMNS),
            update=_all_but("tracks", *KEY_COLUMNS, "created_at", *ADMIN_COLUMNS),
        ),
        reader=READ,
    ),
    # Retention deletes runs, with what they logged and staged.
    "runs": TableRights(
        writer=Rights(
            select=EVERY,
            insert=EVERY,
            update=_all_but("runs", "run_id", "name", "namespace", "source", "created_at"),
            may_delete=True,
        ),
        reader=READ,
    ),
    # Staging: rows come and go with their run. They may hold personal data, so others read only how an item ended.
    "sync_items": TableRights(
        writer=STAGING,
        reader=Rights(
            select=("run_id", "slug", "state", "attempts", "error_class", "http_status", "next_try", "finished_at")
        ),
    ),
    "sync_new_tracks": TableRights(writer=STAGING, reader=NO_RIGHTS),
    # A log: a merge that is repeated adds to its own rows; a row is only taken away by retention.
    "changes": TableRights(
        writer=Rights(select=EVERY, insert=EVERY, update=_all_but("changes", "run_id", "track_id"), may_delete=True),
        reader=READ,
    ),
    # A plan is made anew each time.
    "planned_changes": TableRights(writer=Rights(select=EVERY, insert=EVERY, may_delete=True), reader=READ),
    "track_activity": TableRights(writer=READ_AND_WRITE, reader=READ),
    "track_freshness": TableRights(writer=READ_AND_WRITE, reader=READ),
    "source_state": TableRights(writer=READ_AND_WRITE, reader=READ),
    "source_domains": TableRights(writer=READ_AND_WRITE, reader=READ),
    # The beginning of the file is for the admin.
    "robots": TableRights(writer=READ_AND_WRITE, reader=Rights(select=_all_but("robots", "body"))),
    "leases": TableRights(writer=READ_AND_WRITE, reader=READ),
    LAST_SEEN_VIEW: TableRights(writer=READ, reader=READ),
    VERSION_TABLE: TableRights(writer=READ, reader=READ),
}
"""Every table and view; a test fails when one of the database has no entry."""


def grants_script(roles: Roles) -> str:
    """Return the grants as a script for psql: one transaction, and the same result however often it runs.

    Raises:
        SettingsError: no role is named.
    """
    if not roles.named:
        raise SettingsError("--writer, --reader: give at least one of them")
    lines = (
        f"-- What TrackSync's roles may do at revision {EXPECTED_REVISION}; rights that are not listed are taken away.",
        "-- Run it as the owner of the tables after each `tracksync migrate`: psql --set ON_ERROR_STOP=1 --file FILE",
        "BEGIN;",
        f"SELECT pg_advisory_xact_lock({GRANTS_LOCK});",
        *(f"{statement};" for statement in grant_statements(roles)),
        "COMMIT;",
    )
    return "\n".join(lines) + "\n"


def grant_statements(roles: Roles) -> Sequence[str]:
    """Return the statements that give the named roles exactly what RIGHTS says."""
    statements: list[Composable] = []
    for name, rights in ((roles.writer, _rights_of("writer")), (roles.reader, _rights_of("reader"))):
        if name is not None:
            for table, right in rights.items():
                statements.extend(_statements(name, table, right))
    return [statement.as_string() for statement in statements]


def grant(connection: Connection, roles: Roles) -> None:
    """Give the named roles their rights, in the caller's transaction.

    Raises:
        ConfigurationError: a role does not exist, or has the owner's rights anyway.
    """
    for option, name in roles.named.items():
        _refuse_unsuitable(connection, option, name)
    for statement in grant_statements(roles):
        # Not `text`: a colon in a role's name is no parameter.
        connection.exec_driver_sql(statement.replace("%", "%%"))


def _rights_of(role: str) -> dict[str, Rights]:
    return {table: getattr(rights, role) for table, rights in RIGHTS.items()}


def _statements(role: str, table: str, rights: Rights) -> Iterator[Composable]:
    place, name = Identifier("public", table), Identifier(role)
    yield SQL("REVOKE ALL ON TABLE {} FROM {}").format(place, name)
    words = {"SELECT": rights.select, "INSERT": rights.insert, "UPDATE": rights.update}
    granted = [_with_columns(word, columns) for word, columns in words.items() if columns]
    if rights.may_delete:
        granted.append(SQL("DELETE"))
    if granted:
        yield SQL("GRANT {} ON TABLE {} TO {}").format(SQL(", ").join(granted), place, name)


def _with_columns(word: str, columns: Columns) -> Composable:
    if columns == EVERY:
        return SQL(word)
    return SQL("{} ({})").format(SQL(word), SQL(", ").join(map(Identifier, columns)))


def _refuse_unusable(option: str, name: str) -> None:
    if not name or "\x00" in name or len(name.encode(errors="replace")) > _LONGEST_NAME:
        raise SettingsError(f"{option}: is no role's name; it has 1 to {_LONGEST_NAME} bytes")
    if name in {"public", "none"} or name.startswith("pg_"):
        raise SettingsError(f"{option}: {name} is no role of yours; create one, such as tracksync_writer")


_SUITABLE: Final = text("""
SELECT pg_has_role(r.oid, c.relowner, 'MEMBER')
FROM pg_roles AS r, pg_class AS c WHERE r.rolname = :name AND c.oid = 'public.tracks'::regclass
""")


def _refuse_unsuitable(connection: Connection, option: str, name: str) -> None:
    is_owner = connection.execute(_SUITABLE, {"name": name}).scalar_one_or_none()
    if is_owner is None:
        raise ConfigurationError(f"{option}: there is no role {name}; create it first (CREATE ROLE … LOGIN)")
    if is_owner:
        raise ConfigurationError(
            f"{option}: {name} has all rights of the tables' owner (it is the owner, a member of it, or a superuser), "
            "so grants would not bind it; use another role"
        )
