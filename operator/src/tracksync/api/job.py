"""TrackSyncJob: one run of the sync, as a user writes it and as the operator and the worker report it.

The schema holds only what works. `OperatorStatus` and `WorkerStatus` are two halves of one `status`, each applied by
its own field manager; they share no field.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import ConfigDict, Field

from tracksync.api.base import ApiModel, Condition, Message, ShortText, StoredModel, Timestamp
from tracksync.api.identity import Stage  # noqa: TC001 -- pydantic resolves the annotation at run time
from tracksync.api.spec import (
    IMMUTABLE,
    DeactivationSpec,
    FailureThresholdSpec,
    MetadataSpec,
    RetrySpec,
    SourceSpec,
    SyncMode,
    TargetSpec,
    WriteSpec,
)
from tracksync.api.worker import WorkerSpec

if TYPE_CHECKING:
    from pydantic.config import JsonDict

_ONE_WAY: JsonDict = {
    "x-kubernetes-validations": [
        {
            "rule": "self || !oldSelf",
            "message": "cannot be taken back; continue a cancelled run with the annotation tracksync.io/resume",
        }
    ]
}
"""CEL rule of a wish that can be made, but not taken back."""

_IMMUTABLE_SET: JsonDict = {**IMMUTABLE, "x-kubernetes-list-type": "set"}

_SPEC_RULES: JsonDict = {
    "x-kubernetes-validations": [
        {
            "rule": "!(has(self.onlySlugs) && size(self.onlySlugs) > 0 && self.deactivation.policy == 'Apply')",
            "message": "a run with onlySlugs sees a part of the catalogue and cannot tell which tracks vanished: set "
            "deactivation.policy to Disabled, or to Withhold to have the rest counted",
        }
    ]
}
"""CEL rules about several fields."""

Slug = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
"""A track's slug: the first label of its host, in lower case."""
Count = Annotated[int, Field(ge=0, le=2_147_483_647)]


class TrackSyncJobSpec(ApiModel):
    """The wish: one run of the sync."""

    model_config = ConfigDict(json_schema_extra=_SPEC_RULES)

    source: SourceSpec = Field(default_factory=SourceSpec, json_schema_extra=IMMUTABLE)
    """Where the tracks come from, and how fast they may be fetched."""
    target: TargetSpec = Field(json_schema_extra=IMMUTABLE)
    """The PostgreSQL database that the tracks are written to."""
    mode: SyncMode = Field(default=SyncMode.APPLY, json_schema_extra=IMMUTABLE)
    """Apply writes what was found. Plan fetches and compares everything just so, but writes no track: its counters say
    what Apply would do, and `tracksync report` lists it."""
    metadata: MetadataSpec = Field(default_factory=MetadataSpec, json_schema_extra=IMMUTABLE)
    """What is fetched beyond the catalogue page."""
    only_slugs: Annotated[tuple[Slug, ...], Field(max_length=200, json_schema_extra=_IMMUTABLE_SET)] = ()
    """Sync these tracks of the catalogue only; empty syncs all. Such a run never deactivates a track, and
    deactivation.policy has to say so: Disabled or Withhold."""
    deactivation: DeactivationSpec = Field(default_factory=DeactivationSpec)
    """What happens to active tracks that are no longer in the catalogue."""
    write: WriteSpec = Field(default_factory=WriteSpec, json_schema_extra=IMMUTABLE)
    """How the database is written to."""
    failure_threshold: FailureThresholdSpec = Field(default_factory=FailureThresholdSpec)
    """How much of the run may fail; a change counts from the next attempt on."""
    retry: RetrySpec = Field(default_factory=RetrySpec)
    """What happens after an attempt that failed for a reason that may pass."""
    sla_seconds: Annotated[int, Field(ge=1, le=604_800)] = 600
    """Soft limit in seconds, counted like activeDeadlineSeconds: the condition SLAMet tells whether the run keeps it,
    and before that whether it is expected to. Nothing is stopped."""
    stall_seconds: Annotated[int, Field(ge=30, le=86_400)] = 120
    """A running worker that gives no sign of life for so many seconds is shown as stalled. Nothing is stopped."""
    active_deadline_seconds: Annotated[int, Field(ge=10, le=604_800)] = 3600
    """Hard limit for the whole run, in seconds from the moment that it has its turn, with all attempts and the pauses
    between them; time in the queue and suspended time do not count. A run that exceeds it ends as Failed with reason
    DeadlineExceeded; no track is changed."""
    parallelism: Annotated[int, Field(ge=1, le=1)] = 1
    """Worker pods at once. One is the only value so far."""
    suspend: bool = False
    """True stops the worker and keeps what it has fetched; false goes on from there. Set before the start, the run
    does not start."""
    cancel: Annotated[bool, Field(json_schema_extra=_ONE_WAY)] = False
    """True stops the run and rolls it back; the TrackSyncJob stays, as Cancelled. Cannot be taken back."""
    worker: WorkerSpec = Field(default_factory=WorkerSpec)
    """Size and place of the worker's pod; a change counts from the next attempt on."""
    ttl_seconds_after_finished: Annotated[int, Field(ge=0, le=315_360_000)] = 604_800
    """Seconds after its end when the TrackSyncJob is deleted. The run's record in the database stays."""


