"""A crash before and after every single port call of a run.

No track is touched unless the merge was committed, and the next attempt ends in the same state as a run without a
crash. Four kinds of crash: a bug (unexpected exception), a lost database (this call and all later ones fail), a fault
that the ports name (DatabaseUnavailableError once; the run repeats what the database failed for now), and a kill, after
which the process does nothing more at all. A real SIGKILL belongs to tests/e2e.
"""

from __future__ import annotations

from traceback import format_exception
from typing import TYPE_CHECKING

import pytest

from tests.support.clocks import LoopClock
from tests.support.interfering import Calls, When, between
from tests.support.sources import ListSource, a_listing
from tests.worker.running import RUN_ID, a_filled_database, a_request, a_run, contents_of, rows_of, some_ports
from tracksync.adapters.memory import MemoryDatabase
from tracksync.api.result import Outcome
from tracksync.errors import DatabaseUnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

pytestmark = pytest.mark.looptime

CALLS = 21
"""Port calls of the run on twelve tracks; `test_every_call_has_its_crash` holds the figure."""
SLOW_CALLS = 23
"""The same run with a slow source, which has checkpoints on the way."""
LAST_FETCH = 19
SLOW = {"concurrency": 2, "batch_size": 4}


def crash(kind: str, database: MemoryDatabase) -> Callable[[], Awaitable[None]]:
    async def act() -> None:
        match kind:
            case "bug":
                raise RuntimeError("crashed")
            case "lost database":
                database.is_reachable = False
                raise DatabaseUnavailableError("the connection to the database was lost")
            case "fault":
                raise DatabaseUnavailableError("the database failed for now")

    return act


async def test_every_call_has_its_crash() -> None:
    calls = Calls()
    await a_run(between(some_ports(await a_filled_database()), calls))
    assert len(calls.names) == CALLS


@pytest.mark.parametrize("kind", ["bug", "lost database", "fault"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("position", range(CALLS))
async def test_a_crash_at_any_call_touches_no_track_and_is_healed_by_the_next_attempt(
    position: int, when: When, kind: str
) -> None:
    expected = await a_filled_database()
    await a_run(some_ports(expected))
    database = await a_filled_database()
    before = rows_of(database)
    calls = Calls(position, when, crash(kind, database))

    result = await a_run(between(some_ports(database), calls))
    name = calls.names[position]
    if "tracks.merge" not in calls.returned:
        assert rows_of(database) == before
    is_retried = kind == "fault" and not name.startswith("source.")
    assert (calls.hit, result.outcome) == (True, Outcome.SUCCEEDED if is_retried else Outcome.FAILED)

    database.is_reachable = True
    if not is_retried and (name, when) != ("ledger.close_run", "after"):
        second = await a_run(some_ports(database), attempt=2)
        assert second.outcome is Outcome.SUCCEEDED
    assert contents_of(database) == contents_of(expected)


class KilledError(BaseException):
    """No code of a run catches it, and none of it runs on but what has to unwind."""


def a_slow_source() -> ListSource:
    """Return a source that is so slow that checkpoints are committed while others are under way."""
    return ListSource(a_listing(12), seconds=1)


async def killed_at(database: MemoryDatabase, position: int, when: When) -> Calls:
    """Run an attempt that is killed just before or after this call."""

    async def kill() -> None:
        raise KilledError

    calls = Calls(position, when, kill)
    with pytest.raises(BaseException) as death:  # noqa: PT011 -- a group of any depth, looked into below
        await a_run(between(some_ports(database, a_slow_source()), calls), **SLOW)
    assert "KilledError" in "".join(format_exception(death.value))
    assert database.runs[RUN_ID].outcome is None if RUN_ID in database.runs else position <= 1
    return calls


async def test_every_call_of_the_slow_run_has_its_kill() -> None:
    calls = Calls()
    await a_run(between(some_ports(await a_filled_database(), a_slow_source()), calls), **SLOW)
    assert len(calls.names) == SLOW_CALLS
    assert calls.names[LAST_FETCH] == "source.fetch_dashboard"
    assert "ledger.record_items" in calls.names[:LAST_FETCH]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("position", range(SLOW_CALLS - 1))
async def test_after_a_kill_at_any_call_nothing_that_was_committed_is_asked_for_again(
    position: int, when: When
) -> None:
    expected = await a_filled_database()
    await a_run(some_ports(expected))
    database = await a_filled_database()
    calls = await killed_at(database, position, when)
    items = database.items.get(RUN_ID, {})
    committed = {slug for slug, item in items.items() if item.state == "fetched"}

    source = ListSource(a_listing(12))
    second = await a_run(some_ports(database, source), attempt=2)
    assert second.outcome is Outcome.SUCCEEDED
    assert set(source.asked) == {track.slug for track in source.listing.tracks} - committed
    assert source.listings == (0 if "ledger.stage_listing" in calls.returned else 1)
    assert second.status.results is not None
    assert second.status.results.fetched == 12
    assert contents_of(database) == contents_of(expected)


async def test_kills_hit_runs_that_had_committed_something() -> None:
    """Without this the test above could pass on runs that never committed anything before they were killed."""
    database = await a_filled_database()
    await killed_at(database, LAST_FETCH, "before")
    assert sum(item.state == "fetched" for item in database.items[RUN_ID].values()) >= 4


async def test_a_newer_epoch_fences_the_older_process_off() -> None:
    database = await a_filled_database()
    before = rows_of(database)

    async def open_a_newer_epoch() -> None:
        identity = next(run.identity for run in database.runs.values() if run.outcome is None)
        await database.ledger.open_run(identity, spec_hash=a_request().spec_hash)

    calls = Calls()
    await a_run(between(some_ports(MemoryDatabase(LoopClock())), calls))
    fencing = Calls(calls.names.index("tracks.merge"), "before", open_a_newer_epoch)
    result = await a_run(between(some_ports(database), fencing))
    assert (result.outcome, result.reason) == (Outcome.FAILED, "LeaseLost")
    assert rows_of(database) == before
