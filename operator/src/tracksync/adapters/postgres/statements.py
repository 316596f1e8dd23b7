"""The SQL statements of the sync but for the merge, named and explained.

Identifiers come from `columns`, values are always bound.
"""

from __future__ import annotations

from typing import Final

from psycopg.sql import SQL, Composed, Identifier

from tracksync.adapters.postgres.columns import CONTENT_COLUMNS, LISTING_COLUMNS, TRACK_COLUMNS
from tracksync.core.tracks.model import TEXT_COLUMNS, TOTAL_COLUMNS

_HASHES: Final = ("listing_hash", "known_hash", "metadata_hash")
STAGED_COLUMNS: Final = (
    *("run_id", "slug", *LISTING_COLUMNS),
    *("state", "dashboard", "etag", "last_modified", *_HASHES, "activity"),
)
STAGED_TYPES: Final = (
    *("uuid", "text", "text", "text", "text", "text", "bool", "text"),
    *("text", "jsonb", "text", "text", "bytea", "bytea", "bytea", "jsonb"),
)
"""PostgreSQL's types of STAGED_COLUMNS, for binary COPY."""
NEW_COLUMNS: Final = ("run_id", "slug", *CONTENT_COLUMNS, "listing_hash", "metadata_hash", "activity")
NEW_TYPES: Final = (
    *("uuid", "text", "text", "text", "text", "text", "bool", "text"),
    *("text",) * len(TEXT_COLUMNS),
    *("int8",) * len(TOTAL_COLUMNS),
    *("bytea", "bytea", "jsonb"),
)
VANISHED_COLUMNS: Final = ("run_id", "slug", "state")
VANISHED_TYPES: Final = ("uuid", "text", "text")


def names(columns: tuple[str, ...]) -> Composed:
    """Return the columns as a list of identifiers."""
    return SQL(", ").join(Identifier(column) for column in columns)


# Whether another run has merged into the source since this one's page was read: what was staged as different then may
# be as it is now, and the other way round.
IS_OUTDATED: Final = SQL("""
SELECT EXISTS (
    SELECT 1 FROM runs AS r JOIN runs AS o ON o.source = r.source AND o.run_id <> r.run_id
    WHERE r.run_id = %(run_id)s AND o.merged_at > coalesce(r.listed_at, r.created_at)
)
""")

KEEP_CHECKPOINT: Final = SQL("""
UPDATE runs
SET checkpoint_format = %(checkpoint_format)s, listing = %(listing)s::jsonb, parser_version = %(parser_version)s,
    listed_at = now()
WHERE run_id = %(run_id)s
RETURNING listed_at
""")

