"""The commands that start a process: migrate, simulate, worker, operator."""

import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from tracksync.cli.options import DATABASE_PANEL, DatabaseUrl, DataDir, ReaderRole, WriterRole
from tracksync.cli.simulating import simulate
from tracksync.errors import ExitCode

__all__ = ["migrate", "operator", "simulate", "worker"]


def migrate(
    *,
    database_url: DatabaseUrl = None,
    database_url_file: Annotated[
        Path | None,
        typer.Option(
            "--database-url-file",
            metavar="FILE",
            show_default=False,
            rich_help_panel=DATABASE_PANEL,
            help="File that holds the database URL, such as a mounted secret.",
        ),
    ] = None,
    data_dir: DataDir = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Change nothing: exit code 0 when the database is at this version's revision, else 30."
        ),
    ] = False,
    sql: Annotated[
        bool,
        typer.Option(
            "--sql",
            help="Change nothing: print the SQL that is missing, for psql. Without a database that is named by an "
            "option or a variable: all of it, for an empty one.",
        ),
    ] = False,
    writer: WriterRole = None,
    reader: ReaderRole = None,
    wait: Annotated[
        float,
        typer.Option(
            "--wait", metavar="SECONDS", min=0, max=3600, help="How long to wait for a database that is starting."
        ),
    ] = 0.0,
) -> None:
    """Bring the database to the schema of this version; a database that is already there is left alone.

    With --writer and --reader these roles get their rights in the same transaction.
    """
    from tracksync.cli.databases import choose_database, choose_database_file

    if check and (sql or writer is not None or reader is not None):
        raise typer.BadParameter("--check looks at the revision only; leave out --sql, --writer and --reader")
    if database_url_file is None:
        choice = choose_database(database_url, data_dir)
    else:
        choice = choose_database_file(database_url_file, others=(database_url, data_dir))
    from tracksync.adapters.postgres.roles import Roles
    from tracksync.cli.migrating import check_database, migrate_database, print_script

    roles = Roles(writer=writer, reader=reader)
    if check:
        check_database(choice, wait_seconds=wait)
    elif sql:
        is_named = not choice.is_embedded or data_dir is not None
        print_script(choice if is_named else None, roles=roles, wait_seconds=wait)
    else:
        migrate_database(choice, roles=roles, wait_seconds=wait)


def worker() -> None:
    """Run one attempt of a TrackSyncJob; the operator's pods do this. Everything comes from TRACKSYNC_* variables."""
    # A container's first process ignores a signal that it does not handle: without this, a pod that is deleted while
    # the imports below run would live on until its grace period is over.
    signal.signal(signal.SIGTERM, _leave_before_the_start)

    from tracksync.worker.app import run_worker

    raise typer.Exit(run_worker())


def operator() -> None:
    """Run the operator; it needs a cluster. Everything comes from TRACKSYNC_* variables."""
    from tracksync.controller.app import run_operator
    from tracksync.logs import configure_logs
    from tracksync.settings import OperatorSettings

    settings = OperatorSettings.read()
    configure_logs(json=True, level=settings.log_level)
    raise typer.Exit(run_operator(settings))


def _leave_before_the_start(_signal: int, _frame: FrameType | None) -> None:
    """End the process as a stopped run: nothing was begun, so there is nothing to roll back."""
    sys.exit(ExitCode.CANCELLED)
