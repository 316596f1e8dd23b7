"""Pure builder of the worker Job. A user's words reach it only through the parsed spec: no image, command or volume."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracksync.api.identity import (
    API_VERSION,
    APP_NAME,
    DATABASE_SECRET_DIRECTORY,
    JOB_KIND,
    OPERATOR_FIELD_MANAGER,
    TERMINATION_LOG_PATH,
    WORKER_COMPONENT,
    WORKER_CONTAINER,
    WORKER_SERVICE_ACCOUNT,
    Annotation,
    Environment,
    Label,
)
from tracksync.core.runs.naming import job_name, label_value
from tracksync.core.runs.reading import mapping
from tracksync.errors import ExitCode

if TYPE_CHECKING:
    from tracksync.api.base import ApiModel
    from tracksync.api.job import TrackSyncJobSpec
    from tracksync.api.source import SourceEntry
    from tracksync.api.worker import ResourcesSpec, WorkerSpec
    from tracksync.core.runs.model import Manifest, Observed

GRACE_SECONDS: Final = 30
"""Between SIGTERM and SIGKILL where the spec cannot be read; the worker is done well before."""
TOKEN_SECONDS: Final = 3600
_FINAL_EXIT_CODES: Final = (
    ExitCode.CONFIGURATION,
    ExitCode.LISTING_INVALID,
    ExitCode.CANCELLED,
    ExitCode.FENCED,
    ExitCode.LEASE_HELD,
)
_URL_FILE: Final = "url"
_TOKEN_DIRECTORY: Final = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 -- a path
_SECRET_VOLUME: Final = "database"  # noqa: S105 -- a volume's name
_TOKEN_VOLUME: Final = "api-access"  # noqa: S105 -- a volume's name
_SCRATCH_VOLUME: Final = "tmp"
_GROUP: Final = 65532
"""fsGroup by which a non-root worker may read the secret's file of mode 0440, whatever its user id is."""


def build_worker_job(
    observed: Observed, spec: TrackSyncJobSpec, source: SourceEntry, *, attempt: int, deadline: int | None = None
) -> Manifest:
    """Return the Job of this attempt: one pod at a time, replaced only when it was disrupted.

    Args:
        observed: the run.
        spec: its wishes.
        source: the installation's entry of its source.
        attempt: the attempt's number.
        deadline: seconds that the Job may take; None: as many as the whole run.
    """
    labels = _labels(observed, attempt)
    annotations = {Annotation.JOB.value: observed.key.name}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job_name(observed.key.name, observed.uid, attempt),
            "namespace": observed.key.namespace,
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [_owner(observed)],
        },
        "spec": {
            "backoffLimit": 0,
            "completions": 1,
            "parallelism": 1,
            "activeDeadlineSeconds": deadline if deadline is not None else spec.active_deadline_seconds,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": _pod_failure_policy(),
            "template": {
                "metadata": {"labels": labels, "annotations": annotations},
                "spec": _pod_spec(observed, spec, source, attempt=attempt),
            },
        },
    }


def _labels(observed: Observed, attempt: int) -> dict[str, str]:
    return {
        Label.NAME.value: APP_NAME,
        Label.PART_OF.value: APP_NAME,
        Label.MANAGED_BY.value: OPERATOR_FIELD_MANAGER,
        Label.COMPONENT.value: WORKER_COMPONENT,
        Label.JOB.value: label_value(observed.key.name),
        Label.RUN_ID.value: observed.uid,
        Label.ATTEMPT.value: str(attempt),
    }


