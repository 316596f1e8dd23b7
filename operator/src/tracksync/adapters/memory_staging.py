"""The half of the in-memory ledger that is about a run's items, row by row."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, assert_never

from tracksync.adapters.activity import ActivityReader
from tracksync.adapters.checkpoint import CHECKPOINT_FORMAT, listing_document, summary_or_none
from tracksync.adapters.memory_tables import Item, MemoryTables, Notes, Run
from tracksync.adapters.storable import listed_hash, storable_row, storable_validators, storable_values
from tracksync.core.tracks.activity import NOTHING_GOING_ON
from tracksync.core.tracks.freshness import Freshness
from tracksync.core.tracks.hashing import metadata_hash
from tracksync.core.tracks.model import DueDashboard, FailedItem, FetchedItem, ListingSummary, UnmodifiedItem
from tracksync.errors import ListingInvalidError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracksync.core.tracks.freshness import Refresh
    from tracksync.core.tracks.model import ItemResult, ListedTrack, Listing
    from tracksync.ports import RunTicket


class MemoryStaging:
    """Staging, what waits, and what became of it."""

    def __init__(self, database: MemoryTables) -> None:
        self._database = database

    async def stage_listing(self, ticket: RunTicket, listing: Listing, *, refresh: Refresh | None) -> ListingSummary:
        """Stage what the listing says that is not stored; staging again replaces what was staged."""
        if not listing.is_complete:
            raise ListingInvalidError("the catalogue page is not a complete listing; nothing was staged")
        run, items = self._database.fenced_run(ticket), self._database.fenced_items(ticket)
        items.clear()
        reader, seen, rows = ActivityReader(listing.fetched_at), set[str](), 0
        for track in listing.tracks:
            rows += 1
            if track.slug not in seen:
                seen.add(track.slug)
                item = self._difference(track, ticket, refresh, reader)
                if item is not None:
                    item.observed_at = listing.fetched_at
                    items[track.slug] = item
        vanished = self._vanished(ticket, seen)
        items |= {slug: Item(None, "vanished") for slug in vanished}
        summary = ListingSummary(
            len(seen),
            skipped_rows=len(listing.skipped),
            duplicates=listing.duplicates + rows - len(seen),
            due=sum(item.state == "waiting" for item in items.values()),
            staged=len(items),
            vanished=len(vanished),
        )
        run.checkpoint_format, run.listing = CHECKPOINT_FORMAT, listing_document(summary)
        run.parser_version = refresh.parser_version if refresh else None
        run.listed_at = self._database.clock.now()
        return summary

    def _difference(
        self, track: ListedTrack, ticket: RunTicket, refresh: Refresh | None, reader: ActivityReader
    ) -> Item | None:
        """Return the track's item, or None when it says nothing new and nothing is due."""
        key = (ticket.identity.source, track.slug)
        row, notes = self._database.rows.get(key), self._database.notes.get(key, Notes())
        known = self._database.activity.get(key, NOTHING_GOING_ON)
        said = reader.activity_of(track, known.instant)
        item = Item(storable_row(track, ticket.identity.domain), "listed")
        item.listing_hash = listed_hash(track, ticket.identity.domain)
        item.activity = said if said != known else None
        if track.values is not None:
            self._take_values(item, track, notes)
        elif refresh is not None:
            self._ask_for_dashboard(item, ticket, refresh, notes)
        is_same = (
            row is not None
            and row["is_active"]
            and notes.missing_since is None
            and notes.listing_hash == item.listing_hash
        )
        return None if is_same and item.state == "listed" and item.activity is None else item

    def _take_values(self, item: Item, track: ListedTrack, notes: Notes) -> None:
        said = metadata_hash(track.values or {})
        if said != notes.metadata_hash:
            item.state, item.values, item.metadata_hash = "fetched", storable_values(track.values or {}), said

    def _ask_for_dashboard(self, item: Item, ticket: RunTicket, refresh: Refresh, notes: Notes) -> None:
        slug = item.listed.slug if item.listed is not None else ""
        stored = self._database.freshness.get((ticket.identity.source, slug))
        known = Freshness()
        if stored is not None:
            known = Freshness(stored.as_of, stored.parser_version, stored.validators, stored.unmodified)
        if refresh.is_due(slug, known, planned_start=ticket.planned_start):
            item.state, item.validators, item.known_hash = "waiting", refresh.validators(known), notes.metadata_hash

    def _vanished(self, ticket: RunTicket, listed: set[str]) -> list[str]:
        """Return the source's active tracks that are not listed."""
        return [
            slug
            for (source, slug), row in self._database.rows.items()
            if source == ticket.identity.source and row["is_active"] and slug not in listed
        ]

    async def pending_dashboards(self, ticket: RunTicket) -> Sequence[DueDashboard]:
        """Return the staged tracks that still wait for their dashboard, in slug order."""
        source, known = ticket.identity.source, self._database.freshness
        failed = {slug for (owner, slug), row in known.items() if owner == source and row.last_error_class is not None}
        return [
            DueDashboard(slug, item.attempts, item.validators, item.next_try, slug in failed)
            for slug, item in sorted(self._database.fenced_items(ticket).items())
            if item.state == "waiting"
        ]

    async def record_items(self, ticket: RunTicket, items: Sequence[ItemResult]) -> None:
        """Keep the outcome of these attempts; of two for one slug the last counts."""
        run, staged = self._database.fenced_run(ticket), self._database.fenced_items(ticket)
        outcomes = {item.slug: item for item in items}
        attempted = {slug: _attempted(staged.get(slug), outcome, run) for slug, outcome in outcomes.items()}
        for slug, item in attempted.items():
            if item is not None:
                item.finished_at = self._database.clock.now()
                staged[slug] = item


