"""One connection to the database, used by one transaction at a time, opened again after it was lost.

Every transaction sets its own limits with `set_config(…, true)`, so they hold behind a transaction-mode pooler as well.
A statement that is a transaction of its own takes one round trip instead of four; its limit is kept on this side.
"""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg import AsyncConnection

from tracksync.adapters.postgres import failures
from tracksync.adapters.postgres.url import connection_string
from tracksync.errors import ConfigurationError, DatabaseUnavailableError, TrackSyncError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from psycopg.sql import SQL, Composed

    from tracksync.adapters.postgres.url import Parameters

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
SET_LIMITS: Final = "SELECT " + ", ".join(f"set_config('{name}', '{value}', true)" for name, value in LIMITS.items())


class Session:
    """The connection's keeper."""

    def __init__(self, parameters: Parameters, *, timeout_seconds: float) -> None:
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
    async def transaction(self, *, commit_outlives_cancel: bool = False) -> AsyncIterator[Connection]:
        """Commit what the block did, or nothing of it: after an error or a cancellation nothing is written.

        A COMMIT under way cannot be taken back. A cancellation waits until it says what became of it; with
        `commit_outlives_cancel` one that succeeded then counts as success, and the cancellation is left out.

        Raises:
            TrackSyncError: whatever psycopg raised, in TrackSync's words.
        """
        async with self._turn:
            connection = await self._live_connection()
            try:
                await connection.execute("BEGIN")
                await connection.execute(SET_LIMITS)
                yield connection
                await _commit(connection, outlives_cancel=commit_outlives_cancel)
            except psycopg.Error as error:
                await self._roll_back(connection)
                raise failures.statement_failed(error) from None
            except TrackSyncError:
                await self._roll_back(connection)
                raise
            except BaseException:
                # A cancelled statement leaves the connection in doubt; the server rolls back when it is closed.
                if not _is_idle(connection):
                    await self.close()
                raise

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

    async def _roll_back(self, connection: Connection) -> None:
        """End the transaction; a connection that cannot even do that is closed, and the server rolls back."""
        try:
            await connection.execute("ROLLBACK")
        except psycopg.Error:
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
                    connection_string(self._parameters), autocommit=True, prepare_threshold=None
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


async def _commit(connection: Connection, *, outlives_cancel: bool) -> None:
    committing = asyncio.ensure_future(connection.execute("COMMIT"))
    try:
        await asyncio.shield(committing)
    except asyncio.CancelledError:
        await asyncio.wait({committing}, timeout=COMMIT_SECONDS)
        committing.cancel()
        if not outlives_cancel or not committing.done() or committing.exception() is not None:
            raise


def _is_idle(connection: Connection) -> bool:
    return not connection.closed and connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
