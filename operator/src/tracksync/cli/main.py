"""The entrance of the command line: its commands, its version, and how an error leaves the process."""

import sys
from pathlib import Path
from typing import Annotated

import typer

import tracksync
from tracksync.cli import (
    admin,
    adopting,
    history,
    local,
    parse,
    processes,
    reference,
    resources,
    runs,
    source,
    stored,
    undo,
)
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
app.command("history")(history.history)
app.command("report")(history.report)
app.command("undo")(undo.undo)
app.command("create")(resources.create)
app.command("get")(resources.get)
app.command("status")(resources.status)
app.command("describe")(resources.describe)
app.command("watch")(runs.watch)
app.command("wait")(runs.wait)
app.command("logs")(runs.logs)
app.command("cancel")(runs.cancel)
app.command("suspend")(runs.suspend)
app.command("resume")(runs.resume)
app.command("migrate")(processes.migrate)
app.command("adopt")(adopting.adopt)
app.command("simulate")(processes.simulate)
app.command("worker")(processes.worker)
app.command("operator")(processes.operator)
app.add_typer(parse.app, name="parse")
app.add_typer(source.app, name="source")
app.add_typer(admin.app, name="admin")
admin.app.command("docs")(reference.docs)


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


def _program_name() -> str:
    """Return what the user typed: kubectl starts its plug-ins by their file's name."""
    return Path(sys.argv[0]).name.replace("kubectl-", "kubectl ")


def main() -> None:
    """Run the command line and leave the process with its exit code (`tracksync.errors.ExitCode`; 2: wrong usage)."""
    try:
        app(prog_name=_program_name())
    except TrackSyncError as error:
        explain_failure(str(error), error.reason)
        sys.exit(error.exit_code)
