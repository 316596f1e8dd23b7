"""Mutants of function bodies, made and run by mutmut; the configuration is `[tool.mutmut]` in pyproject.toml."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.mutation.score import Score

ROOT: Final = Path(__file__).resolve().parents[2]
STAGE: Final = ROOT / "build" / "mutation"
"""Where mutmut runs: it reads sources from `src` only, and writes its copies beside them."""
LOG: Final = STAGE / "mutmut.log"
_LINKS: Final = {"src": "../../operator/src", "tests": "../../tests", "pyproject.toml": "../../pyproject.toml"}


def measure_functions(*, jobs: int) -> tuple[Score, list[str]]:
    """Run mutmut afresh, and return its score and the names of the survivors.

    Raises:
        subprocess.CalledProcessError: mutmut could not run; `LOG` says why.
    """
    _stage()
    _mutmut("run", "--max-children", str(jobs))
    _mutmut("export-cicd-stats")
    counts = json.loads((STAGE / "mutants" / "mutmut-cicd-stats.json").read_text())
    timed_out = counts["timeout"] + counts["segfault"]
    score = Score(
        "functions (mutmut)",
        killed=counts["killed"],
        survived=counts["total"] - counts["killed"] - timed_out,
        timed_out=timed_out,
    )
    return score, [line.strip() for line in _mutmut("results").splitlines() if "__mutmut_" in line]


def _stage() -> None:
    # From nothing: mutmut keeps the results of unchanged functions, even when their tests changed.
    shutil.rmtree(STAGE, ignore_errors=True)
    STAGE.mkdir(parents=True)
    for name, target in _LINKS.items():
        (STAGE / name).symlink_to(target)


def _mutmut(*arguments: str) -> str:
    command = [sys.executable, "-m", "mutmut", *arguments]
    with LOG.open("a+") as log:
        start = log.tell()
        subprocess.run(command, cwd=STAGE, check=True, stdout=log, stderr=subprocess.STDOUT)
        log.seek(start)
        return log.read()
