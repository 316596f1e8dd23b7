"""kopf's decorators and nothing else: whatever happens, the owner's key is woken.

Only `on.event` is used. Such handlers make kopf write nothing at all: no annotations, no finalizer of its own, no
progress; what has to be remembered is in the status, where everybody can read it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import kopf

from tracksync.api.identity import FINALIZER, GROUP, JOB_PLURAL, VERSION, Annotation, Label
from tracksync.api.job import Phase
from tracksync.core.runs.model import Key
from tracksync.core.runs.reading import mapping, text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Wake = Callable[[Key], None]

CHILD_SELECTOR: Final = Label.RUN_ID.value
"""Jobs and pods are watched by this label, never all of a cluster."""


def register(registry: kopf.OperatorRegistry, wake: Wake) -> None:
    """Route every event of TrackSyncJobs, and of the Jobs and pods that carry a run's label, to `wake`."""

    @kopf.on.event(GROUP, VERSION, JOB_PLURAL, id="run", registry=registry)
    async def run_changed(body: kopf.Body, type: str | None, **_: Any) -> None:  # noqa: A002 -- kopf's name
        if type != "DELETED" and not is_settled(body):
            wake(Key(str(body.metadata.namespace), str(body.metadata.name)))

    @kopf.on.event("batch", "v1", "jobs", id="job", labels={CHILD_SELECTOR: kopf.PRESENT}, registry=registry)
    @kopf.on.event("", "v1", "pods", id="pod", labels={CHILD_SELECTOR: kopf.PRESENT}, registry=registry)
    async def child_changed(body: kopf.Body, **_: Any) -> None:
        key = owner_of(body)
        if key is not None:
            wake(key)


def is_settled(run: Mapping[str, Any]) -> bool:
    """Return whether a TrackSyncJob has ended and needs nothing any more, so that it costs nothing at a restart."""
    metadata, status = mapping(dict(run), "metadata"), mapping(dict(run), "status")
    finalizers = metadata.get("finalizers")
    if isinstance(finalizers, list) and FINALIZER in finalizers:
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
