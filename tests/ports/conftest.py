"""The store's two adapters behind one fixture, and those of what is shared about a source: what both promise."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from tests.support.postgres import PostgresServer, fetch_all, postgres_server
from tests.support.store import a_run
from tracksync.adapters.memory import ManualClock, MemoryDatabase
from tracksync.adapters.memory_source import MemoryPace, MemoryRobots
from tracksync.adapters.memory_tables import Run
from tracksync.adapters.postgres.database import PostgresDatabase
from tracksync.api.result import Outcome

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tracksync.ports import RobotsCache, RunIdentity, RunTicket, SharedPace

__all__ = ["database_url", "migrated_url", "postgres_server", "store"]

DOMAIN = "example.org"
EMPTY = (
    "TRUNCATE tracks, runs, leases, sync_items, sync_new_tracks, track_freshness, track_activity, changes,"
    " planned_changes, source_state, source_domains, robots"
)
FRESHNESS = """
SELECT f.as_of, f.fetched_at, f.last_attempt_at, f.http_status, f.etag, f.last_modified, f.attempts, f.unmodified,
       f.last_error_class, f.parser_version
FROM track_freshness AS f JOIN tracks AS t ON t.id = f.track_id WHERE t.source = 'liverc' AND t.slug = %s
"""
CHANGES = """
SELECT t.slug, c.kind, c.fields FROM changes AS c JOIN tracks AS t ON t.id = c.track_id
WHERE c.run_id = %s AND t.source = %s
"""
OTHER_RUN = """
INSERT INTO runs (run_id, name, namespace, source, state, attempt, epoch, finished_at, merged_at)
VALUES (%s, 'other', 'ns', %s, 'failed', 1, 1, now(), now() + interval '1 second')
"""
BEFORE = """
SELECT t.slug, c.before FROM changes AS c JOIN tracks AS t ON t.id = c.track_id WHERE c.run_id = %s AND t.source = %s
"""
ACTIVITY = """
SELECT a.status, a.has_video, a.event_name, a.active_at, a.precision
FROM track_activity AS a JOIN tracks AS t ON t.id = a.track_id WHERE t.source = 'liverc' AND t.slug = %s
"""
PLANNED = 'SELECT slug, kind, fields FROM planned_changes WHERE run_id = %s ORDER BY slug COLLATE "C"'
SOURCE_STATE_COLUMNS = ("last_complete_at", "last_complete_run", "listed", "active")
SOURCE_STATE = "SELECT last_complete_at, last_complete_run::text, listed, active FROM source_state WHERE source = %s"
FRESHNESS_COLUMNS = (
    "as_of",
    "fetched_at",
    "last_attempt_at",
    "http_status",
    "etag",
    "last_modified",
    "attempts",
    "unmodified",
    "last_error_class",
    "parser_version",
)


@pytest.fixture(scope="session")
def migrated_url(postgres_server: PostgresServer) -> Iterator[str]:
    with postgres_server.database() as url:
        yield url


@pytest.fixture
def database_url(migrated_url: str) -> str:
    """URL of an emptied database: making one for each row of a table would take most of the suite's time."""
    fetch_all(migrated_url, EMPTY)
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

    def freshness(self, slug: str) -> dict[str, Any] | None:
        """Return the row of `track_freshness` of a track, with the class of error as text; None when there is none."""
        if self.url is not None:
            rows = fetch_all(self.url, FRESHNESS, slug)
            return dict(zip(FRESHNESS_COLUMNS, rows[0], strict=True)) if rows else None
        assert isinstance(self.database, MemoryDatabase)
        row = self.database.freshness.get(("liverc", slug))
        if row is None:
            return None
        columns = asdict(row)
        return {**columns.pop("validators"), **columns}

    def age(self, time: timedelta) -> None:
        """Let everything that is known of dashboards be older by this."""
        if self.url is not None:
            fetch_all(self.url, "UPDATE track_freshness SET as_of = as_of - %s", time)
            return
        assert isinstance(self.database, MemoryDatabase)
        for row in self.database.freshness.values():
            row.as_of = row.as_of - time if row.as_of else None

    def spoil(self, ticket: RunTicket, *, checkpoint_format: int | None, listing: object) -> None:
        """Overwrite what the run's row says about its checkpoint."""
        run_id = ticket.identity.run_id
        if self.url is not None:
            question = "UPDATE runs SET checkpoint_format = %s, listing = %s WHERE run_id = %s"
            fetch_all(self.url, question, checkpoint_format, Jsonb(listing), run_id)
            return
        assert isinstance(self.database, MemoryDatabase)
        run = self.database.runs[run_id]
        run.checkpoint_format, run.listing = checkpoint_format, listing

    def lose_item(self, ticket: RunTicket, slug: str) -> None:
        """Delete a staged item behind the ledger's back."""
        run_id = ticket.identity.run_id
        if self.url is not None:
            fetch_all(self.url, "DELETE FROM sync_items WHERE run_id = %s AND slug = %s", run_id, slug)
            return
        assert isinstance(self.database, MemoryDatabase)
        del self.database.items[run_id][slug]

    def overtake(self, ticket: RunTicket) -> None:
        """Let it look as if another run had merged into the source meanwhile, which the lease keeps from happening."""
        identity = a_run(source=ticket.identity.source)
        if self.url is not None:
            fetch_all(self.url, OTHER_RUN, identity.run_id, identity.source)
            return
        assert isinstance(self.database, MemoryDatabase)
        now = self.database.clock.now()
        later = now + timedelta(seconds=1)
        self.database.runs[identity.run_id] = Run(identity, 1, now, outcome=Outcome.FAILED, merged_at=later)

    def changes_of(self, run: RunIdentity) -> dict[str, tuple[str, list[str]]]:
        """Return what the run logged: kind and fields by slug."""
        run_id, source = run.run_id, run.source
        if self.url is not None:
            rows = fetch_all(self.url, CHANGES, run_id, source)
            return {slug: (kind, fields) for slug, kind, fields in rows}
        assert isinstance(self.database, MemoryDatabase)
        logged = self.database.changes.items()
        return {slug: (row.kind, row.fields) for (key, owner, slug), row in logged if (key, owner) == (run_id, source)}

    def changes(self, ticket: RunTicket) -> dict[str, tuple[str, list[str]]]:
        return self.changes_of(ticket.identity)

    def before_of(self, run: RunIdentity) -> dict[str, object]:
        """Return what the run logged of what was before, by slug."""
        if self.url is not None:
            return dict(fetch_all(self.url, BEFORE, run.run_id, run.source))
        assert isinstance(self.database, MemoryDatabase)
        logged = self.database.changes.items()
        return {slug: row.before for (key, owner, slug), row in logged if (key, owner) == (run.run_id, run.source)}

    def forget_hashes(self) -> None:
        """Let the rows be as an older build wrote them."""
        if self.url is not None:
            fetch_all(self.url, "UPDATE tracks SET listing_hash = NULL, metadata_hash = NULL")
            return
        assert isinstance(self.database, MemoryDatabase)
        for row in self.database.notes.values():
            row.listing_hash = row.metadata_hash = None

    def missing(self) -> set[str]:
        """Return the slugs of the tracks that are known to be missing."""
        if self.url is not None:
            return {slug for (slug,) in fetch_all(self.url, "SELECT slug FROM tracks WHERE missing_since IS NOT NULL")}
        assert isinstance(self.database, MemoryDatabase)
        return {slug for (_, slug), row in self.database.notes.items() if row.missing_since is not None}

    def activity(self, slug: str) -> tuple[object, ...] | None:
        """Return status, video, event, instant and precision as stored; None when nothing is."""
        if self.url is not None:
            rows = fetch_all(self.url, ACTIVITY, slug)
            return rows[0] if rows else None
        assert isinstance(self.database, MemoryDatabase)
        row = self.database.activity.get(("liverc", slug))
        if row is None:
            return None
        instant = (row.instant.at, row.instant.precision) if row.instant is not None else (None, None)
        return (row.status, row.has_video, row.event_name, *instant)

    def merged(self, run: RunIdentity) -> object:
        """Return what the run's merge wrote of itself."""
        if self.url is not None:
            ((document,),) = fetch_all(self.url, "SELECT merged FROM runs WHERE run_id = %s", run.run_id)
            return document
        assert isinstance(self.database, MemoryDatabase)
        return self.database.runs[run.run_id].merged

    def planned(self, run: RunIdentity) -> list[tuple[str, str, list[str]]]:
        """Return what is kept of the run's plan."""
        if self.url is not None:
            return fetch_all(self.url, PLANNED, run.run_id)  # type: ignore[return-value]  # three columns
        assert isinstance(self.database, MemoryDatabase)
        rows = self.database.planned_changes[run.run_id]
        return [(row.slug, row.kind, list(row.fields)) for row in rows]

    def source_state(self, source: str = "liverc") -> dict[str, Any] | None:
        """Return the row of `source_state`, with the run's id as text; None when there is none."""
        if self.url is not None:
            rows = fetch_all(self.url, SOURCE_STATE, source)
            return dict(zip(SOURCE_STATE_COLUMNS, rows[0], strict=True)) if rows else None
        assert isinstance(self.database, MemoryDatabase)
        row = self.database.source_state.get(source)
        return asdict(row) if row is not None else None

    def last_seen(self, slug: str) -> datetime:
        """Return when the track was seen last, says the view."""
        if self.url is not None:
            seen: datetime
            ((seen,),) = fetch_all(self.url, "SELECT last_seen_at FROM tracks_with_last_seen WHERE slug = %s", slug)
            return seen
        assert isinstance(self.database, MemoryDatabase)
        rows = self.database.tracks_with_last_seen()
        return next(datetime.fromisoformat(str(row["last_seen_at"])) for row in rows if row["slug"] == slug)

    def pass_time(self) -> None:
        """Let a second pass for the twin; a server's clock moves by itself."""
        if isinstance(self.database, MemoryDatabase) and isinstance(self.database.clock, ManualClock):
            self.database.clock.advance(1)

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


