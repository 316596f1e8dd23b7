"""The catalogue of 1,200 rows: our parser against BeautifulSoup, and what the parser process adds to it."""

from __future__ import annotations

import asyncio
import gc
import time
from typing import TYPE_CHECKING, Final

from tests.benchmarks.source_figures import Benchmark, BenchmarkError, median_figure
from tests.benchmarks.source_peer import parse_with_beautiful_soup
from tracksync.adapters.web.fetching import Page
from tracksync.adapters.web.parser import Parser
from tracksync.liverc.catalogue import parse_catalogue
from tracksync.simulator.catalogue_page import render_catalogue
from tracksync.simulator.world import build_world

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

ROWS: Final = 1200
DOMAIN: Final = "liverc.com"
_RATIO: Final = 15.0
_OVERHEAD_MS: Final = 10.0
_MOST_WARM_UPS: Final = 3


def measure_catalogue(*, rounds: int) -> Benchmark:
    """Return CPU times of both parsers, run in turn, and wall times with and without the parser process.

    Raises:
        BenchmarkError: the two parsers do not read the same values.
    """
    body = render_catalogue(build_world(seed=1, tracks=ROWS, domain=DOMAIN).tracks, DOMAIN)
    html = body.decode()
    listing = parse_catalogue(html, domain=DOMAIN)
    peers_tracks = parse_with_beautiful_soup(html, domain=DOMAIN)
    if listing.problems or len(listing.tracks) != ROWS or listing.tracks != peers_tracks:
        raise BenchmarkError("the two parsers do not read the same values: comparing their times would mean nothing")
    pairs = [
        (
            _cpu_ms(lambda: parse_catalogue(html, domain=DOMAIN)),
            _cpu_ms(lambda: parse_with_beautiful_soup(html, domain=DOMAIN)),
        )
        for _ in range(rounds)
    ]
    ours, peer = zip(*pairs, strict=True)
    inside, beside = asyncio.run(_with_and_without_process(body, html, rounds))
    return Benchmark(
        "catalogue",
        f"Catalogue of {ROWS:,} rows, {len(body) // 1024} KiB",
        (
            median_figure("BeautifulSoup (html.parser), CPU", peer, "ms"),
            median_figure("parse_catalogue, CPU", ours, "ms"),
            median_figure("how often faster", [b / a for a, b in pairs], "x", at_least=_RATIO),
            median_figure("in this process, wall", inside, "ms"),
            median_figure("in the warm parser process, wall", beside, "ms"),
            median_figure(
                "what the process adds",
                [b - a for a, b in zip(inside, beside, strict=True)],
                "ms",
                at_most=_OVERHEAD_MS,
            ),
        ),
    )


async def _with_and_without_process(body: bytes, html: str, rounds: int) -> tuple[list[float], list[float]]:
    """Return milliseconds of wall time here and in the parser process, measured in turn."""
    page = Page(body, "utf-8")
    inside, beside = [], []

    async def here() -> None:
        parse_catalogue(html, domain=DOMAIN)

    async with Parser() as parser:
        for _ in range(_MOST_WARM_UPS):
            await parser.parse_catalogue(page, domain=DOMAIN)
        for _ in range(rounds):
            inside.append(await _wall_ms(here))
            beside.append(await _wall_ms(lambda: parser.parse_catalogue(page, domain=DOMAIN)))
    return inside, beside


def _cpu_ms(work: Callable[[], object]) -> float:
    """Return the CPU milliseconds of this process: on a busy machine they say more than wall time."""
    gc.collect()
    began = time.process_time()
    work()
    return (time.process_time() - began) * 1000


async def _wall_ms(work: Callable[[], Awaitable[object]]) -> float:
    gc.collect()
    began = time.perf_counter()
    await work()
    return (time.perf_counter() - began) * 1000
