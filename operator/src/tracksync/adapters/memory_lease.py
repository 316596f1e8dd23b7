"""The lease of the in-memory database, on its clock."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from tracksync.adapters.memory_tables import Lease, fenced_error, run_key
from tracksync.api.result import Outcome
from tracksync.errors import FailureReason, lease_held
from tracksync.ports import LEASE_SECONDS

if TYPE_CHECKING:
    from tracksync.adapters.memory_tables import MemoryTables
    from tracksync.ports import RunIdentity, RunTicket


def verify_free(tables: MemoryTables, identity: RunIdentity) -> None:
    """Pass when the run may take the lease; else raise LeaseHeldError."""
    lease, now = tables.leases.get(identity.source), tables.clock.now()
    if lease is None or lease.run_id == run_key(identity) or lease.expires_at <= now:
        return
    holder = tables.runs.get(lease.run_id)
    raise lease_held(
        identity.source,
        lease.run_id,
        holder.identity.name if holder is not None else "",
        expires_at=lease.expires_at,
        seconds_left=(lease.expires_at - now).total_seconds(),
    )


def take(tables: MemoryTables, identity: RunIdentity) -> int:
    """Take the lease, fence and close another run that held it, and return the lease's epoch."""
    lease = tables.leases.get(identity.source)
    if lease is not None and lease.run_id != run_key(identity):
        holder = tables.runs.get(lease.run_id)
        if holder is not None and holder.outcome is None:
            holder.epoch += 1
            holder.outcome, holder.reason = Outcome.FAILED, FailureReason.FENCED
            holder.finished_at = tables.clock.now()
    epoch = 1 if lease is None else lease.epoch + 1
    tables.leases[identity.source] = Lease(run_key(identity), epoch, tables.clock.now() + _term())
    return epoch


def renew(tables: MemoryTables, ticket: RunTicket) -> None:
    """Hold the lease for a further LEASE_SECONDS; raise FencedError when it is not this run's."""
    tables.check_reachable()
    lease = _own(tables, ticket)
    if lease is None:
        raise fenced_error(ticket)
    tables.leases[ticket.identity.source] = replace(lease, expires_at=tables.clock.now() + _term())


def give_back(tables: MemoryTables, ticket: RunTicket) -> None:
    """Let the run's lease expire now; another run's is left alone."""
    lease = _own(tables, ticket)
    if lease is not None:
        expires_at = min(lease.expires_at, tables.clock.now())
        tables.leases[ticket.identity.source] = replace(lease, expires_at=expires_at)


def _own(tables: MemoryTables, ticket: RunTicket) -> Lease | None:
    lease = tables.leases.get(ticket.identity.source)
    is_own = lease is not None and (lease.run_id, lease.epoch) == (run_key(ticket.identity), ticket.lease_epoch)
    return lease if is_own else None


def _term() -> timedelta:
    return timedelta(seconds=LEASE_SECONDS)
