"""The SQL statements of a source's lease, named and explained.

All of them ask `clock_timestamp()`: the time now, and not when a transaction began that may have waited for a lock.
A lease that is given back has expired; there is no third state. Its row stays, so that its epoch only ever grows.
"""

from __future__ import annotations

from typing import Final

from psycopg.sql import SQL

# The row to lock. It is made expired, and rolled back with everything else when the lease cannot be had.
MAKE_LEASE: Final = SQL("""
INSERT INTO leases (source, run_id, epoch, renewed_at, expires_at)
VALUES (%(source)s, %(run_id)s, 1, clock_timestamp(), clock_timestamp())
ON CONFLICT (source) DO NOTHING
""")

# Whoever wants the lease waits here for whoever is taking or giving it back. The figures are those after the wait.
LOCK_LEASE: Final = SQL("""
SELECT l.run_id, coalesce(r.name, ''), l.expires_at, extract(epoch FROM l.expires_at - clock_timestamp())::float8
FROM leases AS l LEFT JOIN runs AS r ON r.run_id = l.run_id
WHERE l.source = %(source)s
FOR UPDATE OF l
""")

# Fences the run whose lease expired. It waits for that run's transaction in flight, which holds the row's lock, and
# every later one finds another epoch than its own. Its end is written as well, by whoever comes by: it is late, and its
# checkpoint stays. A run that is closed has given its lease back and stays as it is.
FENCE_HOLDER: Final = SQL("""
UPDATE runs SET epoch = epoch + 1, state = 'failed', finished_at = clock_timestamp(), reason = %(reason)s
WHERE run_id = %(holder)s AND state = 'running'
""")

TAKE_LEASE: Final = SQL("""
UPDATE leases
SET run_id = %(run_id)s, epoch = epoch + 1, renewed_at = clock_timestamp(),
    expires_at = clock_timestamp() + %(seconds)s * interval '1 second'
WHERE source = %(source)s
RETURNING epoch
""")

# A statement of its own, on a connection of its own: it names its schema, and touches no row that a merge locks.
RENEW_LEASE: Final = SQL("""
UPDATE public.leases
SET renewed_at = clock_timestamp(), expires_at = clock_timestamp() + %(seconds)s * interval '1 second'
WHERE source = %(source)s AND run_id = %(run_id)s AND epoch = %(lease_epoch)s
RETURNING epoch
""")

GIVE_BACK: Final = SQL("""
UPDATE leases SET expires_at = LEAST(expires_at, clock_timestamp())
WHERE source = %(source)s AND run_id = %(run_id)s AND epoch = %(lease_epoch)s
""")
