"""A stop (SIGTERM, Ctrl-C) at every call of a run: rolled back before the commit, finished after it, bounded in time.

The call that the stop hits hangs until it is cancelled, as a slow database or source would.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import pytest

from tests.support.clocks import LoopClock
from tests.support.interfering import Calls, between
from tests.support.sources import ListSource, a_listing
from tests.worker.running import RUN_ID, a_filled_database, a_run, rows_of, some_ports
from tracksync.adapters.memory import MemoryDatabase, MemoryProgress
from tracksync.api.job import StageState
from tracksync.api.result import Outcome
from tracksync.errors import ExitCode
from tracksync.worker.ending import exit_code_of

if TYPE_CHECKING:
    from tracksync.core.tracks.guards import DeactivationGuard
    from tracksync.core.tracks.model import MergeCounters
    from tracksync.ports import RunTicket

pytestmark = pytest.mark.looptime

BEFORE_COMMIT = [
    "ledger.verify_schema",
    "ledger.open_run",
    "source.verify_open",
    "source.fetch_listing",
    "ledger.stage_listing",
    "ledger.pending_dashboards",
    "source.fetch_dashboard",
    "ledger.record_items",
    "tracks.merge",
]


async def position_of(name: str) -> int:
    """Return which call of a normal run is the first of this name."""
    calls = Calls()
    await a_run(between(some_ports(MemoryDatabase(LoopClock())), calls))
    return calls.names.index(name)


@pytest.mark.parametrize("name", BEFORE_COMMIT)
async def test_a_stop_before_the_commit_rolls_everything_back(name: str) -> None:
    stop = asyncio.Event()

    async def stop_and_hang() -> None:
        stop.set()
        await asyncio.sleep(3600)

    database, progress = await a_filled_database(), MemoryProgress(abandoned=True)
    before = rows_of(database)
    calls = Calls(await position_of(name), "before", stop_and_hang)
    begun = LoopClock().monotonic()
    result = await a_run(between(some_ports(database, progress=progress), calls), stop=stop)
    assert calls.hit
    assert (result.outcome, result.reason) == (Outcome.CANCELLED, "Cancelled")
    assert exit_code_of(result, item_errors=ExitCode.DONE) is ExitCode.CANCELLED
    assert rows_of(database) == before
    assert not any(items for items in database.items.values())
    assert progress.published[-1].stages[-1].state is StageState.FAILED
    assert LoopClock().monotonic() - begun <= 2.0


async def test_a_stop_closes_the_ledger_as_cancelled_even_while_the_run_is_being_opened() -> None:
    stop = asyncio.Event()

    async def stop_and_dawdle() -> None:
        stop.set()
        await asyncio.sleep(0.3)

    database = MemoryDatabase(LoopClock())
    calls = Calls(await position_of("ledger.open_run"), "after", stop_and_dawdle)
    await a_run(between(some_ports(database), calls), stop=stop)
    assert database.runs[RUN_ID].outcome is Outcome.CANCELLED


async def test_a_stop_after_the_commit_lets_the_run_end_as_the_success_that_it_is() -> None:
    stop = asyncio.Event()

    async def stop_now() -> None:
        stop.set()

    database = await a_filled_database()
    calls = Calls(await position_of("ledger.close_run"), "before", stop_now)
    result = await a_run(between(some_ports(database), calls), stop=stop)
    assert (calls.hit, result.outcome) == (True, Outcome.SUCCEEDED)
    assert database.runs[RUN_ID].outcome is Outcome.SUCCEEDED


async def test_a_stop_that_hits_the_commit_itself_is_reported_as_what_the_database_did() -> None:
    stop, database = asyncio.Event(), await a_filled_database()

    class Committing:
        """A store whose merge cannot be stopped any more: its commit is on the way."""

        async def merge(
            self, ticket: RunTicket, *, guard: DeactivationGuard, is_filtered: bool = False
        ) -> MergeCounters:
            stop.set()
            try:
                await asyncio.sleep(0.2)
            except asyncio.CancelledError:
                await asyncio.sleep(0.2)
            return await database.tracks.merge(ticket, guard=guard, is_filtered=is_filtered)

        count_active = database.tracks.count_active
        find_tracks = database.tracks.find_tracks

    result = await a_run(replace(some_ports(database), tracks=Committing()), stop=stop)
    assert result.outcome is Outcome.SUCCEEDED
    assert len(database.rows) == 12


async def test_a_stage_that_does_not_react_holds_the_end_up_for_seconds_only() -> None:
    stop, database = asyncio.Event(), await a_filled_database()
    before = rows_of(database)

    is_over = False

    async def stop_and_ignore() -> None:
        stop.set()
        while not is_over:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0.5)

    calls = Calls(await position_of("ledger.stage_listing"), "before", stop_and_ignore)
    begun = LoopClock().monotonic()
    result = await a_run(between(some_ports(database), calls), stop=stop)
    assert LoopClock().monotonic() - begun <= 18
    assert (result.outcome, rows_of(database)) == (Outcome.CANCELLED, before)
    is_over = True
    await asyncio.sleep(1)


async def test_nothing_more_is_fetched_after_a_stop() -> None:
    stop, source = asyncio.Event(), ListSource(a_listing(100), seconds=1)
    asyncio.get_running_loop().call_later(10.5, stop.set)
    result = await a_run(some_ports(MemoryDatabase(LoopClock()), source), stop=stop)
    assert result.outcome is Outcome.CANCELLED
    asked = len(source.asked)
    await asyncio.sleep(30)
    assert (len(source.asked), source.in_flight) == (asked, 0)


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_stop_while_a_merged_run_is_opened_again_still_writes_its_true_end(
    when: Literal["before", "after"],
) -> None:
    database = await a_filled_database()
    names = Calls()
    await a_run(between(some_ports(MemoryDatabase(LoopClock())), names))

    async def crash() -> None:
        raise RuntimeError("crashed")

    await a_run(between(some_ports(database), Calls(names.names.index("ledger.close_run"), "before", crash)))
    merged = rows_of(database)
    database.runs[RUN_ID].outcome = None  # as a worker that was killed leaves it
    stop = asyncio.Event()

    async def ask_to_stop() -> None:
        stop.set()
        await asyncio.sleep(0)

    second = await a_run(between(some_ports(database), Calls(1, when, ask_to_stop)), stop=stop, attempt=2)
    assert (second.outcome, database.runs[RUN_ID].outcome) == (Outcome.SUCCEEDED, Outcome.SUCCEEDED)
    assert second.status.results is not None
    assert second.status.results.inserted == 7
    assert rows_of(database) == merged
