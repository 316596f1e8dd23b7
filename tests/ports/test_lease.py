"""The lease of a source: one run holds it, for as long as it renews it; both adapters agree on all of it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.support.postgres import fetch_all
from tests.support.store import DEFAULT, NO_RESULTS, SPEC, a_listing, a_run, expire_leases, staged
from tracksync.adapters.memory import ManualClock, MemoryDatabase
from tracksync.api.result import Outcome
from tracksync.errors import ConfigurationError, FencedError, LeaseHeldError
from tracksync.ports import LEASE_SECONDS

if TYPE_CHECKING:
    from tests.ports.conftest import Store
    from tracksync.ports import RunIdentity, RunTicket


async def opened(store: Store, run: RunIdentity) -> RunTicket:
    """Open a run, with the lease as it is."""
    return await store.database.ledger.open_run(run, spec_hash=SPEC)


def pass_seconds(store: Store, seconds: float) -> None:
    """Let so much time pass for every lease."""
    if store.url is not None:
        age = timedelta(seconds=seconds)
        fetch_all(store.url, "UPDATE leases SET renewed_at = renewed_at - %s, expires_at = expires_at - %s", age, age)
        return
    assert isinstance(store.database, MemoryDatabase)
    assert isinstance(store.database.clock, ManualClock)
    store.database.clock.advance(seconds)


async def test_another_run_is_refused_until_the_lease_has_expired(store: Store) -> None:
    first = a_run()
    await opened(store, first)
    with pytest.raises(LeaseHeldError, match=first.run_id) as early:
        await opened(store, a_run())
    pass_seconds(store, LEASE_SECONDS - 5)
    with pytest.raises(LeaseHeldError, match=r"for another [45] s") as late:
        await opened(store, a_run())
    assert (late.value.expires_at == early.value.expires_at) == (store.url is None)
    pass_seconds(store, 5.5)
    assert (await opened(store, a_run())).epoch == 1


async def test_a_renewal_moves_the_moment_that_the_refusal_tells(store: Store) -> None:
    ticket = await opened(store, a_run())
    with pytest.raises(LeaseHeldError) as first:
        await opened(store, a_run())
    store.pass_time()
    await store.database.ledger.renew_lease(ticket)
    with pytest.raises(LeaseHeldError) as second:
        await opened(store, a_run())
    assert second.value.expires_at > first.value.expires_at


async def test_a_refused_run_is_not_known_and_the_holder_is_as_before(store: Store) -> None:
    ticket, refused = await opened(store, a_run()), a_run()
    with pytest.raises(LeaseHeldError):
        await opened(store, refused)
    await store.database.ledger.renew_lease(ticket)
    await store.database.ledger.stage_listing(ticket, a_listing("a"), refresh=None)
    await store.database.ledger.close_run(ticket, outcome=Outcome.FAILED, reason="Because", results=NO_RESULTS)
    assert (await opened(store, refused)).epoch == 1


async def test_the_runs_own_lease_is_taken_at_once_and_its_earlier_epoch_is_fenced(store: Store) -> None:
    run = a_run()
    old = await opened(store, run)
    new = await opened(store, run)
    assert (new.epoch, new.lease_epoch > old.lease_epoch) == (2, True)
    with pytest.raises(FencedError):
        await store.database.ledger.renew_lease(old)
    await store.database.ledger.renew_lease(new)


async def test_a_run_whose_expired_lease_was_taken_is_fenced_and_can_be_opened_again_later(store: Store) -> None:
    old = await staged(store.database, a_listing("a"))
    pass_seconds(store, LEASE_SECONDS + 1)
    other = await opened(store, a_run())
    for call in (
        store.database.ledger.renew_lease(old),
        store.database.ledger.record_items(old, []),
        store.database.ledger.pending_dashboards(old),
        store.database.tracks.merge(old, guard=DEFAULT),
        store.database.ledger.close_run(old, outcome=Outcome.FAILED, reason="x", results=NO_RESULTS),
    ):
        with pytest.raises(FencedError, match="another run took the lease"):
            await call
    await store.database.ledger.renew_lease(other)
    await store.database.ledger.close_run(other, outcome=Outcome.FAILED, reason="x", results=NO_RESULTS)
    again = await opened(store, old.identity)
    assert (again.epoch, again.checkpoint is not None) == (3, True)


async def test_a_closed_run_gives_its_lease_back_and_is_not_touched_by_the_next_one(store: Store) -> None:
    ticket = await opened(store, a_run())
    await store.database.ledger.close_run(ticket, outcome=Outcome.SUCCEEDED, reason="Done", results=NO_RESULTS)
    await opened(store, a_run())
    await store.database.ledger.close_run(ticket, outcome=Outcome.SUCCEEDED, reason="Done", results=NO_RESULTS)
    with pytest.raises(ConfigurationError):
        await expire_and_open(store, ticket.identity)


async def expire_and_open(store: Store, run: RunIdentity) -> RunTicket:
    await expire_leases(store.database)
    return await opened(store, run)


async def test_closing_a_run_again_does_not_give_back_the_lease_of_the_one_that_holds_it_now(store: Store) -> None:
    ticket = await opened(store, a_run())
    await store.database.ledger.close_run(ticket, outcome=Outcome.FAILED, reason="x", results=NO_RESULTS)
    await opened(store, a_run())
    await store.database.ledger.close_run(ticket, outcome=Outcome.FAILED, reason="x", results=NO_RESULTS)
    with pytest.raises(LeaseHeldError):
        await opened(store, a_run())


async def test_sources_have_leases_of_their_own(store: Store) -> None:
    tickets = [await opened(store, a_run(source=source)) for source in ("liverc", "elsewhere")]
    for ticket in tickets:
        await store.database.ledger.renew_lease(ticket)


async def test_a_run_that_has_succeeded_takes_no_lease(store: Store) -> None:
    ticket = await opened(store, a_run())
    await store.database.ledger.close_run(ticket, outcome=Outcome.SUCCEEDED, reason="Done", results=NO_RESULTS)
    with pytest.raises(ConfigurationError):
        await opened(store, ticket.identity)
    assert (await opened(store, a_run())).lease_epoch == ticket.lease_epoch + 1


async def test_a_run_that_merged_and_died_is_opened_with_what_it_did(store: Store) -> None:
    ticket = await staged(store.database, a_listing("a", "b"))
    counters = await store.database.tracks.merge(ticket, guard=DEFAULT)
    again = await opened(store, ticket.identity)
    assert (again.epoch, again.merged) == (2, counters)
    assert again.checkpoint is not None
    assert again.checkpoint.listed == 2
