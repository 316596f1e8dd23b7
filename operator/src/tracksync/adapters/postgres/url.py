"""The database URL: checked before use, completed with safe defaults, and never shown."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tracksync.errors import DatabaseCredentialsError

EXPECTED_FORM: Final = "postgresql://USER:PASSWORD@HOST:5432/DATABASE"
SCHEMES: Final = ("postgresql://", "postgres://", "postgresql+psycopg://")
LOOPBACK: Final = frozenset({"", "localhost", "127.0.0.1", "::1"})
DEBIAN_AUTHORITIES: Final = Path("/etc/ssl/certs/ca-certificates.crt")

Parameters = dict[str, str]


def connection_parameters(url: str, *, application_name: str, timeout_seconds: float) -> Parameters:
    """Return libpq's parameters for the URL: encrypted and verified unless it is local or says otherwise itself.

    Raises:
        DatabaseCredentialsError: it is no PostgreSQL URL, or names no database. The message does not show it.
    """
    parameters = _parse(url.strip())
    if "sslmode" not in parameters and not is_local(parameters):
        parameters["sslmode"] = "verify-full"
        parameters.setdefault("sslrootcert", _authorities())
    defaults = {
        "gssencmode": "disable",
        "keepalives_idle": "15",
        "keepalives_interval": "5",
        "keepalives_count": "3",
        "tcp_user_timeout": "30000",
        "connect_timeout": str(max(2, round(timeout_seconds))),
    }
    return {**defaults, **parameters, "application_name": application_name, "client_encoding": "UTF8"}


def connection_string(parameters: Parameters) -> str:
    """Return the parameters as libpq reads them. It holds the password: never show it."""
    return make_conninfo("", **parameters)


def is_local(parameters: Parameters) -> bool:
    """Whether every host is a Unix socket or a loopback address."""
    hosts = (parameters.get("hostaddr") or parameters.get("host", "")).split(",")
    return all(host in LOOPBACK or host.startswith(("/", "@")) for host in hosts)


def _parse(url: str) -> Parameters:
    scheme = next((known for known in SCHEMES if url.startswith(known)), None)
    if scheme is None:
        raise DatabaseCredentialsError(f"the database URL is not a PostgreSQL URL; expected form: {EXPECTED_FORM}")
    try:
        parsed = conninfo_to_dict("postgresql://" + url.removeprefix(scheme))
    except (ProgrammingError, UnicodeError, ValueError):
        # psycopg quotes the part that it does not understand, which may be the password.
        parsed = None
    if parsed is None:
        raise DatabaseCredentialsError(
            "the database URL cannot be read; special characters in user and password must be percent-encoded; "
            f"expected form: {EXPECTED_FORM}"
        )
    if not parsed.get("dbname"):
        raise DatabaseCredentialsError(f"the database URL names no database; expected form: {EXPECTED_FORM}")
    return {key: str(value) for key, value in parsed.items() if value is not None}


def _authorities() -> str:
    """Return the machine's certificate authorities; psycopg's wheel does not find them by itself."""
    known = ssl.get_default_verify_paths().cafile
    if known:
        return known
    return str(DEBIAN_AUTHORITIES) if DEBIAN_AUTHORITIES.exists() else "system"
