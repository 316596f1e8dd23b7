"""Writing files so that a killed harness never leaves half of one."""

import json
import os
from pathlib import Path
from typing import Any


def write_file(path: Path, content: bytes | str, *, mode: int = 0o644) -> None:
    """Put the content at the path, whole or not at all."""
    data = content.encode() if isinstance(content, str) else content
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as handle:
        handle.write(data)
    partial.replace(path)


def write_json(path: Path, content: Any, *, mode: int = 0o644) -> None:
    """Put the content at the path as JSON, which is YAML as well."""
    write_file(path, json.dumps(content, indent=2, sort_keys=True) + "\n", mode=mode)


def read_json(path: Path) -> Any:
    """Return the file's content, None when it is missing or not JSON (a torn file counts as missing)."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None
