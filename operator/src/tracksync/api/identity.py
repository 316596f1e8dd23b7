"""Every name that leaves the process: group, plurals, labels, annotations, finalizer, field managers, conditions.

No other module writes one of these as a literal (`tests/architecture` checks it).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

GROUP: Final = "tracksync.io"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
JOB_KIND: Final = "TrackSyncJob"
JOB_SINGULAR: Final = "tracksyncjob"
JOB_PLURAL: Final = "tracksyncjobs"
JOB_SHORT_NAME: Final = "tsj"
CATEGORY: Final = "tracksync"

FINALIZER: Final = f"{GROUP}/cancel"
KOPF_PREFIX: Final = f"operator.{GROUP}"
"""Prefix of the annotations in which kopf keeps its own state."""

KOPF_FINALIZER: Final = f"{KOPF_PREFIX}/unused"
"""kopf removes its own finalizer from objects whose handlers do not need it, so it must not be ours: that one is set
and removed by `controller.reconcile`. No object ever carries this one."""

OPERATOR_FIELD_MANAGER: Final = "tracksync-operator"
WORKER_FIELD_MANAGER: Final = "tracksync-worker"
WORKER_SERVICE_ACCOUNT: Final = "tracksync-worker"
WORKER_CONTAINER: Final = "worker"

APP_NAME: Final = "tracksync"
OPERATOR_NAMESPACE: Final = "tracksync-system"
"""Where `manifests/install.yaml` puts the operator."""


class Label(StrEnum):
    """Labels on the objects that the operator creates."""

    NAME = "app.kubernetes.io/name"
    PART_OF = "app.kubernetes.io/part-of"
    MANAGED_BY = "app.kubernetes.io/managed-by"
    COMPONENT = "app.kubernetes.io/component"
    JOB = "tracksync.io/job"
    RUN_ID = "tracksync.io/run-id"
    ATTEMPT = "tracksync.io/attempt"


class Annotation(StrEnum):
    """Annotations on the objects that the operator creates, and those by which users ask it for something."""

    JOB = "tracksync.io/job"
    """Full name of the TrackSyncJob that a Job or pod belongs to; the label of the same name may be shortened."""
    RESUME = "tracksync.io/resume"
    """On a TrackSyncJob: any new text starts the next attempt of a failed, cancelled or suspended run, once."""


class Stage(StrEnum):
    """The five stages of a run, in their order."""

    PREFLIGHT = "preflight"
    CATALOGUE = "catalogue"
    METADATA = "metadata"
    MERGE = "merge"
    REPORT = "report"


class ConditionType(StrEnum):
    """Conditions of a TrackSyncJob; `Succeeded` is the summary."""

    SUCCEEDED = "Succeeded"
    ADMITTED = "Admitted"
    """Whether the run has its turn: one run at a time for each database and source, and the installation's limits."""
    RUNNING = "Running"
    RECONCILING = "Reconciling"
    """True while a run is active; read by GitOps tools (kstatus)."""
    STALLED = "Stalled"
    """True while the worker gives no sign of life, and with the failure's reason after a terminal failure; read by
    GitOps tools (kstatus)."""
    SLA_MET = "SLAMet"
    """Whether the run is done within spec.slaSeconds; Unknown until that is known."""
    DEACTIVATION_WITHHELD = "DeactivationWithheld"
    """True when vanished tracks stay active because a guard held; known only at the end of a run."""


class Reason(StrEnum):
    """Reasons of conditions that are not failures; those are in `tracksync.errors.FailureReason`."""

    PENDING = "Pending"
    IN_PROGRESS = "InProgress"
    CANCELLING = "Cancelling"
    COMPLETED = "Completed"
    COMPLETED_WITH_ERRORS = "CompletedWithErrors"
    FINISHED = "Finished"
    FAILED = "Failed"
    JOB_CREATED = "JobCreated"
    POD_PENDING = "PodPending"
    POD_RUNNING = "PodRunning"
    SECRET_MISSING = "SecretMissing"  # noqa: S105 -- a condition's reason, not a password
    IMAGE_PROBLEM = "ImageProblem"
    UNSCHEDULABLE = "Unschedulable"
    POD_REFUSED = "PodRefused"
    CONTAINER_PROBLEM = "ContainerProblem"
    VOLUME_PROBLEM = "VolumeProblem"
    WAITING_FOR_OLD_POD = "WaitingForOldPod"
    OBJECT_INVALID = "ObjectInvalid"
    """The TrackSyncJob cannot be read by this version of the operator."""
    WITHHELD = "Withheld"
    NOTHING_WITHHELD = "NothingWithheld"
    QUEUED = "Queued"
    ADMITTED = "Admitted"
    RETRYING = "Retrying"
    SUSPENDING = "Suspending"
    SUSPENDED = "Suspended"
    RESUMED = "Resumed"
    """A resume was accepted; the next attempt follows."""
    RESUME_REFUSED = "ResumeRefused"
    NO_HEARTBEAT = "NoHeartbeat"
    MET = "Met"
    BREACHED = "Breached"
    PREDICTED_BREACH = "PredictedBreach"
    NOT_COMPLETED = "NotCompleted"
    PLANNED = "Planned"


class Environment(StrEnum):
    """Environment variables by which the operator tells a worker pod what to do. None of them holds a credential."""

    RUN_NAMESPACE = "TRACKSYNC_RUN_NAMESPACE"
    RUN_NAME = "TRACKSYNC_RUN_NAME"
    RUN_ID = "TRACKSYNC_RUN_ID"
    ATTEMPT = "TRACKSYNC_ATTEMPT"
    SPEC = "TRACKSYNC_SPEC"
    """The TrackSyncJob's spec as JSON."""
    SOURCE = "TRACKSYNC_SOURCE"
    """The installation's entry of the source (`api.source.SourceEntry`) as JSON."""
    DATABASE_URL_FILE = "TRACKSYNC_DATABASE_URL_FILE"
    """Path of the file that holds the database URL, mounted from the secret."""
    TERMINATION_LOG = "TRACKSYNC_TERMINATION_LOG"
    HISTORY_DAYS = "TRACKSYNC_HISTORY_DAYS"
    """Days for which the ledger remembers finished runs."""


OPERATOR_COMPONENT: Final = "operator"
WORKER_COMPONENT: Final = "worker"
DATABASE_SECRET_DIRECTORY: Final = "/var/run/tracksync/database"  # noqa: S105 -- a path
TERMINATION_LOG_PATH: Final = "/dev/termination-log"
