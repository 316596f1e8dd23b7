"""A whole sync in this process: the worker's stages with a local source entry, database and display."""

from __future__ import annotations

import asyncio
import json
import signal
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit
from uuid import uuid4

import typer
from pydantic import TypeAdapter, ValidationError

from tracksync.adapters.clock import SystemClock
from tracksync.adapters.postgres.database import PostgresDatabase
from tracksync.adapters.web.source import WebSource
from tracksync.api.deactivation import DeactivationPolicy
from tracksync.api.job import Results, Slug
from tracksync.api.source import SourceEntry
from tracksync.api.spec import DeactivationSpec, FailureThresholdSpec, MetadataSpec, SyncMode, WriteSpec
from tracksync.cli.databases import opened
from tracksync.cli.display import make_display
from tracksync.cli.failure import explain_failure
from tracksync.cli.options import Deactivation, RunOutput
from tracksync.core.runs.withheld import LIMITS
from tracksync.core.tracks.history import KEEP_DAYS
from tracksync.core.tracks.plan import RunMode
from tracksync.errors import ExitCode, SettingsError, TrackSyncError
from tracksync.logs import configure_logs
from tracksync.ports import RunIdentity
from tracksync.settings import explain
from tracksync.worker.ending import exit_code_of
from tracksync.worker.model import RunRequest, WorkerPorts, guard_of, mode_of, refresh_of
from tracksync.worker.run import run_sync

if TYPE_CHECKING:
    from tracksync.api.result import WorkerResult
    from tracksync.cli.databases import DatabaseChoice

