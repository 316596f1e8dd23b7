"""A run on twins, for the engine's tests."""

from __future__ import annotations

import asyncio
from copy import deepcopy
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tests.support.clocks import LoopClock
from tests.support.sources import ListSource, a_listing
from tracksync.adapters.memory import MemoryDatabase, MemoryProgress
from tracksync.core.tracks.freshness import Refresh
from tracksync.liverc.version import PARSER_VERSION
from tracksync.ports import RunIdentity
from tracksync.worker.model import RunRequest, WorkerPorts
from tracksync.worker.run import run_sync

if TYPE_CHECKING:
    from tracksync.api.result import WorkerResult
    from tracksync.ports import Progress, Source

RUN_ID = "6a1f3c52-0f5e-4b7e-9c57-0d6a2c1b7a10"
OTHER_RUN_ID = "22222222-2222-4222-8222-222222222222"
ALL = Refresh(timedelta(0), PARSER_VERSION)
WEEKLY = Refresh(timedelta(days=7), PARSER_VERSION)
SETTING = "spec.target.databaseSecretRef (secret 'tracksync-db', key 'url')"


def a_request(**changes: Any) -> RunRequest:
    """Return a request; attempt and source may be changed beside the request's own fields."""
    identity = RunIdentity(
        run_id=changes.pop("run_id", RUN_ID),
        name="nightly",
        namespace="racing",
        attempt=changes.pop("attempt", 1),
        source="liverc",
    )
    defaults = {"identity": identity, "database_setting": SETTING, "refresh": ALL, "concurrency": 4}
    return RunRequest(**defaults | changes)


def some_ports(database: MemoryDatabase, source: Source | None = None, progress: Progress | None = None) -> WorkerPorts:
    """Return ports on twins; the source lists twelve tracks unless another one is given."""
    return WorkerPorts(
        ledger=database.ledger,
        tracks=database.tracks,
        source=source or ListSource(a_listing(12)),
        progress=progress or MemoryProgress(),
        clock=LoopClock(),
    )


async def a_run(ports: WorkerPorts, *, stop: asyncio.Event | None = None, **changes: Any) -> WorkerResult:
    """Run everything."""
    return await run_sync(a_request(**changes), ports, stop=stop or asyncio.Event())


async def a_filled_database() -> MemoryDatabase:
    """Return a database as an earlier run left it, with tracks that a later one has to change."""
    database = MemoryDatabase(LoopClock())
    await a_run(some_ports(database, ListSource(a_listing(5))), run_id="11111111-1111-4111-8111-111111111111")
    for row in database.rows.values():
        row["name"] = "A name of yesterday"
    return database


def rows_of(database: MemoryDatabase) -> dict[Any, Any]:
    """Return the tracks as they are now."""
    return deepcopy(database.rows)


def contents_of(database: MemoryDatabase) -> dict[str, dict[str, object]]:
    """Return the tracks' values without what differs from run to run."""
    volatile = {"id", "created_at", "updated_at", "last_seen_at"}
    return {
        str(row["slug"]): {column: value for column, value in row.items() if column not in volatile}
        for row in database.rows.values()
    }
