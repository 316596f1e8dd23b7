"""Ports with somebody in between: something happens just before or just after one chosen call.

`calls_of` lists a run's calls, so that a test can go through all of them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tracksync.worker.model import WorkerPorts

When = Literal["before", "after"]
PORTS = ("ledger", "tracks", "source")


@dataclass
class Calls:
    """The calls of a run in their order; `act` is awaited at the chosen one."""

    chosen: int | None = None
    when: When = "before"
    act: Callable[[], Awaitable[None]] | None = None
    names: list[str] = field(default_factory=list)
    returned: list[str] = field(default_factory=list)
    hit: bool = False

    async def through(self, name: str, call: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> Any:
        self.names.append(name)
        is_chosen = self.act is not None and len(self.names) - 1 == self.chosen
        if is_chosen and self.when == "before":
            await self._hit()
        result = await call(*args, **kwargs)
        self.returned.append(name)
        if is_chosen and self.when == "after":
            await self._hit()
        return result

    async def _hit(self) -> None:
        self.hit = True
        assert self.act is not None
        await self.act()


class At:
    """Does something at the first call of this name.

    Attributes:
        names: every call so far.
        hit: whether it was done.
        seconds: how long the call took, what was done before it included.
    """

    def __init__(self, name: str, when: When, act: Callable[[], Awaitable[None]]) -> None:
        self._name, self._when, self._act = name, when, act
        self._began = 0.0
        self.names: list[str] = []
        self.hit = False
        self.seconds: float | None = None

    async def through(self, name: str, call: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> Any:
        is_first = name == self._name and name not in self.names
        self.names.append(name)
        if is_first:
            self._began = time.monotonic()
            if self._when == "before":
                self.hit = True
                await self._act()
        result = await call(*args, **kwargs)
        if is_first and self._when == "after":
            self.hit = True
            await self._act()
        if name == self._name and self.seconds is None:
            self.seconds = time.monotonic() - self._began
        return result


class _Between:
    def __init__(self, port: Any, prefix: str, calls: Calls | At) -> None:
        self._port, self._prefix, self._calls = port, prefix, calls

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        if name == "traffic":
            return method

        async def call(*args: Any, **kwargs: Any) -> Any:
            return await self._calls.through(f"{self._prefix}.{name}", method, *args, **kwargs)

        return call


def between(ports: WorkerPorts, calls: Calls | At) -> WorkerPorts:
    """Return the ports with `calls` in between."""
    return replace(ports, **{name: _Between(getattr(ports, name), name, calls) for name in PORTS})
