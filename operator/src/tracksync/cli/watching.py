"""`tracksync watch`: a run as it goes, as bars on a terminal and as lines elsewhere; on standard output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, Self

from rich.console import Console

from tracksync.adapters.kube.answers import NotFoundError
from tracksync.cli.asking import Exit
from tracksync.cli.display import BarDisplay, LineDisplay
from tracksync.cli.following import follow
from tracksync.cli.render import printable
from tracksync.cli.run_view import view_of
from tracksync.cli.waiting import OutageTeller, outcome

if TYPE_CHECKING:
    from types import TracebackType

    from tracksync.cli.asking import Runs
    from tracksync.cli.run_view import RunView
    from tracksync.core.runs.model import Key

_WIDE: Final = 1000


class Display(Protocol):
    """What shows a run."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    async def show(self, run: RunView) -> None:
        """Show what is new."""
        ...


class Live:
    """Bars for the stages, and a line above them whenever the run comes somewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars: BarDisplay | LineDisplay = BarDisplay(console) if console.is_terminal else LineDisplay(console)
        self._last: tuple[object, ...] = ()

    def __enter__(self) -> Self:
        self._bars.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bars.__exit__(kind, error, traceback)

    async def show(self, run: RunView) -> None:
        """Show what is new."""
        attempts = run.operator.attempts
        number = attempts[-1].number if attempts else 0
        state = (run.phase_word, run.reason, number, run.operator.queue_position, _steady_message(run))
        if state != self._last:
            # The console wraps by itself; what it prints of ours is plain text, not its markup.
            line = (
                outcome(run) if run.operator.message or run.is_ended else f"{printable(run.key.name)}: {run.phase_word}"
            )
            self._console.print(line + (f" [attempt {number}]" if number > 1 else ""), markup=False, highlight=False)
        self._last = state
        if not run.is_ended:
            await self._bars.publish(run.worker)


def _steady_message(run: RunView) -> str:
    """Return the message where it tells of something new; while a worker runs it has numbers of the moment."""
    return (run.operator.message or "") if run.worker.progress is None or run.is_ended else ""


def make_live() -> Live:
    """Return what fits standard output."""
    console = Console()
    return Live(console if console.is_terminal else Console(width=_WIDE))


async def watch_run(runs: Runs, key: Key, display: Display) -> int:
    """Show the run until it ends, and return the exit code: 0 it ended well, 1 badly.

    Raises:
        NotFoundError: there is no such run, or it was deleted meanwhile.
    """
    last: RunView | None = None
    with display:
        async for manifest in follow(runs, key, on_outage=OutageTeller()):
            last = view_of(manifest)
            await display.show(last)
            if last.is_ended:
                return Exit.OK if last.is_done else Exit.RUN_FAILED
    raise NotFoundError(
        f"the TrackSyncJob {key.name!r} was deleted while it was watched",
        f"`tracksync status {last.uid if last is not None else key.name}` with the database's URL says what the "
        "ledger remembers.",
    )


def interrupted_words(name: str) -> str:
    """Return what Ctrl-C says."""
    shown = printable(name)
    return (
        f"stopped watching; the run {shown} goes on. `tracksync watch {shown}` comes back to it, "
        f"`tracksync cancel {shown}` stops it"
    )
