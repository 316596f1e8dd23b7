"""What every Ledger stages of a listing: what differs from what is stored, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.store import (
    ALL,
    ANY_NUMBER,
    DEFAULT,
    WEEKLY,
    a_listing,
    a_run,
    a_track,
    fetched,
    opened,
    staged,
    synced,
    waiting,
)
from tracksync.core.tracks.model import Listing, ListingSummary, MergeCounters, TrackStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.ports.conftest import Store
    from tracksync.core.tracks.freshness import Refresh
    from tracksync.core.tracks.model import ListedTrack


async def summary_of(store: Store, listing: Listing, refresh: Refresh | None = None) -> ListingSummary:
    """Return what a new run makes of the listing."""
    ticket = await opened(store.database)
    return await store.database.ledger.stage_listing(ticket, listing, refresh=refresh)


def known(slug: str, name: str | None = None, **values: Any) -> ListedTrack:
    return a_track(slug, name, values=values)


async def test_of_a_listing_that_says_what_is_stored_nothing_is_staged(store: Store) -> None:
    await synced(store.database, a_listing("a", "b"))
    assert await summary_of(store, a_listing("b", "a")) == ListingSummary(2)
    assert await synced(store.database, a_listing("a", "b"), refresh=None) == MergeCounters(
        unchanged=2, active_before=2
    )


@pytest.mark.parametrize(
    "track",
    [
        pytest.param(a_track("a", "New"), id="another name"),
        pytest.param(a_track("a", is_featured=True), id="a star"),
        pytest.param(replace(a_track("a"), slug_as_listed="a"), id="another spelling"),
        pytest.param(a_track("a", status=TrackStatus.RACING), id="a race"),
        pytest.param(a_track("a", has_video=True), id="a video"),
        pytest.param(a_track("a", event_name="Cup"), id="an event"),
        pytest.param(known("a", city="Bern"), id="values"),
    ],
)
async def test_each_difference_takes_one_row(store: Store, track: ListedTrack) -> None:
    await synced(store.database, a_listing("a", "b"))
    assert await summary_of(store, a_listing(track, "b")) == ListingSummary(2, staged=1)
    await synced(store.database, a_listing(track, "b"))
    assert await summary_of(store, a_listing(track, "b")) == ListingSummary(2)


async def test_a_new_track_one_that_is_back_and_one_that_vanished_take_one_row_each(store: Store) -> None:
    await synced(store.database, a_listing("same", "back", "gone"))
    store.deactivate("back")
    listing = a_listing("same", "back", "new")
    assert await summary_of(store, listing) == ListingSummary(3, staged=3, vanished=1)


async def test_an_inactive_track_that_is_not_listed_takes_none(store: Store) -> None:
    await synced(store.database, a_listing("a", "old"))
    store.deactivate("old")
    assert await summary_of(store, a_listing("a")) == ListingSummary(1)


async def test_a_track_that_is_due_takes_a_row_and_one_that_is_not_takes_none(store: Store) -> None:
    await synced(store.database, a_listing("a", "b"), [fetched("a"), fetched("b")])
    assert await summary_of(store, a_listing("a", "b"), WEEKLY) == ListingSummary(2)
    assert await summary_of(store, a_listing("a", "b"), ALL) == ListingSummary(2, due=2, staged=2)


async def test_a_listing_is_read_once_row_by_row(store: Store) -> None:
    class Once:
        """A sequence that can be read through once."""

        def __init__(self) -> None:
            self.read = 0

        def __len__(self) -> int:
            return 3

        def __iter__(self) -> Iterator[ListedTrack]:
            self.read += 1
            yield from (a_track("a"), a_track("b"), a_track("a"))

    tracks = Once()
    listing = Listing(tracks, duplicates=2)  # type: ignore[arg-type]  # as much of a sequence as is needed
    assert await summary_of(store, listing) == ListingSummary(2, duplicates=3, staged=2)
    assert tracks.read == 1


async def test_a_page_that_says_what_is_stored_is_fetched_and_changes_nothing(store: Store) -> None:
    await synced(store.database, a_listing("a"), [fetched("a", city="Bern", phone=None)])
    before = await store.row("a")
    ticket = await staged(store.database, a_listing("a"), [fetched("a", city="Bern", phone=None)])
    assert await store.database.tracks.merge(ticket, guard=DEFAULT) == MergeCounters(unchanged=1, active_before=1)
    assert await store.row("a") == before
    row = store.freshness("a")
    assert row is not None
    assert row["as_of"] == ticket.planned_start


async def test_of_two_pages_in_one_run_the_last_counts_also_when_it_says_what_is_stored(store: Store) -> None:
    await synced(store.database, a_listing("a", "b"), [fetched("a", city="Bern"), fetched("b", city="Bern")])
    ticket = await staged(store.database, a_listing("a", "b"), [fetched("a", city="Biel"), fetched("b", city="Bern")])
    await store.database.ledger.record_items(ticket, [fetched("a", city="Bern"), fetched("b", city="Biel")])
    assert (await store.database.tracks.merge(ticket, guard=DEFAULT)).updated == 1
    assert [(await store.row(slug))["city"] for slug in "ab"] == ["Bern", "Biel"]


async def test_a_page_that_comes_after_the_runs_own_merge_is_compared_with_what_that_wrote(store: Store) -> None:
    await synced(store.database, a_listing("a"), [fetched("a", city="Bern")])
    ticket = await staged(store.database, a_listing("a"), [fetched("a", city="Biel")])
    await store.database.tracks.merge(ticket, guard=DEFAULT)
    await store.database.ledger.record_items(ticket, [fetched("a", city="Bern")])
    assert (await store.database.tracks.merge(ticket, guard=DEFAULT)).updated == 1
    assert (await store.row("a"))["city"] == "Bern"


async def test_a_track_that_carries_its_values_needs_no_dashboard(store: Store) -> None:
    listing = a_listing(known("a", city="Bern", total_laps=7), "b")
    ticket = await staged(store.database, listing, [fetched("a", city="Biel")])
    assert await waiting(store.database, ticket) == ["b"]
    assert (await store.database.ledger.open_run(ticket.identity, spec_hash="hash of a spec")).checkpoint == (
        ListingSummary(2, due=1, staged=2)
    )
    assert await synced(store.database, listing) == MergeCounters(inserted=2)
    row = await store.row("a")
    assert (row["city"], row["total_laps"], row["phone"]) == ("Bern", 7, None)
    assert store.freshness("a") is None


async def test_values_that_changed_are_merged_like_a_page_and_an_outcome_does_not_replace_them(store: Store) -> None:
    await synced(store.database, a_listing(known("a", city="Bern", phone="555-0100"), known("b", city="Bern")))
    listing = a_listing(known("a", city=None), known("b", city="Bern"))
    assert await summary_of(store, listing) == ListingSummary(2, staged=1)
    ticket = await staged(store.database, listing, [fetched("a", city="Biel")])
    assert (await store.database.tracks.merge(ticket, guard=DEFAULT)).updated == 1
    row = await store.row("a")
    assert (row["city"], row["phone"]) == (None, "555-0100")


async def test_values_of_a_renamed_a_returned_and_a_new_track_are_merged_in_one_run(store: Store) -> None:
    await synced(store.database, a_listing(known("a", city="A"), known("back", city="B"), known("gone", city="G")))
    store.deactivate("back")
    listing = a_listing(known("a", "New", city="A"), known("back", city="C"), known("new", city="N\x00\ud800"))
    counters = await synced(store.database, listing, guard=ANY_NUMBER)
    assert counters == MergeCounters(inserted=1, updated=2, reactivated=1, deactivated=1, active_before=2)
    assert [(await store.row(slug))["city"] for slug in ("a", "back", "new")] == [
        "A",
        "C",
        "N\N{REPLACEMENT CHARACTER}",
    ]
    assert await summary_of(store, listing) == ListingSummary(3)


async def test_a_value_for_a_column_that_is_no_dashboards_is_a_mistake_in_a_listing_too(store: Store) -> None:
    ticket = await opened(store.database)
    with pytest.raises(ValueError, match="not a dashboard column: is_followed"):
        await store.database.ledger.stage_listing(ticket, a_listing(known("a", is_followed=1)), refresh=None)


async def test_what_was_written_without_hashes_is_compared_once(store: Store) -> None:
    """As after an upgrade: the rows have no hashes yet."""
    await synced(store.database, a_listing(known("a", city="Bern")))
    store.forget_hashes()
    before = await store.row("a")
    listing = a_listing(known("a", city="Bern"))
    assert (await summary_of(store, listing)).staged == 1
    assert await synced(store.database, listing) == MergeCounters(unchanged=1, active_before=1)
    assert (await summary_of(store, listing)).staged == 0
    after = await store.row("a")
    assert {column for column in after if after[column] != before[column]} <= {"last_seen_at"}


async def test_another_sources_tracks_are_not_looked_at(store: Store) -> None:
    await synced(store.database, a_listing("a", "b"), run=a_run(source="other"))
    assert await summary_of(store, a_listing("a")) == ListingSummary(1, staged=1)
