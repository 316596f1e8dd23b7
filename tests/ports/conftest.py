"""The store's two adapters behind one fixture: the suite states what both promise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from tests.support.postgres import PostgresServer, fetch_all, postgres_server
from tracksync.adapters.memory import MemoryDatabase
from tracksync.adapters.postgres.database import PostgresDatabase

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

__all__ = ["database_url", "migrated_url", "postgres_server", "store"]


@pytest.fixture(scope="session")
def migrated_url(postgres_server: PostgresServer) -> Iterator[str]:
    with postgres_server.database() as url:
        yield url


@pytest.fixture
def database_url(migrated_url: str) -> str:
    """URL of an emptied database: making one for each row of a table would take most of the suite's time."""
    fetch_all(migrated_url, "TRUNCATE tracks, runs, sync_items")
    return migrated_url


@dataclass
class Store:
    """One adapter under test, with a way to edit rows behind its back as an admin would."""

    database: MemoryDatabase | PostgresDatabase
    url: str | None = None

    def edit(self, slug: str, **columns: Any) -> None:
        if isinstance(self.database, MemoryDatabase):
            self.database.rows["liverc", slug].update(columns)
            return
        assert self.url is not None
        sets = sql.SQL(", ").join(
            sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder()) for name in columns
        )
        values = [Jsonb(value) if isinstance(value, dict) else value for value in columns.values()]
        with psycopg.connect(self.url) as connection:
            connection.execute(
                sql.SQL("UPDATE tracks SET {} WHERE slug = {}").format(sets, sql.Placeholder()), [*values, slug]
            )

    def deactivate(self, slug: str) -> None:
        self.edit(slug, is_active=False, deactivated_at="2026-01-01T00:00:00+00:00")

    async def row(self, slug: str) -> dict[str, object]:
        found = await self.database.tracks.find_tracks(include_inactive=True)
        return next(dict(track.columns) for track in found if track.columns["slug"] == slug)


@pytest.fixture(params=["memory", "postgres"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    if request.param == "memory":
        yield Store(MemoryDatabase())
        return
    url = request.getfixturevalue("database_url")
    async with await PostgresDatabase.connect(url, application_name="tests") as connected:
        yield Store(connected, url)
