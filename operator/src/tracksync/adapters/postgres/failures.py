"""What psycopg raises, in TrackSync's words: one function each for connecting and for everything after it.

The server's own text is never passed on: it can quote a user, a host, or a value of a row. What is kept is the
SQLSTATE.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tracksync.errors import (
    DatabaseCapacityError,
    DatabaseCredentialsError,
    DatabaseLoginError,
    DatabaseUnavailableError,
    SchemaMismatchError,
    StatementTimeoutError,
    TrackSyncError,
)

if TYPE_CHECKING:
    import psycopg

_WRONG_PASSWORD: Final = "the database refused the user or password; check both in the database URL"  # noqa: S105 -- a message, not a password
_UNKNOWN_USER: Final = (
    "the database does not know the user, or does not let it log in; check the user in the database URL"
)
_UNKNOWN_DATABASE: Final = (
    "the database named in the database URL does not exist on the server; create it or correct the URL"
)
_NOT_ADMITTED: Final = (
    "the server does not admit this user to this database from here; correct the database URL, the user's right to "
    "CONNECT, or the server's pg_hba.conf"
)
_NOT_VERIFIED: Final = (
    "no verified TLS connection to the database: its certificate, its host name or its authority does not fit, or it "
    "speaks no TLS; correct the server, or set sslmode and sslrootcert in the database URL"
)
_BAD_PARAMETER: Final = "the database URL has an unusable parameter; correct its port and options"

# libpq gives no SQLSTATE for a refused connection, only text, so the text is matched. What matches nothing is treated
# as worth another try.
_REFUSALS: Final = tuple(
    (re.compile(pattern), message)
    for pattern, message in (
        (r"password authentication failed|no password supplied|SASL authentication failed", _WRONG_PASSWORD),
        (r'role ".*" (does not exist|is not permitted to log in)', _UNKNOWN_USER),
        (r'database ".*" does not exist', _UNKNOWN_DATABASE),
        (r"pg_hba\.conf|permission denied for database|(?i:peer|ident) authentication failed", _NOT_ADMITTED),
        (r"does not support SSL|SSL error|certificate (verify|file|has|for)|(server|root) certificate", _NOT_VERIFIED),
        (r"ssl(mode|root|cert|key)", _NOT_VERIFIED),
        (r"invalid (port number|integer value|connection option|\S+ value)", _BAD_PARAMETER),
    )
)
_FULL: Final = re.compile(r"too many (clients|connections)|connection slots are reserved|no more connections allowed")
"""What PostgreSQL and pgbouncer say when they have no connection left."""
_TRANSIENT_CLASSES: Final = ("08", "40", "53", "55", "57", "58")
"""Connection, transaction rollback, insufficient resources, lock or state, operator intervention, system error."""
_LOGINS: Final = frozenset({_WRONG_PASSWORD, _UNKNOWN_USER})
_CAPACITY: Final = {
    "53000": "the database has no resources left",
    "53100": "the database's disk is full; give it more room",
    "53200": "the database is out of memory; give it more",
    "53300": "the database has too many connections; close some, or raise max_connections or the user's limit",
    "53400": "a limit of the database's configuration is reached",
}
_OUTDATED_SCHEMA: Final = frozenset({"42P01", "42703", "3F000"})
"""Undefined table, undefined column, invalid schema."""
_READ_ONLY: Final = "25006"
_TIMEOUT: Final = "57014"
_NO_RIGHT: Final = "42501"
_UNIQUE: Final = "23505"


def connecting_failed(error: psycopg.Error) -> TrackSyncError:
    """Return what a failed connection means: somebody must change something, or it is worth another try."""
    text = str(error)
    for pattern, message in _REFUSALS:
        if pattern.search(text):
            return (DatabaseLoginError if message in _LOGINS else DatabaseCredentialsError)(message)
    if _FULL.search(text):
        return DatabaseCapacityError(_CAPACITY["53300"])
    return DatabaseUnavailableError(
        "the database cannot be reached; check that it runs, and the host and port in the database URL"
    )


def statement_failed(error: psycopg.Error) -> TrackSyncError:
    """Return what an error on an open connection means. Whatever it is, the transaction was rolled back."""
    state = error.sqlstate
    if state is None or state == _READ_ONLY or state.startswith(_TRANSIENT_CLASSES):
        return _unavailable(state)
    if state == _NO_RIGHT:
        return DatabaseCredentialsError(
            "the database user lacks a right on one of TrackSync's tables; grant it on all of them (a migration may "
            "have added some)"
        )
    if state in _OUTDATED_SCHEMA:
        return SchemaMismatchError("the database lacks a table or column; run `tracksync migrate`")
    if state == _UNIQUE:
        return DatabaseUnavailableError("another run wrote the same tracks at the same time; nothing was written")
    return TrackSyncError(f"the database refused a statement or value (SQLSTATE {state}); nothing was written")


def _unavailable(state: str | None) -> DatabaseUnavailableError:
    if state in _CAPACITY:
        return DatabaseCapacityError(_CAPACITY[state])
    if state == _TIMEOUT:
        return StatementTimeoutError("the database cancelled a statement that took too long")
    causes = {
        None: "the connection to the database was lost",
        _READ_ONLY: "the database is read-only (a standby?)",
        "40P01": "the database ended a deadlock",
        "55P03": "another session holds a lock for too long",
        "57P01": "the connection was ended by the database's admin",
    }
    return DatabaseUnavailableError(causes.get(state, f"the database failed for now (SQLSTATE {state})"))
