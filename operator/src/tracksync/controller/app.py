"""Composition root of the operator process: settings, client, registry, kopf. All else is handed what it needs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import kopf
import structlog

from tracksync.adapters.clock import SystemClock
from tracksync.adapters.kube.client import open_client
from tracksync.adapters.kube.cluster import KubeCluster
from tracksync.controller.framework import kopf_settings, quieten_kopf, register_login
from tracksync.controller.handlers import register
from tracksync.controller.health import register_probe
from tracksync.controller.observe import Ports
from tracksync.controller.queues import Queues
from tracksync.controller.reconcile import reconcile
from tracksync.controller.resync import Resync
from tracksync.controller.wakeups import Wakeups
from tracksync.core.runs.model import WorkerTemplate
from tracksync.core.runs.queue import Limits
from tracksync.errors import ExitCode, SettingsError, TrackSyncError
from tracksync.settings import read_sources

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tracksync.api.source import SourceEntry
    from tracksync.ports import Cluster
    from tracksync.settings import OperatorSettings

_log = structlog.get_logger(__name__)


def run_operator(settings: OperatorSettings) -> int:
    """Run the operator until SIGTERM; return the process's exit code."""
    try:
        sources = SourceFile(settings.sources_file)
        asyncio.run(_run(settings, sources))
    except TrackSyncError as error:
        _log.error("operator_stopped", reason=error.reason.value, problem=str(error))
        return int(error.exit_code)
    except Exception:  # noqa: BLE001 -- the process ends anyway and its restart is clean; the log has the traceback
        _log.exception("operator_stopped")
        return int(ExitCode.UNEXPECTED)
    return int(ExitCode.DONE)


class SourceFile:
    """The installation's source list, read again when the file changes; a broken new one is reported and not used."""

    def __init__(self, path: Path) -> None:
        """Read the file once.

        Raises:
            SettingsError: it is unreadable or an entry is invalid.
        """
        self._path = path
        self._stamp = _stamp(path)
        self._sources = read_sources(path)

    def __call__(self) -> Mapping[str, SourceEntry]:
        """Return the allowed sources by name."""
        stamp = _stamp(self._path)
        if stamp != self._stamp:
            self._stamp = stamp
            self._reload()
        return self._sources

    def _reload(self) -> None:
        try:
            self._sources = read_sources(self._path)
        except SettingsError as error:
            _log.warning("sources_not_reloaded", problem=str(error))
        else:
            _log.info("sources_reloaded", sources=sorted(self._sources))


def _stamp(path: Path) -> tuple[int, int]:
    """Return what changes when the file does; a mounted ConfigMap is exchanged through a symbolic link."""
    try:
        stat = path.stat()
    except OSError:
        return (0, 0)
    return (stat.st_mtime_ns, stat.st_ino)


async def _run(settings: OperatorSettings, sources: SourceFile) -> None:
    async with open_client() as client:
        await serve(settings, KubeCluster(client), sources)


async def serve(
    settings: OperatorSettings,
    cluster: Cluster,
    sources: SourceFile,
    *,
    stop_flag: asyncio.Event | None = None,
    registry: kopf.OperatorRegistry | None = None,
) -> None:
    """Watch and reconcile until the process is told to stop; `registry` may bring a login of its own."""
    clock = SystemClock()
    ports = Ports(
        cluster=cluster,
        clock=clock,
        sources=sources,
        template=WorkerTemplate(settings.worker_image, settings.worker_image_pull_policy, settings.history_days),
        queues=Queues(
            cluster,
            limits=Limits(settings.max_active_runs, settings.max_active_runs_per_namespace),
            namespaces=settings.namespaces,
        ),
    )
    wakeups = Wakeups(lambda key: reconcile(key, ports), clock)
    ports.queues.wake = wakeups.wake
    resync = Resync(cluster, clock, wakeups.wake, namespaces=settings.namespaces, period=settings.resync_seconds)
    if registry is None:
        registry = kopf.OperatorRegistry()
        register_login(registry)
    register(registry, wakeups.wake)
    register_probe(registry, resync)
    quieten_kopf()
    ready = asyncio.Event()
    tasks = [
        asyncio.create_task(resync.run(), name="resync"),
        asyncio.create_task(_announce(ready, settings), name="announce"),
    ]
    try:
        await _run_kopf(settings, registry, ready_flag=ready, stop_flag=stop_flag)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await wakeups.stop()


async def _announce(ready: asyncio.Event, settings: OperatorSettings) -> None:
    """Say once that signals are handled and watching begins."""
    await ready.wait()
    _log.info("operator_ready", namespaces=settings.namespaces or "all", worker_image=settings.worker_image)


async def _run_kopf(
    settings: OperatorSettings,
    registry: kopf.OperatorRegistry,
    *,
    ready_flag: asyncio.Event,
    stop_flag: asyncio.Event | None,
) -> None:
    namespaces = settings.namespaces
    await kopf.operator(
        registry=registry,
        settings=kopf_settings(namespaced=bool(namespaces)),
        standalone=True,
        clusterwide=not namespaces,
        namespaces=namespaces,
        liveness_endpoint=f"http://0.0.0.0:{settings.liveness_port}/healthz" if settings.liveness_port else None,
        ready_flag=ready_flag,
        stop_flag=stop_flag,
        memo=None,
    )
