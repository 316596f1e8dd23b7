"""What psycopg raises, in TrackSync's words: one function each for connecting and for everything after it.

The server's own text is never passed on: it can quote a user, a host, or a value of a row. What is kept is the SQLSTATE.
"""

from __future__ import annotations

import re
from typing import Final

import psycopg

from tracksync.errors import (
    ConfigurationError,
    DatabaseCredentialsError,
    DatabaseUnavailableError,
    SchemaMismatchError,
    TrackSyncError,
)

# libpq gives no SQLSTATE for a refused connection, only text in English or the server's language.
_REFUSALS: Final = (
    (re.compile(r"password authentication failed|no password supplied|SASL authentication failed|PAM authent"),
     "the database refused the user or password; check both in the database URL"),
    (re.compile(r"role \".*\" (does not exist|is not permitted to log in)"),
     "the database does not know the user, or does not let it log in; check the user in the database URL"),
    (re.compile(r"database \".*\" does not exist"),
     "the database named in the database URL does not exist on the server; create it or correct the URL"),
    (re.compile(r"permission denied for database"),
     "the user may not connect to the database named in the database URL; grant CONNECT"),
    (re.compile(r"no pg_hba\.conf entry|pg_hba\.conf rejects|[Pp]eer authentication failed|Ident authentication"),
     "the server's pg_hba.conf does not admit this user from here; correct the database URL or the server's rules"),
    (re.compile(r"does not support SSL|certificate|SSL error|sslmode|sslrootcert|sslcert|sslkey|weak sslmode"),
     "no verified TLS connection to the database: its certificate, its host name or its authority does not fit; "
     "correct the server or set sslmode and sslrootcert in the database URL"),
    (re.compile(r"invalid (port|integer|connection option|.* value|require_auth)|unknown host|could not parse"),
     "the database URL has an unusable parameter; correct its port and options"),
)  # fmt: skip

_TRANSIENT_CLASSES: Final = ("08", "40", "53", "55", "57", "58")
"""Connection, transaction rollback, insufficient resources, lock or state, operator intervention, system error."""
_OUTDATED_SCHEMA: Final = frozenset({"42P01", "42703", "3F000"})
"""Undefined table, undefined column, invalid schema."""
_READ_ONLY: Final = "25006"
_NO_RIGHT: Final = "42501"
_UNIQUE: Final = "23505"


def connecting_failed(error: psycopg.Error) -> TrackSyncError:
    """Return what a failed connection means: somebody must change something, or it is worth another try."""
    text = str(error)
    for pattern, message in _REFUSALS:
        if pattern.search(text):
            return DatabaseCredentialsError(message)
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
            "the database user lacks a right on the tables tracks, runs or sync_items; grant it"
        )
    if state in _OUTDATED_SCHEMA:
        return SchemaMismatchError("the database lacks a table or column; run `tracksync migrate`")
    if state == _UNIQUE:
        return DatabaseUnavailableError("another run wrote the same tracks at the same time; nothing was written")
    if state.startswith("22"):
        return TrackSyncError(f"the database refused a value (SQLSTATE {state}); nothing was written")
    if state.startswith("0A"):
        return ConfigurationError(f"the database does not support what TrackSync needs (SQLSTATE {state})")
    return TrackSyncError(f"the database refused a statement (SQLSTATE {state}); nothing was written")


def _unavailable(state: str | None) -> DatabaseUnavailableError:
    causes = {
        None: "the connection to the database was lost",
        _READ_ONLY: "the database is read-only (a standby?)",
        "53100": "the database's disk is full",
        "53300": "the database has too many connections",
        "40P01": "the database ended a deadlock",
        "55P03": "another session holds a lock for too long",
        "57014": "the database cancelled a statement that took too long",
        "57P01": "the connection was ended by the database's admin",
    }
    return DatabaseUnavailableError(causes.get(state, f"the database failed for now (SQLSTATE {state})"))
