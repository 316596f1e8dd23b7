"""What every Ledger promises of runs and their items. Checkpoints and freshness have files of their own.

Left out: lost connections and migrations, which only the real one has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.ports.conftest import at
from tests.support.store import (
    ALL,
    DEFAULT,
    NO_RESULTS,
    SPEC,
    a_listing,
    a_run,
    a_track,
    failed,
    fetched,
    staged,
    unmodified,
    waiting,
)
from tracksync.api.result import Outcome
from tracksync.core.tracks.model import Listing
from tracksync.errors import ConfigurationError, FencedError, ListingInvalidError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.ports.conftest import Store
    from tests.support.store import Database
    from tracksync.core.tracks.model import ItemResult
    from tracksync.ports import RunTicket

SUCCESSES = (Outcome.SUCCEEDED, Outcome.COMPLETED_WITH_ERRORS)
STOPS = (Outcome.FAILED, Outcome.CANCELLED)

FENCED_CALLS: dict[str, Callable[[Database, RunTicket], Awaitable[object]]] = {
    "stage_listing": lambda db, ticket: db.ledger.stage_listing(ticket, a_listing("c"), refresh=ALL),
    "pending_dashboards": lambda db, ticket: db.ledger.pending_dashboards(ticket),
    "record_items": lambda db, ticket: db.ledger.record_items(ticket, [fetched("a", city="Bern")]),
    "record_items of nothing": lambda db, ticket: db.ledger.record_items(ticket, []),
    "close_run": lambda db, ticket: db.ledger.close_run(ticket, outcome=Outcome.FAILED, reason="X", results=NO_RESULTS),
    "merge": lambda db, ticket: db.tracks.merge(ticket, guard=DEFAULT),
}


async def close(store: Store, ticket: RunTicket, outcome: Outcome) -> None:
    await store.database.ledger.close_run(ticket, outcome=outcome, reason="Because", results=NO_RESULTS)


async def test_the_schema_of_a_migrated_database_is_verified(store: Store) -> None:
    assert await store.database.ledger.verify_schema() is None  # type: ignore[func-returns-value]  # it did not raise


async def test_a_new_run_starts_with_epoch_one_and_each_opening_raises_it(store: Store) -> None:
    run = a_run()
    epochs = [(await store.database.ledger.open_run(run, spec_hash=SPEC)).epoch for _ in range(3)]
    assert epochs == [1, 2, 3]


@pytest.mark.parametrize("outcome", SUCCESSES)
async def test_a_run_that_succeeded_cannot_be_opened_again(store: Store, outcome: Outcome) -> None:
    run = a_run()
    await close(store, await store.database.ledger.open_run(run, spec_hash=SPEC), outcome)
    with pytest.raises(ConfigurationError, match=r"already succeeded.*start a new run"):
        await store.database.ledger.open_run(run, spec_hash=SPEC)


@pytest.mark.parametrize("outcome", STOPS)
async def test_a_run_that_did_not_succeed_can_be_opened_again(store: Store, outcome: Outcome) -> None:
    run = a_run()
    await close(store, await store.database.ledger.open_run(run, spec_hash=SPEC), outcome)
    assert (await store.database.ledger.open_run(run, spec_hash=SPEC)).epoch == 2


async def test_a_run_of_another_source_is_not_taken_over(store: Store) -> None:
    run = a_run()
    await store.database.ledger.open_run(run, spec_hash=SPEC)
    with pytest.raises(ConfigurationError, match="another source"):
        await store.database.ledger.open_run(a_run(run_id=run.run_id, source="other"), spec_hash=SPEC)


async def test_a_run_id_that_is_no_uuid_is_refused(store: Store) -> None:
    with pytest.raises(ConfigurationError, match="run id is not a UUID"):
        await store.database.ledger.open_run(a_run(run_id="nightly-1"), spec_hash=SPEC)


async def test_staged_slugs_wait_for_their_dashboard_in_slug_order(store: Store) -> None:
    ticket = await staged(store.database, a_listing("b", "a-1", "a", "a1", "10", "9"))
    assert await waiting(store.database, ticket) == ["10", "9", "a", "a-1", "a1", "b"]


async def test_without_dashboards_nothing_waits(store: Store) -> None:
    ticket = await store.database.ledger.open_run(a_run(), spec_hash=SPEC)
    await store.database.ledger.stage_listing(ticket, a_listing("a"), refresh=None)
    assert await waiting(store.database, ticket) == []


async def test_recorded_slugs_do_not_wait_any_more(store: Store) -> None:
    items: list[ItemResult] = [fetched("a", city="Bern"), failed("b"), unmodified("d")]
    ticket = await staged(store.database, a_listing("a", "b", "c", "d"), items)
    assert await waiting(store.database, ticket) == ["c"]


async def test_what_failed_and_has_a_next_try_waits_for_it_with_its_attempt_counted(store: Store) -> None:
    ticket = await staged(store.database, a_listing("a", "b"), [failed("a", next_try=at(5))])
    due = await store.database.ledger.pending_dashboards(ticket)
    assert [(each.slug, each.attempts, each.not_before) for each in due] == [("a", 1, at(5)), ("b", 0, None)]


async def test_each_attempt_of_a_slug_counts_until_it_succeeds_or_has_no_next_try(store: Store) -> None:
    ticket = await staged(store.database, a_listing("a", "b"))
    for minute in (1, 2):
        again: list[ItemResult] = [failed("a", next_try=at(minute)), failed("b", next_try=at(minute))]
        await store.database.ledger.record_items(ticket, again)
    due = await store.database.ledger.pending_dashboards(ticket)
    assert [(each.slug, each.attempts, each.not_before) for each in due] == [("a", 2, at(2)), ("b", 2, at(2))]
    await store.database.ledger.record_items(ticket, [failed("a"), fetched("b")])
    assert await waiting(store.database, ticket) == []


async def test_of_two_outcomes_for_one_slug_the_last_counts(store: Store) -> None:
    items: list[ItemResult] = [failed("a"), fetched("a", city="Bern"), fetched("a", city="Biel")]
    await store.database.tracks.merge(await staged(store.database, a_listing("a"), items), guard=DEFAULT)
    assert (await store.row("a"))["city"] == "Biel"


async def test_an_outcome_for_a_slug_that_was_not_listed_changes_nothing(store: Store) -> None:
    ticket = await staged(store.database, a_listing("a"), [fetched("unlisted", city="Bern")])
    assert (await store.database.tracks.merge(ticket, guard=DEFAULT)).inserted == 1
    assert await store.database.tracks.count_active("liverc") == 1


async def test_staging_again_replaces_what_was_staged(store: Store) -> None:
    ticket = await staged(store.database, a_listing("a", "b"))
    await store.database.ledger.stage_listing(ticket, a_listing("c"), refresh=ALL)
    assert await waiting(store.database, ticket) == ["c"]


async def test_a_slug_listed_twice_is_staged_once_with_its_first_name(store: Store) -> None:
    listing = a_listing(a_track("a", "First"), a_track("a", "Second"))
    assert (await store.database.tracks.merge(await staged(store.database, listing), guard=DEFAULT)).inserted == 1
    assert (await store.row("a"))["name"] == "First"


async def test_an_incomplete_listing_is_not_staged(store: Store) -> None:
    ticket = await staged(store.database, a_listing("a"))
    with pytest.raises(ListingInvalidError, match="nothing was staged"):
        await store.database.ledger.stage_listing(ticket, Listing((), problems=("cut",)), refresh=ALL)
    assert await waiting(store.database, ticket) == ["a"]


async def test_a_value_for_a_column_that_is_no_dashboards_is_a_mistake(store: Store) -> None:
    ticket = await staged(store.database, a_listing("a"))
    with pytest.raises(ValueError, match="not a dashboard column: is_followed"):
        await store.database.ledger.record_items(ticket, [fetched("a", is_followed=1)])


@pytest.mark.parametrize("call", FENCED_CALLS.values(), ids=FENCED_CALLS)
async def test_a_newer_epoch_fences_the_older_one(
    store: Store, call: Callable[[Database, RunTicket], Awaitable[object]]
) -> None:
    run = a_run()
    old = await staged(store.database, a_listing("a"), run=run)
    new = await staged(store.database, a_listing("b"), run=run)
    with pytest.raises(FencedError, match="newer epoch"):
        await call(store.database, old)
    assert await waiting(store.database, new) == ["b"]
    assert await store.database.tracks.count_active("liverc") == 0


@pytest.mark.parametrize("name", [name for name in FENCED_CALLS if name != "close_run"])
async def test_a_closed_run_takes_nothing_any_more(store: Store, name: str) -> None:
    ticket = await staged(store.database, a_listing("a"))
    await close(store, ticket, Outcome.CANCELLED)
    with pytest.raises(FencedError, match="the run is closed"):
        await FENCED_CALLS[name](store.database, ticket)


async def test_closing_a_run_the_same_way_again_changes_nothing(store: Store) -> None:
    ticket = await staged(store.database, a_listing("a"))
    await close(store, ticket, Outcome.CANCELLED)
    await close(store, ticket, Outcome.CANCELLED)
    with pytest.raises(FencedError):
        await close(store, ticket, Outcome.SUCCEEDED)


async def test_two_runs_do_not_see_each_others_items(store: Store) -> None:
    first = await staged(store.database, a_listing("a"), run=a_run(source="other"))
    second = await staged(store.database, a_listing("b"))
    await close(store, first, Outcome.FAILED)
    assert await waiting(store.database, second) == ["b"]
