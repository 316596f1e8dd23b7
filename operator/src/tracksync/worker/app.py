"""Composition root of the worker pod: settings, adapters, signals, termination message, exit code."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING

import structlog

from tracksync.adapters.clock import SystemClock
from tracksync.adapters.kube.progress import ApiServer, KubeProgress
from tracksync.adapters.postgres.database import PostgresDatabase
from tracksync.adapters.web.source import WebSource
from tracksync.api.identity import Stage
from tracksync.api.job import WorkerStatus
from tracksync.errors import ExitCode, TrackSyncError
from tracksync.logs import configure_logs
from tracksync.ports import RunIdentity
from tracksync.settings import ApiServerSettings, WorkerSettings
from tracksync.worker.database_url import read_database_url
from tracksync.worker.ending import ending_of, exit_code_of, result_of
from tracksync.worker.model import RunRequest, WorkerPorts, guard_of, mode_of, refresh_of
from tracksync.worker.run import run_sync

if TYPE_CHECKING:
    from tracksync.api.result import WorkerResult

log = structlog.stdlib.get_logger(__name__)


def run_worker() -> int:
    """Run one attempt as the environment says and return the process's exit code."""
    configure_logs(json=True)
    log.info("worker started")
    try:
        settings = WorkerSettings.read()
        configure_logs(json=True, level=settings.log_level)
        server = ApiServerSettings.read()
    except TrackSyncError as error:
        log.error("settings are unusable", reason=error.reason, problem=str(error))  # noqa: TRY400 -- no traceback
        return error.exit_code
    result = asyncio.run(_attempt(settings, ApiServer(server.url)))
    write_last_word(result, settings)
    code = exit_code_of(result, item_errors=ExitCode.DONE)
    log.info("worker finished", outcome=str(result.outcome), reason=result.reason, exit_code=int(code))
    return code


def write_last_word(result: WorkerResult, settings: WorkerSettings) -> None:
    """Leave the result where the kubelet picks it up; without it the operator still has status and exit code."""
    try:
        settings.termination_log.write_bytes(result.encode())
    except OSError as error:
        log.warning("termination message not written", error=type(error).__name__)


def request_of(settings: WorkerSettings) -> RunRequest:
    """Return what the settings ask for; a spec may lower the installation's limits, never raise them."""
    spec, entry = settings.spec, settings.source
    secret = spec.target.database_secret_ref
    return RunRequest(
        identity=RunIdentity(
            run_id=settings.run_id,
            name=settings.run_name,
            namespace=settings.run_namespace,
            attempt=settings.attempt,
            source=entry.name,
            domain=entry.domain,
        ),
        database_setting=f"spec.target.databaseSecretRef (secret {secret.name!r}, key {secret.key!r})",
        refresh=refresh_of(spec.metadata),
        attempts=spec.metadata.attempts,
        guard=guard_of(spec.deactivation),
        only_slugs=frozenset(spec.only_slugs),
        mode=mode_of(spec.mode),
        batch_size=spec.write.batch_size,
        max_failed_percent=spec.failure_threshold.max_failed_percent,
        keep_days=settings.history_days,
        concurrency=min(spec.source.concurrency or entry.concurrency, entry.concurrency),
    )


async def _attempt(settings: WorkerSettings, server: ApiServer) -> WorkerResult:
    request, stop = request_of(settings), asyncio.Event()
    structlog.contextvars.bind_contextvars(run_id=request.identity.run_id, attempt=request.identity.attempt)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        async with AsyncExitStack() as resources:
            ports = await _open_ports(settings, server, request, resources)
            return await run_sync(request, ports, stop=stop)
    except TrackSyncError as error:
        ending = ending_of(error, stage=Stage.PREFLIGHT, database_setting=request.database_setting)
        log.warning("run could not start", reason=ending.reason, message=ending.message)
        return result_of(ending, request.identity, WorkerStatus())


async def _open_ports(
    settings: WorkerSettings, server: ApiServer, request: RunRequest, resources: AsyncExitStack
) -> WorkerPorts:
    clock, entry = SystemClock(), settings.source
    rate = settings.spec.source.requests_per_second or entry.requests_per_second
    # Read again for each connection: a rotated password is found without a new pod.
    url = partial(read_database_url, settings.database_url_file)
    database = PostgresDatabase.prepare(url, application_name=request.identity.run_id)
    resources.push_async_callback(database.close)
    source = WebSource(
        entry,
        requests_per_second=min(rate, entry.requests_per_second),
        concurrency=request.concurrency,
        clock=clock,
        pace=database.pace(entry.domain),
        robots=database.robots,
    )
    return WorkerPorts(
        ledger=database.ledger,
        tracks=database.tracks,
        source=await resources.enter_async_context(source),
        progress=await resources.enter_async_context(KubeProgress(server, request.identity)),
        clock=clock,
        history=database.history,
    )
