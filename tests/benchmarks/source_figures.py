"""What a benchmark of the source side found: figures, their goals, and the table and JSON that show them."""

from __future__ import annotations

import os
import platform
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

_BIG = 1000


class BenchmarkError(Exception):
    """What was to be measured did not happen; there is no figure, and so no goal is met."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value, with or without a goal.

    Attributes:
        name: what was measured.
        value: in `unit`; a median where there are several rounds.
        unit: "" for a plain number.
        at_least: the goal is this or more.
        at_most: the goal is this or less.
        spread: the lowest and highest of the rounds' values.
    """

    name: str
    value: float
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None
    spread: tuple[float, float] | None = None

    @property
    def is_met(self) -> bool:
        """Whether the goal, if there is one, is reached."""
        above = self.at_least is None or self.value >= self.at_least
        return above and (self.at_most is None or self.value <= self.at_most)

    @property
    def goal(self) -> str:
        """The goal in words; "" when there is none."""
        if self.at_least is not None:
            return f">= {number(self.at_least)}"
        return "" if self.at_most is None else f"<= {number(self.at_most)}"

    def as_json(self) -> dict[str, Any]:
        """Return all of it as JSON values; figures without a goal have none, and no verdict."""
        shown: dict[str, Any] = {"name": self.name, "value": round(self.value, 6), "unit": self.unit}
        if self.spread is not None:
            shown["spread"] = [round(value, 6) for value in self.spread]
        return shown | ({"goal": self.goal, "met": self.is_met} if self.goal else {})


def median_figure(
    name: str, values: Sequence[float], unit: str = "", *, at_least: float | None = None, at_most: float | None = None
) -> Figure:
    """Return the rounds' median, with what it spreads over when there are several rounds."""
    spread = (min(values), max(values)) if len(values) > 1 else None
    return Figure(name, statistics.median(values), unit, at_least, at_most, spread)


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One benchmark's figures, in the order in which they are read; or the problem because of which there are none."""

    name: str
    title: str
    figures: Sequence[Figure] = ()
    problem: str = ""

    @property
    def is_met(self) -> bool:
        """Whether every goal is reached."""
        return not self.problem and all(figure.is_met for figure in self.figures)

    def show(self, console: Console) -> None:
        """Print the table, or the problem."""
        if self.problem:
            console.print(f"{self.title}: NOT MEASURED: {self.problem}\n", markup=False)
            return
        table = Table(title=self.title, title_justify="left", title_style="bold", box=box.SIMPLE)
        table.add_column("figure")
        for column in ("value", "lowest", "highest", "goal"):
            table.add_column(column, justify="right")
        table.add_column("")
        for figure in self.figures:
            low, high = map(number, figure.spread) if figure.spread else ("", "")
            verdict = ("met" if figure.is_met else "MISSED") if figure.goal else ""
            value = f"{number(figure.value)} {figure.unit}".rstrip()
            table.add_row(figure.name, value, low, high, figure.goal, verdict)
        console.print(table)


def report(benchmarks: Sequence[Benchmark]) -> dict[str, Any]:
    """Return the JSON document of a whole session, with the machine that it belongs to."""
    return {
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "kernel": platform.release()},
        "met": all(benchmark.is_met for benchmark in benchmarks),
        "benchmarks": [
            {
                "name": benchmark.name,
                "title": benchmark.title,
                "met": benchmark.is_met,
                **({"problem": benchmark.problem} if benchmark.problem else {}),
                "figures": [figure.as_json() for figure in benchmark.figures],
            }
            for benchmark in benchmarks
        ],
    }


def number(value: float) -> str:
    """Return the number with three significant digits, or as a whole one when it is large."""
    return f"{value:,.0f}" if abs(value) >= _BIG else f"{value:.3g}"
