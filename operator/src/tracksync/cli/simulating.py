"""`tracksync simulate`: every setting and switch as an option; the process says where it is and ends with Ctrl-C."""

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracksync.cli import simulator_options as options

if TYPE_CHECKING:
    from tracksync.simulator.settings import SimulatorSettings


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
    latency_ms: options.LatencyMs = 0,
    latency_spread_ms: options.LatencySpreadMs = 0,
    catalogue_latency_ms: options.CatalogueLatencyMs = 0,
    catalogue_fault: options.CatalogueFaultKind = "none",
    catalogue_fault_times: options.CatalogueFaultTimes = None,
    catalogue_cut_at: options.CatalogueCutAt = 0.5,
    dashboard_fault: options.DashboardFaults = None,
    pause_at: options.PauseAt = None,
    dies_at: options.DiesAt = None,
    dies_as: options.DiesAs = "http-503",
    retry_after_form: options.RetryAfterFormat = "seconds",
    retry_after_s: options.RetryAfterSeconds = 2,
    drip_s: options.DripSeconds = 0.2,
    oversize_bytes: options.OversizeBytes = 8_388_608,
    nested_bytes: options.NestedBytes = 400_000,
    validators: options.ValidatorKind = "none",
    robots: options.RobotsKind = "missing",
    robots_rate: options.RobotsRate = 1.0,
    robots_times: options.RobotsTimes = None,
    crawl_delay_s: options.CrawlDelaySeconds = 2.0,
    clock_offset_s: options.ClockOffsetSeconds = 0,
) -> None:
    """Serve a simulated LiveRC on this machine, for trials, tests and demos."""
    import asyncio

    from tracksync.simulator.faults import DashboardRule, Switches
    from tracksync.simulator.settings import SimulatorSettings

    # `changed` reads values as they come from outside and names the switch that is wrong.
    switches = Switches(dashboard_faults=tuple(map(DashboardRule.parse, dashboard_fault or ()))).changed(
        {
            "latency_ms": latency_ms,
            "latency_spread_ms": latency_spread_ms,
            "catalogue_latency_ms": catalogue_latency_ms,
            "catalogue_fault": catalogue_fault,
            "catalogue_fault_times": catalogue_fault_times,
            "catalogue_cut_at": catalogue_cut_at,
            "pause_at": pause_at,
            "dies_at": dies_at,
            "dies_as": dies_as,
            "retry_after_form": retry_after_form,
            "retry_after_s": retry_after_s,
            "drip_s": drip_s,
            "oversize_bytes": oversize_bytes,
            "nested_bytes": nested_bytes,
            "validators": validators,
            "robots": robots,
            "robots_rate": robots_rate,
            "robots_times": robots_times,
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
