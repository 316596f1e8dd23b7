"""Composition root of the operator process: settings, client, registry, kopf. All else is handed what it needs."""

from __future__ import annotations

import asyncio
import logging
import random
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import kopf
import structlog

from tracksync.adapters.clock import SystemClock
from tracksync.adapters.kube.client import open_client
from tracksync.adapters.kube.cluster import KubeCluster
from tracksync.api.identity import KOPF_FINALIZER, KOPF_PREFIX
from tracksync.controller.handlers import CHILD_SELECTOR, register
from tracksync.controller.health import register_probe
from tracksync.controller.observe import Ports
from tracksync.controller.reconcile import reconcile
from tracksync.controller.resync import Resync
from tracksync.controller.wakeups import Wakeups
from tracksync.core.runs.model import WorkerTemplate
from tracksync.errors import ExitCode, SettingsError, TrackSyncError
from tracksync.settings import read_sources

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tracksync.api.source import SourceEntry
    from tracksync.ports import Cluster
    from tracksync.settings import OperatorSettings

_log = structlog.get_logger(__name__)

EXIT_SECONDS: Final = 20.0
"""After SIGTERM; below the pod's grace period of 30 s."""
_LONGEST_BACKOFF: Final = 30.0
_CREDENTIALS_LIFETIME: Final = timedelta(minutes=10)


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
        template=WorkerTemplate(settings.worker_image, settings.worker_image_pull_policy),
    )
    wakeups = Wakeups(lambda key: reconcile(key, ports), clock)
    resync = Resync(cluster, clock, wakeups.wake, namespaces=settings.namespaces, period=settings.resync_seconds)
    if registry is None:
        registry = kopf.OperatorRegistry()
        register_login(registry)
    register(registry, wakeups.wake)
    register_probe(registry, resync)
    quieten_kopf()
    rounds = asyncio.create_task(resync.run(), name="resync")
    try:
        await _run_kopf(settings, registry, stop_flag)
    finally:
        rounds.cancel()
        with suppress(asyncio.CancelledError):
            await rounds
        await wakeups.stop()


def _drop_extras(record: logging.LogRecord) -> bool:
    """Take from kopf's record what is no information (its whole settings object, every time), and keep the record."""
    for name in ("settings", "k8s_skip"):
        record.__dict__.pop(name, None)
    return True


def quieten_kopf() -> None:
    """Let kopf speak of problems only: it would log a line for every event that it routes and every probe."""
    for name in ("kopf.objects", "kopf.activities", "aiohttp.access"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.WARNING)
        logger.addFilter(_drop_extras)


async def _run_kopf(
    settings: OperatorSettings, registry: kopf.OperatorRegistry, stop_flag: asyncio.Event | None
) -> None:
    namespaces = settings.namespaces
    await kopf.operator(
        registry=registry,
        settings=kopf_settings(namespaced=bool(namespaces)),
        standalone=True,
        clusterwide=not namespaces,
        namespaces=namespaces,
        liveness_endpoint=f"http://0.0.0.0:{settings.liveness_port}/healthz" if settings.liveness_port else None,
        stop_flag=stop_flag,
        memo=None,
    )


def register_login(registry: kopf.OperatorRegistry) -> None:
    """Let kopf use the pod's service account, else the file that KUBECONFIG names; an own registry has no default."""

    @kopf.on.login(id="login", registry=registry)
    async def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
        info = kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)
        if info is None:
            return None
        return replace(info, expiration=datetime.now(UTC) + _CREDENTIALS_LIFETIME)


class EndlessBackoff:
    """Delays between kopf's tries of one API request: exponential with jitter, capped, and never at their end.

    kopf drops the event whose request ran out of tries (reliability §3.1).
    """

    def __iter__(self) -> Iterator[float]:
        """Start anew for each request."""
        ceiling = 1.0
        while True:
            yield random.uniform(ceiling / 2, ceiling)  # noqa: S311 -- jitter
            ceiling = min(_LONGEST_BACKOFF, ceiling * 2)


def kopf_settings(*, namespaced: bool) -> kopf.OperatorSettings:
    """Return kopf's settings; the reasons are in the design's reliability page, section 3."""
    settings = kopf.OperatorSettings()
    settings.networking.error_backoffs = EndlessBackoff()
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 10
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 330
    settings.watching.connect_timeout = 10
    settings.watching.inactivity_timeout = 70
    settings.watching.chunk_size = 500
    for kind in ("jobs", "pods"):
        settings.watching.label_selectors["batch" if kind == "jobs" else "", "v1", kind] = CHILD_SELECTOR
    settings.queueing.worker_limit = None
    settings.queueing.exit_timeout = 10
    settings.queueing.error_delays = (1, 2, 5, 10, 20, 30, 60)
    settings.process.ultimate_exiting_timeout = EXIT_SECONDS
    settings.execution.max_workers = 2
    settings.posting.enabled = False
    settings.scanning.disabled = namespaced
    settings.persistence.finalizer = KOPF_FINALIZER
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=KOPF_PREFIX)
    settings.persistence.diffbase_storage = kopf.AnnotationsDiffBaseStorage(prefix=KOPF_PREFIX)
    return settings
