"""What every TrackStore promises of tracks that vanished: all of them are deactivated, or none, and nothing else moves.

The rules of the guard have their own tables in tests/core; here they meet stored rows.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.support.store import (
    ALL,
    ANY_NUMBER,
    DEFAULT,
    NO_RESULTS,
    SPEC,
    a_listing,
    a_run,
    a_track,
    fetched,
    numbered,
    opened,
    staged,
    synced,
)
from tracksync.api.deactivation import DeactivationPolicy
from tracksync.api.result import Outcome
from tracksync.core.tracks.guards import DeactivationGuard, WithheldReason
from tracksync.core.tracks.model import Listing, MergeCounters, SkippedRow, SkipReason

if TYPE_CHECKING:
    from tests.ports.conftest import Store

ADMIN = {"is_followed": True, "start_finish_line": {"a": [1, 2]}, "latitude": 46.9, "longitude": 7.4}
WITHHOLD = replace(ANY_NUMBER, policy=DeactivationPolicy.WITHHOLD)
DISABLED = replace(ANY_NUMBER, policy=DeactivationPolicy.DISABLED)
AT_MOST_ONE = replace(ANY_NUMBER, max_count=1)
TEN_PERCENT = DeactivationGuard(max_percent=10)
SKIPPED = (SkippedRow(SkipReason.EMPTY_NAME, 3),)


async def active(store: Store) -> set[object]:
    return {track.columns["slug"] for track in await store.database.tracks.find_tracks(source="liverc")}


async def test_a_vanished_track_is_deactivated_and_nothing_else_of_it_changes(store: Store) -> None:
    await synced(store.database, a_listing("a", "gone"), [fetched("gone", city="Bern", total_laps=7)])
    store.edit("gone", **ADMIN)
    before = await store.row("gone")
    store.pass_time()
    counters = await synced(store.database, a_listing("a"), guard=ANY_NUMBER)
    after = await store.row("gone")
    assert counters == MergeCounters(unchanged=1, deactivated=1, active_before=2)
    assert {column for column in after if after[column] != before[column]} == {"is_active", "deactivated_at"}
    assert after["is_active"] is False
    assert str(after["deactivated_at"]) > str(before["updated_at"])


async def test_up_to_five_percent_vanish_by_default_and_one_more_is_withheld_with_the_others(store: Store) -> None:
    await synced(store.database, numbered(40))
    listed = [f"track{number}" for number in range(40)]
    counters = await synced(store.database, a_listing(*listed[3:]))
    assert (counters.deactivated, counters.withheld) == (0, 3)
    assert counters.withheld_reasons == (WithheldReason.MAX_PERCENT,)
    counters = await synced(store.database, a_listing(*listed[2:]))
    assert (counters.deactivated, counters.withheld, counters.withheld_reasons) == (2, 0, ())
    assert await active(store) == set(listed[2:])


@pytest.mark.parametrize(
    ("guard", "skipped", "is_filtered", "reasons"),
    [
        pytest.param(WITHHOLD, (), False, (WithheldReason.POLICY,), id="policy"),
        pytest.param(ANY_NUMBER, SKIPPED, False, (WithheldReason.SKIPPED_ROWS,), id="skipped rows"),
        pytest.param(ANY_NUMBER, (), True, (WithheldReason.FILTERED,), id="filtered"),
        pytest.param(TEN_PERCENT, (), False, (WithheldReason.MAX_PERCENT,), id="percent"),
        pytest.param(AT_MOST_ONE, (), False, (WithheldReason.MAX_COUNT,), id="count"),
        pytest.param(
            replace(WITHHOLD, max_percent=0, max_count=0),
            SKIPPED,
            True,
            tuple(reason for reason in WithheldReason if reason is not WithheldReason.OUTDATED),
            id="all of them",
        ),
    ],
)
async def test_each_guard_withholds_all_vanished_tracks_while_the_rest_applies(
    store: Store,
    guard: DeactivationGuard,
    skipped: tuple[SkippedRow, ...],
    *,
    is_filtered: bool,
    reasons: tuple[WithheldReason, ...],
) -> None:
    await synced(store.database, a_listing("same", "renamed", "back", "gone-1", "gone-2"))
    store.deactivate("back")
    vanished = [await store.row(slug) for slug in ("gone-1", "gone-2")]
    listing = replace(a_listing("same", a_track("renamed", "New"), "back", "new"), skipped=skipped)
    counters = await synced(store.database, listing, guard=guard, is_filtered=is_filtered)
    assert counters == MergeCounters(
        inserted=1, updated=1, unchanged=1, reactivated=1, withheld=2, withheld_reasons=reasons, active_before=4
    )
    assert [await store.row(slug) for slug in ("gone-1", "gone-2")] == vanished
    assert await active(store) == {"same", "renamed", "back", "new", "gone-1", "gone-2"}


async def test_a_run_that_another_one_has_overtaken_deactivates_nothing(store: Store) -> None:
    await synced(store.database, a_listing("a", "b"))
    state = store.source_state()
    old = await staged(store.database, a_listing("a", "new"))
    store.overtake(old)
    counters = await store.database.tracks.merge(old, guard=replace(ANY_NUMBER, approved_ceiling=100))
    assert (counters.inserted, counters.withheld, counters.withheld_reasons) == (1, 1, (WithheldReason.OUTDATED,))
    assert await active(store) == {"a", "b", "new"}
    assert store.source_state() == state


async def test_with_the_policy_disabled_nothing_is_looked_for(store: Store) -> None:
    await synced(store.database, a_listing("a", "gone"))
    assert await synced(store.database, a_listing("a"), guard=DISABLED) == MergeCounters(unchanged=1, active_before=2)
    assert await active(store) == {"a", "gone"}


@pytest.mark.parametrize(("ceiling", "deactivated"), [(1, 0), (2, 2), (3, 2)])
async def test_an_approved_ceiling_lifts_the_limits_up_to_itself(store: Store, ceiling: int, deactivated: int) -> None:
    await synced(store.database, a_listing("a", "gone-1", "gone-2"))
    guard = DeactivationGuard(max_percent=0, max_count=0, approved_ceiling=ceiling)
    counters = await synced(store.database, a_listing("a"), guard=guard)
    assert (counters.deactivated, counters.withheld) == (deactivated, 2 - deactivated)
    assert len(await active(store)) == 3 - deactivated


async def test_an_approved_ceiling_lifts_no_other_guard(store: Store) -> None:
    await synced(store.database, a_listing("a", "gone"))
    guard = replace(ANY_NUMBER, approved_ceiling=100)
    counters = await synced(store.database, replace(a_listing("a"), skipped=SKIPPED), guard=guard)
    assert (counters.withheld, counters.withheld_reasons) == (1, (WithheldReason.SKIPPED_ROWS,))


async def test_skipped_rows_that_an_earlier_epoch_read_withhold_in_a_later_one(store: Store) -> None:
    await synced(store.database, a_listing("a", "gone"))
    old = await staged(store.database, replace(a_listing("a"), skipped=SKIPPED))
    new = await store.database.ledger.open_run(old.identity, spec_hash=SPEC)
    counters = await store.database.tracks.merge(new, guard=ANY_NUMBER)
    assert (counters.withheld, counters.withheld_reasons) == (1, (WithheldReason.SKIPPED_ROWS,))


async def test_what_is_inactive_already_is_no_candidate_and_is_not_counted_again(store: Store) -> None:
    await synced(store.database, a_listing("a", *(f"gone-{number}" for number in range(27))))
    counted = []
    for _ in range(3):
        store.pass_time()
        counted.append(await synced(store.database, a_listing("a"), guard=ANY_NUMBER))
        when = (await store.row("gone-1"))["deactivated_at"]
    nothing = MergeCounters(unchanged=1, active_before=1)
    assert counted == [MergeCounters(unchanged=1, deactivated=27, active_before=28), nothing, nothing]
    assert (await store.row("gone-1"))["deactivated_at"] == when


async def test_inactive_rows_count_neither_as_active_nor_as_vanished(store: Store) -> None:
    await synced(store.database, a_listing("a", "b", "old-1", "old-2"))
    store.deactivate("old-1")
    store.deactivate("old-2")
    counters = await synced(store.database, a_listing("a"), guard=DeactivationGuard(max_percent=50))
    assert counters == MergeCounters(unchanged=1, deactivated=1, active_before=2)
    counters = await synced(store.database, a_listing("a"), guard=replace(WITHHOLD, max_percent=0))
    assert counters == MergeCounters(unchanged=1, active_before=1)


async def test_a_merge_that_is_repeated_deactivates_and_counts_nothing_twice(store: Store) -> None:
    await synced(store.database, a_listing("a", "gone"))
    ticket = await staged(store.database, a_listing("a", "new"))
    first = await store.database.tracks.merge(ticket, guard=ANY_NUMBER)
    row, logged = await store.row("gone"), store.changes(ticket)
    store.pass_time()
    second = await store.database.tracks.merge(ticket, guard=ANY_NUMBER)
    assert first == MergeCounters(inserted=1, unchanged=1, deactivated=1, active_before=2)
    assert second == MergeCounters(unchanged=2, active_before=2)
    assert (await store.row("gone"), store.changes(ticket)) == (row, logged)


async def test_a_track_that_comes_back_keeps_its_id_its_metadata_and_what_an_admin_wrote(store: Store) -> None:
    await synced(store.database, a_listing("a", "b"), [fetched("b", city="Bern", phone="555-0100", total_laps=7)])
    store.edit("b", **ADMIN)
    before = await store.row("b")
    store.pass_time()
    assert (await synced(store.database, a_listing("a"), guard=ANY_NUMBER)).deactivated == 1
    store.pass_time()
    counters = await synced(store.database, a_listing("a", "b"))
    after = await store.row("b")
    assert counters == MergeCounters(unchanged=1, reactivated=1, active_before=1)
    assert {column for column in after if after[column] != before[column]} == {"last_seen_at"}


async def test_a_slug_of_another_source_neither_vanishes_nor_keeps_one_from_vanishing(store: Store) -> None:
    await synced(store.database, a_listing("a", "gone"))
    await synced(store.database, a_listing("gone", "theirs"), run=a_run(source="other"))
    counters = await synced(store.database, a_listing("a"), guard=ANY_NUMBER)
    assert counters == MergeCounters(unchanged=1, deactivated=1, active_before=2)
    assert await store.database.tracks.count_active("other") == 2


async def test_another_runs_staged_items_do_not_keep_a_track_active(store: Store) -> None:
    await synced(store.database, a_listing("a", "gone"))
    await staged(store.database, a_listing("a", "gone"))
    assert (await synced(store.database, a_listing("a"), guard=ANY_NUMBER)).deactivated == 1


@pytest.mark.parametrize("spoiling", ["nothing staged", "checkpoint dropped", "item lost", "unreadable", "no rows"])
async def test_without_a_whole_staged_listing_no_track_has_vanished(store: Store, spoiling: str) -> None:
    await synced(store.database, a_listing("a", "b"))
    state = store.source_state()
    ticket = await opened(store.database)
    if spoiling != "nothing staged":
        listing = Listing(()) if spoiling == "no rows" else a_listing("a", "new")
        await store.database.ledger.stage_listing(ticket, listing, refresh=ALL)
    if spoiling == "checkpoint dropped":
        await store.database.ledger.close_run(ticket, outcome=Outcome.FAILED, reason="Because", results=NO_RESULTS)
        ticket = await store.database.ledger.open_run(ticket.identity, spec_hash=SPEC)
    if spoiling == "item lost":
        store.lose_item(ticket, "a")
    if spoiling == "unreadable":
        store.spoil(ticket, checkpoint_format=99, listing={})
    guard = replace(ANY_NUMBER, approved_ceiling=1_000_000)
    counters = await store.database.tracks.merge(ticket, guard=guard)
    assert (counters.deactivated, counters.withheld, counters.active_before) == (0, 0, 2)
    assert await active(store) >= {"a", "b"}
    assert store.source_state() == state


async def test_a_merge_without_a_listing_in_an_empty_database_does_nothing(store: Store) -> None:
    ticket = await opened(store.database)
    assert await store.database.tracks.merge(ticket, guard=DEFAULT) == MergeCounters()
    assert store.source_state() is None
