"""One writer per source: the lease is taken, renewed, given back, waited for, and taken over from who let it expire."""
# ruff: noqa: N802 -- a test's name carries the id of its row, in capitals as everywhere else

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.database.running import (
    OTHER_RUN_ID,
    RUN_ID,
    At,
    contents,
    held,
    run_on,
    run_row,
    slow,
    until,
    until_waiting,
)
from tests.support.postgres import fetch_all
from tests.support.sources import ListSource, a_listing
from tests.support.store import DEFAULT, NO_RESULTS, SPEC, a_run, staged
from tests.support.store import a_listing as listed
from tracksync.adapters.postgres import session
from tracksync.adapters.postgres.database import PostgresDatabase
from tracksync.api.result import Outcome
from tracksync.errors import DatabaseUnavailableError, ExitCode, FencedError, LeaseHeldError
from tracksync.ports import LEASE_SECONDS
from tracksync.worker import opening
from tracksync.worker.ending import exit_code_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LEASE = "SELECT run_id::text, epoch, extract(epoch FROM expires_at - clock_timestamp())::float8 FROM leases"
AGE = "UPDATE leases SET renewed_at = renewed_at - %s, expires_at = expires_at - %s"


@pytest.fixture
async def other(database_url: str) -> AsyncIterator[PostgresDatabase]:
    """Another worker's adapter."""
    async with await PostgresDatabase.connect(database_url, application_name="other") as connected:
        yield connected


def expire(url: str, seconds: float = LEASE_SECONDS + 1) -> None:
    """Let so much time pass for every lease."""
    fetch_all(url, AGE, timedelta(seconds=seconds), timedelta(seconds=seconds))


async def test_a_lease_is_taken_for_a_minute_renewed_and_given_back(
    database: PostgresDatabase, database_url: str
) -> None:
    ticket = await database.ledger.open_run(a_run(run_id=RUN_ID), spec_hash=SPEC)
    ((holder, epoch, left),) = fetch_all(database_url, LEASE)
    assert (holder, epoch) == (RUN_ID, ticket.lease_epoch)
    assert LEASE_SECONDS - 5 < left <= LEASE_SECONDS
    expire(database_url, 30)
    await database.ledger.renew_lease(ticket)
    assert fetch_all(database_url, LEASE)[0][2] > LEASE_SECONDS - 5
    await database.ledger.close_run(ticket, outcome=Outcome.FAILED, reason="Because", results=NO_RESULTS)
    assert fetch_all(database_url, LEASE)[0][2] <= 0
    assert (await database.ledger.open_run(a_run(), spec_hash=SPEC)).lease_epoch == ticket.lease_epoch + 1


async def test_a_held_lease_is_refused_by_name_and_nothing_is_written(
    database: PostgresDatabase, other: PostgresDatabase, database_url: str
) -> None:
    await database.ledger.open_run(a_run(run_id=RUN_ID), spec_hash=SPEC)
    before = fetch_all(database_url, "SELECT r::text, l::text FROM runs AS r, leases AS l")
    with pytest.raises(LeaseHeldError, match=rf"'nightly' \({RUN_ID}\).*'liverc' for another (59|60) s.*cancel it"):
        await other.ledger.open_run(a_run(), spec_hash=SPEC)
    assert fetch_all(database_url, "SELECT r::text, l::text FROM runs AS r, leases AS l") == before
    assert (await other.ledger.open_run(a_run(source="elsewhere"), spec_hash=SPEC)).epoch == 1


async def test_an_expired_lease_is_taken_over_and_its_run_is_fenced_and_closed(
    database: PostgresDatabase, other: PostgresDatabase, database_url: str
) -> None:
    old = await staged(database, listed("a"), run=a_run(run_id=RUN_ID))
    expire(database_url)
    new = await other.ledger.open_run(a_run(run_id=OTHER_RUN_ID), spec_hash=SPEC)
    assert run_row(database_url) == ("failed", "LeaseLost", 2)
    for call in (
        database.ledger.renew_lease(old),
        database.ledger.record_items(old, []),
        database.tracks.merge(old, guard=DEFAULT),
        database.ledger.close_run(old, outcome=Outcome.FAILED, reason="x", results=NO_RESULTS),
    ):
        with pytest.raises(FencedError, match="another run took the lease"):
            await call
    await other.ledger.renew_lease(new)
    assert contents(database_url) == []


