"""Migrating a database that may still be starting, or saying what a migration would do."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Final, TypeVar

import typer

from tracksync.adapters.postgres.migrate import current_and_expected, migrate
from tracksync.adapters.postgres.migration_script import migration_script
from tracksync.adapters.postgres.revision import schema_mismatch
from tracksync.cli.databases import opened, refuse_missing
from tracksync.errors import DatabaseUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracksync.adapters.postgres.roles import Roles
    from tracksync.cli.databases import DatabaseChoice

PAUSE_SECONDS: Final = 1.0
_Answer = TypeVar("_Answer")


def migrate_database(choice: DatabaseChoice, *, roles: Roles, wait_seconds: float) -> None:
    """Migrate, give the named roles their rights, and say what was done.

    Raises:
        DatabaseUnavailableError: the database did not answer in time.
        TrackSyncError: it refuses what has to be done.
    """
    with opened(choice) as url:
        report = _answer(lambda: migrate(url, roles=roles), wait_seconds)
    if report.from_revision == report.to_revision:
        typer.echo(f"the database is already at revision {report.to_revision}")
    else:
        typer.echo(f"the database went from {report.from_revision or 'empty'} to revision {report.to_revision}")
    for option, name in roles.named.items():
        typer.echo(f"{option.removeprefix('--')} {name} has its rights")


def check_database(choice: DatabaseChoice, *, wait_seconds: float) -> None:
    """Say that the database is at this build's revision; nothing is written, and no embedded database is made.

    Raises:
        SchemaMismatchError: it is at another one; both are named.
        TrackSyncError: it cannot be asked.
    """
    refuse_missing(choice)
    with opened(choice) as url:
        current, expected = _answer(lambda: current_and_expected(url), wait_seconds)
    if current != expected:
        raise schema_mismatch(current)
    typer.echo(f"the database is at revision {expected}")


def print_script(choice: DatabaseChoice | None, *, roles: Roles, wait_seconds: float) -> None:
    """Print what a migration would do, as SQL; without a database, all of it.

    Raises:
        TrackSyncError: the database cannot be asked, or is at a revision that this build does not know.
    """
    if choice is None:
        typer.echo(migration_script(None, roles=roles), nl=False)
        return
    refuse_missing(choice)
    with opened(choice) as url:
        typer.echo(_answer(lambda: migration_script(url, roles=roles), wait_seconds), nl=False)


def _answer(ask: Callable[[], _Answer], wait_seconds: float) -> _Answer:
    """Return what the database answers; while it cannot be reached it is asked again, as long as there is time."""
    return asyncio.run(_ask_again(ask, wait_seconds))


async def _ask_again(ask: Callable[[], _Answer], wait_seconds: float) -> _Answer:
    deadline = monotonic() + wait_seconds
    while True:
        try:
            return await asyncio.to_thread(ask)
        except DatabaseUnavailableError as error:
            if monotonic() >= deadline:
                raise
            typer.echo(f"waiting: {error}", err=True)
            await asyncio.sleep(PAUSE_SECONDS)
