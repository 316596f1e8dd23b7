"""Staging in PostgreSQL: what a run has found out so far, committed in steps, each of them a checkpoint."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from http import HTTPStatus
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, assert_never

from psycopg.types.json import Jsonb

from tracksync.adapters.checkpoint import CHECKPOINT_FORMAT, listing_document
from tracksync.adapters.postgres import statements
from tracksync.adapters.postgres.comparison import Comparison
from tracksync.adapters.postgres.copying import VANISHED, Copies
from tracksync.adapters.postgres.fencing import fenced, run_id_of, written
from tracksync.adapters.storable import storable_validators, storable_values
from tracksync.core.tracks.hashing import metadata_hash
from tracksync.core.tracks.model import (
    DueDashboard,
    FailedItem,
    FetchedItem,
    ListingSummary,
    UnmodifiedItem,
    Validators,
)
from tracksync.errors import ListingInvalidError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from psycopg.sql import SQL, Composed

    from tracksync.adapters.postgres.session import Connection, Session
    from tracksync.core.tracks.freshness import Refresh
    from tracksync.core.tracks.model import ItemResult, Listing
    from tracksync.ports import RunIdentity, RunTicket

ROWS_AT_A_TIME: Final = 500
"""How many rows of a listing are compared before other tasks get their turn."""
OUTCOME_ARRAYS: Final = (
    "run_ids",
    "slugs",
    "states",
    "dashboards",
    "metadata_hashes",
    "error_classes",
    "http_statuses",
    "next_tries",
    "etags",
    "last_modifieds",
)
"""The parameters of RECORD_ITEMS, in the order of `_outcome` after the run and the slug."""


class PostgresStaging:
    """The half of `tracksync.ports.Ledger` that is about a run's items."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def stage_listing(self, ticket: RunTicket, listing: Listing, *, refresh: Refresh | None) -> ListingSummary:
        """Stage in one transaction what the listing says that is not stored; staging again replaces what was staged.

        Raises:
            ListingInvalidError: the listing is not complete; nothing was staged.
        """
        if not listing.is_complete:
            raise ListingInvalidError("the catalogue page is not a complete listing; nothing was staged")
        run = {"run_id": run_id_of(ticket.identity), "source": ticket.identity.source}
        kept: dict[str, object] = {"run_id": run["run_id"], "epoch": ticket.epoch, "listed_at": None}
        settle = written(run_id_of(ticket.identity), statements.IS_STAGED, kept)
        async with fenced(self._session, ticket, settle=settle) as connection:
            await connection.execute(statements.DISCARD_ITEMS, run)
            compared = Comparison(run_id_of(ticket.identity), ticket, listing, refresh)
            await _read_stored(connection, run, compared, refresh)
            staged = await _copy(connection, listing, compared)
            vanished = await _copy_vanished(connection, run, compared) if compared.active else 0
            summary = ListingSummary(
                compared.listed,
                skipped_rows=len(listing.skipped),
                duplicates=listing.duplicates + compared.repeated,
                due=compared.due,
                staged=staged + vanished,
                vanished=vanished,
            )
            cursor = await connection.execute(
                statements.KEEP_CHECKPOINT, _checkpoint(run_id_of(ticket.identity), summary, refresh)
            )
            (kept["listed_at"],) = await cursor.fetchone() or (None,)
        return summary

    async def pending_dashboards(self, ticket: RunTicket) -> Sequence[DueDashboard]:
        """Return the staged tracks that still wait for their dashboard, in slug order."""
        async with fenced(self._session, ticket, is_shared=True) as connection:
            run = {"run_id": run_id_of(ticket.identity), "source": ticket.identity.source}
            cursor = await connection.execute(statements.PENDING_DASHBOARDS, run)
            return [
                DueDashboard(slug, attempts, Validators(etag, last_modified), not_before, has_failed_before)
                for slug, attempts, etag, last_modified, not_before, has_failed_before in await cursor.fetchall()
            ]

    async def record_items(self, ticket: RunTicket, items: Sequence[ItemResult]) -> None:
        """Commit the outcome of these attempts with one statement; of two for one slug the last counts.

        A COMMIT whose answer was lost is settled by the time that the items were finished, so that a batch that is
        repeated counts no attempt twice.
        """
        run_id = run_id_of(ticket.identity)
        recorded: dict[str, object] = {"run_id": run_id, "slug": None, "finished_at": None}
        settle = written(run_id, statements.IS_RECORDED, recorded)
        async with fenced(self._session, ticket, is_shared=True, settle=settle) as connection:
            if items:
                cursor = await connection.execute(statements.RECORD_ITEMS, _outcomes(ticket, items))
                recorded["slug"], recorded["finished_at"] = await cursor.fetchone() or (None, None)


