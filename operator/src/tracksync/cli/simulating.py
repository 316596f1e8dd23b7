"""`tracksync simulate`: every setting and switch as an option; the process says where it is and ends with Ctrl-C."""

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tracksync.simulator.settings import SimulatorSettings

_FAULTS_PANEL = "Faults"


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
            show_default="an invented catalogue",
            help="Serve this saved catalogue page byte for byte; its tracks get invented dashboards.",
        ),
    ] = None,
    days: Annotated[
        int,
        typer.Option(
            "--days",
            metavar="NUMBER",
            help="Let so many days pass in the world before the start, 0 to 366; POST /_day lets further ones pass.",
        ),
    ] = 0,
    abuse_port: Annotated[
        int | None,
        typer.Option(
            "--abuse-port",
            metavar="NUMBER",
            show_default="no such server",
            help="TCP port of a second, raw server for abuse below HTTP, 0 for any free one; the path says what it "
            "does: /drip, /endless, /length-too-long, /length-too-short, /reset or /gzip-bomb (1 MiB that unpacks to "
            "1 GiB).",
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
            help="What is wrong with the catalogue: none, empty, cut, error (503), forbidden (403), rate-limited (429 "
            "with Retry-After), half (of the rows gone), broken-rows (three more: without link, name, legal host), "
            "duplicate-rows (a hundredth again), www-hosts (in half of the rows) or generic-page.",
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
            show_default="none",
            rich_help_panel=_FAULTS_PANEL,
            help="A share of the hosts (RATE from 0 to 1) has a fault, for its first TIMES requests or always; may "
            "be repeated. KIND: http-403, http-404, http-410, http-429 (with Retry-After), http-500, http-503, "
            "http-503-retry-after, login-page, redirect-host, redirect-foreign, redirect-loop, redirect-http, "
            "redirect-private, time-out (no answer), drip, oversize, nested, wrong-charset.",
        ),
    ] = None,
    pause_at: Annotated[
        int | None,
        typer.Option(
            "--pause-at",
            metavar="NUMBER",
            show_default="no pause",
            rich_help_panel=_FAULTS_PANEL,
            help="Answer so many dashboards, then let all further ones wait until released.",
        ),
    ] = None,
    retry_after_form: Annotated[
        str,
        typer.Option(
            "--retry-after-form",
            metavar="FORM",
            rich_help_panel=_FAULTS_PANEL,
            help="How Retry-After is written where a fault sends it: seconds, date, absurd (ten years), past (a "
            "date an hour ago), garbage or none (no header).",
        ),
    ] = "seconds",
    retry_after_s: Annotated[
        int,
        typer.Option(
            "--retry-after-s",
            metavar="SECONDS",
            rich_help_panel=_FAULTS_PANEL,
            help="How long Retry-After asks to wait, seconds, 0 to 86,400.",
        ),
    ] = 2,
    drip_s: Annotated[
        float,
        typer.Option(
            "--drip-s",
            metavar="SECONDS",
            rich_help_panel=_FAULTS_PANEL,
            help="Seconds from byte to byte of a dripping page, 0.001 to 86,400.",
        ),
    ] = 0.2,
    oversize_bytes: Annotated[
        int,
        typer.Option(
            "--oversize-bytes",
            metavar="BYTES",
            rich_help_panel=_FAULTS_PANEL,
            help="Bytes that an oversize page has beside its content, 1 to 67,108,864.",
        ),
    ] = 8_388_608,
    nested_bytes: Annotated[
        int,
        typer.Option(
            "--nested-bytes",
            metavar="BYTES",
            rich_help_panel=_FAULTS_PANEL,
            help="Bytes of nested elements in a nested page, 1 to 67,108,864.",
        ),
    ] = 400_000,
    validators: Annotated[
        str,
        typer.Option(
            "--validators",
            metavar="KIND",
            rich_help_panel=_FAULTS_PANEL,
            help="Validators of catalogue and dashboards, honoured with 304: none, etag, last-modified, both or "
            "lying-etag (it never changes, though the page does).",
        ),
    ] = "none",
    robots: Annotated[
        str,
        typer.Option(
            "--robots",
            metavar="KIND",
            rich_help_panel=_FAULTS_PANEL,
            help="What hosts have at /robots.txt: missing (404), allow, disallow, forbidden (403), error (503), "
            "rate-limited (429 with Retry-After), crawl-delay, huge (rules below 2 MiB of comments), "
            "redirect (to the file of live.NAME) or redirect-loop.",
        ),
    ] = "missing",
    robots_rate: Annotated[
        float,
        typer.Option(
            "--robots-rate",
            metavar="RATE",
            rich_help_panel=_FAULTS_PANEL,
            help="Share of the hosts that have this robots.txt, 0 to 1; the others have none.",
        ),
    ] = 1.0,
    crawl_delay_s: Annotated[
        float,
        typer.Option(
            "--crawl-delay-s",
            metavar="SECONDS",
            rich_help_panel=_FAULTS_PANEL,
            help="Seconds in the Crawl-delay line, 0 to 86,400.",
        ),
    ] = 2.0,
    clock_offset_s: Annotated[
        int,
        typer.Option(
            "--clock-offset-s",
            metavar="SECONDS",
            rich_help_panel=_FAULTS_PANEL,
            help="How far the clock of the source is ahead, or behind if negative, seconds, up to ten years.",
        ),
    ] = 0,
) -> None:
    """Serve a simulated LiveRC on this machine, for trials, tests and demos."""
    import asyncio

    from tracksync.simulator.faults import DashboardRule, Switches
    from tracksync.simulator.settings import SimulatorSettings

    # `changed` reads values as they come from outside and names the switch that is wrong.
    switches = Switches(dashboard_faults=tuple(map(DashboardRule.parse, dashboard_fault or ()))).changed(
        {
            "latency_ms": latency_ms,
            "catalogue_fault": catalogue_fault,
            "catalogue_cut_at": catalogue_cut_at,
            "pause_at": pause_at,
            "retry_after_form": retry_after_form,
            "retry_after_s": retry_after_s,
            "drip_s": drip_s,
            "oversize_bytes": oversize_bytes,
            "nested_bytes": nested_bytes,
            "validators": validators,
            "robots": robots,
            "robots_rate": robots_rate,
            "crawl_delay_s": crawl_delay_s,
            "clock_offset_s": clock_offset_s,
        }
    )
    settings = SimulatorSettings(
        tracks=tracks,
        seed=seed,
        host=host,
        port=port,
        domain=domain,
        replay_catalogue=replay_catalogue,
        days=days,
        abuse_port=abuse_port,
        switches=switches,
    )
    asyncio.run(_serve(settings))


async def _serve(settings: "SimulatorSettings") -> None:
    """Serve until SIGINT or SIGTERM; SettingsError when it cannot listen there, or a file is unusable."""
    import asyncio

    from tracksync.simulator.app import serve

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    await serve(
        settings,
        stop=stop,
        on_ready=lambda port: typer.echo(f"simulator ready at http://{host}:{port} (Ctrl-C ends it)"),
        on_abuse_ready=lambda port: typer.echo(f"abuse below HTTP at http://{host}:{port}"),
    )
