"""The commands that start processes: `simulate` and its options, `migrate --wait`, a worker that is stopped early."""

from __future__ import annotations

import inspect
import os
import signal
import subprocess
from dataclasses import fields
from typing import TYPE_CHECKING

from typer.testing import CliRunner

from tests.cli.starting import TRACKSYNC, tracksync
from tracksync.cli import processes
from tracksync.cli.main import app
from tracksync.simulator.faults import Switches
from tracksync.simulator.settings import SimulatorSettings
from tracksync.worker import app as worker_app

if TYPE_CHECKING:
    import pytest


def test_every_setting_and_switch_of_the_simulator_is_an_option_with_its_default() -> None:
    options = {name: parameter.default for name, parameter in inspect.signature(processes.simulate).parameters.items()}
    options["dashboard_faults"] = options.pop("dashboard_fault") or ()
    settings, switches = SimulatorSettings(), Switches()
    expected = {field.name: getattr(settings, field.name) for field in fields(settings) if field.name != "switches"}
    expected |= {field.name: getattr(switches, field.name) for field in fields(switches)}
    assert options == expected


def test_the_simulator_says_where_it_is_and_ends_cleanly_with_ctrl_c() -> None:
    command = [TRACKSYNC, "simulate", "--tracks", "3", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert line.startswith("simulator ready at http://127.0.0.1:")
    assert (process.returncode, errors) == (0, "")


def test_migrate_waits_for_a_starting_database_only_as_long_as_it_was_told() -> None:
    done = tracksync("migrate", "--database-url", "postgresql://u:pw-canary@127.0.0.1:9/d", "--wait", "1")
    waiting, error, _ = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (20, "")
    assert waiting.startswith("waiting: ")
    assert error.startswith("Error: ")
    assert "canary" not in done.stderr


def test_a_worker_that_is_stopped_while_it_starts_ends_as_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped_while_starting() -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        return 0

    monkeypatch.setattr(worker_app, "run_worker", stopped_while_starting)
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert CliRunner().invoke(app, ["worker"]).exit_code == 50
    finally:
        signal.signal(signal.SIGTERM, before)
