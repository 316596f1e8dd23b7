"""The in-memory twin of the port `TrackStore`: the merge, row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import uuid4

from tracksync.adapters.memory_tables import FreshnessRow, Item, MemoryTables, Row, Run
from tracksync.adapters.storable import storable_text
from tracksync.core.tracks.model import DASHBOARD_COLUMNS, MergeCounters, StoredTrack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracksync.ports import RunTicket

SEARCHED_COLUMNS: Final = ("slug", "name", "city", "country")
LISTING_COLUMNS: Final = ("slug_as_listed", "name", "track_url", "events_url", "is_featured", "kind")
ADMIN_DEFAULTS: Final = {"is_followed": False, "start_finish_line": None, "latitude": None, "longitude": None}


class MemoryTrackStore:
    """`tracksync.ports.TrackStore` in memory."""

    def __init__(self, database: MemoryTables) -> None:
        self._database = database

    async def merge(self, ticket: RunTicket) -> MergeCounters:
        """Bring the staged items into the tracks, with their freshness; rows that do not differ are not touched."""
        items = self._database.fenced_items(ticket)
        run = self._database.fenced_run(ticket)
        inserted = updated = unchanged = reactivated = 0
        for slug, item in items.items():
            key = (ticket.identity.source, slug)
            if item.finished_at is not None and not item.is_merged:
                self._keep_attempt(self._database.freshness.setdefault(key, FreshnessRow()), item, run)
            row = self._database.rows.get(key)
            if row is None:
                self._database.rows[key] = self._new_row(ticket.identity.source, item)
                inserted += 1
                continue
            is_changed, was_inactive = self._bring_in(row, item)
            updated += is_changed
            reactivated += was_inactive
            unchanged += not (is_changed or was_inactive)
        return MergeCounters(inserted=inserted, updated=updated, unchanged=unchanged, reactivated=reactivated)

    async def count_active(self, source: str) -> int:
        """Return how many tracks of the source are active."""
        self._database.check_reachable()
        return sum(1 for (owner, _), row in self._database.rows.items() if owner == source and row["is_active"])

    async def find_tracks(
        self, *, source: str | None = None, search: str | None = None, include_inactive: bool = False
    ) -> Sequence[StoredTrack]:
        """Return stored tracks by name, then slug."""
        self._database.check_reachable()
        found = [
            row
            for (owner, _), row in self._database.rows.items()
            if source in {None, owner} and (include_inactive or row["is_active"]) and _matches(row, search)
        ]
        found.sort(key=lambda row: (str(row["name"]).casefold(), str(row["slug"]), str(row["source"])))
        return [StoredTrack(dict(row)) for row in found]

    def _new_row(self, source: str, item: Item) -> Row:
        now = self._database.clock.now().isoformat()
        times = {"deactivated_at": None, "last_seen_at": now, "created_at": now, "updated_at": now}
        dashboard = dict.fromkeys(DASHBOARD_COLUMNS) | item.values
        key = {"id": str(uuid4()), "source": source, "slug": item.listed.slug}
        return {**key, **_listed(item), **dashboard, "is_active": True, **times, **ADMIN_DEFAULTS}

    def _bring_in(self, row: Row, item: Item) -> tuple[bool, bool]:
        """Change the row and return whether a value changed, and whether it was inactive."""
        now = self._database.clock.now().isoformat()
        wanted: Row = {**_listed(item), **item.values}
        is_changed = any(row[column] != value for column, value in wanted.items())
        was_inactive = not row["is_active"]
        if is_changed or was_inactive:
            row.update(wanted, is_active=True, deactivated_at=None, last_seen_at=now)
        if is_changed:
            row["updated_at"] = now
        return is_changed, was_inactive

    def _keep_attempt(self, known: FreshnessRow, item: Item, run: Run) -> None:
        """Keep what the item's latest attempt found out, once."""
        item.is_merged = True
        known.last_attempt_at, known.http_status = item.finished_at, item.http_status
        known.attempts, known.last_error_class = item.attempts, item.error_class
        if item.state == "fetched":
            known.as_of, known.fetched_at = run.created_at, item.finished_at
            known.validators, known.unmodified = item.validators, 0
            known.parser_version = run.parser_version or 0
        elif item.state == "unmodified":
            known.unmodified += 1
            if known.as_of is not None:
                known.as_of = run.created_at


def _listed(item: Item) -> Row:
    return {column: getattr(item.listed, column) for column in LISTING_COLUMNS}


def _matches(row: Row, search: str | None) -> bool:
    wanted = storable_text(search or "").lower()
    return not wanted or any(wanted in str(row[column] or "").lower() for column in SEARCHED_COLUMNS)
