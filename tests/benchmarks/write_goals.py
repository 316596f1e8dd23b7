"""The goals of the write path, each judged against the peers of the same session, and the page that shows them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tests.benchmarks.source_figures import Figure, number
from tests.benchmarks.write_rows import Feed, Workload

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.benchmarks.write_measure import Record

GOAL_ROWS: Final = 100_000
"""From this size on times are compared; below it they say how long a connection takes."""
_KIB: Final = 1024
_MIB: Final = 1024 * 1024
_GROWTH: Final = 1.3
_CANCEL_SECONDS: Final = 0.5
_MOST_RSS: Final = 200


def goals(records: Sequence[Record], n: int, cancel_seconds: float | None) -> list[Figure]:
    """Return every figure that has a goal at this size, and whose peers were measured."""
    known = {(record.method, record.workload, record.n): record for record in records}
    figures = [*_always(known, n), *(_at_full_size(known, n) if n >= GOAL_ROWS else ())]
    if cancel_seconds is not None:
        figures.append(Figure("cancel: longest time to the writer's end", cancel_seconds, "s", at_most=_CANCEL_SECONDS))
    return figures


def _always(known: Mapping[tuple[str, str, int], Record], n: int) -> Iterator[Figure]:
    same = known[("tracksync", Workload.NOCHANGE, n)]
    mixed = known[("tracksync", Workload.MIXED, n)]
    feed = Feed(n, Workload.MIXED)
    yield Figure("nochange: WAL", same.wal_bytes / _KIB, "KiB", at_most=64)
    yield Figure("nochange: dead tuples", same.dead_tuples, at_most=0)
    yield Figure("mixed: dead tuples", mixed.dead_tuples, at_most=feed.changed + feed.vanished)
    memory = max(record.client_rss_mib for record in known.values() if record.method == "tracksync" and record.n == n)
    yield Figure("client memory, peak", memory, "MiB", at_most=_MOST_RSS)


def _at_full_size(known: Mapping[tuple[str, str, int], Record], n: int) -> Iterator[Figure]:
    def ratio(over: tuple[str, Workload], under: tuple[str, Workload], what: str) -> float | None:
        if (*over, n) not in known or (*under, n) not in known:
            return None
        return float(getattr(known[(*over, n)], what) / getattr(known[(*under, n)], what))

    first, same, mixed = (("tracksync", workload) for workload in Workload)
    compared = (
        ("initial: time, of raw COPY", ratio(first, ("copy", Workload.INITIAL), "seconds"), None, 2.0),
        ("initial: WAL, of raw COPY", ratio(first, ("copy", Workload.INITIAL), "wal_bytes"), None, 2.0),
        ("nochange: times as fast as the plan's way", ratio(("plan", Workload.NOCHANGE), same, "seconds"), 15, None),
        ("nochange: times as fast as dlt", ratio(("dlt", Workload.NOCHANGE), same, "seconds"), 10, None),
        ("mixed: times as fast as the plan's way", ratio(("plan", Workload.MIXED), mixed, "seconds"), 6, None),
        ("mixed: times less WAL than the plan's way", ratio(("plan", Workload.MIXED), mixed, "wal_bytes"), 4, None),
    )
    for name, value, at_least, at_most in compared:
        if value is not None:
            yield Figure(name, value, "x", at_least=at_least, at_most=at_most)
    if n > GOAL_ROWS and ("tracksync", Workload.INITIAL, GOAL_ROWS) in known:
        for workload in Workload:
            now, then = known[("tracksync", workload, n)], known[("tracksync", workload, GOAL_ROWS)]
            growth = (now.seconds / now.n) / (then.seconds / then.n)
            yield Figure(f"{workload}: time per row, of that at {GOAL_ROWS:,}", growth, "x", at_most=_GROWTH)


def section(n: int, heading: Mapping[str, str], rows: Sequence[Sequence[str]], figures: Sequence[Figure]) -> str:
    """Return this size's part of the page, in Markdown."""
    lines = [f"## {n:,} rows", "", *(f"- {name}: {value}" for name, value in heading.items()), ""]
    lines += [
        "| method | workload | s | WAL, MB | dead tuples | in all tables | client, MiB |",
        "|---|---|" + "---:|" * 5,
    ]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    lines += ["", "| goal | found | wanted | |", "|---|---:|---:|---|"]
    for figure in figures:
        verdict = "met" if figure.is_met else "MISSED"
        lines.append(f"| {figure.name} | {number(figure.value)} {figure.unit} | {figure.goal} | {verdict} |")
    return "\n".join(lines) + "\n"


def table_row(record: Record, all_dead: int) -> tuple[str, ...]:
    """Return a record as the cells of the table."""
    wal = record.wal_bytes / _MIB
    return (
        record.method,
        record.workload,
        f"{record.seconds:.3f}",
        f"{wal:.3f}" if wal < 1 else f"{wal:.1f}",
        f"{record.dead_tuples:,}",
        f"{all_dead:,}",
        f"{record.client_rss_mib:.0f}",
    )


def replaced(page: str, n: int, text: str) -> str:
    """Return the page with this size's section replaced, or added behind the others in order of size."""
    head, *parts = re.split(r"(?m)^(?=## [\d,]+ rows$)", page)
    sections = {int(part[3 : part.index(" rows")].replace(",", "")): part.rstrip() for part in parts}
    sections[n] = text.rstrip()
    return "\n\n".join([head.rstrip(), *(sections[size] for size in sorted(sections))]) + "\n"
