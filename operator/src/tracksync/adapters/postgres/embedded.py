"""A PostgreSQL of one's own, from a wheel: for `tracksync run` on a machine without any database.

Processes on the same data directory share one server: each holds a shared file lock, and whoever leaves last stops the
server. A lock dies with its process, so a killed process leaves at most a running server, which the next one takes
over. The server listens on a Unix socket in a directory of its own and on no address.
"""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final
from urllib.parse import quote

import psycopg
from psycopg import sql

from tracksync.adapters.postgres.programs import find_programs
from tracksync.errors import ConfigurationError, DatabaseUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracksync.adapters.postgres.programs import Programs

DATABASE: Final = "tracksync"
USER: Final = "tracksync"
CLUSTER: Final = "postgresql"
LOG: Final = "postgresql.log"
SETTINGS: Final = "tracksync.conf"
SOCKET_NAME: Final = ".s.PGSQL.5432"
LONGEST_SOCKET: Final = 100
"""Bytes; Linux allows 107 for a Unix socket's path, other systems 103."""
SOCKET_LINE: Final = 4
"""Line of postmaster.pid, from 0, with the socket's directory (documented: "Database File Layout")."""
NEW_IN_18: Final = 18


@contextmanager
def embedded_postgres(data_dir: Path) -> Iterator[str]:
    """Give the URL of a running server whose data lives in `data_dir`; it ends with the last of its users.

    The directory is made when it is missing; the database `tracksync` is there and belongs to the URL's user.

    Raises:
        ConfigurationError: the extra `embedded` is not installed, or the directory cannot be used.
        DatabaseUnavailableError: the server did not start; the message names its log.
    """
    home = _usable(data_dir)
    programs = find_programs(home / CLUSTER)
    with (home / "users.lock").open("w") as users:
        try:
            with _one_at_a_time(home):
                fcntl.flock(users, fcntl.LOCK_SH)
                url = _running(programs, home)
            yield url
        finally:
            with _one_at_a_time(home):
                if _is_last(users):
                    _stop(programs, home)


def _usable(data_dir: Path) -> Path:
    home = data_dir.expanduser().absolute()
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        (home / "users.lock").touch()
    except OSError as error:
        message = f"the data directory {home} cannot be used: {error.strerror}; choose another one with --data-dir"
        raise ConfigurationError(message) from None
    return home


@contextmanager
def _one_at_a_time(home: Path) -> Iterator[None]:
    """Let one process at a time start or stop the server."""
    with (home / "start.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _is_last(users: IO[str]) -> bool:
    """Whether nobody else uses the server. Turns the shared lock into an exclusive one when that is so."""
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _running(programs: Programs, home: Path) -> str:
    """Return the URL of the server, started when it does not run yet."""
    _initialise(programs, home)
    if programs.run("pg_ctl", ("status", "-D", CLUSTER), folder=home).returncode != 0:
        _start(programs, home)
    url = _url(_socket_folder(home), DATABASE)
    _create_database(url, home)
    return url


def _initialise(programs: Programs, home: Path) -> None:
    """Make the cluster beside its place and move it there, so that a killed initdb leaves nothing half-made."""
    if (home / CLUSTER).exists():
        return
    unfinished = home / f"{CLUSTER}.new"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    programs.give(unfinished)
    locale = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
    # Before version 17 there is no built-in provider; the C locale knows the case of ASCII letters only.
    options = locale if programs.version >= NEW_IN_18 else ("--locale=C",)
    # Trust is safe here: the socket's directory is open to the server's account and to the caller only.
    arguments = ("-D", unfinished.name, "-U", USER, "--encoding=UTF8", "--auth=trust", "--no-instructions", *options)
    if programs.run("initdb", arguments, folder=home).returncode != 0:
        raise DatabaseUnavailableError(
            f"the embedded PostgreSQL could not make its data in {home}; check that the disk has room"
        )
    unfinished.rename(home / CLUSTER)


def _start(programs: Programs, home: Path) -> None:
    socket_folder = _new_socket_folder(programs, home)
    _write_settings(programs, home, socket_folder)
    (home / LOG).unlink(missing_ok=True)
    arguments = ("start", "-w", "-s", "-D", CLUSTER, "-l", LOG, "-o", f"--config-file={SETTINGS}")
    if programs.run("pg_ctl", arguments, folder=home).returncode != 0:
        raise DatabaseUnavailableError(f"the embedded PostgreSQL did not start; its log is {home / LOG}")


def _new_socket_folder(programs: Programs, home: Path) -> Path:
    folder = home / "socket"
    if len(bytes(folder / SOCKET_NAME)) > LONGEST_SOCKET:
        folder = Path(tempfile.mkdtemp(prefix="tracksync-"))
    folder.mkdir(mode=0o700, exist_ok=True)
    programs.give(folder)
    return folder


def _write_settings(programs: Programs, home: Path, socket_folder: Path) -> None:
    cluster, folder = _quoted(str(home / CLUSTER)), _quoted('"' + str(socket_folder).replace('"', '""') + '"')
    settings = {
        "data_directory": cluster,
        "listen_addresses": "''",
        "unix_socket_directories": folder,
        "unix_socket_permissions": "0700",
        "max_connections": "20",
        "shared_buffers": "32MB",
        "wal_level": "minimal",
        "max_wal_senders": "0",
        "jit": "off",
        "timezone": "'UTC'",
        # A refused statement can hold personal data, and so can the detail of an error.
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
    }
    if programs.version >= NEW_IN_18:
        settings["io_method"] = "sync"
    (home / SETTINGS).write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def _stop(programs: Programs, home: Path) -> None:
    pid_file = home / CLUSTER / "postmaster.pid"
    if not pid_file.exists():
        return
    lines = pid_file.read_text().splitlines()
    programs.run("pg_ctl", ("stop", "-m", "fast", "-w", "-s", "-D", CLUSTER), folder=home)
    # The file is shorter when the start was interrupted.
    socket_folder = Path(lines[SOCKET_LINE]) if len(lines) > SOCKET_LINE else home / "socket"
    if socket_folder.parent != home and not pid_file.exists():
        shutil.rmtree(socket_folder, ignore_errors=True)


def _socket_folder(home: Path) -> Path:
    return Path((home / CLUSTER / "postmaster.pid").read_text().splitlines()[SOCKET_LINE])


def _url(socket_folder: Path, database: str) -> str:
    return f"postgresql://{USER}@/{database}?host={quote(str(socket_folder), safe='')}"


def _create_database(url: str, home: Path) -> None:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        try:
            with psycopg.connect(_url(_socket_folder(home), "postgres"), autocommit=True) as connection:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
        except psycopg.Error:
            message = f"the embedded PostgreSQL does not answer; its log is {home / LOG}"
            raise DatabaseUnavailableError(message) from None
