"""The tracks in PostgreSQL: the merge of a run's staged items, and reading."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

from tracksync.adapters.postgres import statements
from tracksync.adapters.postgres.columns import TRACK_COLUMNS
from tracksync.adapters.postgres.ledger import fenced
from tracksync.adapters.storable import storable_text
from tracksync.core.tracks.model import MergeCounters, StoredTrack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracksync.adapters.postgres.session import Session
    from tracksync.ports import RunTicket


class PostgresTrackStore:
    """`tracksync.ports.TrackStore` on PostgreSQL."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def merge(self, ticket: RunTicket) -> MergeCounters:
        """Bring the staged items into `tracks` in one transaction; rows that do not differ are not written.

        The counters: `inserted + updated + unchanged` and the reactivated tracks of which no value changed add up to
        the staged items. A reactivated track of which a value changed counts as reactivated and as updated.
        Tracks that are no longer listed are left as they are. For each staged item that was attempted its freshness is
        written. A cancellation that comes while the COMMIT is under way
        does not hide that it succeeded.
        """
        identity = ticket.identity
        run = {"run_id": identity.run_id, "source": identity.source, "planned_start": ticket.planned_start}
        async with fenced(self._session, ticket, commit_outlives_cancel=True) as connection:
            await connection.execute(statements.NO_NESTED_LOOPS)
            staged = await (await connection.execute(statements.COUNT_ITEMS, run)).fetchone()
            written = await (await connection.execute(statements.UPDATE_TRACKS, run)).fetchone()
            inserted = (await connection.execute(statements.INSERT_TRACKS, run)).rowcount
            await connection.execute(statements.WRITE_FRESHNESS, run)
        listed = staged[0] if staged else 0
        touched, updated, reactivated = written or (0, 0, 0)
        return MergeCounters(
            inserted=inserted, updated=updated, unchanged=listed - touched - inserted, reactivated=reactivated
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
