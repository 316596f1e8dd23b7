"""What stands between a run and its database: its schema, its password, its encryption, and a time without it."""
# ruff: noqa: N802 -- a test's name carries the id of its row, in capitals as everywhere else

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.database.running import (
    OTHER_RUN_ID,
    RUN_ID,
    TRACKS,
    At,
    contents,
    run_on,
    run_row,
    slow,
    terminate,
)
from tests.database.test_lease import expire
from tests.database.test_migrations import migrated_to
from tests.support.postgres import a_role, fetch_all
from tests.support.sources import ListSource, a_listing
from tests.support.tcp_proxy import tcp_proxy
from tracksync.adapters.postgres.database import PostgresDatabase
from tracksync.adapters.postgres.revision import EXPECTED_REVISION
from tracksync.api.result import Outcome
from tracksync.errors import ExitCode
from tracksync.worker import opening, patience
from tracksync.worker.database_url import read_database_url
from tracksync.worker.ending import exit_code_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROLE, FIRST, SECOND = "rotating", "first-canary", "second-canary"


@pytest.mark.parametrize(
    ("revision", "remedy"), [("0001", "tracksync migrate"), ("0003", "tracksync migrate"), ("9999", "newer TrackSync")]
)
async def test_D6_a_schema_that_is_older_or_newer_ends_the_run_with_code_30_and_both_revisions(
    empty_database_url: str, revision: str, remedy: str
) -> None:
    if revision == "9999":
        migrated_to(empty_database_url, EXPECTED_REVISION)
        fetch_all(empty_database_url, "UPDATE tracksync_version SET version_num = '9999'")
    else:
        migrated_to(empty_database_url, revision)
    source = ListSource(a_listing(3))
    async with await PostgresDatabase.connect(empty_database_url, application_name="tests") as database:
        result = await run_on(database, source)
    assert (result.outcome, result.reason) == (Outcome.FAILED, "SchemaMismatch")
    assert exit_code_of(result, item_errors=ExitCode.DONE) is ExitCode.CONFIGURATION
    assert all(word in result.message for word in (revision, EXPECTED_REVISION, remedy))
    assert (source.listings, source.asked) == (0, [])
    assert fetch_all(empty_database_url, "SELECT count(*) FROM runs") == [(0,)]


async def test_D6_a_table_that_is_gone_in_mid_run_is_a_mismatch_and_no_outage(
    database: PostgresDatabase, database_url: str
) -> None:
    async def drop() -> None:
        await asyncio.to_thread(fetch_all, database_url, "DROP TABLE changes CASCADE")

    began = time.monotonic()
    result = await run_on(database, calls=At("tracks.merge", "before", drop))
    assert time.monotonic() - began < 10
    assert (result.reason, exit_code_of(result, item_errors=ExitCode.DONE)) == (
        "SchemaMismatch",
        ExitCode.CONFIGURATION,
    )


@pytest.fixture
def rotating(database_url: str) -> Iterator[str]:
    """Give the URL of a role that logs in with FIRST, with PASSWORD in the place of the password."""
    with a_role(database_url, ROLE, f"PASSWORD '{FIRST}'") as place:
        yield f"postgresql://{ROLE}:PASSWORD@{place}"


@pytest.mark.parametrize("call", ["ledger.record_items", "tracks.merge"])
async def test_D7_a_password_that_is_changed_in_mid_run_is_read_again_from_its_file(
    rotating: str, database_url: str, tmp_path: Path, call: str
) -> None:
    file = tmp_path / "url"
    file.write_text(rotating.replace("PASSWORD", FIRST))

    def rotate() -> None:
        fetch_all(database_url, f"ALTER ROLE {ROLE} PASSWORD '{SECOND}'")
        terminate(database_url)

    async def rotate_and_mount_later() -> None:
        await asyncio.to_thread(rotate)
        asyncio.get_running_loop().call_later(1.0, file.write_text, rotating.replace("PASSWORD", SECOND))

    at, source = At(call, "before", rotate_and_mount_later), ListSource(a_listing(TRACKS))
    async with PostgresDatabase.prepare(partial(read_database_url, file), application_name="tests") as database:
        result = await run_on(database, source, calls=at)
    assert (at.hit, result.outcome, len(contents(database_url))) == (True, Outcome.SUCCEEDED, TRACKS)
    assert sorted(source.asked) == sorted(set(source.asked))


