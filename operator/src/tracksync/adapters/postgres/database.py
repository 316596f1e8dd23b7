"""The entrance: a connected database with its ledger, its tracks, and what is shared about sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from tracksync.adapters.postgres.history import PostgresHistory
from tracksync.adapters.postgres.ledger import PostgresLedger
from tracksync.adapters.postgres.pace import PostgresPace
from tracksync.adapters.postgres.robots import PostgresRobots
from tracksync.adapters.postgres.session import Session
from tracksync.adapters.postgres.tracks import PostgresTrackStore
from tracksync.adapters.postgres.undo import PostgresUndo
from tracksync.adapters.postgres.url import connection_parameters

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from tracksync.adapters.postgres.url import Parameters


class PostgresDatabase:
    """Two connections to PostgreSQL, opened again by themselves when they were lost.

    The second one is opened when it is first used. It serves what requests to a source wait for, and the lease, so
    that a long merge or staging on the first one never delays a request or a heartbeat.

    Attributes:
        ledger: runs and their items.
        tracks: the tracks.
        history: what became of runs.
        undo: taking a run back.
        robots: what is known of robots.txt files; on the second connection.
    """

    def __init__(self, session: Session, second_session: Session) -> None:
        self._session = session
        self._second_session = second_session
        self.ledger = PostgresLedger(session, second_session)
        self.tracks = PostgresTrackStore(session)
        self.history = PostgresHistory(session)
        self.undo = PostgresUndo(session)
        self.robots = PostgresRobots(second_session)

    def pace(self, domain: str) -> PostgresPace:
        """Return the pace of a registrable domain, which all users of the database share; on the second connection."""
        return PostgresPace(self._second_session, domain)

    @classmethod
    async def connect(
        cls, url: str | Callable[[], str], *, application_name: str, timeout_seconds: float = 10.0
    ) -> Self:
        """Return a connected database.

        Args:
            url: `postgresql://…`, `postgres://…` or `postgresql+psycopg://…`, or what returns it: it is called each
                time that a connection is made, so that a rotated password is found. Without `sslmode`, a host that is
                neither a socket nor loopback must prove its name with a certificate (verify-full).
            application_name: shows in the server's `pg_stat_activity`; the run id.
            timeout_seconds: how long to wait for the connection.

        Raises:
            DatabaseCredentialsError: the URL is unusable, or the server refuses what it says.
            DatabaseUnavailableError: the server cannot be reached in time.
            ConfigurationError: the server is older than PostgreSQL 14.
        """
        database = cls.prepare(url, application_name=application_name, timeout_seconds=timeout_seconds)
        await database.open()
        return database

    @classmethod
    def prepare(cls, url: str | Callable[[], str], *, application_name: str, timeout_seconds: float = 10.0) -> Self:
        """Return a database that connects when it is first used; parameters as in `connect`.

        Raises:
            DatabaseCredentialsError: the URL is unusable.
        """

        def parameters() -> Parameters:
            now = url if isinstance(url, str) else url()
            return connection_parameters(now, application_name=application_name, timeout_seconds=timeout_seconds)

        parameters()
        sessions = (Session(parameters, timeout_seconds=timeout_seconds) for _ in range(2))
        return cls(*sessions)

    async def open(self) -> None:
        """Open the first connection now; raises what `connect` raises."""
        await self._session.open()

    async def close(self) -> None:
        """Close the connections; what was not committed is rolled back."""
        await self._session.close()
        await self._second_session.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()
