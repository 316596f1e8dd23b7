"""`tracksync tracks`: what is stored."""

from typing import Annotated

import typer

from tracksync.cli.options import DatabaseUrl, DataDir, ListOutput


def tracks(
    *,
    search: Annotated[
        str | None,
        typer.Option(
            "--search",
            metavar="TEXT",
            show_default=False,
            help="Only tracks with this text in slug, name, city or country.",
        ),
    ] = None,
    inactive: Annotated[bool, typer.Option("--inactive", help="Show inactive tracks as well.")] = False,
    source: Annotated[
        str | None,
        typer.Option("--source", metavar="NAME", show_default=False, help="Only tracks of this source."),
    ] = None,
    show_personal: Annotated[
        bool,
        typer.Option("--show-personal", help="Include street, address, phone and email: they may be personal data."),
    ] = False,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    output: Annotated[
        ListOutput, typer.Option("--output", "-o", help="table for people; json and csv have all columns.")
    ] = ListOutput.TABLE,
) -> None:
    """Show the stored tracks."""
    from tracksync.cli.databases import choose_database
    from tracksync.cli.listing import TrackQuery, print_tracks

    query = TrackQuery(source=source, search=search, include_inactive=inactive)
    print_tracks(query, choose_database(database_url, data_dir), output=output, show_personal=show_personal)
