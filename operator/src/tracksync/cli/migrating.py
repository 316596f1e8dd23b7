"""Migrating a database that may still be starting."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Final

import typer

from tracksync.adapters.postgres.migrate import migrate
from tracksync.cli.databases import opened
from tracksync.errors import DatabaseUnavailableError

if TYPE_CHECKING:
    from tracksync.adapters.postgres.migrate import MigrationReport
    from tracksync.cli.databases import DatabaseChoice

PAUSE_SECONDS: Final = 1.0


def migrate_database(choice: DatabaseChoice, *, wait_seconds: float) -> None:
    """Migrate and say what was done.

    Raises:
        DatabaseUnavailableError: the database did not answer in time.
        TrackSyncError: it refuses what has to be done.
    """
    with opened(choice) as url:
        report = asyncio.run(_migrate(url, wait_seconds))
    if report.from_revision == report.to_revision:
        typer.echo(f"the database is already at revision {report.to_revision}")
    else:
        typer.echo(f"the database went from {report.from_revision or 'empty'} to revision {report.to_revision}")


async def _migrate(url: str, wait_seconds: float) -> MigrationReport:
    deadline = monotonic() + wait_seconds
    while True:
        try:
            return await asyncio.to_thread(migrate, url)
        except DatabaseUnavailableError as error:
            if monotonic() >= deadline:
                raise
            typer.echo(f"waiting: {error}", err=True)
            await asyncio.sleep(PAUSE_SECONDS)
