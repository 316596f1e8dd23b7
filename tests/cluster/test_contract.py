"""What every kind of cluster has to do, whatever it is made of."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.build import ensure_binaries
from tests.cluster.components import PROBE
from tests.cluster.names import PROBE_IMAGE
from tests.cluster.probe import probe_archive
from tests.cluster.waiting import wait_until

if TYPE_CHECKING:
    from tests.cluster.contract import Cluster

NAMESPACE = "contract"
API_ADDRESS = "10.96.0.1"

RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


@pytest.fixture(scope="module", autouse=True)
def _namespace(cluster: Cluster) -> None:
    """Make a namespace that admits restricted pods only, and load the image that the pods run."""
    cluster.load_image(probe_archive(ensure_binaries([PROBE])))
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    _apply(cluster, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}})


def test_every_node_is_ready(cluster: Cluster) -> None:
    names = [node.name for node in cluster.nodes()]
    assert len(names) == 2
    assert [_is_ready(cluster, name) for name in names] == [True, True]


def test_the_kubeconfig_is_the_checkouts_own_and_only_its_owner_can_read_it(cluster: Cluster) -> None:
    assert cluster.kubeconfig.parent.name == ".cluster"
    assert cluster.kubeconfig.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("index", [0, 1])
def test_a_restricted_job_runs_and_finds_services_by_name_on_each_node(cluster: Cluster, index: int) -> None:
    node = cluster.nodes()[index].name
    name = "kubernetes.default.svc.cluster.local"
    _apply(cluster, _job(f"names-{index}", node, ["resolve", name, API_ADDRESS], ["dial", f"{name}:443"]))
    _wait_complete(cluster, f"names-{index}")
    log = _kubectl(cluster, "logs", f"job/names-{index}", "--all-containers")
    assert f"{name} is {API_ADDRESS}" in log
    assert f"connected to {name}:443" in log


def test_a_pod_of_any_user_writes_to_a_local_volume(cluster: Cluster) -> None:
    path = cluster.local_volume("contract")
    node = cluster.nodes()[0].name
    for document in _volume("contract", path, node):
        _apply(cluster, document)
    job = _job("writes", node, ["write", "/data/file", "hello"])
    pod = job["spec"]["template"]["spec"]
    pod["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": "contract"}}]
    pod["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    _apply(cluster, job)
    _wait_complete(cluster, "writes")
    assert "wrote /data/file" in _kubectl(cluster, "logs", "job/writes")


def test_a_second_up_finds_the_cluster_and_keeps_what_is_in_it(cluster: Cluster) -> None:
    before = _identity_of_namespace(cluster)
    cluster.up(1)
    assert _identity_of_namespace(cluster) == before
    assert len(cluster.nodes()) == 2


def test_the_api_server_comes_back_after_it_was_killed(cluster: Cluster) -> None:
    before = _identity_of_namespace(cluster)
    cluster.api_restart()
    assert wait_until(cluster.running, seconds=60)
    assert _identity_of_namespace(cluster) == before


def test_the_audit_log_says_who_did_what(cluster: Cluster) -> None:
    _apply(cluster, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "audited", "namespace": NAMESPACE}})
    events = [json.loads(line) for line in cluster.logs("audit").splitlines() if '"audited"' in line]
    assert any(event["objectRef"]["name"] == "audited" and event["verb"] in {"create", "patch"} for event in events)


@pytest.mark.parametrize("fault", ["stop_kubelet", "pause"])
def test_a_node_with_a_fault_is_not_ready_until_it_is_started_again(cluster: Cluster, fault: str) -> None:
    node = cluster.nodes()[1]
    getattr(node, fault)()
    try:
        assert wait_until(lambda: not _is_ready(cluster, node.name), seconds=90, every=0.5)
    finally:
        node.start()
    assert wait_until(lambda: _is_ready(cluster, node.name), seconds=60, every=0.5)


def _job(name: str, node: str, *commands: list[str]) -> dict[str, Any]:
    containers = [
        {
            "name": f"c{index}",
            "image": PROBE_IMAGE,
            "imagePullPolicy": "Never",
            "args": command,
            "securityContext": RESTRICTED,
        }
        for index, command in enumerate(commands)
    ]
    pod = {
        "nodeName": node,
        "restartPolicy": "Never",
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": containers,
    }
    spec = {"backoffLimit": 0, "template": {"spec": pod}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec}


def _volume(name: str, path: str, node: str) -> list[dict[str, Any]]:
    host = [{"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}]
    common: dict[str, Any] = {"accessModes": ["ReadWriteOnce"], "storageClassName": ""}
    volume = {
        **common,
        "capacity": {"storage": "1Gi"},
        "local": {"path": path},
        "nodeAffinity": {"required": {"nodeSelectorTerms": host}},
        "claimRef": {"name": name, "namespace": NAMESPACE},
    }
    claim = {**common, "volumeName": name, "resources": {"requests": {"storage": "1Gi"}}}
    return [
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": volume},
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": claim,
        },
    ]


def _apply(cluster: Cluster, document: dict[str, Any]) -> None:
    cluster.kubectl("apply", "--filename=-", stdin=json.dumps(document))


def _kubectl(cluster: Cluster, *arguments: str) -> str:
    return cluster.kubectl("--namespace", NAMESPACE, *arguments)


def _wait_complete(cluster: Cluster, job: str) -> None:
    _kubectl(cluster, "wait", f"job/{job}", "--for=condition=Complete", "--timeout=60s")


def _is_ready(cluster: Cluster, node: str) -> bool:
    path = '{.status.conditions[?(@.type=="Ready")].status}'
    return cluster.kubectl("get", "node", node, f"--output=jsonpath={path}") == "True"


def _identity_of_namespace(cluster: Cluster) -> str:
    return cluster.kubectl("get", "namespace", NAMESPACE, "--output=jsonpath={.metadata.uid}")
