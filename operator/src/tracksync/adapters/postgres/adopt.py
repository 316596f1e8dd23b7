"""Takes over a predecessor's table of tracks: all of it in one transaction, with its ids, or nothing.

It runs as the owner of the tables: ids and what belongs to the admin are out of the writer's reach.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import psycopg
from psycopg.sql import SQL, Composed, Identifier
from psycopg.types.json import Jsonb

from tracksync.adapters.postgres import adopt_statements, failures, lease_statements
from tracksync.adapters.postgres.adopt_values import AdoptableRow, Defaults, Refusal, adoptable
from tracksync.adapters.postgres.migrate import current_and_expected
from tracksync.adapters.postgres.revision import schema_mismatch
from tracksync.adapters.postgres.session import SET_LIMITS
from tracksync.adapters.postgres.url import connection_parameters, connection_string
from tracksync.api.identity import APP_NAME
from tracksync.api.job import Results
from tracksync.errors import ConfigurationError, DatabaseUnavailableError, FailureReason, SettingsError, lease_held

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from uuid import UUID

    from tracksync.adapters.postgres.adopt_mapping import ColumnMapping, ZeroTotals

    Connection = psycopg.Connection[tuple[Any, ...]]

BATCH: Final = 2000
"""Rows that are in memory at once."""
MOST_NAMED: Final = 20
"""Refused rows, and conflicts of a kind, that are named; all are counted."""
CONNECT_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class AdoptionWish:
    """What is to be adopted.

    Attributes:
        table: the predecessor's table as the user writes it, `schema.table`.
        mapping: which of its columns becomes which of ours.
        source: name of the source that the tracks belong to.
        domain: the source's registrable domain.
        zero_totals: what a total of 0 means.
        is_applied: False: everything is read and compared, nothing is written.
    """

    table: str
    mapping: ColumnMapping
    source: str
    domain: str
    zero_totals: ZeroTotals
    is_applied: bool = False


@dataclass(frozen=True, slots=True)
class AdoptionReport:
    """What an adoption did, or would do.

    Attributes:
        table: the predecessor's table.
        source: the source that the tracks belong to.
        rows: rows of the table.
        adopted: those that were, or would be, taken over.
        already_here: those that are here with the same id; they are left alone.
        followed: rows that people follow.
        unknown_totals: totals of 0 that were taken as unknown.
        conflicts: rows that two tracks would share, named by slug and id; the first MOST_NAMED of each kind.
        refused: the first MOST_NAMED rows that cannot be taken over.
        refused_rows: how many there are of these.
        run_id: the run in the ledger; None when nothing was written.
    """

    table: str
    source: str
    rows: int = 0
    adopted: int = 0
    already_here: int = 0
    followed: int = 0
    unknown_totals: int = 0
    conflicts: tuple[str, ...] = ()
    refused: tuple[Refusal, ...] = ()
    refused_rows: int = 0
    run_id: str | None = None

    @property
    def is_clean(self) -> bool:
        """Whether nothing stands in the way."""
        return not self.conflicts and not self.refused_rows


def adopt(url: str, wish: AdoptionWish) -> AdoptionReport:
    """Take over the table's rows when the wish says so and nothing stands in the way; else write nothing.

    Raises:
        SettingsError: the table or a mapped column does not exist, or a required one is missing.
        SchemaMismatchError: the database is at another revision.
        LeaseHeldError: a run is writing into the source's tracks.
        TrackSyncError: the database cannot be used.
    """
    current, expected = current_and_expected(url)
    if current != expected:
        raise schema_mismatch(current)
    run_id = uuid4()
    with _transaction(url) as connection:
        if wish.is_applied:
            _hold_lease(connection, wish.source, run_id)
        their_table, their_columns = _described(connection, wish.table)
        columns = wish.mapping.completed(frozenset(their_columns), table=wish.table)
        question = _question(their_table, columns, their_columns)
        report = _compared(connection, _staged(connection, question, tuple(columns), wish))
        if wish.is_applied and report.is_clean:
            return _written(connection, report, run_id)
        connection.rollback()
        return report


@contextmanager
def _transaction(url: str) -> Iterator[Connection]:
    parameters = connection_parameters(url, application_name=f"{APP_NAME}-adopt", timeout_seconds=CONNECT_SECONDS)
    try:
        connection = psycopg.connect(connection_string(parameters))
    except psycopg.Error as error:
        raise failures.connecting_failed(error) from None
    try:
        with connection:
            connection.execute(SET_LIMITS)
            yield connection
    except psycopg.Error as error:
        raise failures.statement_failed(error) from None


def _hold_lease(connection: Connection, source: str, run_id: UUID) -> None:
    """Keep every run of the source from beginning until the transaction ends; one that goes on stops the adoption.

    The lease is taken for no time: once the transaction has ended, whoever wants it has it.
    """
    values = {"source": source, "run_id": run_id, "seconds": 0}
    connection.execute(lease_statements.MAKE_LEASE, values)
    ((holder, name, expires_at, seconds_left),) = _rows(connection, lease_statements.LOCK_LEASE, values)
    if seconds_left > 0:
        raise lease_held(source, str(holder), name, expires_at=expires_at, seconds_left=seconds_left)
    connection.execute(lease_statements.FENCE_HOLDER, {"holder": holder, "reason": FailureReason.FENCED.value})
    connection.execute(lease_statements.TAKE_LEASE, values)


def _described(connection: Connection, name: str) -> tuple[Composed, Mapping[str, str]]:
    """Return the table and the types of its columns; SettingsError when there is none to read."""
    parts = _identifiers(connection, name)
    found = _rows(connection, adopt_statements.FIND_TABLE, {"schema": parts[0], "table": parts[1]})
    if not found:
        raise SettingsError(f"--from: there is no table {name} in this database; write it as schema.table")
    if parts == ("public", "tracks"):
        raise SettingsError(
            "--from: public.tracks is TrackSync's own table; move the old one to a schema of its own before migrating"
        )
    if not found[0][1]:
        raise ConfigurationError(f"--from: the database user may not read {name}; GRANT SELECT on it and its schema")
    columns = _rows(connection, adopt_statements.COLUMNS, {"oid": found[0][0]})
    return SQL("{}").format(Identifier(*parts)), dict(columns)


def _identifiers(connection: Connection, name: str) -> tuple[str, str]:
    """Return schema and table as PostgreSQL reads them: folded to lower case unless quoted."""
    try:
        with connection.transaction():
            parts = tuple(_rows(connection, adopt_statements.PARSE_NAME, {"name": name})[0][0])
    except psycopg.DataError:
        parts = ()
    if len(parts) == 1:
        return "public", parts[0]
    if len(parts) != 2:  # noqa: PLR2004 -- a schema and a table
        raise SettingsError("--from: is no table's name; write it as schema.table")
    return parts[0], parts[1]


def _question(their_table: Composed, columns: Mapping[str, str], types: Mapping[str, str]) -> Composed:
    """Return the query for their mapped columns; times come as text, since not all of them are dates of Python's."""
    forms = {"D": SQL("{}::text")}
    values = [forms.get(types[theirs], SQL("{}")).format(Identifier(theirs)) for theirs in columns.values()]
    return SQL("SELECT {} FROM {}").format(SQL(", ").join(values), their_table)


