"""Level 6: a real API server, the operator a process of its own beside it. Only this checkout's cluster is used.

What is left out here: anything that needs a worker image (level 7). The worker image named below does not exist, so
pods stay Pending for ever; where a pod must end, its status is written as the kubelet writes it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path  # noqa: TC003 -- dataclasses resolve the annotation
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.cluster import select
from tests.cluster.waiting import wait_until
from tracksync.adapters.kube.client import KubeClient, open_client
from tracksync.api.identity import API_VERSION, JOB_KIND, OPERATOR_FIELD_MANAGER, OPERATOR_NAMESPACE
from tracksync.api.schema import crd_documents
from tracksync.controller.install import worker_access_documents

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

NO_IMAGE = "tracksync.invalid/no-such-image:1"
SPEC: dict[str, Any] = {"target": {"databaseSecretRef": {"name": "tracksync-db"}}}


@dataclass(frozen=True, slots=True)
class Control:
    """The control plane under test."""

    kubeconfig: Path
    command: tuple[str, ...]

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        """Standard output and, of a command that may fail, standard error."""
        done = subprocess.run(
            [*self.command, *arguments], input=stdin, capture_output=True, text=True, check=False, timeout=90
        )
        assert done.returncode == 0 or not check, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout if check else done.stdout + done.stderr

    def apply(self, *documents: Any) -> None:
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=yaml.safe_dump_all(documents))

    def get(self, *arguments: str) -> Any:
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))


@pytest.fixture(scope="session")
def control() -> Iterator[Control]:
    """The API server with our CRD and without any other operator."""
    cluster = select.select_cluster()
    if not cluster.running():
        pytest.fail("no cluster is running: `make cluster` starts one")
    control = Control(cluster.kubeconfig, cluster.kubectl_command())
    control.apply(*json.loads(json.dumps(list(crd_documents().values()))))
    control.kubectl("wait", "--for=condition=Established", "crd", "tracksyncjobs.tracksync.io", "--timeout=30s")
    with_replicas = ("-n", OPERATOR_NAMESPACE, "scale", f"deployment/{OPERATOR_FIELD_MANAGER}")
    found = control.kubectl("-n", OPERATOR_NAMESPACE, "get", "deployments", "-o", "name")
    if found:
        control.kubectl(*with_replicas, "--replicas=0")
        gone = ("wait", "--for=delete", "pod", "-l", "app.kubernetes.io/component=operator", "--timeout=60s")
        control.kubectl("-n", OPERATOR_NAMESPACE, *gone)
    yield control
    if found:
        control.kubectl(*with_replicas, "--replicas=1")


@pytest.fixture
def namespace(control: Control) -> Iterator[str]:
    """A namespace of the test's own in which workers may be started; nothing in it can block its end."""
    name = f"ts-api-{uuid.uuid4().hex[:8]}"
    control.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, *worker_access_documents(name))
    yield name
    for run in control.get("tsj", "-n", name)["items"]:
        strip = json.dumps({"metadata": {"finalizers": None}})
        path = ("-n", name, "patch", "tsj", run["metadata"]["name"], "--type=merge", "-p", strip)
        control.kubectl(*path, check=False)
    control.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
async def client(control: Control) -> AsyncIterator[KubeClient]:
    """Our own client on this API server."""
    async with open_client(control.kubeconfig) as client:
        yield client


@dataclass
class OperatorProcess:
    """The operator as users start it, outside the cluster."""

    control: Control
    folder: Path
    namespace: str
    process: subprocess.Popen[bytes] | None = None
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def log(self) -> str:
        return (self.folder / "operator.log").read_text(encoding="utf-8")

    def start(self) -> None:
        """Start it, or start it again."""
        sources = self.folder / "sources.yaml"
        sources.write_text("sources:\n- name: liverc\n", encoding="utf-8")
        environment = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "TMPDIR"}}
        environment |= {
            "KUBECONFIG": str(self.control.kubeconfig),
            "TRACKSYNC_WORKER_IMAGE": NO_IMAGE,
            "TRACKSYNC_WORKER_IMAGE_PULL_POLICY": "Never",
            "TRACKSYNC_SOURCES_FILE": str(sources),
            "TRACKSYNC_WATCH_NAMESPACES": self.namespace,
            "TRACKSYNC_RESYNC_SECONDS": "30",
            "TRACKSYNC_LIVENESS_PORT": "0",
        }
        with (self.folder / "operator.log").open("ab") as log:
            command = [sys.executable, "-m", "tracksync", "operator"]
            self.process = subprocess.Popen(
                command, env=environment | self.settings, stdout=log, stderr=log, start_new_session=True
            )

    def kill(self) -> None:
        """SIGKILL."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(timeout=10)

    def stop(self) -> int:
        """SIGTERM; return its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=25)


@pytest.fixture
def operator(control: Control, tmp_path: Path, namespace: str) -> Iterator[OperatorProcess]:
    """A running operator; at the end it must have stopped cleanly and logged no traceback."""
    operator = OperatorProcess(control, tmp_path, namespace)
    operator.start()
    yield operator
    assert operator.process is not None
    assert operator.process.poll() is None, operator.log
    assert operator.stop() == 0, operator.log
    assert "Traceback" not in operator.log, operator.log


@dataclass(frozen=True, slots=True)
class Run:
    """One TrackSyncJob on the real API server, and its Job."""

    control: Control
    namespace: str
    name: str

    def create(self, **spec: Any) -> None:
        manifest = {
            "apiVersion": API_VERSION,
            "kind": JOB_KIND,
            "metadata": {"name": self.name, "namespace": self.namespace},
            "spec": SPEC | spec,
        }
        self.control.kubectl("create", "-f", "-", stdin=json.dumps(manifest))

    def read(self) -> dict[str, Any]:
        found: dict[str, Any] = self.control.get("tsj", self.name, "-n", self.namespace)
        return found

    def phase(self) -> str:
        phase: str = self.read().get("status", {}).get("phase", "")
        return phase

    def condition(self, kind: str) -> str:
        conditions = self.read().get("status", {}).get("conditions", [])
        return next((f"{entry['status']}/{entry['reason']}" for entry in conditions if entry["type"] == kind), "")

    def exists(self) -> bool:
        names = [run["metadata"]["name"] for run in self.control.get("tsj", "-n", self.namespace)["items"]]
        return self.name in names

    def jobs(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.control.get("jobs", "-n", self.namespace)["items"]
        return found

    def pods(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.control.get("pods", "-n", self.namespace)["items"]
        return found


def wait_for(condition: Callable[[], bool], what: Callable[[], object], *, seconds: float = 30.0) -> None:
    """Wait for the condition; say what was there instead when it does not come."""
    assert wait_until(condition, seconds=seconds, every=0.2), what()


@pytest.fixture
def run(control: Control, namespace: str) -> Run:
    """A TrackSyncJob to be created by the test."""
    return Run(control, namespace, "nightly")
