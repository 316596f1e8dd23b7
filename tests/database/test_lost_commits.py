"""D2, a connection that is lost in a COMMIT: settled by reading, so that nothing is lost and nothing is done twice.

Every COMMIT of a run is hit once, in both ways: it reached the server and the answer was lost, or it did not.
"""
# ruff: noqa: N802 -- a test's name carries the id of its row, in capitals as everywhere else

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.database.running import OTHER_RUN_ID, RUN_ID, contents, run_on, run_row
from tests.support.postgres import fetch_all
from tests.support.sources import ListSource, a_listing
from tests.support.tcp_proxy import Fault, TcpProxy, tcp_proxy
from tracksync.adapters.postgres.database import PostgresDatabase
from tracksync.api.result import Outcome
from tracksync.errors import ItemError, ItemErrorClass

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tracksync.api.result import WorkerResult

GONE = ItemError("gone", error_class=ItemErrorClass.HTTP_STATUS, http_status=404)
FAILING = "track003"
COMMITS = ("verify_schema", "open_run", "stage_listing", "pending_dashboards", "record_items", "merge", "close_run")
COUNTERS = ("listed", "inserted", "updated", "unchanged", "reactivated", "deactivated", "fetched", "failed_items")


@pytest.fixture
async def proxy(database_url: str) -> AsyncIterator[tuple[TcpProxy, PostgresDatabase]]:
    """Give an adapter behind a proxy that loses nothing yet."""
    async with (
        tcp_proxy(database_url) as (proxy, url),
        await PostgresDatabase.connect(url, application_name="tests") as database,
    ):
        yield proxy, database


def a_source() -> ListSource:
    return ListSource(a_listing(12), failing=[FAILING], error=GONE)


def counters(result: WorkerResult) -> dict[str, int]:
    assert result.status.results is not None
    return {name: getattr(result.status.results, name) for name in COUNTERS}


async def filled_with_five(database: PostgresDatabase, url: str) -> ListSource:
    """Fill the database with five tracks that have changed since, and return a source of twelve."""
    assert (await run_on(database, ListSource(a_listing(5)), run_id=OTHER_RUN_ID)).outcome is Outcome.SUCCEEDED
    fetch_all(url, "UPDATE tracks SET name = 'of yesterday'")
    return a_source()


def assert_counted_once(result: WorkerResult, source: ListSource, url: str) -> None:
    """Everything is there, and everything is counted exactly once, in the result as in the database."""
    assert result.outcome is Outcome.COMPLETED_WITH_ERRORS
    assert counters(result) == {
        "listed": 12,
        "inserted": 7,
        "updated": 5,
        "unchanged": 0,
        "reactivated": 0,
        "deactivated": 0,
        "fetched": 11,
        "failed_items": 1,
    }
    assert sorted(source.asked) == [f"track{number:03}" for number in range(12)]
    assert run_row(url, RUN_ID)[:2] == ("completed_with_errors", "CompletedWithErrors")
    assert len(contents(url)) == 12
    changes = "SELECT kind, count(*) FROM changes WHERE run_id = %s GROUP BY 1 ORDER BY 1"
    assert fetch_all(url, changes, RUN_ID) == [("inserted", 7), ("updated", 5)]
    assert fetch_all(url, "SELECT slug, attempts FROM sync_items") == [(FAILING, 1)]
    assert fetch_all(url, "SELECT attempts FROM track_freshness WHERE attempts > 1") == []


async def test_D2_every_commit_of_a_run_is_known(proxy: tuple[TcpProxy, PostgresDatabase]) -> None:
    result = await run_on(proxy[1], a_source())
    assert result.outcome is Outcome.COMPLETED_WITH_ERRORS
    assert proxy[0].commits == len(COMMITS)


@pytest.mark.parametrize("fault", list(Fault), ids=lambda fault: fault.name.lower())
@pytest.mark.parametrize("commit", COMMITS)
async def test_D2_a_lost_commit_is_settled_by_reading_and_counts_exactly_once(
    proxy: tuple[TcpProxy, PostgresDatabase], database_url: str, commit: str, fault: Fault
) -> None:
    source = await filled_with_five(proxy[1], database_url)
    proxy[0].skip, proxy[0].faults = COMMITS.index(commit), [fault]
    result = await run_on(proxy[1], source)
    assert proxy[0].hits == 1
    assert_counted_once(result, source, database_url)


async def test_D2_an_opening_whose_answer_was_lost_has_one_epoch(
    proxy: tuple[TcpProxy, PostgresDatabase], database_url: str
) -> None:
    proxy[0].skip, proxy[0].faults = COMMITS.index("open_run"), [Fault.LOSE_REPLY]
    await run_on(proxy[1])
    assert run_row(database_url) == ("succeeded", "Completed", 1)


@pytest.mark.parametrize("commit", ["merge", "close_run"])
async def test_D2_many_losses_in_a_row_end_like_one(
    proxy: tuple[TcpProxy, PostgresDatabase], database_url: str, commit: str
) -> None:
    proxy[0].skip = COMMITS.index(commit)
    proxy[0].faults = [Fault.CUT_BEFORE, Fault.CUT_BEFORE, Fault.LOSE_REPLY]
    result = await run_on(proxy[1])
    assert proxy[0].hits == 3
    assert counters(result)["inserted"] == 12
    assert run_row(database_url) == ("succeeded", "Completed", 1)
