"""A run's report as text, Markdown and HTML: the same sections in the same order, from one outline. No I/O."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Final

from tracksync.cli.render import printable
from tracksync.core.tracks.plan import RunMode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from tracksync.core.tracks.history import RunReport

_WORD: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_MARKDOWN: Final = re.compile(r"([\\`*_\[\]<>|#])")


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with a table below it; a table without rows says `nothing` instead."""

    title: str
    headings: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    nothing: str = "none"


def outline(report: RunReport) -> tuple[str, list[Section]]:
    """Return the report's title and its sections."""
    run = report.run
    is_plan = run.mode == RunMode.PLAN
    changes = [(change.kind.value, change.slug, ", ".join(change.fields)) for change in report.changes]
    failures = [
        (failure.slug, failure.error_class, str(failure.http_status or ""), str(failure.attempts))
        for failure in report.failures
    ]
    sections = [
        Section("Run", ("what", "value"), list(_facts(report))),
        Section("Counters", ("counter", "tracks"), list(_counters(report)), "the run left none"),
        Section(f"Tracks that {'would change' if is_plan else 'changed'}", ("kind", "slug", "fields"), changes),
        Section("Dashboards that could not be had", ("slug", "class", "status", "attempts"), failures),
    ]
    return f"{'Plan' if is_plan else 'Run'} {run.name}", sections


def as_text(report: RunReport) -> str:
    """Return the report for a terminal."""
    title, sections = outline(report)
    lines = [printable(title)]
    for section in sections:
        lines += ["", section.title.upper()]
        rows = [tuple(printable(cell) for cell in row) for row in section.rows]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines += [
            f"  {'  '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))}".rstrip()
            for row in rows
        ]
        lines += [] if rows else [f"  {section.nothing}"]
    return "\n".join(lines) + "\n"


def as_markdown(report: RunReport) -> str:
    """Return the report as Markdown (GitHub's tables); text from elsewhere is escaped."""
    title, sections = outline(report)
    lines = [f"# {_escaped(title)}"]
    for section in sections:
        lines += ["", f"## {section.title}", ""]
        if section.rows:
            lines += [f"| {' | '.join(section.headings)} |", f"|{' --- |' * len(section.headings)}"]
            lines += [f"| {' | '.join(map(_escaped, row))} |" for row in section.rows]
        else:
            lines += [section.nothing]
    return "\n".join(lines) + "\n"


def as_html(report: RunReport) -> str:
    """Return the report as one HTML page without scripts, styles or references to anything else."""
    title, sections = outline(report)
    heading = html.escape(printable(title))
    parts = [f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{heading}</title></head><body>']
    parts += [f"<h1>{heading}</h1>"]
    for section in sections:
        parts += [f"<h2>{html.escape(section.title)}</h2>"]
        if section.rows:
            parts += [f"<table><tr>{_html_cells('th', section.headings)}</tr>"]
            parts += [f"<tr>{_html_cells('td', row)}</tr>" for row in section.rows]
            parts += ["</table>"]
        else:
            parts += [f"<p>{html.escape(section.nothing)}</p>"]
    return "\n".join([*parts, "</body></html>"]) + "\n"


def _facts(report: RunReport) -> Iterator[tuple[str, str]]:
    run = report.run
    yield "run id", run.run_id
    if run.namespace:
        yield "namespace", run.namespace
    yield "source", run.source
    yield "mode", run.mode
    yield "state", run.state
    if run.reason:
        yield "reason", run.reason
    yield "attempt", str(run.attempt)
    yield "opened", _moment(run.created_at)
    if run.merged_at is not None:
        yield "merged", _moment(run.merged_at)
    if run.finished_at is not None:
        yield "ended", _moment(run.finished_at)
    if run.seconds is not None:
        yield "seconds", f"{run.seconds:.1f}"


def _counters(report: RunReport) -> Iterator[tuple[str, str]]:
    for name, value in report.run.results.items():
        yield _WORD.sub(" ", name).lower(), str(value)


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _escaped(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", printable(text))


def _html_cells(tag: str, cells: Sequence[str]) -> str:
    return "".join(f"<{tag}>{html.escape(printable(cell))}</{tag}>" for cell in cells)
