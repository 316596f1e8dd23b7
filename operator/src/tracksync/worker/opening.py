"""How a run gets its right to write, and keeps it: the wait for the database and for the lease, and the heartbeat."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, NoReturn

import structlog

from tracksync.errors import DatabaseUnavailableError, FencedError, LeaseHeldError, TrackSyncError
from tracksync.ports import HEARTBEAT_SECONDS, LEASE_SECONDS

if TYPE_CHECKING:
    from tracksync.ports import Clock, Ledger, RunTicket
    from tracksync.worker.model import RunRequest, WorkerPorts

DATABASE_WAIT_SECONDS: Final = 20.0
"""How long preflight waits for a database that does not answer; it may be starting at the same time."""
DATABASE_PAUSE_SECONDS: Final = 1.0
LEASE_POLL_SECONDS: Final = 2.0
LEASE_WAIT_SECONDS: Final = LEASE_SECONDS + 10.0
"""How long preflight waits for the lease: a holder that died lets it expire by then."""
AFTER_FAILURE_SECONDS: Final = 2.0
"""How soon a renewal that failed is tried again."""

log = structlog.stdlib.get_logger(__name__)


async def reach_database(ledger: Ledger, clock: Clock) -> None:
    """Pass when the database answers and is at the expected migration; wait a little for one that does not answer."""
    deadline = clock.monotonic() + DATABASE_WAIT_SECONDS
    while True:
        try:
            await ledger.verify_schema()
        except DatabaseUnavailableError:
            if clock.monotonic() >= deadline:
                raise
            log.warning("database does not answer, waiting", seconds_left=round(deadline - clock.monotonic(), 1))
            await asyncio.sleep(DATABASE_PAUSE_SECONDS)
        else:
            return


async def open_run(request: RunRequest, ports: WorkerPorts) -> RunTicket:
    """Open the run; wait for a lease that nobody renews.

    Raises:
        LeaseHeldError: its holder renews it, so it lives and works; or it can still not be had after its term.
    """
    deadline = ports.clock.monotonic() + LEASE_WAIT_SECONDS
    first: LeaseHeldError | None = None
    while True:
        try:
            return await ports.ledger.open_run(request.identity, spec_hash=request.spec_hash, mode=request.mode)
        except LeaseHeldError as error:
            first = first or error
            if error.expires_at > first.expires_at or ports.clock.monotonic() >= deadline:
                raise
            log.warning("lease is held, waiting for it to expire or to be renewed", problem=str(error))
        await asyncio.sleep(LEASE_POLL_SECONDS)


async def hold_lease(ledger: Ledger, opened: asyncio.Future[RunTicket]) -> NoReturn:
    """Renew the lease from the moment that the run is open, until cancelled.

    A database that is away is only logged: whether somebody took the lease meanwhile, every transaction finds out.

    Raises:
        FencedError: somebody did, or opened a newer epoch; this run must stop.
    """
    ticket = await asyncio.shield(opened)  # a heartbeat that is cancelled must not take the ticket along
    pause = HEARTBEAT_SECONDS
    while True:
        await asyncio.sleep(pause)
        try:
            await ledger.renew_lease(ticket)
        except FencedError:
            raise
        except TrackSyncError as error:
            pause = AFTER_FAILURE_SECONDS
            log.warning("lease not renewed, trying again", problem=str(error))
        else:
            pause = HEARTBEAT_SECONDS
