"""The worker's process, whole: against the simulator and a real PostgreSQL, with an API server that never answers."""

from __future__ import annotations

import json
import signal
import subprocess
from time import monotonic
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.cli.starting import TRACKSYNC
from tests.database.test_command_line import a_simulator, count_tracks
from tests.worker.test_app import TARGET, run_worker_process, worker_environment
from tracksync.api.result import Outcome, WorkerResult

if TYPE_CHECKING:
    from pathlib import Path

TRACKS = 60


def an_environment(tmp_path: Path, source_url: str, database_url: str, **spec: Any) -> dict[str, str]:
    (tmp_path / "url").write_text(database_url, encoding="utf-8")
    source = {
        "scheme": "http",
        "connectTo": source_url.removeprefix("http://"),
        "allowPrivateAddresses": True,
        "requestsPerSecond": 2000,
        "concurrency": 8,
    }
    return worker_environment(
        tmp_path,
        TRACKSYNC_SOURCE=json.dumps(source),
        TRACKSYNC_SPEC=json.dumps({"target": TARGET, **spec}),
    )


def last_word(tmp_path: Path) -> WorkerResult:
    return WorkerResult.model_validate_json((tmp_path / "termination").read_bytes())


def test_a_run_ends_with_rows_exit_code_0_and_its_result_although_the_api_server_is_away(
    tmp_path: Path, database_url: str
) -> None:
    with a_simulator() as url:
        code, lines = run_worker_process(an_environment(tmp_path, url, database_url))
    word = last_word(tmp_path)
    assert (code, word.outcome, word.attempt) == (0, Outcome.SUCCEEDED, 1)
    assert word.status.results is not None
    assert word.status.results.inserted == count_tracks(database_url) == TRACKS
    events = [line["event"] for line in lines]
    assert events[0] == "worker started"
    assert events.index("first request sent") < events.index("worker finished")
    stages = [line["stage"] for line in lines if line["event"] == "stage finished"]
    assert stages == ["preflight", "catalogue", "metadata", "merge", "report"]


def test_item_errors_are_a_success_for_the_job_and_told_in_the_result(tmp_path: Path, database_url: str) -> None:
    with a_simulator("--dashboard-fault", "http-404=0.05") as url:
        code, _ = run_worker_process(an_environment(tmp_path, url, database_url))
    assert (code, last_word(tmp_path).outcome) == (0, Outcome.COMPLETED_WITH_ERRORS)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_signal_in_the_metadata_stage_ends_with_code_50_and_unchanged_tracks(
    tmp_path: Path, database_url: str, number: signal.Signals
) -> None:
    with a_simulator("--pause-at", "20") as url:
        environment = an_environment(tmp_path, url, database_url)
        with subprocess.Popen([TRACKSYNC, "worker"], env=environment, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            for line in process.stderr:
                if json.loads(line).get("stage") == "metadata":
                    break
            process.send_signal(number)
            process.communicate(timeout=20)
    assert process.returncode == 50
    assert last_word(tmp_path).outcome is Outcome.CANCELLED
    assert count_tracks(database_url) == 0
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT state FROM runs").fetchall() == [("cancelled",)]


def count_fetched(database_url: str) -> int:
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT count(*) FROM sync_items WHERE state = 'fetched'").fetchone()
    return row[0] if row is not None else 0


def test_a_worker_that_is_stopped_keeps_what_it_fetched_and_the_next_one_asks_for_the_rest_only(
    tmp_path: Path, database_url: str
) -> None:
    with a_simulator("--pause-at", "20") as url:
        environment = an_environment(tmp_path, url, database_url, write={"batchSize": 1})
        with subprocess.Popen([TRACKSYNC, "worker"], env=environment, stderr=subprocess.DEVNULL) as process:
            deadline = monotonic() + 20
            while count_fetched(database_url) < 5:
                assert (monotonic() < deadline, process.poll()) == (True, None)
            process.terminate()
            process.wait(timeout=20)
    kept = count_fetched(database_url)
    assert (process.returncode, last_word(tmp_path).outcome) == (50, Outcome.CANCELLED)
    assert (kept >= 5, count_tracks(database_url)) == (True, 0)
    with a_simulator() as url:
        code, _ = run_worker_process(an_environment(tmp_path, url, database_url))
    results = last_word(tmp_path).status.results
    assert (code, count_tracks(database_url)) == (0, TRACKS)
    assert results is not None
    assert (results.requests - results.robots_requests, results.fetched) == (TRACKS - kept, TRACKS)


def test_a_plan_fetches_everything_writes_no_track_and_says_what_it_would_do(tmp_path: Path, database_url: str) -> None:
    with a_simulator() as url:
        code, _ = run_worker_process(an_environment(tmp_path, url, database_url, mode="Plan"))
    word = last_word(tmp_path)
    assert (code, word.outcome, word.reason) == (0, Outcome.SUCCEEDED, "Planned")
    assert word.status.results is not None
    assert (word.status.results.inserted, count_tracks(database_url)) == (TRACKS, 0)
    with psycopg.connect(database_url) as connection:
        planned = connection.execute("SELECT mode, state, (SELECT count(*) FROM planned_changes) FROM runs").fetchall()
    assert planned == [("plan", "succeeded", TRACKS)]


def test_a_killed_worker_leaves_the_tracks_alone_and_the_next_one_finishes_the_run(
    tmp_path: Path, database_url: str
) -> None:
    with a_simulator("--pause-at", "20") as url:
        environment = an_environment(tmp_path, url, database_url)
        with subprocess.Popen([TRACKSYNC, "worker"], env=environment, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            for line in process.stderr:
                if json.loads(line).get("stage") == "metadata":
                    break
            process.kill()
            process.communicate(timeout=20)
    assert count_tracks(database_url) == 0
    with a_simulator() as url:
        code, _ = run_worker_process(an_environment(tmp_path, url, database_url))
    assert (code, count_tracks(database_url)) == (0, TRACKS)
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT state, epoch FROM runs").fetchall() == [("succeeded", 2)]


def test_a_refused_password_names_secret_and_field_and_shows_nothing_of_it(tmp_path: Path, database_url: str) -> None:
    wrong = "postgresql://nobody:pw-canary@" + database_url.rpartition("@")[2]
    with a_simulator() as url:
        code, lines = run_worker_process(an_environment(tmp_path, url, wrong))
    word = last_word(tmp_path)
    assert (code, word.reason) == (30, "DatabaseCredentialsInvalid")
    assert "spec.target.databaseSecretRef" in word.message
    assert "canary" not in json.dumps(lines) + word.message
