"""What `kubectl apply` installs: namespace, rights, configuration and Deployment of the operator; pure builders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import yaml

from tracksync.adapters.kube.cluster import KubeCluster
from tracksync.adapters.kube.rbac import KOPF_RIGHTS, KOPF_SCANNING_RIGHTS, WORKER_RIGHTS, rights_of, rules
from tracksync.api.identity import (
    APP_NAME,
    OPERATOR_COMPONENT,
    OPERATOR_FIELD_MANAGER,
    OPERATOR_NAMESPACE,
    WORKER_SERVICE_ACCOUNT,
    Label,
)
from tracksync.api.source import SourceEntry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracksync.core.runs.model import Manifest

_RBAC: Final = "rbac.authorization.k8s.io"
_RBAC_VERSION: Final = f"{_RBAC}/v1"
_SOURCES_CONFIG: Final = "tracksync-sources"
_SOURCES_DIRECTORY: Final = "/etc/tracksync"
_SOURCES_FILE: Final = "sources.yaml"
_LIVENESS_PORT: Final = 8080
_GRACE_SECONDS: Final = 30
_SELECTOR: Final = {Label.NAME.value: APP_NAME, Label.COMPONENT.value: OPERATOR_COMPONENT}
_LABELS: Final = _SELECTOR | {Label.PART_OF.value: APP_NAME}


def install_documents(
    image: str, *, pull_policy: str = "IfNotPresent", sources: Sequence[SourceEntry] = (SourceEntry(),)
) -> list[Manifest]:
    """Return all objects of a cluster-wide installation, in the order in which they can be created.

    A namespace with runs also needs `worker_access_documents`.
    """
    return [
        _namespace(),
        _service_account(OPERATOR_FIELD_MANAGER, OPERATOR_NAMESPACE),
        _cluster_role(OPERATOR_FIELD_MANAGER, rules(rights_of(KubeCluster) | KOPF_RIGHTS | KOPF_SCANNING_RIGHTS)),
        _cluster_role(WORKER_SERVICE_ACCOUNT, rules(WORKER_RIGHTS)),
        _cluster_role_binding(),
        _sources_config(sources),
        _deployment(image, pull_policy),
    ]


def worker_access_documents(namespace: str) -> list[Manifest]:
    """Return what a namespace needs before runs in it can report: the workers' ServiceAccount and its RoleBinding."""
    return [
        _service_account(WORKER_SERVICE_ACCOUNT, namespace),
        {
            "apiVersion": _RBAC_VERSION,
            "kind": "RoleBinding",
            "metadata": {"name": WORKER_SERVICE_ACCOUNT, "namespace": namespace, "labels": _labels()},
            "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": WORKER_SERVICE_ACCOUNT},
            "subjects": [{"kind": "ServiceAccount", "name": WORKER_SERVICE_ACCOUNT, "namespace": namespace}],
        },
    ]


def _labels() -> dict[str, str]:
    return dict(_LABELS)


def _namespace() -> Manifest:
    level = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": OPERATOR_NAMESPACE, "labels": _labels() | level},
    }


def _service_account(name: str, namespace: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": name, "namespace": namespace, "labels": _labels()},
        "automountServiceAccountToken": False,
    }


def _cluster_role(name: str, role_rules: list[Manifest]) -> Manifest:
    return {
        "apiVersion": _RBAC_VERSION,
        "kind": "ClusterRole",
        "metadata": {"name": name, "labels": _labels()},
        "rules": role_rules,
    }


def _cluster_role_binding() -> Manifest:
    return {
        "apiVersion": _RBAC_VERSION,
        "kind": "ClusterRoleBinding",
        "metadata": {"name": OPERATOR_FIELD_MANAGER, "labels": _labels()},
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": OPERATOR_FIELD_MANAGER},
        "subjects": [{"kind": "ServiceAccount", "name": OPERATOR_FIELD_MANAGER, "namespace": OPERATOR_NAMESPACE}],
    }


def _sources_config(sources: Sequence[SourceEntry]) -> Manifest:
    entries = [source.model_dump(mode="json", by_alias=True, exclude_none=True) for source in sources]
    text = (
        "# The sources that a TrackSyncJob may name, with their ceilings. Please fill in `contact` (mail address or\n"
        "# URL of whoever runs this installation): it is part of the User-Agent that the source sees.\n"
        + yaml.safe_dump({"sources": entries}, sort_keys=False)
    )
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": _SOURCES_CONFIG, "namespace": OPERATOR_NAMESPACE, "labels": _labels()},
        "data": {_SOURCES_FILE: text},
    }


def _deployment(image: str, pull_policy: str) -> Manifest:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": OPERATOR_FIELD_MANAGER, "namespace": OPERATOR_NAMESPACE, "labels": _labels()},
        "spec": {
            "replicas": 1,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": dict(_SELECTOR)},
            "template": {"metadata": {"labels": _labels()}, "spec": _pod_spec(image, pull_policy)},
        },
    }


def _pod_spec(image: str, pull_policy: str) -> Manifest:
    return {
        "serviceAccountName": OPERATOR_FIELD_MANAGER,
        "automountServiceAccountToken": True,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": _GRACE_SECONDS,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [_container(image, pull_policy)],
        "volumes": [
            {"name": "sources", "configMap": {"name": _SOURCES_CONFIG}},
            {"name": "tmp", "emptyDir": {"sizeLimit": "16Mi"}},
        ],
    }


def _container(image: str, pull_policy: str) -> Manifest:
    probe = {"httpGet": {"path": "/healthz", "port": _LIVENESS_PORT}}
    return {
        "name": "operator",
        "image": image,
        "imagePullPolicy": pull_policy,
        "args": ["operator"],
        "env": [
            {"name": "TRACKSYNC_WORKER_IMAGE", "value": image},
            {"name": "TRACKSYNC_WORKER_IMAGE_PULL_POLICY", "value": pull_policy},
            {"name": "TRACKSYNC_SOURCES_FILE", "value": f"{_SOURCES_DIRECTORY}/{_SOURCES_FILE}"},
            {"name": "TRACKSYNC_LIVENESS_PORT", "value": str(_LIVENESS_PORT)},
        ],
        "ports": [{"name": "health", "containerPort": _LIVENESS_PORT}],
        "startupProbe": probe | {"periodSeconds": 2, "failureThreshold": 60},
        "livenessProbe": probe | {"periodSeconds": 20, "timeoutSeconds": 5, "failureThreshold": 3},
        "resources": {
            "requests": {"cpu": "50m", "memory": "160Mi", "ephemeral-storage": "16Mi"},
            "limits": {"memory": "384Mi", "ephemeral-storage": "64Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "sources", "mountPath": _SOURCES_DIRECTORY, "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 -- the pod's own empty directory
        ],
    }
