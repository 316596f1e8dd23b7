"""A PostgreSQL server for tests: a given one, else an installed one, else the embedded wheel's.

TRACKSYNC_TEST_DATABASE_URL names a given server; its user must be allowed to create databases and roles, and the server
must ask for passwords on TCP. A server that is started here lives in a temporary directory, listens on loopback and on
a socket, and is stopped by its process id. One server serves the whole session; each test gets a database of its own,
copied from a migrated template.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from tracksync.adapters.postgres.database import PostgresDatabase
from tracksync.adapters.postgres.migrate import migrate
from tracksync.adapters.postgres.programs import ACCOUNTS, Programs, find_programs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

GIVEN = "TRACKSYNC_TEST_DATABASE_URL"
INSTALLED = Path("/usr/lib/postgresql")
SUPERUSER = "tester"
START_SECONDS = 30.0
SETTINGS = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "64MB", "max_connections": "60"}


@dataclass
class PostgresServer:
    """A running server; `url` leads to its maintenance database as a superuser.

    One that was started here can be stopped and started again in its place.
    """

    url: str
    template: str = field(default_factory=lambda: f"template_{uuid4().hex}")
    has_template: bool = False
    process: subprocess.Popen[bytes] | None = None
    start: Callable[[], subprocess.Popen[bytes]] | None = None

    def stop(self) -> None:
        """Stop it as a fast shutdown does; transactions under way are rolled back."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        self.process.wait(START_SECONDS)

    def start_again(self) -> None:
        """Start it on the same port, with the same data."""
        assert self.start is not None
        self.process = self.start()

    def url_of(self, database: str) -> str:
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{database}"))

    def execute(self, statement: str, *names: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    @contextmanager
    def database(self, *, is_migrated: bool = True) -> Iterator[str]:
        """Give the URL of a database that exists as long as the block."""
        name = f"test_{uuid4().hex}"
        self.execute("CREATE DATABASE {} TEMPLATE {}", name, self._migrated_template() if is_migrated else "template0")
        try:
            yield self.url_of(name)
        finally:
            self.execute("DROP DATABASE {} WITH (FORCE)", name)

    def _migrated_template(self) -> str:
        if not self.has_template:
            self.execute("CREATE DATABASE {} TEMPLATE {}", self.template, "template0")
            migrate(self.url_of(self.template))
            self.has_template = True
        return self.template


@dataclass
class _Shared:
    """The session's server and how many fixtures hold it: each conftest has its own copy of the fixture."""

    server: PostgresServer | None = None
    holders: int = 0
    stop: Any = None


SHARED = _Shared()


@contextmanager
def shared_server() -> Iterator[PostgresServer]:
    if SHARED.server is None:
        SHARED.stop = _server()
        SHARED.server = SHARED.stop.__enter__()
    SHARED.holders += 1
    try:
        yield SHARED.server
    finally:
        SHARED.holders -= 1
        if SHARED.holders == 0:
            SHARED.server = None
            SHARED.stop.__exit__(None, None, None)


@contextmanager
def _server() -> Iterator[PostgresServer]:
    given = os.environ.get(GIVEN)
    if given:
        server = PostgresServer(given)
        yield server
        server.execute("DROP DATABASE IF EXISTS {}", server.template)
        return
    with started_server(_programs()) as server:
        yield server


def _programs() -> Programs:
    installed = sorted(INSTALLED.glob("*/bin"), key=lambda folder: int(folder.parent.name))
    if installed:
        account = next(_accounts(), None) if os.geteuid() == 0 else None
        return Programs(installed[-1], int(installed[-1].parent.name), account)
    return find_programs(INSTALLED / "no-cluster-yet")


def _accounts() -> Iterator[pwd.struct_passwd]:
    for name in ACCOUNTS:
        try:
            yield pwd.getpwnam(name)
        except KeyError:
            continue


@contextmanager
def started_server(programs: Programs) -> Iterator[PostgresServer]:
    """Start a server on loopback, with trust on its socket and passwords on TCP."""
    home = Path(tempfile.mkdtemp(prefix="tracksync-test-"))
    programs.give(home)
    try:
        arguments = ("-D", str(home / "data"), "-U", SUPERUSER, "--auth-local=trust", "--auth-host=scram-sha-256")
        made = programs.run("initdb", (*arguments, "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"), folder=home)
        assert made.returncode == 0, "initdb failed"
        start = partial(_start, programs, home, free_port())
        process, url = start()
        server = PostgresServer(url, process=process, start=lambda: start()[0])
        try:
            yield server
        finally:
            if server.process is not None and server.process.poll() is None:
                server.stop()
    finally:
        shutil.rmtree(home)


def _start(programs: Programs, home: Path, port: int) -> tuple[subprocess.Popen[bytes], str]:
    options = {**SETTINGS, "listen_addresses": "127.0.0.1", "port": str(port), "unix_socket_directories": str(home)}
    command = [*programs._prefix(), str(programs.folder / "postgres"), "-D", str(home / "data")]
    for name, value in options.items():
        command += ["-c", f"{name}={value}"]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=home)
    url = f"postgresql://{SUPERUSER}@/postgres?host={home}&port={port}"
    _wait_until_ready(process, url, home)
    return process, url


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, home: Path) -> None:
    for _ in range(int(START_SECONDS / 0.05)):
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            try:
                process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
            pytest.fail(f"the PostgreSQL server ended: {(home / 'log').read_text()}")
        else:
            return
    process.kill()
    process.wait()
    pytest.fail(f"the PostgreSQL server is not ready within {START_SECONDS} s")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    with shared_server() as server:
        yield server


@pytest.fixture
def database_url(postgres_server: PostgresServer) -> Iterator[str]:
    """URL of a migrated database of the test's own."""
    with postgres_server.database() as url:
        yield url


@pytest.fixture
def empty_database_url(postgres_server: PostgresServer) -> Iterator[str]:
    """URL of a database of the test's own without any table."""
    with postgres_server.database(is_migrated=False) as url:
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[PostgresDatabase]:
    """Give a connected adapter on a migrated database of the test's own."""
    async with await PostgresDatabase.connect(database_url, application_name="tests") as connected:
        yield connected


def fetch_all(url: str, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """Run one statement on a connection of its own, commit, and return its rows."""
    with psycopg.connect(url) as connection:
        cursor = connection.execute(statement, values or None)
        return cursor.fetchall() if cursor.description else []


@contextmanager
def a_role(url: str, role: str, options: str) -> Iterator[str]:
    """Give host, port and database as a URL ends, for a role that may write all tables as long as the block lasts."""
    fetch_all(url, f"CREATE ROLE {role} LOGIN {options}")
    fetch_all(url, f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
    fetch_all(url, f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role}")
    parts = urlsplit(url)
    port = parts.port or int(parse_qs(parts.query).get("port", ["5432"])[0])
    try:
        yield f"127.0.0.1:{port}{parts.path}"
    finally:
        fetch_all(url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", role)
        fetch_all(url, f"DROP OWNED BY {role}")
        fetch_all(url, f"DROP ROLE {role}")