async def test_an_expired_lease_that_nobody_took_is_renewed(database: PostgresDatabase, database_url: str) -> None:
    ticket = await database.ledger.open_run(a_run(), spec_hash=SPEC)
    expire(database_url)
    await database.ledger.renew_lease(ticket)
    assert fetch_all(database_url, LEASE)[0][2] > LEASE_SECONDS - 5


async def test_of_many_that_take_an_expired_lease_at_once_exactly_one_gets_it(
    database: PostgresDatabase, database_url: str
) -> None:
    await database.ledger.open_run(a_run(), spec_hash=SPEC)
    expire(database_url)
    rivals = [PostgresDatabase.prepare(database_url, application_name="rival") for _ in range(6)]
    results = await asyncio.gather(
        *(rival.ledger.open_run(a_run(), spec_hash=SPEC) for rival in rivals), return_exceptions=True
    )
    for rival in rivals:
        await rival.close()
    assert sum(isinstance(result, LeaseHeldError) for result in results) == 5
    assert fetch_all(database_url, "SELECT count(*) FROM runs WHERE state = 'running'") == [(1,)]


async def test_of_many_that_take_the_first_lease_at_once_exactly_one_gets_it(database_url: str) -> None:
    rivals = [PostgresDatabase.prepare(database_url, application_name="rival") for _ in range(6)]
    results = await asyncio.gather(
        *(rival.ledger.open_run(a_run(), spec_hash=SPEC) for rival in rivals), return_exceptions=True
    )
    for rival in rivals:
        await rival.close()
    assert sum(isinstance(result, LeaseHeldError) for result in results) == 5
    assert fetch_all(database_url, "SELECT count(*) FROM runs") == [(1,)]


async def test_a_take_over_waits_for_the_last_transaction_of_the_run_that_let_it_expire(
    database: PostgresDatabase, other: PostgresDatabase, database_url: str
) -> None:
    old = await staged(database, listed("a", "z"), run=a_run(run_id=RUN_ID))
    await database.tracks.merge(old, guard=DEFAULT)
    await database.ledger.close_run(old, outcome=Outcome.SUCCEEDED, reason="Completed", results=NO_RESULTS)
    zombie = await staged(database, listed("a", "new"), run=a_run())
    expire(database_url)
    with held(database_url, "LOCK TABLE changes IN ACCESS EXCLUSIVE MODE"):
        merge = asyncio.create_task(database.tracks.merge(zombie, guard=DEFAULT))
        await until_waiting(database_url)
        taking = asyncio.create_task(other.ledger.open_run(a_run(), spec_hash=SPEC))
        await until_waiting(database_url, "other")
        assert not taking.done()
    await asyncio.wait({merge, taking})
    assert merge.exception() is None
    assert (await taking).epoch == 1


async def test_a_transaction_that_never_ends_keeps_its_lease_although_it_expired(
    database: PostgresDatabase, other: PostgresDatabase, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "SET_LIMITS", session.SET_LIMITS.replace("'15s'", "'200ms'"))
    ticket = await database.ledger.open_run(a_run(run_id=RUN_ID), spec_hash=SPEC)
    expire(database_url)
    with (
        held(database_url, "SELECT 1 FROM runs FOR UPDATE"),
        pytest.raises(LeaseHeldError, match=r"still under way.*nothing was written"),
    ):
        await other.ledger.open_run(a_run(), spec_hash=SPEC)
    await database.ledger.renew_lease(ticket)
    assert run_row(database_url) == ("running", "", 1)


async def test_a_heartbeat_passes_beside_a_long_merge_and_an_open_fence(
    database: PostgresDatabase, database_url: str
) -> None:
    first = await staged(database, listed("a", "z"))
    await database.tracks.merge(first, guard=DEFAULT)
    ticket = await staged(database, listed("a", "new"))
    with held(database_url, "LOCK TABLE changes IN ACCESS EXCLUSIVE MODE"):
        merge = asyncio.create_task(database.tracks.merge(ticket, guard=DEFAULT))
        await until_waiting(database_url)
        started = time.monotonic()
        await database.ledger.renew_lease(ticket)
        assert time.monotonic() - started < 1
        assert not merge.done()
    await merge


