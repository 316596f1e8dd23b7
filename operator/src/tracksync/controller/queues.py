"""Asks for a run's turn and wakes the next one. Every answer comes from a list that was read for this question.

Two passes that decide about the same queue wait for each other, so that the second one sees what the first one wrote.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from tracksync.core.runs.model import Turn
from tracksync.core.runs.queue import Limits, contender_of, slot_of, turn_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from tracksync.core.runs.model import Key, Manifest
    from tracksync.core.runs.queue import Contender, Slot
    from tracksync.ports import Cluster


class Queues:
    """All queues of the installation; it keeps nothing but the locks of those that are being decided about."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        limits: Limits = Limits(),  # noqa: B008 -- immutable
        namespaces: Sequence[str] = (),
        wake: Callable[[Key], None] | None = None,
    ) -> None:
        """Take the limits, the watched namespaces (none: the cluster), and what wakes a run."""
        self._cluster = cluster
        self._limits = limits
        self._namespaces: tuple[str | None, ...] = tuple(namespaces) or (None,)
        self.wake: Callable[[Key], None] = wake or (lambda _key: None)
        self._locks: WeakValueDictionary[Slot | None, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def deciding(self, run: Manifest) -> AsyncIterator[Turn]:
        """Give the run's turn as it is now; until the block ends no other pass decides about the same queue."""
        lock = self._locks.setdefault(None if self._limits.any else slot_of(run), asyncio.Lock())
        async with lock:
            me = contender_of(run)
            yield Turn() if me is None else turn_of(me, await self._rivals(run), self._limits)

    async def wake_next(self, namespace: str) -> None:
        """Wake every waiting run whose turn has come, after a run of this namespace gave its turn back."""
        contenders = await self._contenders(self._scope(namespace))
        for contender in contenders:
            if not contender.active and not turn_of(contender, contenders, self._limits).position:
                self.wake(contender.key)

    async def _rivals(self, run: Manifest) -> list[Contender]:
        slot = slot_of(run)
        if self._limits.any:
            return await self._contenders(self._scope(slot.namespace))
        return await self._contenders((slot.namespace,), secret=slot.secret)

    def _scope(self, namespace: str) -> tuple[str | None, ...]:
        """Return the namespaces whose runs matter: with a limit of the installation, all of them."""
        return self._namespaces if self._limits.any else (namespace,)

    async def _contenders(self, namespaces: Sequence[str | None], *, secret: str = "") -> list[Contender]:
        lists = [await self._cluster.list_unfinished(namespace, secret=secret) for namespace in namespaces]
        found = (contender_of(run) for runs in lists for run in runs)
        return [contender for contender in found if contender is not None]
