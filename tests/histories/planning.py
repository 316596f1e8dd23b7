"""A plan, made with the ports as a worker makes it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.histories.stores import ports_of
from tests.support.clocks import LoopClock
from tracksync.adapters.memory import MemoryProgress
from tracksync.api.result import Outcome
from tracksync.core.tracks.plan import RunMode
from tracksync.worker.run import run_sync

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracksync.core.tracks.plan import MergePlan, TrackChange
    from tracksync.ports import TrackStore
    from tracksync.worker.model import RunRequest


class _Watched:
    """The store, remembering the plan that it made."""

    def __init__(self, tracks: TrackStore) -> None:
        self._tracks = tracks
        self.made: MergePlan | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tracks, name)

    async def plan(self, *args: Any, **kwargs: Any) -> MergePlan:
        self.made = await self._tracks.plan(*args, **kwargs)
        return self.made


async def plan_of(database: Any, request: RunRequest, source: Any) -> tuple[Any, Sequence[TrackChange]]:
    """Run in plan mode, and return the counters and the changes of the plan."""
    ports = ports_of(database, source=source, progress=MemoryProgress(), clock=LoopClock())
    watched = _Watched(ports.tracks)
    planning = replace(request, mode=RunMode.PLAN)
    result = await run_sync(planning, replace(ports, tracks=watched), stop=asyncio.Event())
    assert result.outcome in {Outcome.SUCCEEDED, Outcome.COMPLETED_WITH_ERRORS}, result
    assert watched.made is not None
    return watched.made.counters, watched.made.changes
