"""Taking a run back, on a real PostgreSQL: what nobody changed since is as it was, and the next sync puts it right."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.cli.starting import tracksync
from tests.support.postgres import fetch_all
from tests.support.store import ALL, ANY_NUMBER, DEFAULT, SPEC, a_listing, a_run, a_track, fetched
from tracksync.adapters.postgres.columns import BEFORE_COLUMNS
from tracksync.api.job import Results
from tracksync.api.result import Outcome
from tracksync.core.tracks.guards import WithheldReason
from tracksync.core.tracks.plan import ChangeKind, RunMode
from tracksync.errors import ConfigurationError

if TYPE_CHECKING:
    from tracksync.adapters.postgres.database import PostgresDatabase
    from tracksync.core.tracks.model import FetchedItem, ListedTrack
    from tracksync.core.tracks.undo import UndoReport

FIRST = (a_track("alpha"), a_track("beta"), a_track("gamma"), a_track("delta"))
SECOND = (a_track("alpha", "Alpha renamed"), a_track("beta"), a_track("gamma"), a_track("epsilon"))
"""alpha has another name, delta is gone, epsilon is new."""


async def synced(database: PostgresDatabase, tracks: tuple[ListedTrack, ...], *pages: FetchedItem) -> str:
    """Run a whole sync and return its id."""
    identity = a_run()
    ticket = await database.ledger.open_run(identity, spec_hash=SPEC)
    await database.ledger.stage_listing(ticket, a_listing(*tracks), refresh=ALL)
    known = {page.slug: page for page in pages}
    await database.ledger.record_items(ticket, [known.get(track.slug, fetched(track.slug)) for track in tracks])
    await database.tracks.merge(ticket, guard=ANY_NUMBER)
    await database.ledger.close_run(ticket, outcome=Outcome.SUCCEEDED, reason="Completed", results=Results())
    return identity.run_id


async def two_runs(database: PostgresDatabase) -> str:
    """Return the id of the second one: it renames, moves, drops and adds."""
    await synced(database, FIRST, fetched("beta", city="Springfield", total_laps=10, phone="+1 555-010-0100"))
    return await synced(
        database,
        SECOND,
        fetched("beta", city="Shelbyville", total_laps=12, phone="+1 555-010-0199"),
        fetched("gamma", email="info@example.org"),
    )


async def undone(
    database: PostgresDatabase, run_id: str, *, mode: RunMode = RunMode.UNDO, guard: Any = ANY_NUMBER
) -> tuple[str, UndoReport]:
    identity = a_run()
    found = await database.undo.find(run_id)
    ticket = await database.ledger.open_run(identity, spec_hash="undo", mode=mode)
    report = await database.undo.take_back(ticket, found, guard=guard)
    await database.ledger.close_run(ticket, outcome=Outcome.SUCCEEDED, reason="Undone", results=Results())
    return identity.run_id, report


def tracks_of(url: str) -> dict[str, tuple[Any, ...]]:
    columns = ", ".join(BEFORE_COLUMNS)
    return {row[0]: row[1:] for row in fetch_all(url, f"SELECT slug, id, is_active, {columns}, phone FROM tracks")}


async def test_what_a_run_changed_is_as_it_was_before_but_for_personal_fields(
    database: PostgresDatabase, database_url: str
) -> None:
    await synced(database, FIRST, fetched("beta", city="Springfield", total_laps=10, phone="+1 555-010-0100"))
    before = tracks_of(database_url)
    second = await synced(
        database,
        SECOND,
        fetched("beta", city="Shelbyville", total_laps=12, phone="+1 555-010-0199"),
        fetched("gamma", email="info@example.org"),
    )
    assert tracks_of(database_url) != before
    run_id, report = await undone(database, second)
    after = tracks_of(database_url)
    assert (report.logged, report.changed_since, report.personal) == (5, 0, 1)
    assert (report.counters.updated, report.counters.reactivated, report.counters.deactivated) == (2, 1, 1)
    inserted = after.pop("epsilon")
    assert inserted[1] is False
    assert {slug: row[:-1] for slug, row in after.items()} == {slug: row[:-1] for slug, row in before.items()}
    assert after["beta"][-1] == "+1 555-010-0199"
    logged = await database.history.read_run(run_id)
    assert logged is not None
    assert [(change.slug, change.kind, change.fields) for change in logged.changes] == [
        ("alpha", ChangeKind.UPDATED, ("name",)),
        ("beta", ChangeKind.UPDATED, ("city", "total_laps")),
        ("delta", ChangeKind.REACTIVATED, ()),
        ("epsilon", ChangeKind.DEACTIVATED, ()),
    ]


async def test_the_next_sync_brings_back_what_the_source_still_says(
    database: PostgresDatabase, database_url: str
) -> None:
    second = await two_runs(database)
    wanted = tracks_of(database_url)
    await undone(database, second)
    await synced(
        database,
        SECOND,
        fetched("beta", city="Shelbyville", total_laps=12, phone="+1 555-010-0199"),
        fetched("gamma", email="info@example.org"),
    )
    assert tracks_of(database_url) == wanted


async def test_an_undo_can_be_taken_back_itself(database: PostgresDatabase, database_url: str) -> None:
    second = await two_runs(database)
    wanted = tracks_of(database_url)
    first_undo, _ = await undone(database, second)
    await undone(database, first_undo)
    assert tracks_of(database_url) == wanted


async def test_a_plan_writes_no_track_and_says_what_the_undo_then_does(
    database: PostgresDatabase, database_url: str
) -> None:
    second = await two_runs(database)
    versions = fetch_all(database_url, "SELECT ctid::text, xmin::text, xmax::text, * FROM tracks ORDER BY slug")
    plan_id, planned = await undone(database, second, mode=RunMode.PLAN)
    assert fetch_all(database_url, "SELECT ctid::text, xmin::text, xmax::text, * FROM tracks ORDER BY slug") == versions
    run_id, done = await undone(database, second)
    assert planned == done
    plan, report = await database.history.read_run(plan_id), await database.history.read_run(run_id)
    assert plan is not None
    assert report is not None
    assert list(plan.changes) == list(report.changes)
    assert len(plan.changes) == 4


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE tracks SET name = 'By hand', updated_at = now() WHERE slug = 'alpha' RETURNING 1",
        "UPDATE tracks SET is_active = false, deactivated_at = now() WHERE slug = 'alpha' RETURNING 1",
    ],
)
async def test_a_track_that_somebody_changed_since_stays_as_it_is(
    database: PostgresDatabase, database_url: str, change: str
) -> None:
    second = await two_runs(database)
    fetch_all(database_url, change)
    kept = tracks_of(database_url)["alpha"]
    _, report = await undone(database, second)
    assert (report.changed_since, report.counters.updated) == (1, 1)
    assert tracks_of(database_url)["alpha"] == kept


async def test_a_track_that_a_later_run_changed_stays_as_it_is(database: PostgresDatabase, database_url: str) -> None:
    second = await two_runs(database)
    third = (a_track("alpha", "Alpha again"), *SECOND[1:])
    await synced(database, third, fetched("beta", city="Shelbyville", total_laps=12))
    _, report = await undone(database, second)
    assert report.changed_since == 1
    assert fetch_all(database_url, "SELECT name FROM tracks WHERE slug = 'alpha'") == [("Alpha again",)]


async def test_undoing_the_first_run_never_empties_the_catalogue_by_mistake(
    database: PostgresDatabase, database_url: str
) -> None:
    first = await synced(database, FIRST)
    _, report = await undone(database, first, guard=DEFAULT)
    assert (report.counters.deactivated, report.counters.withheld) == (0, 4)
    assert report.counters.withheld_reasons == (WithheldReason.MAX_PERCENT,)
    assert fetch_all(database_url, "SELECT count(*) FROM tracks WHERE is_active") == [(4,)]


async def test_only_a_finished_run_that_merged_can_be_taken_back(database: PostgresDatabase) -> None:
    identity = a_run()
    ticket = await database.ledger.open_run(identity, spec_hash=SPEC)
    await database.ledger.close_run(ticket, outcome=Outcome.FAILED, reason="Broken", results=Results())
    for run_id in (identity.run_id, str(uuid4())):
        with pytest.raises(ConfigurationError, match="remembers no finished run"):
            await database.undo.find(run_id)
    with pytest.raises(ConfigurationError, match="not a run's id"):
        await database.undo.find("nightly")


async def test_the_command_plans_and_takes_back(database: PostgresDatabase, database_url: str) -> None:
    second = await two_runs(database)
    planned = tracksync("undo", second, "--plan", "--approved-ceiling", "1", TRACKSYNC_DATABASE_URL=database_url)
    assert planned.returncode == 0, planned.stderr
    assert "Of 5 changes: 2 tracks would be given their values from before, 1 reactivated, 1 deact" in planned.stdout
    done = tracksync("undo", second, "--approved-ceiling", "1", "--output", "json", TRACKSYNC_DATABASE_URL=database_url)
    document = json.loads(done.stdout)
    assert (document["updated"], document["reactivated"], document["deactivated"]) == (2, 1, 1)
    report = tracksync("report", document["runId"], TRACKSYNC_DATABASE_URL=database_url)
    assert "  deactivated  epsilon" in report.stdout
    unknown = tracksync("undo", str(uuid4()), TRACKSYNC_DATABASE_URL=database_url)
    assert unknown.returncode == 30
    assert "remembers no finished run" in unknown.stderr
