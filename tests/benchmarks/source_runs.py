"""Whole syncs, each a process of its own, against a simulator and a PostgreSQL on loopback."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.benchmarks.source_figures import Benchmark, BenchmarkError, Figure, median_figure
from tests.benchmarks.source_process import a_simulator, run_sync
from tracksync.adapters.web.parser import CPU_SECONDS

if TYPE_CHECKING:
    from tests.benchmarks.source_process import Simulator, Sync
    from tests.support.postgres import PostgresServer

CONCURRENCY: Final = 16
LATENCY_MS: Final = 100
_UNLIMITED: Final = ("--requests-per-second", "100000", "--concurrency", str(CONCURRENCY))
_EVERYTHING: Final = ("--refresh-after", "0s")
_PER_CORE: Final = 400
_PEAK_MIB: Final = 200
_SHARE_OF_IDEAL: Final = 0.85
_OVER_IDEAL: Final = 1.05
_NESTED_SHARE: Final = "0.02"
_MIB: Final = 2**20


def measure_unlimited(server: PostgresServer, *, tracks: int, rounds: int) -> Benchmark:
    """Return dashboards per CPU second and peak memory, without latency, rate limit or robots.txt to ask for.

    The first run fills the table and the cache of robots.txt files; it is shown, and judged by its memory only.
    """
    with server.database() as url, a_simulator(tracks=tracks) as simulator:
        cold = run_sync(simulator, url, *_UNLIMITED)
        before = simulator.cpu_seconds()
        runs = [_warm_run(simulator, url, tracks) for _ in range(rounds)]
        source_seconds = (simulator.cpu_seconds() - before) / rounds
    all_runs = (cold, *runs)
    return Benchmark(
        "unlimited",
        f"{tracks:,} tracks on loopback, no rate limit, no latency, concurrency {CONCURRENCY}",
        (
            median_figure(
                "dashboards per second and core",
                [run.fetched / run.cpu_seconds for run in runs],
                "/s",
                at_least=_PER_CORE,
            ),
            Figure(
                "highest memory, worker and children",
                max(run.peak_bytes for run in all_runs) / _MIB,
                "MiB",
                at_most=_PEAK_MIB,
            ),
            Figure("of that, the worker itself", max(run.worker_peak_bytes for run in all_runs) / _MIB, "MiB"),
            median_figure("CPU of worker and children, whole process", [run.cpu_seconds for run in runs], "s"),
            median_figure("wall time of the run", [run.run_seconds for run in runs], "s"),
            median_figure("dashboards per second of wall time", [run.fetched / run.run_seconds for run in runs], "/s"),
            Figure("CPU of the simulator, each run", source_seconds, "s"),
            Figure("first run, robots.txt of every host as well: CPU", cold.cpu_seconds, "s"),
            Figure("first run: requests per second and core", cold.results["requests"] / cold.cpu_seconds, "/s"),
        ),
    )


def measure_latency(server: PostgresServer, *, tracks: int, rounds: int) -> Benchmark:
    """Return how close a run comes to having all its requests always in flight, when each answer takes a while."""
    ideal = CONCURRENCY / (LATENCY_MS / 1000)
    with server.database() as url, a_simulator(tracks=tracks) as simulator:
        run_sync(simulator, url, *_UNLIMITED)
        simulator.switch(latency_ms=LATENCY_MS)
        runs = [_warm_run(simulator, url, tracks) for _ in range(rounds)]
        journal = simulator.journal()
    return Benchmark(
        "latency",
        f"{tracks:,} tracks, each answer takes {LATENCY_MS} ms, concurrency {CONCURRENCY}: ideal {ideal:.0f}/s",
        (
            median_figure(
                "share of the ideal, whole run",
                [run.fetched / run.run_seconds / ideal for run in runs],
                "",
                at_least=_SHARE_OF_IDEAL,
            ),
            median_figure("dashboards per second of the run", [run.fetched / run.run_seconds for run in runs], "/s"),
            Figure("requests per second, as the source saw them last", journal["requests_per_second"]["mean"], "/s"),
            Figure("most requests in flight at once", journal["max_in_flight"], at_most=CONCURRENCY),
        ),
    )


def measure_rate(server: PostgresServer, *, tracks: int, rate: float) -> Benchmark:
    """Return how close a polite run with an empty cache of robots.txt files comes to its request rate."""
    with server.database() as url, a_simulator(tracks=tracks) as simulator:
        run = run_sync(simulator, url, "--requests-per-second", f"{rate:g}", "--concurrency", "6")
        journal = simulator.journal()
    _require(run, tracks)
    requests = run.results["requests"]
    return Benchmark(
        "rate",
        f"{tracks:,} tracks at {rate:g} requests/s, empty cache of robots.txt files: {requests:,} requests",
        (
            Figure("wall time over requests/rate", run.run_seconds / (requests / rate), "x", at_most=_OVER_IDEAL),
            Figure("wall time of the run", run.run_seconds, "s"),
            Figure("requests/rate", requests / rate, "s"),
            Figure("requests per second, as the source saw them", journal["requests_per_second"]["mean"], "/s"),
            Figure("most requests within one second", journal["requests_per_second"]["peak"]),
        ),
    )


def measure_nested_run(server: PostgresServer, *, tracks: int) -> Benchmark:
    """Return what a run costs in which some hosts serve nested pages, against the same run without them."""
    with server.database() as url, a_simulator(tracks=tracks) as simulator:
        plain = run_sync(simulator, url, *_UNLIMITED)
    with (
        server.database() as url,
        a_simulator("--dashboard-fault", f"nested={_NESTED_SHARE}", tracks=tracks) as simulator,
    ):
        nested = simulator.affected()
        run = run_sync(simulator, url, *_UNLIMITED)
    if not nested:
        raise BenchmarkError("no host serves a nested page; take more tracks")
    each = (run.cpu_seconds - plain.cpu_seconds) / nested
    return Benchmark(
        "nested-run",
        f"{tracks:,} tracks, of which {nested} serve a page of 390 KiB of nested elements",
        (
            Figure("other tracks lost", tracks - nested - run.fetched, at_most=0),
            Figure("nested pages refused", run.results["failedItems"], at_least=nested),
            Figure("further CPU for each of them, new parser process included", each, "s", at_most=CPU_SECONDS + 1),
            Figure("wall time of the run", run.run_seconds, "s"),
            Figure("wall time without them", plain.run_seconds, "s"),
        ),
    )


def _warm_run(simulator: Simulator, database_url: str, tracks: int) -> Sync:
    """Run a sync that fetches every dashboard and no robots.txt."""
    simulator.restart_journal()
    run = run_sync(simulator, database_url, *_UNLIMITED, *_EVERYTHING)
    _require(run, tracks)
    if run.results["robotsRequests"]:
        raise BenchmarkError("the cache of robots.txt files was not used")
    return run


def _require(run: Sync, tracks: int) -> None:
    if (run.fetched, run.results["failedItems"]) != (tracks, 0):
        raise BenchmarkError(f"not every dashboard was read: {run.results}")
