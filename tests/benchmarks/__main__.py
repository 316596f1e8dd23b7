"""`make bench`: medians, and ratios against a peer in the same run. Needs the cluster with the image loaded."""

from __future__ import annotations

import argparse
import sys

from rich.console import Console

from tests.benchmarks.startup import measure_startup
from tests.cluster.errors import ClusterError


def main() -> int:
    """Print every benchmark's table; return 1 when a goal was missed."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="counted runs of each side (default 5)")
    arguments = parser.parse_args()
    try:
        return 0 if measure_startup(Console(highlight=False), runs=arguments.runs) else 1
    except ClusterError as error:
        Console(stderr=True).print(f"bench: {error}", markup=False)
        return 1


if __name__ == "__main__":
    sys.exit(main())
