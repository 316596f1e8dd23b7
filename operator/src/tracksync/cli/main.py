"""The entrance of the command line: its commands, its version, and how an error leaves the process."""

import sys
from typing import Annotated

import typer

import tracksync
from tracksync.cli import admin, local, parse, processes, source, stored
from tracksync.cli.failure import explain_failure
from tracksync.errors import TrackSyncError

app = typer.Typer(
    name="tracksync",
    help="Keep a PostgreSQL table equal to LiveRC's public track catalogue, in a cluster or on one machine.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run")(local.run)
app.command("tracks")(stored.tracks)
app.command("migrate")(processes.migrate)
app.command("simulate")(processes.simulate)
app.command("worker")(processes.worker)
app.command("operator")(processes.operator)
app.add_typer(parse.app, name="parse")
app.add_typer(source.app, name="source")
app.add_typer(admin.app, name="admin")


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"tracksync {tracksync.__version__}")
        raise typer.Exit


@app.callback()
def _global_options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Keep a PostgreSQL table equal to LiveRC's public track catalogue, in a cluster or on one machine."""


def main() -> None:
    """Run the command line and leave the process with its exit code (`tracksync.errors.ExitCode`; 2: wrong usage)."""
    try:
        app()
    except TrackSyncError as error:
        explain_failure(str(error), error.reason)
        sys.exit(error.exit_code)
