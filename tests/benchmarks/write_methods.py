"""The ways to write a feed into a table, each as a function that returns the seconds it took.

Everything that a method needs before it can begin (imports, a connection, an engine) is not counted. Making the rows
is, for all methods alike.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from itertools import islice
from time import monotonic
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from tests.benchmarks.write_rows import COLUMNS, SOURCE, TYPES, FedTracks, Feed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from tracksync.adapters.postgres.database import PostgresDatabase
    from tracksync.ports import RunTicket

_CHUNK: Final = 200
_NO_LIMIT: Final = 1_000_000_000
_CANCEL_POINTS: Final = 9


def write_tracksync(url: str, feed: Feed) -> float:
    """TrackSync's own path: open a run, stage the differences, merge, close."""

    async def write(database: PostgresDatabase) -> float:
        began = monotonic()
        await _sync(database, feed)
        return monotonic() - began

    return asyncio.run(_with_database(url, write))


def cancel_tracksync(url: str, feed: Feed) -> float:
    """Return the longest time from a cancellation to the run's end, over cancellations spread over an initial load.

    How long a load takes is found out with another source, so that each load finds the same empty source.
    """

    async def cancel(database: PostgresDatabase) -> float:
        began = monotonic()
        await _written(database, await _opened(database, source="rehearsal"), feed)
        whole = monotonic() - began
        return max(
            [await _cancelled(database, feed, whole * at / (_CANCEL_POINTS + 1)) for at in range(1, _CANCEL_POINTS + 1)]
        )

    return asyncio.run(_with_database(url, cancel))


