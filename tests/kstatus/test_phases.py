"""What Flux and Argo CD make of a run in every phase: kstatus itself, and the health script of our documentation."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.runs import (
    SPEC,
    a_pod,
    a_run,
    after,
    announced,
    ended_with,
    last_word,
    with_job,
    worker_status,
)
from tracksync.api.identity import API_VERSION, JOB_KIND
from tracksync.api.job import Phase, TrackSyncJobSpec
from tracksync.api.result import Outcome
from tracksync.api.schema import job_crd
from tracksync.core.runs.decide import decide
from tracksync.core.runs.model import Terminated, Turn
from tracksync.core.runs.status import project

if TYPE_CHECKING:
    from tests.kstatus.program import Reader
    from tracksync.core.runs.model import Observed

SUCCESS = last_word(Outcome.SUCCEEDED, "Completed", "3 tracks listed")
ERRORS = last_word(Outcome.COMPLETED_WITH_ERRORS, "CompletedWithErrors", "1 of 3 dashboards failed")
RUNNING = a_pod(running=True, started=after(-5))
SILENT = a_pod(running=True, started=after(-600))


def spec(**fields: Any) -> TrackSyncJobSpec:
    return TrackSyncJobSpec.model_validate(SPEC | fields)


HALF_GONE = worker_status(
    results={"listed": 545, "withheld": 545},
    withheld={"count": 545, "activeBefore": 1090, "reasons": ["maxPercent"]},
)
UNSCHEDULABLE = a_pod(unschedulable="0/1 nodes are available")


def manifest_of(observed: Observed) -> dict[str, Any]:
    """The TrackSyncJob as the API server has it after the operator's pass."""
    return bare(observed.generation) | {"status": project(observed, decide(observed)).to_wire()}


def bare(generation: int = 1) -> dict[str, Any]:
    """A TrackSyncJob that no operator has seen, with what the API server fills in."""
    metadata = {"name": "nightly", "namespace": "team-a", "generation": generation}
    schema: Any = job_crd()["spec"]
    status = schema["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]
    return {
        "apiVersion": API_VERSION,
        "kind": JOB_KIND,
        "metadata": metadata,
        "spec": SPEC,
        "status": status.get("default", {}),
    }


ROWS = {
    "new to the operator": (a_run(), Phase.PENDING, "InProgress", "Progressing"),
    "pod starting": (with_job(), Phase.PENDING, "InProgress", "Progressing"),
    "unschedulable": (with_job(pod=UNSCHEDULABLE), Phase.PENDING, "InProgress", "Progressing"),
    "queued": (announced(turn=Turn(2, "waits for `other`")), Phase.QUEUED, "InProgress", "Progressing"),
    "running": (with_job(pod=RUNNING), Phase.RUNNING, "InProgress", "Progressing"),
    "silent": (with_job(pod=SILENT), Phase.RUNNING, "InProgress", "Degraded"),
    "suspending": (with_job(pod=RUNNING, spec=spec(suspend=True)), Phase.RUNNING, "InProgress", "Progressing"),
    "suspended": (a_run(spec=spec(suspend=True)), Phase.SUSPENDED, "Current", "Suspended"),
    "retrying": (ended_with(20), Phase.RETRYING, "InProgress", "Progressing"),
    "cancelling": (with_job(pod=RUNNING, spec=spec(cancel=True)), Phase.CANCELLING, "InProgress", "Progressing"),
    "succeeded": (ended_with(0, message=SUCCESS), Phase.SUCCEEDED, "Current", "Healthy"),
    "with errors": (ended_with(0, message=ERRORS), Phase.COMPLETED_WITH_ERRORS, "Current", "Healthy"),
    "failed": (ended_with(40), Phase.FAILED, "Failed", "Degraded"),
    "out of retries": (ended_with(20, spec=spec(retry={"limit": 0})), Phase.FAILED, "Failed", "Degraded"),
    "out of memory": (
        replace(
            ended_with(137, spec=spec(retry={"limit": 0})),
            pods=(a_pod(gone=True, terminated=Terminated(137, "OOMKilled", "", after(0))),),
        ),
        Phase.FAILED,
        "Failed",
        "Degraded",
    ),
    "not allowed": (a_run(sources={}), Phase.FAILED, "Failed", "Degraded"),
    "cancelled": (a_run(spec=spec(cancel=True)), Phase.CANCELLED, "Failed", "Degraded"),
    "unreadable": (a_run(spec=None, spec_problem="spec.mode: unknown"), Phase.PENDING, "InProgress", "Progressing"),
}


@pytest.mark.parametrize(("observed", "phase", "kstatus", "health"), list(ROWS.values()), ids=list(ROWS))
def test_a_run_is_read_as_what_it_is(
    reader: Reader, observed: Observed, phase: Phase, kstatus: str, health: str
) -> None:
    manifest = manifest_of(observed)
    [reading] = reader.read(manifest)
    assert (manifest["status"]["phase"], reading.kstatus, reading.health) == (phase, kstatus, health)
    assert reading.health_message


def test_every_phase_has_a_row() -> None:
    assert {phase for _, phase, _, _ in ROWS.values()} == set(Phase)


def test_a_failure_says_why(reader: Reader) -> None:
    [reading] = reader.read(manifest_of(ended_with(40)))
    status = project(ended_with(40), decide(ended_with(40)))
    assert reading.message == reading.health_message == status.message


def test_what_the_operator_has_not_seen_is_not_done(reader: Reader) -> None:
    """For kstatus an object without a status is done; the schema's default of observedGeneration prevents that."""
    [reading] = reader.read(bare())
    assert (reading.kstatus, reading.health) == ("InProgress", "Progressing")


@pytest.mark.parametrize("row", ["succeeded", "failed", "suspended", "cancelled"])
def test_a_change_that_the_operator_has_not_seen_is_under_way(reader: Reader, row: str) -> None:
    changed = manifest_of(ROWS[row][0])
    changed["metadata"]["generation"] += 1
    [reading] = reader.read(changed)
    assert (reading.kstatus, reading.health) == ("InProgress", "Progressing")


def test_a_run_that_is_being_deleted_is_on_its_way_out(reader: Reader) -> None:
    manifest = manifest_of(with_job(pod=RUNNING))
    manifest["metadata"]["deletionTimestamp"] = "2026-01-31T02:00:00Z"
    [reading] = reader.read(manifest)
    assert (reading.kstatus, reading.health) == ("Terminating", "Progressing")


def test_a_withheld_deactivation_is_done_and_said(reader: Reader) -> None:
    message = last_word(Outcome.SUCCEEDED, "Completed", "545 tracks listed", status=HALF_GONE)
    [reading] = reader.read(manifest_of(ended_with(0, message=message)))
    assert (reading.kstatus, reading.health) == ("Current", "Healthy")
    assert "545" in reading.health_message


@pytest.mark.parametrize(
    "status",
    [None, {}, {"conditions": []}, {"observedGeneration": 1}, {"observedGeneration": 1, "conditions": [{"type": "X"}]}],
    ids=str,
)
def test_the_script_takes_every_shape_of_a_status(reader: Reader, status: dict[str, Any] | None) -> None:
    [reading] = reader.read(bare() | {"status": status})
    assert reading.health == "Progressing"
    assert reading.health_message
