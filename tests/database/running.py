"""Whole runs on a real PostgreSQL with a source made of values, and what they left there."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.support.interfering import At, Calls, between
from tests.support.postgres import fetch_all
from tests.support.sources import ListSource, a_listing
from tests.worker.running import OTHER_RUN_ID, RUN_ID, a_request
from tracksync.adapters.clock import SystemClock
from tracksync.adapters.memory import MemoryProgress
from tracksync.worker.model import WorkerPorts
from tracksync.worker.run import run_sync

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracksync.adapters.postgres.database import PostgresDatabase
    from tracksync.api.result import WorkerResult
    from tracksync.ports import Source

TRACKS = 12
DEADLINE = 20.0
RUN = "SELECT state, reason, epoch FROM runs WHERE run_id = %s"
CONTENTS = "SELECT slug, name, city, is_active, created_at = updated_at FROM tracks ORDER BY slug"
ROWS = "SELECT ctid::text, xmin::text, t::text FROM tracks AS t ORDER BY slug"
BACKENDS = """
SELECT pid FROM pg_stat_activity WHERE application_name = %s AND datname = current_database()
"""
WAITING = f"{BACKENDS} AND wait_event_type = 'Lock'"

__all__ = ["OTHER_RUN_ID", "RUN_ID", "At"]


def some_ports(database: PostgresDatabase, source: Source | None = None) -> WorkerPorts:
    return WorkerPorts(
        ledger=database.ledger,
        tracks=database.tracks,
        source=source or ListSource(a_listing(TRACKS)),
        progress=MemoryProgress(),
        clock=SystemClock(),
    )


async def run_on(
    database: PostgresDatabase,
    source: Source | None = None,
    *,
    calls: Calls | At | None = None,
    stop: asyncio.Event | None = None,
    **changes: Any,
) -> WorkerResult:
    """Run everything, with `calls` in between; attempt, run_id and the request's fields may be changed."""
    ports = some_ports(database, source)
    if calls is not None:
        ports = between(ports, calls)
    return await run_sync(a_request(**changes), ports, stop=stop or asyncio.Event())


def contents(url: str) -> list[tuple[Any, ...]]:
    return fetch_all(url, CONTENTS)


def run_row(url: str, run_id: str = RUN_ID) -> tuple[Any, ...]:
    """Return state, reason and epoch of the run."""
    return fetch_all(url, RUN, run_id)[0]


def terminate(url: str, application_name: str = "tests") -> None:
    """End the backends of this application in the database."""
    for (pid,) in fetch_all(url, BACKENDS, application_name):
        fetch_all(url, "SELECT pg_terminate_backend(%s)", pid)


async def until(what: str, is_so: Callable[[], Any], *, seconds: float = DEADLINE) -> Any:
    """Wait until this returns something true, and return it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = await asyncio.to_thread(is_so)
        if found:
            return found
        await asyncio.sleep(0.02)
    pytest.fail(f"it never came to this: {what}")


async def until_waiting(url: str, application_name: str = "tests") -> int:
    """Return the backend of the adapter once it waits for a lock."""
    rows = await until("a backend waits for a lock", lambda: fetch_all(url, WAITING, application_name))
    return int(rows[0][0])


def held(url: str, statement: str) -> psycopg.Connection[Any]:
    """Return a connection that holds the locks of this statement, until it is closed."""
    connection = psycopg.connect(url)
    connection.execute(statement)
    return connection


def slow(seconds: float, count: int = TRACKS) -> ListSource:
    """Return a source that takes so long for each dashboard."""
    return ListSource(a_listing(count), seconds=seconds)


def renamed(source: ListSource, name: str) -> ListSource:
    """Return the same source with another name for each track, so that a merge has all rows to write."""
    tracks = tuple(replace(track, name=f"{name} {track.slug}") for track in source.listing.tracks)
    return ListSource(replace(source.listing, tracks=tracks))
