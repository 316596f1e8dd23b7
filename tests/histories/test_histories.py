"""Generated histories, on the twin and on PostgreSQL: the table is the truth, the counters are what happened."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.histories.history import History
from tests.histories.stores import MemoryBench, PostgresBench
from tests.support.postgres import PostgresServer, postgres_server
from tracksync.worker import opening

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["postgres_server"]

SCALE = float(os.environ.get("TRACKSYNC_TEST_HISTORIES", "1"))
"""How many times the usual number of histories."""
FIRST = int(os.environ.get("TRACKSYNC_TEST_HISTORIES_FROM", "0"))
ON_THE_TWIN = range(FIRST, FIRST + int(60 * SCALE))
ON_POSTGRES = range(FIRST, FIRST + int(12 * SCALE))
STEPS = 12


@pytest.fixture(scope="module")
def url(postgres_server: PostgresServer) -> Iterator[str]:
    with postgres_server.database() as found:
        yield found


@pytest.mark.looptime
@pytest.mark.parametrize("seed", ON_THE_TWIN)
async def test_a_history_on_the_twin_ends_in_the_truth(seed: int) -> None:
    history = History(MemoryBench(), seed)
    await history.unfold(STEPS)
    assert history.told


@pytest.mark.parametrize("seed", ON_POSTGRES)
async def test_a_history_on_postgresql_ends_in_the_truth(seed: int, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "LEASE_POLL_SECONDS", 0.05)
    history = History(PostgresBench(url), seed)
    await history.unfold(STEPS)
    assert history.told
