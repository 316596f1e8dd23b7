"""What every Ledger promises of a run that is opened again: what stays, what waits again, what starts from zero."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.ports.conftest import at
from tests.support.store import (
    ALL,
    DEFAULT,
    NO_RESULTS,
    SPEC,
    WEEKLY,
    a_listing,
    a_run,
    expire_leases,
    failed,
    fetched,
    staged,
    synced,
    unmodified,
    waiting,
)
from tracksync.adapters.checkpoint import CHECKPOINT_FORMAT
from tracksync.api.result import Outcome
from tracksync.core.tracks.freshness import Refresh
from tracksync.core.tracks.model import Listing, ListingSummary, MergeCounters, SkippedRow, SkipReason, Validators
from tracksync.liverc.version import PARSER_VERSION

if TYPE_CHECKING:
    from tests.ports.conftest import Store
    from tracksync.core.tracks.model import ItemResult
    from tracksync.ports import RunTicket

OUTCOMES: list[ItemResult] = [fetched("a", city="Bern"), failed("b", http_status=404), unmodified("c")]
GOOD = {"listed": 4, "skippedRows": 0, "duplicates": 0, "staged": 4, "vanished": 0}


async def half_done(store: Store) -> RunTicket:
    """Leave a run with one of each state: fetched, failed, unmodified, waiting."""
    return await staged(store.database, a_listing("a", "b", "c", "d"), OUTCOMES)


async def close(store: Store, ticket: RunTicket, outcome: Outcome, *, keep_checkpoint: bool) -> None:
    await store.database.ledger.close_run(
        ticket, outcome=outcome, reason="Because", results=NO_RESULTS, keep_checkpoint=keep_checkpoint
    )


async def reopened(store: Store, ticket: RunTicket, *, spec_hash: str = SPEC) -> RunTicket:
    return await store.database.ledger.open_run(ticket.identity, spec_hash=spec_hash)


async def test_a_new_run_has_no_checkpoint(store: Store) -> None:
    assert (await store.database.ledger.open_run(a_run(), spec_hash=SPEC)).checkpoint is None


async def test_a_run_that_crashed_goes_on_with_what_it_had(store: Store) -> None:
    old = await half_done(store)
    new = await reopened(store, old)
    assert (new.epoch, new.planned_start, new.checkpoint) == (
        2,
        old.planned_start,
        ListingSummary(4, due=4, not_modified=1, staged=4),
    )
    assert await waiting(store.database, new) == ["b", "d"]


@pytest.mark.parametrize("is_filtered", [False, True])
async def test_a_checkpoint_is_not_gone_on_with_once_another_run_has_merged(store: Store, *, is_filtered: bool) -> None:
    old = await half_done(store)
    store.pass_time()
    await synced(store.database, a_listing("a", "e"), is_filtered=is_filtered)
    await expire_leases(store.database)
    new = await reopened(store, old)
    assert (new.epoch, new.checkpoint) == (3, None)
    assert await waiting(store.database, new) == []


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.CANCELLED])
async def test_a_run_that_was_closed_with_its_checkpoint_goes_on_with_it(store: Store, outcome: Outcome) -> None:
    old = await half_done(store)
    await close(store, old, outcome, keep_checkpoint=True)
    new = await reopened(store, old)
    assert (new.epoch, new.planned_start, new.checkpoint) == (
        2,
        old.planned_start,
        ListingSummary(4, due=4, not_modified=1, staged=4),
    )
    assert await waiting(store.database, new) == ["b", "d"]


async def test_a_checkpoint_outlives_any_number_of_epochs(store: Store) -> None:
    ticket = await half_done(store)
    for epoch in (2, 3, 4):
        await close(store, ticket, Outcome.FAILED, keep_checkpoint=True)
        ticket = await reopened(store, ticket)
        assert (ticket.epoch, ticket.checkpoint) == (epoch, ListingSummary(4, due=4, not_modified=1, staged=4))


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.CANCELLED])
async def test_a_run_that_was_closed_without_its_checkpoint_starts_from_zero(store: Store, outcome: Outcome) -> None:
    old = await half_done(store)
    await close(store, old, outcome, keep_checkpoint=False)
    new = await reopened(store, old)
    assert (new.epoch, new.planned_start, new.checkpoint) == (2, old.planned_start, None)
    assert await waiting(store.database, new) == []
    assert await store.database.tracks.merge(new, guard=DEFAULT) == MergeCounters()


async def test_a_run_that_crashed_before_it_staged_starts_from_zero(store: Store) -> None:
    ticket = await store.database.ledger.open_run(a_run(), spec_hash=SPEC)
    assert (await reopened(store, ticket)).checkpoint is None


async def test_another_spec_starts_from_zero_and_the_first_one_does_not_come_back(store: Store) -> None:
    old = await half_done(store)
    other = await reopened(store, old, spec_hash="hash of another spec")
    assert other.checkpoint is None
    assert await waiting(store.database, other) == []
    assert (await reopened(store, old)).checkpoint is None


@pytest.mark.parametrize(
    ("checkpoint_format", "listing"),
    [
        pytest.param(None, GOOD, id="no format"),
        pytest.param(CHECKPOINT_FORMAT + 1, GOOD, id="a newer build's format"),
        pytest.param(CHECKPOINT_FORMAT, None, id="no listing"),
        pytest.param(CHECKPOINT_FORMAT, {}, id="an empty listing"),
        pytest.param(CHECKPOINT_FORMAT, [4, 0, 0], id="a list"),
        pytest.param(CHECKPOINT_FORMAT, {**GOOD, "more": 1}, id="a key that nobody knows"),
        pytest.param(CHECKPOINT_FORMAT, {**GOOD, "listed": "4"}, id="text for a number"),
        pytest.param(CHECKPOINT_FORMAT, {**GOOD, "listed": True}, id="a truth for a number"),
        pytest.param(CHECKPOINT_FORMAT, {**GOOD, "duplicates": -1}, id="below zero"),
        pytest.param(CHECKPOINT_FORMAT, {**GOOD, "staged": 5}, id="another number of items"),
    ],
)
async def test_a_checkpoint_that_cannot_be_read_means_to_start_from_zero(
    store: Store, checkpoint_format: int | None, listing: Any
) -> None:
    old = await half_done(store)
    store.spoil(old, checkpoint_format=checkpoint_format, listing=listing)
    new = await reopened(store, old)
    assert new.checkpoint is None
    assert await store.database.tracks.merge(new, guard=DEFAULT) == MergeCounters()


async def test_the_checkpoint_that_the_spoiling_test_writes_can_be_read(store: Store) -> None:
    old = await half_done(store)
    store.spoil(old, checkpoint_format=CHECKPOINT_FORMAT, listing=GOOD)
    assert (await reopened(store, old)).checkpoint == ListingSummary(4, due=4, not_modified=1, staged=4)


async def test_a_checkpoint_of_which_an_item_is_lost_means_to_start_from_zero(store: Store) -> None:
    old = await half_done(store)
    store.lose_item(old, "a")
    new = await reopened(store, old)
    assert new.checkpoint is None
    assert await waiting(store.database, new) == []


async def test_the_checkpoint_tells_what_the_catalogue_page_had(store: Store) -> None:
    skipped = tuple(SkippedRow(SkipReason.EMPTY_NAME, position) for position in (3, 7))
    ticket = await staged(store.database, Listing(a_listing("a", "b").tracks, skipped, duplicates=5))
    assert (await reopened(store, ticket)).checkpoint == ListingSummary(
        2, skipped_rows=2, duplicates=5, due=2, staged=2
    )


async def test_what_failed_waits_again_with_no_attempt_counted_and_with_its_validators(store: Store) -> None:
    await synced(store.database, a_listing("a"), [fetched("a", etag='"1"')])
    old = await staged(store.database, a_listing("a"), [failed("a", next_try=at(1))])
    await store.database.ledger.record_items(old, [failed("a")])
    due = await store.database.ledger.pending_dashboards(await reopened(store, old))
    assert [(each.slug, each.attempts, each.not_before) for each in due] == [("a", 0, None)]
    assert due[0].validators == Validators('"1"')


async def test_what_waits_for_its_next_try_keeps_its_attempts_and_its_instant(store: Store) -> None:
    old = await staged(store.database, a_listing("a"), [failed("a", next_try=at(5))])
    due = await store.database.ledger.pending_dashboards(await reopened(store, old))
    assert [(each.attempts, each.not_before) for each in due] == [(1, at(5))]


async def test_what_was_not_due_is_not_asked_for_by_a_later_epoch_either(store: Store) -> None:
    await synced(store.database, a_listing("a"), [fetched("a")])
    old = await staged(store.database, a_listing("a", "new"), refresh=WEEKLY)
    new = await reopened(store, old)
    assert await waiting(store.database, new) == ["new"]
    assert new.checkpoint == ListingSummary(2, due=1, staged=1)


async def test_the_merge_has_what_both_epochs_found_out(store: Store) -> None:
    new = await reopened(store, await half_done(store))
    await store.database.ledger.record_items(new, [fetched("b", city="Biel"), fetched("d", city="Davos")])
    assert (await store.database.tracks.merge(new, guard=DEFAULT)).inserted == 4
    assert [(await store.row(slug))["city"] for slug in "abcd"] == ["Bern", "Biel", None, "Davos"]


async def test_the_older_epoch_cannot_write_into_the_checkpoint(store: Store) -> None:
    old = await half_done(store)
    new = await reopened(store, old)
    with pytest.raises(Exception, match="newer epoch"):
        await store.database.ledger.record_items(old, [fetched("d", city="Davos")])
    assert await waiting(store.database, new) == ["b", "d"]


async def test_staging_again_replaces_the_checkpoint(store: Store) -> None:
    new = await reopened(store, await half_done(store))
    await store.database.ledger.stage_listing(new, a_listing("x"), refresh=ALL)
    assert await waiting(store.database, new) == ["x"]
    assert (await reopened(store, new)).checkpoint == ListingSummary(1, due=1, staged=1)


async def test_of_two_parsers_that_read_dashboards_of_one_run_the_older_one_counts(store: Store) -> None:
    later_build = Refresh(ALL.after, parser_version=PARSER_VERSION + 6)
    old = await staged(store.database, a_listing("a", "b"), [fetched("a")], refresh=later_build)
    new = await reopened(store, old)
    await store.database.ledger.record_items(new, [fetched("b")])
    await store.database.tracks.merge(new, guard=DEFAULT)
    rows = [store.freshness(slug) for slug in "ab"]
    assert [row["parser_version"] if row else None for row in rows] == [PARSER_VERSION, PARSER_VERSION]
