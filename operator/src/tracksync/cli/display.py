"""A run's progress for a person: a bar on a terminal, plain lines elsewhere. Both write to standard error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from tracksync.api.job import StageState

if TYPE_CHECKING:
    from types import TracebackType

    from tracksync.api.identity import Stage
    from tracksync.api.job import ProgressStatus, StageStatus, WorkerStatus

BAR_SECONDS: Final = 0.25
LINE_SECONDS: Final = 10.0


class BarDisplay:
    """`tracksync.ports.Progress` as a bar with stage, done/total, rate and time of the expected end."""

    def __init__(self, console: Console) -> None:
        self._bars = Progress(
            TextColumn("{task.description:<9}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[detail]}"),
            console=console,
            expand=True,
        )
        self._tasks: dict[Stage, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bars.stop()

    async def publish(self, status: WorkerStatus) -> None:
        """Move the bars; each stage that was begun has its own."""
        for stage in status.stages:
            if stage.name not in self._tasks:
                self._tasks[stage.name] = self._bars.add_task(str(stage.name), total=None, detail="")
            is_current = status.progress is not None and stage.name == status.progress.stage
            detail = describe(status.progress) if is_current and status.progress else _summary(stage)
            total = stage.total or (1 if stage.state is StageState.DONE else None)
            done = stage.done if stage.total else total or 0
            self._bars.update(self._tasks[stage.name], total=total, completed=done, detail=detail)

    async def is_abandoned(self) -> bool:
        """Return True: a run on a terminal has an id of its own each time, and nobody can go on with it."""
        return True


class LineDisplay:
    """`tracksync.ports.Progress` as a line for each report."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return

    async def publish(self, status: WorkerStatus) -> None:
        """Print the state, unless it is the one that was printed last."""
        if status.progress is None:
            return
        line = f"{status.progress.stage} {describe(status.progress)}".rstrip()
        if line != self._last:
            self._console.print(line, markup=False, highlight=False)
        self._last = line

    async def is_abandoned(self) -> bool:
        """Return True: a run on a terminal has an id of its own each time, and nobody can go on with it."""
        return True


def make_display() -> tuple[BarDisplay | LineDisplay, float]:
    """Return what fits standard error, and how often it wants a report, in seconds."""
    console = Console(stderr=True)
    if console.is_terminal:
        return BarDisplay(console), BAR_SECONDS
    return LineDisplay(console), LINE_SECONDS


def _summary(stage: StageStatus) -> str:
    """Return what a stage that was left came to."""
    counts = {"failed": stage.failed, "retried": stage.retried, "skipped": stage.skipped}
    parts = [f"{stage.done}/{stage.total}" if stage.total else ""]
    parts += [f"{number} {what}" for what, number in counts.items() if number]
    return "  ".join(part for part in parts if part)


def describe(progress: ProgressStatus) -> str:
    """Return done/total, rate and expected end, as far as they are known."""
    parts = [progress.text]
    if progress.items_per_minute is not None and progress.eta is not None:
        left = max(0, round((progress.eta - progress.heartbeat).total_seconds()))
        parts += [f"{progress.items_per_minute:.0f}/min", f"ETA {left // 60}:{left % 60:02}"]
    return "  ".join(part for part in parts if part)