async def test_D7_a_password_that_stays_wrong_ends_the_run_with_code_30_and_keeps_nothing_of_it_in_any_message(
    rotating: str, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "OUTAGE_SECONDS", 1.0)
    file = tmp_path / "url"
    file.write_text(rotating.replace("PASSWORD", FIRST))

    async def rotate() -> None:
        await asyncio.to_thread(fetch_all, database_url, f"ALTER ROLE {ROLE} PASSWORD '{SECOND}'")
        await asyncio.to_thread(terminate, database_url)

    async with PostgresDatabase.prepare(partial(read_database_url, file), application_name="tests") as database:
        result = await run_on(database, calls=At("tracks.merge", "before", rotate))
    assert (result.outcome, result.reason) == (Outcome.FAILED, "DatabaseCredentialsInvalid")
    assert exit_code_of(result, item_errors=ExitCode.DONE) is ExitCode.CONFIGURATION
    assert "canary" not in result.message
    assert "user or password" in result.message
    assert contents(database_url) == []


async def test_D9_a_stop_while_the_database_is_away_is_bounded_and_the_next_worker_closes_the_row(
    database: PostgresDatabase, database_url: str
) -> None:
    stop = asyncio.Event()
    async with (
        tcp_proxy(database_url) as (proxy, url),
        await PostgresDatabase.connect(url, application_name="behind") as behind,
    ):

        async def lose_it_and_stop() -> None:
            proxy.is_open = False
            proxy.cut()
            asyncio.get_running_loop().call_later(0.5, stop.set)

        began = time.monotonic()
        result = await run_on(behind, calls=At("ledger.record_items", "before", lose_it_and_stop), stop=stop)
        assert time.monotonic() - began < 18
    assert (result.outcome, exit_code_of(result, item_errors=ExitCode.DONE)) == (Outcome.CANCELLED, ExitCode.CANCELLED)
    assert run_row(database_url) == ("running", "", 1)
    expire(database_url)
    assert (await run_on(database, run_id=OTHER_RUN_ID)).outcome is Outcome.SUCCEEDED
    assert run_row(database_url) == ("failed", "LeaseLost", 2)


async def test_D3_a_database_that_stays_away_ends_the_run_as_transient_and_the_next_attempt_goes_on(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "OUTAGE_SECONDS", 1.0)
    monkeypatch.setattr(opening, "DATABASE_WAIT_SECONDS", 1.0)
    source = slow(0.05, count=130)
    async with (
        tcp_proxy(database_url) as (proxy, url),
        await PostgresDatabase.connect(url, application_name="behind") as behind,
    ):

        async def lose_it() -> None:
            proxy.is_open = False
            proxy.cut()

        result = await run_on(behind, source, calls=At("ledger.record_items", "after", lose_it))
        assert (result.outcome, result.reason) == (Outcome.FAILED, "DatabaseUnavailable")
        assert exit_code_of(result, item_errors=ExitCode.DONE) is ExitCode.TRANSIENT
        recorded = fetch_all(database_url, "SELECT slug FROM sync_items WHERE state = 'fetched'")
        assert len(recorded) >= 50
        proxy.is_open = True
        again = slow(0.0, count=130)
        assert (await run_on(behind, again, attempt=2)).outcome is Outcome.SUCCEEDED
    assert again.listings == 0
    assert not {slug for (slug,) in recorded} & set(again.asked)
    assert run_row(database_url, RUN_ID)[0] == "succeeded"
