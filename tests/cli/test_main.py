"""What every command has in common: help, version, errors, exit codes, and a start without heavy imports."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import typer.main
from typer.testing import CliRunner

import tracksync as package
from tests.cli.starting import tracksync
from tracksync.cli.failure import explain_failure
from tracksync.cli.main import app
from tracksync.errors import FailureReason

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEAVY = {"sqlalchemy", "alembic", "psycopg", "httpx", "aiohttp", "kopf", "kubernetes", "pydantic", "selectolax"}


def commands() -> Iterator[tuple[str, typer.main.TyperCommand]]:
    root = typer.main.get_command(app)
    for name, command in root.commands.items():  # type: ignore[attr-defined]  # the root is a group
        inner = getattr(command, "commands", None)
        if inner is None:
            yield name, command
        else:
            yield from ((f"{name} {below}", under) for below, under in inner.items())


@pytest.mark.parametrize(("name", "command"), list(commands()), ids=[name for name, _ in commands()])
def test_help_explains_every_option_of_the_command(name: str, command: typer.main.TyperCommand) -> None:
    shown = CliRunner().invoke(app, [*name.split(), "--help"], env={"COLUMNS": "120"})
    assert shown.exit_code == 0
    assert command.help
    for option in command.params:
        assert option.opts[0] in shown.stdout
        assert getattr(option, "help", None)


def test_the_commands_of_this_version_are_all_there() -> None:
    assert {name for name, _ in commands()} == {
        "run",
        "create",
        "get",
        "status",
        "describe",
        "watch",
        "wait",
        "logs",
        "cancel",
        "suspend",
        "resume",
        "tracks",
        "undo",
        "report",
        "history",
        "migrate",
        "adopt",
        "simulate",
        "worker",
        "operator",
        "parse catalogue",
        "parse dashboard",
        "parse address",
        "parse time",
        "source show",
        "source off",
        "source on",
        "admin crd",
        "admin docs",
        "admin grants",
        "admin install",
        "admin worker-access",
    }


def test_help_loads_nothing_heavy() -> None:
    """Counted, not timed: each of these costs a start 0.06 to 0.7 s."""
    program = (
        "import sys, atexit, tracksync.cli.main as m; sys.argv = ['tracksync', '--help'];"
        f"atexit.register(lambda: print(sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)); m.main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_the_version_is_the_package_s() -> None:
    assert tracksync("--version").stdout == f"tracksync {package.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(["run", "--requests-per-second", "fast"], 2, "--requests-per-second", id="no number"),
        pytest.param(["run", "--concurrency", "0"], 2, "--concurrency", id="out of range"),
        pytest.param(
            ["tracks", "--database-url", "x", "--data-dir", "y"], 2, "exclude each other", id="both databases"
        ),
        pytest.param(["run"], 30, "--contact", id="the real source without a contact"),
        pytest.param(["run", "--source-url", "localhost:80"], 30, "--source-url", id="no scheme"),
        pytest.param(["run", "--deactivation", "some"], 2, "--deactivation", id="no policy"),
        pytest.param(["run", "--max-percent", "101"], 2, "--max-percent", id="no share"),
        pytest.param(
            ["run", "--source-url", "http://127.0.0.1:9", "--only-slug", "a", "--deactivation", "apply"],
            30,
            "--only-slug",
            id="a part of the catalogue deactivates nothing",
        ),
        pytest.param(["tracks", "--data-dir", "/no/such/place"], 30, "tracksync run", id="no database yet"),
        pytest.param(["migrate", "--database-url", "mysql://u:pw-canary@h/d"], 30, "postgresql://", id="no PostgreSQL"),
        pytest.param(["migrate", "--database-url-file", "/no/such"], 30, "--database-url-file", id="no file"),
        pytest.param(["simulate", "--latency-ms", "-3"], 30, "latency_ms", id="a switch out of range"),
        pytest.param(["simulate", "--dashboard-fault", "rain=1"], 30, "rain", id="unknown fault"),
        pytest.param(["source", "show", "--data-dir", "/no/such/place"], 30, "tracksync run", id="nothing to show yet"),
        pytest.param(["source", "on", "--domain", "LiveRC"], 30, "--domain", id="no domain"),
        pytest.param(["source", "off"], 2, "--reason", id="no reason"),
        pytest.param(["source", "off", "--reason", " "], 30, "--reason", id="a blank reason"),
        pytest.param(["operator"], 30, "TRACKSYNC_WORKER_IMAGE", id="no settings"),
    ],
)
def test_a_mistake_is_named_on_standard_error_without_a_traceback(arguments: list[str], code: int, words: str) -> None:
    done = tracksync(*arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert "canary" not in done.stderr
    if code != 2:
        assert done.stderr.startswith("Error: ")
        assert done.stderr.count("\n") == 2


@pytest.mark.parametrize("reason", list(FailureReason))
def test_every_failure_has_one_line_that_says_what_happened_and_one_that_says_what_to_do(
    reason: FailureReason, capsys: pytest.CaptureFixture[str]
) -> None:
    explain_failure("the field\nis wrong", reason)
    what, remedy = capsys.readouterr().err.splitlines()
    assert what == "Error: the field is wrong"
    assert remedy.endswith(".")


def test_the_crd_is_written_the_same_each_time(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        assert tracksync("admin", "crd", "--output-dir", str(tmp_path / folder)).returncode == 0
    first, second = (tmp_path / folder / "tracksyncjobs.yaml" for folder in ("one", "two"))
    assert first.read_bytes() == second.read_bytes()
    assert first.read_text(encoding="utf-8").startswith("# Generated by `tracksync admin crd`; do not edit.\n")
