"""What a verb asks the cluster for, and when it refuses instead; goals of waiting; manifests from files and options."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import typer

from tests.cli.fake_runs import KEY_NAME, TIME, UID, FakeRuns, a_run
from tracksync.adapters.kube.answers import NotFoundError
from tracksync.cli.asking import TimeIsUp, UsageProblem, seconds_of
from tracksync.cli.cluster_options import StatusOutput
from tracksync.cli.creating import CreateWish, manifest_of
from tracksync.cli.explaining import LedgerPlace, describe_run, find_run, show_status
from tracksync.cli.run_view import age, view_of
from tracksync.cli.steering import fresh_token, resume_patch, suspend_run
from tracksync.cli.waiting import Goal, goal_of, wait_for
from tracksync.core.runs.model import Key

if TYPE_CHECKING:
    from pathlib import Path

KEY = Key("team-a", KEY_NAME)


def run_with(phase: str | None, *, deleted: bool = False, **spec: Any) -> Any:
    manifest: Any = a_run(1, phase)
    manifest["spec"] = spec
    if deleted:
        manifest["metadata"]["deletionTimestamp"] = TIME
    return manifest


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (run_with("Suspended", suspend=True), ["spec"]),
        (run_with("Running", suspend=True), ["spec"]),
        (run_with("Failed"), ["metadata"]),
        (run_with("Cancelled", cancel=True), ["metadata"]),
        (run_with("Failed", suspend=True), ["metadata", "spec"]),
    ],
)
def test_resume_takes_the_way_that_fits(run: Any, expected: list[str]) -> None:
    assert sorted(resume_patch(view_of(run))) == expected


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (run_with("Succeeded"), "is done"),
        (run_with("CompletedWithErrors", suspend=True), "is done"),
        (run_with("Running"), "not suspended"),
        (run_with(None), "not suspended"),
        (run_with("Cancelling", cancel=True), "being cancelled"),
        (run_with("Failed", deleted=True), "being deleted"),
    ],
)
def test_resume_is_refused_where_it_does_not_apply(run: Any, words: str) -> None:
    with pytest.raises(UsageProblem, match=words):
        resume_patch(view_of(run))


def test_no_two_resumes_look_alike() -> None:
    assert len({fresh_token() for _ in range(100)}) == 100


async def test_a_run_that_is_being_cancelled_is_not_suspended() -> None:
    runs = FakeRuns(read=[run_with("Cancelling", cancel=True)])
    with pytest.raises(UsageProblem):
        await suspend_run(runs, KEY, wait=False, seconds=None)
    assert [asked[0] for asked in runs.asked] == ["read"]


@pytest.mark.parametrize("wanted", ["finished", "Succeeded", "deleted", "running", "condition=SLAMet=Unknown"])
def test_a_goal_has_a_name(wanted: str) -> None:
    assert goal_of(wanted).text


@pytest.mark.parametrize("wanted", ["", "done", "condition=", "condition=X=Maybe", "running\x1b[2J"])
def test_what_no_run_comes_to_is_refused(wanted: str) -> None:
    with pytest.raises(typer.BadParameter, match="--for") as caught:
        goal_of(wanted)
    assert str(caught.value).isprintable()


async def test_a_phase_of_before_the_latest_change_does_not_count() -> None:
    stale: Any = a_run(1, "Suspended")
    stale["metadata"]["generation"] = 2
    runs = FakeRuns(read=[stale, None], watch=[[("MODIFIED", a_run(2, "Suspended"))]])
    assert await wait_for(runs, KEY, Goal("suspended"), seconds=5) == 0
    assert [asked[0] for asked in runs.asked] == ["read", "watch"]


async def test_a_run_that_is_deleted_meanwhile_is_not_found() -> None:
    runs = FakeRuns(read=[a_run(1, "Running")], watch=[[("DELETED", a_run(2))]])
    with pytest.raises(NotFoundError, match="was deleted"):
        await wait_for(runs, KEY, Goal(), seconds=5)


async def test_time_runs_out_during_an_outage_too() -> None:
    runs = FakeRuns(read=[a_run(1, "Running")], watch=[[]])
    with pytest.raises(TimeIsUp, match="it is Running"):
        await wait_for(runs, KEY, Goal(), seconds=0.05)


@pytest.mark.parametrize(("written", "seconds"), [("90", 90), ("90s", 90), ("1h30m", 5400), (None, None)])
def test_a_time_is_read(written: str | None, seconds: float | None) -> None:
    assert seconds_of("--timeout", written) == seconds


@pytest.mark.parametrize("written", ["", "soon", "-3", "1.5h"])
def test_what_is_no_time_is_refused(written: str) -> None:
    with pytest.raises(typer.BadParameter, match="--timeout"):
        seconds_of("--timeout", written)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a: [", "is no YAML"),
        (b"\xff\xfe\xfd", "is no YAML"),
        (b"", "0 documents"),
        (b"---\na: 1\n---\nb: 2\n", "2 documents"),
        (b"- 1\n", "documents"),
        (b"kind: Job\napiVersion: batch/v1\n", "is no TrackSyncJob"),
        (b"x" * 1_000_001, "larger than"),
        (b"kind: TrackSyncJob\napiVersion: tracksync.io/v1alpha1\nspec: 7\nmetadata: []\n", "no name"),
        (
            b"kind: TrackSyncJob\napiVersion: tracksync.io/v1alpha1\nmetadata: {name: a, namespace: b}\n",
            "namespace 'b'",
        ),
    ],
    ids=lambda value: str(value)[:30],
)
def test_an_unusable_file_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "run.yaml"
    file.write_bytes(content)
    with pytest.raises(UsageProblem, match=words):
        manifest_of(CreateWish(file, None, {}), "team-a")


def test_an_option_replaces_one_field_and_leaves_its_neighbours(tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    target = {"databaseSecretRef": {"name": "db", "key": "dsn"}}
    document = {"apiVersion": "tracksync.io/v1alpha1", "kind": "TrackSyncJob", "metadata": {"generateName": "n-"}}
    file.write_text(json.dumps(document | {"spec": {"target": target, "retry": 7}, "status": {}}), encoding="utf-8")
    fields = {("target", "databaseSecretRef", "name"): "other", ("retry", "limit"): 0}
    manifest, namespace = manifest_of(CreateWish(file, "mine", fields), "team-a")
    spec = {"target": {"databaseSecretRef": {"name": "other", "key": "dsn"}}, "retry": {"limit": 0}}
    assert manifest == {**document, "metadata": {"name": "mine"}, "spec": spec}
    assert namespace == "team-a"


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0s"), (119, "119s"), (120, "2m"), (7199, "119m"), (7200, "2h00m"), (172_800, "2d")]
)
def test_a_span_is_short(seconds: int, shown: str) -> None:
    assert age(seconds) == shown


async def test_a_run_id_is_looked_for_everywhere_and_a_name_only_here() -> None:
    runs = FakeRuns(read=[None], find=[[a_run(1, uid="x"), a_run(2)]])
    assert (await find_run(runs, UID, "team-a")).uid == UID
    with pytest.raises(NotFoundError):
        await find_run(runs, "nobody", "team-a")
    assert [asked for asked in runs.asked if asked[0] == "find"] == [("find", None)]


async def test_events_come_in_the_order_of_time(capsys: pytest.CaptureFixture[str]) -> None:
    events = [
        {"type": "Normal", "reason": f"R{minute}", "message": "m", "lastTimestamp": f"2026-01-31T02:0{minute}:00Z"}
        for minute in (3, 1, 2)
    ]
    await describe_run(FakeRuns(read=[a_run(1, "Running")], events=[events]), KEY_NAME, "team-a", StatusOutput.TEXT)
    shown = capsys.readouterr().out
    assert shown.index("R1") < shown.index("R2") < shown.index("R3")


async def test_nothing_of_a_status_steers_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    evil = "\x1b[2J\u202egone\nPhase: Succeeded"
    sample = [{"slug": "a", "errorClass": evil}]
    run = a_run(1, "Running", message=evil, failedSamples=sample)
    for output in StatusOutput:
        await show_status(FakeRuns(read=[run]), KEY_NAME, "team-a", LedgerPlace(), output)
        shown = capsys.readouterr().out
        assert not {"\x1b", "\u202e"} & set(shown)
    await show_status(FakeRuns(read=[run]), KEY_NAME, "team-a", LedgerPlace(), StatusOutput.TEXT)
    assert not [line for line in capsys.readouterr().out.splitlines() if line.startswith("Phase: Succeeded")]


@pytest.mark.parametrize(
    "status", [7, [], {"phase": "Later"}, {"conditions": "x", "phase": "Running", "attempts": [{}]}]
)
async def test_a_status_of_any_shape_is_shown(capsys: pytest.CaptureFixture[str], status: Any) -> None:
    assert (
        await show_status(
            FakeRuns(read=[a_run() | {"status": status}]), KEY_NAME, "team-a", LedgerPlace(), StatusOutput.TEXT
        )
        == 0
    )
    assert KEY_NAME in capsys.readouterr().out
