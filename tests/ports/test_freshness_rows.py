"""What is known of stored dashboards: what the merge writes of it, and what staging makes of it, on both adapters."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.ports.conftest import at
from tests.support.store import (
    ALL,
    DEFAULT,
    WEEKLY,
    a_listing,
    a_run,
    a_track,
    failed,
    fetched,
    opened,
    staged,
    synced,
    unmodified,
    waiting,
)
from tracksync.adapters.storable import MOST_VALIDATOR_CHARACTERS
from tracksync.core.tracks.freshness import MOST_UNMODIFIED, Refresh
from tracksync.core.tracks.model import FetchedItem, MergeCounters, Validators

if TYPE_CHECKING:
    from tests.ports.conftest import Store
    from tracksync.core.tracks.model import DueDashboard, ItemResult

WEEK = timedelta(days=7)
NEWER = Refresh(WEEK, parser_version=2)


def known(store: Store, slug: str) -> dict[str, Any]:
    row = store.freshness(slug)
    assert row is not None, f"nothing is known of {slug}"
    return row


async def due(store: Store, *slugs: str, refresh: Refresh = WEEKLY) -> list[DueDashboard]:
    """Return what a new run of these tracks would fetch."""
    ticket = await staged(store.database, a_listing(*slugs), refresh=refresh)
    return list(await store.database.ledger.pending_dashboards(ticket))


async def test_a_fetched_dashboard_is_as_of_the_planned_start_of_its_run(store: Store) -> None:
    ticket = await staged(store.database, a_listing("a"))
    page = FetchedItem("a", {"city": "Bern"}, Validators('W/"1"', "Sat, 31 Jan 2026 02:00:00 GMT"))
    await store.database.ledger.record_items(ticket, [page])
    await store.database.tracks.merge(ticket, guard=DEFAULT)
    row = known(store, "a")
    assert row["as_of"] == ticket.planned_start <= row["fetched_at"] == row["last_attempt_at"]
    del row["as_of"], row["fetched_at"], row["last_attempt_at"]
    assert row == {
        "http_status": 200,
        "etag": 'W/"1"',
        "last_modified": "Sat, 31 Jan 2026 02:00:00 GMT",
        "attempts": 1,
        "unmodified": 0,
        "last_error_class": None,
        "parser_version": 1,
    }


async def test_nothing_is_known_before_the_merge(store: Store) -> None:
    await staged(store.database, a_listing("a"), [fetched("a")])
    assert store.freshness("a") is None


async def test_a_confirmed_dashboard_is_fresh_again_and_was_not_fetched(store: Store) -> None:
    await synced(store.database, a_listing("a"), [fetched("a", etag='"1"', city="Bern")])
    before = known(store, "a")
    ticket = await staged(store.database, a_listing("a"), [unmodified("a")])
    assert await store.database.tracks.merge(ticket, guard=DEFAULT) == MergeCounters(unchanged=1, active_before=1)
    after = known(store, "a")
    assert (after["as_of"], after["fetched_at"], after["etag"]) == (ticket.planned_start, before["fetched_at"], '"1"')
    assert (after["http_status"], after["unmodified"], after["last_error_class"]) == (304, 1, None)
    assert (await store.row("a"))["city"] == "Bern"


async def test_confirmations_in_a_row_are_counted_and_a_fetched_page_ends_the_row(store: Store) -> None:
    outcomes: list[ItemResult] = [
        fetched("a"),
        unmodified("a"),
        failed("a"),
        unmodified("a"),
        fetched("a"),
        unmodified("a"),
    ]
    counts = []
    for item in outcomes:
        await synced(store.database, a_listing("a"), [item])
        counts.append(known(store, "a")["unmodified"])
    assert counts == [0, 1, 1, 2, 0, 1]


async def test_a_failure_is_kept_beside_what_was_known(store: Store) -> None:
    await synced(store.database, a_listing("a"), [fetched("a", etag='"1"')])
    before = known(store, "a")
    ticket = await staged(store.database, a_listing("a"), [failed("a", http_status=500, next_try=at(1))])
    await store.database.ledger.record_items(ticket, [failed("a", http_status=503)])
    await store.database.tracks.merge(ticket, guard=DEFAULT)
    after = known(store, "a")
    kept = ("as_of", "fetched_at", "etag", "last_modified", "unmodified", "parser_version")
    assert {column: after[column] for column in kept} == {column: before[column] for column in kept}
    assert (after["http_status"], after["last_error_class"], after["attempts"]) == (503, "HttpStatus", 2)


async def test_what_failed_in_the_run_before_is_known_to_have_failed_until_it_is_had(store: Store) -> None:
    await synced(store.database, a_listing("a", "b"), [failed("a"), fetched("b")], refresh=ALL)
    assert [(one.slug, one.has_failed_before) for one in await due(store, "a", "b", "c", refresh=ALL)] == [
        ("a", True),
        ("b", False),
        ("c", False),
    ]
    await synced(store.database, a_listing("a"), [fetched("a")], refresh=ALL)
    assert [one.has_failed_before for one in await due(store, "a", refresh=ALL)] == [False]


async def test_a_success_forgets_the_failure_before(store: Store) -> None:
    await synced(store.database, a_listing("a"), [failed("a")])
    await synced(store.database, a_listing("a"), [fetched("a")])
    row = known(store, "a")
    assert (row["http_status"], row["last_error_class"], row["attempts"]) == (200, None, 1)


async def test_a_new_track_whose_dashboard_failed_is_known_to_have_failed_and_is_due(store: Store) -> None:
    await synced(store.database, a_listing("a"), [failed("a", http_status=404)])
    row = known(store, "a")
    assert (row["as_of"], row["fetched_at"], row["http_status"]) == (None, None, 404)
    assert [each.slug for each in await due(store, "a")] == ["a"]


async def test_a_page_that_comes_without_validators_takes_the_old_ones_away(store: Store) -> None:
    await synced(store.database, a_listing("a"), [fetched("a", etag='"1"')])
    await synced(store.database, a_listing("a"), [fetched("a")])
    assert known(store, "a")["etag"] is None


async def test_what_was_not_asked_for_in_this_run_is_left_alone(store: Store) -> None:
    await synced(store.database, a_listing("a"), [fetched("a")])
    before = known(store, "a")
    await synced(store.database, a_listing(a_track("a", "Renamed"), "b"), refresh=None)
    assert known(store, "a") == before
    assert store.freshness("b") is None


async def test_a_page_that_was_never_read_is_not_fresh_because_it_is_said_to_be_unchanged(store: Store) -> None:
    for _ in range(2):
        await synced(store.database, a_listing("a"), [unmodified("a")])
        assert known(store, "a")["as_of"] is None
    assert [each.slug for each in await due(store, "a")] == ["a"]


async def test_merging_twice_counts_a_confirmation_once(store: Store) -> None:
    await synced(store.database, a_listing("a"), [fetched("a")])
    ticket = await staged(store.database, a_listing("a"), [unmodified("a")])
    for _ in range(2):
        await store.database.tracks.merge(ticket, guard=DEFAULT)
    assert known(store, "a")["unmodified"] == 1


async def test_a_dashboard_is_due_once_it_is_old_enough_and_not_before(store: Store) -> None:
    await synced(store.database, a_listing("a"), [fetched("a")])
    assert await due(store, "a") == []
    store.age(WEEK)
    assert [each.slug for each in await due(store, "a")] == ["a"]


async def test_staging_splits_a_catalogue_into_what_is_due_and_what_is_not(store: Store) -> None:
    slugs = [f"track{number}" for number in range(20)]
    await synced(store.database, a_listing(*slugs), [fetched(slug) for slug in slugs[:10]])
    assert [each.slug for each in await due(store, *slugs, "new")] == sorted([*slugs[10:], "new"])


async def test_with_no_age_allowed_all_are_due_with_their_validators(store: Store) -> None:
    await synced(store.database, a_listing("a", "b"), [fetched("a", etag='"1"'), fetched("b")])
    found = {each.slug: each.validators for each in await due(store, "a", "b", "c", refresh=ALL)}
    assert found == {"a": Validators('"1"'), "b": Validators(), "c": Validators()}


async def test_what_an_older_parser_read_is_due_at_once_and_has_to_come_whole(store: Store) -> None:
    await synced(store.database, a_listing("a"), [fetched("a", etag='"1"')])
    assert [(each.slug, each.validators) for each in await due(store, "a", refresh=NEWER)] == [("a", Validators())]


async def test_a_page_that_was_confirmed_often_has_to_come_whole(store: Store) -> None:
    await synced(store.database, a_listing("a"), [fetched("a", etag='"1"')])
    for _ in range(MOST_UNMODIFIED):
        assert [each.validators for each in await due(store, "a", refresh=ALL)] == [Validators('"1"')]
        await synced(store.database, a_listing("a"), [unmodified("a")])
    assert [each.validators for each in await due(store, "a", refresh=ALL)] == [Validators()]


async def test_what_another_source_knows_of_the_same_slug_does_not_count(store: Store) -> None:
    await synced(store.database, a_listing("a"), [fetched("a", etag='"1"')], run=a_run(source="other"))
    assert [(each.slug, each.validators) for each in await due(store, "a")] == [("a", Validators())]


async def test_without_dashboards_nothing_waits_whatever_is_known(store: Store) -> None:
    await synced(store.database, a_listing("a"), [fetched("a")])
    store.age(WEEK * 10)
    ticket = await opened(store.database)
    await store.database.ledger.stage_listing(ticket, a_listing("a"), refresh=None)
    assert await waiting(store.database, ticket) == []


@pytest.mark.parametrize(
    ("etag", "stored"),
    [
        pytest.param('"' + "x" * (MOST_VALIDATOR_CHARACTERS - 2) + '"', True, id="long"),
        pytest.param('"' + "x" * MOST_VALIDATOR_CHARACTERS + '"', False, id="too long"),
        pytest.param('"\x00"', False, id="NUL"),
        pytest.param('"\ud800"', False, id="half a character"),
        pytest.param('"Zürich"', True, id="beyond ASCII"),
        pytest.param("", True, id="empty"),
    ],
)
async def test_a_validator_is_kept_verbatim_or_not_at_all(store: Store, etag: str, *, stored: bool) -> None:
    await synced(store.database, a_listing("a"), [fetched("a", etag=etag)])
    assert known(store, "a")["etag"] == (etag if stored else None)
