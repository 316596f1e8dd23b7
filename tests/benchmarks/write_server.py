"""The server of the write benchmark: durable as in production (fsync, full pages), but without autovacuum.

Autovacuum is off so that dead tuples can be counted, and checkpoints come only when the benchmark asks for one. An
installed PostgreSQL is taken, else the embedded wheel's; on loopback, with a password made for this server.
"""

from __future__ import annotations

import secrets
import shutil
import signal
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.support.postgres import START_SECONDS, SUPERUSER, PostgresServer, _programs, _wait_until_ready, free_port
from tracksync.adapters.postgres.programs import find_programs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tracksync.adapters.postgres.programs import Programs

SETTINGS: Final = {
    "autovacuum": "off",
    "checkpoint_timeout": "1h",
    "fsync": "on",
    "full_page_writes": "on",
    "listen_addresses": "127.0.0.1",
    "max_connections": "20",
    "max_wal_size": "16GB",
    "shared_buffers": "512MB",
}


@contextmanager
def measured_server(*, is_embedded: bool, full_page_writes: str = "on") -> Iterator[PostgresServer]:
    """Start a server whose data lies in a temporary directory; its URL leads over TCP, as dlt needs it."""
    programs = find_programs(Path("/no-cluster-yet")) if is_embedded else _programs()
    home = Path(tempfile.mkdtemp(prefix="tracksync-bench-"))
    programs.give(home)
    try:
        arguments = ("-D", str(home / "data"), "-U", SUPERUSER, "--auth-local=trust", "--auth-host=scram-sha-256")
        made = programs.run("initdb", (*arguments, "--encoding=UTF8", "--locale=C.UTF-8"), folder=home)
        if made.returncode:
            raise RuntimeError("initdb failed")
        process, server = _started(programs, home, {**SETTINGS, "full_page_writes": full_page_writes})
        try:
            yield server
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(START_SECONDS)
    finally:
        shutil.rmtree(home)


def _started(
    programs: Programs, home: Path, settings: Mapping[str, str]
) -> tuple[subprocess.Popen[bytes], PostgresServer]:
    port = free_port()
    command = [*programs._prefix(), str(programs.folder / "postgres"), "-D", str(home / "data")]
    for name, value in {**settings, "port": str(port), "unix_socket_directories": str(home)}.items():
        command += ["-c", f"{name}={value}"]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=home)
    socket_url = f"postgresql://{SUPERUSER}@/postgres?host={home}&port={port}"
    _wait_until_ready(process, socket_url, home)
    password = secrets.token_hex(16)
    PostgresServer(socket_url).execute(f"ALTER ROLE {{}} PASSWORD '{password}'", SUPERUSER)
    return process, PostgresServer(f"postgresql://{SUPERUSER}:{password}@127.0.0.1:{port}/postgres")
