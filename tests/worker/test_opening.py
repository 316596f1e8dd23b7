"""How a run gets the lease and keeps it: a dead holder costs its expiry, a living one answers soon."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from tests.support.clocks import LoopClock
from tests.support.interfering import At, between
from tests.support.sources import ListSource, a_listing
from tests.worker.running import OTHER_RUN_ID, RUN_ID, a_filled_database, a_request, a_run, rows_of, some_ports
from tracksync.adapters.memory import MemoryDatabase
from tracksync.api.result import Outcome
from tracksync.errors import DatabaseUnavailableError, ExitCode, FencedError
from tracksync.ports import HEARTBEAT_SECONDS, LEASE_SECONDS
from tracksync.worker.ending import exit_code_of

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from tracksync.ports import RunTicket

pytestmark = pytest.mark.looptime


async def held_by_another(database: MemoryDatabase) -> RunTicket:
    """Let another run hold the lease."""
    return await database.ledger.open_run(a_request(run_id=OTHER_RUN_ID).identity, spec_hash="")


async def test_a_holder_that_died_costs_its_expiry_and_no_more() -> None:
    database = MemoryDatabase(LoopClock())
    await held_by_another(database)
    began = LoopClock().monotonic()
    result = await a_run(some_ports(database))
    assert result.outcome is Outcome.SUCCEEDED
    assert LEASE_SECONDS <= LoopClock().monotonic() - began <= LEASE_SECONDS + 3
    assert (database.runs[OTHER_RUN_ID].outcome, database.runs[OTHER_RUN_ID].epoch) == (Outcome.FAILED, 2)


async def test_a_holder_that_lives_is_seen_renewing_within_a_heartbeat_and_a_poll() -> None:
    database = await a_filled_database()
    before, holding = rows_of(database), True
    ticket = await held_by_another(database)

    async def renew() -> None:
        while holding:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            await database.ledger.renew_lease(ticket)

    renewing = asyncio.create_task(renew())
    began = LoopClock().monotonic()
    result = await a_run(some_ports(database))
    assert LoopClock().monotonic() - began <= 12.5
    holding = False
    await renewing
    assert (result.outcome, result.reason) == (Outcome.FAILED, "LeaseHeld")
    assert exit_code_of(result, item_errors=ExitCode.DONE) is ExitCode.LEASE_HELD
    assert OTHER_RUN_ID in result.message
    assert "start this one again" in result.message
    assert RUN_ID not in database.runs
    assert rows_of(database) == before


async def test_a_lease_that_is_given_back_meanwhile_is_taken_at_the_next_look() -> None:
    database = MemoryDatabase(LoopClock())
    ticket = await held_by_another(database)
    run = asyncio.create_task(a_run(some_ports(database)))
    await asyncio.sleep(5)
    database.leases["liverc"] = replace(database.leases["liverc"], expires_at=LoopClock().now())
    began = LoopClock().monotonic()
    assert (await run).outcome is Outcome.SUCCEEDED
    assert LoopClock().monotonic() - began <= 2.5
    with pytest.raises(FencedError):
        await database.ledger.renew_lease(ticket)


async def test_a_stop_ends_the_wait_for_a_lease() -> None:
    database, stop = MemoryDatabase(LoopClock()), asyncio.Event()
    await held_by_another(database)
    asyncio.get_running_loop().call_later(5, stop.set)
    result = await a_run(some_ports(database), stop=stop)
    assert result.outcome is Outcome.CANCELLED
    assert LoopClock().monotonic() < 10
    assert RUN_ID not in database.runs


async def test_a_run_that_takes_an_hour_never_lets_its_lease_expire() -> None:
    database = MemoryDatabase(LoopClock())
    run = asyncio.create_task(a_run(some_ports(database, ListSource(a_listing(12), seconds=1200)), concurrency=4))
    seen = []
    while not run.done():
        await asyncio.wait({run}, timeout=7)
        seen.append((database.leases["liverc"].expires_at - LoopClock().now()).total_seconds())
    assert run.result().outcome is Outcome.SUCCEEDED
    assert min(seen[:-1]) >= LEASE_SECONDS - HEARTBEAT_SECONDS
    assert seen[-1] <= 0


async def test_a_run_that_lost_its_lease_stops_within_a_heartbeat_and_leaves_the_ledger_of_others_alone() -> None:
    database = await a_filled_database()
    before = rows_of(database)
    run = asyncio.create_task(a_run(some_ports(database, ListSource(a_listing(12), seconds=600))))
    await asyncio.sleep(30)
    database.leases["liverc"] = replace(database.leases["liverc"], expires_at=LoopClock().now())
    await held_by_another(database)
    began = LoopClock().monotonic()
    result = await run
    assert LoopClock().monotonic() - began <= HEARTBEAT_SECONDS + 1
    assert (result.reason, exit_code_of(result, item_errors=ExitCode.DONE)) == ("LeaseLost", ExitCode.FENCED)
    assert database.runs[OTHER_RUN_ID].outcome is None
    assert rows_of(database) == before


async def test_a_heartbeat_that_fails_is_repeated_soon_and_only_logged(
    logged: list[MutableMapping[str, object]],
) -> None:
    database = MemoryDatabase(LoopClock())
    times: list[float] = []

    async def renew_lease(_: RunTicket) -> None:
        times.append(LoopClock().monotonic())
        if len(times) < 4:
            raise DatabaseUnavailableError("the connection to the database was lost")

    database.ledger.renew_lease = renew_lease  # type: ignore[method-assign]  # a database that is away
    result = await a_run(some_ports(database, ListSource(a_listing(12), seconds=15)))
    assert result.outcome is Outcome.SUCCEEDED
    assert [round(later - earlier) for earlier, later in pairwise(times)][:4] == [2, 2, 2, 10]
    assert sum(entry["event"] == "lease not renewed, trying again" for entry in logged) == 3


async def test_a_bug_in_the_heartbeat_ends_the_run_as_unexpected() -> None:
    database = MemoryDatabase(LoopClock())

    async def renew_lease(ticket: RunTicket) -> None:
        raise RuntimeError(ticket.identity.run_id)

    database.ledger.renew_lease = renew_lease  # type: ignore[method-assign]  # a bug
    result = await a_run(some_ports(database, ListSource(a_listing(12), seconds=15)))
    assert (result.outcome, result.reason) == (Outcome.FAILED, "UnexpectedError")


@pytest.mark.parametrize("failing", [(), ("track003",)], ids=["done", "with a failed item"])
async def test_a_run_that_died_after_its_merge_is_only_brought_to_its_end(failing: tuple[str, ...]) -> None:
    database = await a_filled_database()
    source = ListSource(a_listing(12), failing=failing)

    async def lose_the_database() -> None:
        database.is_reachable = False
        raise DatabaseUnavailableError("the connection to the database was lost")

    at = At("ledger.close_run", "before", lose_the_database)
    first = await a_run(between(some_ports(database, source), at))
    assert (first.outcome, "already merged" in first.message) == (Outcome.FAILED, True)
    rows, asked, listings = rows_of(database), len(source.asked), source.listings

    database.is_reachable = True
    second = await a_run(some_ports(database, source), attempt=2)
    assert second.outcome is (Outcome.COMPLETED_WITH_ERRORS if failing else Outcome.SUCCEEDED)
    assert (rows_of(database), len(source.asked), source.listings) == (rows, asked, listings)
    assert second.status.results is not None
    assert first.status.results is not None
    names = ("listed", "inserted", "updated", "unchanged", "fetched", "failed_items")
    assert [getattr(second.status.results, name) for name in names] == [
        getattr(first.status.results, name) for name in names
    ]
    assert database.runs[RUN_ID].outcome is second.outcome
