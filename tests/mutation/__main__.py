"""`make mutation`: how many deliberate faults in the parser package the tests of that package find."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from rich.console import Console

from tests.mutation.constants import measure_constants
from tests.mutation.functions import LOG, measure_functions
from tests.mutation.score import MOST_SURVIVORS, table_of, total_of


def main() -> int:
    """Print the survivors and the scores; return 1 when too many survived or the tests fail without a mutant."""
    parser = argparse.ArgumentParser(prog="make mutation", description=__doc__)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="tests at a time (default: all cores)")
    parser.add_argument("--only", choices=("functions", "constants"), help="one set of mutants (default: both)")
    arguments = parser.parse_args()
    console = Console(highlight=False, markup=False, soft_wrap=True)
    measures = {"functions": measure_functions, "constants": measure_constants}
    scores = []
    try:
        for name, measure in measures.items():
            if arguments.only in (None, name):
                score, survivors = measure(jobs=arguments.jobs)
                scores.append(score)
                console.print(f"Survivors among the {name}:", *survivors, sep="\n")
    except subprocess.CalledProcessError:
        console.print(f"mutation: mutmut failed; see {LOG}")
        return 1
    except RuntimeError as error:
        console.print(f"mutation: {error}")
        return 1
    console.print(table_of([*scores, total_of(scores)]))
    console.print(f"Allowed in each set: {MOST_SURVIVORS:.0%} survivors")
    return 0 if all(score.is_good_enough for score in scores) else 1


if __name__ == "__main__":
    sys.exit(main())
