"""D12: behind a transaction-mode pooler, where each transaction may get another connection, all of it is still true."""
# ruff: noqa: N802 -- a test's name carries the id of its row, in capitals as everywhere else

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.database.running import OTHER_RUN_ID, RUN_ID, At, contents, run_on, run_row
from tests.database.test_lease import expire
from tests.database.test_lost_commits import COMMITS, assert_counted_once, filled_with_five
from tests.support.pooler import pooler
from tests.support.postgres import fetch_all
from tests.support.sources import ListSource, a_listing
from tests.support.store import DEFAULT, SPEC, a_run, staged
from tests.support.store import a_listing as listed
from tests.support.tcp_proxy import Fault, tcp_proxy
from tracksync.adapters.postgres.database import PostgresDatabase
from tracksync.api.result import Outcome
from tracksync.errors import FencedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


@pytest.fixture
def pooled_url(database_url: str) -> Iterator[str]:
    with pooler(database_url) as url:
        yield url


@pytest.fixture
async def pooled(pooled_url: str) -> AsyncIterator[PostgresDatabase]:
    async with await PostgresDatabase.connect(pooled_url, application_name="pooled") as connected:
        yield connected


async def test_D12_a_whole_run_through_the_pooler(pooled: PostgresDatabase, database_url: str) -> None:
    result = await run_on(pooled, ListSource(a_listing(300)))
    assert result.outcome is Outcome.SUCCEEDED
    assert len(contents(database_url)) == 300
    assert run_row(database_url) == ("succeeded", "Completed", 1)


async def test_D12_no_setting_and_no_lock_of_a_run_is_left_on_the_poolers_connections(
    pooled: PostgresDatabase, pooled_url: str, database_url: str
) -> None:
    assert (await run_on(pooled)).outcome is Outcome.SUCCEEDED
    question = "SELECT name, setting FROM pg_settings WHERE source = 'session' AND name IN ('statement_timeout', 'jit')"
    assert fetch_all(pooled_url, question) == []
    assert fetch_all(database_url, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(0,)]


async def test_D12_many_runs_of_different_sources_share_few_connections(pooled_url: str, database_url: str) -> None:
    databases = [PostgresDatabase.prepare(pooled_url, application_name=f"pooled{number}") for number in range(6)]
    listing = listed(*(f"t{number}" for number in range(50)))

    async def one(database: PostgresDatabase, number: int) -> int:
        run = a_run(source=f"source{number}")
        ticket = await database.ledger.open_run(run, spec_hash=SPEC)
        await database.ledger.stage_listing(ticket, listing, refresh=None)
        await database.ledger.renew_lease(ticket)
        return (await database.tracks.merge(ticket, guard=DEFAULT)).inserted

    inserted = await asyncio.gather(*(one(database, number) for number, database in enumerate(databases)))
    for database in databases:
        await database.close()
    assert inserted == [50] * 6
    assert fetch_all(database_url, "SELECT count(*) FROM tracks") == [(300,)]


async def test_D12_a_zombie_is_fenced_through_the_pooler(
    pooled: PostgresDatabase, pooled_url: str, database_url: str
) -> None:
    async with PostgresDatabase.prepare(pooled_url, application_name="other") as other:

        async def be_overtaken() -> None:
            expire(database_url)
            second = await run_on(other, ListSource(a_listing(3)), run_id=OTHER_RUN_ID)
            assert second.outcome is Outcome.SUCCEEDED

        zombie = await run_on(pooled, calls=At("tracks.merge", "before", be_overtaken), run_id=RUN_ID)
    assert (zombie.outcome, zombie.reason) == (Outcome.FAILED, "LeaseLost")
    assert len(contents(database_url)) == 3


async def test_D12_a_newer_epoch_fences_through_the_pooler(pooled: PostgresDatabase) -> None:
    old = await staged(pooled, listed("a"))
    await staged(pooled, listed("a"), run=old.identity)
    with pytest.raises(FencedError):
        await pooled.tracks.merge(old, guard=DEFAULT)


@pytest.mark.parametrize("fault", list(Fault), ids=lambda fault: fault.name.lower())
@pytest.mark.parametrize("commit", ["open_run", "stage_listing", "record_items", "merge", "close_run"])
async def test_D12_a_lost_commit_is_settled_through_the_pooler(
    pooled_url: str, database_url: str, commit: str, fault: Fault
) -> None:
    async with (
        tcp_proxy(pooled_url) as (proxy, url),
        await PostgresDatabase.connect(url, application_name="tests") as database,
    ):
        source = await filled_with_five(database, database_url)
        proxy.skip, proxy.faults = COMMITS.index(commit), [fault]
        result = await run_on(database, source)
        assert proxy.hits == 1
        assert_counted_once(result, source, database_url)


async def test_D12_a_server_connection_that_is_ended_under_the_pooler_costs_one_repetition(
    pooled: PostgresDatabase, database_url: str
) -> None:
    async def end_all() -> None:
        question = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await asyncio.to_thread(fetch_all, database_url, question)

    at = At("tracks.merge", "before", end_all)
    result = await run_on(pooled, calls=at)
    assert (at.hit, result.outcome) == (True, Outcome.SUCCEEDED)
    assert len(contents(database_url)) == 12
