"""The parts of a TrackSyncJob's spec, one model for each; `api.job` puts them together."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from tracksync.api.base import ApiModel, Duration
from tracksync.api.deactivation import MAX_COUNT, MAX_PERCENT, DeactivationPolicy

if TYPE_CHECKING:
    from pydantic.config import JsonDict

IMMUTABLE: JsonDict = {
    "x-kubernetes-validations": [
        {"rule": "self == oldSelf", "message": "cannot be changed after creation; create a new TrackSyncJob instead"}
    ]
}
"""CEL rule of a field that a run is bound to: what it reads and where it writes."""


class SourceSpec(ApiModel):
    """Where the tracks come from."""

    name: Annotated[str, Field(max_length=40, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")] = "liverc"
    """Name of a source that the installation allows."""
    requests_per_second: Annotated[float, Field(gt=0, le=100_000)] | None = None
    """Request rate to the source's domain, in requests per second. It may only lower the installation's limit, which
    applies when this is not set."""
    concurrency: Annotated[int, Field(ge=1, le=64)] | None = None
    """Requests in flight at once. It may only lower the installation's limit, which applies when this is not set."""


class SecretKeyRef(ApiModel):
    """A key of a Secret in the TrackSyncJob's own namespace."""

    name: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
    """Name of the Secret."""
    key: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")] = "url"
    """Key that holds the database URL, such as postgresql://user:password@host:5432/database."""


class TargetSpec(ApiModel):
    """Where the tracks go."""

    database_secret_ref: SecretKeyRef
    """Secret that holds the PostgreSQL database's URL."""


class MetadataSpec(ApiModel):
    """What is fetched beyond the catalogue page."""

    enabled: bool = True
    """Whether each track's dashboard (address, contact, totals) is fetched; false syncs the catalogue page only."""
    refresh_after: Duration = "168h"
    """Fetch a dashboard only if the stored one is older than this, such as 168h, 90m or 1h30m. Due dashboards are
    spread evenly over the runs, so a daily run at the default of 168h fetches about a seventh of them. 0s fetches
    all."""
    attempts: Annotated[int, Field(ge=1, le=10)] = 3
    """Attempts for one dashboard in this run, on top of the few quick repetitions within each attempt. Between two
    attempts there is a growing pause."""


class DeactivationSpec(ApiModel):
    """What happens to active tracks that vanished from a complete, valid catalogue page."""

    policy: DeactivationPolicy = Field(default=DeactivationPolicy.APPLY, json_schema_extra=IMMUTABLE)
    """Apply deactivates them within the limits below. Withhold only reports them. Disabled does not look for them."""
    max_percent: Annotated[int, Field(ge=0, le=100, json_schema_extra=IMMUTABLE)] = MAX_PERCENT
    """When more than this share of the active tracks vanished, in percent, none is deactivated."""
    max_count: Annotated[int, Field(ge=0, le=1_000_000, json_schema_extra=IMMUTABLE)] = MAX_COUNT
    """When more tracks than this vanished, none is deactivated."""
    approved_ceiling: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """An admin's answer to a withheld deactivation: up to this many vanished tracks are deactivated although they are
    more than maxPercent or maxCount. When more have vanished by then, none is. The worker starts with the number that
    is here when its Job is created."""


class SyncMode(StrEnum):
    """What a run does with what it found."""

    APPLY = "Apply"
    """Write it."""
    PLAN = "Plan"
    """Only tell what would be written."""


class WriteSpec(ApiModel):
    """How the database is written to."""

    batch_size: Annotated[int, Field(ge=1, le=10_000)] = 500
    """Dashboards that are committed together, at most; what has come is committed every 5 s in any case. A crash costs
    what is not committed yet."""


class FailureThresholdSpec(ApiModel):
    """How much of a run may fail."""

    max_failed_percent: Annotated[int, Field(ge=0, le=100)] = 10
    """When more than this share of the due dashboards failed, in percent, nothing is merged, and the run is tried again
    later. Two are tolerated in any case, and those that had failed in the run before do not count."""


class RetrySpec(ApiModel):
    """What happens after an attempt that failed for a reason that may pass."""

    limit: Annotated[int, Field(ge=0, le=20)] = 3
    """Attempts beyond the first. Failures that a repetition cannot heal are never retried; a pod that was taken away
    (drain, eviction, preemption) and waiting for the database's lease do not count."""
    backoff_seconds: Annotated[int, Field(ge=1, le=3600)] = 30
    """Longest pause before the second attempt; it doubles with each further one. The pause itself is drawn between
    zero and that, and written to status.nextAttemptTime."""
    max_backoff_seconds: Annotated[int, Field(ge=1, le=86_400)] = 600
    """Longest pause between two attempts, in seconds."""
