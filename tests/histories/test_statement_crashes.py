"""Crash points: a run is killed before and after each of its SQL statements, resumed, and ends as if never killed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

import pytest

from tests.histories.history import CONTENT, History, KilledError, Run, exception_names
from tests.histories.oracle import Wish
from tests.histories.statements import Statements, watch
from tests.histories.stores import PostgresBench
from tests.histories.world_source import WorldSource
from tests.support.postgres import PostgresServer, postgres_server
from tracksync.api.result import Outcome
from tracksync.errors import ConfigurationError
from tracksync.simulator.day import after_days

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["postgres_server"]

ANY_NUMBER = Wish(max_percent=100, max_count=1_000_000)
FIRST_RUN, RUN = str(UUID(int=1, version=4)), str(UUID(int=2, version=4))
MOST_STATEMENTS = 200
MERGED = "UPDATE runs SET merged"
"""The merge's last statement before its COMMIT."""


@pytest.fixture(scope="module")
def url(postgres_server: PostgresServer) -> Iterator[str]:
    with postgres_server.database() as found:
        yield found


async def a_day_later(bench: PostgresBench) -> History:
    """Return a history of one full run, and a world in which tracks are new, changed and gone since."""
    history = History(bench, seed=7)
    run = Run(FIRST_RUN, ANY_NUMBER, None)
    await history.start(run, WorldSource(history.world, run.served))
    history.world = after_days(history.world, 20)
    bench.save()
    return history


async def an_attempt(history: History, attempt: int) -> tuple[str, int]:
    """Start the run's next epoch; return how it ended and how many dashboards it asked for."""
    run = Run(RUN, ANY_NUMBER, timedelta(0), attempt=attempt - 1)
    source = WorldSource(history.world, run.served)
    try:
        result = await history.start(run, source)
    except BaseException as death:
        if KilledError.__name__ not in exception_names(death):
            raise
        return "killed", source.asked
    return result.outcome if result.reason != ConfigurationError.reason else result.reason, source.asked


def end_state(bench: PostgresBench) -> tuple[Any, ...]:
    rows = bench.rows()
    contents = {slug: ([row[column] for column in CONTENT], row["is_active"]) for slug, row in rows.items()}
    return contents, bench.changes(RUN), bench.state(RUN)


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_kill_at_any_statement_is_healed_by_the_next_attempt(
    when: Literal["before", "after"], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = PostgresBench(url)
    history = await a_day_later(bench)
    recorded = Statements()
    watch(recorded, monkeypatch)
    assert (await an_attempt(history, 1))[0] is Outcome.SUCCEEDED
    expected = end_state(bench)
    assert {kind for _, kind, _ in expected[1]} == {"inserted", "updated", "deactivated"}
    assert len(recorded.sent) < MOST_STATEMENTS
    merge = recorded.sent.index(MERGED)
    for position, statement in enumerate(recorded.sent):
        bench.go_back()
        before, dying = bench.fingerprint(), Statements(position, when)
        watch(dying, monkeypatch)
        where = f"{when} statement {position}: {statement}"
        assert ((await an_attempt(history, 1))[0], dying.is_dead) == ("killed", True), where
        assert position > merge or bench.fingerprint() == before, where
        watch(Statements(), monkeypatch)
        outcome, _ = await an_attempt(history, 2)
        is_closed = outcome == ConfigurationError.reason and position > merge
        assert outcome is Outcome.SUCCEEDED or is_closed, where
        assert end_state(bench) == expected, where
