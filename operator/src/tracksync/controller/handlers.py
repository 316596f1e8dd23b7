"""kopf's decorators and nothing else: whatever happens, the owner's key is woken.

Only `on.event` is used. Such handlers make kopf write nothing at all: no annotations, no finalizer of its own, no
progress; what has to be remembered is in the status, where everybody can read it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import kopf

from tracksync.api.identity import FINALIZER, GROUP, JOB_PLURAL, VERSION, Annotation, Label
from tracksync.api.job import Phase, WorkerStatus
from tracksync.controller.observe import MAX_TOKEN
from tracksync.core.runs.model import Key
from tracksync.core.runs.reading import mapping, text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Wake = Callable[[Key], None]

CHILD_SELECTOR: Final = Label.RUN_ID.value
"""Jobs and pods are watched by this label, never all of a cluster."""


_WORKER_FIELDS: Final = frozenset(field.alias or name for name, field in WorkerStatus.model_fields.items())


def register(registry: kopf.OperatorRegistry, wake: Wake) -> None:
    """Route every event of TrackSyncJobs, and of the Jobs and pods that carry a run's label, to `wake`."""
    news = News()

    @kopf.on.event(GROUP, VERSION, JOB_PLURAL, id="run", registry=registry)
    async def run_changed(body: kopf.Body, type: str | None, **_: Any) -> None:  # noqa: A002 -- kopf's name
        key = Key(str(body.metadata.namespace), str(body.metadata.name))
        if type == "DELETED":
            news.forget(key)
            wake(key)  # the pass finds nothing, and wakes whoever waited for it
        elif is_settled(body):
            news.forget(key)
        elif news.is_new(key, body):
            wake(key)

    @kopf.on.event("batch", "v1", "jobs", id="job", labels={CHILD_SELECTOR: kopf.PRESENT}, registry=registry)
    @kopf.on.event("", "v1", "pods", id="pod", labels={CHILD_SELECTOR: kopf.PRESENT}, registry=registry)
    async def child_changed(body: kopf.Body, **_: Any) -> None:
        key = owner_of(body)
        if key is not None:
            wake(key)


class News:
    """Tells a worker's progress, which changes nothing for the operator, from everything else.

    A worker writes every 5 s; a pass for each of these would cost three reads. Only a hint is kept for each key that is
    not settled; whatever it misses, Jobs, pods and the resync wake as well.
    """

    def __init__(self) -> None:
        self._seen: dict[Key, int] = {}

    def is_new(self, key: Key, run: Mapping[str, Any]) -> bool:
        """Return whether anything beside the worker's half of the status differs from the last time; remember it."""
        before, now = self._seen.get(key), _fingerprint(run)
        self._seen[key] = now
        return before != now

    def forget(self, key: Key) -> None:
        """Remember nothing about a key that has settled or gone."""
        self._seen.pop(key, None)


def _fingerprint(run: Mapping[str, Any]) -> int:
    metadata, status = mapping(dict(run), "metadata"), mapping(dict(run), "status")
    parts = [metadata.get(name) for name in ("uid", "generation", "deletionTimestamp", "finalizers")]
    parts.append(mapping(metadata, "annotations").get(Annotation.RESUME.value))
    parts += [value for name, value in sorted(status.items()) if name not in _WORKER_FIELDS]
    return hash(json.dumps(parts, default=str))


def is_settled(run: Mapping[str, Any]) -> bool:
    """Return whether a TrackSyncJob has ended and needs nothing any more, so that it costs nothing at a restart."""
    metadata, status = mapping(dict(run), "metadata"), mapping(dict(run), "status")
    finalizers = metadata.get("finalizers")
    if isinstance(finalizers, list) and FINALIZER in finalizers:
        return False
    token = text(metadata, "annotations", Annotation.RESUME)[:MAX_TOKEN]
    if token and token != status.get("lastHandledResume"):
        return False
    return text(dict(run), "status", "phase") in {phase.value for phase in Phase if phase.is_terminal} and status.get(
        "observedGeneration"
    ) == metadata.get("generation")


def owner_of(child: Mapping[str, Any]) -> Key | None:
    """Return the TrackSyncJob that a Job or pod says it belongs to; a lie only costs a pass that finds nothing."""
    namespace = text(dict(child), "metadata", "namespace")
    annotations = mapping(dict(child), "metadata", "annotations")
    name = annotations.get(Annotation.JOB.value)
    return Key(namespace, name) if namespace and isinstance(name, str) and name else None
