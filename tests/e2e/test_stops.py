"""Runs on real pods that are stopped, disturbed or made to wait, and go on: from their checkpoint, to their end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.cluster.waiting import wait_until
from tracksync.api.identity import Annotation, Label

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.installation import Tenant

TRACKS = 60
PASSED = 20
CONCURRENCY = 4
"""Requests in flight that the source was holding when the worker went; only these may be asked again."""


@pytest.fixture(autouse=True)
def _gate(small: Tenant) -> Iterator[None]:
    """Hold every dashboard after the first ones, and forget earlier requests."""
    small.query("TRUNCATE tracks, runs, sync_items CASCADE")
    small.simulator_call("/_faults", {"pause_at": PASSED})
    before = {run["metadata"]["name"] for run in small.items("tracksyncjobs")}
    yield
    small.simulator_call("/_release", {})
    small.simulator_call("/_faults", {"dies_at": None, "pause_at": None})
    mine = sorted({run["metadata"]["name"] for run in small.items("tracksyncjobs")} - before)
    small.kubectl("delete", "tracksyncjobs", "--ignore-not-found", "--wait", "--timeout=45s", *mine)


def start(small: Tenant, name: str, **spec: object) -> None:
    small.create(name, **({"source": {"name": "small"}, "metadata": {"refreshAfter": "0s"}} | spec))


def until_committed(small: Tenant, name: str) -> None:
    """Wait until every dashboard that passed the gate is in the checkpoint."""
    small.wait_status(
        name,
        lambda status: status.get("checkpoint", {}).get("itemsDone", 0) >= PASSED,
        seconds=60,
        what="the checkpoint",
    )


def wish(small: Tenant, name: str, **spec: bool) -> None:
    small.kubectl("patch", "tracksyncjob", name, "--type=merge", "-p", json.dumps({"spec": spec}))


def until_phase(small: Tenant, name: str, phase: str) -> dict[str, object]:
    return small.wait_status(name, lambda status: status.get("phase") == phase, seconds=60, what=phase)


def pods_of(small: Tenant, name: str) -> list[str]:
    return [pod["metadata"]["name"] for pod in small.items("pods", f"{Label.JOB}={name}")]


def live_pods_of(small: Tenant, name: str) -> list[str]:
    pods = small.items("pods", f"{Label.JOB}={name}")
    return [pod["metadata"]["name"] for pod in pods if pod["status"]["phase"] in {"Pending", "Running"}]


def assert_succeeded_from_the_checkpoint(small: Tenant, name: str) -> None:
    status = small.wait_status(name, lambda found: found.get("phase") == "Succeeded", seconds=90, what="success")
    assert status["results"]["listed"] == TRACKS
    assert small.query("SELECT count(*) FROM tracks WHERE is_active") == str(TRACKS)
    dashboards = small.simulator_call("/_journal")["dashboards"]
    assert dashboards["distinct"] == TRACKS
    assert dashboards["repeated"] <= CONCURRENCY


@pytest.fixture
def journal(small: Tenant) -> None:
    """Start the simulator's figures anew."""
    script = "import urllib.request as u;u.urlopen(u.Request('http://127.0.0.1:8080/_journal',method='DELETE'))"
    small.kubectl("exec", "deployment/simulator", "--", "python3", "-c", script)


@pytest.mark.usefixtures("journal")
def test_a_suspended_run_goes_on_from_its_checkpoint(small: Tenant, name: str) -> None:
    start(small, name)
    until_committed(small, name)
    wish(small, name, suspend=True)
    until_phase(small, name, "Suspended")
    assert not live_pods_of(small, name)
    assert small.query("SELECT count(*) FROM tracks") == "0"
    small.simulator_call("/_release", {})
    wish(small, name, suspend=False)
    assert_succeeded_from_the_checkpoint(small, name)


@pytest.mark.usefixtures("journal")
def test_a_cancelled_run_touches_no_track_and_can_be_resumed_from_its_checkpoint(small: Tenant, name: str) -> None:
    start(small, name)
    until_committed(small, name)
    wish(small, name, cancel=True)
    until_phase(small, name, "Cancelled")
    assert small.query("SELECT count(*) FROM tracks") == "0"
    small.simulator_call("/_release", {})
    small.kubectl("annotate", "tracksyncjob", name, f"{Annotation.RESUME}=again")
    assert_succeeded_from_the_checkpoint(small, name)
    assert small.status(name)["lastHandledResume"] == "again"


@pytest.mark.usefixtures("journal")
def test_J8_a_pod_deleted_in_mid_run_is_replaced_and_goes_on(small: Tenant, name: str) -> None:
    start(small, name)
    until_committed(small, name)
    (gone,) = live_pods_of(small, name)
    small.simulator_call("/_release", {})
    small.kubectl("delete", "pod", gone, "--wait=false")
    assert wait_until(lambda: gone not in live_pods_of(small, name), seconds=40)
    assert_succeeded_from_the_checkpoint(small, name)


def test_a_second_run_on_the_same_secret_waits_with_its_position_and_starts_by_itself(small: Tenant, name: str) -> None:
    second = f"{name}-b"
    start(small, name)
    until_committed(small, name)
    start(small, second)
    assert until_phase(small, second, "Queued")["queuePosition"] == 1
    assert not pods_of(small, second)
    small.simulator_call("/_release", {})
    until_phase(small, name, "Succeeded")
    until_phase(small, second, "Succeeded")
