"""An operator without kopf: passes over one TrackSyncJob on the twin, and somebody who plays the other controllers."""

from __future__ import annotations

from typing import Any

from tests.support.runs import KEY, SPEC
from tracksync.adapters.memory import ManualClock
from tracksync.adapters.memory_cluster import MemoryCluster
from tracksync.api.source import SourceEntry
from tracksync.controller.observe import Ports
from tracksync.controller.queues import Queues
from tracksync.controller.reconcile import reconcile
from tracksync.core.runs.model import Key, WorkerTemplate
from tracksync.core.runs.queue import Limits
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
    """One cluster, one run (and whatever a test adds), one operator that may be killed and started again."""

    def __init__(
        self, crash: CrashPoint | None = None, *, spec: dict[str, Any] | None = None, limits: Limits | None = None
    ) -> None:
        self.crash = crash or CrashPoint()
        self.clock = ManualClock()
        self.cluster = MemoryCluster(self.clock, before_call=self.crash)
        self.sources = {"liverc": SourceEntry()}
        self.woken: list[Key] = []
        queues = Queues(self.cluster, limits=limits or Limits(), wake=self.woken.append)
        self.ports = Ports(self.cluster, self.clock, lambda: self.sources, WorkerTemplate("tracksync:1"), queues)
        self.cluster.add_run(KEY, dict(spec or SPEC))
        self.kills = 0

    async def settle(self, key: Key = KEY) -> None:
        """Make passes until none asks for another at once, also over whoever was woken; a killed operator restarts."""
        for _ in range(200):
            try:
                due = await reconcile(key, self.ports)
            except OperatorKilledError:
                self.kills += 1
                continue
            if due is None or due > self.clock.now():
                break
        else:
            raise AssertionError("the operator does not come to rest")
        while self.woken:
            await self.settle(self.woken.pop())

    def at(self, key: Key) -> dict[str, Any]:
        """The status of a run that a test added."""
        return dict(mapping(self.cluster.runs[key], "status"))

    @property
    def run(self) -> dict[str, Any]:
        """The TrackSyncJob as it is stored."""
        return self.cluster.runs[KEY]

    @property
    def status(self) -> dict[str, Any]:
        """Its status."""
        return dict(mapping(self.run, "status"))

    def condition(self, kind: str, key: Key = KEY) -> str:
        """Status and reason of a condition."""
        [found] = [entry for entry in self.at(key)["conditions"] if entry["type"] == kind]
        return f"{found['status']}/{found['reason']}"

    def told(self, kind: str) -> str:
        """Message of a condition."""
        [found] = [entry for entry in self.status["conditions"] if entry["type"] == kind]
        return str(found["message"])

    @property
    def reasons(self) -> set[str]:
        """Reasons of the Events on the run."""
        return {str(event["reason"]) for event in self.cluster.events.values()}

    @property
    def job(self) -> Key:
        """Key of the latest attempt's Job; it must be the only one that has not ended."""
        return Key(KEY.namespace, self.status["attempts"][-1]["jobName"])

    @property
    def live_jobs(self) -> list[Key]:
        """Keys of the Jobs that have not ended."""
        return [key for key, job in self.cluster.jobs.items() if not mapping(job, "status").get("conditions")]

    @property
    def uid(self) -> str:
        """The run's id."""
        return text(self.run, "metadata", "uid")

    def start_pod(self) -> Key:
        """Create and start the pod of the latest attempt's Job."""
        pod = Key(KEY.namespace, f"{self.job.name}-x7k2p")
        self.cluster.add_pod(self.job, pod.name)
        self.cluster.run_pod(pod)
        return pod

    async def attempt(self, exit_code: int, *, message: str = "", reason: str = "") -> None:
        """Let the latest attempt start and end this way."""
        pod = self.start_pod()
        await self.settle()
        self.cluster.end_pod(pod, exit_code=exit_code, message=message, reason=reason)
        self.cluster.end_job(self.job, succeeded=exit_code == 0)
        await self.settle()

    async def pass_time(self, seconds: float) -> None:
        """Let time go by, then look again."""
        self.clock.advance(seconds)
        await self.settle()
