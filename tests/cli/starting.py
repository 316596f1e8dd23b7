"""The command line as a user starts it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TRACKSYNC = Path(sys.executable).with_name("tracksync")


def tracksync(*arguments: str, seconds: float = 60, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end in an environment without settings of ours."""
    clean = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "COLUMNS": "100"}
    return subprocess.run(
        [TRACKSYNC, *arguments], env=clean | environment, capture_output=True, text=True, timeout=seconds, check=False
    )
