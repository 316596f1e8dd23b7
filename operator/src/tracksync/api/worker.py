"""What a TrackSyncJob may say about its worker's pod: size and place; never image, command or volumes."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from tracksync.api.base import ApiModel

Quantity = Annotated[
    str, Field(min_length=1, max_length=20, pattern=r"^[0-9]{1,12}(\.[0-9]{1,5})?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$")
]
"""An amount as Kubernetes writes it, such as 250m, 1.5, 512Mi or 2Gi."""
LabelKey = Annotated[
    str,
    Field(
        min_length=1,
        max_length=317,
        pattern=r"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?$",
    ),
]
LabelValue = Annotated[str, Field(max_length=63, pattern=r"^([A-Za-z0-9]([-._A-Za-z0-9]*[A-Za-z0-9])?)?$")]


class ResourceRequests(ApiModel):
    """What the pod's node has to have free."""

    cpu: Quantity = "100m"
    """Processor time; 1000m is one core."""
    memory: Quantity = "192Mi"
    """Memory."""


class ResourceLimits(ApiModel):
    """What the worker may use at most."""

    cpu: Quantity | None = None
    """Processor time; no limit unless set."""
    memory: Quantity = "512Mi"
    """Memory; a worker that uses more is killed and, within spec.retry.limit, tried again."""


class ResourcesSpec(ApiModel):
    """Size of the worker's container."""

    requests: ResourceRequests = Field(default_factory=ResourceRequests)
    """What the pod's node has to have free."""
    limits: ResourceLimits = Field(default_factory=ResourceLimits)
    """What the worker may use at most."""


class TolerationOperator(StrEnum):
    """How a toleration compares with a taint."""

    EXISTS = "Exists"
    EQUAL = "Equal"


class TaintEffect(StrEnum):
    """What a taint does to pods that do not tolerate it."""

    NO_SCHEDULE = "NoSchedule"
    PREFER_NO_SCHEDULE = "PreferNoSchedule"
    NO_EXECUTE = "NoExecute"


class Toleration(ApiModel):
    """A taint that the worker's pod tolerates."""

    key: LabelKey | None = None
    """Key of the taint; none tolerates every taint, with operator Exists."""
    operator: TolerationOperator = TolerationOperator.EQUAL
    """Exists for any value, Equal for the one below."""
    value: LabelValue = ""
    """Value of the taint."""
    effect: TaintEffect | None = None
    """Effect of the taint; none tolerates all effects."""
    toleration_seconds: Annotated[int, Field(ge=0, le=604_800)] | None = None
    """How long the pod stays on a node with a NoExecute taint; for ever unless set."""


class WorkerSpec(ApiModel):
    """Size and place of the worker's pod; a change counts from the next attempt on."""

    resources: ResourcesSpec = Field(default_factory=ResourcesSpec)
    """Size of the worker's container."""
    node_selector: Annotated[dict[LabelKey, LabelValue], Field(max_length=16)] = Field(default_factory=dict)
    """Labels that the pod's node must have."""
    tolerations: Annotated[tuple[Toleration, ...], Field(max_length=16)] = ()
    """Taints that the pod tolerates."""
    priority_class_name: Annotated[str, Field(max_length=253, pattern=r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$")] = ""
    """PriorityClass of the pod; empty for the cluster's default."""
    termination_grace_period_seconds: Annotated[int, Field(ge=10, le=600)] = 30
    """Seconds between the request to stop and the kill. The worker needs a few."""
