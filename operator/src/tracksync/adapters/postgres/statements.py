"""Every SQL statement of the sync, named and explained. Identifiers come from `columns`, values are always bound."""

from __future__ import annotations

from typing import Final

from psycopg.sql import SQL, Composed, Identifier

from tracksync.adapters.postgres.columns import CONTENT_COLUMNS, LISTING_COLUMNS, TRACK_COLUMNS
from tracksync.core.tracks.model import TOTAL_COLUMNS

STAGED_COLUMNS: Final = ("run_id", "slug", *LISTING_COLUMNS, "state", "etag", "last_modified")
STAGED_TYPES: Final = ("uuid", "text", "text", "text", "text", "text", "bool", "text", "text", "text", "text")
"""PostgreSQL's types of STAGED_COLUMNS, for binary COPY."""


def _names(columns: tuple[str, ...], prefix: str = "") -> Composed:
    return SQL(", ").join(SQL(prefix) + Identifier(column) for column in columns)


def _new_value(column: str) -> Composed:
    """What the staged item makes of a column: its value, NULL for a proven blank, else what is stored."""
    name = Identifier(column)
    if column in LISTING_COLUMNS:
        return SQL("i.{0}").format(name)
    cast = SQL("::bigint") if column in TOTAL_COLUMNS else SQL("")
    text = SQL("(i.dashboard ->> {0}){1}").format(column, cast)
    return SQL("CASE WHEN i.dashboard ? {0} THEN {1} ELSE t.{2} END").format(column, text, name)


def _staged_value(column: str) -> Composed:
    """Like `_new_value` for a track that is not stored yet."""
    if column in LISTING_COLUMNS:
        return SQL("i.{0}").format(Identifier(column))
    cast = SQL("::bigint") if column in TOTAL_COLUMNS else SQL("")
    return SQL("(i.dashboard ->> {0}){1}").format(column, cast)


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

KEEP_CHECKPOINT: Final = SQL("""
UPDATE runs
SET checkpoint_format = %(checkpoint_format)s, listing = %(listing)s::jsonb, parser_version = %(parser_version)s
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

STAGE_ITEMS: Final = SQL("COPY sync_items ({}) FROM STDIN (FORMAT BINARY)").format(_names(STAGED_COLUMNS))

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
FROM unnest(%(run_ids)s::uuid[], %(slugs)s::text[], %(states)s::text[], %(dashboards)s::jsonb[],
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

# The staged rows have no statistics yet, and a nested loop over them turns quadratic.
NO_NESTED_LOOPS: Final = SQL("SET LOCAL enable_nestloop = off")

# Writes the rows that differ and no other; a row that is only listed again counts as reactivated, not as updated.
UPDATE_TRACKS: Final = SQL("""
WITH compared AS (
    SELECT t.id, t.is_active AS was_active, ({is_different}) AS is_different, {new_values}
    FROM sync_items AS i JOIN tracks AS t ON t.source = %(source)s AND t.slug = i.slug
    WHERE i.run_id = %(run_id)s
), changed AS MATERIALIZED (
    SELECT * FROM compared WHERE is_different OR NOT was_active
), written AS (
    UPDATE tracks AS t
    SET {assignments}, is_active = true, deactivated_at = NULL, last_seen_at = now(),
        updated_at = CASE WHEN c.is_different THEN now() ELSE t.updated_at END
    FROM changed AS c WHERE t.id = c.id
    RETURNING c.was_active, c.is_different
)
SELECT count(*), count(*) FILTER (WHERE is_different), count(*) FILTER (WHERE NOT was_active) FROM written
""").format(
    is_different=SQL(" OR ").join(
        SQL("t.{} IS DISTINCT FROM {}").format(Identifier(column), _new_value(column)) for column in CONTENT_COLUMNS
    ),
    new_values=SQL(", ").join(
        SQL("{} AS {}").format(_new_value(column), Identifier(column)) for column in CONTENT_COLUMNS
    ),
    assignments=SQL(", ").join(SQL("{0} = c.{0}").format(Identifier(column)) for column in CONTENT_COLUMNS),
)

# New tracks, in slug order so that two runs that meet take their locks alike.
INSERT_TRACKS: Final = SQL("""
INSERT INTO tracks (source, slug, {columns}, last_seen_at)
SELECT %(source)s, i.slug, {values}, now()
FROM sync_items AS i
WHERE i.run_id = %(run_id)s
  AND NOT EXISTS (SELECT 1 FROM tracks AS t WHERE t.source = %(source)s AND t.slug = i.slug)
ORDER BY i.slug
""").format(columns=_names(CONTENT_COLUMNS), values=SQL(", ").join(_staged_value(column) for column in CONTENT_COLUMNS))

# What every attempt of the run found out, in slug order. An item that was not asked for in this run writes nothing.
# A page that was confirmed is fresh only if it was read once. When a merge is repeated nothing counts twice: it knows
# the instant of the attempt already.
WRITE_FRESHNESS: Final = SQL("""
INSERT INTO track_freshness AS f (track_id, as_of, fetched_at, last_attempt_at, http_status, etag, last_modified,
                                  attempts, unmodified, last_error_class, parser_version)
SELECT t.id,
       CASE i.state WHEN 'fetched' THEN %(planned_start)s::timestamptz END,
       CASE i.state WHEN 'fetched' THEN i.finished_at END,
       i.finished_at, i.http_status,
       CASE i.state WHEN 'fetched' THEN i.etag END,
       CASE i.state WHEN 'fetched' THEN i.last_modified END,
       i.attempts,
       CASE i.state WHEN 'unmodified' THEN 1 ELSE 0 END,
       i.error_class,
       CASE i.state WHEN 'fetched' THEN (SELECT coalesce(parser_version, 0) FROM runs WHERE run_id = %(run_id)s)
                    ELSE 0 END
FROM sync_items AS i JOIN tracks AS t ON t.source = %(source)s AND t.slug = i.slug
WHERE i.run_id = %(run_id)s AND i.finished_at IS NOT NULL
ORDER BY i.slug
ON CONFLICT (track_id) DO UPDATE
SET last_attempt_at = excluded.last_attempt_at, http_status = excluded.http_status, attempts = excluded.attempts,
    last_error_class = excluded.last_error_class,
    as_of = CASE WHEN excluded.fetched_at IS NOT NULL OR (excluded.unmodified = 1 AND f.as_of IS NOT NULL)
                 THEN %(planned_start)s ELSE f.as_of END,
    fetched_at = coalesce(excluded.fetched_at, f.fetched_at),
    etag = CASE WHEN excluded.fetched_at IS NOT NULL THEN excluded.etag ELSE f.etag END,
    last_modified = CASE WHEN excluded.fetched_at IS NOT NULL THEN excluded.last_modified ELSE f.last_modified END,
    unmodified = CASE WHEN excluded.fetched_at IS NOT NULL THEN 0 ELSE f.unmodified + excluded.unmodified END,
    parser_version = CASE WHEN excluded.fetched_at IS NOT NULL THEN excluded.parser_version ELSE f.parser_version END
WHERE f.last_attempt_at IS DISTINCT FROM excluded.last_attempt_at
""")

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
""").format(columns=_names(TRACK_COLUMNS))
