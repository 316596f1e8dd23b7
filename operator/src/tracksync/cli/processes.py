"""The commands that start a process: migrate, simulate, worker, operator."""

import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from tracksync.cli.options import DATABASE_PANEL, DatabaseUrl, DataDir
from tracksync.errors import ExitCode

_FAULTS_PANEL = "Faults"


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
    wait: Annotated[
        float,
        typer.Option(
            "--wait", metavar="SECONDS", min=0, max=3600, help="How long to wait for a database that is starting."
        ),
    ] = 0.0,
) -> None:
    """Bring the database to the schema of this version; a database that is already there is left alone."""
    from tracksync.cli.databases import choose_database, choose_database_file
    from tracksync.cli.migrating import migrate_database

    if database_url_file is None:
        choice = choose_database(database_url, data_dir)
    else:
        choice = choose_database_file(database_url_file, others=(database_url, data_dir))
    migrate_database(choice, wait_seconds=wait)


def simulate(
    *,
    tracks: Annotated[
        int, typer.Option("--tracks", metavar="NUMBER", help="Tracks of the invented world, 1 to 200,000.")
    ] = 1090,
    seed: Annotated[
        int, typer.Option("--seed", metavar="NUMBER", help="The same seed gives the same world, byte for byte.")
    ] = 1,
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", metavar="NUMBER", help="TCP port to listen on; 0 for any free one.")
    ] = 8080,
    domain: Annotated[
        str,
        typer.Option("--domain", metavar="NAME", help="Domain whose hosts are simulated: live.NAME and SLUG.NAME."),
    ] = "liverc.com",
    replay_catalogue: Annotated[
        Path | None,
        typer.Option(
            "--replay-catalogue",
            metavar="FILE",
            show_default=False,
            help="Serve this saved catalogue page byte for byte; its tracks get invented dashboards. "
            "[default: an invented catalogue]",
        ),
    ] = None,
    latency_ms: Annotated[
        int,
        typer.Option(
            "--latency-ms", metavar="MS", rich_help_panel=_FAULTS_PANEL, help="Delay before each answer, milliseconds."
        ),
    ] = 0,
    catalogue_fault: Annotated[
        str,
        typer.Option(
            "--catalogue-fault",
            metavar="KIND",
            rich_help_panel=_FAULTS_PANEL,
            help="What is wrong with the catalogue: none, empty, cut, error (503) or forbidden (403).",
        ),
    ] = "none",
    catalogue_cut_at: Annotated[
        float,
        typer.Option(
            "--catalogue-cut-at",
            metavar="FRACTION",
            rich_help_panel=_FAULTS_PANEL,
            help="Where a cut catalogue ends, as a fraction of its bytes from 0 to below 1.",
        ),
    ] = 0.5,
    dashboard_fault: Annotated[
        list[str] | None,
        typer.Option(
            "--dashboard-fault",
            metavar="KIND=RATE[:TIMES]",
            show_default=False,
            rich_help_panel=_FAULTS_PANEL,
            help="A share of the hosts (RATE from 0 to 1) answers with http-500, http-404 or login-page, for its first "
            "TIMES requests or always; may be repeated. [default: none]",
        ),
    ] = None,
    pause_at: Annotated[
        int | None,
        typer.Option(
            "--pause-at",
            metavar="NUMBER",
            show_default=False,
            rich_help_panel=_FAULTS_PANEL,
            help="Answer so many dashboards, then let all further ones wait until released. [default: no pause]",
        ),
    ] = None,
) -> None:
    """Serve a simulated LiveRC on this machine, for trials, tests and demos."""
    from tracksync.cli.simulating import serve_until_stopped
    from tracksync.simulator.faults import DashboardRule, Switches
    from tracksync.simulator.settings import SimulatorSettings

    # `changed` reads values as they come from outside and names the switch that is wrong.
    switches = Switches(
        dashboard_faults=tuple(map(DashboardRule.parse, dashboard_fault or ())), pause_at=pause_at
    ).changed({"latency_ms": latency_ms, "catalogue_fault": catalogue_fault, "catalogue_cut_at": catalogue_cut_at})
    settings = SimulatorSettings(
        tracks=tracks,
        seed=seed,
        host=host,
        port=port,
        domain=domain,
        replay_catalogue=replay_catalogue,
        switches=switches,
    )
    serve_until_stopped(settings)


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