def go_on(tables: MemoryTables, key: str, run: Run) -> ListingSummary | None:
    """Keep what an earlier epoch staged, if all of it is there and still the latest; else discard it, return None."""
    summary = summary_or_none(run.listing, checkpoint_format=run.checkpoint_format)
    items = tables.items.get(key, {})
    if summary is None or summary.staged != len(items) or tables.is_outdated(run):
        tables.items[key] = {}
        return None
    for item in items.values():
        if item.state == "failed":
            item.state, item.attempts, item.next_try = "waiting", 0, None
    states = [item.state for item in items.values() if not item.came_with_values]
    due = len(states) - states.count("listed") - states.count("vanished")
    return replace(summary, due=due, not_modified=states.count("unmodified"))


def _attempted(staged: Item | None, outcome: ItemResult, run: Run) -> Item | None:
    """Return the item after the attempt; None when its slug was not listed or needs no dashboard."""
    values = storable_values(outcome.values) if isinstance(outcome, FetchedItem) else None
    if staged is None or staged.state in {"listed", "vanished"} or staged.came_with_values:
        return None
    item = replace(
        staged,
        attempts=staged.attempts + 1,
        error_class=None,
        http_status=None,
        next_try=None,
        values=None,
        metadata_hash=None,
        is_merged=False,
    )
    match outcome:
        case FetchedItem():
            item.state, item.http_status = "fetched", HTTPStatus.OK.value
            item.validators = storable_validators(outcome.validators)
            item.metadata_hash = metadata_hash(outcome.values)
            says_the_same = item.metadata_hash == item.known_hash and run.merged_at is None
            item.values = None if says_the_same else values
        case UnmodifiedItem():
            item.state, item.http_status = "unmodified", HTTPStatus.NOT_MODIFIED.value
        case FailedItem():
            item.state = "failed" if outcome.next_try is None else "waiting"
            item.error_class, item.http_status = outcome.error_class, outcome.http_status
            item.next_try = outcome.next_try
        case _:
            assert_never(outcome)
    return item
