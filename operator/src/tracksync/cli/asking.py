"""Asking a cluster for something: the port for it, connecting, and how each refusal leaves the process."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final, NoReturn, Protocol

import typer

from tracksync.adapters.kube.access import open_access
from tracksync.adapters.kube.answers import AnswerError, ForbiddenError, NotFoundError, NotReadyError
from tracksync.adapters.kube.runs import KubeRuns
from tracksync.api.base import timedelta_of
from tracksync.cli.render import printable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
    from pathlib import Path

    from tracksync.core.runs.model import Key, Manifest

DEFAULT_REMEDY: Final = "--help shows what the command takes."


class Exit(IntEnum):
    """Exit codes of the commands that talk to a cluster."""

    OK = 0
    RUN_FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    TIMEOUT = 4
    FORBIDDEN = 5
    INTERRUPTED = 130
    """Ctrl-C, as shells count it."""


class UsageProblem(AnswerError):  # noqa: N818 -- it is one of several problems that end a command
    """What was asked for does not apply, or was asked for in a wrong way."""


class TimeIsUp(AnswerError):  # noqa: N818 -- see above
    """What was waited for did not come in time."""


class Runs(Protocol):
    """What the commands ask of a cluster; `adapters.kube.runs.KubeRuns` says what each method promises."""

    @property
    def default_namespace(self) -> str:
        """The namespace that is meant."""
        ...

    async def read(self, key: Key) -> Manifest:
        """Return the TrackSyncJob."""
        ...

    async def find(self, namespace: str | None) -> Sequence[Manifest]:
        """Return the TrackSyncJobs of the namespace; None: of all."""
        ...

    async def create(self, manifest: Mapping[str, object], namespace: str, *, dry_run: bool) -> Manifest:
        """Create the TrackSyncJob."""
        ...

    async def change(self, key: Key, patch: Mapping[str, object]) -> Manifest:
        """Merge the patch into the TrackSyncJob."""
        ...

    async def delete(self, key: Key, uid: str) -> None:
        """Delete the TrackSyncJob with this uid."""
        ...

    def watch(self, key: Key, version: str) -> AsyncIterator[tuple[str, Manifest]]:
        """Give its changes after this version."""
        ...

    async def events(self, namespace: str, uid: str) -> Sequence[Manifest]:
        """Return the Events about it."""
        ...

    async def pods(self, namespace: str, run_id: str) -> Sequence[Manifest]:
        """Return the run's pods."""
        ...

    def log(self, namespace: str, pod: str, *, follow: bool, since: str = "") -> AsyncIterator[bytes]:
        """Give the lines of a pod's log, each with its time."""
        ...

    async def secret_value(self, namespace: str, name: str, key: str) -> str:
        """Return a Secret's value."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """Which cluster and namespace are meant; None: the kubeconfig's, or the pod's own."""

    namespace: str | None = None
    context: str | None = None
    kubeconfig: Path | None = None


@asynccontextmanager
async def opened_runs(place: Place) -> AsyncIterator[Runs]:
    """Connect to the cluster."""
    async with open_access(place.kubeconfig, place.context) as access:
        yield KubeRuns(access.client, place.namespace or access.namespace)


def ask(place: Place, work: Callable[[Runs], Awaitable[int]], *, interrupted: str = "interrupted") -> NoReturn:
    """Do the work and leave the command with the exit code that it returns, or that belongs to the refusal.

    Raises:
        typer.Exit: always, unless something unforeseen happens.
        ClusterUnavailableError: the cluster cannot be reached.
    """
    try:
        code = asyncio.run(_work(place, work))
    except AnswerError as error:
        explain(error)
        code = exit_code_of(error)
    except KeyboardInterrupt:
        typer.echo(interrupted, err=True)
        code = Exit.INTERRUPTED
    raise typer.Exit(code)


async def _work(place: Place, work: Callable[[Runs], Awaitable[int]]) -> int:
    async with opened_runs(place) as runs:
        return await work(runs)


def explain(error: AnswerError) -> None:
    """Write to standard error what happened and what to do about it."""
    typer.echo(f"Error: {printable(' '.join(str(error).split()))}\n{error.remedy or DEFAULT_REMEDY}", err=True)


def exit_code_of(error: AnswerError) -> Exit:
    """Return the exit code that belongs to the refusal."""
    match error:
        case ForbiddenError():
            return Exit.FORBIDDEN
        case NotFoundError() | NotReadyError():
            return Exit.NOT_FOUND
        case TimeIsUp():
            return Exit.TIMEOUT
        case _:
            return Exit.USAGE


def seconds_of(option: str, duration: str | None) -> float | None:
    """Return the seconds that an option's duration names; a bare number counts seconds.

    Raises:
        typer.BadParameter: it names none.
    """
    if duration is None:
        return None
    written = duration.strip()
    try:
        return timedelta_of(f"{written}s" if written.isdecimal() else written).total_seconds()
    except ValueError as error:
        raise typer.BadParameter(f"{option}: {error}") from None
