"""The shared pace in PostgreSQL: one row per registrable domain, moved by single statements on the database's clock.

Each call is one statement and one round trip, so the row is locked only while the server works on it, and a pooler may
serve each call from another connection. `clock_timestamp()` and not `now()`: a statement that waited for the row's lock
began before the one that it waited for had ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from psycopg.sql import SQL

from tracksync.adapters.storable import storable_text
from tracksync.ports import DomainState, ReservedSlots

if TYPE_CHECKING:
    from tracksync.adapters.postgres.session import Session

LONGEST_PAUSE: Final = 1e9
"""Seconds; a longer one is no instant that the database can hold."""

# The state that RETURNING and SELECT show: seconds of pause left, and the reason to be off.
_STATE: Final = SQL("GREATEST(extract(epoch FROM paused_until - clock_timestamp()), 0)::float8, off_reason")

# The row is locked before the new value is computed, so two calls never see the same `next_free`.
# Nothing is taken while the source is off; the row is returned all the same, so that there is no second question.
RESERVE: Final = SQL("""
INSERT INTO public.source_domains AS d (domain, next_free)
VALUES (%(domain)s, clock_timestamp() + %(seconds)s * interval '1 second')
ON CONFLICT (domain) DO UPDATE
SET next_free = CASE WHEN d.off_reason IS NULL
                     THEN GREATEST(d.next_free, d.paused_until, clock_timestamp()) + %(seconds)s * interval '1 second'
                     ELSE d.next_free END,
    updated_at = clock_timestamp()
RETURNING GREATEST(extract(epoch FROM next_free - %(seconds)s * interval '1 second' - clock_timestamp()), 0)::float8,
          {state}
""").format(state=_STATE)

LOOK: Final = SQL("SELECT {state} FROM public.source_domains WHERE domain = %(domain)s").format(state=_STATE)

PAUSE: Final = SQL("""
INSERT INTO public.source_domains AS d (domain, paused_until)
VALUES (%(domain)s, clock_timestamp() + %(seconds)s * interval '1 second')
ON CONFLICT (domain) DO UPDATE
SET paused_until = GREATEST(d.paused_until, clock_timestamp() + %(seconds)s * interval '1 second'),
    updated_at = clock_timestamp()
""")

SWITCH: Final = SQL("""
INSERT INTO public.source_domains (domain, off_reason) VALUES (%(domain)s, %(off_reason)s::text)
ON CONFLICT (domain) DO UPDATE SET off_reason = excluded.off_reason, updated_at = clock_timestamp()
""")


class PostgresPace:
    """`tracksync.ports.SharedPace` on one row of PostgreSQL; the first call that writes makes the row."""

    def __init__(self, session: Session, domain: str) -> None:
        self._session = session
        self._domain = domain

    async def reserve(self, slots: int, *, interval: float) -> ReservedSlots:
        """Take the next `slots` free slots, each `interval` seconds long; nothing while the source is off.

        A reply that was lost costs the slots: the call is repeated and takes the next ones.
        """
        values = {"domain": self._domain, "seconds": float(slots * interval)}
        seconds, paused_seconds, off_reason = (await self._session.statement(RESERVE, values))[0]
        return ReservedSlots(0.0 if off_reason is not None else seconds, DomainState(paused_seconds, off_reason))

    async def look(self) -> DomainState:
        """Return what holds now."""
        rows = await self._session.statement(LOOK, {"domain": self._domain})
        return DomainState(*rows[0]) if rows else DomainState()

    async def pause(self, seconds: float) -> None:
        """Let nobody's slot begin for so long; never shortens a longer pause."""
        values = {"domain": self._domain, "seconds": float(min(seconds, LONGEST_PAUSE))}
        await self._session.statement(PAUSE, values)

    async def switch(self, *, off_reason: str | None) -> None:
        """Switch the source off for this reason, or on (None)."""
        reason = None if off_reason is None else storable_text(off_reason)
        await self._session.statement(SWITCH, {"domain": self._domain, "off_reason": reason})
