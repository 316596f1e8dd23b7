"""Connecting: every refusal has its class and its remedy, and no message, cause or traceback shows a secret."""

from __future__ import annotations

import socket
import traceback
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from tests.support.postgres import fetch_all, free_port
from tracksync.adapters.postgres import failures
from tracksync.adapters.postgres.database import PostgresDatabase
from tracksync.adapters.postgres.migrate import migrate
from tracksync.adapters.postgres.url import connection_parameters
from tracksync.errors import (
    DatabaseCapacityError,
    DatabaseCredentialsError,
    DatabaseLoginError,
    DatabaseUnavailableError,
    StatementTimeoutError,
    TrackSyncError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

USER, PASSWORD = "seekrit_user", "hunter2-s3cret"


def assert_silent(error: BaseException) -> None:
    shown = "".join(traceback.format_exception(error)) + repr(error) + str(error) + repr(error.__cause__)
    assert PASSWORD not in shown
    assert USER not in shown
    assert error.__cause__ is None


async def refusal(url: str, *, timeout_seconds: float = 5) -> TrackSyncError:
    """Return the error that both entrances agree on."""
    with pytest.raises(TrackSyncError) as connecting:
        await PostgresDatabase.connect(url, application_name="tests", timeout_seconds=timeout_seconds)
    with pytest.raises(TrackSyncError) as migrating:
        migrate(url)
    for error in (connecting.value, migrating.value):
        assert_silent(error)
    assert (type(migrating.value), str(migrating.value)) == (type(connecting.value), str(connecting.value))
    return connecting.value


@pytest.fixture
def account(database_url: str) -> Iterator[str]:
    """Give a TCP URL of a role that logs in with PASSWORD."""
    fetch_all(database_url, f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'")
    fetch_all(database_url, f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {USER}")
    parts = urlsplit(database_url)
    port = parts.port or int(parse_qs(parts.query).get("port", ["5432"])[0])
    try:
        yield f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{port}{parts.path}"
    finally:
        fetch_all(database_url, f"DROP OWNED BY {USER}")
        fetch_all(database_url, f"DROP ROLE {USER}")


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
async def test_each_form_of_the_url_connects(account: str, scheme: str) -> None:
    url = f" {account.replace('postgresql', scheme)}\n"
    async with await PostgresDatabase.connect(url, application_name="tests") as database:
        assert await database.ledger.verify_schema() is None  # type: ignore[func-returns-value]  # it did not raise


async def test_a_wrong_password_is_a_credentials_error(account: str) -> None:
    error = await refusal(account.replace(PASSWORD, PASSWORD + "x"))
    assert isinstance(error, DatabaseCredentialsError)
    assert "user or password" in str(error)


async def test_a_missing_password_is_a_credentials_error(account: str) -> None:
    error = await refusal(account.replace(f":{PASSWORD}", ""))
    assert isinstance(error, DatabaseCredentialsError)
    assert "user or password" in str(error)


async def test_an_unknown_database_is_a_credentials_error(account: str) -> None:
    parts = urlsplit(account)
    error = await refusal(parts._replace(path="/missing_seekrit_user").geturl())
    assert isinstance(error, DatabaseCredentialsError)
    assert "does not exist on the server" in str(error)


async def test_an_unknown_user_is_a_credentials_error(database_url: str) -> None:
    error = await refusal(database_url.replace("tester@", f"{USER}:{PASSWORD}@"))
    assert isinstance(error, DatabaseCredentialsError)
    assert "does not know the user" in str(error)


async def test_a_server_without_tls_is_refused_when_tls_is_asked_for(account: str) -> None:
    error = await refusal(f"{account}?sslmode=require")
    assert isinstance(error, DatabaseCredentialsError)
    assert "TLS" in str(error)


async def test_a_closed_port_is_unavailable() -> None:
    error = await refusal(f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{free_port()}/d")
    assert isinstance(error, DatabaseUnavailableError)
    assert "cannot be reached" in str(error)


async def test_a_missing_socket_is_unavailable() -> None:
    error = await refusal(f"postgresql://{USER}:{PASSWORD}@/d?host=/nowhere")
    assert isinstance(error, DatabaseUnavailableError)


async def test_a_server_that_never_answers_is_unavailable_after_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{silent.getsockname()[1]}/d"
        with pytest.raises(DatabaseUnavailableError, match=r"did not answer within 0.3 s") as caught:
            await PostgresDatabase.connect(url, application_name="tests", timeout_seconds=0.3)
    assert_silent(caught.value)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "is not a PostgreSQL URL"),
        (f"mysql://{USER}:{PASSWORD}@h/d", "is not a PostgreSQL URL"),
        (f"host=h user={USER} password={PASSWORD}", "is not a PostgreSQL URL"),
        (f"postgresql://{USER}:{PASSWORD}@h", "names no database"),
        (f"postgresql://{USER}:{PASSWORD}@h/d?nonsense={PASSWORD}", "cannot be read"),
        (f"postgresql://{USER}:{PASSWORD}%zz@h/d", "cannot be read"),
        (f"postgresql://{USER}:{PASSWORD}@[::1/d", "cannot be read"),
    ],
)
async def test_an_unusable_url_names_the_expected_form(url: str, message: str) -> None:
    error = await refusal(url)
    assert isinstance(error, DatabaseCredentialsError)
    assert message in str(error)
    assert "the database URL" in str(error)
    assert "postgresql://USER:PASSWORD@HOST:5432/DATABASE" in str(error)


async def test_a_port_that_is_no_number_is_a_credentials_error() -> None:
    error = await refusal(f"postgresql://{USER}:{PASSWORD}@127.0.0.1:port/d")
    assert isinstance(error, DatabaseCredentialsError)


@pytest.mark.parametrize(
    ("url", "sslmode"),
    [
        ("postgresql://u@db.example.org/d", "verify-full"),
        ("postgresql://u@10.0.0.5/d", "verify-full"),
        ("postgresql://u@localhost,db.example.org/d", "verify-full"),
        ("postgresql://u@/d?host=127.0.0.1&hostaddr=10.0.0.5", "verify-full"),
        ("postgresql://u@db.example.org/d?sslmode=disable", "disable"),
        ("postgresql://u@db.example.org/d?sslmode=verify-ca&sslrootcert=/ca.pem", "verify-ca"),
        ("postgresql://u@localhost/d", None),
        ("postgresql://u@127.0.0.1:5433/d", None),
        ("postgresql://u@[::1]/d", None),
        ("postgresql://u@/d?host=/var/run/postgresql", None),
        ("postgresql://u@%2Frun%2Fpg/d", None),
        ("postgresql:///d", None),
    ],
)
def test_a_host_elsewhere_must_prove_its_name_unless_the_url_says_otherwise(url: str, sslmode: str | None) -> None:
    parameters = connection_parameters(url, application_name="tests", timeout_seconds=5)
    assert parameters.get("sslmode") == sslmode
    assert ("sslrootcert" in parameters) == (sslmode is not None and sslmode.startswith("verify"))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('connection failed: FATAL:  password authentication failed for user "x"', DatabaseLoginError),
        ('connection failed: FATAL:  role "x" does not exist', DatabaseLoginError),
        ('connection failed: FATAL:  role "x" is not permitted to log in', DatabaseLoginError),
        ('FATAL:  no pg_hba.conf entry for host "10.0.0.5", user "x"', DatabaseCredentialsError),
        ('FATAL:  Peer authentication failed for user "x"', DatabaseCredentialsError),
        ('FATAL:  permission denied for database "x"', DatabaseCredentialsError),
        ("server does not support SSL, but SSL was required", DatabaseCredentialsError),
        ("SSL error: certificate verify failed", DatabaseCredentialsError),
        ('server certificate for "a" does not match host name "b"', DatabaseCredentialsError),
        ("FATAL:  sorry, too many clients already", DatabaseCapacityError),
        ('FATAL:  too many connections for role "x"', DatabaseCapacityError),
        ("FATAL:  no more connections allowed (max_client_conn)", DatabaseCapacityError),
        ("FATAL:  the database system is starting up", DatabaseUnavailableError),
        ('could not translate host name "x" to address', DatabaseUnavailableError),
        ("Connection refused", DatabaseUnavailableError),
        ("Verbindung verweigert", DatabaseUnavailableError),
    ],
)
def test_each_refusal_has_its_class(text: str, kind: type[TrackSyncError]) -> None:
    assert type(failures.connecting_failed(psycopg.OperationalError(text))) is kind


