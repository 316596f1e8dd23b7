"""The levels of the test pyramid, and the table that says which ran and which did not.

The level of a test follows from its folder. What could not run is recorded with its reason and the command that would
make it run; on CI (`CI=true`) any such entry, and any skip, fails the run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

TESTS: Final = Path(__file__).resolve().parents[1]

LEVELS: Final = {
    0: "static: layers, layout, generated files",
    1: "rules: tables, properties, parser",
    2: "ports: twin and adapter behave alike",
    3: "engine: operator and worker on twins",
    4: "wiring: kopf handlers",
    5: "database: real PostgreSQL",
    6: "API server: real control plane",
    7: "e2e: real pods on a real cluster",
}

CLUSTER_LEVELS: Final = frozenset({6, 7})

LEVEL_OF_FOLDER: Final = {
    "architecture": 0,
    "api": 1,
    "core": 1,
    "liverc": 1,
    "support": 1,
    "simulator": 3,
    "web": 3,
    "controller": 3,
    "worker": 3,
    "cli": 3,
    "kstatus": 3,
    "wiring": 4,
    "ports": 2,
    "database": 5,
    "histories": 5,
    "hostile": 5,
    "apiserver": 6,
    "cluster": 7,
    "e2e": 7,
}


@dataclass(frozen=True, slots=True)
class NotRun:
    """Something that this machine could not run."""

    what: str
    reason: str
    command: str


@dataclass(slots=True)
class Tally:
    """What happened at each level."""

    passed: dict[int, int] = field(default_factory=dict)
    failed: dict[int, int] = field(default_factory=dict)
    skipped: dict[int, int] = field(default_factory=dict)
    not_run: list[NotRun] = field(default_factory=list)


TALLY: Final = Tally()


def level_of(path: Path) -> int:
    """Return the level of a test file.

    Raises:
        LookupError: its folder has no level; add it to LEVEL_OF_FOLDER.
    """
    folder = path.resolve().relative_to(TESTS).parts[0]
    if folder not in LEVEL_OF_FOLDER:
        raise LookupError(f"tests/{folder} has no level: add it to LEVEL_OF_FOLDER in tests/support/levels.py")
    return LEVEL_OF_FOLDER[folder]


def parse_levels(text: str) -> frozenset[int]:
    """Return the levels named by text such as `0-4`, `5` or `6-7`; empty text means all."""
    if not text:
        return frozenset(LEVELS)
    first, _, last = text.partition("-")
    return frozenset(range(int(first), int(last or first) + 1))


def record_not_run(what: str, reason: str, command: str) -> None:
    """Put a line into the table: what did not run, why, and the command that would make it run."""
    entry = NotRun(what, reason, command)
    if entry not in TALLY.not_run:
        TALLY.not_run.append(entry)


def table(selected: frozenset[int]) -> list[str]:
    """Return the table of levels as lines of text."""
    lines = []
    for level, title in LEVELS.items():
        passed, failed, skipped = (counts.get(level, 0) for counts in (TALLY.passed, TALLY.failed, TALLY.skipped))
        if level not in selected:
            state = "not selected"
        elif passed + failed == 0:
            state = "NOT RUN"
        else:
            state = f"ran: {passed} passed" + (f", {failed} failed" if failed else "")
        state += f", {skipped} skipped" if skipped else ""
        lines.append(f"  {level}  {title:<46} {state}")
    lines.extend(
        f"  -  {entry.what:<46} NOT RUN: {entry.reason} (to run it: {entry.command})" for entry in TALLY.not_run
    )
    return lines
