"""The in-memory twin of the port `TrackStore`: the merge, row by row."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from tracksync.adapters.checkpoint import merged_document, summary_or_none
from tracksync.adapters.memory_tables import (
    Change,
    FreshnessRow,
    Item,
    MemoryTables,
    Notes,
    Row,
    Run,
    SourceState,
    run_key,
)
from tracksync.adapters.storable import storable_text
from tracksync.api.deactivation import DeactivationPolicy
from tracksync.core.tracks.model import (
    DASHBOARD_COLUMNS,
    PERSONAL_COLUMNS,
    TOTAL_COLUMNS,
    MergeCounters,
    StoredTrack,
)
from tracksync.core.tracks.plan import ChangeKind, MergePlan, TrackChange

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracksync.core.tracks.guards import DeactivationGuard, WithheldReason
    from tracksync.ports import RunTicket

SEARCHED_COLUMNS: Final = ("slug", "name", "city", "country")
LISTING_COLUMNS: Final = ("slug_as_listed", "name", "track_url", "events_url", "is_featured", "kind")
BEFORE_COLUMNS: Final = {*LISTING_COLUMNS, *DASHBOARD_COLUMNS} - {*PERSONAL_COLUMNS, "description"}
"""Columns of which the log of changes keeps the value from before."""
ADMIN_DEFAULTS: Final = {"is_followed": False, "start_finish_line": None, "latitude": None, "longitude": None}


class MemoryTrackStore:
    """`tracksync.ports.TrackStore` in memory."""

    def __init__(self, database: MemoryTables) -> None:
        self._database = database

    async def merge(self, ticket: RunTicket, *, guard: DeactivationGuard, is_filtered: bool = False) -> MergeCounters:
        """Bring the staged items into the tracks, with their freshness; rows that do not differ are not touched."""
        run, items = self._database.fenced_run(ticket), self._database.fenced_items(ticket)
        source, now = ticket.identity.source, self._database.clock.now()
        summary = summary_or_none(run.listing, checkpoint_format=run.checkpoint_format)
        is_whole = summary is not None and summary.listed > 0 and len(items) == summary.staged
        is_complete = is_whole and not is_filtered and not self._database.is_outdated(run)
        listed = [item for item in items.values() if item.listed is not None]
        counted = MergeCounters(active_before=await self.count_active(source))
        candidates = self._candidates(source, items)
        if summary is not None and is_whole and guard.policy is not DeactivationPolicy.DISABLED:
            reasons = guard.judge(
                candidates=len(candidates),
                active_before=counted.active_before,
                skipped_rows=summary.skipped_rows,
                is_filtered=is_filtered,
                is_outdated=self._database.is_outdated(run),
            )
            counted = self._let_go(ticket, candidates, reasons, counted)
        if is_complete:
            self._miss(source, candidates)
        touched = 0
        for item in listed:
            before, counted = counted, self._bring_in(ticket, item, run, counted)
            touched += counted != before
        total = summary.listed if summary is not None and is_whole else len(listed)
        counted = replace(counted, unchanged=total - touched)
        if is_complete:
            active = await self.count_active(source)
            self._database.source_state[source] = SourceState(now, run_key(ticket.identity), total, active)
        run.merged, run.merged_at = merged_document(counted, epoch=ticket.epoch), now
        return counted

    async def plan(self, ticket: RunTicket, *, guard: DeactivationGuard, is_filtered: bool = False) -> MergePlan:
        """Return what `merge` would do now: it is done to a copy."""
        self._database.fenced_run(ticket)
        copied = MemoryTables(self._database.clock)
        for name in ("runs", "items", "rows", "notes", "activity", "freshness", "source_state"):
            setattr(copied, name, deepcopy(getattr(self._database, name)))
        counters = await MemoryTrackStore(copied).merge(ticket, guard=guard, is_filtered=is_filtered)
        changes = tuple(
            TrackChange(slug, ChangeKind(change.kind), tuple(change.fields))
            for (_, _, slug), change in sorted(copied.changes.items())
        )
        self._database.planned_changes[run_key(ticket.identity)] = changes
        return MergePlan(counters, changes)

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
        dashboard = dict.fromkeys(DASHBOARD_COLUMNS) | (item.values or {})
        listed = _listed(item)
        key = {"id": str(uuid4()), "source": source, "slug": item.listed.slug if item.listed is not None else ""}
        return {**key, **listed, **dashboard, "is_active": True, **times, **ADMIN_DEFAULTS}

    def _candidates(self, source: str, items: Mapping[str, Item]) -> list[Row]:
        """Return the rows of vanished tracks that are still active."""
        rows = [self._database.rows.get((source, slug)) for slug, item in items.items() if item.state == "vanished"]
        return [row for row in rows if row is not None and row["is_active"]]

    def _let_go(
        self, ticket: RunTicket, vanished: Sequence[Row], reasons: tuple[WithheldReason, ...], counted: MergeCounters
    ) -> MergeCounters:
        """Deactivate all of them, or none when there is a reason not to."""
        if reasons:
            return replace(counted, withheld=len(vanished), withheld_reasons=reasons)
        for row in vanished:
            self._keep_last_seen(row).missing_since = None
            row["is_active"], row["deactivated_at"] = False, self._database.clock.now().isoformat()
            self._log(ticket, str(row["slug"]), Change("deactivated"))
        return replace(counted, deactivated=len(vanished))

    def _miss(self, source: str, vanished: Sequence[Row]) -> None:
        """Note since when those are missing that vanished and stay active."""
        for row in vanished:
            if row["is_active"] and self._notes(source, row).missing_since is None:
                self._keep_last_seen(row).missing_since = self._database.clock.now()

    def _keep_last_seen(self, row: Row) -> Notes:
        """Write into the row when it was seen last; return its notes."""
        source = str(row["source"])
        state, notes = self._database.source_state.get(source), self._notes(source, row)
        own = row["last_seen_at"]
        if state is not None and notes.missing_since is None:
            seen = state.last_complete_at
            is_later = own is None or datetime.fromisoformat(str(own)) < seen
            row["last_seen_at"] = seen.isoformat() if is_later else own
        return notes

    def _notes(self, source: str, row: Row) -> Notes:
        return self._database.notes.setdefault((source, str(row["slug"])), Notes())

    def _bring_in(self, ticket: RunTicket, item: Item, run: Run, counted: MergeCounters) -> MergeCounters:
        """Insert the item's track or bring it up to date, and count what it was."""
        slug = item.listed.slug if item.listed is not None else ""
        key = (ticket.identity.source, slug)
        if item.finished_at is not None and not item.is_merged:
            self._keep_attempt(self._database.freshness.setdefault(key, FreshnessRow()), item, run)
        if item.activity is not None:
            self._database.activity[key] = item.activity
        row, notes = self._database.rows.get(key), self._database.notes.setdefault(key, Notes())
        if row is None:
            self._database.rows[key] = self._new_row(ticket.identity.source, item)
            notes.listing_hash, notes.metadata_hash = item.listing_hash, item.metadata_hash
            self._log(ticket, slug, Change("inserted"))
            return replace(counted, inserted=counted.inserted + 1)
        was_active, stored = bool(row["is_active"]), dict(row)
        fields = self._update(row, item, notes)
        if was_active and not fields:
            return counted
        before = {column: stored[column] for column in fields if column in BEFORE_COLUMNS}
        self._log(ticket, slug, Change("updated" if was_active else "reactivated", fields, before or None))
        return replace(
            counted,
            updated=counted.updated + bool(fields),
            updated_totals=counted.updated_totals + (bool(fields) and all(name in TOTAL_COLUMNS for name in fields)),
            reactivated=counted.reactivated + (not was_active),
        )

    def _update(self, row: Row, item: Item, notes: Notes) -> list[str]:
        """Change the row unless it is as it should be; return the columns of which the value changed."""
        now = self._database.clock.now().isoformat()
        wanted: Row = {**_listed(item), **(item.values or {})}
        fields = sorted(column for column, value in wanted.items() if row[column] != value)
        hashes = item.listing_hash, notes.metadata_hash if item.values is None else item.metadata_hash
        has_new_hash = (notes.listing_hash, notes.metadata_hash) != hashes
        if fields or not row["is_active"] or notes.missing_since is not None or has_new_hash:
            row.update(wanted, is_active=True, deactivated_at=None, last_seen_at=now)
            notes.listing_hash, notes.metadata_hash = hashes
            notes.missing_since = None
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
        logged.before = {**(change.before or {}), **(logged.before or {})} or None

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
