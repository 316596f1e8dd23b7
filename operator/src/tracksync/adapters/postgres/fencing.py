"""The fence: no transaction of a run goes on once a newer epoch of the run exists."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final
from uuid import UUID

from tracksync.adapters.postgres import ledger_statements, statements
from tracksync.errors import ConfigurationError, FencedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from psycopg.sql import SQL, Composed

    from tracksync.adapters.postgres.session import Connection, Session, Settle
    from tracksync.ports import RunIdentity, RunTicket

SHARED_TIMEOUT: Final = "30s"
"""How long a statement under a shared fence may take: it is short work, and a longer one is tried again in halves."""


@asynccontextmanager
async def fenced(
    session: Session,
    ticket: RunTicket,
    *,
    is_shared: bool = False,
    commit_outlives_cancel: bool = False,
    settle: Settle | None = None,
) -> AsyncIterator[Connection]:
    """Give a transaction in which no newer epoch of the run can be opened, and no other run can take its lease.

    `is_shared` lets others of the same epoch work beside it, and holds for short statements only (SHARED_TIMEOUT).
    `settle` is what `written` returns, or the like: what tells whether a COMMIT with a lost answer succeeded.

    Raises:
        FencedError: a newer epoch exists, another run took the lease, or the run is closed; nothing was written.
    """
    fence = statements.FENCE_SHARED if is_shared else statements.FENCE
    values = {"run_id": run_id_of(ticket.identity), "epoch": ticket.epoch}
    async with session.transaction(
        commit_outlives_cancel=commit_outlives_cancel,
        settle=settle,
        statement_timeout=SHARED_TIMEOUT if is_shared else "",
    ) as connection:
        if await (await connection.execute(fence, values)).fetchone() is None:
            raise fenced_error(ticket)
        yield connection


def written(run_id: UUID, question: SQL | Composed, values: Mapping[str, object]) -> Settle:
    """Return what tells whether a transaction of the run was committed: the question then has a row, else none.

    The run's row is locked first, and so waits for the transaction if its backend is still at it. `values` is read when
    the question is asked: the transaction may put into it what it wrote.
    """

    async def settle(connection: Connection) -> bool:
        await connection.execute(ledger_statements.LOCK_RUN, {"run_id": run_id})
        return await (await connection.execute(question, values)).fetchone() is not None

    return settle


def fenced_error(ticket: RunTicket) -> FencedError:
    """Return the error of a ticket that no longer counts."""
    return FencedError(
        f"run {ticket.identity.run_id}: a newer epoch than {ticket.epoch} exists, another run took the lease of the "
        f"source {ticket.identity.source!r}, or the run is closed"
    )


def run_id_of(identity: RunIdentity) -> UUID:
    """Return the run's id; ConfigurationError when it is no UUID."""
    try:
        return UUID(identity.run_id)
    except ValueError:
        raise ConfigurationError("the run id is not a UUID; give the TrackSyncJob's uid or a random UUID") from None
