"""Reading runs for display: the list of them, and the report of one."""

from __future__ import annotations

import asyncio
import re
import sys
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, assert_never

import typer

from tracksync.adapters.postgres.database import PostgresDatabase
from tracksync.api.identity import APP_NAME
from tracksync.cli.databases import opened, refuse_missing
from tracksync.cli.options import PageOutput, ReportOutput
from tracksync.cli.render import printable, write_grid, write_json
from tracksync.cli.reports import as_html, as_markdown, as_text
from tracksync.core.tracks.history import RunQuery
from tracksync.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from tracksync.adapters.postgres.history import PostgresHistory
    from tracksync.cli.databases import DatabaseChoice
    from tracksync.core.tracks.history import RunRecord, RunReport

HEADINGS: Final = ("CREATED", "NAME", "NAMESPACE", "MODE", "STATE", "REASON", "SECONDS", "LISTED", "CHANGED", "RUN ID")
CHANGED: Final = ("inserted", "updated", "reactivated", "deactivated")
_AGE: Final = re.compile(r"(\d{1,6})([smhd])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def instant(option: str, text: str | None) -> datetime | None:
    """Return the instant that an option names; without a zone it is UTC.

    Raises:
        SettingsError: it names none.
    """
    if text is None:
        return None
    age = _AGE.fullmatch(text.strip())
    try:
        if age is not None:
            return datetime.now(UTC) - timedelta(**{_UNITS[age[2]]: int(age[1])})
        moment = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):
        raise SettingsError(
            f"{option}: give a date such as 2026-03-01, a time such as 2026-03-01T02:00Z, or an age such as 36h"
        ) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def print_history(query: RunQuery, choice: DatabaseChoice, output: PageOutput) -> None:
    """Print the runs that the query finds.

    Raises:
        TrackSyncError: there is no usable database.
    """
    refuse_missing(choice)
    with opened(choice) as url:
        runs = asyncio.run(_find(query, url))
    match output:
        case PageOutput.JSON:
            write_json([asdict(run) for run in runs])
        case PageOutput.TABLE:
            write_grid(HEADINGS, (_cells(run) for run in runs))
            typer.echo(f"{len(runs)} runs; `tracksync report RUN-ID` shows one")
        case _:
            assert_never(output)


def print_report(run: str, choice: DatabaseChoice, output: ReportOutput) -> None:
    """Print one run's report.

    Raises:
        SettingsError: the database remembers no such run.
        TrackSyncError: there is no usable database.
    """
    refuse_missing(choice)
    with opened(choice) as url:
        report = asyncio.run(_read(run, url))
    if report is None:
        raise SettingsError(
            f"RUN: the database remembers no run {printable(run)!r}; `tracksync history` lists what it remembers"
        )
    match output:
        case ReportOutput.JSON:
            write_json(asdict(report))
        case ReportOutput.TEXT:
            sys.stdout.write(as_text(report))
        case ReportOutput.MARKDOWN:
            sys.stdout.write(as_markdown(report))
        case ReportOutput.HTML:
            sys.stdout.write(as_html(report))
        case _:
            assert_never(output)


async def _find(query: RunQuery, url: str) -> Sequence[RunRecord]:
    async with _history(url) as history:
        return await history.find_runs(query)


async def _read(run: str, url: str) -> RunReport | None:
    """Return the report of this id, or of the latest run of this name."""
    async with _history(url) as history:
        report = await history.read_run(run)
        if report is None and (named := await history.find_runs(RunQuery(name=run, limit=1))):
            report = await history.read_run(named[0].run_id)
        return report


@asynccontextmanager
async def _history(url: str) -> AsyncIterator[PostgresHistory]:
    async with await PostgresDatabase.connect(url, application_name=f"{APP_NAME}-cli") as database:
        await database.ledger.verify_schema()
        yield database.history


def _cells(run: RunRecord) -> tuple[object, ...]:
    counts = [run.results.get(counter) for counter in CHANGED]
    changed = sum(count for count in counts if isinstance(count, int)) if run.results else None
    seconds = f"{run.seconds:.1f}" if run.seconds is not None else None
    created = run.created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    listed = run.results.get("listed")
    return (created, run.name, run.namespace, run.mode, run.state, run.reason, seconds, listed, changed, run.run_id)