def _owner(observed: Observed) -> Manifest:
    return {
        "apiVersion": API_VERSION,
        "kind": JOB_KIND,
        "name": observed.key.name,
        "uid": observed.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _pod_failure_policy() -> Manifest:
    """Return the rules in the order in which they are tried; what none of them names counts against backoffLimit."""
    return {
        "rules": [
            {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
            {
                "action": "FailJob",
                "onExitCodes": {
                    "containerName": WORKER_CONTAINER,
                    "operator": "In",
                    "values": [int(code) for code in _FINAL_EXIT_CODES],
                },
            },
        ]
    }


def _pod_spec(observed: Observed, spec: TrackSyncJobSpec, source: SourceEntry, *, attempt: int) -> Manifest:
    return _placement(spec.worker) | {
        "restartPolicy": "Never",
        "serviceAccountName": WORKER_SERVICE_ACCOUNT,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": spec.worker.termination_grace_period_seconds,
        "securityContext": {
            "runAsNonRoot": True,
            "fsGroup": _GROUP,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(observed, spec, source, attempt=attempt)],
        "volumes": [_secret_volume(spec), _token_volume(), _scratch_volume()],
    }


def _container(observed: Observed, spec: TrackSyncJobSpec, source: SourceEntry, *, attempt: int) -> Manifest:
    return {
        "name": WORKER_CONTAINER,
        "image": observed.template.image,
        "imagePullPolicy": observed.template.pull_policy,
        "args": ["worker"],
        "env": _environment(observed, spec, source, attempt=attempt),
        "resources": _resources(spec.worker.resources),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "terminationMessagePath": TERMINATION_LOG_PATH,
        "terminationMessagePolicy": "File",
        "volumeMounts": [
            {"name": _SECRET_VOLUME, "mountPath": DATABASE_SECRET_DIRECTORY, "readOnly": True},
            {"name": _TOKEN_VOLUME, "mountPath": _TOKEN_DIRECTORY, "readOnly": True},
            {"name": _SCRATCH_VOLUME, "mountPath": "/tmp"},  # noqa: S108 -- the pod's own empty directory
        ],
    }


def _placement(worker: WorkerSpec) -> Manifest:
    """Return where the pod may run, as far as the spec says so."""
    wire = worker.to_wire()
    return {name: wire[name] for name in ("nodeSelector", "tolerations", "priorityClassName") if wire[name]}


def _resources(resources: ResourcesSpec) -> Manifest:
    """Return the container's size; its scratch space is not the user's business."""
    wire = resources.to_wire()
    return {
        name: {**mapping(wire, name), "ephemeral-storage": scratch}
        for name, scratch in (("requests", "64Mi"), ("limits", "256Mi"))
    }


def _environment(
    observed: Observed, spec: TrackSyncJobSpec, source: SourceEntry, *, attempt: int
) -> list[dict[str, str]]:
    values = {
        Environment.RUN_NAMESPACE: observed.key.namespace,
        Environment.RUN_NAME: observed.key.name,
        Environment.RUN_ID: observed.uid,
        Environment.ATTEMPT: str(attempt),
        Environment.SPEC: _json(spec),
        Environment.SOURCE: _json(source),
        Environment.DATABASE_URL_FILE: f"{DATABASE_SECRET_DIRECTORY}/{_URL_FILE}",
        Environment.TERMINATION_LOG: TERMINATION_LOG_PATH,
        Environment.HISTORY_DAYS: str(observed.template.history_days),
    }
    return [{"name": name.value, "value": value.replace("$(", "$$(")} for name, value in values.items()]


def _json(model: ApiModel) -> str:
    return model.model_dump_json(by_alias=True, exclude_none=True)


def _secret_volume(spec: TrackSyncJobSpec) -> Manifest:
    reference = spec.target.database_secret_ref
    return {
        "name": _SECRET_VOLUME,
        "secret": {
            "secretName": reference.name,
            "optional": False,
            "defaultMode": 0o440,
            "items": [{"key": reference.key, "path": _URL_FILE}],
        },
    }


def _token_volume() -> Manifest:
    """Return a short-lived token, the cluster's CA and the namespace, where every Kubernetes client looks for them."""
    namespace = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    return {
        "name": _TOKEN_VOLUME,
        "projected": {
            "defaultMode": 0o440,
            "sources": [
                {"serviceAccountToken": {"path": "token", "expirationSeconds": TOKEN_SECONDS}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                {"downwardAPI": {"items": [namespace]}},
            ],
        },
    }


def _scratch_volume() -> Manifest:
    return {"name": _SCRATCH_VOLUME, "emptyDir": {"sizeLimit": "64Mi"}}
