"""What is installed: restricted, with exactly the declared rights, and never a secret."""

from __future__ import annotations

import json
from typing import Any

import yaml

from tracksync.api.source import SourceEntry
from tracksync.controller.install import install_documents, worker_access_documents


def documents() -> dict[tuple[str, str], dict[str, Any]]:
    plain: list[dict[str, Any]] = json.loads(json.dumps(install_documents("registry.example/tracksync:1")))
    return {(document["kind"], document["metadata"]["name"]): document for document in plain}


def rights(role: dict[str, Any]) -> set[str]:
    return {f"{verb} {resource}" for rule in role["rules"] for resource in rule["resources"] for verb in rule["verbs"]}


def test_the_operator_may_do_what_its_methods_declare_and_nothing_else() -> None:
    assert rights(documents()["ClusterRole", "tracksync-operator"]) == {
        *(f"{verb} tracksyncjobs" for verb in ("get", "list", "watch", "patch", "delete")),
        "patch tracksyncjobs/status",
        "update tracksyncjobs/finalizers",
        *(f"{verb} jobs" for verb in ("get", "list", "watch", "create", "patch", "delete")),
        *(f"{verb} pods" for verb in ("list", "watch")),
        *(f"{verb} events" for verb in ("get", "list", "create", "patch")),
        *(f"{verb} customresourcedefinitions" for verb in ("list", "watch")),
    }


def test_a_worker_may_only_read_and_report() -> None:
    assert rights(documents()["ClusterRole", "tracksync-worker"]) == {"get tracksyncjobs", "patch tracksyncjobs/status"}


def test_no_role_has_a_wildcard_or_reads_secrets() -> None:
    for (kind, _), document in documents().items():
        if kind == "ClusterRole":
            assert not {"*", "secrets", "configmaps", "pods/exec"} & set(json.dumps(document["rules"]).split('"'))


def test_the_deployment_is_one_restricted_pod() -> None:
    spec = documents()["Deployment", "tracksync-operator"]["spec"]
    pod = spec["template"]["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    [container] = pod["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert set(spec["selector"]["matchLabels"].items()) <= set(spec["template"]["metadata"]["labels"].items())


def test_the_default_source_list_can_be_read_back() -> None:
    text = documents()["ConfigMap", "tracksync-sources"]["data"]["sources.yaml"]
    [entry] = yaml.safe_load(text)["sources"]
    assert SourceEntry.model_validate(entry) == SourceEntry()
    assert text.startswith("#")


def test_worker_access_binds_the_workers_role_in_one_namespace() -> None:
    account, binding = worker_access_documents("team-a")
    assert (account["kind"], binding["kind"]) == ("ServiceAccount", "RoleBinding")
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "tracksync-worker", "namespace": "team-a"}]