@pytest.mark.parametrize(
    ("error", "kind", "word"),
    [
        (psycopg.errors.DiskFull, DatabaseCapacityError, "disk is full"),
        (psycopg.errors.TooManyConnections, DatabaseCapacityError, "too many connections"),
        (psycopg.errors.DeadlockDetected, DatabaseUnavailableError, "deadlock"),
        (psycopg.errors.SerializationFailure, DatabaseUnavailableError, "40001"),
        (psycopg.errors.OutOfMemory, DatabaseCapacityError, "memory"),
        (psycopg.errors.QueryCanceled, StatementTimeoutError, "took too long"),
        (psycopg.errors.LockNotAvailable, DatabaseUnavailableError, "lock"),
        (psycopg.errors.AdminShutdown, DatabaseUnavailableError, "admin"),
        (psycopg.errors.ReadOnlySqlTransaction, DatabaseUnavailableError, "read-only"),
        (psycopg.errors.UniqueViolation, DatabaseUnavailableError, "same tracks"),
        (psycopg.errors.InsufficientPrivilege, DatabaseCredentialsError, "lacks a right"),
        (psycopg.errors.NumericValueOutOfRange, TrackSyncError, "22003"),
        (psycopg.OperationalError, DatabaseUnavailableError, "lost"),
    ],
)
def test_each_failed_statement_has_its_class_and_hides_the_values(
    error: type[psycopg.Error], kind: type[TrackSyncError], word: str
) -> None:
    mapped = failures.statement_failed(error(f"Key (phone)=({PASSWORD}) already exists"))
    assert type(mapped) is kind
    assert word in str(mapped)
    assert PASSWORD not in str(mapped)
