"""The worker Job against its golden file, and the rules that it must keep whatever a TrackSyncJob says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.support.runs import a_run
from tracksync.api.identity import Environment
from tracksync.api.job import TrackSyncJobSpec
from tracksync.api.source import SourceEntry
from tracksync.core.runs.manifests import build_worker_job
from tracksync.settings import WorkerSettings

if TYPE_CHECKING:
    import pytest

GOLDEN = Path(__file__).parent / "golden" / "worker-job.yaml"


def build(**spec: Any) -> dict[str, Any]:
    parsed = TrackSyncJobSpec.model_validate({"target": {"databaseSecretRef": {"name": "tracksync-db"}}} | spec)
    manifest = build_worker_job(a_run(spec=parsed), parsed, SourceEntry(), attempt=1)
    return json.loads(json.dumps(manifest))  # type: ignore[no-any-return]  # it is a mapping by construction


def container(manifest: dict[str, Any]) -> dict[str, Any]:
    [found] = manifest["spec"]["template"]["spec"]["containers"]
    assert isinstance(found, dict)
    return found


def test_the_job_is_the_golden_one() -> None:
    assert build() == yaml.safe_load(GOLDEN.read_text(encoding="utf-8"))


def test_the_pod_is_restricted() -> None:
    pod = build()["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    security = container(build())["securityContext"]
    assert security == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_the_worker_reads_its_settings_from_the_environment_that_the_operator_writes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for entry in container(build(source={"name": "liverc", "requestsPerSecond": 2}))["env"]:
        monkeypatch.setenv(entry["name"], entry["value"])
    settings = WorkerSettings.read()
    assert (settings.run_name, settings.attempt, settings.spec.source.requests_per_second) == ("nightly", 1, 2.0)
    assert settings.source == SourceEntry()


def test_the_environment_has_exactly_the_known_names_and_no_credential() -> None:
    assert {entry["name"] for entry in container(build())["env"]} == {name.value for name in Environment}
    assert "postgres" not in json.dumps(container(build())["env"])


def test_kubernetes_does_not_expand_what_looks_like_a_variable() -> None:
    source = SourceEntry(contact="$(TRACKSYNC_RUN_ID)")
    parsed = TrackSyncJobSpec.model_validate({"target": {"databaseSecretRef": {"name": "x"}}})
    manifest = json.loads(json.dumps(build_worker_job(a_run(), parsed, source, attempt=1)))
    values = {entry["name"]: entry["value"] for entry in container(manifest)["env"]}
    assert "$$(TRACKSYNC_RUN_ID)" in values["TRACKSYNC_SOURCE"]


def test_the_secret_is_mounted_whole_under_a_fixed_name_and_only_for_the_group() -> None:
    volumes = build(target={"databaseSecretRef": {"name": "db", "key": "dsn"}})["spec"]["template"]["spec"]["volumes"]
    assert volumes[0]["secret"] == {
        "secretName": "db",
        "optional": False,
        "defaultMode": 0o440,
        "items": [{"key": "dsn", "path": "url"}],
    }
