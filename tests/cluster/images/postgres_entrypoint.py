"""Starts PostgreSQL in a container: makes the database on the first start, then becomes the server.

Understands POSTGRES_USER, POSTGRES_PASSWORD_FILE, POSTGRES_DB and PGDATA as the public postgres image does.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

SOCKETS = "/var/run/postgresql"


def programs() -> Path:
    """Return the folder of the one PostgreSQL in this image."""
    return next(Path("/usr/lib/postgresql").glob("*/bin"))


def initialise(data: Path, user: str) -> None:
    """Make the data folder under another name and rename it, so that a killed first start leaves nothing half-made."""
    partial = data.with_name(f"{data.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    password = os.environ.get("POSTGRES_PASSWORD_FILE")
    if password is None:
        sys.exit("set POSTGRES_PASSWORD_FILE to a file with the password")
    where = ("--pgdata", str(partial), "--username", user, "--pwfile", password)
    how = ("--encoding", "UTF8", "--locale", "C.UTF-8", "--auth-local", "trust", "--auth-host", "scram-sha-256")
    subprocess.run((str(programs() / "initdb"), *where, *how), check=True)
    with (partial / "pg_hba.conf").open("a", encoding="ascii") as access:
        access.write("host all all all scram-sha-256\n")
    database = os.environ.get("POSTGRES_DB", user)
    if database != "postgres":
        quoted = database.replace('"', '""')
        single = (str(programs() / "postgres"), "--single", "-D", str(partial), "postgres")
        subprocess.run(single, input=f'CREATE DATABASE "{quoted}"\n', text=True, check=True, stdout=subprocess.DEVNULL)
    partial.rename(data)


def main() -> NoReturn:
    """Become the server."""
    os.umask(0o077)
    user = os.environ.get("POSTGRES_USER", "postgres")
    data = Path(os.environ["PGDATA"])
    if not (data / "PG_VERSION").exists():
        initialise(data, user)
    # A volume with an fsGroup is opened to the group at every start of the pod; the server refuses that.
    data.chmod(0o700)
    server = str(programs() / "postgres")
    options = ("-D", str(data), "-c", "listen_addresses=*", "-c", f"unix_socket_directories={SOCKETS}")
    # Not beside this process but in its place: the server gets the container's signals.
    os.execv(server, (server, *options))  # noqa: S606 - no shell is what is wanted


if __name__ == "__main__":
    main()
