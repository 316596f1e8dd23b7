"""Every read of a pass, first and together: one frozen `Observed` comes out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from pydantic import ValidationError

from tracksync.api.job import OperatorStatus, TrackSyncJobSpec, WorkerStatus
from tracksync.core.runs.attempts import current_attempt
from tracksync.core.runs.model import Key, Observed
from tracksync.core.runs.reading import (
    is_controlled_by,
    mapping,
    moment,
    parse_leniently,
    read_event,
    read_job,
    read_pod,
    text,
    whole,
)
from tracksync.core.runs.starting import needs_events

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from tracksync.api.source import SourceEntry
    from tracksync.core.runs.model import EventView, JobView, Manifest, PodView, WorkerTemplate
    from tracksync.ports import Clock, Cluster


class Sources(Protocol):
    """The installation's source list; read again when it changes."""

    def __call__(self) -> Mapping[str, SourceEntry]:
        """Return the allowed sources by name."""
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """What a pass needs of the world."""

    cluster: Cluster
    clock: Clock
    sources: Sources
    template: WorkerTemplate


def key_of(manifest: Manifest) -> Key:
    """Return the key of a TrackSyncJob's manifest."""
    return Key(text(manifest, "metadata", "namespace"), text(manifest, "metadata", "name"))


async def observe(run: Manifest, ports: Ports) -> Observed:
    """Return everything that a decision about this TrackSyncJob needs."""
    key, uid, now = key_of(run), text(run, "metadata", "uid"), ports.clock.now()
    jobs = [job for job in await ports.cluster.list_jobs(key.namespace, uid) if is_controlled_by(job, uid)]
    pods = await ports.cluster.list_pods(key.namespace, uid)
    ours = [pod for pod in pods if any(is_controlled_by(pod, text(job, "metadata", "uid")) for job in jobs)]
    strays = [view.name for pod in pods if pod not in ours and not (view := read_pod(pod)).gone]
    observed = _from_run(run, ports, now)
    return await _with_start_problems(
        observed,
        jobs=sorted((read_job(job) for job in jobs), key=lambda job: job.created),
        pods=sorted((read_pod(pod) for pod in ours), key=lambda pod: (pod.created, pod.name)),
        strays=strays,
        ports=ports,
    )


def _from_run(run: Manifest, ports: Ports, now: datetime) -> Observed:
    """Return what the TrackSyncJob itself tells."""
    status = mapping(run, "status")
    spec, problem = _parse_spec(mapping(run, "spec"))
    finalizers = mapping(run, "metadata").get("finalizers")
    return Observed(
        key=key_of(run),
        uid=text(run, "metadata", "uid"),
        now=now,
        generation=whole(run, "metadata", "generation") or 0,
        resource_version=text(run, "metadata", "resourceVersion"),
        template=ports.template,
        sources=ports.sources(),
        spec=spec,
        spec_problem=problem,
        deleted_at=moment(run, "metadata", "deletionTimestamp"),
        finalizers=tuple(str(name) for name in finalizers) if isinstance(finalizers, list) else (),
        status=parse_leniently(OperatorStatus, status),
        worker=parse_leniently(WorkerStatus, status),
    )


def _parse_spec(spec: Mapping[str, object]) -> tuple[TrackSyncJobSpec | None, str]:
    try:
        return TrackSyncJobSpec.model_validate(spec), ""
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False, include_context=False)
        return None, "; ".join(f"spec.{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in problems[:5])


async def _with_start_problems(
    observed: Observed, *, jobs: Sequence[JobView], pods: Sequence[PodView], strays: Sequence[str], ports: Ports
) -> Observed:
    """Return the observation with its Jobs and pods, and their Events where nothing runs for longer than usual."""
    cluster, namespace, now = ports.cluster, observed.key.namespace, observed.now
    jobs, pods = list(jobs), list(pods)
    if pods and _waits(pods[-1]) and needs_events(pods[-1].created, now):
        pods[-1] = replace(pods[-1], events=await _events(cluster, namespace, pods[-1].uid))
    elif jobs and not pods and jobs[-1].end is None and needs_events(jobs[-1].created, now):
        jobs[-1] = replace(jobs[-1], events=await _events(cluster, namespace, jobs[-1].uid))
    foreign = not jobs and await _is_name_taken(observed, cluster)
    return replace(observed, jobs=tuple(jobs), pods=tuple(pods), strays=tuple(strays), foreign_job=foreign)


def _waits(pod: PodView) -> bool:
    return not (pod.running or pod.gone or pod.terminated is not None)


async def _events(cluster: Cluster, namespace: str, uid: str) -> tuple[EventView, ...]:
    return tuple(read_event(event) for event in await cluster.list_events(namespace, uid))


async def _is_name_taken(observed: Observed, cluster: Cluster) -> bool:
    """Return whether a Job that is not ours has the name that the next Job needs; asked only before a launch."""
    phase = observed.status.phase
    if observed.deleted_at is not None or (phase is not None and phase.is_terminal):
        return False
    found = await cluster.read_job(observed.key.namespace, current_attempt(observed).job_name)
    return found is not None and not is_controlled_by(found, observed.uid)
