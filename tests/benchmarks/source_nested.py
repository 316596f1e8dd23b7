"""A page of 390 KiB of nested elements: what it costs, and what becomes of the pages beside it."""

from __future__ import annotations

import asyncio
import resource
import time
from typing import Final

from tests.benchmarks.source_figures import Benchmark, BenchmarkError, median_figure
from tracksync.adapters.web.fetching import Page
from tracksync.adapters.web.parser import CPU_SECONDS, PageNotParsedError, Parser
from tracksync.simulator.dashboard_page import DashboardWriter
from tracksync.simulator.faults import DashboardFault, Switches
from tracksync.simulator.page_faults import spoiled_page
from tracksync.simulator.world import build_world

DOMAIN: Final = "liverc.com"
NESTED_BYTES: Final = 390 * 1024
OTHERS: Final = 40
_MOST_LOST: Final = 0


def measure_nested(*, rounds: int) -> Benchmark:
    """Return the CPU time that one nested page costs, and how many of the pages around it were lost."""
    pages = _pages(OTHERS)
    slug, page = next(iter(pages.items()))
    nested = Page(spoiled_page(DashboardFault.NESTED, page.body, Switches(nested_bytes=NESTED_BYTES)), "utf-8")
    costs = [
        asyncio.run(_cost(nested, slug, is_parsed=False)) - asyncio.run(_cost(page, slug, is_parsed=True))
        for _ in range(rounds)
    ]
    lost, walls = zip(*(asyncio.run(_among_others(nested, pages)) for _ in range(rounds)), strict=True)
    return Benchmark(
        "nested",
        f"A page with {NESTED_BYTES // 1024} KiB of nested elements among {OTHERS} ordinary ones",
        (
            median_figure("CPU of the parser process for it", costs, "s", at_most=CPU_SECONDS),
            median_figure("wall time of all pages together", walls, "s"),
            median_figure("other pages lost", lost, "", at_most=_MOST_LOST),
        ),
    )


def _pages(count: int) -> dict[str, Page]:
    world, writer = build_world(seed=1, tracks=count, domain=DOMAIN), DashboardWriter(DOMAIN)
    return {track.slug: Page(writer.render(track, world.profile(track)), "utf-8") for track in world.tracks}


async def _cost(page: Page, slug: str, *, is_parsed: bool) -> float:
    """Return the CPU seconds of a parser process that reads this page and then ends."""
    before = _children_seconds()
    async with Parser() as parser:
        if await _is_read(parser, page, slug) != is_parsed:
            raise BenchmarkError(f"the page {'was' if not is_parsed else 'was not'} read: it is not what this measures")
    return _children_seconds() - before


async def _among_others(nested: Page, pages: dict[str, Page]) -> tuple[int, float]:
    """Read all pages at once, the nested one in their middle; return how many others were lost, and wall seconds."""
    began = time.perf_counter()
    queue = list(pages.items())
    middle = len(queue) // 2
    queue.insert(middle, (queue[0][0], nested))
    async with Parser() as parser:
        tasks = [asyncio.create_task(_is_read(parser, page, slug)) for slug, page in queue]
        read = await asyncio.gather(*tasks)
    if read.pop(middle):
        raise BenchmarkError("the nested page was read: it is no longer what this measures")
    return read.count(False), time.perf_counter() - began


async def _is_read(parser: Parser, page: Page, slug: str) -> bool:
    try:
        return (await parser.parse_dashboard(page, slug=slug)).is_proven
    except PageNotParsedError:
        return False


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
