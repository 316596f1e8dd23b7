"""`tracksync undo`: take back what a run changed."""

from typing import Annotated

import typer

from tracksync.cli.options import DatabaseUrl, DataDir, RunOutput


def undo(
    run: Annotated[
        str, typer.Argument(metavar="RUN-ID", help="Id of a finished run: the `run_id` that `tracksync history` shows.")
    ],
    *,
    plan: Annotated[
        bool, typer.Option("--plan", help="Only say what would be taken back; `tracksync report` lists it.")
    ] = False,
    max_percent: Annotated[
        int,
        typer.Option(
            "--max-percent",
            metavar="NUMBER",
            min=0,
            max=100,
            help="When more than this share of the active tracks would be deactivated, in percent, none is.",
        ),
    ] = 5,
    max_count: Annotated[
        int,
        typer.Option(
            "--max-count", metavar="NUMBER", min=0, help="When more tracks than this would be deactivated, none is."
        ),
    ] = 200,
    approved_ceiling: Annotated[
        int,
        typer.Option(
            "--approved-ceiling",
            metavar="NUMBER",
            min=0,
            help="Your answer to a withheld deactivation: up to this many tracks may be deactivated.",
        ),
    ] = 0,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    output: Annotated[
        RunOutput, typer.Option("--output", "-o", help="`json` prints one JSON document of the counters.")
    ] = RunOutput.TEXT,
) -> None:
    """Take back what a finished run changed, track by track, where nobody has changed it since.

    What it inserted or reactivated is deactivated, what it deactivated is reactivated, what it updated gets its values
    from before. Personal fields (street, address, phone, email, description) stay: no log keeps their values. It is a
    run of its own, with its own id, and can be taken back as well. The next sync compares all of it with the source
    again.
    """
    from tracksync.cli.databases import choose_database
    from tracksync.cli.undoing import UndoWish, undo_run
    from tracksync.core.tracks.guards import DeactivationGuard

    guard = DeactivationGuard(max_percent=max_percent, max_count=max_count, approved_ceiling=approved_ceiling)
    undo_run(UndoWish(run, is_plan=plan, guard=guard), choose_database(database_url, data_dir), output)
