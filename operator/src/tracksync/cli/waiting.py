"""Waiting until a run has come somewhere, without touching it."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import typer

from tracksync.adapters.kube.answers import NotFoundError
from tracksync.api.job import Phase
from tracksync.cli.asking import Exit, TimeIsUp, UsageProblem
from tracksync.cli.following import follow
from tracksync.cli.render import printable
from tracksync.cli.run_view import view_of

if TYPE_CHECKING:
    from tracksync.cli.asking import Runs
    from tracksync.cli.run_view import RunView
    from tracksync.core.runs.model import Key, Manifest

FINISHED: Final = "finished"
DELETED: Final = "deleted"
SUCCEEDED: Final = "succeeded"
_PHASES: Final = {phase.value.lower(): phase for phase in Phase}
_CONDITION: Final = re.compile(r"condition=([A-Za-z]{1,64})(?:=(True|False|Unknown))?")


@dataclass(frozen=True, slots=True)
class Goal:
    """What is waited for.

    Attributes:
        word: `finished`, `succeeded`, `deleted`, the name of a phase, or empty for a condition.
        condition: type of a condition, with the status that it shall have.
    """

    word: str = FINISHED
    condition: str = ""
    status: str = "True"

    @property
    def text(self) -> str:
        """The goal for people."""
        return self.word or f"the condition {self.condition}={self.status}"

    def is_met(self, run: RunView) -> bool:
        """Return whether the run is there."""
        if self.condition:
            found = run.condition(self.condition)
            return found is not None and found.status.value == self.status
        match self.word:
            case "finished":
                return run.is_ended
            case "succeeded":
                return run.is_done
            case "deleted":
                return False
            case _:  # a phase of before the latest change of the spec says nothing about it
                return run.phase is _PHASES[self.word] and (run.is_ended or not run.is_behind)

    def is_missed(self, run: RunView) -> bool:
        """Return whether the run has ended elsewhere."""
        return run.is_ended and self.word not in {FINISHED, DELETED}


def goal_of(wanted: str) -> Goal:
    """Return what `--for` names.

    Raises:
        typer.BadParameter: it names nothing that a run can come to.
    """
    match = _CONDITION.fullmatch(wanted)
    if match is not None:
        return Goal("", match[1], match[2] or "True")
    word = wanted.lower()
    if word not in {FINISHED, DELETED, SUCCEEDED, *_PHASES}:
        raise typer.BadParameter(
            f"--for: {printable(wanted)!r} is nothing that a run comes to; take {FINISHED}, {SUCCEEDED}, {DELETED}, "
            f"a phase ({', '.join(sorted(_PHASES))}) or condition=TYPE"
        )
    return Goal(word)


async def wait_for(runs: Runs, key: Key, goal: Goal, *, seconds: float | None, first: Manifest | None = None) -> int:
    """Wait for the goal and return the exit code: 0 it came, or the run ended well; 1 the run ended badly or elsewhere.

    Raises:
        TimeIsUp: it did not come in time.
        NotFoundError: there is no such run, or it was deleted meanwhile.
    """
    latest: list[RunView] = []
    try:
        async with asyncio.timeout(seconds):
            return await _wait(runs, key, goal, first, latest)
    except TimeoutError:
        where = f"it is {latest[-1].phase_word}" if latest else "the API server did not answer"
        raise TimeIsUp(
            f"{key.name!r} did not come to {goal.text} within {seconds:.0f} s; {where}",
            f"The run was left alone; `tracksync status {key.name}` says what it waits for.",
        ) from None


async def _wait(runs: Runs, key: Key, goal: Goal, first: Manifest | None, latest: list[RunView]) -> int:
    try:
        async for manifest in follow(runs, key, first=first, on_outage=OutageTeller()):
            run = view_of(manifest)
            latest[:] = [run]
            if goal.is_met(run):
                return _ended(run) if goal.word == FINISHED else _told(run, Exit.OK)
            if goal.is_missed(run):
                return _told(run, Exit.RUN_FAILED)
    except NotFoundError:
        if goal.word != DELETED:
            raise
    if goal.word == DELETED:
        typer.echo(f"{printable(key.name)} is gone")
        return Exit.OK
    raise NotFoundError(
        f"the TrackSyncJob {key.name!r} was deleted before it came to {goal.text}",
        f"`tracksync status {latest[-1].uid}` with the database's URL says what the ledger remembers.",
    )


def _ended(run: RunView) -> int:
    return _told(run, Exit.OK if run.is_done else Exit.RUN_FAILED)


def _told(run: RunView, code: Exit) -> int:
    typer.echo(outcome(run))
    return code


def outcome(run: RunView) -> str:
    """Return one line that says where the run is, and why."""
    said = f": {run.operator.message}" if run.operator.message else ""
    reason = f" ({run.reason})" if run.reason and run.reason != run.phase_word else ""
    return printable(f"{run.key.name}: {run.phase_word}{reason}{said}")


class OutageTeller:
    """Tell of an outage once, until the words are others."""

    def __init__(self) -> None:
        self._last = ""

    def __call__(self, words: str) -> None:
        """Write the words to standard error, unless they were written last."""
        if words != self._last:
            typer.echo(f"waiting: {printable(words)}", err=True)
        self._last = words


def refuse_ended(run: RunView, verb: str) -> None:
    """Raise UsageProblem when there is nothing left to be done to the run."""
    if run.is_ended:
        raise UsageProblem(
            f"the run {run.key.name!r} has ended as {run.phase_word}: there is nothing to {verb}",
            f"`tracksync status {run.key.name}` shows what became of it.",
        )
