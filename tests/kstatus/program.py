"""The Go program that reads objects as GitOps tools do: built once into the user's cache, then only found."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.cluster.build import ensure_binaries
from tests.cluster.components import Component

PROGRAM: Final = Component("kstatus", {"kstatus": "."}, folder=str(Path(__file__).with_name("go")))


@dataclass(frozen=True, slots=True)
class Reading:
    """What the tools make of an object."""

    kstatus: str
    message: str
    health: str = ""
    health_message: str = ""


@dataclass(frozen=True, slots=True)
class Reader:
    """The built program, and the Argo CD script that it runs."""

    program: Path
    script: Path

    def read(self, *objects: dict[str, Any]) -> list[Reading]:
        """Return what the tools make of each object."""
        command, text = [self.program, self.script], json.dumps(objects)
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return [
            Reading(entry["kstatus"], entry["message"], entry["health"], entry.get("healthMessage", ""))
            for entry in json.loads(done.stdout)
        ]


def build_program() -> Path:
    """Return the program's path."""
    return ensure_binaries([PROGRAM])["kstatus"]
