"""`make bench-write`: how fast a feed gets into the table, and what it costs the server, beside the known ways.

All methods of a session run on one server, in shuffled order, each in a process of its own; medians are shown.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final

from rich import box
from rich.console import Console
from rich.table import Table

from tests.benchmarks.source_figures import Benchmark, BenchmarkError
from tests.benchmarks.write_goals import GOAL_ROWS, goals, replaced, section, table_row
from tests.benchmarks.write_measure import (
    EACH,
    ONCE,
    WORKLOADS,
    Conditions,
    Record,
    Sample,
    measure,
    median_record,
    run_child,
)
from tests.benchmarks.write_rows import SEED, Workload
from tests.benchmarks.write_server import measured_server
from tests.support.postgres import fetch_all

if TYPE_CHECKING:
    from tests.support.postgres import PostgresServer

    Samples = dict[tuple[str, Workload, int], list[Sample]]

ROOT: Final = Path(__file__).resolve().parents[2]
DOCS: Final = ROOT / "docs" / "benchmarks"
_PER_ROW: Final = 10_000
"""The one size at which a SELECT and a write per row is worth waiting for."""
_LARGE: Final = 1_000_000


def main() -> int:
    """Print the table and the goals; return 1 when one was missed or a method failed."""
    arguments = _arguments()
    console = Console(highlight=False)
    try:
        with measured_server(is_embedded=arguments.embedded, full_page_writes=arguments.full_page_writes) as server:
            heading = _heading(server, arguments)
            samples = _sampled(server, arguments, console)
            cancel = _cancel_seconds(server, arguments) if "tracksync" in arguments.only else None
    except BenchmarkError as error:
        Console(stderr=True).print(f"bench-write: {error}", markup=False)
        return 1
    records = [median_record(*key, found) for key, found in samples.items()]
    figures = goals(records, arguments.rows, cancel) if "tracksync" in arguments.only else []
    rows = [table_row(record, _middle_dead(samples, record)) for record in records]
    _show(console, heading, rows)
    Benchmark("write", f"Goals at {arguments.rows:,} rows", figures).show(console)
    _write(arguments, records, section(arguments.rows, heading, rows, figures))
    return 0 if all(figure.is_met for figure in figures) else 1


def _sampled(server: PostgresServer, arguments: argparse.Namespace, console: Console) -> Samples:
    """Measure every round: methods in shuffled order, each on a database of its own, workloads one after another."""
    random = Random(SEED)  # noqa: S311 -- the same order every time
    samples: Samples = {}
    conditions = Conditions(is_held=arguments.rows <= GOAL_ROWS, checkpoints=arguments.checkpoints)
    for number in range(arguments.rounds):
        jobs = [(method, arguments.rows) for method in arguments.only if _is_wanted(method, arguments.rows, number)]
        if arguments.rows > GOAL_ROWS and "tracksync" in arguments.only:
            jobs.append(("tracksync", GOAL_ROWS))
        random.shuffle(jobs)
        for method, n in jobs:
            with server.database() as url:
                for workload in WORKLOADS[method]:
                    sample = measure(url, method, workload, n, conditions=conditions)
                    samples.setdefault((method, workload, n), []).append(sample)
                    console.print(f"round {number + 1}: {method} {workload} {n:,}: {sample.seconds:.3f} s", style="dim")
    order = {method: place for place, method in enumerate(WORKLOADS)}
    return dict(
        sorted(samples.items(), key=lambda item: (-item[0][2], list(Workload).index(item[0][1]), order[item[0][0]]))
    )


def _is_wanted(method: str, n: int, round_number: int) -> bool:
    """Whether a method is measured: what takes minutes at a million rows is measured once there, or not at all."""
    if method == "per_row":
        return n == _PER_ROW
    if n >= _LARGE:
        return method != "dlt" and (method != "plan" or round_number == 0)
    return True


def _cancel_seconds(server: PostgresServer, arguments: argparse.Namespace) -> float:
    with server.database() as url:
        n = min(arguments.rows, GOAL_ROWS)
        return run_child(url, "cancel", Workload.INITIAL, n, is_held=True)["seconds"]


def _middle_dead(samples: Samples, record: Record) -> int:
    found = samples[record.method, Workload(record.workload), record.n]
    return sorted(sample.all_dead_tuples for sample in found)[len(found) // 2]


def _show(console: Console, heading: dict[str, str], rows: list[tuple[str, ...]]) -> None:
    for name, value in heading.items():
        console.print(f"{name}: {value}", markup=False)
    table = Table(box=box.SIMPLE)
    for column in ("method", "workload"):
        table.add_column(column)
    for column in ("s", "WAL MB", "dead tuples", "in all tables", "client MiB"):
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _write(arguments: argparse.Namespace, records: list[Record], text: str) -> None:
    """Write the JSON list, and this size's part of the committed page and list."""
    documents = [asdict(record) for record in records]
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(documents, indent=2) + "\n")
    if arguments.docs:
        page, figures = DOCS / "write.md", DOCS / "write.json"
        page.write_text(replaced(page.read_text(), arguments.rows, text))
        # A size is replaced as a whole; the smaller one that growth is compared with only when it is not there.
        kept = [each for each in json.loads(figures.read_text()) if each["n"] != arguments.rows]
        sizes = {each["n"] for each in kept}
        kept += [each for each in documents if each["n"] not in sizes]
        figures.write_text(json.dumps(sorted(kept, key=lambda each: each["n"]), indent=2) + "\n")


def _heading(server: PostgresServer, arguments: argparse.Namespace) -> dict[str, str]:
    version = fetch_all(server.url, "SHOW server_version")[0][0]
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    model = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    return {
        "machine": f"{os.cpu_count()} cores ({model[1] if model else platform.machine()}), {memory:.0f} GiB, "
        f"Linux {platform.release()}, Python {platform.python_version()}",
        "server": f"PostgreSQL {version} on the same machine over loopback; fsync on, "
        f"full_page_writes {arguments.full_page_writes}, autovacuum off, "
        "VACUUM ANALYZE before each write, CHECKPOINT before "
        + ("each write" if arguments.checkpoints == EACH else "the first of a method"),
        "rows": "made before the clock starts, and held by the process that writes"
        if arguments.rows <= GOAL_ROWS
        else "made while they are written",
        "measured": f"{datetime.now(UTC):%Y-%m-%d}, commit {commit.stdout.strip() or 'unknown'}, "
        f"medians of {arguments.rounds}, order shuffled",
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-write", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="rows of the feed (default 100000)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each; medians are shown (default 5)")
    parser.add_argument("--out", type=Path, help="write the medians to this file as a JSON list")
    parser.add_argument("--docs", action="store_true", help="write them into docs/benchmarks as well")
    parser.add_argument("--only", nargs="*", choices=[*WORKLOADS], default=[*WORKLOADS], help="only these methods")
    parser.add_argument(
        "--embedded", action="store_true", help="the embedded wheel's server, also beside an installed one"
    )
    parser.add_argument(
        "--full-page-writes", choices=("on", "off"), default="on", help="the server's setting (default on)"
    )
    parser.add_argument(
        "--checkpoints",
        choices=(ONCE, EACH),
        default=ONCE,
        help="before a method's first write, or before each of them",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
