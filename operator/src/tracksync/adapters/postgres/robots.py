"""What is known of robots.txt files, in PostgreSQL: one row per host, read by domain and written in batches."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Final

from psycopg.sql import SQL

from tracksync.adapters.storable import storable_text
from tracksync.ports import RobotsRecord

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracksync.adapters.postgres.session import Session

MOST_BODY_BYTES: Final = 8192
"""Bytes of a file that are kept, in UTF-8."""

READ_ROBOTS: Final = SQL("""
SELECT host, status, is_allowed, crawl_delay, fetched_at FROM robots WHERE domain = %(domain)s
""")

# In host order, so that two runs that meet take their locks alike.
WRITE_ROBOTS: Final = SQL("""
INSERT INTO robots AS r (domain, host, status, is_allowed, crawl_delay, fetched_at, body)
SELECT %(domain)s, n.*
FROM unnest(%(hosts)s::text[], %(statuses)s::smallint[], %(allowed)s::bool[], %(delays)s::float8[],
            %(instants)s::timestamptz[], %(bodies)s::text[])
     AS n (host, status, is_allowed, crawl_delay, fetched_at, body)
ORDER BY n.host
ON CONFLICT (domain, host) DO UPDATE
SET status = excluded.status, is_allowed = excluded.is_allowed, crawl_delay = excluded.crawl_delay,
    fetched_at = excluded.fetched_at, body = excluded.body
WHERE r.fetched_at <= excluded.fetched_at
""")


class PostgresRobots:
    """`tracksync.ports.RobotsCache` on PostgreSQL."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def read(self, domain: str) -> Mapping[str, RobotsRecord]:
        """Return what is known of the domain's hosts, by host and of any age; bodies are left out."""
        async with self._session.transaction() as connection:
            rows = await (await connection.execute(READ_ROBOTS, {"domain": domain})).fetchall()
        return {
            host: RobotsRecord(host, status, is_allowed, crawl_delay, fetched_at.astimezone(UTC))
            for host, status, is_allowed, crawl_delay, fetched_at in rows
        }

    async def write(self, domain: str, records: Sequence[RobotsRecord]) -> None:
        """Keep these records in one statement; of two for one host the later `fetched_at` stays.

        Of a body the first MOST_BODY_BYTES are kept.
        """
        if not records:
            return
        # The sort is stable: of two that are equally late the last one stays.
        latest = list({each.host: each for each in sorted(records, key=lambda each: each.fetched_at)}.values())
        values = {
            "domain": domain,
            "hosts": [each.host for each in latest],
            "statuses": [each.status for each in latest],
            "allowed": [each.is_allowed for each in latest],
            "delays": [each.crawl_delay for each in latest],
            "instants": [each.fetched_at for each in latest],
            "bodies": [_beginning(each.body) for each in latest],
        }
        async with self._session.transaction() as connection:
            await connection.execute(WRITE_ROBOTS, values)


def _beginning(body: str) -> str:
    """Return what fits; a character that would be cut in two is left out."""
    return storable_text(body).encode()[:MOST_BODY_BYTES].decode(errors="ignore")
