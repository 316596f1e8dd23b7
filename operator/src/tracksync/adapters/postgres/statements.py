"""The SQL statements of the sync but for the merge, named and explained.

Identifiers come from `columns`, values are always bound.
"""

from __future__ import annotations

from typing import Final

from psycopg.sql import SQL, Composed, Identifier

from tracksync.adapters.postgres.columns import LISTING_COLUMNS, TRACK_COLUMNS

STAGED_COLUMNS: Final = ("run_id", "slug", *LISTING_COLUMNS, "state", "etag", "last_modified")
STAGED_TYPES: Final = ("uuid", "text", "text", "text", "text", "text", "bool", "text", "text", "text", "text")
"""PostgreSQL's types of STAGED_COLUMNS, for binary COPY."""


def names(columns: tuple[str, ...]) -> Composed:
    """Return the columns as a list of identifiers."""
    return SQL(", ").join(Identifier(column) for column in columns)


# The revision that the database is at; NULL-free, no row when the table is empty.
READ_REVISION: Final = SQL("SELECT version_num FROM public.tracksync_version")
REVISION_TABLE_EXISTS: Final = SQL("SELECT to_regclass('public.tracksync_version') IS NOT NULL")

# A new run, or the next epoch of one that did not succeed. No row: the run is finished, or belongs to another source.
# Whoever closed the run without its checkpoint left no format there; a worker that crashed left what it had staged.
# Of two parsers that read dashboards of one run the older one counts.
OPEN_RUN: Final = SQL("""
INSERT INTO runs AS r (run_id, name, namespace, source, state, attempt, epoch, spec_hash)
VALUES (%(run_id)s, %(name)s, %(namespace)s, %(source)s, 'running', %(attempt)s, 1, %(spec_hash)s)
ON CONFLICT (run_id) DO UPDATE
SET state = 'running', attempt = excluded.attempt, epoch = r.epoch + 1, started_at = now(), finished_at = NULL,
    reason = '', results = NULL, spec_hash = excluded.spec_hash,
    checkpoint_format = CASE WHEN r.spec_hash = excluded.spec_hash THEN r.checkpoint_format END,
    parser_version = LEAST(r.parser_version, %(parser_version)s)
WHERE r.state NOT IN ('succeeded', 'completed_with_errors') AND r.source = excluded.source
RETURNING epoch, created_at, checkpoint_format, listing
""")

# Whether another run has seen the whole catalogue since this one's page was read.
IS_OUTDATED: Final = SQL("""
SELECT EXISTS (
    SELECT 1 FROM runs AS r JOIN source_state AS s ON s.source = r.source
    WHERE r.run_id = %(run_id)s AND s.last_complete_run <> r.run_id
      AND s.last_complete_at > coalesce(r.listed_at, r.created_at)
)
""")

KEEP_CHECKPOINT: Final = SQL("""
UPDATE runs
SET checkpoint_format = %(checkpoint_format)s, listing = %(listing)s::jsonb, parser_version = %(parser_version)s,
    listed_at = now()
WHERE run_id = %(run_id)s
""")

# What failed in an earlier epoch gets all its tries again; what it failed with is still known.
RETRY_FAILED_ITEMS: Final = SQL("""
UPDATE sync_items SET state = 'waiting', attempts = 0, next_try = NULL
WHERE run_id = %(run_id)s AND state = 'failed'
""")

# The fence: locks the run's row until the transaction ends, so that a newer epoch has to wait for it or ends it.
# SHARE lets several pods of one run record items side by side.
# It also turns hash and merge joins off, see RECORD_ITEMS.
FENCE_SHARED: Final = SQL("""
SELECT set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)
FROM runs WHERE run_id = %(run_id)s AND epoch = %(epoch)s AND state = 'running' FOR SHARE
""")
FENCE: Final = SQL("""
SELECT state FROM runs WHERE run_id = %(run_id)s AND epoch = %(epoch)s AND state = 'running' FOR UPDATE
""")

