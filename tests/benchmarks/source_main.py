"""`make bench-source`: how fast and how frugal the reading of the source is, each against a peer or a limit."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console

from tests.benchmarks.source_catalogue import measure_catalogue
from tests.benchmarks.source_figures import Benchmark, BenchmarkError, report
from tests.benchmarks.source_nested import measure_nested
from tests.benchmarks.source_runs import measure_latency, measure_nested_run, measure_rate, measure_unlimited
from tests.support.postgres import shared_server

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.support.postgres import PostgresServer

_CATALOGUE_TRACKS: Final = 1090
_LATENCY_TRACKS: Final = 4_000
"""A large source; the whole of 20,000 would take two minutes a round and say the same."""
_POLITE_RATE: Final = 4.0
_QUICK_RATE: Final = 40.0
_ROUNDS_OF_A_PAGE: Final = 5
"""Rounds of what takes about a second, for each round of what takes a minute."""


def benchmarks(arguments: argparse.Namespace, server: PostgresServer) -> Mapping[str, Callable[[], Benchmark]]:
    """Return all benchmarks by name, in the order in which they run: the shortest first."""
    rounds = arguments.rounds
    rate = _POLITE_RATE if arguments.full else _QUICK_RATE
    return {
        "catalogue": lambda: measure_catalogue(rounds=_ROUNDS_OF_A_PAGE * rounds),
        "nested": lambda: measure_nested(rounds=rounds),
        "nested-run": lambda: measure_nested_run(server, tracks=500),
        "latency": lambda: measure_latency(server, tracks=_LATENCY_TRACKS, rounds=rounds),
        "rate": lambda: measure_rate(server, tracks=_CATALOGUE_TRACKS, rate=rate),
        "unlimited": lambda: measure_unlimited(server, tracks=arguments.tracks, rounds=rounds),
    }


def main() -> int:
    """Print every benchmark's table; return 1 when a goal was missed."""
    arguments = _arguments()
    console = Console(highlight=False)
    found = []
    with shared_server() as server:
        known = benchmarks(arguments, server)
        for name in arguments.only or known:
            if name not in known:
                Console(stderr=True).print(f"bench-source: no benchmark {name!r}; there are {', '.join(known)}")
                return 2
            found.append(_measured(name, known[name]))
            found[-1].show(console)
    document = report(found)
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(document, indent=2) + "\n")
    return 0 if document["met"] else 1


def _measured(name: str, measure: Callable[[], Benchmark]) -> Benchmark:
    """Return the benchmark; one that could not be measured has missed its goals, and the others go on."""
    try:
        return measure()
    except BenchmarkError as error:
        return Benchmark(name, name, problem=str(error))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-source", description=__doc__)
    parser.add_argument("--out", type=Path, help="write all figures to this file as JSON")
    parser.add_argument("--only", nargs="*", help="only these benchmarks (default: all)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each; medians are shown (default 3)")
    parser.add_argument("--tracks", type=int, default=20_000, help="tracks of the unlimited source (default 20000)")
    parser.add_argument("--full", action="store_true", help="4 requests/s instead of 40: the rate takes 9 minutes")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
