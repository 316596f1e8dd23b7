"""The SQL statements of the merge, in the order in which it runs them. All are set-based and log what they change.

Identifiers come from `columns`, values are always bound.
"""

from __future__ import annotations

from typing import Final

from psycopg.sql import SQL, Composed, Identifier, Literal

from tracksync.adapters.postgres.columns import CONTENT_COLUMNS, LISTING_COLUMNS
from tracksync.adapters.postgres.statements import names
from tracksync.core.tracks.model import TOTAL_COLUMNS


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


def _differs(column: str) -> Composed:
    return SQL("t.{} IS DISTINCT FROM {}").format(Identifier(column), _new_value(column))


# The staged rows have no statistics yet, and a nested loop over them turns quadratic.
# Merges into one source take turns, until the transaction ends: what a guard judges stays true until it is done, and
# no track that another run inserts meanwhile looks vanished. The lock is the transaction's, so a pooler cannot leak it.
TAKE_TURN: Final = SQL("""
SELECT set_config('enable_nestloop', 'off', true),
       pg_advisory_xact_lock(hashtextextended('tracksync merge into ' || %(source)s, 0))
""")

# What the merge starts from; the listing's summary is the durable one that was stored with the staged rows.
BEFORE_MERGE: Final = SQL("""
SELECT (SELECT count(*) FROM sync_items WHERE run_id = %(run_id)s),
       (SELECT count(*) FROM tracks WHERE source = %(source)s AND is_active),
       checkpoint_format, listing
FROM runs WHERE run_id = %(run_id)s
""")

_VANISHED: Final = SQL("""
FROM tracks AS t
WHERE t.source = %(source)s AND t.is_active
  AND NOT EXISTS (SELECT 1 FROM sync_items AS i WHERE i.run_id = %(run_id)s AND i.slug = t.slug)
""")
COUNT_VANISHED: Final = SQL("SELECT count(*) {}").format(_VANISHED)

# A run that merges again adds to its rows of the log: inserted stays inserted, reactivated outlives an update.
_LOG_AGAIN: Final = SQL("""
ON CONFLICT (run_id, track_id) DO UPDATE
SET kind = CASE WHEN c.kind = 'inserted' OR (c.kind = 'reactivated' AND excluded.kind = 'updated') THEN c.kind
                ELSE excluded.kind END,
    fields = CASE WHEN c.kind = 'inserted' THEN c.fields
                  ELSE ARRAY(SELECT DISTINCT f COLLATE "C" FROM unnest(c.fields || excluded.fields) AS f ORDER BY 1) END
""")

# Nothing but the two columns that say so; before anything is inserted, so that the anti-join reads no new rows.
DEACTIVATE_TRACKS: Final = SQL("""
WITH written AS (
    UPDATE tracks AS d SET is_active = false, deactivated_at = now()
    FROM (SELECT t.id {vanished}) AS v
    WHERE d.id = v.id AND d.is_active
    RETURNING d.id
), logged AS (
    INSERT INTO changes AS c (run_id, track_id, kind) SELECT %(run_id)s, id, 'deactivated' FROM written {log_again}
)
SELECT count(*) FROM written
""").format(vanished=_VANISHED, log_again=_LOG_AGAIN)

# Writes the rows that differ and no other; a row that is only listed again counts as reactivated, not as updated.
UPDATE_TRACKS: Final = SQL("""
WITH compared AS (
    SELECT t.id, t.is_active AS was_active, ({is_different}) AS is_different,
           array_remove(ARRAY[{fields}]::text[], NULL) AS fields, {new_values}
    FROM sync_items AS i JOIN tracks AS t ON t.source = %(source)s AND t.slug = i.slug
    WHERE i.run_id = %(run_id)s
), changed AS MATERIALIZED (
    SELECT * FROM compared WHERE is_different OR NOT was_active
), written AS (
    UPDATE tracks AS t
    SET {assignments}, is_active = true, deactivated_at = NULL, last_seen_at = now(),
        updated_at = CASE WHEN c.is_different THEN now() ELSE t.updated_at END
    FROM changed AS c WHERE t.id = c.id
    RETURNING t.id, c.was_active, c.is_different, c.fields
), logged AS (
    INSERT INTO changes AS c (run_id, track_id, kind, fields)
    SELECT %(run_id)s, id, CASE WHEN was_active THEN 'updated' ELSE 'reactivated' END, fields FROM written {log_again}
)
SELECT count(*), count(*) FILTER (WHERE is_different),
       count(*) FILTER (WHERE is_different AND fields <@ {totals}::text[]), count(*) FILTER (WHERE NOT was_active)
FROM written
""").format(
    is_different=SQL(" OR ").join(_differs(column) for column in CONTENT_COLUMNS),
    fields=SQL(", ").join(
        SQL("CASE WHEN {} THEN {} END").format(_differs(column), column) for column in sorted(CONTENT_COLUMNS)
    ),
    new_values=SQL(", ").join(
        SQL("{} AS {}").format(_new_value(column), Identifier(column)) for column in CONTENT_COLUMNS
    ),
    assignments=SQL(", ").join(SQL("{0} = c.{0}").format(Identifier(column)) for column in CONTENT_COLUMNS),
    totals=Literal(list(TOTAL_COLUMNS)),
    log_again=_LOG_AGAIN,
)

# New tracks, in slug order.
INSERT_TRACKS: Final = SQL("""
WITH written AS (
    INSERT INTO tracks (source, slug, {columns}, last_seen_at)
    SELECT %(source)s, i.slug, {values}, now()
    FROM sync_items AS i
    WHERE i.run_id = %(run_id)s
      AND NOT EXISTS (SELECT 1 FROM tracks AS t WHERE t.source = %(source)s AND t.slug = i.slug)
    ORDER BY i.slug
    RETURNING id
), logged AS (
    INSERT INTO changes (run_id, track_id, kind) SELECT %(run_id)s, id, 'inserted' FROM written
)
SELECT count(*) FROM written
""").format(columns=names(CONTENT_COLUMNS), values=SQL(", ").join(_staged_value(column) for column in CONTENT_COLUMNS))

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

# When the source was completely seen last, by which run, how much it listed, and how much is active since.
WRITE_SOURCE_STATE: Final = SQL("""
INSERT INTO source_state (source, last_complete_at, last_complete_run, listed, active)
VALUES (%(source)s, now(), %(run_id)s, %(listed)s, %(active)s)
ON CONFLICT (source) DO UPDATE
SET last_complete_at = excluded.last_complete_at, last_complete_run = excluded.last_complete_run,
    listed = excluded.listed, active = excluded.active
""")
