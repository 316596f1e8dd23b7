"""Patience with the database: a call that failed for now is repeated inside the run, for a while.

Every call of the ports `Ledger` and `TrackStore` may be repeated, whatever became of the one before. What fails for
longer than an outage may last ends the run, which keeps its checkpoint for the next attempt.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from math import ldexp
from random import SystemRandom
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import structlog

from tracksync.errors import DatabaseLoginError, DatabaseUnavailableError, StatementTimeoutError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tracksync.ports import Clock
    from tracksync.worker.model import WorkerPorts

OUTAGE_SECONDS: Final = 60.0
"""How long the database may fail before the run gives up: from the first failure to the last try."""
FIRST_PAUSE: Final = 0.2
"""Seconds before the second try, at most; doubled with each further one."""
LONGEST_PAUSE: Final = 3.0
SHORTEST_PAUSE: Final = 0.02
IMPATIENT: Final = frozenset({"verify_schema", "renew_lease"})
"""Calls that are repeated by those who make them: preflight has its own wait, and the heartbeat its own beat."""
LEFT_TO_CALLER: Final = {"record_items": StatementTimeoutError}
"""What is not repeated as it is: a batch that takes too long is tried again in halves."""

_RANDOM: Final = SystemRandom()
Port = TypeVar("Port")

log = structlog.stdlib.get_logger(__name__)


def with_patience(ports: WorkerPorts) -> WorkerPorts:
    """Return the ports with a ledger and a store that repeat what the database failed for now."""
    patience = _Patience(ports.clock)
    return replace(ports, ledger=_patient(ports.ledger, patience), tracks=_patient(ports.tracks, patience))


def _patient(port: Port, patience: _Patience) -> Port:
    return cast("Port", _Patient(port, patience))


class _Patient:
    """Stands in front of a port: all methods are coroutines, and all of them may be repeated."""

    def __init__(self, port: object, patience: _Patience) -> None:
        self._port = port
        self._patience = patience

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        if name in IMPATIENT:
            return method

        async def call(*args: object, **values: object) -> object:
            return await self._patience.until_done(name, lambda: method(*args, **values))

        return call


class _Patience:
    """One outage is one, whatever is called while it lasts: it ends with the first call that succeeds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since: float | None = None

    async def until_done(self, name: str, call: Callable[[], Awaitable[object]]) -> object:
        """Return what the call returns; repeat it while the database fails for now and the outage is not too long."""
        tries = 0
        while True:
            try:
                result = await call()
            except (DatabaseUnavailableError, DatabaseLoginError) as error:
                tries += 1
                left = self._seconds_left()
                if left <= 0 or isinstance(error, LEFT_TO_CALLER.get(name, ())):
                    raise
                log.warning("database failed, trying again", call=name, problem=str(error), seconds_left=round(left, 1))
            else:
                self._since = None
                return result
            await asyncio.sleep(min(left, pause_after(tries, chance=_RANDOM.random())))

    def _seconds_left(self) -> float:
        now = self._clock.monotonic()
        if self._since is None:
            self._since = now
        return self._since + OUTAGE_SECONDS - now


def pause_after(tries: int, *, chance: float) -> float:
    """Return the seconds until the next try after this many failed ones (1 or more): exponential with full jitter.

    `chance` is a random number from 0 to 1.
    """
    return max(SHORTEST_PAUSE, chance * min(ldexp(FIRST_PAUSE, min(tries - 1, 10)), LONGEST_PAUSE))
