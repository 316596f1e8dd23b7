"""The lease in PostgreSQL: which run may write into a source's tracks, on the database's clock.

Its row is always locked before a run's row, so that taking and giving back never deadlock. Whoever takes an expired
lease raises the epoch of the run that held it, and closes it: every transaction of a run compares that epoch, so the
lease itself needs to be looked at by nobody but those who take, renew or give it back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg.errors import LockNotAvailable

from tracksync.adapters.postgres import lease_statements
from tracksync.adapters.postgres.fencing import fenced_error, run_id_of
from tracksync.errors import FailureReason, LeaseHeldError, lease_held
from tracksync.ports import LEASE_SECONDS

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from tracksync.adapters.postgres.session import Connection, Session
    from tracksync.ports import RunIdentity, RunTicket


async def take_lease(connection: Connection, identity: RunIdentity) -> int:
    """Take the source's lease for this run in the caller's transaction and return the lease's new epoch.

    The run's own lease is taken at once. That of another run is taken when it has expired; that run is fenced, after
    its transaction in flight.

    Raises:
        LeaseHeldError: another run holds it, or its last transaction does not end. The caller must roll back.
    """
    run_id = run_id_of(identity)
    values = {"source": identity.source, "run_id": run_id, "seconds": LEASE_SECONDS}
    await connection.execute(lease_statements.MAKE_LEASE, values)
    cursor = await connection.execute(lease_statements.LOCK_LEASE, values)
    ((holder, name, expires_at, seconds_left),) = await cursor.fetchall()
    if holder != run_id:
        if seconds_left > 0:
            raise lease_held(identity.source, str(holder), name, expires_at=expires_at, seconds_left=seconds_left)
        await _fence(connection, identity.source, holder, name, expires_at)
    ((epoch,),) = await (await connection.execute(lease_statements.TAKE_LEASE, values)).fetchall()
    return int(epoch)


async def _fence(connection: Connection, source: str, holder: UUID, name: str, expires_at: datetime) -> None:
    try:
        values = {"holder": holder, "reason": FailureReason.FENCED.value}
        await connection.execute(lease_statements.FENCE_HOLDER, values)
    except LockNotAvailable:
        raise LeaseHeldError(
            f"run {name or 'without a row'} ({holder}) has let its lease of the source {source!r} expire, but its last "
            "transaction is still under way; nothing was written. Wait until it has ended, or end its database session",
            expires_at=expires_at,
        ) from None


async def give_back(connection: Connection, ticket: RunTicket) -> None:
    """Let the run's lease expire now, in the caller's transaction; another run's is left alone."""
    await connection.execute(lease_statements.GIVE_BACK, _of(ticket))


async def renew(session: Session, ticket: RunTicket) -> None:
    """Hold the lease for LEASE_SECONDS from now, also when it has expired and nobody took it.

    Raises:
        FencedError: somebody did.
    """
    if not await session.statement(lease_statements.RENEW_LEASE, _of(ticket)):
        raise fenced_error(ticket)


def _of(ticket: RunTicket) -> dict[str, object]:
    return {
        "source": ticket.identity.source,
        "run_id": run_id_of(ticket.identity),
        "lease_epoch": ticket.lease_epoch,
        "seconds": LEASE_SECONDS,
    }