DISCARD_ITEMS: Final = SQL("DELETE FROM sync_items WHERE run_id = %(run_id)s")

# After a success only the failures are worth keeping; what was merged may be personal and lives in `tracks` alone.
DISCARD_MERGED_ITEMS: Final = SQL("DELETE FROM sync_items WHERE run_id = %(run_id)s AND state <> 'failed'")

STAGE_ITEMS: Final = SQL("COPY sync_items ({}) FROM STDIN (FORMAT BINARY)").format(names(STAGED_COLUMNS))

# What is known of the source's dashboards: what decides whether they are due, and what is sent along.
KNOWN_DASHBOARDS: Final = SQL("""
SELECT t.slug, f.as_of, f.parser_version, f.etag, f.last_modified, f.unmodified
FROM track_freshness AS f JOIN tracks AS t ON t.id = f.track_id
WHERE t.source = %(source)s
""")

PENDING_DASHBOARDS: Final = SQL("""
SELECT i.slug, i.attempts, i.etag, i.last_modified, i.next_try, f.last_error_class IS NOT NULL
FROM sync_items AS i
LEFT JOIN tracks AS t ON t.source = %(source)s AND t.slug = i.slug
LEFT JOIN track_freshness AS f ON f.track_id = t.id
WHERE i.run_id = %(run_id)s AND i.state = 'waiting'
ORDER BY i.slug COLLATE "C"
""")

# One statement a batch. Slugs of the run only: an outcome for a slug that was not listed changes nothing.
# The run's id is a column of the batch and no constant: fresh items have no statistics, so a condition on the constant
# looks selective and the whole run would be read for each batch (13 to 270 ms instead of 1.4 ms at 20,000 items).
# The validators that wait to be sent are replaced by those that came with a page, and by nothing else: what failed may
# be asked for again, also by a later epoch.
RECORD_ITEMS: Final = SQL("""
UPDATE sync_items AS i
SET state = o.state, dashboard = o.dashboard, attempts = i.attempts + 1, error_class = o.error_class,
    http_status = o.http_status, next_try = o.next_try, finished_at = now(),
    etag = CASE WHEN o.state = 'fetched' THEN o.etag ELSE i.etag END,
    last_modified = CASE WHEN o.state = 'fetched' THEN o.last_modified ELSE i.last_modified END
FROM unnest(%(run_ids)s::uuid[], %(slugs)s::text[], %(states)s::text[], %(dashboards)b::jsonb[],
            %(error_classes)s::text[], %(http_statuses)s::smallint[], %(next_tries)s::timestamptz[], %(etags)s::text[],
            %(last_modifieds)s::text[])
     AS o (run_id, slug, state, dashboard, error_class, http_status, next_try, etag, last_modified)
WHERE i.run_id = o.run_id AND i.slug = o.slug
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

# A table that was just filled has no statistics yet, and a nested loop over it turns quadratic.
NO_NESTED_LOOPS: Final = SQL("SET LOCAL enable_nestloop = off")

COUNT_ITEMS: Final = SQL("""
SELECT count(*), count(*) FILTER (WHERE state <> 'listed'), count(*) FILTER (WHERE state = 'unmodified')
FROM sync_items
WHERE run_id = %(run_id)s
""")

COUNT_ACTIVE: Final = SQL("SELECT count(*) FROM tracks WHERE source = %(source)s AND is_active")

FIND_TRACKS: Final = SQL("""
SELECT {columns} FROM tracks
WHERE (%(source)s::text IS NULL OR source = %(source)s)
  AND (%(include_inactive)s OR is_active)
  AND (%(pattern)s::text IS NULL OR slug ILIKE %(pattern)s OR name ILIKE %(pattern)s OR city ILIKE %(pattern)s
       OR country ILIKE %(pattern)s)
""").format(columns=names(TRACK_COLUMNS))