class Phase(StrEnum):
    """Display word derived from the conditions; programs read the conditions."""

    PENDING = "Pending"
    QUEUED = "Queued"
    RUNNING = "Running"
    SUSPENDED = "Suspended"
    RETRYING = "Retrying"
    CANCELLING = "Cancelling"
    SUCCEEDED = "Succeeded"
    COMPLETED_WITH_ERRORS = "CompletedWithErrors"
    FAILED = "Failed"
    CANCELLED = "Cancelled"

    @property
    def is_terminal(self) -> bool:
        """Whether a run in this phase never moves again by itself."""
        return self in TERMINAL_PHASES


TERMINAL_PHASES = frozenset({Phase.SUCCEEDED, Phase.COMPLETED_WITH_ERRORS, Phase.FAILED, Phase.CANCELLED})


class StopWish(StrEnum):
    """A field of the spec that stops the run."""

    CANCEL = "Cancel"
    SUSPEND = "Suspend"


MAX_ATTEMPTS: Final = 5
"""Attempts that a status shows."""


class Attempt(StoredModel):
    """One Kubernetes Job of this run and how it ended."""

    number: Annotated[int, Field(ge=1)]
    """Counts from 1."""
    job_name: ShortText
    """Name of the Kubernetes Job; written here before the Job is created."""
    pod_name: ShortText | None = None
    """The attempt's latest pod."""
    node: ShortText | None = None
    """Node that the latest pod ran on."""
    start_time: Timestamp | None = None
    """When the latest pod started."""
    completion_time: Timestamp | None = None
    """When the attempt ended."""
    exit_code: int | None = None
    """Exit code of the worker."""
    reason: ShortText | None = None
    """Why the attempt ended, as a CamelCase word."""


class OperatorStatus(StoredModel):
    """The operator's half of the status (field manager tracksync-operator)."""

    observed_generation: Annotated[int, Field(ge=-1)] | None = None
    """Generation of the spec that the operator last acted on; -1 before its first look."""
    run_id: ShortText | None = None
    """Id of the run in the database's ledger."""
    phase: Phase | None = None
    """Display word; use the conditions in programs."""
    conditions: Annotated[tuple[Condition, ...], Field(max_length=16)] = ()
    """Observations; Succeeded is the summary and what `kubectl wait` should look at."""
    message: Message | None = None
    """One sentence on where the run stands, with the remedy when something is wrong."""
    attempts: Annotated[tuple[Attempt, ...], Field(max_length=MAX_ATTEMPTS)] = ()
    """The run's latest Kubernetes Jobs, oldest first; older ones are dropped, the numbers go on."""
    retries: Annotated[int, Field(ge=0)] | None = None
    """Repetitions so far that count against spec.retry.limit; a resume starts anew."""
    next_attempt_time: Timestamp | None = None
    """When the next attempt is due, during the pause before it."""
    queue_position: Annotated[int, Field(ge=1)] | None = None
    """Place in the queue; 1 is next."""
    last_handled_resume: ShortText | None = None
    """The latest value of the annotation tracksync.io/resume that was acted on or refused."""
    overridden: Annotated[tuple[StopWish, ...], Field(max_length=2)] = ()
    """Stops of the spec that a later resume overruled: Cancel for good, Suspend until spec.suspend is false."""
    start_time: Timestamp | None = None
    """When the operator took the run up."""
    completion_time: Timestamp | None = None
    """When the run reached its end."""
    duration: ShortText | None = None
    """Time from start to end for people, such as 5m12s; known at the end."""


