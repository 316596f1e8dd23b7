"""`tracksync simulate` and what its options stand for."""

from __future__ import annotations

import inspect
import signal
import subprocess
from dataclasses import fields

from tests.cli.starting import TRACKSYNC
from tracksync.cli import processes
from tracksync.simulator.faults import Switches
from tracksync.simulator.settings import SimulatorSettings


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
