"""Brings a database to the schema of this build: Alembic without a file of settings, in one locked transaction."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psycopg
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

import tracksync
from tracksync.adapters.postgres import failures
from tracksync.adapters.postgres.revision import EXPECTED_REVISION, is_known, schema_mismatch
from tracksync.adapters.postgres.roles import GRANTS_LOCK, VERSION_TABLE, Roles, grant
from tracksync.adapters.postgres.session import OLDEST_SERVER, SET_LIMITS
from tracksync.adapters.postgres.url import connection_parameters, connection_string
from tracksync.api.identity import APP_NAME
from tracksync.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection

__all__ = ["EXPECTED_REVISION", "VERSION_TABLE", "MigrationReport", "alembic_config", "current_and_expected", "migrate"]

LOCK_WAIT: Final = "120s"
CONNECT_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class MigrationReport:
    """What a migration did: None means an empty database, equal revisions that nothing was to do."""

    from_revision: str | None
    to_revision: str


def migrate(url: str, *, roles: Roles | None = None, on_step: Callable[[str], None] | None = None) -> MigrationReport:
    """Bring the database to EXPECTED_REVISION: all steps or none. Calls at the same time wait for each other.

    Args:
        url: the owner's database URL, in the forms that `PostgresDatabase.connect` takes.
        roles: who gets rights on the tables, in the same transaction; also when no step was missing.
        on_step: is told each revision once it was applied.

    Raises:
        DatabaseCredentialsError: the URL is unusable, the server refuses it, or the user may not change tables.
        DatabaseUnavailableError: the server cannot be reached, or another session holds a lock for too long.
        SchemaMismatchError: the database is newer than this build, or at a revision that it does not know.
        ConfigurationError: the server is older than PostgreSQL 14, or a role is missing or cannot be bound by grants.
    """
    with _locked_transaction(url) as connection:
        before = _current(connection)
        if before != EXPECTED_REVISION:
            _upgrade(connection, before, on_step or (lambda _: None))
        if roles is not None and roles.named:
            grant(connection, roles)
        return MigrationReport(from_revision=before, to_revision=EXPECTED_REVISION)


def current_and_expected(url: str) -> tuple[str | None, str]:
    """Return the database's revision (None: it holds no tables of ours) and the one that this build expects.

    Nothing is written, and no lock is waited for; raises what `migrate` raises about the connection.
    """
    with _connected(url) as connection:
        connection.execute(text("SET TRANSACTION READ ONLY"))
        return _current(connection), EXPECTED_REVISION


def alembic_config() -> Config:
    """Return Alembic's settings; the scripts lie inside the package."""
    config = Config()
    config.set_main_option("script_location", str(Path(tracksync.__file__).parent / "migrations").replace("%", "%%"))
    return config


def _upgrade(connection: Connection, before: str | None, on_step: Callable[[str], None]) -> None:
    if before is not None and not is_known(before):
        raise schema_mismatch(before)

    def applied(*, step: Any, **_: object) -> None:
        on_step(str(step.up_revision_id))

    config = alembic_config()
    config.attributes["connection"] = connection
    config.attributes["on_version_apply"] = applied
    command.upgrade(config, EXPECTED_REVISION)


def _current(connection: Connection) -> str | None:
    options = {"version_table": VERSION_TABLE, "version_table_schema": "public"}
    return MigrationContext.configure(connection, opts=options).get_current_revision()


@contextmanager
def _locked_transaction(url: str) -> Iterator[Connection]:
    with _connected(url) as connection:
        connection.execute(text("SELECT set_config('lock_timeout', :wait, true)"), {"wait": LOCK_WAIT})
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": GRANTS_LOCK})
        yield connection


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    """Give a connection inside a transaction that is committed at the end, or rolled back whole."""
    parameters = connection_parameters(url, application_name=f"{APP_NAME}-migrate", timeout_seconds=CONNECT_SECONDS)

    def connect() -> psycopg.Connection[tuple[Any, ...]]:
        try:
            return psycopg.connect(connection_string(parameters))
        except psycopg.Error as error:
            raise failures.connecting_failed(error) from None

    engine = create_engine("postgresql+psycopg://", creator=connect, poolclass=NullPool)
    try:
        with engine.begin() as connection:
            if int(connection.execute(text("SHOW server_version_num")).scalar_one()) < OLDEST_SERVER:
                raise ConfigurationError("the database server is older than PostgreSQL 14; use 14 or newer")
            connection.execute(text(SET_LIMITS))
            yield connection
    except DBAPIError as error:
        if isinstance(error.orig, psycopg.Error):
            raise failures.statement_failed(error.orig) from None
        raise