async def go_on(connection: Connection, identity: RunIdentity, summary: ListingSummary | None) -> ListingSummary | None:
    """Keep what an earlier epoch staged, if all of it is there and still the latest; else discard it, return None."""
    run = {"run_id": run_id_of(identity)}
    (is_outdated,) = await (await connection.execute(statements.IS_OUTDATED, run)).fetchone() or (False,)
    if summary is not None and not is_outdated:
        row = await (await connection.execute(statements.COUNT_ITEMS, run)).fetchone()
        staged, due, not_modified = row or (0, 0, 0)
        if staged == summary.staged:
            await connection.execute(statements.RETRY_FAILED_ITEMS, run)
            return replace(summary, due=due, not_modified=not_modified)
    await connection.execute(statements.DISCARD_ITEMS, run)
    return None


async def _read_stored(
    connection: Connection, run: Mapping[str, object], compared: Comparison, refresh: Refresh | None
) -> None:
    """Read all stored tracks of the source, and what is stored of what is going on at them."""
    await connection.execute(statements.READ_WHOLE_TABLES)
    tracks = statements.READ_TRACKS if refresh is None else statements.READ_FRESHNESS
    async for part in _parts(connection, tracks, run):
        compared.add_tracks(part)
    async for part in _parts(connection, statements.READ_ACTIVITY, run):
        compared.add_activity(part)


async def _parts(
    connection: Connection, statement: SQL | Composed, run: Mapping[str, object]
) -> AsyncIterator[list[tuple[Any, ...]]]:
    """Yield the rows of a statement that declares the cursor, in parts; other statements may run between them."""
    await connection.execute(statement, run)
    while rows := await (await connection.execute(statements.FETCH_PART, binary=True)).fetchall():
        yield rows
    await connection.execute(statements.CLOSE_PARTS)


async def _copy(connection: Connection, listing: Listing, compared: Comparison) -> int:
    """Write the rows of what is different, and return how many these are."""
    tracks = iter(listing.tracks)
    async with Copies(connection) as copies:
        while part := list(islice(tracks, ROWS_AT_A_TIME)):
            compared.stage(part, copies.add)
            await copies.write()
            # Heartbeats and a stop get their turn, also when there is nothing to write.
            await asyncio.sleep(0)
    return copies.written


async def _copy_vanished(connection: Connection, run: Mapping[str, object], compared: Comparison) -> int:
    """Write a row for each stored active track that was not listed, and return how many these are."""
    vanished = 0
    async for part in _parts(connection, statements.READ_ACTIVE, run):
        rows = compared.vanished(part)
        vanished += len(rows)
        if rows:
            async with Copies(connection) as copies:
                for row in rows:
                    copies.add(VANISHED, row)
    return vanished


def _checkpoint(run_id: object, summary: ListingSummary, refresh: Refresh | None) -> dict[str, object]:
    return {
        "run_id": run_id,
        "checkpoint_format": CHECKPOINT_FORMAT,
        "listing": Jsonb(listing_document(summary)),
        "parser_version": refresh.parser_version if refresh is not None else None,
    }


def _outcomes(ticket: RunTicket, items: Sequence[ItemResult]) -> dict[str, object]:
    """Return the items as one array per column, and the run."""
    latest = {item.slug: item for item in items}
    run_id = run_id_of(ticket.identity)
    rows = [(run_id, item.slug, *_outcome(item)) for item in latest.values()]
    arrays = {name: [row[position] for row in rows] for position, name in enumerate(OUTCOME_ARRAYS)}
    return {"run_id": run_id, **arrays}


def _outcome(item: ItemResult) -> tuple[object, ...]:
    match item:
        case FetchedItem():
            page = storable_validators(item.validators)
            dashboard = Jsonb(storable_values(item.values))
            said = metadata_hash(item.values)
            return "fetched", dashboard, said, None, HTTPStatus.OK.value, None, page.etag, page.last_modified
        case UnmodifiedItem():
            return "unmodified", None, None, None, HTTPStatus.NOT_MODIFIED.value, None, None, None
        case FailedItem():
            state = "failed" if item.next_try is None else "waiting"
            return state, None, None, item.error_class.value, item.http_status, item.next_try, None, None
        case _:
            assert_never(item)
