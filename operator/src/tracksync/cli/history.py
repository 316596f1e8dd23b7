"""`tracksync history` and `tracksync report`: what the ledger knows of runs, also when their resources are gone."""

from typing import Annotated

import typer

from tracksync.cli.options import DatabaseUrl, DataDir, PageOutput, ReportOutput, RunState


def history(
    *,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", show_default=False, help="Only runs of this name.")
    ] = None,
    namespace: Annotated[
        str | None,
        typer.Option("--namespace", "-n", metavar="NAME", show_default=False, help="Only runs of this namespace."),
    ] = None,
    state: Annotated[
        RunState | None, typer.Option("--state", show_default=False, help="Only runs that stand or ended so.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="WHEN",
            show_default=False,
            help="Only runs opened since then: a date such as 2026-03-01 (UTC), a time such as 2026-03-01T02:00Z, or "
            "an age such as 36h.",
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="WHEN", show_default=False, help="Only runs opened before then; as --since."),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="NUMBER", min=1, max=10_000, help="Show so many runs at most.")
    ] = 50,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    output: Annotated[PageOutput, typer.Option("--output", "-o", help="table for people; json has all fields.")] = (
        PageOutput.TABLE
    ),
) -> None:
    """List the runs that the database remembers, newest first."""
    from tracksync.cli.databases import choose_database
    from tracksync.cli.ledger import instant, print_history
    from tracksync.core.tracks.history import RunQuery

    query = RunQuery(
        name=name,
        namespace=namespace,
        state=state.value if state is not None else None,
        since=instant("--since", since),
        until=instant("--until", until),
        limit=limit,
    )
    print_history(query, choose_database(database_url, data_dir), output)


def report(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Id of the run, or a name: its latest run is shown.")],
    *,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    output: Annotated[
        ReportOutput,
        typer.Option("--output", "-o", help="text for a terminal, markdown or html to pass on, json for programs."),
    ] = ReportOutput.TEXT,
) -> None:
    """Show one run: how it ended, its counters, every track that it changed (or would change), and what failed."""
    from tracksync.cli.databases import choose_database
    from tracksync.cli.ledger import print_report

    print_report(run, choose_database(database_url, data_dir), output)