OWN_MACHINE_RATE: Final = 100.0
OWN_MACHINE_CONCURRENCY: Final = 16
OWN_CATALOGUE_BYTES: Final = 32_000_000
"""Room for 50,000 tracks: a source of one's own is trusted not to be a bomb, and may be made large for a trial."""
HIGHEST_RATE: Final = 100_000.0
HIGHEST_CONCURRENCY: Final = 64
_PORTS: Final = {"http": 80, "https": 443}
_REAL: Final = SourceEntry()
_METADATA: Final = MetadataSpec()
_DEACTIVATION: Final = DeactivationSpec()
_WRITE: Final = WriteSpec()
_THRESHOLD: Final = FailureThresholdSpec()
_SLUG: Final[TypeAdapter[str]] = TypeAdapter(Slug)
_POLICIES: Final = {
    Deactivation.APPLY: DeactivationPolicy.APPLY,
    Deactivation.WITHHOLD: DeactivationPolicy.WITHHOLD,
    Deactivation.DISABLED: DeactivationPolicy.DISABLED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncWish:
    """The options of `tracksync run`, but for those about the database; ranges are the command line's to check."""

    source_url: str | None = None
    requests_per_second: float | None = None
    concurrency: int | None = None
    fetch_dashboards: bool = True
    refresh_after: str = _METADATA.refresh_after
    attempts: int = _METADATA.attempts
    contact: str = ""
    source_name: str = "liverc"
    only_slugs: tuple[str, ...] = ()
    deactivation: Deactivation | None = None
    max_percent: int = _DEACTIVATION.max_percent
    max_count: int = _DEACTIVATION.max_count
    approved_ceiling: int = _DEACTIVATION.approved_ceiling
    mode: SyncMode = SyncMode.APPLY
    batch_size: int = _WRITE.batch_size
    max_failed_percent: int = _THRESHOLD.max_failed_percent
    history_days: int = KEEP_DAYS
    output: RunOutput = RunOutput.TEXT


@dataclass(frozen=True, slots=True)
class SyncReport:
    """How the run ended, how many tracks are active now (None when the database does not say), and for what it was."""

    result: WorkerResult
    seconds: float
    active_tracks: int | None
    mode: RunMode = RunMode.APPLY

    def as_json(self) -> str:
        """Return the one JSON document of `--output json`."""
        counters = (self.result.status.results or Results()).to_wire()
        withheld = self.result.status.withheld
        document = {
            "runId": self.result.run_id,
            "outcome": self.result.outcome,
            "reason": self.result.reason,
            "message": self.result.message,
            **counters,
            "withheldReasons": list(withheld.reasons) if withheld is not None else [],
            "durationSeconds": round(self.seconds, 3),
            "activeTracks": self.active_tracks,
        }
        return json.dumps(document, indent=2)


def sync_here(wish: SyncWish, choice: DatabaseChoice) -> ExitCode:
    """Run the whole sync, show it, and return the process's exit code.

    Raises:
        TrackSyncError: it could not begin: an option or the database is unusable.
    """
    configure_logs(json=False, level="ERROR")
    entry = source_entry(wish)
    request = run_request(wish, entry, database_setting=choice.setting)
    with opened(choice) as url:
        if choice.is_embedded:
            from tracksync.adapters.postgres.migrate import migrate

            migrate(url)
        report = asyncio.run(_sync(request, entry, url))
    show(report, wish.output)
    return exit_code_of(report.result, item_errors=ExitCode.ITEM_ERRORS)


def source_entry(wish: SyncWish) -> SourceEntry:
    """Return the source that this run may talk to: the person who runs it is its admin.

    Raises:
        SettingsError: an option is unusable, or would be impolite to the real LiveRC.
    """
    values = _real_source(wish) if wish.source_url is None else _own_source(wish, wish.source_url)
    try:
        return SourceEntry(name=wish.source_name, contact=wish.contact, **values)
    except ValidationError as error:
        raise SettingsError(f"--source-url, --source-name or --contact: {explain(error)}") from None


def _real_source(wish: SyncWish) -> dict[str, object]:
    if not wish.contact:
        raise SettingsError(
            "--contact: the real LiveRC should know who asks; give your mail address or web page, "
            "or --source-url for a simulator"
        )
    rate = wish.requests_per_second or _REAL.requests_per_second
    concurrency = wish.concurrency or _REAL.concurrency
    if rate > _REAL.requests_per_second:
        raise SettingsError(f"--requests-per-second: at most {_REAL.requests_per_second:g} for the real LiveRC")
    if concurrency > _REAL.concurrency:
        raise SettingsError(f"--concurrency: at most {_REAL.concurrency} for the real LiveRC")
    return {"requests_per_second": rate, "concurrency": concurrency}


def _own_source(wish: SyncWish, source_url: str) -> dict[str, object]:
    try:
        url = urlsplit(source_url)
        port = url.port
    except ValueError as error:
        raise SettingsError(f"--source-url: not a URL ({error}); give one such as http://127.0.0.1:8080") from None
    host = url.hostname or ""
    if url.scheme not in _PORTS or not host or url.username or url.path.strip("/") or url.query:
        raise SettingsError("--source-url: give scheme, host and port only, such as http://127.0.0.1:8080")
    if host == _REAL.domain or host.endswith(f".{_REAL.domain}"):
        raise SettingsError("--source-url: this is the real LiveRC; leave the option out, so that its limits apply")
    is_here = _is_loopback(host)
    return {
        "scheme": url.scheme,
        "connect_to": f"{f'[{host}]' if ':' in host else host}:{port or _PORTS[url.scheme]}",
        "allow_private_addresses": True,
        "catalogue_bytes": OWN_CATALOGUE_BYTES,
        "requests_per_second": wish.requests_per_second or (OWN_MACHINE_RATE if is_here else _REAL.requests_per_second),
        "concurrency": wish.concurrency or (OWN_MACHINE_CONCURRENCY if is_here else _REAL.concurrency),
    }


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def run_request(wish: SyncWish, entry: SourceEntry, *, database_setting: str) -> RunRequest:
    """Return a new run that does what the options say.

    Raises:
        SettingsError: `--refresh-after` is no duration, `--attempts` or a limit is out of its range, `--only-slug` is
            no slug, or it contradicts `--deactivation apply`.
    """
    try:
        metadata = MetadataSpec(enabled=wish.fetch_dashboards, refresh_after=wish.refresh_after, attempts=wish.attempts)
    except ValidationError:
        raise SettingsError(
            "--refresh-after, --attempts: give a duration such as 168h, 90m or 1h30m, or 0s for all dashboards, "
            "and 1 to 10 attempts"
        ) from None
    return RunRequest(
        identity=RunIdentity(
            run_id=str(uuid4()), name="local", namespace="", attempt=1, source=entry.name, domain=entry.domain
        ),
        database_setting=database_setting,
        refresh=refresh_of(metadata),
        attempts=metadata.attempts,
        concurrency=entry.concurrency,
        guard=guard_of(_deactivation(wish)),
        only_slugs=_only_slugs(wish),
        only_slugs_setting="--only-slug",
        mode=mode_of(wish.mode),
        batch_size=wish.batch_size,
        max_failed_percent=wish.max_failed_percent,
        keep_days=wish.history_days,
    )


def _only_slugs(wish: SyncWish) -> frozenset[str]:
    try:
        return frozenset(map(_SLUG.validate_python, wish.only_slugs))
    except ValidationError:
        raise SettingsError(
            "--only-slug: give a track's slug in lower case, the first part of its host: `sunvalley` of "
            "sunvalley.liverc.com"
        ) from None


def _deactivation(wish: SyncWish) -> DeactivationSpec:
    """Return what the options say about vanished tracks; a run of single tracks does not look for any."""
    if wish.only_slugs and wish.deactivation is Deactivation.APPLY:
        raise SettingsError(
            "--deactivation: a run with --only-slug cannot tell which tracks vanished; leave the option out, or give "
            "`withhold` to have them counted"
        )
    chosen = wish.deactivation or (Deactivation.DISABLED if wish.only_slugs else Deactivation.APPLY)
    try:
        return DeactivationSpec(
            policy=_POLICIES[chosen],
            max_percent=wish.max_percent,
            max_count=wish.max_count,
            approved_ceiling=wish.approved_ceiling,
        )
    except ValidationError as error:
        raise SettingsError(f"--max-percent, --max-count or --approved-ceiling: {explain(error)}") from None


async def _sync(request: RunRequest, entry: SourceEntry, url: str) -> SyncReport:
    clock, stop = SystemClock(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    display, every_seconds = make_display()
    application_name = request.identity.run_id
    async with AsyncExitStack() as resources:
        database = await resources.enter_async_context(PostgresDatabase.prepare(url, application_name=application_name))
        source = WebSource(
            entry,
            requests_per_second=entry.requests_per_second,
            concurrency=entry.concurrency,
            clock=clock,
            pace=database.pace(entry.domain),
            robots=database.robots,
        )
        ports = WorkerPorts(
            ledger=database.ledger,
            tracks=database.tracks,
            source=await resources.enter_async_context(source),
            progress=display,
            clock=clock,
            history=database.history,
        )
        resources.enter_context(display)
        started = clock.monotonic()
        result = await run_sync(replace(request, report_every_seconds=every_seconds), ports, stop=stop)
        seconds = clock.monotonic() - started
        return SyncReport(result, seconds, await _count_active(database, entry.name), request.mode)


async def _count_active(database: PostgresDatabase, source: str) -> int | None:
    with suppress(TrackSyncError):
        return await database.tracks.count_active(source)
    return None


def show(report: SyncReport, output: RunOutput) -> None:
    """Write how the run ended: a document or sentences to standard output, a failure to standard error."""
    result = report.result
    if exit_code_of(result, item_errors=ExitCode.DONE) is not ExitCode.DONE:
        explain_failure(f"{result.outcome}: {result.message}", result.reason)
    if output is RunOutput.JSON:
        typer.echo(report.as_json())
    elif exit_code_of(result, item_errors=ExitCode.DONE) is ExitCode.DONE:
        typer.echo(f"{result.outcome}: {result.message} ({report.seconds:.1f} s)")
        withheld = result.status.withheld
        if withheld is not None and LIMITS.issuperset(withheld.reasons):
            typer.echo(f"If they are really gone, run again with --approved-ceiling {withheld.count}")
        if report.mode is RunMode.PLAN:
            typer.echo(f"`tracksync report {result.run_id}` lists what would change")
        typer.echo(f"{report.active_tracks} active tracks are stored; `tracksync tracks` shows them")
