"""`tracksync run`: a whole sync on one machine, without a cluster and without an installed database."""

from typing import Annotated

import typer

from tracksync.cli.options import DatabaseUrl, DataDir, Deactivation, RunOutput

_SOURCE_PANEL = "Source"
_VANISHED_PANEL = "Vanished tracks"
_WRITING_PANEL = "Writing"


def run(
    *,
    source_url: Annotated[
        str | None,
        typer.Option(
            "--source-url",
            metavar="URL",
            show_default=False,
            rich_help_panel=_SOURCE_PANEL,
            help="Where a simulator or a mirror of your own listens, such as http://127.0.0.1:8080. "
            "[default: the real LiveRC]",
        ),
    ] = None,
    requests_per_second: Annotated[
        float | None,
        typer.Option(
            "--requests-per-second",
            metavar="NUMBER",
            min=0.01,
            max=100_000,
            show_default=False,
            rich_help_panel=_SOURCE_PANEL,
            help="Request rate in requests per second; at most 4 for the real LiveRC. "
            "[default: 4; 100 for a --source-url on this machine]",
        ),
    ] = None,
    concurrency: Annotated[
        int | None,
        typer.Option(
            "--concurrency",
            metavar="NUMBER",
            min=1,
            max=64,
            show_default=False,
            rich_help_panel=_SOURCE_PANEL,
            help="Requests in flight at once; at most 6 for the real LiveRC. "
            "[default: 6; 16 for a --source-url on this machine]",
        ),
    ] = None,
    no_metadata: Annotated[
        bool,
        typer.Option(
            "--no-metadata",
            rich_help_panel=_SOURCE_PANEL,
            help="Sync the catalogue page only: no dashboard is fetched, stored metadata stays.",
        ),
    ] = False,
    refresh_after: Annotated[
        str,
        typer.Option(
            "--refresh-after",
            metavar="DURATION",
            rich_help_panel=_SOURCE_PANEL,
            help="Fetch a dashboard only if the stored one is older, such as 168h, 90m or 1h30m. Due ones are spread "
            "over the runs: a daily run at 168h fetches about a seventh of them. 0s fetches all.",
        ),
    ] = "168h",
    attempts: Annotated[
        int,
        typer.Option(
            "--attempts",
            metavar="NUMBER",
            min=1,
            max=10,
            rich_help_panel=_SOURCE_PANEL,
            help="Attempts for one dashboard, with a growing pause in between, on top of the few quick repetitions "
            "within each attempt.",
        ),
    ] = 3,
    contact: Annotated[
        str,
        typer.Option(
            "--contact",
            metavar="TEXT",
            show_default=False,
            rich_help_panel=_SOURCE_PANEL,
            help="Your mail address or web page, sent to the source in the User-Agent. Required for the real LiveRC.",
        ),
    ] = "",
    source_name: Annotated[
        str,
        typer.Option(
            "--source-name",
            metavar="NAME",
            rich_help_panel=_SOURCE_PANEL,
            help="Name under which the tracks are stored (column `source`).",
        ),
    ] = "liverc",
    only_slug: Annotated[
        list[str] | None,
        typer.Option(
            "--only-slug",
            metavar="SLUG",
            show_default=False,
            rich_help_panel=_SOURCE_PANEL,
            help="Sync this track of the catalogue only; give it again for further ones. Deactivates nothing. "
            "[default: all tracks]",
        ),
    ] = None,
    deactivation: Annotated[
        Deactivation | None,
        typer.Option(
            "--deactivation",
            show_default=False,
            rich_help_panel=_VANISHED_PANEL,
            help="What happens to active tracks that are no longer listed: `apply` deactivates them within the limits "
            "below, `withhold` only reports them, `disabled` does not look for them. "
            "[default: apply; disabled with --only-slug]",
        ),
    ] = None,
    max_percent: Annotated[
        int,
        typer.Option(
            "--max-percent",
            metavar="NUMBER",
            min=0,
            max=100,
            rich_help_panel=_VANISHED_PANEL,
            help="When more than this share of the active tracks vanished, in percent, none is deactivated.",
        ),
    ] = 5,
    max_count: Annotated[
        int,
        typer.Option(
            "--max-count",
            metavar="NUMBER",
            min=0,
            max=1_000_000,
            rich_help_panel=_VANISHED_PANEL,
            help="When more tracks than this vanished, none is deactivated.",
        ),
    ] = 200,
    approved_ceiling: Annotated[
        int,
        typer.Option(
            "--approved-ceiling",
            metavar="NUMBER",
            min=0,
            max=1_000_000,
            rich_help_panel=_VANISHED_PANEL,
            help="Your answer to a withheld deactivation: up to this many vanished tracks are deactivated although "
            "they are more than --max-percent or --max-count. When more have vanished by then, none is.",
        ),
    ] = 0,
    plan: Annotated[
        bool,
        typer.Option(
            "--plan",
            rich_help_panel=_WRITING_PANEL,
            help="Fetch and compare everything, but write no track: only say what would change. `tracksync report` "
            "with the run's id lists it.",
        ),
    ] = False,
    batch_size: Annotated[
        int,
        typer.Option(
            "--batch-size",
            metavar="NUMBER",
            min=1,
            max=10_000,
            rich_help_panel=_WRITING_PANEL,
            help="Dashboards that are committed together, at most; what has come is committed every 5 s in any case.",
        ),
    ] = 500,
    max_failed_percent: Annotated[
        int,
        typer.Option(
            "--max-failed-percent",
            metavar="NUMBER",
            min=0,
            max=100,
            rich_help_panel=_WRITING_PANEL,
            help="When more than this share of the due dashboards failed, in percent, nothing is merged. Two are "
            "tolerated in any case.",
        ),
    ] = 10,
    history_days: Annotated[
        int,
        typer.Option(
            "--history-days",
            metavar="NUMBER",
            min=7,
            max=36_500,
            rich_help_panel=_WRITING_PANEL,
            help="Days for which finished runs are remembered; older ones are forgotten at the end of this one.",
        ),
    ] = 30,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    output: Annotated[
        RunOutput,
        typer.Option("--output", "-o", help="`json` ends with one JSON document of the counters on standard output."),
    ] = RunOutput.TEXT,
) -> None:
    """Sync the track catalogue into a database on this machine, with a progress bar.

    Exit codes: 0 done, 10 done with failed dashboards, 20 try again later, 30 a setting is wrong, 40 the catalogue page
    is not valid, 50 stopped by Ctrl-C and rolled back.
    """
    from tracksync.api.spec import SyncMode
    from tracksync.cli.databases import choose_database
    from tracksync.cli.sync import SyncWish, sync_here

    wish = SyncWish(
        source_url=source_url,
        requests_per_second=requests_per_second,
        concurrency=concurrency,
        fetch_dashboards=not no_metadata,
        refresh_after=refresh_after.strip(),
        attempts=attempts,
        contact=contact.strip(),
        source_name=source_name,
        only_slugs=tuple(slug.strip() for slug in only_slug or ()),
        deactivation=deactivation,
        max_percent=max_percent,
        max_count=max_count,
        approved_ceiling=approved_ceiling,
        mode=SyncMode.PLAN if plan else SyncMode.APPLY,
        batch_size=batch_size,
        max_failed_percent=max_failed_percent,
        history_days=history_days,
        output=output,
    )
    raise typer.Exit(sync_here(wish, choose_database(database_url, data_dir)))
