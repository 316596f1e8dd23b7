"""When a track was truly seen last: what every TrackStore promises of tracks that are not listed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.support.store import ANY_NUMBER, a_listing, a_track, staged, synced
from tracksync.api.deactivation import DeactivationPolicy
from tracksync.core.tracks.model import MergeCounters

if TYPE_CHECKING:
    from datetime import datetime

    from tests.ports.conftest import Store

WITHHOLD = replace(ANY_NUMBER, policy=DeactivationPolicy.WITHHOLD)
DISABLED = replace(ANY_NUMBER, policy=DeactivationPolicy.DISABLED)


async def seen_twice(store: Store) -> datetime:
    """Let `a` and `gone` be seen by two runs, of which the second writes neither; return when that was."""
    for _ in range(2):
        store.pass_time()
        await synced(store.database, a_listing("a", "gone"), refresh=None)
    store.pass_time()
    state = store.source_state()
    assert state is not None
    last: datetime = state["last_complete_at"]
    return last


async def test_a_withheld_track_is_missing_from_then_on_and_was_seen_last_before(store: Store) -> None:
    last = await seen_twice(store)
    for _ in range(2):
        assert (await synced(store.database, a_listing("a"), guard=WITHHOLD)).withheld == 1
        assert store.missing() == {"gone"}
        assert store.last_seen("gone") == last
        assert store.last_seen("a") > last
        store.pass_time()


async def test_with_the_policy_disabled_a_track_that_is_not_listed_is_missing_as_well(store: Store) -> None:
    last = await seen_twice(store)
    assert await synced(store.database, a_listing("a"), guard=DISABLED) == MergeCounters(unchanged=1, active_before=2)
    assert (store.missing(), store.last_seen("gone")) == ({"gone"}, last)


async def test_a_deactivated_track_was_seen_last_by_the_run_before(store: Store) -> None:
    last = await seen_twice(store)
    assert (await synced(store.database, a_listing("a"), guard=ANY_NUMBER)).deactivated == 1
    assert (store.missing(), store.last_seen("gone")) == (set(), last)


async def test_a_track_that_was_missing_first_and_is_then_deactivated_was_seen_last_before_both(store: Store) -> None:
    last = await seen_twice(store)
    await synced(store.database, a_listing("a"), guard=WITHHOLD)
    store.pass_time()
    assert (await synced(store.database, a_listing("a"), guard=ANY_NUMBER)).deactivated == 1
    assert (store.missing(), store.last_seen("gone")) == (set(), last)


@pytest.mark.parametrize("is_filtered", [False, True])
async def test_a_missing_track_that_is_listed_again_is_seen_and_did_not_change(
    store: Store, *, is_filtered: bool
) -> None:
    last = await seen_twice(store)
    await synced(store.database, a_listing("a"), guard=WITHHOLD)
    before = await store.row("gone")
    store.pass_time()
    ticket = await staged(store.database, a_listing("a", "gone"), refresh=None)
    counters = await store.database.tracks.merge(ticket, guard=ANY_NUMBER, is_filtered=is_filtered)
    assert counters == MergeCounters(unchanged=2, active_before=2)
    after = await store.row("gone")
    assert (store.missing(), store.changes(ticket)) == (set(), {})
    assert {column for column in after if after[column] != before[column]} == {"last_seen_at"}
    assert store.last_seen("gone") > last


async def test_a_run_that_did_not_see_all_misses_nothing(store: Store) -> None:
    last = await seen_twice(store)
    await synced(store.database, a_listing("a"), is_filtered=True)
    assert (store.missing(), store.last_seen("gone")) == (set(), last)
    ticket = await staged(store.database, a_listing("a"))
    store.overtake(ticket)
    await store.database.tracks.merge(ticket, guard=ANY_NUMBER)
    assert (store.missing(), store.last_seen("gone")) == (set(), last)


async def test_a_missing_track_that_somebody_deactivates_can_come_back(store: Store) -> None:
    await seen_twice(store)
    await synced(store.database, a_listing("a"), guard=WITHHOLD)
    store.deactivate("gone")
    counters = await synced(store.database, a_listing("a", a_track("gone", "New")))
    assert (counters.reactivated, counters.updated, store.missing()) == (1, 1, set())
