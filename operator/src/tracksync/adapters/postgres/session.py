"""One connection to the database, used by one transaction at a time, opened again after it was lost.

Every transaction sets its own limits with `set_config(…, true)`, so they hold behind a transaction-mode pooler as well.
A statement that is a transaction of its own takes one round trip instead of four; its limit is kept on this side.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg import AsyncConnection

from tracksync.adapters.postgres import failures
from tracksync.adapters.postgres.url import connection_string
from tracksync.errors import ConfigurationError, DatabaseCredentialsError, DatabaseUnavailableError, TrackSyncError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from psycopg.sql import SQL, Composed

    from tracksync.adapters.postgres.url import Parameters

    Settle = Callable[["Connection"], Awaitable[bool]]
    """Tells on a new connection whether a transaction was committed, by what it wrote. It first locks a row that the
    transaction had locked, so that it waits for one that is still under way."""

Connection = AsyncConnection[tuple[Any, ...]]

OLDEST_SERVER: Final = 140000
"""PostgreSQL 14, as libpq writes it."""
LIMITS: Final = {
    "search_path": "public, pg_temp",
    "statement_timeout": "300s",
    "lock_timeout": "15s",
    "idle_in_transaction_session_timeout": "60s",
    "jit": "off",
    "timezone": "UTC",
}
"""Settings of every transaction. `pg_temp` last: no temporary table can stand in front of ours."""
STATEMENT_SECONDS: Final = 15.0
"""How long a statement of its own may take."""
COMMIT_SECONDS: Final = 5.0
"""How long a cancellation waits for a COMMIT under way."""
COMMIT_REPLY_SECONDS: Final = 60.0
"""How long the answer to a COMMIT may take before the connection counts as lost."""
SETTLE_SECONDS: Final = 30.0
"""How long a new connection is tried for, to read what became of a COMMIT whose answer was lost."""
SETTLE_PAUSE_SECONDS: Final = 0.25
READ_ONLY: Final = "25006"
SET_LIMITS: Final = "SELECT " + ", ".join(f"set_config('{name}', '{value}', true)" for name, value in LIMITS.items())

SET_STATEMENT_TIMEOUT: Final = "SELECT set_config('statement_timeout', %s, true)"


class Session:
    """The connection's keeper."""

    def __init__(self, parameters: Callable[[], Parameters], *, timeout_seconds: float) -> None:
        """Connect with what `parameters` returns at that time: a password may have changed since."""
        self._parameters = parameters
        self._timeout_seconds = timeout_seconds
        self._turn = asyncio.Lock()
        self._connection: Connection | None = None

    async def open(self) -> None:
        """Connect now, unless connected.

        Raises:
            DatabaseCredentialsError: the server refuses the user, the password, the database or the encryption.
            DatabaseUnavailableError: the server cannot be reached in time.
            ConfigurationError: the server is older than PostgreSQL 14.
        """
        async with self._turn:
            await self._live_connection()

    async def close(self) -> None:
        """Close the connection; an open transaction is rolled back by the server."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(psycopg.Error):
                await connection.close()

    @asynccontextmanager
    async def transaction(
        self, *, commit_outlives_cancel: bool = False, settle: Settle | None = None, statement_timeout: str = ""
    ) -> AsyncIterator[Connection]:
        """Commit what the block did, or nothing of it: after an error or a cancellation nothing is written.

        A COMMIT under way cannot be taken back. A cancellation waits until it says what became of it; with
        `commit_outlives_cancel` one that succeeded then counts as success, and the cancellation is left out.

        When the connection is lost in the COMMIT, nobody knows what became of it. With `settle` it is read on a new
        connection: committed is success, not committed an error like any other lost connection.

        Args:
            commit_outlives_cancel: see above.
            settle: see above.
            statement_timeout: how long one statement may take, as PostgreSQL writes it; else that of LIMITS.

        Raises:
            TrackSyncError: whatever psycopg raised, in TrackSync's words.
        """
        async with self._turn:
            connection = await self._live_connection()
            try:
                await connection.execute("BEGIN")
                await connection.execute(SET_LIMITS)
                if statement_timeout:
                    await connection.execute(SET_STATEMENT_TIMEOUT, [statement_timeout])
                yield connection
                await self._commit(connection, settle, outlives_cancel=commit_outlives_cancel)
            except psycopg.Error as error:
                await self._roll_back(connection, is_misplaced=error.sqlstate == READ_ONLY)
                raise failures.statement_failed(error) from None
            except TrackSyncError:
                await self._roll_back(connection)
                raise
            except BaseException:
                # A cancelled statement leaves the connection in doubt; the server rolls back when it is closed.
                if not _is_idle(connection):
                    await self.close()
                raise

    async def _commit(self, connection: Connection, settle: Settle | None, *, outlives_cancel: bool) -> None:
        committing = asyncio.ensure_future(_committed(connection))
        try:
            await asyncio.shield(committing)
        except asyncio.CancelledError:
            await asyncio.wait({committing}, timeout=COMMIT_SECONDS)
            committing.cancel()
            if not outlives_cancel or not await self._is_committed(connection, committing, settle):
                raise
        except psycopg.Error:
            if settle is None or not _is_lost(connection):
                raise
            if not await self._settled(settle, seconds=SETTLE_SECONDS):
                raise

    async def _is_committed(
        self, connection: Connection, committing: asyncio.Future[None], settle: Settle | None
    ) -> bool:
        """Tell what became of the COMMIT of a cancelled transaction; False also when that cannot be read soon."""
        if committing.done() and not committing.cancelled() and committing.exception() is None:
            return True
        if settle is None or not _is_lost(connection):
            return False
        with contextlib.suppress(TrackSyncError):
            return await self._settled(settle, seconds=COMMIT_SECONDS)
        return False

    async def _settled(self, settle: Settle, *, seconds: float) -> bool:
        """Return whether the transaction was committed; a server that is away is waited for.

        Raises:
            DatabaseUnavailableError: it cannot be read in this time.
        """
        deadline = time.monotonic() + seconds
        while True:
            await self.close()
            with contextlib.suppress(psycopg.Error, DatabaseUnavailableError, DatabaseCredentialsError):
                return await self._ask(settle)
            if time.monotonic() > deadline:
                raise DatabaseUnavailableError(
                    "the connection to the database was lost in a COMMIT, and what became of it cannot be read yet"
                )
            await asyncio.sleep(SETTLE_PAUSE_SECONDS)

    async def _ask(self, settle: Settle) -> bool:
        connection = await self._live_connection()
        await connection.execute("BEGIN")
        await connection.execute(SET_LIMITS)
        is_committed = await settle(connection)
        await connection.execute("ROLLBACK")
        return is_committed

    async def statement(self, query: SQL | Composed, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
        """Run one statement as a transaction of its own, in one round trip, and return its rows.

        It may run twice: when the connection turns out to be lost, it is opened again and the statement repeated once.
        No setting holds: the statement writes its tables' schema.

        Raises:
            TrackSyncError: whatever psycopg raised, in TrackSync's words; DatabaseUnavailableError also when the
                database does not answer in time.
        """
        async with self._turn:
            try:
                return await self._answer(query, values)
            except psycopg.Error as error:
                if self._connection is not None:
                    raise failures.statement_failed(error) from None
            try:
                return await self._answer(query, values)
            except psycopg.Error as error:
                raise failures.statement_failed(error) from None

    async def _answer(self, query: SQL | Composed, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
        """Return the statement's rows. A connection that is lost or in doubt afterwards is given up."""
        connection = await self._live_connection()
        try:
            async with asyncio.timeout(STATEMENT_SECONDS):
                cursor = await connection.execute(query, values)
                return await cursor.fetchall() if cursor.description else []
        except TimeoutError:
            raise DatabaseUnavailableError(f"the database did not answer within {STATEMENT_SECONDS:g} s") from None
        finally:
            if not _is_idle(connection):
                await self.close()

    async def _roll_back(self, connection: Connection, *, is_misplaced: bool = False) -> None:
        """End the transaction; a connection that cannot even do that is closed, and the server rolls back.

        One that is misplaced, on a server that does not write, is closed as well: the next one may lead elsewhere.
        """
        if connection is not self._connection:
            return  # it was lost in its COMMIT, and replaced
        try:
            await connection.execute("ROLLBACK")
        except psycopg.Error:
            is_misplaced = True
        if is_misplaced:
            await self.close()

    async def _live_connection(self) -> Connection:
        if self._connection is not None and _is_idle(self._connection):
            return self._connection
        await self.close()
        self._connection = await self._connect()
        return self._connection

    async def _connect(self) -> Connection:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                # No prepared statements: a transaction-mode pooler may serve the next one from another connection.
                connection = await AsyncConnection.connect(
                    connection_string(self._parameters()), autocommit=True, prepare_threshold=None
                )
        except TimeoutError:
            message = f"the database did not answer within {self._timeout_seconds:g} s"
            raise DatabaseUnavailableError(message) from None
        except psycopg.Error as error:
            raise failures.connecting_failed(error) from None
        if connection.info.server_version < OLDEST_SERVER:
            await connection.close()
            raise ConfigurationError("the database server is older than PostgreSQL 14; use 14 or newer")
        return connection


async def _committed(connection: Connection) -> None:
    try:
        async with asyncio.timeout(COMMIT_REPLY_SECONDS):
            await connection.execute("COMMIT")
    except TimeoutError:
        await connection.close()
        raise psycopg.OperationalError from None


def _is_idle(connection: Connection) -> bool:
    return not connection.closed and connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def _is_lost(connection: Connection) -> bool:
    return connection.closed or connection.info.transaction_status == psycopg.pq.TransactionStatus.UNKNOWN


async def one_row(connection: Connection, statement: SQL | Composed, values: Mapping[str, object]) -> tuple[Any, ...]:
    """Return the one row of a statement that always has one."""
    rows = await (await connection.execute(statement, values)).fetchall()
    return rows[0]
