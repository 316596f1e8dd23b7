"""What the database fails for now is repeated for a minute at most, and nothing else is."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.clocks import LoopClock
from tests.support.sources import ListSource, a_listing
from tests.worker.running import a_run, some_ports
from tracksync.adapters.memory import MemoryDatabase
from tracksync.api.result import Outcome
from tracksync.core.tracks.model import UnmodifiedItem
from tracksync.errors import (
    ConfigurationError,
    DatabaseCapacityError,
    DatabaseCredentialsError,
    DatabaseLoginError,
    DatabaseUnavailableError,
    FencedError,
    StatementTimeoutError,
    TrackSyncError,
)
from tracksync.worker.patience import LONGEST_PAUSE, OUTAGE_SECONDS, SHORTEST_PAUSE, pause_after, with_patience
from tracksync.worker.queues import ResultQueue
from tracksync.worker.recording import record_all

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracksync.core.tracks.model import ItemResult
    from tracksync.ports import RunTicket

pytestmark = pytest.mark.looptime


@dataclass
class Failing:
    """A ledger of which every call fails with `error` so many times, or for ever (None)."""

    error: TrackSyncError
    times: int | None = None
    calls: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        async def call(*_: object, **__: object) -> str:
            self.calls.append(name)
            if self.times is not None:
                self.times -= 1
            if self.times is None or self.times >= 0:
                raise self.error
            return name

        return call


def patient(ledger: Failing) -> Any:
    return with_patience(replace(some_ports(MemoryDatabase(LoopClock())), ledger=ledger)).ledger  # type: ignore[type-var]  # a stand-in


@pytest.mark.parametrize(
    "error",
    [
        DatabaseUnavailableError("lost"),
        DatabaseCapacityError("full"),
        StatementTimeoutError("slow"),
        DatabaseLoginError("refused"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_what_may_pass_is_repeated_until_it_does(error: TrackSyncError) -> None:
    ledger = Failing(error, times=5)
    assert await patient(ledger).close_run() == "close_run"
    assert len(ledger.calls) == 6
    assert LoopClock().monotonic() < 15


@pytest.mark.parametrize(
    "error",
    [FencedError("x"), ConfigurationError("x"), DatabaseCredentialsError("x"), TrackSyncError("x")],
    ids=lambda error: type(error).__name__,
)
async def test_what_will_not_pass_is_raised_at_once(error: TrackSyncError) -> None:
    ledger = Failing(error)
    with pytest.raises(type(error)):
        await patient(ledger).close_run()
    assert len(ledger.calls) == 1


async def test_an_outage_has_a_budget_of_its_own_and_each_success_begins_a_new_one() -> None:
    ledger = Failing(DatabaseUnavailableError("lost"))
    port = patient(ledger)
    with pytest.raises(DatabaseUnavailableError):
        await port.close_run()
    assert OUTAGE_SECONDS <= LoopClock().monotonic() <= OUTAGE_SECONDS + 0.1
    tries = len(ledger.calls)
    assert 20 < tries < 200
    with pytest.raises(DatabaseUnavailableError):
        await port.record_items()
    assert len(ledger.calls) == tries + 1
    ledger.times = 0
    await port.record_items()
    ledger.times = 5
    assert await port.record_items() == "record_items"


@pytest.mark.parametrize("name", ["verify_schema", "renew_lease"])
async def test_some_calls_are_left_to_those_who_make_them(name: str) -> None:
    ledger = Failing(DatabaseUnavailableError("lost"))
    with pytest.raises(DatabaseUnavailableError):
        await getattr(patient(ledger), name)()
    assert len(ledger.calls) == 1


async def test_a_batch_that_takes_too_long_is_not_repeated_as_it_is() -> None:
    ledger = Failing(StatementTimeoutError("slow"))
    with pytest.raises(StatementTimeoutError):
        await patient(ledger).record_items()
    assert len(ledger.calls) == 1


async def test_a_cancellation_ends_the_wait() -> None:
    call = asyncio.create_task(patient(Failing(DatabaseUnavailableError("lost"))).close_run())
    await asyncio.sleep(1)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert LoopClock().monotonic() <= 1.1


def test_the_pauses_grow_with_full_jitter_and_have_an_end() -> None:
    assert [pause_after(tries, chance=1.0) for tries in (1, 2, 3, 5, 9, 1000)] == [
        0.2,
        0.4,
        0.8,
        3.0,
        3.0,
        LONGEST_PAUSE,
    ]
    assert pause_after(1000, chance=0.0) == SHORTEST_PAUSE
    assert pause_after(3, chance=0.5) == 0.4


@dataclass
class Slow:
    """A ledger that takes so many items at once at most."""

    limit: int
    sizes: list[int] = field(default_factory=list)
    recorded: list[str] = field(default_factory=list)

    async def record_items(self, _: RunTicket, items: Sequence[ItemResult]) -> None:
        self.sizes.append(len(items))
        if len(items) > self.limit:
            raise StatementTimeoutError("slow")
        self.recorded += [item.slug for item in items]


async def record(ledger: Any, count: int) -> list[str]:
    """Record so many items, and return their slugs."""
    results = ResultQueue(50)
    slugs = [f"track{number}" for number in range(count)]
    for slug in slugs:
        results.put(UnmodifiedItem(slug))
    results.close()
    await record_all(ledger, None, results)  # type: ignore[arg-type]  # a ticket that nobody looks at
    return slugs


async def test_batches_are_halved_until_they_pass_and_stay_small() -> None:
    ledger = Slow(limit=7)
    slugs = await record(ledger, 120)
    assert ledger.recorded == slugs
    assert ledger.sizes[:4] == [50, 25, 12, 6]
    assert max(ledger.sizes[3:]) == 6


async def test_a_single_item_that_takes_too_long_ends_the_stage() -> None:
    ledger = Slow(limit=0)
    with pytest.raises(StatementTimeoutError):
        await record(ledger, 50)
    assert ledger.sizes == [50, 25, 12, 6, 3, 1]


async def test_a_run_outlives_an_outage_of_half_a_minute_in_any_of_its_stages() -> None:
    database = MemoryDatabase(LoopClock())
    source = ListSource(a_listing(60), seconds=4)
    run = asyncio.create_task(a_run(some_ports(database, source), concurrency=2))
    for _ in range(3):
        await asyncio.sleep(10)
        database.is_reachable = False
        await asyncio.sleep(30)
        database.is_reachable = True
    result = await run
    assert result.outcome is Outcome.SUCCEEDED
    assert sorted(source.asked) == [track.slug for track in source.listing.tracks]
