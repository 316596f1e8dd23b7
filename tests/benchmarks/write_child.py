"""One measured write in a process of its own: a job as JSON on standard input, seconds and peak memory on the output.

Linux only: the peak is read from /proc, since `getrusage` also counts the process that started this one.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.benchmarks.write_dlt import write_dlt
from tests.benchmarks.write_methods import cancel_tracksync, write_copy, write_per_row, write_plan, write_tracksync
from tests.benchmarks.write_rows import Feed, Workload

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

WRITERS: Final[Mapping[str, Callable[[str, Feed], float]]] = {
    "tracksync": write_tracksync,
    "copy": write_copy,
    "plan": write_plan,
    "dlt": write_dlt,
    "per_row": write_per_row,
    "cancel": cancel_tracksync,
}
_OF_TRACKS: Final = frozenset({"tracksync", "cancel"})
"""The writers that read tracks; the others read rows."""
_PEAK: Final = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)


def main() -> None:
    """Do the job and print what it took."""
    job = json.load(sys.stdin)
    writer, feed = job["writer"], Feed(job["n"], Workload(job["workload"]))
    if job["is_held"]:
        (feed.hold_tracks if writer in _OF_TRACKS else feed.hold_rows)()
    seconds = WRITERS[writer](job["url"], feed)
    peak = _PEAK.search(Path("/proc/self/status").read_text())
    assert peak is not None
    sys.stdout.write("\n" + json.dumps({"seconds": seconds, "rss_mib": int(peak[1]) / 1024}) + "\n")


if __name__ == "__main__":
    main()
