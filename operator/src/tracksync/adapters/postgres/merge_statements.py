"""The SQL statements of the merge, in the order in which it runs them. All are set-based and log what they change.

Identifiers come from `columns`, values are always bound.
"""

from __future__ import annotations

from typing import Final

from psycopg.sql import SQL, Composed, Identifier, Literal

from tracksync.adapters.postgres.columns import BEFORE_COLUMNS, CONTENT_COLUMNS, LISTING_COLUMNS
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


def _old(column: str) -> Identifier:
    """The stored value, where the column's own name is that of the new one."""
    return Identifier(f"old_{column}")


def _differs(column: str) -> Composed:
    return SQL("{} IS DISTINCT FROM {}").format(_old(column), Identifier(column))


# The staged rows have no statistics yet, and a nested loop over them turns quadratic.
# Merges into one source take turns, until the transaction ends: what a guard judges stays true until it is done, and
# no track that another run inserts meanwhile looks vanished. The lock is the transaction's, so a pooler cannot leak it.
TAKE_TURN: Final = SQL("""
SELECT set_config('enable_nestloop', 'off', true),
       pg_advisory_xact_lock(hashtextextended('tracksync merge into ' || %(source)s, 0))
""")

# What the merge starts from; the listing's summary is the durable one that was stored with the staged rows.
BEFORE_MERGE: Final = SQL("""
SELECT i.staged, n.staged, i.vanished, i.attempted, i.with_activity + n.with_activity,
       (SELECT count(*) FROM tracks WHERE source = %(source)s AND is_active),
       checkpoint_format, listing
FROM runs, (
    SELECT count(*) AS staged, count(*) FILTER (WHERE state = 'vanished') AS vanished,
           count(finished_at) AS attempted, count(activity) AS with_activity
    FROM sync_items WHERE run_id = %(run_id)s
) AS i, (
    SELECT count(*) AS staged, count(activity) AS with_activity FROM sync_new_tracks WHERE run_id = %(run_id)s
) AS n
WHERE run_id = %(run_id)s
""")

_VANISHED: Final = SQL("""
FROM sync_items AS i JOIN tracks AS t ON t.source = %(source)s AND t.slug = i.slug
WHERE i.run_id = %(run_id)s AND i.state = 'vanished' AND t.is_active
""")
COUNT_VANISHED: Final = SQL("SELECT count(*) {}").format(_VANISHED)

# An active track was seen when its source was completely seen last, unless it was missing already.
LAST_SEEN: Final = SQL("""
CASE WHEN d.missing_since IS NULL
     THEN greatest(d.last_seen_at, (SELECT last_complete_at FROM source_state WHERE source = %(source)s))
     ELSE d.last_seen_at END
""")

# A run that merges again adds to its rows of the log: inserted stays inserted, reactivated outlives an update, and what
# was before is what was before the first of its changes.
_LOG_AGAIN: Final = SQL("""
ON CONFLICT (run_id, track_id) DO UPDATE
SET kind = CASE WHEN c.kind = 'inserted' OR (c.kind = 'reactivated' AND excluded.kind = 'updated') THEN c.kind
                ELSE excluded.kind END,
    fields = CASE WHEN c.kind = 'inserted' THEN c.fields
                  ELSE ARRAY(SELECT DISTINCT f COLLATE "C" FROM unnest(c.fields || excluded.fields) AS f ORDER BY 1)
             END,
    before = CASE WHEN c.kind <> 'inserted' THEN coalesce(excluded.before || c.before, excluded.before, c.before) END
""")

# Before anything is inserted, so that the join reads no new rows.
DEACTIVATE_TRACKS: Final = SQL("""
WITH written AS (
    UPDATE tracks AS d SET is_active = false, deactivated_at = now(), missing_since = NULL, last_seen_at = {last_seen}
    FROM (SELECT t.id {vanished}) AS v
    WHERE d.id = v.id AND d.is_active
    RETURNING d.id
), logged AS (
    INSERT INTO changes AS c (run_id, track_id, kind) SELECT %(run_id)s, id, 'deactivated' FROM written {log_again}
)
SELECT count(*) FROM written
""").format(vanished=_VANISHED, last_seen=LAST_SEEN, log_again=_LOG_AGAIN)
PLAN_DEACTIVATIONS: Final = SQL("""
WITH planned AS (
    INSERT INTO planned_changes (run_id, slug, kind) SELECT %(run_id)s, t.slug, 'deactivated' {vanished} RETURNING 1
)
SELECT count(*) FROM planned
""").format(vanished=_VANISHED)

