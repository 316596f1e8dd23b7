"""Runs in PostgreSQL: how they are opened and closed; their items are in `staging`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from psycopg.types.json import Jsonb

from tracksync.adapters.checkpoint import CHECKPOINT_FORMAT, merged_counters, summary_or_none
from tracksync.adapters.postgres import lease, ledger_statements, statements
from tracksync.adapters.postgres.fencing import fenced_error, run_id_of, written
from tracksync.adapters.postgres.revision import EXPECTED_REVISION, schema_mismatch
from tracksync.adapters.postgres.staging import PostgresStaging, go_on
from tracksync.api.result import Outcome
from tracksync.core.tracks.history import STATES
from tracksync.core.tracks.plan import RunMode
from tracksync.errors import ConfigurationError
from tracksync.liverc.version import PARSER_VERSION
from tracksync.ports import RunTicket

if TYPE_CHECKING:
    from uuid import UUID

    from tracksync.adapters.postgres.session import Connection, Session
    from tracksync.api.job import Results
    from tracksync.core.tracks.model import ListingSummary
    from tracksync.ports import RunIdentity

SUCCESSES: Final = frozenset({Outcome.SUCCEEDED, Outcome.COMPLETED_WITH_ERRORS})


class PostgresLedger(PostgresStaging):
    """`tracksync.ports.Ledger` on PostgreSQL."""

    def __init__(self, session: Session, second_session: Session) -> None:
        """Work on `session`; the lease is renewed on the second one, beside whatever the first one does."""
        super().__init__(session)
        self._second_session = second_session

    async def verify_schema(self) -> None:
        """Pass when the database is at the migration that this build expects, else raise SchemaMismatchError."""
        async with self._session.transaction() as connection:
            revision = await _read_revision(connection)
        if revision != EXPECTED_REVISION:
            raise schema_mismatch(revision)

    async def open_run(self, identity: RunIdentity, *, spec_hash: str, mode: RunMode = RunMode.APPLY) -> RunTicket:
        """Take the source's lease and open the run's row, or re-open it with the next epoch.

        A re-opened run goes on with what is left of it: its checkpoint, or what its merge did when that was committed.

        Raises:
            LeaseHeldError: another run holds the lease; nothing was written.
            ConfigurationError: the run has already succeeded, belongs to another source, or its id is no UUID.
        """
        run_id = run_id_of(identity)
        opened: dict[str, object] = {"run_id": run_id}
        settle = written(run_id, ledger_statements.IS_OPENED, opened)
        async with self._session.transaction(settle=settle) as connection:
            lease_epoch = await lease.take_lease(connection, identity)
            values = _row_of(identity, run_id, spec_hash, mode)
            row = await (await connection.execute(ledger_statements.OPEN_RUN, values)).fetchone()
            if row is None:
                raise ConfigurationError(
                    f"run {identity.run_id} has already succeeded, or belongs to another source; start a new run"
                )
            epoch, planned_start, started_at, checkpoint_format, listing, merged = row
            opened |= {"epoch": epoch, "started_at": started_at}
            done = merged_counters(merged)
            if done is None:
                summary = summary_or_none(listing, checkpoint_format=checkpoint_format)
                checkpoint = await go_on(connection, identity, summary)
            else:
                checkpoint = await _as_merged(connection, run_id, listing)
        return RunTicket(
            identity,
            epoch=epoch,
            planned_start=planned_start,
            checkpoint=checkpoint,
            mode=mode,
            merged=done,
            lease_epoch=lease_epoch,
        )

    async def renew_lease(self, ticket: RunTicket) -> None:
        """Hold the source's lease for a further LEASE_SECONDS; FencedError when it is not this run's any more."""
        await lease.renew(self._second_session, ticket)

    async def close_run(
        self, ticket: RunTicket, *, outcome: Outcome, reason: str, results: Results, keep_checkpoint: bool = False
    ) -> None:
        """Write the run's end and give its lease back; closing it the same way again changes nothing.

        Its items are discarded in the same transaction, but for all of a failed or cancelled run that keeps its
        checkpoint. Else what failed stays: of a failed or cancelled run which tracks, how and how often, and no more.
        """
        is_kept = keep_checkpoint and outcome not in SUCCESSES
        run_id = run_id_of(ticket.identity)
        values: dict[str, object] = {
            "run_id": run_id,
            "epoch": ticket.epoch,
            "state": STATES[outcome],
            "reason": reason,
            "results": Jsonb(results.to_wire()),
            "keep_checkpoint": is_kept,
        }
        settle = written(run_id, ledger_statements.IS_CLOSED_AS, values)
        async with self._session.transaction(settle=settle) as connection:
            await lease.give_back(connection, ticket)
            row = await (await connection.execute(ledger_statements.CLOSE_RUN, values)).fetchone()
            if row is None:
                if await (await connection.execute(ledger_statements.IS_CLOSED_AS, values)).fetchone() is None:
                    raise fenced_error(ticket)
                return
            if not is_kept:
                is_merged = outcome in SUCCESSES
                discard = statements.DISCARD_MERGED_ITEMS if is_merged else statements.DISCARD_ALL_BUT_FAILURES
                await connection.execute(discard, {"run_id": run_id})


async def _as_merged(connection: Connection, run_id: UUID, listing: object) -> ListingSummary | None:
    """Return what a run that has merged knew of its listing and of its items, as far as it is still there."""
    summary = summary_or_none(listing, checkpoint_format=CHECKPOINT_FORMAT)
    row = await (await connection.execute(ledger_statements.COUNT_ENDS, {"run_id": run_id})).fetchone()
    due, not_modified, failed = row or (0, 0, 0)
    return None if summary is None else replace(summary, due=due, not_modified=not_modified, failed=failed)


def _row_of(identity: RunIdentity, run_id: UUID, spec_hash: str, mode: RunMode) -> dict[str, object]:
    return {
        "run_id": run_id,
        "name": identity.name,
        "namespace": identity.namespace,
        "source": identity.source,
        "attempt": identity.attempt,
        "spec_hash": spec_hash,
        "mode": mode.value,
        "parser_version": PARSER_VERSION,
    }


async def _read_revision(connection: Connection) -> str | None:
    exists = await (await connection.execute(ledger_statements.REVISION_TABLE_EXISTS)).fetchone()
    if not exists or not exists[0]:
        return None
    row = await (await connection.execute(ledger_statements.READ_REVISION)).fetchone()
    return row[0] if row else None