class ProgressStatus(StoredModel):
    """Where the worker stands."""

    stage: Stage
    """Stage that is being worked on."""
    done: Count = 0
    """Items finished in this stage."""
    total: Count = 0
    """Items of this stage; 0 while it is not known."""
    percent: Annotated[int, Field(ge=0, le=100)] = 0
    """Share of the stage's items that is finished."""
    text: ShortText = ""
    """Done and total for people, such as 812/1090."""
    items_per_minute: Annotated[float, Field(ge=0)] | None = None
    """Items finished per minute in this stage."""
    eta: Timestamp | None = None
    """When this stage is expected to end."""
    heartbeat: Timestamp
    """When the worker wrote this."""


class StageState(StrEnum):
    """How far one stage came."""

    RUNNING = "Running"
    DONE = "Done"
    FAILED = "Failed"


class StageStatus(StoredModel):
    """One stage of the run."""

    name: Stage
    """Name of the stage."""
    state: StageState
    """Running, Done or Failed."""
    start_time: Timestamp
    """When the stage began."""
    completion_time: Timestamp | None = None
    """When the stage ended."""
    duration_seconds: Annotated[float, Field(ge=0)] | None = None
    """How long the stage took, from a monotonic clock."""
    done: Count = 0
    """Items finished."""
    total: Count = 0
    """Items of the stage."""
    failed: Count = 0
    """Items that failed."""
    retried: Count = 0
    """Attempts that repeated a failed one."""
    skipped: Count = 0
    """Items that needed no work here, such as dashboards that are new enough; not part of total."""


class Results(StoredModel):
    """Counters of the run. Each counts transitions, so an unchanged track is not an update.

    What was asked of the source (requests, retried, bytes) is counted for the latest attempt only.
    """

    listed: Count = 0
    """Tracks on the catalogue page that the run syncs; duplicates and skipped rows are left out."""
    inserted: Count = 0
    """Tracks that the database did not have."""
    updated: Count = 0
    """Tracks of which at least one stored value changed."""
    updated_totals: Count = 0
    """Tracks of which only lifetime totals changed; part of updated."""
    unchanged: Count = 0
    """Listed tracks that the merge did not have to touch."""
    reactivated: Count = 0
    """Inactive tracks that are listed again."""
    deactivated: Count = 0
    """Active tracks that vanished from the catalogue and were deactivated."""
    withheld: Count = 0
    """Active tracks that vanished from the catalogue and stay active, because a limit of spec.deactivation held."""
    fetched: Count = 0
    """Tracks whose dashboard was read in this run."""
    not_modified: Count = 0
    """Tracks whose dashboard is unchanged, says the source."""
    retried: Count = 0
    """Requests and attempts that repeated a failed one."""
    failed_items: Count = 0
    """Tracks whose dashboard could not be had; their stored metadata stays."""
    skipped_rows: Count = 0
    """Catalogue rows that were unusable."""
    duplicates: Count = 0
    """Catalogue rows that repeated a slug."""
    requests: Count = 0
    """HTTP requests sent to the source, of every kind."""
    robots_requests: Count = 0
    """HTTP requests for a robots.txt; part of requests."""
    bytes: Annotated[int, Field(ge=0)] = 0
    """Bytes of the answers' bodies, as received."""


class FailedSample(StoredModel):
    """One track that failed."""

    slug: Annotated[str, Field(max_length=63)]
    """The track's slug."""
    error_class: ShortText
    """Class of the failure."""
    http_status: Annotated[int, Field(ge=100, le=599)] | None = None
    """Status code of the answer, if there was one."""


class WithheldStatus(StoredModel):
    """A deactivation that did not happen."""

    count: Count
    """Active tracks that vanished from the catalogue."""
    active_before: Count
    """Active tracks before the run."""
    reasons: Annotated[tuple[ShortText, ...], Field(max_length=6)]
    """Which limits held: policy, skippedRows, filtered, outdated, maxPercent, maxCount."""


class WorkerStatus(StoredModel):
    """The worker's half of the status (field manager tracksync-worker)."""

    progress: ProgressStatus | None = None
    """Where the worker stands."""
    stages: Annotated[tuple[StageStatus, ...], Field(max_length=5)] = ()
    """The stages that were begun, in order."""
    results: Results | None = None
    """Counters; final once the run has ended."""
    withheld: WithheldStatus | None = None
    """The deactivation that was withheld, if one was."""
    failed_samples: Annotated[tuple[FailedSample, ...], Field(max_length=10)] = ()
    """The first failed tracks."""
