"""The SQL statements that read and forget runs. Values are always bound."""

from __future__ import annotations

from typing import Final

from psycopg.sql import SQL

from tracksync.adapters.postgres.statements import names

RUN_COLUMNS: Final = (
    "run_id",
    "name",
    "namespace",
    "source",
    "mode",
    "state",
    "reason",
    "attempt",
    "created_at",
    "started_at",
    "finished_at",
    "merged_at",
    "results",
)
"""Columns of `runs` that make a `RunRecord`, by the names of its attributes."""
_RUN: Final = names(RUN_COLUMNS)

# Newest first. Each narrowing is one comparison with an index behind it; a parameter that is NULL drops out when the
# statement is planned, because it is planned with its values.
FIND_RUNS: Final = SQL("""
SELECT {run} FROM runs
WHERE (%(name)s::text IS NULL OR name = %(name)s)
  AND (%(namespace)s::text IS NULL OR namespace = %(namespace)s)
  AND (%(state)s::text IS NULL OR state = %(state)s)
  AND (%(since)s::timestamptz IS NULL OR created_at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR created_at < %(until)s)
ORDER BY created_at DESC, run_id
LIMIT %(limit)s
""").format(run=_RUN)
READ_RUN: Final = SQL("SELECT {run} FROM runs WHERE run_id = %(run_id)s").format(run=_RUN)

CHANGES_OF_RUN: Final = SQL("""
SELECT t.slug, c.kind, c.fields FROM changes AS c JOIN tracks AS t ON t.id = c.track_id
WHERE c.run_id = %(run_id)s
ORDER BY t.slug COLLATE "C"
""")
PLANNED_BY_RUN: Final = SQL("""
SELECT slug, kind, fields FROM planned_changes WHERE run_id = %(run_id)s ORDER BY slug COLLATE "C"
""")
FAILURES_OF_RUN: Final = SQL("""
SELECT slug, error_class, http_status, attempts FROM sync_items
WHERE run_id = %(run_id)s AND error_class IS NOT NULL
ORDER BY slug COLLATE "C"
""")

# Runs that ended before the limit, or that nobody has touched since: their worker is gone. A run whose lease is still
# held is never among them.
OLD_RUNS: Final = SQL("""
SELECT run_id FROM runs AS r
WHERE coalesce(finished_at, started_at) < now() - make_interval(days => %(keep_days)s)
  AND NOT EXISTS (SELECT 1 FROM leases AS l WHERE l.run_id = r.run_id AND l.expires_at > clock_timestamp())
ORDER BY created_at
LIMIT %(limit)s
""")

# What belongs to a run goes first and in parts, so that no transaction is long; the cascade then finds nothing left.
FORGET_PARTS: Final = tuple(
    SQL(
        "DELETE FROM {0} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {0} WHERE run_id = %(run_id)s LIMIT %(limit)s))"
    ).format(SQL(table))
    for table in ("sync_items", "sync_new_tracks", "changes", "planned_changes")
)
FORGET_RUN: Final = SQL("DELETE FROM runs WHERE run_id = %(run_id)s")
