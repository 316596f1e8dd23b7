"""Binary COPY into the staging tables, one at a time, whatever the order in which their rows come."""

from __future__ import annotations

from collections import defaultdict
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from psycopg import adapters
from psycopg.types.string import BytesBinaryDumper

from tracksync.adapters.postgres import statements

if TYPE_CHECKING:
    from types import TracebackType

    from psycopg import AsyncCopy
    from psycopg.sql import Composed

    from tracksync.adapters.postgres.session import Connection

    Values = tuple[object, ...]

MOST_WAITING: Final = 500
"""From so many rows on another table is written; a row has a few kilobytes at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """A COPY statement and the types of its columns."""

    statement: Composed
    types: tuple[str, ...]


class _UuidBytesDumper(BytesBinaryDumper):
    """Writes a UUID that is given as its 16 bytes; these two dumpers are C, while those of the default are Python."""

    oid = adapters.types["uuid"].oid


ITEMS: Final = Target(statements.STAGE_ITEMS, statements.STAGED_TYPES)
NEW_TRACKS: Final = Target(statements.STAGE_NEW, statements.NEW_TYPES)
VANISHED: Final = Target(statements.STAGE_VANISHED, statements.VANISHED_TYPES)


class Copies:
    """Use as an async context manager; what was written counts once it ends without an error.

    Attributes:
        written: rows; those that wait are not among them.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._target: Target | None = None
        self._copy: AsyncCopy | None = None
        self._open = AsyncExitStack()
        self._waiting: dict[Target, list[Values]] = defaultdict(list)
        self.written = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            await self.write(at_least=1)
        await self._open.__aexit__(kind, error, traceback)

    def add(self, target: Target, row: Values) -> None:
        """Take a row; `write` writes it."""
        self._waiting[target].append(row)

    async def write(self, *, at_least: int = MOST_WAITING) -> None:
        """Write what waits for the table that is being written, and for another one if that are so many rows."""
        for target, rows in sorted(self._waiting.items(), key=lambda each: each[0] is not self._target):
            if rows and (target is self._target or len(rows) >= at_least):
                copy = await self._begun(target)
                for row in rows:
                    await copy.write_row(row)
                self.written += len(rows)
                rows.clear()

    async def _begun(self, target: Target) -> AsyncCopy:
        """Return the COPY into this table; only one can be under way."""
        if target is self._target and self._copy is not None:
            return self._copy
        await self._open.aclose()
        cursor: Any = await self._open.enter_async_context(self._connection.cursor())
        cursor.adapters.register_dumper(bytes, BytesBinaryDumper)
        cursor.adapters.register_dumper(bytes, _UuidBytesDumper)
        copy: AsyncCopy = await self._open.enter_async_context(cursor.copy(target.statement))
        self._copy = copy
        self._target = target
        copy.set_types(target.types)
        return copy
