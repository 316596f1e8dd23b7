"""Kubernetes objects as the API server writes them -> the few facts that decisions need; odd values read as absent.

Jobs and pods can be written by anybody with rights in the namespace, so nothing here trusts their shape.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeVar

from pydantic import BaseModel, ValidationError

from tracksync.api.identity import WORKER_CONTAINER
from tracksync.core.runs.model import ContainerWait, EventView, JobEnd, JobView, PodView, Terminated

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Model = TypeVar("Model", bound=BaseModel)

EPOCH: Final = datetime.fromtimestamp(0, tz=UTC)


def mapping(value: object, *path: str) -> Mapping[str, object]:
    """Return the mapping at the path, or an empty one."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def items(value: object, *path: str) -> list[Mapping[str, object]]:
    """Return the mappings of the list at the path, or none."""
    found = mapping(value, *path[:-1]).get(path[-1]) if path else value
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def text(value: object, *path: str) -> str:
    """Return the string at the path, or an empty one."""
    found = mapping(value, *path[:-1]).get(path[-1])
    return found if isinstance(found, str) else ""


def whole(value: object, *path: str) -> int | None:
    """Return the whole number at the path, or None."""
    found = mapping(value, *path[:-1]).get(path[-1])
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def moment(value: object, *path: str) -> datetime | None:
    """Return the timestamp at the path in UTC, or None."""
    written = text(value, *path)
    try:
        parsed = datetime.fromisoformat(written) if written else None
    except ValueError:
        return None
    return parsed.astimezone(UTC) if parsed is not None and parsed.tzinfo is not None else None


def parse_leniently(model: type[Model], value: Mapping[str, object]) -> Model:
    """Return the model without the top-level fields that do not fit it: written by another version, or by hand."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        wrong = {problem["loc"][0] for problem in error.errors(include_url=False) if problem["loc"]}
        rest = {name: entry for name, entry in value.items() if name not in wrong}
        return parse_leniently(model, rest) if len(rest) < len(value) else model.model_validate({})


def is_controlled_by(manifest: Mapping[str, object], uid: str) -> bool:
    """Return whether the object's controller is the one with this uid; labels and names prove nothing."""
    owners = items(manifest, "metadata", "ownerReferences")
    return any(owner.get("controller") is True and owner.get("uid") == uid for owner in owners)


def read_job(manifest: Mapping[str, object], events: Iterable[EventView] = ()) -> JobView:
    """Return what decisions need of a Kubernetes Job."""
    return JobView(
        name=text(manifest, "metadata", "name"),
        uid=text(manifest, "metadata", "uid"),
        created=moment(manifest, "metadata", "creationTimestamp") or EPOCH,
        active_deadline_seconds=whole(manifest, "spec", "activeDeadlineSeconds"),
        deleting=bool(text(manifest, "metadata", "deletionTimestamp")),
        deleting_since=moment(manifest, "metadata", "deletionTimestamp"),
        end=_job_end(manifest),
        events=tuple(events),
    )


def _job_end(manifest: Mapping[str, object]) -> JobEnd | None:
    for condition in items(manifest, "status", "conditions"):
        kind = text(condition, "type")
        if kind in {"Complete", "Failed"} and text(condition, "status") == "True":
            return JobEnd(
                succeeded=kind == "Complete",
                reason=text(condition, "reason"),
                message=text(condition, "message"),
                time=moment(condition, "lastTransitionTime"),
            )
    return None


def read_pod(manifest: Mapping[str, object], events: Iterable[EventView] = ()) -> PodView:
    """Return what decisions need of a pod."""
    state = mapping(_worker_container(manifest), "state")
    phase = text(manifest, "status", "phase")
    return PodView(
        name=text(manifest, "metadata", "name"),
        uid=text(manifest, "metadata", "uid"),
        created=moment(manifest, "metadata", "creationTimestamp") or EPOCH,
        node=text(manifest, "spec", "nodeName") or None,
        started=moment(manifest, "status", "startTime"),
        deleting=bool(text(manifest, "metadata", "deletionTimestamp")),
        deleting_since=moment(manifest, "metadata", "deletionTimestamp"),
        gone=phase in {"Succeeded", "Failed"},
        running="running" in state,
        unschedulable=_unschedulable(manifest),
        waiting=_waiting(mapping(state, "waiting")),
        terminated=_terminated(mapping(state, "terminated")),
        disrupted=_has_condition(manifest, "DisruptionTarget", "True"),
        events=tuple(events),
    )


def _worker_container(manifest: Mapping[str, object]) -> Mapping[str, object]:
    for container in items(manifest, "status", "containerStatuses"):
        if container.get("name") == WORKER_CONTAINER:
            return container
    return {}


def _waiting(state: Mapping[str, object]) -> ContainerWait | None:
    reason = text(state, "reason")
    return ContainerWait(reason=reason, message=text(state, "message")) if reason else None


def _terminated(state: Mapping[str, object]) -> Terminated | None:
    exit_code = whole(state, "exitCode")
    if exit_code is None:
        return None
    return Terminated(
        exit_code=exit_code,
        reason=text(state, "reason"),
        message=text(state, "message"),
        time=moment(state, "finishedAt"),
    )


def _unschedulable(manifest: Mapping[str, object]) -> str | None:
    for condition in items(manifest, "status", "conditions"):
        if text(condition, "type") == "PodScheduled" and text(condition, "status") == "False":
            return text(condition, "message") or text(condition, "reason")
    return None


def _has_condition(manifest: Mapping[str, object], kind: str, status: str) -> bool:
    conditions = items(manifest, "status", "conditions")
    return any(text(entry, "type") == kind and text(entry, "status") == status for entry in conditions)


def read_event(manifest: Mapping[str, object]) -> EventView:
    """Return what decisions need of an Event."""
    return EventView(
        reason=text(manifest, "reason"),
        message=text(manifest, "message"),
        last_seen=(
            moment(manifest, "series", "lastObservedTime")
            or moment(manifest, "lastTimestamp")
            or moment(manifest, "eventTime")
            or moment(manifest, "metadata", "creationTimestamp")
        ),
    )


def is_outlived(run: Mapping[str, object], now: datetime) -> bool:
    """Return whether a TrackSyncJob has ended so long ago that it is to be deleted."""
    ended, seconds = moment(run, "status", "completionTime"), whole(run, "spec", "ttlSecondsAfterFinished")
    return ended is not None and seconds is not None and now >= ended + timedelta(seconds=seconds)
