"""Starts PostgreSQL in a container: makes the database on the first start, then becomes the server.

Understands POSTGRES_USER, POSTGRES_PASSWORD_FILE, POSTGRES_DB and PGDATA as the public postgres image does.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

BIN = Path("/usr/lib/postgresql/15/bin")
SOCKETS = "/var/run/postgresql"


def initialise(data: Path, user: str) -> None:
    """Make the cluster in a folder beside and rename it, so that a killed first start leaves nothing half-made."""
    partial = data.with_name(f"{data.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    password = os.environ["POSTGRES_PASSWORD_FILE"]
    initdb = [BIN / "initdb", "--pgdata", partial, "--username", user, "--pwfile", password, "--encoding", "UTF8"]
    subprocess.run([*initdb, "--locale", "C.UTF-8", "--auth-local", "trust", "--auth-host", "trust"], check=True)
    with (partial / "pg_hba.conf").open("a", encoding="ascii") as access:
        access.write("host all all all scram-sha-256\n")
    database = os.environ.get("POSTGRES_DB", user)
    single = [BIN / "postgres", "--single", "-D", partial, "postgres"]
    subprocess.run(single, input=f'CREATE DATABASE "{database}"\n', text=True, check=True)
    partial.rename(data)


def main() -> None:
    """Become the server; never returns."""
    os.umask(0o077)
    user = os.environ.get("POSTGRES_USER", "postgres")
    data = Path(os.environ.get("PGDATA", "/var/lib/postgresql/data"))
    if not (data / "PG_VERSION").exists():
        initialise(data, user)
    server = str(BIN / "postgres")
    os.execv(server, [server, "-D", str(data), "-c", "listen_addresses=*", "-c", f"unix_socket_directories={SOCKETS}"])


if __name__ == "__main__":
    sys.exit(main())
