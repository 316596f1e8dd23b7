"""Why a run has not started yet, in words that name the field and the remedy; read from Job, pod and their Events."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from tracksync.api.identity import WORKER_SERVICE_ACCOUNT, Reason

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from tracksync.api.job import TrackSyncJobSpec
    from tracksync.core.runs.model import EventView, JobView, Observed, PodView

START_GRACE: Final = timedelta(seconds=3)
"""A pod that starts normally has done so by then; only after it Events are read."""

_IMAGE_REASONS: Final = frozenset(
    {"ErrImageNeverPull", "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ImageInspectError"}
)
_STARTING_REASONS: Final = frozenset({"ContainerCreating", "PodInitializing"})
_SECRET_NOT_FOUND: Final = re.compile(r'secret "(?P<name>[^"]{1,253})" not found')
_KEY_NOT_FOUND: Final = re.compile(r"references non-existent secret key: (?P<key>\S{1,253})")


@dataclass(frozen=True, slots=True)
class StartProblem:
    """What keeps the worker from starting."""

    reason: Reason
    message: str


def needs_events(created: datetime, now: datetime) -> bool:
    """Return whether an object that is still not running is old enough to ask its Events why."""
    return now - created >= START_GRACE


def start_problem(observed: Observed, spec: TrackSyncJobSpec) -> StartProblem | None:
    """Return why the latest Job's worker has not started, or None while nothing is known to be wrong."""
    pod = observed.pod
    if pod is None or pod.gone:
        return _refused(observed.job) if observed.job is not None else None
    return _unschedulable(pod) or _container_problem(pod) or _volume_problem(pod, spec)


def _refused(job: JobView) -> StartProblem | None:
    """Return the API server's own words when the Job controller may not create the pod."""
    event = _latest(job.events, "FailedCreate")
    if event is None:
        return None
    remedy = "Change what it names (quota, Pod Security, admission policy); the run starts by itself then"
    if "serviceaccount" in event.message and WORKER_SERVICE_ACCOUNT in event.message:
        remedy = (
            f"Create the ServiceAccount {WORKER_SERVICE_ACCOUNT} and its RoleBinding in this namespace "
            "(`tracksync admin worker-access --help`); the run starts by itself then"
        )
    return StartProblem(Reason.POD_REFUSED, f"the worker's pod was refused: {event.message}. {remedy}")


def _unschedulable(pod: PodView) -> StartProblem | None:
    if pod.unschedulable is None:
        return None
    return StartProblem(Reason.UNSCHEDULABLE, f"no node takes the worker's pod yet: {pod.unschedulable}")


def _container_problem(pod: PodView) -> StartProblem | None:
    wait = pod.waiting
    if wait is None or wait.reason in _STARTING_REASONS:
        return None
    if wait.reason in _IMAGE_REASONS:
        remedy = "Check the operator's setting TRACKSYNC_WORKER_IMAGE and that the node can get the image"
        return StartProblem(Reason.IMAGE_PROBLEM, f"{wait.reason}: {wait.message}. {remedy}")
    return StartProblem(Reason.CONTAINER_PROBLEM, f"the worker's container cannot start: {wait.reason}: {wait.message}")


def _volume_problem(pod: PodView, spec: TrackSyncJobSpec) -> StartProblem | None:
    event = _latest(pod.events, "FailedMount")
    if event is None:
        return None
    reference = spec.target.database_secret_ref
    if _matches(_SECRET_NOT_FOUND, event.message, reference.name):
        return StartProblem(
            Reason.SECRET_MISSING,
            f'spec.target.databaseSecretRef.name: there is no Secret "{reference.name}" in this namespace. Create it '
            f"with the database URL under the key `{reference.key}`; the run starts by itself then",
        )
    if _matches(_KEY_NOT_FOUND, event.message, reference.key):
        return StartProblem(
            Reason.SECRET_MISSING,
            f'spec.target.databaseSecretRef.key: the Secret "{reference.name}" has no key `{reference.key}`. Add the '
            "database URL under this key; the run starts by itself then",
        )
    return StartProblem(Reason.VOLUME_PROBLEM, f"a volume of the worker's pod cannot be mounted: {event.message}")


def _matches(pattern: re.Pattern[str], message: str, expected: str) -> bool:
    return any(found == expected for found in pattern.findall(message))


def _latest(events: Iterable[EventView], reason: str) -> EventView | None:
    """Return the newest Event of this reason; ties go to the later one in the list."""
    found = [event for event in events if event.reason == reason]
    return max(found, key=lambda event: event.last_seen.timestamp() if event.last_seen else 0.0, default=None)
