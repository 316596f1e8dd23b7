"""Level 4: is each handler registered, filtered and called by a real kopf? What it leads to is proven elsewhere.

The stand-in for the API server (kmock) has no label selectors, no resource versions and no server-side apply, and it
repeats existing objects as ADDED; so objects are created after the start, and only wake-ups are asserted.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import aiohttp
import kopf
import pytest
from kmock import KubernetesEmulator, ResourceInfo, resource

from tracksync.api.identity import (
    API_VERSION,
    FINALIZER,
    GROUP,
    JOB_KIND,
    JOB_PLURAL,
    JOB_SINGULAR,
    VERSION,
    Annotation,
    Label,
)
from tracksync.controller.framework import kopf_settings
from tracksync.controller.handlers import register
from tracksync.core.runs.model import Key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = [pytest.mark.looptime, pytest.mark.filterwarnings("ignore:read_binary is deprecated:DeprecationWarning")]

KEY = Key("team-a", "nightly")
RUNS = f"/apis/{GROUP}/{VERSION}/namespaces/{KEY.namespace}/{JOB_PLURAL}"
JOBS = f"/apis/batch/v1/namespaces/{KEY.namespace}/jobs"
PODS = f"/api/v1/namespaces/{KEY.namespace}/pods"


class Bench:
    """A running kopf, an API stand-in, and the keys that were woken."""

    def __init__(self, server: KubernetesEmulator) -> None:
        self.server = server
        self.woken: list[Key] = []

    async def create(self, path: str, manifest: dict[str, Any]) -> None:
        async with aiohttp.ClientSession(base_url=str(self.server.url)) as session:
            response = await session.post(path, json=manifest)
            assert response.status < 300, await response.text()
        await asyncio.sleep(3)

    async def patch(self, change: dict[str, Any]) -> None:
        headers = {"Content-Type": "application/merge-patch+json"}
        async with aiohttp.ClientSession(base_url=str(self.server.url)) as session:
            response = await session.patch(f"{RUNS}/{KEY.name}", json=change, headers=headers)
            assert response.status < 300, await response.text()
        await asyncio.sleep(3)

    async def delete(self) -> None:
        async with aiohttp.ClientSession(base_url=str(self.server.url)) as session:
            response = await session.delete(f"{RUNS}/{KEY.name}")
            assert response.status < 300, await response.text()
        await asyncio.sleep(3)


@asynccontextmanager
async def running_kopf(server: KubernetesEmulator) -> AsyncIterator[Bench]:
    """A real kopf with our handlers, until the block ends. In the test itself: looptime does not reach fixtures."""
    server.resources.load_bundled()
    server.resources[resource(GROUP, VERSION, JOB_PLURAL)] = ResourceInfo(
        kind=JOB_KIND,
        singular=JOB_SINGULAR,
        namespaced=True,
        verbs={"list", "watch", "create", "get", "patch", "delete"},
    )
    bench = Bench(server)
    registry = kopf.OperatorRegistry()
    register(registry, bench.woken.append)

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.ConnectionInfo:
        return kopf.ConnectionInfo(server=str(bench.server.url))

    ready, stop = asyncio.Event(), asyncio.Event()
    settings = kopf_settings(namespaced=True)
    operator = asyncio.create_task(
        kopf.operator(
            registry=registry,
            settings=settings,
            standalone=True,
            namespaces=[KEY.namespace],
            ready_flag=ready,
            stop_flag=stop,
        )
    )
    try:
        await ready.wait()
        await asyncio.sleep(3)
        yield bench
    finally:
        stop.set()
        with suppress(asyncio.CancelledError):
            await operator


def a_run(**status: Any) -> dict[str, Any]:
    metadata = {"name": KEY.name, "namespace": KEY.namespace, "uid": "u1", "generation": 1}
    return {"apiVersion": API_VERSION, "kind": JOB_KIND, "metadata": metadata, "spec": {}, "status": status}


def a_child(*, labels: dict[str, str], annotations: dict[str, str]) -> dict[str, Any]:
    metadata = {"name": "child", "namespace": KEY.namespace, "uid": "c1"}
    return {"metadata": metadata | {"labels": labels, "annotations": annotations}}


OURS = {"labels": {Label.RUN_ID.value: "u1"}, "annotations": {Annotation.JOB.value: KEY.name}}


async def test_a_new_run_is_woken(kmock: KubernetesEmulator) -> None:
    async with running_kopf(kmock) as bench:
        await bench.create(RUNS, a_run())
        assert set(bench.woken) == {KEY}


async def test_a_settled_run_costs_nothing(kmock: KubernetesEmulator) -> None:
    async with running_kopf(kmock) as bench:
        await bench.create(RUNS, a_run(phase="Succeeded", observedGeneration=1))
        assert bench.woken == []


async def test_a_finished_run_that_somebody_resumes_is_woken_once(kmock: KubernetesEmulator) -> None:
    async with running_kopf(kmock) as bench:
        await bench.create(RUNS, a_run(phase="Failed", observedGeneration=1))
        await bench.patch({"metadata": {"annotations": {Annotation.RESUME.value: "again"}}})
        assert set(bench.woken) == {KEY}
        bench.woken.clear()
        await bench.patch({"status": {"lastHandledResume": "again"}})
        assert bench.woken == []


async def test_a_running_run_that_somebody_resumes_is_woken(kmock: KubernetesEmulator) -> None:
    async with running_kopf(kmock) as bench:
        await bench.create(RUNS, a_run(phase="Running"))
        bench.woken.clear()
        await bench.patch({"metadata": {"annotations": {Annotation.RESUME.value: "again"}}})
        assert set(bench.woken) == {KEY}


async def test_a_run_that_vanished_is_woken_for_those_who_wait_for_it(kmock: KubernetesEmulator) -> None:
    async with running_kopf(kmock) as bench:
        await bench.create(RUNS, a_run(phase="Succeeded", observedGeneration=1))
        assert bench.woken == []
        await bench.delete()
        assert set(bench.woken) == {KEY}


async def test_a_finished_run_with_its_finalizer_is_woken_to_lose_it(kmock: KubernetesEmulator) -> None:
    async with running_kopf(kmock) as bench:
        run = a_run(phase="Succeeded", observedGeneration=1)
        run["metadata"]["finalizers"] = [FINALIZER]
        await bench.create(RUNS, run)
        assert set(bench.woken) == {KEY}


@pytest.mark.parametrize("path", [JOBS, PODS])
async def test_a_child_wakes_its_owner(kmock: KubernetesEmulator, path: str) -> None:
    async with running_kopf(kmock) as bench:
        await bench.create(path, a_child(**OURS))
        assert set(bench.woken) == {KEY}


@pytest.mark.parametrize("path", [JOBS, PODS])
@pytest.mark.parametrize(
    "child",
    [{"labels": {}, "annotations": OURS["annotations"]}, {"labels": OURS["labels"], "annotations": {}}],
    ids=["without label", "without annotation"],
)
async def test_a_stranger_wakes_nobody(kmock: KubernetesEmulator, path: str, child: dict[str, dict[str, str]]) -> None:
    async with running_kopf(kmock) as bench:
        await bench.create(path, a_child(**child))
        assert bench.woken == []


async def test_kopf_itself_writes_nothing(kmock: KubernetesEmulator) -> None:
    async with running_kopf(kmock) as bench:
        await bench.create(RUNS, a_run())
        await bench.create(JOBS, a_child(**OURS))
        methods = {request.method.value for request in bench.server}
        assert methods <= {"GET", "POST"}, methods
        assert sum(1 for request in bench.server if request.method.value == "POST") == 2


async def test_a_workers_progress_wakes_nobody_but_any_other_change_does(kmock: KubernetesEmulator) -> None:
    async with running_kopf(kmock) as bench:
        await bench.create(RUNS, a_run(phase="Running"))
        bench.woken.clear()
        await bench.patch({"status": {"progress": {"stage": "metadata", "done": 5}}})
        assert bench.woken == []
        await bench.patch({"status": {"phase": "Pending"}})
        assert set(bench.woken) == {KEY}
