"""`tracksync create`, `get`, `status` and `describe`: TrackSyncJobs made and looked at."""

from pathlib import Path
from typing import Annotated

import typer

from tracksync.cli.cluster_options import (
    ClusterOutput,
    Context,
    DeactivationChoice,
    Kubeconfig,
    ModeChoice,
    Namespace,
    StatusOutput,
    Timeout,
)

_SPEC_PANEL = "Fields of the TrackSyncJob"
_Run = Annotated[
    str,
    typer.Argument(
        metavar="NAME-OR-RUN-ID", show_default=False, help="Name of the TrackSyncJob, or the id of its run."
    ),
]
_StatusOutput = Annotated[
    StatusOutput, typer.Option("--output", "-o", help="text for people; json and yaml for programs.")
]


def create(
    *,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file",
            "-f",
            metavar="FILE",
            show_default=False,
            help="TrackSyncJob in YAML or JSON, `-` for standard input. Options below are put on top of it.",
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", show_default=False, help="Name of the TrackSyncJob.")
    ] = None,
    secret: Annotated[
        str | None,
        typer.Option(
            "--secret",
            metavar="NAME",
            show_default=False,
            rich_help_panel=_SPEC_PANEL,
            help="Secret that holds the database's URL. Needed without --file.",
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            "--key", metavar="KEY", show_default=False, rich_help_panel=_SPEC_PANEL, help="Key in it. [default: url]"
        ),
    ] = None,
    mode: Annotated[
        ModeChoice | None,
        typer.Option(
            "--mode",
            case_sensitive=False,
            show_default=False,
            rich_help_panel=_SPEC_PANEL,
            help="Apply writes the tracks; Plan only says what it would write. [default: Apply]",
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--source",
            metavar="NAME",
            show_default=False,
            rich_help_panel=_SPEC_PANEL,
            help="A source that the installation allows. [default: liverc]",
        ),
    ] = None,
    requests_per_second: Annotated[
        float | None,
        typer.Option(
            "--requests-per-second",
            metavar="NUMBER",
            show_default=False,
            rich_help_panel=_SPEC_PANEL,
            help="Request rate; it may only lower the installation's.",
        ),
    ] = None,
    concurrency: Annotated[
        int | None,
        typer.Option(
            "--concurrency",
            metavar="NUMBER",
            show_default=False,
            rich_help_panel=_SPEC_PANEL,
            help="Requests in flight at once; it may only lower the installation's number.",
        ),
    ] = None,
    no_metadata: Annotated[
        bool,
        typer.Option("--no-metadata", rich_help_panel=_SPEC_PANEL, help="Sync the catalogue only, no dashboards."),
    ] = False,
    refresh_after: Annotated[
        str | None,
        typer.Option(
            "--refresh-after",
            metavar="TIME",
            show_default=False,
            rich_help_panel=_SPEC_PANEL,
            help="Fetch a dashboard only if the stored one is older, such as 24h; 0s fetches all. [default: 168h]",
        ),
    ] = None,
    only_slug: Annotated[
        list[str] | None,
        typer.Option(
            "--only-slug",
            metavar="SLUG",
            show_default=False,
            rich_help_panel=_SPEC_PANEL,
            help="Sync this track only; give it again for further ones. Deactivates nothing. [default: all tracks]",
        ),
    ] = None,
    deactivation: Annotated[
        DeactivationChoice | None,
        typer.Option(
            "--deactivation",
            case_sensitive=False,
            show_default=False,
            rich_help_panel=_SPEC_PANEL,
            help="What happens to tracks that are no longer listed. [default: Apply; Disabled with --only-slug]",
        ),
    ] = None,
    max_percent: Annotated[
        int | None,
        typer.Option(
            "--max-percent",
            metavar="NUMBER",
            show_default=False,
            rich_help_panel=_SPEC_PANEL,
            help="When more of the active tracks vanished, in percent, none is deactivated. [default: 5]",
        ),
    ] = None,
    max_count: Annotated[
        int | None,
        typer.Option(
            "--max-count",
            metavar="NUMBER",
            show_default=False,
            rich_help_panel=_SPEC_PANEL,
            help="When more tracks vanished, none is deactivated. [default: 200]",
        ),
    ] = None,
    approved_ceiling: Annotated[
        int | None,
        typer.Option(
            "--approved-ceiling",
            metavar="NUMBER",
            show_default=False,
            rich_help_panel=_SPEC_PANEL,
            help="Your answer to a withheld deactivation: up to this many vanished tracks are deactivated.",
        ),
    ] = None,
    retry_limit: Annotated[
        int | None,
        typer.Option(
            "--retry-limit",
            metavar="NUMBER",
            show_default=False,
            rich_help_panel=_SPEC_PANEL,
            help="Attempts beyond the first. [default: 3]",
        ),
    ] = None,
    sla: Annotated[
        str | None,
        typer.Option(
            "--sla",
            metavar="TIME",
            show_default=False,
            rich_help_panel=_SPEC_PANEL,
            help="Soft limit: it is said when the run will not keep it. [default: 10m]",
        ),
    ] = None,
    deadline: Annotated[
        str | None,
        typer.Option(
            "--deadline",
            metavar="TIME",
            show_default=False,
            rich_help_panel=_SPEC_PANEL,
            help="Hard limit for the whole run, such as 30m. [default: 1h]",
        ),
    ] = None,
    ttl: Annotated[
        str | None,
        typer.Option(
            "--ttl",
            metavar="TIME",
            show_default=False,
            rich_help_panel=_SPEC_PANEL,
            help="How long the finished TrackSyncJob stays. [default: 168h]",
        ),
    ] = None,
    suspend: Annotated[
        bool,
        typer.Option("--suspend", rich_help_panel=_SPEC_PANEL, help="Do not start it yet; `tracksync resume` does."),
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the run's end; exit code 1 when it failed.")] = False,
    timeout: Timeout = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Have the API server check it, and create nothing.")
    ] = False,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    output: Annotated[
        ClusterOutput | None,
        typer.Option("--output", "-o", show_default=False, help="Print what was created. [default: one line]"),
    ] = None,
) -> None:
    """Create a TrackSyncJob, which is one run of the sync in the cluster."""
    from tracksync.cli.asking import Place, ask, seconds_of
    from tracksync.cli.creating import CreateWish, create_run

    def whole_seconds(option: str, duration: str | None) -> int | None:
        seconds = seconds_of(option, duration)
        return int(seconds) if seconds is not None else None

    slugs = [slug.strip() for slug in only_slug or ()]
    policy = deactivation or (DeactivationChoice.DISABLED if slugs else None)
    given: dict[tuple[str, ...], object] = {
        ("target", "databaseSecretRef", "name"): secret,
        ("target", "databaseSecretRef", "key"): key,
        ("mode",): mode.value if mode is not None else None,
        ("source", "name"): source,
        ("source", "requestsPerSecond"): requests_per_second,
        ("source", "concurrency"): concurrency,
        ("metadata", "enabled"): False if no_metadata else None,
        ("metadata", "refreshAfter"): refresh_after,
        ("onlySlugs",): slugs or None,
        ("deactivation", "policy"): policy.value if policy is not None else None,
        ("deactivation", "maxPercent"): max_percent,
        ("deactivation", "maxCount"): max_count,
        ("deactivation", "approvedCeiling"): approved_ceiling,
        ("retry", "limit"): retry_limit,
        ("slaSeconds",): whole_seconds("--sla", sla),
        ("activeDeadlineSeconds",): whole_seconds("--deadline", deadline),
        ("ttlSecondsAfterFinished",): whole_seconds("--ttl", ttl),
        ("suspend",): suspend or None,
    }
    wish = CreateWish(
        file=file,
        name=name,
        fields={path: value for path, value in given.items() if value is not None},
        is_dry_run=dry_run,
        is_waited_for=wait,
        wait_seconds=seconds_of("--timeout", timeout),
        output=output,
    )
    ask(
        Place(namespace, context, kubeconfig),
        lambda runs: create_run(runs, wish, namespace),
        interrupted="stopped waiting; the run goes on",
    )


