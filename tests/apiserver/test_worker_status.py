"""The worker's status writes on a real API server, with the rights of its own service account.

Cases: the status of its own object is written over TLS; an object that took the name is never written to.
"""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
import yaml

from tests.apiserver.conftest import SPEC, Control
from tracksync.adapters.kube.progress import ApiServer, KubeProgress
from tracksync.api.identity import API_VERSION, JOB_KIND, WORKER_SERVICE_ACCOUNT
from tracksync.api.job import Results, WorkerStatus
from tracksync.controller.install import install_documents
from tracksync.errors import OwnerGoneError
from tracksync.ports import RunIdentity

STATUS = WorkerStatus(results=Results(listed=3))


@pytest.fixture(autouse=True)
def _worker_rights(control: Control) -> None:
    """Grant what `manifests/install.yaml` grants to workers."""
    documents = install_documents("unused")
    control.apply(
        *(
            item
            for item in documents
            if (item["kind"], item["metadata"]["name"]) == ("ClusterRole", WORKER_SERVICE_ACCOUNT)
        )
    )


def create(control: Control, namespace: str) -> str:
    metadata = {"name": "nightly", "namespace": namespace}
    control.apply({"apiVersion": API_VERSION, "kind": JOB_KIND, "metadata": metadata, "spec": SPEC})
    uid: str = control.get("-n", namespace, "tracksyncjob", "nightly")["metadata"]["uid"]
    return uid


def server(control: Control, namespace: str, folder: Path) -> ApiServer:
    """Return the API server with a token of the worker's service account, as the kubelet would mount it."""
    cluster = yaml.safe_load(control.kubeconfig.read_text())["clusters"][0]["cluster"]
    authority = (
        base64.b64decode(cluster["certificate-authority-data"]).decode()
        if "certificate-authority-data" in cluster
        else Path(cluster["certificate-authority"]).read_text(encoding="ascii")
    )
    (folder / "ca.crt").write_text(authority, encoding="ascii")
    token = control.kubectl("-n", namespace, "create", "token", WORKER_SERVICE_ACCOUNT)
    (folder / "token").write_text(token, encoding="ascii")
    return ApiServer(cluster["server"], folder)


async def test_a_worker_writes_its_own_half_of_the_status(control: Control, namespace: str, tmp_path: Path) -> None:
    uid = create(control, namespace)
    identity = RunIdentity(uid, "nightly", namespace, 1, "liverc")
    async with KubeProgress(server(control, namespace, tmp_path), identity) as display:
        await display.publish(STATUS)
    assert control.get("-n", namespace, "tracksyncjob", "nightly")["status"]["results"]["listed"] == 3


async def test_a_worker_never_writes_to_an_object_that_took_the_name(
    control: Control, namespace: str, tmp_path: Path
) -> None:
    old = create(control, namespace)
    control.kubectl("-n", namespace, "delete", "tracksyncjob", "nightly", "--wait")
    assert create(control, namespace) != old
    identity = RunIdentity(old, "nightly", namespace, 1, "liverc")
    async with KubeProgress(server(control, namespace, tmp_path), identity) as display:
        with pytest.raises(OwnerGoneError):
            await display.publish(STATUS)
    assert "results" not in control.get("-n", namespace, "tracksyncjob", "nightly").get("status", {})
