"""pgbouncer in transaction mode before a test's PostgreSQL: Debian's package, on loopback, stopped by its process id.

Where it is missing and can be installed (root and apt-get), it is installed; else the table of levels says NOT RUN.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from tests.cluster.errors import ClusterError
from tests.cluster.system import Need, ensure_programs, find_program
from tests.support.postgres import free_port
from tracksync.adapters.postgres.programs import ACCOUNTS

if TYPE_CHECKING:
    from collections.abc import Iterator

NEED = Need("pgbouncer", "pgbouncer", "pools connections")
START_SECONDS = 10.0
CONFIGURATION = """
[databases]
* = host={host} port={port}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen_port}
unix_socket_dir =
auth_type = trust
auth_file = {home}/users
pool_mode = transaction
default_pool_size = {pool_size}
max_client_conn = 100
server_login_retry = 1
ignore_startup_parameters = extra_float_digits
pidfile = {home}/pid
logfile = {home}/log
"""


def pooler_obstacle() -> str | None:
    """Return why no pooler can be had on this machine; None when it is there, or now installed."""
    try:
        ensure_programs([NEED])
    except ClusterError as error:
        return str(error)
    return None


@contextmanager
def pooler(url: str, *, pool_size: int = 3) -> Iterator[str]:
    """Give the URL that leads to the same database through a pool of so few connections.

    The URL is that of a test's server: a socket's folder and a port, or a loopback address.
    """
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    listen_port = free_port()
    home = Path(tempfile.mkdtemp(prefix="tracksync-pooler-"))
    try:
        values = {
            "host": query["host"][0] if "host" in query else parts.hostname,
            "port": query["port"][0] if "port" in query else parts.port or 5432,
        }
        (home / "users").write_text(f'"{parts.username}" "{parts.password or ""}"\n')
        configuration = CONFIGURATION.format(home=home, listen_port=listen_port, pool_size=pool_size, **values)
        (home / "pgbouncer.ini").write_text(configuration)
        account = _account()
        if account is not None:
            for path in (home, *home.iterdir()):
                os.chown(path, account.pw_uid, account.pw_gid)
        through = f"postgresql://{parts.username}@127.0.0.1:{listen_port}{parts.path}?sslmode=disable"
        with _running(home, account, through):
            yield through
    finally:
        shutil.rmtree(home)


@contextmanager
def _running(home: Path, account: pwd.struct_passwd | None, through: str) -> Iterator[None]:
    program = find_program(NEED.program)
    assert program is not None
    # pgbouncer refuses to run as root.
    user = {} if account is None else {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    with (home / "output").open("wb") as output:
        process = subprocess.Popen(
            [program, home / "pgbouncer.ini"], stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=home, **user
        )
    try:
        _wait_until_ready(process, through, home)
        yield
    finally:
        process.terminate()
        process.wait(START_SECONDS)


def _wait_until_ready(process: subprocess.Popen[bytes], through: str, home: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            psycopg.connect(through).close()
        except psycopg.OperationalError:
            try:
                process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
            pytest.fail(f"pgbouncer ended: {(home / 'output').read_text()}")
        else:
            return
    pytest.fail(f"pgbouncer is not ready within {START_SECONDS} s: {(home / 'output').read_text()}")


def _account() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    for name in ACCOUNTS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None