async def test_J12_a_second_worker_on_a_source_that_is_being_synced_ends_with_code_70(
    database: PostgresDatabase, other: PostgresDatabase, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "HEARTBEAT_SECONDS", 0.2)
    monkeypatch.setattr(opening, "LEASE_POLL_SECONDS", 0.1)
    first = asyncio.create_task(run_on(database, slow(0.5), run_id=RUN_ID))
    await until("the first run is open", lambda: fetch_all(database_url, LEASE))
    second = await run_on(other, ListSource(a_listing(1)), run_id=OTHER_RUN_ID)
    assert (second.outcome, second.reason) == (Outcome.FAILED, "LeaseHeld")
    assert exit_code_of(second, item_errors=ExitCode.DONE) is ExitCode.LEASE_HELD
    assert RUN_ID in second.message
    assert (await first).outcome is Outcome.SUCCEEDED
    assert fetch_all(database_url, "SELECT run_id::text, state FROM runs") == [(RUN_ID, "succeeded")]
    assert len(contents(database_url)) == 12


async def test_J3_a_worker_that_waits_takes_the_lease_of_a_dead_one_as_soon_as_it_has_expired(
    database: PostgresDatabase, other: PostgresDatabase, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "LEASE_POLL_SECONDS", 0.1)
    await staged(database, listed("a"), run=a_run(run_id=RUN_ID))
    expire(database_url, LEASE_SECONDS - 1.5)
    started = time.monotonic()
    result = await run_on(other, run_id=OTHER_RUN_ID)
    took = time.monotonic() - started
    assert result.outcome is Outcome.SUCCEEDED
    assert 1 < took < 6
    assert run_row(database_url) == ("failed", "LeaseLost", 2)


@pytest.mark.parametrize("call", ["ledger.stage_listing", "ledger.record_items", "tracks.merge", "ledger.close_run"])
async def test_X4_a_zombie_that_wakes_up_at_any_of_its_commits_ends_with_code_60_and_only_the_second_runs_work_is_there(
    database: PostgresDatabase, other: PostgresDatabase, database_url: str, call: str
) -> None:
    async def be_overtaken() -> None:
        expire(database_url)
        second = await run_on(other, ListSource(a_listing(3)), run_id=OTHER_RUN_ID)
        assert second.outcome is Outcome.SUCCEEDED

    at = At(call, "before", be_overtaken)
    zombie = await run_on(database, calls=at, run_id=RUN_ID)
    assert at.hit
    assert (zombie.outcome, zombie.reason) == (Outcome.FAILED, "LeaseLost")
    assert exit_code_of(zombie, item_errors=ExitCode.DONE) is ExitCode.FENCED
    if call != "ledger.close_run":
        assert [slug for slug, *_ in contents(database_url)] == ["track000", "track001", "track002"]
    assert run_row(database_url) == ("failed", "LeaseLost", 2)
    assert run_row(database_url, OTHER_RUN_ID) == ("succeeded", "Completed", 1)


async def test_the_heartbeat_alone_ends_a_run_that_lost_its_lease_while_it_asks_the_source(
    database: PostgresDatabase, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "HEARTBEAT_SECONDS", 0.1)
    zombie = asyncio.create_task(run_on(database, slow(30), run_id=RUN_ID))
    await until("the zombie is open", lambda: fetch_all(database_url, LEASE))
    fetch_all(database_url, "UPDATE leases SET run_id = gen_random_uuid(), epoch = epoch + 1")
    started = time.monotonic()
    result = await zombie
    assert time.monotonic() - started < 5
    assert (result.reason, exit_code_of(result, item_errors=ExitCode.DONE)) == ("LeaseLost", ExitCode.FENCED)
    assert run_row(database_url)[0] == "running"


async def test_a_database_that_is_away_does_not_end_a_run_through_its_heartbeat(
    database: PostgresDatabase, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "HEARTBEAT_SECONDS", 0.05)
    monkeypatch.setattr(opening, "AFTER_FAILURE_SECONDS", 0.05)
    failed = 0

    async def away(_: object) -> None:
        nonlocal failed
        failed += 1
        raise DatabaseUnavailableError("the connection to the database was lost")

    monkeypatch.setattr(database.ledger, "renew_lease", away)
    result = await run_on(database, slow(0.2))
    assert result.outcome is Outcome.SUCCEEDED
    assert failed >= 3
    assert run_row(database_url) == ("succeeded", "Completed", 1)
