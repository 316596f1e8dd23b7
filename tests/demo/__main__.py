"""`make demo`: the whole path on a real cluster, from nothing to rows in PostgreSQL; `--local` needs no cluster."""

from __future__ import annotations

import argparse
import sys
import time

from rich.console import Console

from tests.cluster.errors import ClusterError
from tests.cluster.system import obstacles
from tests.demo.local import run_local
from tests.demo.onacluster import run_on_cluster

CONSOLE = Console(highlight=False)


def main() -> int:
    """Run the demo and return the exit code: 0 only when the run succeeded."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument(
        "--local", action="store_true", help="run the same sync on this machine alone, without a cluster"
    )
    arguments = parser.parse_args()
    started = time.monotonic()
    missing = [] if arguments.local else obstacles()
    try:
        if missing:
            CONSOLE.print("[bold]No cluster can be had on this machine:[/]")
            for obstacle in missing:
                CONSOLE.print(f"  - {obstacle}")
            CONSOLE.print(
                "Running the same sync on this machine instead. [bold]No cluster is involved in what follows.[/]\n"
            )
        code = run_local(CONSOLE) if arguments.local or missing else run_on_cluster(CONSOLE)
    except ClusterError as error:
        CONSOLE.print(f"[red]demo failed:[/] {error}")
        return 1
    except KeyboardInterrupt:
        return 130
    CONSOLE.print(f"[dim]demo: {time.monotonic() - started:.0f} s[/]")
    return code


if __name__ == "__main__":
    sys.exit(main())