def write_copy(url: str, feed: Feed) -> float:
    """Raw binary COPY into the same table, with its indexes and checks."""
    import psycopg  # noqa: PLC0415 -- each method loads what it needs, so that its memory is its own

    columns = ", ".join(("source", *COLUMNS))
    with psycopg.connect(url) as connection:
        began = monotonic()
        with connection.cursor() as cursor, cursor.copy(f"COPY tracks ({columns}) FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(("text", *TYPES))
            for row in feed.rows():
                copy.write_row((SOURCE, *row))
        connection.commit()
        return monotonic() - began


def write_plan(url: str, feed: Feed) -> float:
    """The plan's way: SQLAlchemy Core, chunks of 200, one transaction each, then one UPDATE of what was not seen."""
    from sqlalchemy import bindparam, func, update  # noqa: PLC0415 -- as in write_copy
    from sqlalchemy.dialects.postgresql import ARRAY, TEXT  # noqa: PLC0415 -- as above
    from sqlalchemy.dialects.postgresql import insert as upsert  # noqa: PLC0415 -- as above

    tracks = _tracks_table()
    statement = upsert(tracks)
    changed: dict[str, Any] = {name: statement.excluded[name] for name in COLUMNS if name != "slug"}
    changed |= {"is_active": True, "deactivated_at": None, "last_seen_at": func.now(), "updated_at": func.now()}
    statement = statement.on_conflict_do_update(index_elements=["source", "slug"], set_=changed)
    seen = bindparam("seen", type_=ARRAY(TEXT))
    vanish = (
        update(tracks)
        .where(tracks.c.source == SOURCE, tracks.c.is_active, tracks.c.slug != func.all(seen))
        .values(is_active=False, deactivated_at=func.now())
    )
    engine = _engine(url)
    with engine.connect() as connection:
        began = monotonic()
        slugs: list[str] = []
        for chunk in _chunks(feed.rows()):
            rows = [{"source": SOURCE, **dict(zip(COLUMNS, row, strict=True))} for row in chunk]
            connection.execute(statement, rows)
            connection.commit()
            slugs.extend(row["slug"] for row in rows)
        connection.execute(vanish, {"seen": slugs})
        connection.commit()
        return monotonic() - began


def write_per_row(url: str, feed: Feed) -> float:
    """The predecessor's way: a SELECT and a write for each row, one commit at the end, then the UPDATE of the rest."""
    from sqlalchemy import bindparam, insert, select, update  # noqa: PLC0415 -- as in write_copy

    tracks = _tracks_table()
    find = select(tracks.c.id).where(tracks.c.source == SOURCE, tracks.c.slug == bindparam("key"))
    add, change = insert(tracks), update(tracks).where(tracks.c.id == bindparam("key"))
    # Not prepared: a plan that was made for the empty table would read all of it for each row.
    with _engine(url, prepare_threshold=None).connect() as connection:
        began = monotonic()
        seen: set[str] = set()
        for row in feed.rows():
            values = {"source": SOURCE, **dict(zip(COLUMNS, row, strict=True))}
            found = connection.execute(find, {"key": values["slug"]}).scalar_one_or_none()
            if found is None:
                connection.execute(add, values)
            else:
                fresh = {"is_active": True, "deactivated_at": None, "updated_at": datetime.now(UTC)}
                connection.execute(change, {**values, **fresh, "key": found})
            seen.add(values["slug"])
        stored = connection.execute(select(tracks.c.id, tracks.c.slug).where(tracks.c.is_active)).all()
        for key in (key for key, slug in stored if slug not in seen):
            connection.execute(change, {"is_active": False, "deactivated_at": datetime.now(UTC), "key": key})
        connection.commit()
        return monotonic() - began


async def _with_database(url: str, use: Callable[[PostgresDatabase], Awaitable[float]]) -> float:
    from tracksync.adapters.postgres.database import PostgresDatabase  # noqa: PLC0415 -- as in write_copy

    async with await PostgresDatabase.connect(url, application_name="bench") as database:
        return await use(database)


async def _sync(database: PostgresDatabase, feed: Feed) -> None:
    ticket = await _opened(database)
    await _written(database, ticket, feed)
    await _close(database, ticket, is_cancelled=False)


async def _opened(database: PostgresDatabase, source: str = SOURCE) -> RunTicket:
    from tracksync.ports import RunIdentity  # noqa: PLC0415 -- as in write_copy

    identity = RunIdentity(str(uuid4()), name="bench", namespace="", attempt=1, source=source)
    return await database.ledger.open_run(identity, spec_hash="bench")


async def _written(database: PostgresDatabase, ticket: RunTicket, feed: Feed) -> None:
    from tracksync.core.tracks.guards import DeactivationGuard  # noqa: PLC0415 -- as in write_copy
    from tracksync.core.tracks.model import Listing  # noqa: PLC0415 -- as above

    await database.ledger.stage_listing(ticket, Listing(FedTracks(feed)), refresh=None)
    await database.tracks.merge(ticket, guard=DeactivationGuard(max_count=_NO_LIMIT))


async def _close(database: PostgresDatabase, ticket: RunTicket, *, is_cancelled: bool) -> None:
    from tracksync.api.job import Results  # noqa: PLC0415 -- as in write_copy
    from tracksync.api.result import Outcome  # noqa: PLC0415 -- as above

    outcome = Outcome.CANCELLED if is_cancelled else Outcome.SUCCEEDED
    await database.ledger.close_run(ticket, outcome=outcome, reason="", results=Results())


async def _cancelled(database: PostgresDatabase, feed: Feed, seconds: float) -> float:
    """Return how long a run goes on after it was cancelled, its rollback and its ledger row included."""
    ticket = await _opened(database)
    writing = asyncio.create_task(_written(database, ticket, feed))
    await asyncio.wait({writing}, timeout=seconds)
    began = monotonic()
    writing.cancel()
    await asyncio.wait({writing})
    await _close(database, ticket, is_cancelled=writing.cancelled())
    return monotonic() - began


def _chunks(rows: Iterator[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    while chunk := list(islice(rows, _CHUNK)):
        yield chunk


def _tracks_table() -> Any:
    from tracksync.adapters.postgres.tables import TRACKS  # noqa: PLC0415 -- as in write_copy

    return TRACKS


def _engine(url: str, **options: Any) -> Any:
    from sqlalchemy import create_engine  # noqa: PLC0415 -- as in write_copy

    return create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1), connect_args=options)