# What vanished and stays active, because a guard holds, is missing from now on; what is missing already is not written.
MARK_MISSING: Final = SQL("""
UPDATE tracks AS d SET missing_since = now(), last_seen_at = {last_seen}
FROM (SELECT t.id {vanished} AND t.missing_since IS NULL) AS v
WHERE d.id = v.id AND d.is_active AND d.missing_since IS NULL
""").format(vanished=_VANISHED, last_seen=LAST_SEEN)

# The staged rows beside the tracks that they are about. Its hashes go with a row; they alone are no change. OFFSET 0:
# what an item makes of a column is computed once, and not again wherever it is used.
_COMPARED: Final = SQL("""
SELECT id, slug, was_active, was_missing, ({is_different}) AS is_different,
       array_remove(ARRAY[{fields}]::text[], NULL) AS fields,
       nullif(jsonb_build_object({stored}) - array_remove(ARRAY[{same}]::text[], NULL), '{{}}') AS before,
       listing_hash, metadata_hash, has_new_hash, {new_names}
FROM (
    SELECT t.id, t.slug, t.is_active AS was_active, t.missing_since IS NOT NULL AS was_missing,
           coalesce(i.listing_hash, t.listing_hash) AS listing_hash,
           CASE WHEN i.dashboard IS NULL THEN t.metadata_hash ELSE i.metadata_hash END AS metadata_hash,
           i.listing_hash IS DISTINCT FROM t.listing_hash
               OR (i.dashboard IS NOT NULL AND i.metadata_hash IS DISTINCT FROM t.metadata_hash) AS has_new_hash,
           {old_values}, {new_values}
    FROM sync_items AS i JOIN tracks AS t ON t.source = %(source)s AND t.slug = i.slug
    WHERE i.run_id = %(run_id)s AND i.state <> 'vanished'
    OFFSET 0
) AS b
""").format(
    is_different=SQL(" OR ").join(map(_differs, CONTENT_COLUMNS)),
    fields=SQL(", ").join(
        SQL("CASE WHEN {} THEN {} END").format(_differs(column), column) for column in sorted(CONTENT_COLUMNS)
    ),
    stored=SQL(", ").join(SQL("{}, {}").format(column, _old(column)) for column in BEFORE_COLUMNS),
    same=SQL(", ").join(
        SQL("CASE WHEN NOT ({}) THEN {} END").format(_differs(column), column) for column in BEFORE_COLUMNS
    ),
    new_names=names(CONTENT_COLUMNS),
    old_values=SQL(", ").join(SQL("t.{} AS {}").format(Identifier(column), _old(column)) for column in CONTENT_COLUMNS),
    new_values=SQL(", ").join(
        SQL("{} AS {}").format(_new_value(column), Identifier(column)) for column in CONTENT_COLUMNS
    ),
)
_KIND: Final = SQL("CASE WHEN was_active THEN 'updated' ELSE 'reactivated' END")
_COUNTED: Final = SQL("""
SELECT count(*), count(*) FILTER (WHERE is_different),
       count(*) FILTER (WHERE is_different AND fields <@ {totals}::text[]), count(*) FILTER (WHERE NOT was_active)
""").format(totals=Literal(list(TOTAL_COLUMNS)))

# Writes the rows that differ and no other; a row that is only listed again counts as reactivated, not as updated.
UPDATE_TRACKS: Final = SQL("""
WITH compared AS (
    {compared}
), changed AS MATERIALIZED (
    SELECT * FROM compared WHERE is_different OR NOT was_active OR was_missing OR has_new_hash
), written AS (
    UPDATE tracks AS t
    SET {assignments}, listing_hash = c.listing_hash, metadata_hash = c.metadata_hash,
        is_active = true, deactivated_at = NULL, missing_since = NULL, last_seen_at = now(),
        updated_at = CASE WHEN c.is_different THEN now() ELSE t.updated_at END
    FROM changed AS c WHERE t.id = c.id
    RETURNING t.id, c.was_active, c.is_different, c.fields, c.before
), counted AS (
    SELECT * FROM written WHERE is_different OR NOT was_active
), logged AS (
    INSERT INTO changes AS c (run_id, track_id, kind, fields, before)
    SELECT %(run_id)s, id, {kind}, fields, before FROM counted {log_again}
)
{counts} FROM counted
""").format(
    compared=_COMPARED,
    assignments=SQL(", ").join(SQL("{0} = c.{0}").format(Identifier(column)) for column in CONTENT_COLUMNS),
    kind=_KIND,
    log_again=_LOG_AGAIN,
    counts=_COUNTED,
)
PLAN_UPDATES: Final = SQL("""
WITH compared AS (
    {compared}
), counted AS MATERIALIZED (
    SELECT slug, was_active, is_different, fields FROM compared WHERE is_different OR NOT was_active
), planned AS (
    INSERT INTO planned_changes (run_id, slug, kind, fields) SELECT %(run_id)s, slug, {kind}, fields FROM counted
)
{counts} FROM counted
""").format(compared=_COMPARED, kind=_KIND, counts=_COUNTED)

