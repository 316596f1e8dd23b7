"""`tracksync parse`: what a sync would store of a saved page, field by field, and why a page is not believed."""

from typing import Annotated

import typer

from tracksync.cli.options import PageOutput

app = typer.Typer(
    help="Show what a sync would store of a saved page or a text, and why a page is not believed. Fetches nothing.",
    no_args_is_help=True,
)

SavedPage = Annotated[
    str,
    typer.Argument(metavar="FILE", show_default=False, help="The saved page: an HTML file, or - for standard input."),
]
Output = Annotated[PageOutput, typer.Option("--output", "-o", help="table for people; the keys of json are stable.")]
ShowPersonal = Annotated[
    bool, typer.Option("--show-personal", help="Show street, address, phone and email: they may be personal data.")
]


@app.command("catalogue")
def catalogue(
    file: SavedPage,
    *,
    domain: Annotated[
        str, typer.Option("--domain", metavar="NAME", help="Domain that every track's host has to be below.")
    ] = "liverc.com",
    output: Output = PageOutput.TABLE,
) -> None:
    """Show the tracks on a saved catalogue page, the skipped rows, and whether the page is a complete listing.

    Exit codes: 0 complete, 40 not complete: a sync would stop and change nothing.
    """
    from tracksync.cli.checking import check_catalogue

    raise typer.Exit(check_catalogue(file, domain=domain, output=output))


@app.command("dashboard")
def dashboard(
    file: SavedPage,
    *,
    slug: Annotated[
        str | None,
        typer.Option("--slug", metavar="SLUG", show_default=False, help="The track's slug, named in the reasons."),
    ] = None,
    show_personal: ShowPersonal = False,
    output: Output = PageOutput.TABLE,
) -> None:
    """Show every field of a saved dashboard with where it came from, or why the page is not proven to be one.

    Exit codes: 0 proven, 40 not proven: a sync would count the track as failed and keep what is stored.
    """
    from tracksync.cli.checking import check_dashboard

    raise typer.Exit(check_dashboard(file, slug=slug, output=output, show_personal=show_personal))


@app.command("address")
def address(
    text: Annotated[
        str,
        typer.Argument(
            metavar="TEXT|FILE",
            show_default=False,
            help="A map's query as text: what follows q= in the map's address. Or an HTML file (- for standard input) "
            "with a dashboard's map, its address block, or both.",
        ),
    ],
    *,
    show_personal: ShowPersonal = False,
    output: Output = PageOutput.TABLE,
) -> None:
    """Show the location that is read from a map's query or from a dashboard's address block."""
    from tracksync.cli.checking import check_address

    raise typer.Exit(check_address(text, output=output, show_personal=show_personal))


@app.command("time")
def time(
    text: Annotated[
        str,
        typer.Argument(
            metavar="TEXT", show_default=False, help='The text, such as "2 weeks ago", or - for standard input.'
        ),
    ],
    *,
    output: Output = PageOutput.TABLE,
) -> None:
    """Show the interval of ages that a catalogue's "last updated" text stands for."""
    from tracksync.cli.checking import check_time

    raise typer.Exit(check_time(text, output=output))
