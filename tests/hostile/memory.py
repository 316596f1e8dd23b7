"""Peak memory of a process and its children, as the kernel keeps it."""

from __future__ import annotations

import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB: Final = 2**20
_EVERY_SECONDS: Final = 0.01
_PEAK: Final = re.compile(r"VmHWM:\s+(\d+) kB")


@dataclass(slots=True)
class Peak:
    """Highest resident memory by process id, in bytes.

    Read from VmHWM while the processes live: `getrusage` would count the memory of whoever started them as well.
    """

    own: int = 0
    children: dict[int, int] = field(default_factory=dict)

    @property
    def together(self) -> int:
        """The process with the largest of its children; the parser has one at a time."""
        return self.own + max(self.children.values(), default=0)


@contextmanager
def watch(pid: int) -> Iterator[Peak]:
    """Watch the process until the block ends."""
    peak, stop = Peak(), threading.Event()

    def look() -> None:
        while not stop.wait(_EVERY_SECONDS):
            peak.own = max(peak.own, _peak_of(pid))
            for child in _children_of(pid):
                peak.children[child] = max(peak.children.get(child, 0), _peak_of(child))

    thread = threading.Thread(target=look, name=f"memory of {pid}")
    thread.start()
    try:
        yield peak
    finally:
        stop.set()
        thread.join()


def _peak_of(pid: int) -> int:
    try:
        found = _PEAK.search(Path(f"/proc/{pid}/status").read_text(encoding="utf-8"))
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 0 if found is None else int(found[1]) * 1024


def _children_of(pid: int) -> list[int]:
    try:
        listed = [task.read_text(encoding="ascii") for task in Path(f"/proc/{pid}/task").glob("*/children")]
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [int(child) for text in listed for child in text.split()]