_NOT_STORED: Final = SQL("""
  AND NOT EXISTS (SELECT 1 FROM tracks AS t WHERE t.source = %(source)s AND t.slug = i.slug)
""")
_NEW_ITEMS: Final = SQL("""
FROM sync_items AS i WHERE i.run_id = %(run_id)s AND i.state <> 'vanished' {not_stored}
""").format(not_stored=_NOT_STORED)
_NEW_TRACKS: Final = SQL("FROM sync_new_tracks AS i WHERE i.run_id = %(run_id)s {}").format(_NOT_STORED)

# New tracks, in page order; the log in the order of its index, which takes less time and WAL.
_INSERT: Final = SQL("""
WITH written AS (
    INSERT INTO tracks (source, slug, {columns}, listing_hash, metadata_hash, last_seen_at)
    SELECT %(source)s, i.slug, {values}, i.listing_hash, i.metadata_hash, now() {new}
    RETURNING id
), logged AS (
    INSERT INTO changes (run_id, track_id, kind) SELECT %(run_id)s, id, 'inserted' FROM written ORDER BY id
)
SELECT count(*) FROM written
""")
_PLAN_INSERT: Final = SQL("""
WITH planned AS (
    INSERT INTO planned_changes (run_id, slug, kind) SELECT %(run_id)s, i.slug, 'inserted' {new} RETURNING 1
)
SELECT count(*) FROM planned
""")
INSERT_ITEMS: Final = _INSERT.format(
    columns=names(CONTENT_COLUMNS),
    values=SQL(", ").join(_staged_value(column) for column in CONTENT_COLUMNS),
    new=_NEW_ITEMS,
)
INSERT_NEW_TRACKS: Final = _INSERT.format(
    columns=names(CONTENT_COLUMNS),
    values=SQL(", ").join(SQL("i.{}").format(Identifier(column)) for column in CONTENT_COLUMNS),
    new=_NEW_TRACKS,
)
PLAN_ITEMS: Final = _PLAN_INSERT.format(new=_NEW_ITEMS)
PLAN_NEW_TRACKS: Final = _PLAN_INSERT.format(new=_NEW_TRACKS)

DISCARD_PLAN: Final = SQL("DELETE FROM planned_changes WHERE run_id = %(run_id)s")

# What is going on at a track is no change of it: neither counted nor logged.
WRITE_ACTIVITY: Final = SQL("""
INSERT INTO track_activity AS a (track_id, status, has_video, event_name, active_at, precision, observed_at)
SELECT t.id, i.activity ->> 'status', (i.activity ->> 'has_video')::boolean, i.activity ->> 'event_name',
       (i.activity ->> 'active_at')::timestamptz, i.activity ->> 'precision',
       coalesce((i.activity ->> 'observed_at')::timestamptz, now())
FROM (SELECT slug, activity FROM sync_items WHERE run_id = %(run_id)s AND activity IS NOT NULL
      UNION ALL
      SELECT slug, activity FROM sync_new_tracks WHERE run_id = %(run_id)s AND activity IS NOT NULL) AS i
JOIN tracks AS t ON t.source = %(source)s AND t.slug = i.slug
ON CONFLICT (track_id) DO UPDATE
SET status = excluded.status, has_video = excluded.has_video, event_name = excluded.event_name,
    active_at = excluded.active_at, precision = excluded.precision, observed_at = excluded.observed_at
WHERE (a.status, a.has_video, a.event_name, a.active_at, a.precision) IS DISTINCT FROM
      (excluded.status, excluded.has_video, excluded.event_name, excluded.active_at, excluded.precision)
""")

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

# The merge's own record: present means committed, whatever its caller was told.
WRITE_MERGED: Final = SQL("""
UPDATE runs SET merged = %(merged)s, merged_at = now() WHERE run_id = %(run_id)s RETURNING merged_at
""")
IS_MERGED: Final = SQL("""
SELECT 1 FROM runs WHERE run_id = %(run_id)s AND epoch = %(epoch)s AND merged_at = %(merged_at)s
""")
