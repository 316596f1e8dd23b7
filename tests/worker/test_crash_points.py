"""A crash before and after every single port call of a run.

No track is touched unless the merge was committed, and the next attempt ends in the same state as a run without a
crash. Three kinds of crash: a bug (unexpected exception), a lost database (this call and all later ones fail), and a
fault that the ports name (DatabaseUnavailableError once). SIGKILL belongs to tests/e2e.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.clocks import LoopClock
from tests.support.interfering import Calls, When, between
from tests.worker.running import a_filled_database, a_run, contents_of, rows_of, some_ports
from tracksync.adapters.memory import MemoryDatabase
from tracksync.api.result import Outcome
from tracksync.errors import DatabaseUnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

pytestmark = pytest.mark.looptime

CALLS = 20
"""Port calls of the run on twelve tracks; `test_every_call_has_its_crash` holds the figure."""


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
    is_retried = name == "ledger.verify_schema" and kind == "fault"
    assert (calls.hit, result.outcome) == (True, Outcome.SUCCEEDED if is_retried else Outcome.FAILED)

    database.is_reachable = True
    if not is_retried and (name, when) != ("ledger.close_run", "after"):
        second = await a_run(some_ports(database), attempt=2)
        assert second.outcome is Outcome.SUCCEEDED
    assert contents_of(database) == contents_of(expected)


async def test_a_newer_epoch_fences_the_older_process_off() -> None:
    database = await a_filled_database()
    before = rows_of(database)

    async def open_a_newer_epoch() -> None:
        identity = next(run.identity for run in database.runs.values() if run.outcome is None)
        await database.ledger.open_run(identity)

    calls = Calls()
    await a_run(between(some_ports(MemoryDatabase(LoopClock())), calls))
    fencing = Calls(calls.names.index("tracks.merge"), "before", open_a_newer_epoch)
    result = await a_run(between(some_ports(database), fencing))
    assert (result.outcome, result.reason) == (Outcome.FAILED, "LeaseLost")
    assert rows_of(database) == before
