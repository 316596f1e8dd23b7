"""The tracks in PostgreSQL: the merge of a run's staged items, and reading."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from tracksync.adapters.checkpoint import summary_or_none
from tracksync.adapters.postgres import merge_statements, statements
from tracksync.adapters.postgres.columns import TRACK_COLUMNS
from tracksync.adapters.postgres.ledger import fenced
from tracksync.adapters.storable import storable_text
from tracksync.api.deactivation import DeactivationPolicy
from tracksync.core.tracks.model import MergeCounters, StoredTrack

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from psycopg.sql import SQL, Composed

    from tracksync.adapters.postgres.session import Connection, Session
    from tracksync.core.tracks.guards import DeactivationGuard
    from tracksync.core.tracks.model import ListingSummary
    from tracksync.ports import RunTicket


class PostgresTrackStore:
    """`tracksync.ports.TrackStore` on PostgreSQL."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def merge(self, ticket: RunTicket, *, guard: DeactivationGuard, is_filtered: bool = False) -> MergeCounters:
        """Bring the staged items into `tracks` in one transaction; rows that do not differ are not written.

        The counters: `inserted + updated + unchanged` and the reactivated tracks of which no value changed add up to
        the staged items. A reactivated track of which a value changed counts as reactivated and as updated.
        For each staged item that was attempted its freshness is written. Without a whole staged listing no track has
        vanished, and the source was not completely seen. A cancellation that comes while the COMMIT is under way does
        not hide that it succeeded.
        """
        identity = ticket.identity
        run = {"run_id": identity.run_id, "source": identity.source, "planned_start": ticket.planned_start}
        async with fenced(self._session, ticket, commit_outlives_cancel=True) as connection:
            await connection.execute(merge_statements.TAKE_TURN, run)
            before = await _before(connection, run)
            vanished = await _deactivate(connection, run, before, guard, is_filtered=is_filtered)
            touched, updated, updated_totals, reactivated = await _row(connection, merge_statements.UPDATE_TRACKS, run)
            (inserted,) = await _row(connection, merge_statements.INSERT_TRACKS, run)
            await connection.execute(merge_statements.WRITE_FRESHNESS, run)
            if before.is_whole and not is_filtered and not before.is_outdated:
                active = before.active - vanished.deactivated + reactivated + inserted
                state = {**run, "listed": before.staged, "active": active}
                await connection.execute(merge_statements.WRITE_SOURCE_STATE, state)
        return replace(
            vanished,
            inserted=inserted,
            updated=updated,
            updated_totals=updated_totals,
            unchanged=before.staged - touched - inserted,
            reactivated=reactivated,
        )

    async def count_active(self, source: str) -> int:
        """Return how many tracks of the source are active."""
        async with self._session.transaction() as connection:
            row = await (await connection.execute(statements.COUNT_ACTIVE, {"source": source})).fetchone()
        return row[0] if row else 0

    async def find_tracks(
        self, *, source: str | None = None, search: str | None = None, include_inactive: bool = False
    ) -> Sequence[StoredTrack]:
        """Return stored tracks by name, then slug; times are ISO text in UTC, ids are text."""
        values = {"source": source, "include_inactive": include_inactive, "pattern": _pattern(search)}
        async with self._session.transaction() as connection:
            rows = await (await connection.execute(statements.FIND_TRACKS, values)).fetchall()
        found = [dict(zip(TRACK_COLUMNS, map(_displayable, row), strict=True)) for row in rows]
        found.sort(key=lambda track: (str(track["name"]).casefold(), str(track["slug"]), str(track["source"])))
        return [StoredTrack(track) for track in found]


@dataclass(frozen=True, slots=True)
class _Before:
    """What a merge starts from.

    `summary` is None when this build cannot read what was stored of the listing; `is_outdated` says that another run
    has seen the whole catalogue since the listing was staged.
    """

    staged: int
    active: int
    summary: ListingSummary | None
    is_outdated: bool

    @property
    def is_whole(self) -> bool:
        """Whether the staged items are all tracks of a complete listing, which has at least one."""
        return self.summary is not None and 0 < self.staged == self.summary.listed

    @property
    def skipped_rows(self) -> int:
        """Rows of the listing that could not be read."""
        return self.summary.skipped_rows if self.summary is not None else 0


async def _before(connection: Connection, run: Mapping[str, object]) -> _Before:
    staged, active, checkpoint_format, listing = await _row(connection, merge_statements.BEFORE_MERGE, run)
    (is_outdated,) = await _row(connection, statements.IS_OUTDATED, run)
    return _Before(staged, active, summary_or_none(listing, checkpoint_format=checkpoint_format), is_outdated)


async def _deactivate(
    connection: Connection, run: Mapping[str, object], before: _Before, guard: DeactivationGuard, *, is_filtered: bool
) -> MergeCounters:
    """Deactivate all tracks that vanished, or none when a guard holds; return what became of them."""
    counters = MergeCounters(active_before=before.active)
    if guard.policy is DeactivationPolicy.DISABLED or not before.is_whole:
        return counters
    (candidates,) = await _row(connection, merge_statements.COUNT_VANISHED, run)
    reasons = guard.judge(
        candidates=candidates,
        active_before=before.active,
        skipped_rows=before.skipped_rows,
        is_filtered=is_filtered,
        is_outdated=before.is_outdated,
    )
    if reasons:
        return replace(counters, withheld=candidates, withheld_reasons=reasons)
    if not candidates:
        return counters
    (deactivated,) = await _row(connection, merge_statements.DEACTIVATE_TRACKS, run)
    return replace(counters, deactivated=deactivated)


async def _row(connection: Connection, statement: SQL | Composed, run: Mapping[str, object]) -> tuple[Any, ...]:
    """Return the one row of a statement that always has one."""
    rows = await (await connection.execute(statement, run)).fetchall()
    return rows[0]


def _pattern(search: str | None) -> str | None:
    """Return the text as a LIKE pattern that finds it anywhere; its own `%` and `_` are plain characters."""
    if not search:
        return None
    escaped = storable_text(search).replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    return f"%{escaped}%"


def _displayable(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return str(value) if isinstance(value, UUID) else value
