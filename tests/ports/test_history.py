"""What every History promises: which runs are found, what a report holds, and what is forgotten."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.support.postgres import fetch_all
from tests.support.store import (
    DEFAULT,
    NO_RESULTS,
    SPEC,
    a_listing,
    a_run,
    expire_leases,
    failed,
    fetched,
    staged,
)
from tracksync.adapters.memory import MemoryDatabase
from tracksync.api.job import Results
from tracksync.api.result import Outcome
from tracksync.core.tracks.history import FailedTrack, RunQuery
from tracksync.core.tracks.plan import ChangeKind, RunMode, TrackChange
from tracksync.errors import DatabaseUnavailableError

if TYPE_CHECKING:
    from tests.ports.conftest import Store
    from tracksync.ports import RunIdentity

AGE = """
UPDATE runs SET created_at = created_at - %s * interval '1 day', started_at = started_at - %s * interval '1 day',
                finished_at = finished_at - %s * interval '1 day'
WHERE run_id = %s RETURNING 1
"""
LEFT = """
SELECT count(*) FROM (
    SELECT run_id FROM sync_items UNION ALL SELECT run_id FROM changes UNION ALL SELECT run_id FROM planned_changes
) AS parts WHERE run_id = %s
"""


async def a_finished_run(store: Store, *, outcome: Outcome = Outcome.SUCCEEDED) -> RunIdentity:
    """Insert alpha and beta, whose dashboard cannot be had; a run that does not succeed merges nothing."""
    store.pass_time()
    run = a_run()
    items = [fetched("alpha", city="Springfield"), failed("beta", http_status=503)]
    ticket = await staged(store.database, a_listing("alpha", "beta"), items, run=run)
    if outcome is Outcome.SUCCEEDED:
        await store.database.tracks.merge(ticket, guard=DEFAULT)
    results = Results(listed=2, inserted=2)
    await store.database.ledger.close_run(ticket, outcome=outcome, reason="Because", results=results)
    return run


async def found(store: Store, query: RunQuery) -> list[str]:
    return [record.run_id for record in await store.database.history.find_runs(query)]


def grow_old(store: Store, run_id: str, days: int) -> None:
    if store.url is not None:
        fetch_all(store.url, AGE, days, days, days, run_id)
        return
    assert isinstance(store.database, MemoryDatabase)
    run, age = store.database.runs[run_id], timedelta(days=days)
    run.created_at -= age
    run.started_at = run.started_at - age if run.started_at else None
    run.finished_at = run.finished_at - age if run.finished_at else None


def count_parts(store: Store, run_id: str) -> int:
    """Return how many staged items and changes of the run are left."""
    if store.url is not None:
        ((count,),) = fetch_all(store.url, LEFT, run_id)
        return int(count)
    database = store.database
    assert isinstance(database, MemoryDatabase)
    changes = [key for key in database.changes if key[0] == run_id]
    return len(database.items.get(run_id, {})) + len(changes) + len(database.planned_changes.get(run_id, ()))


async def test_runs_are_found_newest_first_by_name_namespace_state_and_date(store: Store) -> None:
    first, second = await a_finished_run(store), await a_finished_run(store, outcome=Outcome.FAILED)
    newest, oldest = await store.database.history.find_runs(RunQuery())
    assert [newest.run_id, oldest.run_id] == [second.run_id, first.run_id]
    assert await found(store, RunQuery(limit=1)) == [second.run_id]
    assert await found(store, RunQuery(name="nightly", namespace="racing", state="succeeded")) == [first.run_id]
    assert await found(store, RunQuery(state="failed")) == [second.run_id]
    assert await found(store, RunQuery(name="another")) == []
    assert await found(store, RunQuery(namespace="another")) == []
    assert await found(store, RunQuery(since=newest.created_at)) == [second.run_id]
    assert await found(store, RunQuery(until=newest.created_at)) == [first.run_id]


async def test_a_record_tells_what_the_run_was_and_how_it_ended(store: Store) -> None:
    run = await a_finished_run(store)
    (record,) = await store.database.history.find_runs(RunQuery())
    assert (record.run_id, record.name, record.namespace, record.source) == (run.run_id, "nightly", "racing", "liverc")
    assert (record.mode, record.state, record.reason, record.attempt) == (RunMode.APPLY, "succeeded", "Because", 1)
    assert (record.results["listed"], record.merged_at is not None) == (2, True)
    assert record.seconds is not None
    assert record.created_at <= record.started_at


async def test_a_run_under_way_has_no_end(store: Store) -> None:
    await store.database.ledger.open_run(a_run(), spec_hash=SPEC)
    (record,) = await store.database.history.find_runs(RunQuery(state="running"))
    assert (record.finished_at, record.seconds, record.merged_at, record.reason) == (None, None, None, "")
    assert dict(record.results) == {}


async def test_a_run_that_lost_its_lease_ended_then(store: Store) -> None:
    lost = a_run()
    await store.database.ledger.open_run(lost, spec_hash=SPEC)
    await expire_leases(store.database)
    await store.database.ledger.open_run(a_run(), spec_hash=SPEC)
    (record,) = await store.database.history.find_runs(RunQuery(state="failed"))
    assert (record.run_id, record.reason, record.finished_at is not None) == (lost.run_id, "LeaseLost", True)


async def test_a_report_has_changes_and_failures_in_slug_order(store: Store) -> None:
    run = await a_finished_run(store)
    report = await store.database.history.read_run(run.run_id.upper())
    assert report is not None
    assert list(report.changes) == [
        TrackChange("alpha", ChangeKind.INSERTED),
        TrackChange("beta", ChangeKind.INSERTED),
    ]
    assert list(report.failures) == [FailedTrack("beta", "HttpStatus", 503, 1)]


@pytest.mark.parametrize("keep_checkpoint", [False, True])
@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.CANCELLED])
async def test_a_run_that_failed_still_tells_which_tracks_failed(
    store: Store, outcome: Outcome, *, keep_checkpoint: bool
) -> None:
    run = a_run()
    items = [fetched("alpha", phone="+1 555 0100"), failed("gamma"), failed("beta", http_status=404)]
    ticket = await staged(store.database, a_listing("alpha", "beta", "gamma", "waiting"), items, run=run)
    await store.database.ledger.close_run(
        ticket, outcome=outcome, reason="", results=NO_RESULTS, keep_checkpoint=keep_checkpoint
    )
    report = await store.database.history.read_run(run.run_id)
    assert report is not None
    assert list(report.failures) == [
        FailedTrack("beta", "HttpStatus", 404, 1),
        FailedTrack("gamma", "HttpStatus", 503, 1),
    ]
    again = await store.database.ledger.open_run(run, spec_hash=SPEC)
    assert (again.checkpoint is not None) == keep_checkpoint


async def test_the_report_of_a_plan_lists_what_would_change(store: Store) -> None:
    run = a_run()
    ticket = await store.database.ledger.open_run(run, spec_hash=SPEC, mode=RunMode.PLAN)
    await store.database.ledger.stage_listing(ticket, a_listing("b", "a"), refresh=None)
    plan = await store.database.tracks.plan(ticket, guard=DEFAULT)
    await store.database.ledger.close_run(ticket, outcome=Outcome.SUCCEEDED, reason="Planned", results=NO_RESULTS)
    report = await store.database.history.read_run(run.run_id)
    assert report is not None
    assert (report.run.mode, list(report.changes)) == (RunMode.PLAN, list(plan.changes))
    assert [change.slug for change in report.changes] == ["a", "b"]


@pytest.mark.parametrize("run_id", [str(uuid4()), "no id at all"])
async def test_an_unknown_run_is_none(store: Store, run_id: str) -> None:
    assert await store.database.history.read_run(run_id) is None


async def test_what_ended_longer_ago_is_forgotten_with_all_that_belongs_to_it_and_no_track(store: Store) -> None:
    old, young = await a_finished_run(store), await a_finished_run(store)
    grow_old(store, old.run_id, 31)
    grow_old(store, young.run_id, 29)
    assert count_parts(store, old.run_id) > 0
    assert await store.database.history.purge(keep_days=30, seconds=10) == 1
    assert await found(store, RunQuery()) == [young.run_id]
    assert count_parts(store, old.run_id) == 0
    assert await store.database.tracks.count_active("liverc") == 2
    assert await store.database.history.purge(keep_days=30, seconds=10) == 0


async def test_a_stopped_runs_checkpoint_is_forgotten_with_it(store: Store) -> None:
    run = a_run()
    ticket = await staged(store.database, a_listing("alpha"), [fetched("alpha", city="Springfield")], run=run)
    await store.database.ledger.close_run(
        ticket, outcome=Outcome.CANCELLED, reason="Cancelled", results=NO_RESULTS, keep_checkpoint=True
    )
    assert count_parts(store, run.run_id) == 1
    grow_old(store, run.run_id, 8)
    assert await store.database.history.purge(keep_days=7, seconds=10) == 1
    assert count_parts(store, run.run_id) == 0


async def test_a_run_whose_worker_is_long_gone_is_forgotten_but_none_that_holds_its_lease(store: Store) -> None:
    run = a_run()
    await store.database.ledger.open_run(run, spec_hash=SPEC)
    grow_old(store, run.run_id, 31)
    assert await store.database.history.purge(keep_days=30, seconds=10) == 0
    await expire_leases(store.database)
    store.pass_time()
    assert await store.database.history.purge(keep_days=30, seconds=10) == 1


async def test_without_time_nothing_is_forgotten(store: Store) -> None:
    run = await a_finished_run(store)
    grow_old(store, run.run_id, 31)
    assert await store.database.history.purge(keep_days=30, seconds=0) == 0
    assert await found(store, RunQuery()) == [run.run_id]


async def test_nobody_keeps_history_for_less_than_a_week(store: Store) -> None:
    with pytest.raises(ValueError, match="7 days at least, not 6"):
        await store.database.history.purge(keep_days=6, seconds=1)


async def test_a_twin_that_is_away_says_so(store: Store) -> None:
    if isinstance(store.database, MemoryDatabase):
        store.database.is_reachable = False
    else:
        await store.database.close()
        store.database.history = (
            type(store.database)
            .prepare("postgresql://nobody@127.0.0.1:9/none", application_name="tests", timeout_seconds=1)
            .history
        )
    with pytest.raises(DatabaseUnavailableError):
        await store.database.history.find_runs(RunQuery())
