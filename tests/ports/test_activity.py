"""What every adapter keeps of what is going on at a track: beside the track, and never as a change of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.store import DEFAULT, a_listing, a_track, failed, fetched, staged, synced
from tracksync.core.tracks.model import ListingSummary, MergeCounters, TrackStatus

if TYPE_CHECKING:
    from tests.ports.conftest import Store
    from tracksync.core.tracks.model import Listing

NOON = datetime(2026, 1, 31, 12, 0, 0, 250_000, tzinfo=UTC)
HOUR = timedelta(hours=1)


def page(fetched_at: datetime | None = NOON, **volatile: Any) -> Listing:
    return replace(a_listing(a_track("a", **volatile)), fetched_at=fetched_at)


async def shown(store: Store, listing: Listing) -> tuple[object, ...] | None:
    """Let a run see the page, and return what is kept of it."""
    await synced(store.database, listing, refresh=None)
    return store.activity("a")


async def test_what_a_page_shows_is_kept_with_the_middle_of_the_time_it_tells(store: Store) -> None:
    listing = page(status=TrackStatus.RACING, has_video=True, event_name="Cup\x00", last_updated_text="2 hours ago")
    middle = (NOON - 2.5 * HOUR).replace(microsecond=0)
    assert await shown(store, listing) == ("racing", True, "Cup", middle, "hour")


async def test_of_a_track_of_which_nothing_is_shown_nothing_is_kept(store: Store) -> None:
    assert await shown(store, page()) is None
    assert await shown(store, page(last_updated_text="in a minute")) is None
    assert await shown(store, page(fetched_at=None, last_updated_text="2 hours ago")) is None


async def test_what_is_no_longer_shown_is_forgotten_but_for_the_time(store: Store) -> None:
    before = await shown(store, page(status=TrackStatus.RACING, has_video=True, last_updated_text="1 hour ago"))
    assert before is not None
    assert await shown(store, page()) == (None, False, None, *before[3:])


@pytest.mark.parametrize(
    ("text", "later", "is_kept"),
    [
        pytest.param("Yesterday", 24 * HOUR, True, id="coarser, and it agrees"),
        pytest.param("3 hours ago", HOUR, True, id="as fine, and it agrees"),
        pytest.param("1 minute ago", HOUR, False, id="something new"),
        pytest.param("3 weeks ago", HOUR, False, id="a contradiction"),
        pytest.param("soon", HOUR, True, id="not understood"),
        pytest.param("999 years ago", HOUR, False, id="before most calendars"),
    ],
)
async def test_a_finer_time_stays_until_it_is_contradicted(
    store: Store, text: str, later: timedelta, *, is_kept: bool
) -> None:
    before = await shown(store, page(last_updated_text="2 hours ago"))
    after = await shown(store, page(NOON + later, last_updated_text=text))
    assert (before == after) == is_kept


async def test_activity_is_no_change(store: Store) -> None:
    await synced(store.database, page(), [fetched("a", city="Bern")])
    before = await store.row("a")
    ticket = await staged(store.database, page(has_video=True, event_name="Cup"), refresh=None)
    assert await store.database.tracks.merge(ticket, guard=DEFAULT) == MergeCounters(unchanged=1, active_before=1)
    assert (await store.row("a"), store.changes(ticket)) == (before, {})
    assert store.activity("a") == (None, True, "Cup", None, None)


async def test_only_activity_that_differs_is_staged(store: Store) -> None:
    listing = page(status=TrackStatus.IDLE, event_name="Cup", last_updated_text="last week")
    await synced(store.database, listing, refresh=None)
    ticket = await staged(store.database, replace(listing, fetched_at=NOON + HOUR), refresh=None)
    staged_again = await store.database.ledger.stage_listing(ticket, listing, refresh=None)
    assert staged_again == ListingSummary(1)


async def test_it_is_kept_for_new_tracks_with_values_for_failed_ones_and_for_changed_ones(store: Store) -> None:
    first = [a_track("a", has_video=True, values={"city": "Bern"}), a_track("b", has_video=True)]
    await synced(store.database, a_listing(*first), [failed("b")])
    assert [store.activity(slug) for slug in "ab"] == [(None, True, None, None, None)] * 2
    await synced(store.database, a_listing(a_track("a", "New", event_name="Cup", values={"city": "Biel"}), first[1]))
    assert store.activity("a") == (None, False, "Cup", None, None)


async def test_merging_twice_is_merging_once(store: Store) -> None:
    ticket = await staged(store.database, page(has_video=True, last_updated_text="last year"), refresh=None)
    seen = []
    for _ in range(2):
        await store.database.tracks.merge(ticket, guard=DEFAULT)
        seen.append(store.activity("a"))
    assert seen[0] == seen[1] is not None
