"""A cluster in memory for the verbs: one TrackSyncJob whose watches, pods and logs follow a script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracksync.adapters.kube.answers import NotFoundError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from tracksync.core.runs.model import Key, Manifest

UID = "0c5a0ad0-6d8e-4d0a-9f5e-0f3f7f8f4c11"
KEY_NAME = "nightly"
TIME = "2026-01-31T02:00:00Z"


def a_run(version: int = 1, phase: str | None = None, uid: str = UID, **status: Any) -> Manifest:
    """The TrackSyncJob in one of its versions."""
    metadata = {"name": KEY_NAME, "namespace": "team-a", "uid": uid, "resourceVersion": str(version), "generation": 1}
    shown = {"observedGeneration": 1, "phase": phase, **status} if phase else {}
    return {"metadata": metadata, "spec": {}, "status": shown}


def a_pod(name: str, attempt: int = 1, *, ended: bool = True, created: str = TIME) -> Manifest:
    """A pod of the run."""
    labels = {"tracksync.io/attempt": str(attempt)}
    metadata = {"name": name, "uid": f"uid-{name}", "creationTimestamp": created, "labels": labels}
    return {"metadata": metadata, "status": {"phase": "Succeeded" if ended else "Running"}}


Step = Any
"""What one call answers: a value, an exception to raise, or (for streams) a list of both."""


class FakeRuns:
    """The port `Runs`; each kind of call takes the next step of its script, and repeats the last one for ever.

    Attributes:
        asked: what was asked for, in order.
    """

    default_namespace = "team-a"

    def __init__(self, **scripts: Sequence[Step]) -> None:
        self._scripts = {name: list(steps) for name, steps in scripts.items()}
        self.asked: list[tuple[Any, ...]] = []

    def _next(self, kind: str, *asked: Any) -> Step:
        self.asked.append((kind, *asked))
        script = self._scripts.get(kind, [[]])
        step = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(step, Exception):
            raise step
        return step

    async def read(self, key: Key) -> Manifest:
        found: Manifest | None = self._next("read", key.name)
        if found is None:
            raise NotFoundError(f"there is no TrackSyncJob {key.name!r}")
        return found

    async def find(self, namespace: str | None) -> Sequence[Manifest]:
        found: Sequence[Manifest] = self._next("find", namespace)
        return found

    async def create(self, manifest: Mapping[str, object], namespace: str, *, dry_run: bool) -> Manifest:
        self.asked.append(("create", namespace, dry_run))
        return dict(manifest)

    async def change(self, key: Key, patch: Mapping[str, object]) -> Manifest:
        changed: Manifest = self._next("change", key.name, patch)
        return changed

    async def delete(self, key: Key, uid: str) -> None:
        self._next("delete", key.name, uid)

    async def watch(self, key: Key, version: str) -> AsyncIterator[tuple[str, Manifest]]:
        for step in self._next("watch", key.name, version):
            if isinstance(step, Exception):
                raise step
            yield step

    async def events(self, namespace: str, uid: str) -> Sequence[Manifest]:
        found: Sequence[Manifest] = self._next("events", namespace, uid)
        return found

    async def pods(self, namespace: str, run_id: str) -> Sequence[Manifest]:
        found: Sequence[Manifest] = self._next("pods", namespace, run_id)
        return found

    async def log(self, namespace: str, pod: str, *, follow: bool, since: str = "") -> AsyncIterator[bytes]:
        del namespace
        for step in self._next(f"log {pod}", follow, since):
            if isinstance(step, Exception):
                raise step
            yield step

    async def secret_value(self, namespace: str, name: str, key: str) -> str:
        value: str = self._next("secret", namespace, name, key)
        return value
