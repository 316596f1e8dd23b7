"""Whole runs against a source: the worker's stages in this process, or the worker as the process that a pod starts."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from tests.cli.starting import TRACKSYNC
from tests.hostile.memory import Peak, watch
from tests.worker.test_app import TARGET, worker_environment
from tracksync.adapters.clock import SystemClock
from tracksync.adapters.memory import MemoryProgress
from tracksync.adapters.postgres.database import PostgresDatabase
from tracksync.adapters.web import source, transport
from tracksync.api.result import WorkerResult
from tracksync.api.source import SourceEntry
from tracksync.api.spec import DeactivationSpec, MetadataSpec
from tracksync.ports import RunIdentity
from tracksync.worker.model import RunRequest, WorkerPorts, guard_of, refresh_of
from tracksync.worker.run import run_sync

if TYPE_CHECKING:
    from collections.abc import Callable

FAST: Final = 500.0
"""Requests per second where politeness is not what a test is about."""
_ROOT: Final = Path(__file__).resolve().parents[2]
PROCESS_SECONDS: Final = 120.0
RUN_SECONDS: Final = 100.0
"""Nothing here takes longer than that, however busy the machine is: a run that does hangs."""


_IMPATIENT: Final = """
import sys
from tests.hostile.runs import shorten_deadlines
from tracksync.worker.app import run_worker
shorten_deadlines(float(sys.argv[1]), setattr)
sys.exit(run_worker())
"""


def shorten_deadlines(seconds: float, patch: Callable[[object, str, object], None]) -> None:
    """Give a whole request so many seconds; `patch` sets an attribute, such as `monkeypatch.setattr`."""
    for module, name in ((source, "CATALOGUE_LIMITS"), (source, "DASHBOARD_LIMITS"), (transport, "ROBOTS_LIMITS")):
        patch(module, name, replace(getattr(module, name), total_seconds=seconds))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One run.

    Attributes:
        database_url: where to.
        url: where from.
        run_id: the same id again is another attempt of the same run.
        rate: the installation's requests per second.
        concurrency: requests in flight at once.
        refresh_after: age from which on a dashboard is fetched.
        attempts: attempts for one dashboard.
        approved_ceiling: an admin's answer to a withheld deactivation.
        entry: further fields of the source's entry.
    """

    database_url: str
    url: str
    run_id: str = field(default_factory=lambda: str(uuid4()))
    rate: float = FAST
    concurrency: int = 8
    refresh_after: str = "0s"
    attempts: int = 3
    approved_ceiling: int = 0
    entry: dict[str, Any] = field(default_factory=dict)

    def source_entry(self) -> SourceEntry:
        """Return the installation's entry."""
        values = {
            "scheme": "http",
            "connect_to": self.url.removeprefix("http://"),
            "allow_private_addresses": True,
            "requests_per_second": self.rate,
            "concurrency": self.concurrency,
        }
        return SourceEntry.model_validate(values | self.entry)

    def metadata(self) -> MetadataSpec:
        """Return the spec's part about dashboards."""
        return MetadataSpec(refresh_after=self.refresh_after, attempts=self.attempts)

    def deactivation(self) -> DeactivationSpec:
        """Return the spec's part about vanished tracks."""
        return DeactivationSpec(approved_ceiling=self.approved_ceiling)

    def again(self, **changes: Any) -> Wish:
        """Return a new run that is otherwise the same, but for these changes."""
        return replace(self, run_id=str(uuid4()), **changes)


async def sync(wish: Wish) -> WorkerResult:
    """Run all stages in this process, with real database and real web, and return how it ended."""
    entry, metadata, clock = wish.source_entry(), wish.metadata(), SystemClock()
    identity = RunIdentity(
        run_id=wish.run_id, name="hostile", namespace="", attempt=1, source=entry.name, domain=entry.domain
    )
    request = RunRequest(
        identity=identity,
        database_setting="the test's database",
        refresh=refresh_of(metadata),
        attempts=metadata.attempts,
        concurrency=entry.concurrency,
        guard=guard_of(wish.deactivation()),
    )
    async with asyncio.timeout(RUN_SECONDS), AsyncExitStack() as resources:
        database = PostgresDatabase.prepare(wish.database_url, application_name=wish.run_id)
        resources.push_async_callback(database.close)
        web = source.WebSource(
            entry,
            requests_per_second=None,
            concurrency=None,
            clock=clock,
            pace=database.pace(entry.domain),
            robots=database.robots,
        )
        ports = WorkerPorts(
            ledger=database.ledger,
            tracks=database.tracks,
            source=await resources.enter_async_context(web),
            progress=MemoryProgress(),
            clock=clock,
        )
        return await run_sync(request, ports, stop=asyncio.Event())


@dataclass(frozen=True, slots=True)
class Ended:
    """A worker process that has ended."""

    code: int
    result: WorkerResult
    log: tuple[dict[str, Any], ...]
    peak: Peak


def run_worker(wish: Wish, folder: Path, *, total_seconds: float | None = None) -> Ended:
    """Run the worker as the process that a pod starts, and watch its memory.

    `total_seconds` replaces the deadlines of a whole request, which are half a minute and more.
    """
    (folder / "url").write_text(wish.database_url, encoding="utf-8")
    environment = worker_environment(
        folder,
        TRACKSYNC_RUN_ID=wish.run_id,
        TRACKSYNC_SOURCE=json.dumps(wish.source_entry().to_wire()),
        TRACKSYNC_SPEC=json.dumps(
            {"target": TARGET, "metadata": wish.metadata().to_wire(), "deactivation": wish.deactivation().to_wire()}
        ),
    )
    command = [str(TRACKSYNC), "worker"]
    if total_seconds is not None:
        command = [sys.executable, "-c", _IMPATIENT, str(total_seconds)]
    with subprocess.Popen(
        command, cwd=_ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            with watch(process.pid) as peak:
                _, errors = process.communicate(timeout=PROCESS_SECONDS)
        finally:
            process.kill()
    result = WorkerResult.model_validate_json((folder / "termination").read_bytes())
    return Ended(process.returncode, result, tuple(map(json.loads, errors.splitlines())), peak)
