"""The worker's process: what it makes of its settings, and its last word when it cannot even begin.

Whole runs of the process are in tests/database/test_worker_process.py.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.worker.running import RUN_ID
from tracksync.api.deactivation import DeactivationPolicy
from tracksync.api.job import TrackSyncJobSpec
from tracksync.api.result import Outcome, WorkerResult
from tracksync.api.source import SourceEntry
from tracksync.core.tracks.freshness import Refresh
from tracksync.core.tracks.guards import DeactivationGuard
from tracksync.core.tracks.plan import RunMode
from tracksync.liverc.version import PARSER_VERSION
from tracksync.settings import WorkerSettings
from tracksync.worker.app import request_of

TRACKSYNC = Path(sys.executable).with_name("tracksync")
TARGET = {"databaseSecretRef": {"name": "tracksync-db"}}


def worker_environment(tmp_path: Path, **changes: str) -> dict[str, str]:
    values = {
        "TRACKSYNC_RUN_NAMESPACE": "racing",
        "TRACKSYNC_RUN_NAME": "nightly",
        "TRACKSYNC_RUN_ID": RUN_ID,
        "TRACKSYNC_SPEC": json.dumps({"target": TARGET}),
        "TRACKSYNC_SOURCE": json.dumps({"contact": "ops@example.org"}),
        "TRACKSYNC_DATABASE_URL_FILE": str(tmp_path / "url"),
        "TRACKSYNC_TERMINATION_LOG": str(tmp_path / "termination"),
        "KUBERNETES_SERVICE_HOST": "127.0.0.1",
        "KUBERNETES_SERVICE_PORT": "9",
    }
    return {"PATH": os.environ["PATH"]} | values | changes


def run_worker_process(environment: dict[str, str]) -> tuple[int, list[dict[str, Any]]]:
    """Return the exit code and the log's lines."""
    done = subprocess.run(
        [TRACKSYNC, "worker"], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == ""
    return done.returncode, [json.loads(line) for line in done.stderr.splitlines()]


def test_a_missing_setting_is_named_and_ends_as_a_configuration_error(tmp_path: Path) -> None:
    environment = worker_environment(tmp_path)
    del environment["TRACKSYNC_RUN_ID"]
    code, lines = run_worker_process(environment)
    assert (code, lines[0]["event"]) == (30, "worker started")
    assert "TRACKSYNC_RUN_ID" in lines[-1]["problem"]


@pytest.mark.parametrize("content", [None, "", "mysql://tracksync:pw-canary@db/tracksync", "pw-canary"])
def test_an_unusable_database_url_is_reported_by_field_secret_and_key(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "url").write_text(content, encoding="utf-8")
    code, lines = run_worker_process(worker_environment(tmp_path))
    word = WorkerResult.model_validate_json((tmp_path / "termination").read_bytes())
    assert (code, word.outcome, word.reason, word.run_id) == (
        30,
        Outcome.FAILED,
        "DatabaseCredentialsInvalid",
        RUN_ID,
    )
    for part in ("spec.target.databaseSecretRef", "'tracksync-db'", "'url'"):
        assert part in word.message
    assert "canary" not in word.message + json.dumps(lines)
    assert not any("exception" in line for line in lines)


@pytest.mark.parametrize(
    ("wanted", "allowed", "concurrency"),
    [
        pytest.param(None, 6, 6, id="the installation's limit by default"),
        pytest.param(2, 6, 2, id="a spec may lower it"),
        pytest.param(64, 6, 6, id="a spec can never raise it"),
    ],
)
def test_the_lower_limit_counts(wanted: int | None, allowed: int, concurrency: int) -> None:
    source = {"concurrency": wanted} if wanted else {}
    settings = WorkerSettings(
        run_namespace="racing",
        run_name="nightly",
        run_id=RUN_ID,
        spec=TrackSyncJobSpec.model_validate({"target": TARGET, "source": source, "metadata": {"enabled": False}}),
        source=SourceEntry(concurrency=allowed, domain="example.org"),
        database_url_file=Path("url"),
    )
    request = request_of(settings)
    assert (request.concurrency, request.refresh) == (concurrency, None)
    assert request.identity.domain == "example.org"


def test_the_specs_wish_about_vanished_and_single_tracks_reaches_the_run() -> None:
    limits = {"policy": "Withhold", "maxPercent": 1, "maxCount": 2, "approvedCeiling": 3}
    spec = {"target": TARGET, "onlySlugs": ["b", "a"], "deactivation": limits}
    settings = WorkerSettings(
        run_namespace="racing",
        run_name="nightly",
        run_id=RUN_ID,
        spec=TrackSyncJobSpec.model_validate(spec),
        source=SourceEntry(),
        database_url_file=Path("url"),
    )
    request = request_of(settings)
    assert (request.only_slugs, request.only_slugs_setting) == ({"a", "b"}, "spec.onlySlugs")
    assert request.guard == DeactivationGuard(
        policy=DeactivationPolicy.WITHHOLD, max_percent=1, max_count=2, approved_ceiling=3
    )


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({}, (RunMode.APPLY, 500, 10), id="defaults"),
        pytest.param(
            {"mode": "Plan", "write": {"batchSize": 7}, "failureThreshold": {"maxFailedPercent": 0}},
            (RunMode.PLAN, 7, 0),
            id="as the spec says",
        ),
    ],
)
def test_mode_batches_and_the_share_that_may_fail_reach_the_run(
    spec: dict[str, Any], expected: tuple[RunMode, int, int]
) -> None:
    settings = WorkerSettings(
        run_namespace="racing",
        run_name="nightly",
        run_id=RUN_ID,
        spec=TrackSyncJobSpec.model_validate({"target": TARGET, **spec}),
        source=SourceEntry(),
        database_url_file=Path("url"),
        history_days=7,
    )
    request = request_of(settings)
    assert (request.mode, request.batch_size, request.max_failed_percent) == expected
    assert request.keep_days == 7


def test_history_is_kept_for_a_week_at_least(tmp_path: Path) -> None:
    code, lines = run_worker_process(worker_environment(tmp_path, TRACKSYNC_HISTORY_DAYS="6"))
    assert (code, "TRACKSYNC_HISTORY_DAYS" in str(lines[-1]["problem"])) == (30, True)


@pytest.mark.parametrize(
    ("metadata", "after", "attempts"),
    [
        pytest.param({}, timedelta(days=7), 3, id="defaults"),
        pytest.param({"refreshAfter": "1h30m", "attempts": 5}, timedelta(minutes=90), 5, id="as the spec says"),
        pytest.param({"refreshAfter": "0s"}, timedelta(0), 3, id="always"),
    ],
)
def test_the_specs_wish_about_dashboards_reaches_the_run(
    metadata: dict[str, Any], after: timedelta, attempts: int
) -> None:
    settings = WorkerSettings(
        run_namespace="racing",
        run_name="nightly",
        run_id=RUN_ID,
        spec=TrackSyncJobSpec.model_validate({"target": TARGET, "metadata": metadata}),
        source=SourceEntry(),
        database_url_file=Path("url"),
    )
    request = request_of(settings)
    assert (request.refresh, request.attempts) == (Refresh(after, PARSER_VERSION), attempts)


def test_a_worker_imports_neither_the_operator_nor_what_only_other_commands_need() -> None:
    """Counted, not timed: each of these costs a pod's start 0.1 to 0.7 s."""
    heavy = {"kubernetes", "kopf", "aiohttp", "alembic", "sqlalchemy", "selectolax", "typer"}
    program = f"import sys, tracksync.worker.app; print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
