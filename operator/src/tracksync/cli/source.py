"""`tracksync source`: the off switch of a source, and what holds for everybody who asks it."""

from typing import Annotated

import typer

from tracksync.cli.options import DatabaseUrl, DataDir, PageOutput

app = typer.Typer(
    help="Show whether a source may be asked, switch it off for all runs that share the database, or on again.",
    no_args_is_help=True,
)

Domain = Annotated[str, typer.Option("--domain", metavar="NAME", help="The source's registrable domain.")]
Output = Annotated[
    PageOutput, typer.Option("--output", "-o", help="table for people; json has null for what there is not.")
]


@app.command("show")
def show(
    *,
    domain: Domain = "liverc.com",
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    output: Output = PageOutput.TABLE,
) -> None:
    """Show whether the source is on, how long it still wants to be left alone, and when the next request may go out."""
    from tracksync.cli.databases import choose_database
    from tracksync.cli.switching import print_state

    print_state(domain, choose_database(database_url, data_dir), output=output)


@app.command("off")
def off(
    *,
    reason: Annotated[
        str,
        typer.Option(
            "--reason", metavar="TEXT", show_default=False, help="Why, for whoever wonders; up to 200 characters."
        ),
    ],
    domain: Domain = "liverc.com",
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    output: Output = PageOutput.TABLE,
) -> None:
    """Switch the source off: every run stops at its next request and keeps its checkpoint, and none begins.

    Nothing is merged, and no track counts as failed.
    """
    from tracksync.cli.databases import choose_database
    from tracksync.cli.switching import switch_off

    switch_off(domain, choose_database(database_url, data_dir), reason=reason, output=output)


@app.command("on")
def on(
    *,
    domain: Domain = "liverc.com",
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    output: Output = PageOutput.TABLE,
) -> None:
    """Switch the source on again; a run that was stopped goes on where it was when it is started again."""
    from tracksync.cli.databases import choose_database
    from tracksync.cli.switching import switch_on

    switch_on(domain, choose_database(database_url, data_dir), output=output)
