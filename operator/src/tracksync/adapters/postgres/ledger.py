"""The ledger in PostgreSQL: runs and their items, fenced by the run's epoch in every transaction."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, assert_never
from uuid import UUID

from psycopg.types.json import Jsonb

from tracksync.adapters.postgres import statements
from tracksync.adapters.postgres.revision import EXPECTED_REVISION, schema_mismatch
from tracksync.adapters.storable import storable_rows, storable_values
from tracksync.api.result import Outcome
from tracksync.core.tracks.model import FailedItem, FetchedItem
from tracksync.errors import ConfigurationError, FencedError, ListingInvalidError
from tracksync.ports import RunTicket

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from tracksync.adapters.postgres.session import Connection, Session
    from tracksync.api.job import Results
    from tracksync.core.tracks.model import ItemResult, Listing
    from tracksync.ports import RunIdentity

STATES: Final = {
    Outcome.SUCCEEDED: "succeeded",
    Outcome.COMPLETED_WITH_ERRORS: "completed_with_errors",
    Outcome.FAILED: "failed",
    Outcome.CANCELLED: "cancelled",
}
SUCCESSES: Final = frozenset({Outcome.SUCCEEDED, Outcome.COMPLETED_WITH_ERRORS})


class PostgresLedger:
    """`tracksync.ports.Ledger` on PostgreSQL."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def verify_schema(self) -> None:
        """Pass when the database is at the migration that this build expects, else raise SchemaMismatchError."""
        async with self._session.transaction() as connection:
            revision = await _read_revision(connection)
        if revision != EXPECTED_REVISION:
            raise schema_mismatch(revision)

    async def open_run(self, identity: RunIdentity) -> RunTicket:
        """Open the run's row, or re-open it with the next epoch; items of earlier epochs are discarded.

        Raises:
            ConfigurationError: the run has already succeeded, belongs to another source, or its id is no UUID.
        """
        run_id = _run_id(identity)
        values = {
            "run_id": run_id,
            "name": identity.name,
            "namespace": identity.namespace,
            "source": identity.source,
            "attempt": identity.attempt,
        }
        async with self._session.transaction() as connection:
            row = await (await connection.execute(statements.OPEN_RUN, values)).fetchone()
            if row is None:
                raise ConfigurationError(
                    f"run {identity.run_id} has already succeeded, or belongs to another source; start a new run"
                )
            await connection.execute(statements.DISCARD_ITEMS, {"run_id": run_id})
        return RunTicket(identity, epoch=row[0])

    async def stage_listing(self, ticket: RunTicket, listing: Listing, *, fetch_dashboards: bool) -> None:
        """Stage all rows of a complete listing in one transaction; staging again replaces what was staged.

        Raises:
            ListingInvalidError: the listing is not complete; nothing was staged.
        """
        if not listing.is_complete:
            raise ListingInvalidError("the catalogue page is not a complete listing; nothing was staged")
        run_id = _run_id(ticket.identity)
        state = "waiting" if fetch_dashboards else "listed"
        async with fenced(self._session, ticket) as connection:
            await connection.execute(statements.DISCARD_ITEMS, {"run_id": run_id})
            async with connection.cursor() as cursor, cursor.copy(statements.STAGE_ITEMS) as copy:
                copy.set_types(statements.STAGED_TYPES)
                for row in storable_rows(listing, ticket.identity.domain):
                    listed = (row.slug_as_listed, row.name, row.track_url, row.events_url, row.is_featured, row.kind)
                    await copy.write_row((run_id, row.slug, *listed, state))

    async def pending_slugs(self, ticket: RunTicket) -> Sequence[str]:
        """Return the staged slugs that still wait for their dashboard, in slug order."""
        async with fenced(self._session, ticket, is_shared=True) as connection:
            cursor = await connection.execute(statements.PENDING_SLUGS, {"run_id": _run_id(ticket.identity)})
            return [slug for (slug,) in await cursor.fetchall()]

    async def record_items(self, ticket: RunTicket, items: Sequence[ItemResult]) -> None:
        """Commit the outcome of these dashboards with one statement; of two for one slug the last counts."""
        async with fenced(self._session, ticket, is_shared=True) as connection:
            if items:
                await connection.execute(statements.RECORD_ITEMS, _outcomes(ticket, items))

    async def close_run(self, ticket: RunTicket, *, outcome: Outcome, reason: str, results: Results) -> None:
        """Write the run's end; closing it the same way again changes nothing.

        Its items are discarded in the same transaction, but for the failed ones of a run that succeeded.
        """
        values = {
            "run_id": _run_id(ticket.identity),
            "epoch": ticket.epoch,
            "state": STATES[outcome],
            "reason": reason,
            "results": Jsonb(results.to_wire()),
        }
        async with self._session.transaction() as connection:
            row = await (await connection.execute(statements.CLOSE_RUN, values)).fetchone()
            if row is None:
                if await (await connection.execute(statements.IS_CLOSED_AS, values)).fetchone() is None:
                    raise fenced_error(ticket)
                return
            discard = statements.DISCARD_MERGED_ITEMS if outcome in SUCCESSES else statements.DISCARD_ITEMS
            await connection.execute(discard, {"run_id": values["run_id"]})


@asynccontextmanager
async def fenced(
    session: Session, ticket: RunTicket, *, is_shared: bool = False, commit_outlives_cancel: bool = False
) -> AsyncIterator[Connection]:
    """Give a transaction in which no newer epoch of the run can be opened.

    Raises:
        FencedError: a newer epoch exists, or the run is closed; nothing was written.
    """
    fence = statements.FENCE_SHARED if is_shared else statements.FENCE
    values = {"run_id": _run_id(ticket.identity), "epoch": ticket.epoch}
    async with session.transaction(commit_outlives_cancel=commit_outlives_cancel) as connection:
        if await (await connection.execute(fence, values)).fetchone() is None:
            raise fenced_error(ticket)
        yield connection


def fenced_error(ticket: RunTicket) -> FencedError:
    """Return the error of a ticket that no longer counts."""
    return FencedError(f"run {ticket.identity.run_id}: a newer epoch than {ticket.epoch} exists, or the run is closed")


async def _read_revision(connection: Connection) -> str | None:
    exists = await (await connection.execute(statements.REVISION_TABLE_EXISTS)).fetchone()
    if not exists or not exists[0]:
        return None
    row = await (await connection.execute(statements.READ_REVISION)).fetchone()
    return row[0] if row else None


def _run_id(identity: RunIdentity) -> UUID:
    try:
        return UUID(identity.run_id)
    except ValueError:
        raise ConfigurationError("the run id is not a UUID; give the TrackSyncJob's uid or a random UUID") from None


def _outcomes(ticket: RunTicket, items: Sequence[ItemResult]) -> dict[str, list[object]]:
    """Return the items as one array per column."""
    latest = {item.slug: item for item in items}
    run_id = _run_id(ticket.identity)
    rows = [(run_id, *_outcome(item)) for item in latest.values()]
    names = ("run_ids", "slugs", "states", "dashboards", "error_classes", "http_statuses")
    return {name: [row[position] for row in rows] for position, name in enumerate(names)}


def _outcome(item: ItemResult) -> tuple[object, ...]:
    match item:
        case FetchedItem(slug, values):
            return slug, "fetched", Jsonb(storable_values(values)), None, None
        case FailedItem(slug, error_class, http_status):
            return slug, "failed", None, error_class.value, http_status
        case _:
            assert_never(item)
