"""What the person sees: a live line on a terminal, plain lines with seconds elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

Teller = Callable[[str], None]
Advance = Callable[[int, int, str], None]
"""Reports (done, total, what is being done now); a total of 0 means unknown."""

_HEARTBEAT_SECONDS = 30.0


def tell(line: str) -> None:
    """Print one line about what happens, to standard error: standard output is for results."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(line, markup=False)


@contextmanager
def step(title: str) -> Iterator[Advance]:
    """Show a step while it runs and how long it took once it is done."""
    began = time.monotonic()
    shown = _bar(title) if sys.stderr.isatty() else _lines(title)
    with shown as advance:
        yield advance
    tell(f"  {title}: {time.monotonic() - began:.1f} s")


@contextmanager
def _bar(title: str) -> Iterator[Advance]:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TimeElapsedColumn(),
        TextColumn("[dim]{task.fields[now]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=None, now="")

        def advance(done: int, total: int, now: str) -> None:
            progress.update(task, completed=done, total=total or None, now=now[-50:])

        yield advance


@contextmanager
def _lines(title: str) -> Iterator[Advance]:
    began = last = time.monotonic()

    def advance(done: int, total: int, now: str) -> None:
        nonlocal last
        if time.monotonic() - last >= _HEARTBEAT_SECONDS:
            last = time.monotonic()
            amount = f"{done}/{total}" if total else str(done)
            tell(f"  {title}: {amount} after {last - began:.0f} s ({now})")

    yield advance
