"""`tracksync run` and `tracksync tracks` as a user starts them, against the simulator and a real PostgreSQL.

The embedded database has one test of its own; the others use the session's server, which is faster.
"""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg

from tests.cli.starting import TRACKSYNC, tracksync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TRACKS = 60


@contextmanager
def a_simulator(*options: str, tracks: int = TRACKS) -> Iterator[str]:
    """Run a simulator as a process and give its URL."""
    command = [TRACKSYNC, "simulate", "--tracks", str(tracks), "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://[0-9.:]+", process.stdout.readline())
            assert found is not None
            yield found[0]
        finally:
            process.terminate()
            process.wait(timeout=20)


def a_sync(url: str, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    rate = ["--requests-per-second", "2000"]
    return tracksync("run", "--source-url", url, *rate, "--output", "json", *options, seconds=120, **environment)


def count_tracks(database_url: str) -> int:
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT count(*) FROM tracks").fetchone()
        assert row is not None
        return int(row[0])


def test_a_first_run_on_a_bare_machine_makes_its_own_database(tmp_path: Path) -> None:
    data = ["--data-dir", str(tmp_path / "data")]
    with a_simulator() as url:
        first, second = a_sync(url, *data), a_sync(url, *data)
    one, two = json.loads(first.stdout), json.loads(second.stdout)
    assert (first.returncode, one["outcome"], one["inserted"], one["activeTracks"]) == (0, "Succeeded", TRACKS, TRACKS)
    assert (second.returncode, two["inserted"], two["updated"], two["unchanged"]) == (0, 0, 0, TRACKS)
    shown = json.loads(tracksync("tracks", "--output", "json", *data).stdout)
    assert len({track["slug"] for track in shown}) == TRACKS
    assert not {"street", "address", "phone", "email"} & set(shown[0])


def test_failed_dashboards_end_with_exit_code_10_and_are_counted(database_url: str) -> None:
    with a_simulator("--dashboard-fault", "http-404=0.05") as url:
        done = a_sync(url, TRACKSYNC_DATABASE_URL=database_url)
    document = json.loads(done.stdout)
    assert (done.returncode, document["outcome"]) == (10, "CompletedWithErrors")
    assert 0 < document["failedItems"] <= TRACKS // 10
    assert count_tracks(database_url) == TRACKS


def test_an_empty_or_cut_catalogue_fails_and_leaves_the_tracks_alone(database_url: str) -> None:
    for fault in ("empty", "cut"):
        with a_simulator("--catalogue-fault", fault) as url:
            done = a_sync(url, "--database-url", database_url)
        assert (done.returncode, json.loads(done.stdout)["reason"]) == (40, "SourceInvalid")
        assert "Traceback" not in done.stderr
    assert count_tracks(database_url) == 0


def test_a_database_without_tables_is_refused_with_the_command_that_helps(empty_database_url: str) -> None:
    with a_simulator() as url:
        done = a_sync(url, "--database-url", empty_database_url)
    assert (done.returncode, json.loads(done.stdout)["reason"]) == (30, "SchemaMismatch")
    assert "tracksync migrate" in done.stderr
    assert tracksync("migrate", TRACKSYNC_DATABASE_URL=empty_database_url).returncode == 0
    with a_simulator() as url:
        assert a_sync(url, "--database-url", empty_database_url).returncode == 0


def test_ctrl_c_in_the_metadata_stage_rolls_back_and_says_so(database_url: str) -> None:
    with a_simulator("--pause-at", "20") as url:
        command = [TRACKSYNC, "run", "--source-url", url, "--database-url", database_url, "--output", "json"]
        # A group of its own, so that the signal reaches every process as a terminal's Ctrl-C does.
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0
        ) as process:
            assert process.stderr is not None
            while not process.stderr.readline().startswith("metadata"):
                assert process.poll() is None
            subprocess.run(["kill", "-INT", "--", f"-{process.pid}"], check=True)
            output, errors = process.communicate(timeout=30)
    assert process.returncode == 50
    assert json.loads(output)["outcome"] == "Cancelled"
    assert "rolled back" in errors
    assert "Traceback" not in errors
    with psycopg.connect(database_url) as connection:
        left = connection.execute("SELECT (SELECT count(*) FROM tracks), (SELECT count(*) FROM sync_items)").fetchone()
        states = connection.execute("SELECT state, reason FROM runs").fetchall()
    assert (left, states) == ((0, 0), [("cancelled", "Cancelled")])


def test_a_plan_writes_no_track_and_its_report_lists_what_would_change(database_url: str) -> None:
    with a_simulator() as url:
        planned = a_sync(url, "--database-url", database_url, "--plan")
    document = json.loads(planned.stdout)
    assert (planned.returncode, document["reason"], document["inserted"]) == (0, "Planned", TRACKS)
    assert count_tracks(database_url) == 0
    report = tracksync("report", document["runId"], TRACKSYNC_DATABASE_URL=database_url)
    assert report.stdout.startswith("Plan local\n")
    assert report.stdout.count("inserted") > TRACKS


def test_tracks_are_found_and_shown_in_every_form(database_url: str) -> None:
    with a_simulator() as url:
        a_sync(url, "--database-url", database_url)
    everything = tracksync("tracks", "--output", "json", "--show-personal", TRACKSYNC_DATABASE_URL=database_url)
    tracks = json.loads(everything.stdout)
    assert {"street", "address", "phone", "email", "total_laps", "is_active"} <= set(tracks[0])
    word = tracks[0]["name"].split()[-1]
    found = tracksync("tracks", "--search", word.upper(), "--output", "csv", TRACKSYNC_DATABASE_URL=database_url)
    rows = list(csv.DictReader(io.StringIO(found.stdout)))
    assert tracks[0]["slug"] in {row["slug"] for row in rows}
    assert "--show-personal" in found.stderr
    table = tracksync("tracks", "--source", "nobody", TRACKSYNC_DATABASE_URL=database_url)
    assert table.stdout.endswith("0 tracks\n")


def test_a_reader_that_leaves_early_causes_no_traceback(database_url: str) -> None:
    command = f"'{TRACKSYNC}' tracks --output json --database-url '{database_url}' | true"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr


def test_a_run_on_a_source_that_another_run_holds_ends_with_code_70_and_says_what_to_do(database_url: str) -> None:
    hold = """
    INSERT INTO leases VALUES ('liverc', '6c9bd7a0-0000-4000-8000-000000000001', 1, now(), now() + interval '50 s')
    """
    with psycopg.connect(database_url, autocommit=True) as connection, a_simulator() as url:
        connection.execute(hold)
        command = [TRACKSYNC, "run", "--source-url", url, "--database-url", database_url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            while process.poll() is None:
                connection.execute("UPDATE leases SET expires_at = clock_timestamp() + interval '60 s'")
                try:
                    process.wait(0.5)
                except subprocess.TimeoutExpired:
                    continue
            assert process.stderr is not None
            told = " ".join(process.stderr.read().split())
    assert process.returncode == 70
    assert "6c9bd7a0-0000-4000-8000-000000000001 holds the lease of the source 'liverc'" in told
    assert "Wait for the named run, or stop it" in told
    assert count_tracks(database_url) == 0
