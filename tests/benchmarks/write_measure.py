"""Measuring one write: time and memory in the process that does it, WAL and dead tuples in the server."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import psycopg

from tests.benchmarks.source_figures import BenchmarkError
from tests.benchmarks.write_dlt import DATASET
from tests.benchmarks.write_rows import Feed, Workload

if TYPE_CHECKING:
    from collections.abc import Sequence

_LONGEST_MESSAGE: Final = 2000
_LONGEST_SECONDS: Final = 3600
WORKLOADS: Final = {
    "tracksync": tuple(Workload),
    "copy": (Workload.INITIAL,),
    "plan": tuple(Workload),
    "dlt": tuple(Workload),
    "per_row": tuple(Workload),
}
"""The workloads of each method; COPY knows only one."""
DEAD: Final = """
SELECT coalesce(sum(n_dead_tup) FILTER (WHERE relname = 'tracks'), 0)::bigint, coalesce(sum(n_dead_tup), 0)::bigint
FROM pg_stat_user_tables
"""


ONCE: Final = "once"
EACH: Final = "each"


@dataclass(frozen=True, slots=True)
class Conditions:
    """What holds for all writes of a session alike.

    Attributes:
        is_held: rows are made before the clock starts, and lie in the memory of the process.
        checkpoints: ONCE before a method's first workload, or before EACH of them: then the first change of a page
            writes all of it into the WAL.
    """

    is_held: bool
    checkpoints: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One measured write.

    Attributes:
        seconds: of the method, without imports and connecting.
        wal_bytes: written by the whole server meanwhile.
        dead_tuples: that it left in the table of tracks.
        all_dead_tuples: that it left in all tables.
        rss_mib: peak resident memory of its process.
    """

    seconds: float
    wal_bytes: int
    dead_tuples: int
    all_dead_tuples: int
    rss_mib: float


@dataclass(frozen=True, slots=True)
class Record:
    """The medians of a method and workload; the keys of the JSON output."""

    method: str
    workload: str
    n: int
    seconds: float
    wal_bytes: int
    dead_tuples: int
    client_rss_mib: float


def measure(url: str, method: str, workload: Workload, n: int, *, conditions: Conditions) -> Sample:
    """Do one write and return what it took.

    Raises:
        BenchmarkError: it failed, or the table does not hold what the feed says.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")
        if conditions.checkpoints == EACH or workload is Workload.INITIAL:
            connection.execute("CHECKPOINT")
        wal, dead = _wal(connection), _dead(connection)
        found = run_child(url, method, workload, n, is_held=conditions.is_held)
        written = int(_one(connection, "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), %s)", wal))
        left = [after - before for before, after in zip(dead, _dead(connection), strict=True)]
        _verify(connection, method, workload, n)
    return Sample(found["seconds"], written, *left, found["rss_mib"])


def run_child(url: str, writer: str, workload: Workload, n: int, *, is_held: bool) -> dict[str, float]:
    """Run a writer in a process of its own and return its seconds and peak memory."""
    job = {"writer": writer, "workload": workload.value, "n": n, "url": url, "is_held": is_held}
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.write_child"],
        input=json.dumps(job), capture_output=True, text=True, check=False, timeout=_LONGEST_SECONDS,
    )  # fmt: skip
    if done.returncode:
        raise BenchmarkError(f"{writer}, {workload}: {done.stderr.strip()[-_LONGEST_MESSAGE:]}")
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def median_record(method: str, workload: Workload, n: int, samples: Sequence[Sample]) -> Record:
    """Return the medians of all figures."""
    middle = {name: statistics.median(asdict(sample)[name] for sample in samples) for name in asdict(samples[0])}
    return Record(
        method,
        workload.value,
        n,
        seconds=round(middle["seconds"], 4),
        wal_bytes=round(middle["wal_bytes"]),
        dead_tuples=round(middle["dead_tuples"]),
        client_rss_mib=round(middle["rss_mib"], 1),
    )


def _verify(connection: psycopg.Connection[Any], method: str, workload: Workload, n: int) -> None:
    """Raise BenchmarkError unless the table holds the feed: every row, and the changed values of changed rows."""
    feed = Feed(n, workload)
    table = f"{DATASET}.tracks" if method == "dlt" else "tracks"
    active = "true" if method == "dlt" else "is_active"
    # dlt does not deactivate.
    expected = len(feed) + (feed.vanished if method == "dlt" else 0)
    rows = int(_one(connection, f"SELECT count(*) FROM {table} WHERE {active}"))
    changed = int(_one(connection, f"SELECT count(*) FROM {table} WHERE description LIKE 'Closed for the winter%'"))
    if (rows, changed) != (expected, feed.changed):
        raise BenchmarkError(
            f"{method}, {workload}: the table holds {rows} rows and {changed} changed ones instead of {expected} and "
            f"{feed.changed}"
        )


def _wal(connection: psycopg.Connection[Any]) -> str:
    return str(_one(connection, "SELECT pg_current_wal_insert_lsn()"))


def _dead(connection: psycopg.Connection[Any]) -> tuple[int, int]:
    """Return the dead tuples of the tracks and of all tables; a process that has ended has told the statistics all."""
    connection.execute("SELECT pg_stat_clear_snapshot()")
    row = connection.execute(DEAD).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def _one(connection: psycopg.Connection[Any], question: str, *values: object) -> Any:
    row = connection.execute(question, values or None).fetchone()
    assert row is not None
    return row[0]
