"""The processes of a benchmark: a simulator, and a sync whose CPU time and memory are counted with its children's.

Linux only: memory is read from /proc, and the end is awaited on a process file descriptor.
"""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.request import Request, urlopen

from tests.benchmarks.source_figures import BenchmarkError
from tests.cli.starting import TRACKSYNC
from tracksync.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROC: Final = Path("/proc")
_SAMPLE_SECONDS: Final = 0.1
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PEAK: Final = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)
_KIB: Final = 1024
_LONGEST_MESSAGE: Final = 600


@dataclass(frozen=True, slots=True)
class Sync:
    """A finished `tracksync run`.

    Attributes:
        results: its JSON document.
        cpu_seconds: user and system time of the process and of all its children, from the first to the last moment.
        peak_bytes: highest sum of the resident memory that each living process of it had at its highest moment.
        worker_peak_bytes: the process's own part of that, without its children.
        wall_seconds: from start to end of the process; `results` has the run's own time.
    """

    results: dict[str, Any]
    cpu_seconds: float
    peak_bytes: int
    worker_peak_bytes: int
    wall_seconds: float

    @property
    def fetched(self) -> int:
        """Dashboards that were read."""
        return int(self.results["fetched"])

    @property
    def run_seconds(self) -> float:
        """Wall time from preflight to report."""
        return float(self.results["durationSeconds"])


@dataclass(frozen=True, slots=True)
class Simulator:
    """A simulator in a process of its own."""

    url: str
    pid: int

    def cpu_seconds(self) -> float:
        """Return the CPU time that the process has used so far."""
        user, system = (_PROC / str(self.pid) / "stat").read_text().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / _TICKS

    def journal(self) -> dict[str, Any]:
        """Return what the source saw since the last restart of its journal."""
        return self._control("GET", "/_journal")

    def restart_journal(self) -> None:
        """Forget what was seen so far."""
        self._control("DELETE", "/_journal")

    def affected(self) -> int:
        """Return how many dashboards have a fault."""
        return sum(self._control("GET", "/_faults")["dashboards_affected"].values())

    def switch(self, **switches: float) -> None:
        """Change these switches; the others stay."""
        self._control("POST", "/_faults", json.dumps(switches).encode())

    def _control(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        request = Request(self.url + path, data=body, method=method)  # noqa: S310 - the URL is the simulator's own
        with urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
            document: dict[str, Any] = json.load(answer)
            return document


@contextmanager
def a_simulator(*options: str, tracks: int) -> Iterator[Simulator]:
    """Run a simulator on loopback; it is stopped with the block."""
    command = [str(TRACKSYNC), "simulate", "--tracks", str(tracks), "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://[0-9.:]+", process.stdout.readline())
            if found is None:
                raise BenchmarkError("the simulator does not start")
            yield Simulator(found[0], process.pid)
        finally:
            process.terminate()
            process.wait(timeout=20)


def run_sync(simulator: Simulator, database_url: str, *options: str) -> Sync:
    """Run one sync as a process and return what it did and cost.

    Args:
        simulator: the source.
        database_url: a migrated database.
        options: further ones of `tracksync run`.

    Raises:
        BenchmarkError: the run did not succeed, apart from single tracks.
    """
    where = ("--source-url", simulator.url, "--output", "json", *options)
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "COLUMNS": "100"}
    environment["TRACKSYNC_DATABASE_URL"] = database_url
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        began = time.monotonic()
        process = subprocess.Popen([str(TRACKSYNC), "run", *where], env=environment, stdout=output, stderr=errors)
        status, cpu_seconds, peaks = _watch(process)
        wall_seconds = time.monotonic() - began
        output.seek(0)
        errors.seek(0)
        if status not in {ExitCode.DONE, ExitCode.ITEM_ERRORS}:
            raise BenchmarkError(f"the run failed with exit code {status}: {errors.read()[-_LONGEST_MESSAGE:].strip()}")
        return Sync(json.load(output), cpu_seconds, *peaks, wall_seconds)


def _watch(process: subprocess.Popen[bytes]) -> tuple[int, float, tuple[int, int]]:
    """Wait for the end; return exit code, CPU seconds with all children, and peak bytes of all and of itself alone."""
    all_peak = own_peak = 0
    descriptor = os.pidfd_open(process.pid)
    try:
        while not select.select([descriptor], [], [], _SAMPLE_SECONDS)[0]:
            peaks = {pid: _peak_bytes(pid) for pid in _family(process.pid)}
            all_peak, own_peak = max(all_peak, sum(peaks.values())), max(own_peak, peaks[process.pid])
    except BaseException:
        process.kill()
        raise
    finally:
        os.close(descriptor)
        # This reaps the process, with what it and its reaped children have used.
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, used.ru_utime + used.ru_stime, (all_peak, own_peak)


def _family(pid: int) -> set[int]:
    """Return the process and all that descend from it."""
    parents = {int(folder.name): _parent(folder) for folder in _PROC.iterdir() if folder.name.isdecimal()}
    found = {pid}
    while further := {child for child, parent in parents.items() if parent in found} - found:
        found |= further
    return found


def _parent(folder: Path) -> int:
    try:
        return int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return 0  # it has just ended


def _peak_bytes(pid: int) -> int:
    try:
        found = _PEAK.search((_PROC / str(pid) / "status").read_text())
    except OSError:
        return 0
    return int(found[1]) * _KIB if found else 0
