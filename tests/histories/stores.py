"""The two databases that a history can run on, seen from outside: their rows, and how a process loses them."""

from __future__ import annotations

import asyncio
from copy import deepcopy
from typing import Any, Protocol

import psycopg
from psycopg.rows import dict_row

from tests.support.clocks import LoopClock
from tracksync.adapters.memory import MemoryDatabase
from tracksync.adapters.postgres.database import PostgresDatabase
from tracksync.worker.model import WorkerPorts

LIVE_TABLES = ("tracks", "track_freshness", "track_activity", "source_state")
"""Tables that only a merge may write."""
TABLES = (
    *("runs", "tracks", "sync_items", "sync_new_tracks", "track_freshness", "track_activity", "changes"),
    *("planned_changes", "source_state", "leases", "source_domains", "robots"),
)
"""All tables; those that others point at come first."""
EMPTY = f"TRUNCATE {', '.join(TABLES)}"


class Bench(Protocol):
    """A database under a history."""

    async def connect(self) -> MemoryDatabase | PostgresDatabase:
        """Return the database as a new process sees it."""
        ...

    def rows(self) -> dict[str, dict[str, Any]]:
        """Return the tracks by slug."""
        ...

    def fingerprint(self) -> Any:
        """Return all that a merge alone may write, with the versions of its rows."""
        ...

    def follow(self, slug: str) -> None:
        """Mark a track as an admin would."""
        ...

    def changes(self, run_id: str) -> list[tuple[str, str, tuple[str, ...]]]:
        """Return what the log says that a run did: slug, kind, fields."""
        ...

    def state(self, run_id: str) -> str | None:
        """Return how the ledger has the run."""
        ...

    def fate(self, run_id: str) -> tuple[bool, bool]:
        """Return whether the run's merge is committed, and whether the run has its end."""
        ...

    def let_leases_expire(self) -> None:
        """Let as much time pass as a dead worker's lease holds."""
        ...


class MemoryBench:
    """On the twin."""

    def __init__(self) -> None:
        self.database = MemoryDatabase(LoopClock())

    async def connect(self) -> MemoryDatabase:
        await asyncio.sleep(1)  # of the loop's own time: no two processes work at the same instant
        return self.database

    def rows(self) -> dict[str, dict[str, Any]]:
        return {slug: deepcopy(row) for (_, slug), row in self.database.rows.items()}

    def fingerprint(self) -> Any:
        database = self.database
        return deepcopy((database.rows, database.freshness, database.source_state))

    def follow(self, slug: str) -> None:
        self.database.rows["liverc", slug]["is_followed"] = True

    def changes(self, run_id: str) -> list[tuple[str, str, tuple[str, ...]]]:
        logged = self.database.changes.items()
        return sorted((slug, row.kind, tuple(row.fields)) for (run, _, slug), row in logged if run == run_id)

    def state(self, run_id: str) -> str | None:
        run = self.database.runs.get(run_id)
        return None if run is None else "running" if run.outcome is None else str(run.outcome.value)

    def fate(self, run_id: str) -> tuple[bool, bool]:
        run = self.database.runs.get(run_id)
        return (False, False) if run is None else (run.merged_at is not None, run.outcome is not None)

    def let_leases_expire(self) -> None:
        """Do nothing: whoever waits for a lease lets the loop's time pass."""


class PostgresBench:
    """On a real PostgreSQL; emptied at the beginning."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._query(EMPTY)

    def _query(self, statement: str, *values: object) -> list[dict[str, Any]]:
        with psycopg.connect(self.url, row_factory=dict_row) as connection:
            cursor = connection.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def save(self) -> None:
        """Keep all rows as they are now, to go back to them."""
        self._query("DROP SCHEMA IF EXISTS saved CASCADE")
        self._query("CREATE SCHEMA saved")
        for table in TABLES:
            self._query(f"CREATE TABLE saved.{table} AS TABLE {table}")

    def go_back(self) -> None:
        """Have the rows that were kept."""
        with psycopg.connect(self.url) as connection:
            connection.execute(EMPTY)
            for table in TABLES:
                connection.execute(f"INSERT INTO {table} TABLE saved.{table}")

    async def connect(self) -> PostgresDatabase:
        return PostgresDatabase.prepare(self.url, application_name="tests")

    def rows(self) -> dict[str, dict[str, Any]]:
        return {row["slug"]: row for row in self._query("SELECT * FROM tracks")}

    def fingerprint(self) -> Any:
        return [self._query(f"SELECT ctid::text, xmin::text, * FROM {table}") for table in LIVE_TABLES]

    def follow(self, slug: str) -> None:
        self._query("UPDATE tracks SET is_followed = true WHERE slug = %s", slug)

    def changes(self, run_id: str) -> list[tuple[str, str, tuple[str, ...]]]:
        rows = self._query(
            "SELECT t.slug, c.kind, c.fields FROM changes AS c JOIN tracks AS t ON t.id = c.track_id "
            "WHERE c.run_id = %s",
            run_id,
        )
        return sorted((row["slug"], row["kind"], tuple(row["fields"])) for row in rows)

    def state(self, run_id: str) -> str | None:
        rows = self._query("SELECT state FROM runs WHERE run_id = %s", run_id)
        return rows[0]["state"].title().replace("_", "") if rows else None

    def fate(self, run_id: str) -> tuple[bool, bool]:
        rows = self._query("SELECT merged_at, finished_at FROM runs WHERE run_id = %s", run_id)
        return (rows[0]["merged_at"] is not None, rows[0]["finished_at"] is not None) if rows else (False, False)

    def let_leases_expire(self) -> None:
        self._query("UPDATE leases SET expires_at = clock_timestamp() - interval '1 second'")


def ports_of(database: MemoryDatabase | PostgresDatabase, **others: Any) -> WorkerPorts:
    """Return the ports of a worker on this database."""
    return WorkerPorts(ledger=database.ledger, tracks=database.tracks, **others)
