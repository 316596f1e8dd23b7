"""What became of a set of mutants, and when the tests count as good enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MOST_SURVIVORS: Final = 0.10
"""Share of mutants that may survive, of each set on its own."""


@dataclass(frozen=True, slots=True)
class Score:
    """Counts of one set of mutants.

    Attributes:
        name: which mutants these are.
        killed: a test failed, or the mutated module could not be imported.
        survived: every test passed, or no test reaches the mutant.
        timed_out: the tests did not end; counts as found.
    """

    name: str
    killed: int
    survived: int
    timed_out: int

    @property
    def mutants(self) -> int:
        """Return how many mutants there were."""
        return self.killed + self.survived + self.timed_out

    @property
    def survivors(self) -> float:
        """Return the share of survivors."""
        return self.survived / self.mutants

    @property
    def is_good_enough(self) -> bool:
        """Return whether no more mutants survived than may."""
        return self.survivors <= MOST_SURVIVORS


def total_of(scores: list[Score]) -> Score:
    """Return the sum of all sets."""
    return Score(
        "all",
        killed=sum(score.killed for score in scores),
        survived=sum(score.survived for score in scores),
        timed_out=sum(score.timed_out for score in scores),
    )


def table_of(scores: list[Score]) -> str:
    """Return the counts as text, a line for each set."""
    lines = [f"{'mutants of':<32}{'mutants':>9}{'killed':>9}{'survived':>10}{'timed out':>11}{'survivors':>11}"]
    lines += [
        f"{score.name:<32}{score.mutants:>9}{score.killed:>9}{score.survived:>10}{score.timed_out:>11}"
        f"{score.survivors:>11.1%}"
        for score in scores
    ]
    return "\n".join(lines)