# Tells a staging from any other of the same epoch.
IS_STAGED: Final = SQL("""
SELECT 1 FROM runs WHERE run_id = %(run_id)s AND epoch = %(epoch)s AND listed_at = %(listed_at)s::timestamptz
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

DISCARD_ITEMS: Final = SQL("""
WITH new AS (DELETE FROM sync_new_tracks WHERE run_id = %(run_id)s)
DELETE FROM sync_items WHERE run_id = %(run_id)s
""")

# Of a run that goes on no more it stays known which tracks failed and how, and nothing that a page said.
DISCARD_ALL_BUT_FAILURES: Final = SQL("""
WITH new AS (
    DELETE FROM sync_new_tracks WHERE run_id = %(run_id)s
), failed AS (
    UPDATE sync_items
    SET slug_as_listed = '', name = '', track_url = '', events_url = '', is_featured = false, etag = NULL,
        last_modified = NULL, listing_hash = NULL, known_hash = NULL, activity = NULL
    WHERE run_id = %(run_id)s AND error_class IS NOT NULL
)
DELETE FROM sync_items WHERE run_id = %(run_id)s AND error_class IS NULL
""")

# After a success only the failures are worth keeping; what was merged may be personal and lives in `tracks` alone.
DISCARD_MERGED_ITEMS: Final = SQL("""
WITH new AS (DELETE FROM sync_new_tracks WHERE run_id = %(run_id)s)
DELETE FROM sync_items WHERE run_id = %(run_id)s AND state <> 'failed'
""")

STAGE_ITEMS: Final = SQL("COPY sync_items ({}) FROM STDIN (FORMAT BINARY)").format(names(STAGED_COLUMNS))
STAGE_NEW: Final = SQL("COPY sync_new_tracks ({}) FROM STDIN (FORMAT BINARY)").format(names(NEW_COLUMNS))
STAGE_VANISHED: Final = SQL("COPY sync_items ({}) FROM STDIN (FORMAT BINARY)").format(names(VANISHED_COLUMNS))

# All stored tracks are read once, in parts. Tables that were just filled have no statistics: no nested loops; and all
# rows are wanted, so a plan that is quick to begin with is of no use.
READ_WHOLE_TABLES: Final = SQL("""
SELECT set_config('enable_nestloop', 'off', true), set_config('cursor_tuple_fraction', '1', true)
""")
FETCH_PART: Final = SQL("FETCH 10000 FROM stored")
CLOSE_PARTS: Final = SQL("CLOSE stored")

# In short: 56 bits of either hash, and 1 for an active track, 2 for an active one that is missing, else 0.
_BRIEF: Final = SQL("""
substr(coalesce(t.listing_hash, '\\x00000000000000'), 1, 7)
|| substr(coalesce(t.metadata_hash, '\\x00000000000000'), 1, 7)
|| CASE WHEN NOT t.is_active THEN '\\x00'::bytea WHEN t.missing_since IS NULL THEN '\\x01' ELSE '\\x02' END
""")
READ_TRACKS: Final = SQL("""
DECLARE stored NO SCROLL CURSOR FOR SELECT t.slug, {brief} FROM tracks AS t WHERE t.source = %(source)s
""").format(brief=_BRIEF)

# With what decides whether a dashboard is due, and what is sent along.
READ_FRESHNESS: Final = SQL("""
DECLARE stored NO SCROLL CURSOR FOR
SELECT t.slug, {brief}, t.metadata_hash, f.as_of, f.parser_version, f.etag, f.last_modified, f.unmodified
FROM tracks AS t LEFT JOIN track_freshness AS f ON f.track_id = t.id
WHERE t.source = %(source)s
""").format(brief=_BRIEF)
READ_ACTIVITY: Final = SQL("""
DECLARE stored NO SCROLL CURSOR FOR
SELECT t.slug, a.status, a.has_video, a.event_name, a.active_at, a.precision
FROM track_activity AS a JOIN tracks AS t ON t.id = a.track_id
WHERE t.source = %(source)s
""")
READ_ACTIVE: Final = SQL("""
DECLARE stored NO SCROLL CURSOR FOR SELECT slug FROM tracks WHERE source = %(source)s AND is_active
""")

PENDING_DASHBOARDS: Final = SQL("""
SELECT i.slug, i.attempts, i.etag, i.last_modified, i.next_try, f.last_error_class IS NOT NULL
FROM sync_items AS i
LEFT JOIN tracks AS t ON t.source = %(source)s AND t.slug = i.slug
LEFT JOIN track_freshness AS f ON f.track_id = t.id
WHERE i.run_id = %(run_id)s AND i.state = 'waiting'
ORDER BY i.slug COLLATE "C"
""")

# One statement a batch. Slugs of the run only: an outcome for a slug that was not listed, or of which all is known
# already, changes nothing.
# The run's id is a column of the batch and no constant: fresh items have no statistics, so a condition on the constant
# looks selective and the whole run would be read for each batch (13 to 270 ms instead of 1.4 ms at 20,000 items).
# The validators that wait to be sent are replaced by those that came with a page, and by nothing else: what failed may
# be asked for again, also by a later epoch. A page that says the same as what was stored when the run began leaves no
# values, unless the run has merged since.
RECORD_ITEMS: Final = SQL("""
UPDATE sync_items AS i
SET state = o.state,
    dashboard = CASE WHEN o.metadata_hash = i.known_hash
                      AND (SELECT merged_at IS NULL FROM runs WHERE run_id = %(run_id)s) THEN NULL
                     ELSE o.dashboard END,
    metadata_hash = o.metadata_hash, attempts = i.attempts + 1, error_class = o.error_class,
    http_status = o.http_status, next_try = o.next_try, finished_at = now(),
    etag = CASE WHEN o.state = 'fetched' THEN o.etag ELSE i.etag END,
    last_modified = CASE WHEN o.state = 'fetched' THEN o.last_modified ELSE i.last_modified END
FROM unnest(%(run_ids)s::uuid[], %(slugs)s::text[], %(states)s::text[], %(dashboards)b::jsonb[],
            %(metadata_hashes)s::bytea[], %(error_classes)s::text[], %(http_statuses)s::smallint[],
            %(next_tries)s::timestamptz[], %(etags)s::text[], %(last_modifieds)s::text[])
     AS o (run_id, slug, state, dashboard, metadata_hash, error_class, http_status, next_try, etag, last_modified)
WHERE i.run_id = o.run_id AND i.slug = o.slug AND i.state NOT IN ('listed', 'vanished')
  AND (i.state <> 'fetched' OR i.finished_at IS NOT NULL)
RETURNING i.slug, i.finished_at
""")

# Tells a batch from any other: its items were finished when its transaction began.
IS_RECORDED: Final = SQL("""
SELECT 1 FROM sync_items
WHERE run_id = %(run_id)s AND slug = %(slug)s::text AND finished_at = %(finished_at)s::timestamptz
""")

# What carries its values was fetched by nobody.
COUNT_ITEMS: Final = SQL("""
SELECT count(*) + (SELECT count(*) FROM sync_new_tracks WHERE run_id = %(run_id)s),
       count(*) FILTER (WHERE state IN ('waiting', 'failed', 'unmodified')
                           OR (state = 'fetched' AND finished_at IS NOT NULL)),
       count(*) FILTER (WHERE state = 'unmodified')
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
