"""Every read of a pass, first and together: one frozen `Observed` comes out."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Protocol

from pydantic import ValidationError

from tracksync.api.identity import Annotation
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
    from tracksync.controller.queues import Queues
    from tracksync.core.runs.model import EventView, Manifest, PodView, WorkerTemplate
    from tracksync.ports import Clock, Cluster


MAX_TOKEN: Final = 256
"""Characters of a resume token that count: as many as the status can echo."""
_LEASE_EXPIRED: Final = timedelta(seconds=90)
"""The lease of a pod that is past its grace period expires 60 s after its last renewal."""


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
    queues: Queues


def key_of(manifest: Manifest) -> Key:
    """Return the key of a TrackSyncJob's manifest."""
    return Key(text(manifest, "metadata", "namespace"), text(manifest, "metadata", "name"))


async def observe(run: Manifest, ports: Ports) -> Observed:
    """Return everything that a decision about this TrackSyncJob needs."""
    observed = _from_run(run, ports)
    if observed.status.phase is not None and observed.status.phase.is_terminal:
        return observed  # whatever its children are, nothing follows from them
    job, pods = await _read_children(observed, ports.cluster)
    if job is not None and not is_controlled_by(job, observed.uid):
        return replace(observed, foreign_job=True)
    owner = text(job, "metadata", "uid") if job is not None else ""
    ours = [pod for pod in pods if owner and is_controlled_by(pod, owner)]
    strays = tuple(view.name for pod in pods if pod not in ours and _is_live(view := read_pod(pod), observed.now))
    observed = replace(
        observed,
        jobs=(read_job(job),) if job is not None else (),
        pods=tuple(sorted((read_pod(pod) for pod in ours), key=lambda pod: (pod.created, pod.name))),
        strays=strays,
    )
    return await _with_start_problems(observed, ports.cluster)


def _is_live(pod: PodView, now: datetime) -> bool:
    """Return whether the pod may still write: one of a lost node never ends, but its lease in the database does."""
    return not pod.gone and (pod.deleting_since is None or now < pod.deleting_since + _LEASE_EXPIRED)


async def _read_children(observed: Observed, cluster: Cluster) -> tuple[Manifest | None, Sequence[Manifest]]:
    """Return the Job that has the attempt's name, whosever it is, and the pods with the run's label."""
    namespace = observed.key.namespace
    job = cluster.read_job(namespace, current_attempt(observed).job_name)
    if not observed.status.attempts:
        return await job, ()  # nothing was announced, so nothing was ever started
    return await asyncio.gather(job, cluster.list_pods(namespace, observed.uid))


def _from_run(run: Manifest, ports: Ports) -> Observed:
    """Return what the TrackSyncJob itself tells."""
    status = mapping(run, "status")
    spec, problem = _parse_spec(mapping(run, "spec"))
    finalizers = mapping(run, "metadata").get("finalizers")
    return Observed(
        key=key_of(run),
        uid=text(run, "metadata", "uid"),
        now=ports.clock.now(),
        generation=whole(run, "metadata", "generation") or 0,
        resource_version=text(run, "metadata", "resourceVersion"),
        template=ports.template,
        sources=ports.sources(),
        spec=spec,
        spec_problem=problem,
        resume_token=text(run, "metadata", "annotations", Annotation.RESUME)[:MAX_TOKEN],
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


async def _with_start_problems(observed: Observed, cluster: Cluster) -> Observed:
    """Return the observation with the Events of its pod or Job, where nothing runs for longer than usual."""
    job, pod, namespace, now = observed.job, observed.pod, observed.key.namespace, observed.now
    if pod is not None and _waits(pod) and needs_events(pod.created, now):
        pod = replace(pod, events=await _events(cluster, namespace, pod.uid))
        return replace(observed, pods=(*observed.pods[:-1], pod))
    if job is not None and job.end is None and pod is None and needs_events(job.created, now):
        job = replace(job, events=await _events(cluster, namespace, job.uid))
        return replace(observed, jobs=(*observed.jobs[:-1], job))
    return observed


def _waits(pod: PodView) -> bool:
    return not (pod.running or pod.gone or pod.terminated is not None)


async def _events(cluster: Cluster, namespace: str, uid: str) -> tuple[EventView, ...]:
    return tuple(read_event(event) for event in await cluster.list_events(namespace, uid))