def _staged(connection: Connection, question: Composed, columns: tuple[str, ...], wish: AdoptionWish) -> AdoptionReport:
    """Read the table row by row, and keep what can be adopted in a temporary table."""
    report = AdoptionReport(wish.table, wish.source)
    connection.execute(adopt_statements.MAKE_STAGE)
    now = _rows(connection, SQL("SELECT now()"), {})[0][0]
    defaults = Defaults(wish.source, wish.domain, now, wish.zero_totals)
    with connection.cursor(name="theirs") as cursor:
        cursor.execute(question)
        while batch := cursor.fetchmany(BATCH):
            rows = (dict(zip(columns, row, strict=True)) | dict(wish.mapping.constants) for row in batch)
            found = [adoptable(row, defaults, position=at) for at, row in enumerate(rows, start=report.rows + 1)]
            _keep(connection, [each for each in found if isinstance(each, AdoptableRow)])
            report = _counted(report, found)
    connection.execute(adopt_statements.ANALYZE_STAGE)
    return report


def _keep(connection: Connection, rows: Sequence[AdoptableRow]) -> None:
    with connection.cursor() as cursor, cursor.copy(adopt_statements.FILL_STAGE) as copy:
        for row in rows:
            copy.write_row((*row.values, row.their_slug))


def _counted(report: AdoptionReport, found: Sequence[AdoptableRow | Refusal]) -> AdoptionReport:
    refused = [each for each in found if isinstance(each, Refusal)]
    usable = [each for each in found if isinstance(each, AdoptableRow)]
    return replace(
        report,
        rows=report.rows + len(found),
        followed=report.followed + sum(each.is_followed for each in usable),
        unknown_totals=report.unknown_totals + sum(each.unknown_totals for each in usable),
        refused=(*report.refused, *refused)[:MOST_NAMED],
        refused_rows=report.refused_rows + len(refused),
    )


def _compared(connection: Connection, report: AdoptionReport) -> AdoptionReport:
    """Return the report with what is here already, and with what cannot be here twice."""
    conflicts = [
        line
        for statement in adopt_statements.CONFLICTS
        for (line,) in _rows(connection, statement, {"most": MOST_NAMED})
    ]
    ((staged, already_here),) = _rows(connection, adopt_statements.COUNT_STAGE, {})
    return replace(report, adopted=staged - already_here, already_here=already_here, conflicts=tuple(conflicts))


def _written(connection: Connection, report: AdoptionReport, run_id: UUID) -> AdoptionReport:
    """Write tracks, log and ledger row; the caller's transaction commits them together."""
    results = Results(listed=report.rows, inserted=report.adopted, unchanged=report.already_here)
    run = {"run_id": run_id, "source": report.source, "results": Jsonb(results.to_wire())}
    connection.execute(adopt_statements.RECORD_RUN, run)
    ((adopted,),) = _rows(connection, adopt_statements.ADOPT, {"run_id": run_id})
    if adopted != report.adopted:
        raise DatabaseUnavailableError(
            "another session changed the tracks meanwhile; nothing was written, run it again"
        )
    return replace(report, run_id=str(run_id))


def _rows(connection: Connection, statement: SQL | Composed, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
    return connection.execute(statement, values).fetchall()
