"""The SQL statements that open, close and settle a run, named and explained."""

from __future__ import annotations

from typing import Final

from psycopg.sql import SQL

# The revision that the database is at; NULL-free, no row when the table is empty.
READ_REVISION: Final = SQL("SELECT version_num FROM public.tracksync_version")
REVISION_TABLE_EXISTS: Final = SQL("SELECT to_regclass('public.tracksync_version') IS NOT NULL")

# A new run, or the next epoch of one that did not succeed. No row: the run is finished, or belongs to another source.
# Whoever closed the run without its checkpoint left no format there; a worker that crashed left what it had staged.
# Of two parsers that read dashboards of one run the older one counts.
OPEN_RUN: Final = SQL("""
INSERT INTO runs AS r (run_id, name, namespace, source, state, attempt, epoch, spec_hash, mode, started_at)
VALUES (%(run_id)s, %(name)s, %(namespace)s, %(source)s, 'running', %(attempt)s, 1, %(spec_hash)s, %(mode)s, now())
ON CONFLICT (run_id) DO UPDATE
SET state = 'running', attempt = excluded.attempt, epoch = r.epoch + 1, started_at = now(), finished_at = NULL,
    reason = '', results = NULL, spec_hash = excluded.spec_hash, mode = excluded.mode,
    checkpoint_format = CASE WHEN r.spec_hash = excluded.spec_hash THEN r.checkpoint_format END,
    parser_version = LEAST(r.parser_version, %(parser_version)s)
WHERE r.state NOT IN ('succeeded', 'completed_with_errors') AND r.source = excluded.source
RETURNING epoch, created_at, started_at, checkpoint_format, listing, merged
""")

# Waits for a transaction of the run that may still be under way, whichever fence it holds.
LOCK_RUN: Final = SQL("SELECT 1 FROM runs WHERE run_id = %(run_id)s FOR UPDATE")

# Tells one opening from another that came to the same epoch: no two begin in the same microsecond, one after the other.
IS_OPENED: Final = SQL("""
SELECT 1 FROM runs
WHERE run_id = %(run_id)s AND epoch = %(epoch)s AND started_at = %(started_at)s AND state = 'running'
""")

CLOSE_RUN: Final = SQL("""
UPDATE runs
SET state = %(state)s, finished_at = now(), reason = %(reason)s, results = %(results)s,
    checkpoint_format = CASE WHEN %(keep_checkpoint)s THEN checkpoint_format END
WHERE run_id = %(run_id)s AND epoch = %(epoch)s AND state = 'running'
RETURNING run_id
""")

# Tells a close that is repeated (its reply was lost) from a newer epoch.
IS_CLOSED_AS: Final = SQL("""
SELECT 1 FROM runs WHERE run_id = %(run_id)s AND epoch = %(epoch)s AND state = %(state)s
""")

# How the items of a run that has merged ended, as far as they are still there: due, unmodified, failed.
COUNT_ENDS: Final = SQL("""
SELECT count(*) FILTER (WHERE finished_at IS NOT NULL), count(*) FILTER (WHERE state = 'unmodified'),
       count(*) FILTER (WHERE state = 'failed')
FROM sync_items
WHERE run_id = %(run_id)s
""")
