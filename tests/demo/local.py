"""The demo without a cluster: the simulator and `tracksync run` as two processes on this machine."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

TRACKSYNC = Path(sys.executable).with_name("tracksync")
TRACKS = 1090


@contextlib.contextmanager
def simulator() -> Iterator[str]:
    """Run the simulator on a free loopback port and yield its URL."""
    command = [TRACKSYNC, "simulate", "--tracks", str(TRACKS), "--seed", "1", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            urls = [word for word in line.split() if word.startswith("http://")]
            if urls:
                yield urls[0].rstrip("/.,")
                return
        raise RuntimeError(f"the simulator ended with exit code {process.wait()} before it was ready")
    finally:
        process.terminate()
        process.wait(timeout=10)


def run_local(console: Console) -> int:
    """Sync the simulator's tracks into an embedded PostgreSQL, show what is stored, and return the exit code."""
    console.rule("TrackSync on this machine alone (no cluster)")
    with tempfile.TemporaryDirectory(prefix="tracksync-demo-") as folder, simulator() as url:
        data = ["--data-dir", os.fspath(Path(folder) / "data")]
        console.print(f"simulator: {url} ({TRACKS} made-up tracks)\ndatabase:  embedded PostgreSQL in {folder}\n")
        run = [os.fspath(TRACKSYNC), "run", "--source-url", url, "--requests-per-second", "2000", "--concurrency", "16"]
        code = subprocess.run([*run, *data], check=False).returncode
        if code != 0:
            console.print(f"[red]the run ended with exit code {code}[/]")
            return code
        console.print("\n[bold]tracksync tracks --search raceway[/] (first lines)")
        command = [os.fspath(TRACKSYNC), "tracks", "--search", "raceway", *data]
        shown = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | {"COLUMNS": "110"})
        console.print("\n".join(shown.stdout.splitlines()[:12]), markup=False, soft_wrap=True)
    console.print("\nThe demo's database was temporary. With a directory of your own:")
    run = "tracksync run --source-url http://127.0.0.1:8080 --requests-per-second 500 --data-dir ./tracksync-data"
    for command in ("tracksync simulate --port 8080 &", run, "tracksync tracks --data-dir ./tracksync-data"):
        console.print(f"  {command}", soft_wrap=True)
    return 0
