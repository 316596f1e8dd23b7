"""What a merge writes of itself, in its own transaction, and of what was before its changes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.store import ANY_NUMBER, DEFAULT, a_listing, a_track, fetched, staged, synced
from tracksync.adapters.checkpoint import merged_counters, merged_document
from tracksync.api.deactivation import DeactivationPolicy
from tracksync.core.tracks.guards import WithheldReason
from tracksync.core.tracks.model import PERSONAL_COLUMNS, TEXT_COLUMNS, FetchedItem, MergeCounters

if TYPE_CHECKING:
    from tests.ports.conftest import Store

WITHHOLD = replace(ANY_NUMBER, policy=DeactivationPolicy.WITHHOLD)
COUNTERS = MergeCounters(1, 2, 3, 4, 5, 6, 7, (WithheldReason.MAX_PERCENT, WithheldReason.FILTERED), 8)
DOCUMENT = merged_document(COUNTERS, epoch=2)


async def test_a_merge_leaves_its_counters_in_the_runs_row(store: Store) -> None:
    await synced(store.database, a_listing("a", "gone"))
    ticket = await staged(store.database, a_listing(a_track("a", "New"), "new"))
    assert store.merged(ticket.identity) is None
    counters = await store.database.tracks.merge(ticket, guard=WITHHOLD)
    document = store.merged(ticket.identity)
    assert isinstance(document, dict)
    assert (merged_counters(document), document["epoch"]) == (counters, ticket.epoch)


def test_counters_are_read_as_they_were_written() -> None:
    assert merged_counters(DOCUMENT) == COUNTERS


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {**DOCUMENT, "more": 1},
        {**DOCUMENT, "inserted": "1"},
        {**DOCUMENT, "inserted": -1},
        {**DOCUMENT, "withheldReasons": "maxPercent"},
        {**DOCUMENT, "withheldReasons": ["because"]},
        {**DOCUMENT, "withheldReasons": [{}]},
    ],
)
def test_what_this_build_cannot_read_is_no_merge(document: Any) -> None:
    assert merged_counters(document) is None


async def test_the_log_keeps_what_was_before(store: Store) -> None:
    await synced(store.database, a_listing("a", "b", "back"), [fetched("a", city="Bern", total_laps=1)])
    store.deactivate("back")
    listing = a_listing(a_track("a", "New"), "b", "back", "new")
    ticket = await staged(store.database, listing, [fetched("a", city=None, total_laps=2), fetched("b", city="Biel")])
    await store.database.tracks.merge(ticket, guard=DEFAULT)
    assert store.before_of(ticket.identity) == {
        "a": {"city": "Bern", "name": "Track a", "total_laps": 1},
        "b": {"city": None},
        "back": None,
        "new": None,
    }


@pytest.mark.parametrize("column", TEXT_COLUMNS)
async def test_the_log_keeps_nothing_personal(store: Store, column: str) -> None:
    await synced(store.database, a_listing("a"), [FetchedItem("a", {column: "secret"})])
    ticket = await staged(store.database, a_listing("a"), [FetchedItem("a", {column: "other"})])
    await store.database.tracks.merge(ticket, guard=DEFAULT)
    is_personal = column in PERSONAL_COLUMNS or column == "description"
    assert store.before_of(ticket.identity) == {"a": None if is_personal else {column: "secret"}}


async def test_a_run_that_merges_again_keeps_what_was_before_its_first_change(store: Store) -> None:
    await synced(store.database, a_listing("a"), [fetched("a", city="Bern")])
    ticket = await staged(store.database, a_listing("a"), [fetched("a", city="Biel")])
    await store.database.tracks.merge(ticket, guard=DEFAULT)
    await store.database.ledger.record_items(ticket, [fetched("a", city="Chur", state="GR")])
    await store.database.tracks.merge(ticket, guard=DEFAULT)
    assert store.before_of(ticket.identity) == {"a": {"city": "Bern", "state": None}}
    assert store.changes(ticket) == {"a": ("updated", ["city", "state"])}
