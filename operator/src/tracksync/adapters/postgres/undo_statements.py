"""The SQL statements that take back what a run changed. All are set-based; identifiers come from `columns`.

What can be taken back is what nobody has changed since: no later run's log names the track, and the row's own instants
are not younger than the undone merge.
"""

from __future__ import annotations

from typing import Final

from psycopg.sql import SQL, Composed, Identifier, Literal

from tracksync.adapters.postgres.columns import BEFORE_COLUMNS
from tracksync.adapters.postgres.merge_statements import LAST_SEEN
from tracksync.core.tracks.model import TOTAL_COLUMNS


def _before_value(column: str) -> Composed:
    """What the column held before, as its own type."""
    casts = {"is_featured": SQL("::boolean")} | dict.fromkeys(TOTAL_COLUMNS, SQL("::bigint"))
    return SQL("(u.before ->> {0}){1}").format(Literal(column), casts.get(column, SQL("")))


# The run that is to be taken back; no row: it is not known, not finished, or never merged.
UNDONE_RUN: Final = SQL("""
SELECT source, mode, merged_at FROM runs
WHERE run_id = %(undone)s AND merged_at IS NOT NULL AND state IN ('succeeded', 'completed_with_errors')
""")
COUNT_CHANGES: Final = SQL("SELECT count(*) FROM changes WHERE run_id = %(undone)s")

# Nothing is left of an update of which the log kept no value from before: its fields were personal.
_TAKEN_BACK: Final = SQL("""
SELECT t.id, t.slug, t.is_active, c.kind, c.before
FROM changes AS c JOIN tracks AS t ON t.id = c.track_id
WHERE c.run_id = %(undone)s AND t.source = %(source)s
  AND t.updated_at <= %(merged_at)s AND coalesce(t.deactivated_at, %(merged_at)s) <= %(merged_at)s
  AND (c.kind = 'deactivated') = (NOT t.is_active)
  AND (c.kind <> 'updated' OR c.before IS NOT NULL)
  AND NOT EXISTS (SELECT 1 FROM changes AS l JOIN runs AS r ON r.run_id = l.run_id
                  WHERE l.track_id = c.track_id AND l.run_id <> c.run_id AND r.merged_at > %(merged_at)s)
""")
COUNT_TAKEN_BACK: Final = SQL("""
SELECT count(*), count(*) FILTER (WHERE kind IN ('inserted', 'reactivated')),
       (SELECT count(*) FROM tracks WHERE source = %(source)s AND is_active),
       (SELECT count(*) FROM changes WHERE run_id = %(undone)s AND kind = 'updated' AND before IS NULL)
FROM ({taken_back}) AS u
""").format(taken_back=_TAKEN_BACK)

_KIND: Final = SQL("""
CASE u.kind WHEN 'updated' THEN 'updated' WHEN 'deactivated' THEN 'reactivated' ELSE 'deactivated' END
""")
_FIELDS: Final = SQL("""
CASE WHEN u.before IS NULL THEN '{}'::text[]
     ELSE ARRAY(SELECT k COLLATE "C" FROM jsonb_object_keys(u.before) AS k ORDER BY 1) END
""")
_CHOSEN: Final = SQL("u.kind NOT IN ('inserted', 'reactivated') OR %(deactivates)s")

# A track that comes back was not seen by anybody: it is missing until the next run has looked. Whatever is restored has
# no hashes any more, so that the next run compares it.
TAKE_BACK: Final = SQL("""
WITH undone AS MATERIALIZED (
    {taken_back}
), written AS (
    UPDATE tracks AS d
    SET {assignments}, listing_hash = NULL, metadata_hash = NULL,
        is_active = CASE u.kind WHEN 'updated' THEN d.is_active ELSE u.kind = 'deactivated' END,
        deactivated_at = CASE WHEN u.kind IN ('inserted', 'reactivated') THEN now() ELSE NULL END,
        missing_since = CASE u.kind WHEN 'deactivated' THEN now() WHEN 'updated' THEN d.missing_since END,
        last_seen_at = CASE WHEN u.kind IN ('inserted', 'reactivated') THEN {last_seen} ELSE d.last_seen_at END,
        updated_at = CASE WHEN u.before IS NULL THEN d.updated_at ELSE now() END
    FROM undone AS u WHERE d.id = u.id AND ({chosen})
    RETURNING d.id, {kind} AS kind, {fields} AS fields,
              (SELECT jsonb_object_agg(k, u.now_stored -> k) FROM jsonb_object_keys(u.before) AS k) AS before
), logged AS (
    INSERT INTO changes (run_id, track_id, kind, fields, before)
    SELECT %(run_id)s, id, kind, fields, before FROM written
)
SELECT kind, count(*) FROM written GROUP BY kind
""").format(
    taken_back=SQL(
        "SELECT u.*, jsonb_build_object({stored}) AS now_stored FROM ({taken}) AS u JOIN tracks AS t USING (id)"
    ).format(
        stored=SQL(", ").join(SQL("{}, t.{}").format(Literal(column), Identifier(column)) for column in BEFORE_COLUMNS),
        taken=_TAKEN_BACK,
    ),
    assignments=SQL(", ").join(
        SQL("{0} = CASE WHEN u.before ? {1} THEN {2} ELSE d.{0} END").format(
            Identifier(column), Literal(column), _before_value(column)
        )
        for column in BEFORE_COLUMNS
    ),
    last_seen=LAST_SEEN,
    chosen=_CHOSEN,
    kind=_KIND,
    fields=_FIELDS,
)
PLAN_TAKE_BACK: Final = SQL("""
WITH undone AS (
    {taken_back}
), planned AS (
    INSERT INTO planned_changes (run_id, slug, kind, fields)
    SELECT %(run_id)s, u.slug, {kind}, {fields} FROM undone AS u WHERE {chosen}
    RETURNING kind
)
SELECT kind, count(*) FROM planned GROUP BY kind
""").format(taken_back=_TAKEN_BACK, kind=_KIND, fields=_FIELDS, chosen=_CHOSEN)
