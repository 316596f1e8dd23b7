"""Long-lived processes: started once, found again by a later harness, and never taken for another.

A process is ours when its pid file's start time is still the kernel's. Independently of pid files,
every process carries the checkout's key in its environment, so that one which was started just
before the harness was killed is found as well.
"""

import hashlib
import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.cluster.commands import last_lines
from tests.cluster.errors import ClusterError
from tests.cluster.files import read_json, write_json
from tests.cluster.waiting import wait_until

MARKER: Final = "TRACKSYNC_CLUSTER"
_LOG_BYTES: Final = 20_000_000


@dataclass(frozen=True, slots=True)
class Program:
    """How one process is started; a change of any part, or of a file it reads, means a restart."""

    name: str
    command: tuple[str, ...]
    namespace: str
    search_path: str = ""
    reads: tuple[Path, ...] = ()

    def fingerprint(self) -> str:
        """Return what tells whether a running process was started from the same settings."""
        content = hashlib.sha256(repr((self.command, self.namespace, self.search_path)).encode())
        for path in self.reads:
            content.update(path.read_bytes())
        return content.hexdigest()


@dataclass(frozen=True, slots=True)
class Supervisor:
    """Starts, finds and stops the processes of one checkout's cluster."""

    key: str
    pids: Path
    logs: Path

    def ensure(self, program: Program) -> None:
        """Make the program run with its present settings; one that does so already is left alone."""
        record = self._record(program.name)
        if record is not None and record["fingerprint"] == program.fingerprint() and _is_in(record["pid"], program):
            return
        self.kill([program.name])
        self._start(program)

    def pid(self, name: str) -> int | None:
        """Return the pid of the running process of that name."""
        record = self._record(name)
        return None if record is None else int(record["pid"])

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to the process, if it runs."""
        pid = self.pid(name)
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self, names: Iterable[str], *, seconds: float = 10) -> None:
        """End the processes at once and wait until they are gone.

        SIGKILL and nothing milder: everything here must survive it anyway, and it leaves nothing
        to wait for.
        """
        pids = {name: pid for name in names if (pid := self.pid(name)) is not None}
        kill_all(pids.values(), seconds=seconds)
        for name in pids:
            (self.pids / f"{name}.json").unlink(missing_ok=True)

    def check(self, name: str) -> None:
        """Raise ClusterError with the end of its log when the process is not running."""
        if self.pid(name) is None:
            raise ClusterError(f"{name} ended; the end of {self.log(name)}:\n{last_lines(self.log_text(name))}")

    def strays(self) -> list[int]:
        """Return every process on the machine that carries this checkout's mark."""
        mark = f"{MARKER}={self.key}\0".encode()
        return [pid for pid in _all_pids() if mark in _environment(pid) and pid != os.getpid()]

    def log(self, name: str) -> Path:
        """Return the log file of a process."""
        return self.logs / f"{name}.log"

    def log_text(self, name: str) -> str:
        """Return the log of a process, empty when there is none."""
        try:
            return self.log(name).read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def _record(self, name: str) -> dict[str, str] | None:
        record = read_json(self.pids / f"{name}.json")
        if record is None or start_time(int(record["pid"])) != record["started"]:
            return None
        return dict(record)

    def _start(self, program: Program) -> None:
        log = self.log(program.name)
        if log.exists() and log.stat().st_size > _LOG_BYTES:
            log.replace(log.with_suffix(".log.old"))
        command = ("nsenter", f"--net=/run/netns/{program.namespace}", "--", *program.command)
        path = ":".join(
            filter(None, (program.search_path, "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"))
        )
        pid = os.posix_spawnp(
            command[0],
            command,
            {"PATH": path, "HOME": "/", MARKER: self.key},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            # A session of its own: neither Ctrl-C nor the end of the harness reaches it.
            setsid=True,
            setsigdef=[signal.SIGPIPE, signal.SIGINT],
        )
        record = {"pid": str(pid), "started": start_time(pid) or "", "fingerprint": program.fingerprint()}
        write_json(self.pids / f"{program.name}.json", record)


def _is_in(pid: str, program: Program) -> bool:
    """Whether the process is in the namespace that has the name now: it may have been made anew."""
    try:
        return Path(f"/proc/{pid}/ns/net").stat().st_ino == Path("/run/netns", program.namespace).stat().st_ino
    except FileNotFoundError:
        return False


def kill_all(pids: Iterable[int], *, seconds: float = 10) -> None:
    """End the processes with SIGKILL and wait until the kernel has taken them away.

    Raises:
        ClusterError: one of them is still there after that time.
    """
    remaining = {pid: start_time(pid) for pid in pids}
    for pid in remaining:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def gone() -> bool:
        return all(start is None or start_time(pid) != start for pid, start in remaining.items())

    if not wait_until(gone, seconds=seconds, every=0.01):
        left = [pid for pid, start in remaining.items() if start is not None and start_time(pid) == start]
        raise ClusterError(f"processes {left} did not end after SIGKILL; they hang in the kernel")


def start_time(pid: int) -> str | None:
    """Return the kernel's start time of a living process, in clock ticks since boot; None when it is dead."""
    _reap(pid)
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # proc_pid_stat(5): after the name come the state (field 3) and, at 22, the start time.
    return None if fields[0] in "ZX" and not _has_other_threads(pid) else fields[19]


def _has_other_threads(pid: int) -> bool:
    """Whether more than the first thread is left: until the last one has ended, files and ports stay open."""
    try:
        return len(list(Path(f"/proc/{pid}/task").iterdir())) > 1
    except (FileNotFoundError, ProcessLookupError):
        return False


def _reap(pid: int) -> None:
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _all_pids() -> Iterator[int]:
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def _environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""
