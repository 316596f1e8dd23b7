"""The SQL statements of an adoption, in the order in which it runs them; named and explained.

The temporary table is always named with its schema: `search_path` looks there last.
"""

from __future__ import annotations

from typing import Final

from psycopg.sql import SQL

from tracksync.adapters.postgres.columns import TRACK_COLUMNS
from tracksync.adapters.postgres.statements import names

PARSE_NAME: Final = SQL("SELECT parse_ident(%(name)s)")

# Tables, views, materialized views, foreign and partitioned tables; and whether this user may read them.
FIND_TABLE: Final = SQL("""
SELECT c.oid, has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relname = %(table)s AND c.relkind IN ('r', 'v', 'm', 'f', 'p')
""")
COLUMNS: Final = SQL("""
SELECT a.attname::text, t.typcategory::text FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
WHERE a.attrelid = %(oid)s AND a.attnum > 0 AND NOT a.attisdropped
""")

MAKE_STAGE: Final = SQL("""
CREATE TEMPORARY TABLE adopted_tracks (LIKE public.tracks, their_slug text NOT NULL) ON COMMIT DROP
""")
FILL_STAGE: Final = SQL("COPY pg_temp.adopted_tracks ({}, their_slug) FROM STDIN").format(names(TRACK_COLUMNS))
ANALYZE_STAGE: Final = SQL("ANALYZE pg_temp.adopted_tracks")

_FOLD_TO_ONE_SLUG: Final = SQL("""
SELECT slug || ': rows of the old table fold to this one slug: '
       || string_agg(their_slug || ' (' || id || ')', ', ' ORDER BY their_slug COLLATE "C", id)
       || '; keep one of them'
FROM pg_temp.adopted_tracks GROUP BY slug HAVING count(*) > 1 ORDER BY slug LIMIT %(most)s
""")
_SHARE_ONE_ID: Final = SQL("""
SELECT min(slug) || ': rows of the old table share the id ' || id || ': '
       || string_agg(their_slug, ', ' ORDER BY their_slug COLLATE "C")
       || '; map the column that tells them apart'
FROM pg_temp.adopted_tracks GROUP BY id HAVING count(DISTINCT slug) > 1 ORDER BY 1 LIMIT %(most)s
""")
_HERE_WITH_ANOTHER_ID: Final = SQL("""
SELECT a.slug || ': is here with another id (' || t.id || ' here, ' || a.id || ' there); other tables point at ids, '
       || 'so adopt before the first sync, or decide which id stays'
FROM pg_temp.adopted_tracks AS a JOIN public.tracks AS t ON t.source = a.source AND t.slug = a.slug
WHERE t.id <> a.id ORDER BY a.slug LIMIT %(most)s
""")
_ID_OF_ANOTHER_TRACK: Final = SQL("""
SELECT a.slug || ': its id ' || a.id || ' belongs to another track here (' || t.source || '/' || t.slug
       || '); correct the old row'
FROM pg_temp.adopted_tracks AS a JOIN public.tracks AS t ON t.id = a.id
WHERE (t.source, t.slug) <> (a.source, a.slug) ORDER BY a.slug LIMIT %(most)s
""")
CONFLICTS: Final = (_FOLD_TO_ONE_SLUG, _SHARE_ONE_ID, _HERE_WITH_ANOTHER_ID, _ID_OF_ANOTHER_TRACK)
"""Each gives one line per conflict: the slug, what is wrong, the remedy."""

COUNT_STAGE: Final = SQL("""
SELECT count(*), count(*) FILTER (WHERE EXISTS (
    SELECT 1 FROM public.tracks AS t WHERE t.id = a.id AND t.source = a.source AND t.slug = a.slug
))
FROM pg_temp.adopted_tracks AS a
""")

RECORD_RUN: Final = SQL("""
INSERT INTO runs (run_id, name, namespace, source, state, attempt, epoch, finished_at, results, mode)
VALUES (%(run_id)s, 'adopt', '', %(source)s, 'succeeded', 1, 1, clock_timestamp(), %(results)s, 'adopt')
""")

# No hash and no freshness is written: the first sync compares every column, and fetches every dashboard.
ADOPT: Final = SQL("""
WITH written AS (
    INSERT INTO tracks ({columns})
    SELECT {columns} FROM pg_temp.adopted_tracks AS a
    WHERE NOT EXISTS (SELECT 1 FROM public.tracks AS t WHERE t.id = a.id)
    ORDER BY slug
    RETURNING id
), logged AS (
    INSERT INTO changes (run_id, track_id, kind) SELECT %(run_id)s, id, 'inserted' FROM written
)
SELECT count(*) FROM written
""").format(columns=names(TRACK_COLUMNS))
