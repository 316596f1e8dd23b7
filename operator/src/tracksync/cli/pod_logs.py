"""`tracksync logs`: what a run's worker says, also over pods that are replaced and attempts that follow."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import typer

from tracksync.adapters.kube.answers import NotFoundError, NotReadyError
from tracksync.api.identity import Label
from tracksync.cli.asking import Exit
from tracksync.cli.render import printable
from tracksync.cli.run_view import view_of
from tracksync.core.runs.reading import read_pod, text
from tracksync.errors import ClusterUnavailableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracksync.cli.asking import Runs
    from tracksync.cli.run_view import RunView
    from tracksync.core.runs.model import Key, Manifest

POLL_SECONDS: Final = 1.0
_BYTES_OF_TIME: Final = 40
"""A time in a log line has 20 to 35 characters."""


def _is_terminal() -> bool:
    return sys.stdout.isatty()


@dataclass(slots=True)
class LogPrinter:
    """Prints log lines once each, although a reconnection gives those of the last second again.

    Attributes:
        since: time of the last line that was printed, as the kubelet wrote it.
    """

    is_terminal: bool = field(default_factory=_is_terminal)
    since: str = ""
    _seen: set[bytes] = field(default_factory=set)

    def print(self, line: bytes) -> None:
        """Print the line without its time, unless it was printed before."""
        time, _, rest = line.partition(b" ")
        stamp = time.decode("ascii", errors="replace") if len(time) <= _BYTES_OF_TIME else ""
        if not stamp or (stamp[:19] == self.since[:19] and line in self._seen) or stamp[:19] < self.since[:19]:
            return
        if stamp[:19] != self.since[:19]:
            self._seen.clear()  # times have nanoseconds, `sinceTime` has seconds
        self._seen.add(line)
        self.since = stamp
        shown = rest.decode("utf-8", errors="replace")
        sys.stdout.write(f"{printable(shown) if self.is_terminal else shown}\n")
        sys.stdout.flush()

    def next_pod(self) -> None:
        """Forget where the last pod's log was."""
        self.since = ""
        self._seen.clear()


async def print_logs(runs: Runs, key: Key, *, follow: bool, attempt: int | None) -> int:
    """Print the log of the latest pod, or of the latest one of that attempt; with `follow`, of those after it as well.

    Raises:
        NotFoundError: there is no such run, attempt or pod.
        NotReadyError: the pod has not started.
    """
    run = view_of(await runs.read(key))
    printer = LogPrinter()
    if follow:
        return await _follow_logs(runs, run, printer, attempt)
    found = _pods_of(await runs.pods(key.namespace, run.uid), attempt)
    if not found:
        raise _no_pod(run, attempt)
    async for line in runs.log(key.namespace, text(found[-1], "metadata", "name"), follow=False):
        printer.print(line)
    return Exit.OK


async def _follow_logs(runs: Runs, run: RunView, printer: LogPrinter, attempt: int | None) -> int:
    """Print one pod's log after the other until there can be no further one."""
    done: set[str] = set()
    told = ""
    while True:
        latest, pods = await _look(runs, run)
        waiting = [pod for pod in _pods_of(pods, attempt) if text(pod, "metadata", "uid") not in done]
        if not waiting and _is_over(latest, attempt):
            if not done:
                raise _no_pod(run, attempt)
            return Exit.OK
        if not waiting:
            told = _tell(told, f"waiting for a pod; {latest.phase_word}: {latest.operator.message or ''}")
            await asyncio.sleep(POLL_SECONDS)
            continue
        # The earlier pods of a run that goes on have ended: their logs are short to read, and nothing is left out.
        pod = waiting[0] if done else waiting[-1]
        done |= {text(other, "metadata", "uid") for other in waiting[:-1]} if not done else set()
        name = text(pod, "metadata", "name")
        typer.echo(f"--- {printable(name)}, attempt {_attempt_of(pod)}", err=True)
        await _follow_pod(runs, run, name, printer)
        done.add(text(pod, "metadata", "uid"))
        printer.next_pod()


async def _look(runs: Runs, run: RunView) -> tuple[RunView, Sequence[Manifest]]:
    """Return the run and its pods; an outage is waited out. A run that is gone or another one has ended for us."""
    told = ""
    while True:
        try:
            latest = view_of(await runs.read(run.key))
            if latest.uid != run.uid:
                raise NotFoundError(f"the TrackSyncJob {run.key.name!r} was deleted while its log was followed")
            return latest, await runs.pods(run.key.namespace, run.uid)
        except ClusterUnavailableError as error:
            told = _tell(told, str(error))
            await asyncio.sleep(POLL_SECONDS)


async def _follow_pod(runs: Runs, run: RunView, name: str, printer: LogPrinter) -> None:
    """Print the pod's log to its end: the log of a container that has ended, or of a pod that is gone."""
    told = ""
    while True:
        had_ended = await _has_ended(runs, run, name)
        try:
            async for line in runs.log(run.key.namespace, name, follow=True, since=printer.since):
                printer.print(line)
        except (NotReadyError, ClusterUnavailableError) as error:
            told = _tell(told, str(error))
            if had_ended and isinstance(error, NotReadyError):
                return  # it never started, and never will
        except NotFoundError:
            return
        else:
            if had_ended:
                return
        await asyncio.sleep(POLL_SECONDS)


async def _has_ended(runs: Runs, run: RunView, name: str) -> bool:
    """Return whether the pod's container says no more, so that a log that is read from now on is the whole of it."""
    _, pods = await _look(runs, run)
    for manifest in pods:
        if text(manifest, "metadata", "name") == name:
            pod = read_pod(manifest)
            return pod.gone or pod.terminated is not None
    return True


def _pods_of(pods: Sequence[Manifest], attempt: int | None) -> list[Manifest]:
    """Return the pods of the attempt, or of all attempts, in the order in which they were made."""
    wanted = [pod for pod in pods if attempt is None or _attempt_of(pod) == str(attempt)]
    return sorted(wanted, key=lambda pod: (text(pod, "metadata", "creationTimestamp"), text(pod, "metadata", "name")))


def _attempt_of(pod: Manifest) -> str:
    return text(pod, "metadata", "labels", Label.ATTEMPT.value)


def _is_over(run: RunView, attempt: int | None) -> bool:
    """Return whether no further pod can come."""
    if run.is_ended:
        return True
    numbers = {entry.number: entry for entry in run.operator.attempts}
    if attempt is None or not numbers:
        return False
    return attempt < max(numbers) or (attempt in numbers and numbers[attempt].completion_time is not None)


def _no_pod(run: RunView, attempt: int | None) -> NotFoundError:
    which = f" of attempt {attempt}" if attempt is not None else ""
    numbers = [entry.number for entry in run.operator.attempts]
    if attempt is not None and numbers and attempt > max(numbers):
        return NotFoundError(
            f"the run {run.key.name!r} has no attempt {attempt}", f"Its attempts: {', '.join(map(str, numbers))}."
        )
    return NotFoundError(
        f"the run {run.key.name!r} ({run.phase_word}) has no pod{which}, so there is no log",
        f"`tracksync status {run.key.name}` says why; `tracksync report {run.uid}` has what the ledger remembers.",
    )


def _tell(told: str, words: str) -> str:
    """Write the words to standard error unless they were told last, and return them."""
    if words != told:
        typer.echo(printable(words), err=True)
    return words
