"""The in-memory twin of the port `TrackStore`: the merge, row by row."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from tracksync.adapters.checkpoint import summary_or_none
from tracksync.adapters.memory_tables import Change, FreshnessRow, Item, MemoryTables, Row, Run, SourceState, run_key
from tracksync.adapters.storable import storable_text
from tracksync.api.deactivation import DeactivationPolicy
from tracksync.core.tracks.model import DASHBOARD_COLUMNS, TOTAL_COLUMNS, MergeCounters, StoredTrack

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracksync.core.tracks.guards import DeactivationGuard, WithheldReason
    from tracksync.ports import RunTicket

SEARCHED_COLUMNS: Final = ("slug", "name", "city", "country")
LISTING_COLUMNS: Final = ("slug_as_listed", "name", "track_url", "events_url", "is_featured", "kind")
ADMIN_DEFAULTS: Final = {"is_followed": False, "start_finish_line": None, "latitude": None, "longitude": None}


class MemoryTrackStore:
    """`tracksync.ports.TrackStore` in memory."""

    def __init__(self, database: MemoryTables) -> None:
        self._database = database

    async def merge(self, ticket: RunTicket, *, guard: DeactivationGuard, is_filtered: bool = False) -> MergeCounters:
        """Bring the staged items into the tracks, with their freshness; rows that do not differ are not touched."""
        items = self._database.fenced_items(ticket)
        run = self._database.fenced_run(ticket)
        source = ticket.identity.source
        summary = summary_or_none(run.listing, checkpoint_format=run.checkpoint_format)
        is_whole = summary is not None and len(items) == summary.listed and len(items) > 0
        is_outdated = self._database.is_outdated(run)
        counted = MergeCounters(active_before=await self.count_active(source))
        if summary is not None and is_whole and guard.policy is not DeactivationPolicy.DISABLED:
            vanished = [row for key, row in self._database.rows.items() if _has_vanished(key, row, source, items)]
            reasons = guard.judge(
                candidates=len(vanished),
                active_before=counted.active_before,
                skipped_rows=summary.skipped_rows,
                is_filtered=is_filtered,
                is_outdated=is_outdated,
            )
            counted = self._let_go(ticket, vanished, reasons, counted)
        for item in items.values():
            counted = self._bring_in(ticket, item, run, counted)
        if is_whole and not is_filtered and not is_outdated:
            now, active = self._database.clock.now(), await self.count_active(source)
            self._database.source_state[source] = SourceState(now, run_key(ticket.identity), len(items), active)
        return counted

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

    def _let_go(
        self, ticket: RunTicket, vanished: Sequence[Row], reasons: tuple[WithheldReason, ...], counted: MergeCounters
    ) -> MergeCounters:
        """Deactivate all of them, or none when there is a reason not to."""
        if reasons:
            return replace(counted, withheld=len(vanished), withheld_reasons=reasons)
        for row in vanished:
            row["is_active"], row["deactivated_at"] = False, self._database.clock.now().isoformat()
            self._log(ticket, str(row["slug"]), Change("deactivated"))
        return replace(counted, deactivated=len(vanished))

    def _bring_in(self, ticket: RunTicket, item: Item, run: Run, counted: MergeCounters) -> MergeCounters:
        """Insert the item's track or bring it up to date, and count what it was."""
        slug = item.listed.slug
        key = (ticket.identity.source, slug)
        if item.finished_at is not None and not item.is_merged:
            self._keep_attempt(self._database.freshness.setdefault(key, FreshnessRow()), item, run)
        row = self._database.rows.get(key)
        if row is None:
            self._database.rows[key] = self._new_row(ticket.identity.source, item)
            self._log(ticket, slug, Change("inserted"))
            return replace(counted, inserted=counted.inserted + 1)
        was_active = bool(row["is_active"])
        fields = self._update(row, item)
        if was_active and not fields:
            return replace(counted, unchanged=counted.unchanged + 1)
        self._log(ticket, slug, Change("updated" if was_active else "reactivated", fields))
        return replace(
            counted,
            updated=counted.updated + bool(fields),
            updated_totals=counted.updated_totals + (bool(fields) and all(name in TOTAL_COLUMNS for name in fields)),
            reactivated=counted.reactivated + (not was_active),
        )

    def _update(self, row: Row, item: Item) -> list[str]:
        """Change the row unless it is as it should be; return the columns of which the value changed."""
        now = self._database.clock.now().isoformat()
        wanted: Row = {**_listed(item), **item.values}
        fields = sorted(column for column, value in wanted.items() if row[column] != value)
        if fields or not row["is_active"]:
            row.update(wanted, is_active=True, deactivated_at=None, last_seen_at=now)
        if fields:
            row["updated_at"] = now
        return fields

    def _log(self, ticket: RunTicket, slug: str, change: Change) -> None:
        """Log the change; one that the run logged already is added to."""
        logged = self._database.changes.setdefault((run_key(ticket.identity), ticket.identity.source, slug), change)
        if logged is change or logged.kind == "inserted":
            return
        if not (logged.kind == "reactivated" and change.kind == "updated"):
            logged.kind = change.kind
        logged.fields = sorted({*logged.fields, *change.fields})

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


def _has_vanished(key: tuple[str, str], row: Row, source: str, items: Mapping[str, Item]) -> bool:
    owner, slug = key
    return owner == source and bool(row["is_active"]) and slug not in items


def _listed(item: Item) -> Row:
    return {column: getattr(item.listed, column) for column in LISTING_COLUMNS}


def _matches(row: Row, search: str | None) -> bool:
    wanted = storable_text(search or "").lower()
    return not wanted or any(wanted in str(row[column] or "").lower() for column in SEARCHED_COLUMNS)
