"""`make demo-local` as a new user runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_local_demo_stores_every_track_and_says_that_no_cluster_was_involved() -> None:
    command = [sys.executable, "-m", "tests.demo", "--local"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    shown = ended.stdout + ended.stderr
    assert ended.returncode == 0, shown
    assert "no cluster" in shown
    assert "1090 active tracks are stored" in shown
