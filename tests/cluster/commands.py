"""Running other programs: their output on success, a ClusterError with their words on failure."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.cluster.errors import ClusterError

_LINES_SHOWN = 15


def run(
    arguments: Sequence[object],
    *,
    stdin: str | None = None,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    seconds: float = 120,
) -> str:
    """Return the command's standard output; each argument is passed on as its text.

    Raises:
        ClusterError: it is not installed, failed, or took longer than that.
    """
    shown = " ".join(str(argument) for argument in arguments[:4])
    try:
        done = subprocess.run(
            [str(argument) for argument in arguments],
            input=stdin if stdin is not None else "",
            capture_output=True,
            text=True,
            check=False,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            timeout=seconds,
        )
    except FileNotFoundError as error:
        raise ClusterError(f"{arguments[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise ClusterError(f"`{shown}` did not end within {seconds:.0f} s") from error
    if done.returncode:
        raise ClusterError(f"`{shown}` failed ({done.returncode}):\n{last_lines(done.stderr or done.stdout)}")
    return done.stdout


def succeeds(arguments: Sequence[str | Path], *, seconds: float = 20) -> bool:
    """Return whether the command ends with success."""
    try:
        run(arguments, seconds=seconds)
    except ClusterError:
        return False
    return True


def last_lines(text: str) -> str:
    """Return the end of a program's output, indented, as an error message shows it."""
    return "\n".join(f"    {line}" for line in text.strip().splitlines()[-_LINES_SHOWN:])