def get(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", show_default=False, help="Only this one. [default: all]")
    ] = None,
    *,
    all_namespaces: Annotated[bool, typer.Option("--all-namespaces", "-A", help="In all namespaces.")] = False,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    output: Annotated[
        ClusterOutput,
        typer.Option("--output", "-o", help="table or wide for people; json and yaml have all fields; name for xargs."),
    ] = ClusterOutput.TABLE,
) -> None:
    """List TrackSyncJobs: where each run stands."""
    from tracksync.cli.asking import Place, ask
    from tracksync.cli.explaining import show_runs

    if all_namespaces and (name is not None or namespace is not None):
        raise typer.BadParameter("--all-namespaces excludes NAME and --namespace; give one of them")
    ask(
        Place(namespace, context, kubeconfig),
        lambda runs: show_runs(runs, name, None if all_namespaces else runs.default_namespace, output),
    )


def status(
    run: _Run,
    *,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    database_url: Annotated[
        str | None,
        typer.Option(
            "--database-url",
            metavar="URL",
            show_default=False,
            help="Database whose ledger is asked when the TrackSyncJob is gone. Better set TRACKSYNC_DATABASE_URL: "
            "other users of the machine can read a command's arguments.",
        ),
    ] = None,
    from_secret: Annotated[
        str | None,
        typer.Option(
            "--from-secret",
            metavar="NAME[/KEY]",
            show_default=False,
            help="Secret of the namespace with that database's URL, if you may read it. [default key: url]",
        ),
    ] = None,
    output: _StatusOutput = StatusOutput.TEXT,
) -> None:
    """Show how a run stands, what it did, and what to do next; when its TrackSyncJob is gone, from the ledger.

    Exit codes: 0, or 1 when the run has failed or was cancelled.
    """
    from tracksync.cli.asking import Place, ask
    from tracksync.cli.explaining import LedgerPlace, show_status
    from tracksync.settings import CliSettings

    if database_url is not None and from_secret is not None:
        raise typer.BadParameter("--from-secret excludes --database-url; give one of them")
    ledger = LedgerPlace(database_url or CliSettings.read().database_url, from_secret)
    ask(
        Place(namespace, context, kubeconfig),
        lambda runs: show_status(runs, run, runs.default_namespace, ledger, output),
    )


def describe(
    run: _Run,
    *,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    output: _StatusOutput = StatusOutput.TEXT,
) -> None:
    """Show what `status` shows, and the run's Events in the order of time."""
    from tracksync.cli.asking import Place, ask
    from tracksync.cli.explaining import describe_run

    ask(
        Place(namespace, context, kubeconfig),
        lambda runs: describe_run(runs, run, runs.default_namespace, output),
    )
