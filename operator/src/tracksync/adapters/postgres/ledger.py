"""The ledger in PostgreSQL: runs and their items, fenced by the run's epoch in every transaction."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, assert_never
from uuid import UUID

from psycopg.types.json import Jsonb

from tracksync.adapters.checkpoint import CHECKPOINT_FORMAT, listing_document, summary_or_none
from tracksync.adapters.postgres import statements
from tracksync.adapters.postgres.revision import EXPECTED_REVISION, schema_mismatch
from tracksync.adapters.storable import storable_rows, storable_validators, storable_values
from tracksync.api.result import Outcome
from tracksync.core.tracks.freshness import Freshness
from tracksync.core.tracks.model import (
    DueDashboard,
    FailedItem,
    FetchedItem,
    ListingSummary,
    UnmodifiedItem,
    Validators,
)
from tracksync.errors import ConfigurationError, FencedError, ListingInvalidError
from tracksync.liverc.version import PARSER_VERSION
from tracksync.ports import RunTicket

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from datetime import datetime

    from tracksync.adapters.postgres.session import Connection, Session
    from tracksync.api.job import Results
    from tracksync.core.tracks.freshness import Refresh
    from tracksync.core.tracks.model import ItemResult, Listing
    from tracksync.ports import RunIdentity

STATES: Final = {
    Outcome.SUCCEEDED: "succeeded",
    Outcome.COMPLETED_WITH_ERRORS: "completed_with_errors",
    Outcome.FAILED: "failed",
    Outcome.CANCELLED: "cancelled",
}
SUCCESSES: Final = frozenset({Outcome.SUCCEEDED, Outcome.COMPLETED_WITH_ERRORS})
NOTHING_KNOWN: Final = Freshness()
OUTCOME_ARRAYS: Final = (
    "run_ids",
    "slugs",
    "states",
    "dashboards",
    "error_classes",
    "http_statuses",
    "next_tries",
    "etags",
    "last_modifieds",
)
"""The parameters of RECORD_ITEMS, in the order of `_outcome` after the run and the slug."""


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

    async def open_run(self, identity: RunIdentity, *, spec_hash: str) -> RunTicket:
        """Open the run's row, or re-open it with the next epoch and with the checkpoint that is left, if any.

        Raises:
            ConfigurationError: the run has already succeeded, belongs to another source, or its id is no UUID.
        """
        values = {
            "run_id": _run_id(identity),
            "name": identity.name,
            "namespace": identity.namespace,
            "source": identity.source,
            "attempt": identity.attempt,
            "spec_hash": spec_hash,
            "parser_version": PARSER_VERSION,
        }
        async with self._session.transaction() as connection:
            row = await (await connection.execute(statements.OPEN_RUN, values)).fetchone()
            if row is None:
                raise ConfigurationError(
                    f"run {identity.run_id} has already succeeded, or belongs to another source; start a new run"
                )
            epoch, planned_start, checkpoint_format, listing = row
            summary = summary_or_none(listing, checkpoint_format=checkpoint_format)
            checkpoint = await _go_on(connection, identity, summary)
        return RunTicket(identity, epoch=epoch, planned_start=planned_start, checkpoint=checkpoint)

    async def stage_listing(self, ticket: RunTicket, listing: Listing, *, refresh: Refresh | None) -> None:
        """Stage all rows of a complete listing in one transaction; staging again replaces what was staged.

        Raises:
            ListingInvalidError: the listing is not complete; nothing was staged.
        """
        if not listing.is_complete:
            raise ListingInvalidError("the catalogue page is not a complete listing; nothing was staged")
        run_id = _run_id(ticket.identity)
        listed = 0
        async with fenced(self._session, ticket) as connection:
            await connection.execute(statements.DISCARD_ITEMS, {"run_id": run_id})
            known = await _known_dashboards(connection, ticket) if refresh is not None else {}
            async with connection.cursor() as cursor, cursor.copy(statements.STAGE_ITEMS) as copy:
                copy.set_types(statements.STAGED_TYPES)
                for listed, row in enumerate(storable_rows(listing, ticket.identity.domain), start=1):  # noqa: B007 -- counted
                    columns = (row.slug_as_listed, row.name, row.track_url, row.events_url, row.is_featured, row.kind)
                    planned = _planned(row.slug, known.get(row.slug, NOTHING_KNOWN), refresh, ticket.planned_start)
                    await copy.write_row((run_id, row.slug, *columns, *planned))
            summary = ListingSummary(listed, skipped_rows=len(listing.skipped), duplicates=listing.duplicates)
            await connection.execute(statements.KEEP_CHECKPOINT, _checkpoint(run_id, summary, refresh))

    async def pending_dashboards(self, ticket: RunTicket) -> Sequence[DueDashboard]:
        """Return the staged tracks that still wait for their dashboard, in slug order."""
        async with fenced(self._session, ticket, is_shared=True) as connection:
            run = {"run_id": _run_id(ticket.identity), "source": ticket.identity.source}
            cursor = await connection.execute(statements.PENDING_DASHBOARDS, run)
            return [
                DueDashboard(slug, attempts, Validators(etag, last_modified), not_before, has_failed_before)
                for slug, attempts, etag, last_modified, not_before, has_failed_before in await cursor.fetchall()
            ]

    async def record_items(self, ticket: RunTicket, items: Sequence[ItemResult]) -> None:
        """Commit the outcome of these attempts with one statement; of two for one slug the last counts."""
        async with fenced(self._session, ticket, is_shared=True) as connection:
            if items:
                await connection.execute(statements.RECORD_ITEMS, _outcomes(ticket, items))

    async def close_run(
        self, ticket: RunTicket, *, outcome: Outcome, reason: str, results: Results, keep_checkpoint: bool = False
    ) -> None:
        """Write the run's end; closing it the same way again changes nothing.

        Its items are discarded in the same transaction, but for the failed ones of a run that succeeded, and all of a
        failed one that keeps its checkpoint. A cancelled run keeps none.
        """
        is_kept = keep_checkpoint and outcome is Outcome.FAILED
        values = {
            "run_id": _run_id(ticket.identity),
            "epoch": ticket.epoch,
            "state": STATES[outcome],
            "reason": reason,
            "results": Jsonb(results.to_wire()),
            "keep_checkpoint": is_kept,
        }
        async with self._session.transaction() as connection:
            row = await (await connection.execute(statements.CLOSE_RUN, values)).fetchone()
            if row is None:
                if await (await connection.execute(statements.IS_CLOSED_AS, values)).fetchone() is None:
                    raise fenced_error(ticket)
                return
            if not is_kept:
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


async def _go_on(
    connection: Connection, identity: RunIdentity, summary: ListingSummary | None
) -> ListingSummary | None:
    """Keep what an earlier epoch staged, if all of it is there and still the latest; else discard it, return None."""
    run = {"run_id": _run_id(identity)}
    (is_outdated,) = await (await connection.execute(statements.IS_OUTDATED, run)).fetchone() or (False,)
    if summary is not None and not is_outdated:
        row = await (await connection.execute(statements.COUNT_ITEMS, run)).fetchone()
        listed, due, not_modified = row or (0, 0, 0)
        if listed == summary.listed:
            await connection.execute(statements.RETRY_FAILED_ITEMS, run)
            return replace(summary, due=due, not_modified=not_modified)
    await connection.execute(statements.DISCARD_ITEMS, run)
    return None


async def _known_dashboards(connection: Connection, ticket: RunTicket) -> Mapping[str, Freshness]:
    """Return what is known of the source's dashboards, by slug, in one read."""
    await connection.execute(statements.NO_NESTED_LOOPS)
    cursor = await connection.execute(statements.KNOWN_DASHBOARDS, {"source": ticket.identity.source})
    return {
        slug: Freshness(as_of, parser_version, Validators(etag, last_modified), unmodified)
        for slug, as_of, parser_version, etag, last_modified, unmodified in await cursor.fetchall()
    }


