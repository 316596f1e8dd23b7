"""An operator without kopf: passes over one TrackSyncJob on the twin, and somebody who plays the other controllers."""

from __future__ import annotations

from typing import Any

from tests.support.runs import KEY, SPEC
from tracksync.adapters.memory import ManualClock
from tracksync.adapters.memory_cluster import MemoryCluster
from tracksync.api.source import SourceEntry
from tracksync.controller.observe import Ports
from tracksync.controller.reconcile import reconcile
from tracksync.core.runs.model import Key, WorkerTemplate
from tracksync.core.runs.reading import mapping, text


class OperatorKilledError(BaseException):
    """The process is gone: nothing catches this."""


class CrashPoint:
    """Kills the operator at the nth port call, before or after it took effect; `None` never does."""

    def __init__(self, number: int | None = None) -> None:
        self.number = number
        self.calls = 0

    def __call__(self, _name: str) -> None:
        self.calls += 1
        if self.calls == self.number:
            raise OperatorKilledError


class Rig:
    """One cluster, one run, one operator that may be killed and started again."""

    def __init__(self, crash: CrashPoint | None = None, *, spec: dict[str, Any] | None = None) -> None:
        self.crash = crash or CrashPoint()
        self.clock = ManualClock()
        self.cluster = MemoryCluster(self.clock, before_call=self.crash)
        self.sources = {"liverc": SourceEntry()}
        self.ports = Ports(self.cluster, self.clock, lambda: self.sources, WorkerTemplate("tracksync:1"))
        self.cluster.add_run(KEY, dict(spec or SPEC))
        self.kills = 0

    async def settle(self) -> None:
        """Make passes until none asks for another at once; a killed operator starts again."""
        for _ in range(50):
            try:
                due = await reconcile(KEY, self.ports)
            except OperatorKilledError:
                self.kills += 1
                continue
            if due is None or due > self.clock.now():
                return
        raise AssertionError("the operator does not come to rest")

    @property
    def run(self) -> dict[str, Any]:
        """The TrackSyncJob as it is stored."""
        return self.cluster.runs[KEY]

    @property
    def status(self) -> dict[str, Any]:
        """Its status."""
        return dict(mapping(self.run, "status"))

    def condition(self, kind: str) -> str:
        """Status and reason of a condition."""
        [found] = [entry for entry in self.status["conditions"] if entry["type"] == kind]
        return f"{found['status']}/{found['reason']}"

    @property
    def job(self) -> Key:
        """Key of the one Job that there is."""
        [key] = self.cluster.jobs
        return key

    @property
    def uid(self) -> str:
        """The run's id."""
        return text(self.run, "metadata", "uid")

    def start_pod(self) -> Key:
        """Create and start the Job's pod."""
        pod = Key(KEY.namespace, f"{self.job.name}-x7k2p")
        self.cluster.add_pod(self.job, pod.name)
        self.cluster.run_pod(pod)
        return pod
