"""`tracksync status` when the TrackSyncJob is gone: the ledger answers, on a real PostgreSQL."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.cli.fake_runs import FakeRuns
from tests.support.store import DEFAULT, SPEC, WEEKLY, a_listing, a_run, failed, fetched
from tracksync.adapters.kube.answers import NotFoundError
from tracksync.api.job import Results
from tracksync.api.result import Outcome
from tracksync.cli.cluster_options import StatusOutput
from tracksync.cli.explaining import LedgerPlace, show_status

if TYPE_CHECKING:
    from tracksync.adapters.postgres.database import PostgresDatabase
    from tracksync.ports import RunIdentity


async def leave(database: PostgresDatabase, run: RunIdentity, outcome: Outcome, reason: str) -> None:
    """Leave a run that ended so in the ledger."""
    ticket = await database.ledger.open_run(run, spec_hash=SPEC)
    await database.ledger.stage_listing(ticket, a_listing("alpha", "beta"), refresh=WEEKLY)
    await database.ledger.record_items(ticket, [fetched("alpha", city="Springfield"), failed("beta")])
    if outcome is Outcome.SUCCEEDED:
        await database.tracks.merge(ticket, guard=DEFAULT)
    await database.ledger.close_run(ticket, outcome=outcome, reason=reason, results=Results(listed=2, inserted=2))


async def told(run: str, namespace: str, place: LedgerPlace, output: StatusOutput, **scripts: Any) -> int:
    return await show_status(FakeRuns(read=[None], find=[[]], **scripts), run, namespace, place, output)


@pytest.mark.parametrize(
    ("outcome", "reason", "code"),
    [(Outcome.SUCCEEDED, "Completed", 0), (Outcome.FAILED, "SourceInvalid", 1), (Outcome.CANCELLED, "Cancelled", 1)],
)
async def test_the_ledger_answers_by_name_and_by_id_with_the_runs_outcome(  # noqa: PLR0917 -- pytest names them
    database: PostgresDatabase,
    database_url: str,
    capsys: pytest.CaptureFixture[str],
    outcome: Outcome,
    reason: str,
    code: int,
) -> None:
    run = a_run()
    await leave(database, run, outcome, reason)
    place = LedgerPlace(url=database_url)
    for name in (run.name, run.run_id):
        assert await told(name, run.namespace, place, StatusOutput.JSON) == code
        document = json.loads(capsys.readouterr().out)
        assert (document["answeredBy"], document["runId"], document["reason"]) == ("ledger", run.run_id, reason)
        assert (document["ended"], document["succeeded"]) == (True, code == 0)
        assert document["results"]["listed"] == 2
        assert [failure["slug"] for failure in document["failures"]] == ["beta"]
    assert await told(run.name, run.namespace, place, StatusOutput.TEXT) == code
    shown = capsys.readouterr()
    assert reason in shown.out
    assert "the ledger remembers" in shown.err


async def test_the_url_may_come_from_a_secret(
    database: PostgresDatabase, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = a_run()
    await leave(database, run, Outcome.SUCCEEDED, "Completed")
    runs = FakeRuns(read=[None], secret=[database_url])
    place = LedgerPlace(secret="tracksync-db/dsn")
    assert await show_status(runs, run.name, run.namespace, place, StatusOutput.YAML) == 0
    assert run.run_id in capsys.readouterr().out
    assert ("secret", run.namespace, "tracksync-db", "dsn") in runs.asked


async def test_what_neither_remembers_is_not_found(database: PostgresDatabase, database_url: str) -> None:
    run = a_run()
    await leave(database, run, Outcome.SUCCEEDED, "Completed")
    for name, namespace in ((str(uuid4()), run.namespace), ("nobody", run.namespace), (run.name, "elsewhere")):
        with pytest.raises(NotFoundError, match="nor does the ledger remember it"):
            await told(name, namespace, LedgerPlace(url=database_url), StatusOutput.JSON)
