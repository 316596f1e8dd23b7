"""The safety net: every TrackSyncJob that is not settled is woken from time to time, event or not.

kopf lists once and then trusts its watch; an event that gets lost is lost (reliability: K7, K9).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from tracksync.controller.handlers import is_settled
from tracksync.controller.observe import key_of
from tracksync.core.runs.reading import is_outlived
from tracksync.errors import TrackSyncError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracksync.core.runs.model import Key
    from tracksync.ports import Clock, Cluster

_log = structlog.get_logger(__name__)


class Resync:
    """Lists and wakes, again and again; also knows when it last got around, for the liveness probe."""

    def __init__(
        self, cluster: Cluster, clock: Clock, wake: Callable[[Key], None], *, namespaces: Sequence[str], period: float
    ) -> None:
        """Take the namespaces to list (none: the cluster) and the period in seconds."""
        self._cluster = cluster
        self._clock = clock
        self._wake = wake
        self._namespaces: tuple[str | None, ...] = tuple(namespaces) or (None,)
        self.period = period
        self._last_round = clock.monotonic()

    async def run(self) -> None:
        """Go round until cancelled; an unreachable API server only delays."""
        while True:
            await asyncio.sleep(self.period)
            await self.round()

    async def round(self) -> None:
        """List once and wake whatever is not settled."""
        for namespace in self._namespaces:
            try:
                runs = await self._cluster.list_runs(namespace)
            except TrackSyncError as error:
                _log.warning("resync_failed", namespace=namespace, problem=str(error))
                continue
            for run in runs:
                if not is_settled(run) or is_outlived(run, self._clock.now()):
                    self._wake(key_of(run))
        self._last_round = self._clock.monotonic()

    def seconds_since_round(self) -> float:
        """Return how long ago the last round ended, whether the API server answered or not."""
        return self._clock.monotonic() - self._last_round