def _planned(
    slug: str, known: Freshness, refresh: Refresh | None, planned_start: datetime
) -> tuple[str, str | None, str | None]:
    """Return the item's first state, and the validators that are sent when it is asked for."""
    if refresh is None or not refresh.is_due(slug, known, planned_start=planned_start):
        return "listed", None, None
    validators = refresh.validators(known)
    return "waiting", validators.etag, validators.last_modified


def _checkpoint(run_id: UUID, summary: ListingSummary, refresh: Refresh | None) -> dict[str, object]:
    return {
        "run_id": run_id,
        "checkpoint_format": CHECKPOINT_FORMAT,
        "listing": Jsonb(listing_document(summary)),
        "parser_version": refresh.parser_version if refresh is not None else None,
    }


def _outcomes(ticket: RunTicket, items: Sequence[ItemResult]) -> dict[str, list[object]]:
    """Return the items as one array per column."""
    latest = {item.slug: item for item in items}
    run_id = _run_id(ticket.identity)
    rows = [(run_id, item.slug, *_outcome(item)) for item in latest.values()]
    return {name: [row[position] for row in rows] for position, name in enumerate(OUTCOME_ARRAYS)}


def _outcome(item: ItemResult) -> tuple[object, ...]:
    match item:
        case FetchedItem():
            page = storable_validators(item.validators)
            dashboard = Jsonb(storable_values(item.values))
            return "fetched", dashboard, None, HTTPStatus.OK.value, None, page.etag, page.last_modified
        case UnmodifiedItem():
            return "unmodified", None, None, HTTPStatus.NOT_MODIFIED.value, None, None, None
        case FailedItem():
            state = "failed" if item.next_try is None else "waiting"
            return state, None, item.error_class.value, item.http_status, item.next_try, None, None
        case _:
            assert_never(item)