@dataclass
class PaceBed:
    """Two users of one domain's pace, one of another domain's, and a way to let time pass for all of them."""

    one: SharedPace
    two: SharedPace
    elsewhere: SharedPace
    clock: ManualClock | None = None
    url: str | None = None

    def pass_time(self, seconds: float) -> None:
        if self.clock is not None:
            self.clock.advance(seconds)
            return
        assert self.url is not None
        question = (
            "UPDATE source_domains SET next_free = next_free - %s * interval '1 second',"
            " paused_until = paused_until - %s * interval '1 second'"
        )
        fetch_all(self.url, question, seconds, seconds)


@pytest.fixture(params=["memory", "postgres"])
async def bed(request: pytest.FixtureRequest) -> AsyncIterator[PaceBed]:
    if request.param == "memory":
        clock = ManualClock()
        pace = MemoryPace(clock)
        yield PaceBed(pace, pace, MemoryPace(clock), clock=clock)
        return
    url = request.getfixturevalue("database_url")
    first = PostgresDatabase.prepare(url, application_name="tests")
    second = PostgresDatabase.prepare(url, application_name="tests")
    async with first, second:
        yield PaceBed(first.pace(DOMAIN), second.pace(DOMAIN), second.pace("elsewhere.example"), url=url)


@pytest.fixture(params=["memory", "postgres"])
async def robots(request: pytest.FixtureRequest) -> AsyncIterator[RobotsCache]:
    if request.param == "memory":
        yield MemoryRobots()
        return
    url = request.getfixturevalue("database_url")
    async with PostgresDatabase.prepare(url, application_name="tests") as database:
        yield database.robots


def at(minute: int) -> datetime:
    """Return an instant; each minute is another one."""
    return datetime(2026, 1, 31, 2, minute, tzinfo=UTC)
