"""The tracks in PostgreSQL: the merge of a run's staged items, and reading."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from psycopg.types.json import Jsonb

from tracksync.adapters.checkpoint import merged_document, summary_or_none
from tracksync.adapters.postgres import history_statements, merge_statements, statements
from tracksync.adapters.postgres.columns import TRACK_COLUMNS
from tracksync.adapters.postgres.fencing import fenced, run_id_of, written
from tracksync.adapters.postgres.history import changes_of
from tracksync.adapters.postgres.session import one_row
from tracksync.adapters.storable import storable_text
from tracksync.api.deactivation import DeactivationPolicy
from tracksync.core.tracks.model import MergeCounters, StoredTrack
from tracksync.core.tracks.plan import MergePlan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from psycopg.sql import Composed

    from tracksync.adapters.postgres.session import Connection, Session
    from tracksync.core.tracks.guards import DeactivationGuard
    from tracksync.core.tracks.model import ListingSummary
    from tracksync.ports import RunTicket


class PostgresTrackStore:
    """`tracksync.ports.TrackStore` on PostgreSQL."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def merge(self, ticket: RunTicket, *, guard: DeactivationGuard, is_filtered: bool = False) -> MergeCounters:
        """Bring the staged items into `tracks` in one transaction; rows that do not differ are not written.

        The counters: `inserted + updated + unchanged` and the reactivated tracks of which no value changed add up to
        the listed tracks. A reactivated track of which a value changed counts as reactivated and as updated.
        For each staged item that was attempted its freshness is written. Without a whole staged listing no track has
        vanished, and the source was not completely seen. A cancellation that comes while the COMMIT is under way does
        not hide that it succeeded; a lost answer is settled by reading what the merge wrote into the run's row.
        """
        run = _run(ticket)
        settle = written(run_id_of(ticket.identity), merge_statements.IS_MERGED, run)
        async with fenced(self._session, ticket, commit_outlives_cancel=True, settle=settle) as connection:
            await connection.execute(merge_statements.TAKE_TURN, run)
            before = await _before(connection, run)
            counters = await _bring_in(connection, run, before, guard, is_filtered=is_filtered, steps=APPLY)
            await _write_facts(connection, run, before, counters, is_filtered=is_filtered)
            merged = {**run, "merged": Jsonb(merged_document(counters, epoch=ticket.epoch))}
            (run["merged_at"],) = await one_row(connection, merge_statements.WRITE_MERGED, merged)
        return counters

    async def plan(self, ticket: RunTicket, *, guard: DeactivationGuard, is_filtered: bool = False) -> MergePlan:
        """Return what `merge` would do now, and keep it in `planned_changes`; no row of `tracks` is even locked."""
        run = _run(ticket)
        async with fenced(self._session, ticket) as connection:
            await connection.execute(merge_statements.TAKE_TURN, run)
            await connection.execute(merge_statements.DISCARD_PLAN, run)
            before = await _before(connection, run)
            counters = await _bring_in(connection, run, before, guard, is_filtered=is_filtered, steps=PLAN)
            rows = await (await connection.execute(history_statements.PLANNED_BY_RUN, run)).fetchall()
        return MergePlan(counters, changes_of(rows))

    async def count_active(self, source: str) -> int:
        """Return how many tracks of the source are active."""
        async with self._session.transaction() as connection:
            row = await (await connection.execute(statements.COUNT_ACTIVE, {"source": source})).fetchone()
        return row[0] if row else 0

    async def find_tracks(
        self, *, source: str | None = None, search: str | None = None, include_inactive: bool = False
    ) -> Sequence[StoredTrack]:
        """Return stored tracks by name, then slug; times are ISO text in UTC, ids are text."""
        values = {"source": source, "include_inactive": include_inactive, "pattern": _pattern(search)}
        async with self._session.transaction() as connection:
            rows = await (await connection.execute(statements.FIND_TRACKS, values)).fetchall()
        found = [dict(zip(TRACK_COLUMNS, map(_displayable, row), strict=True)) for row in rows]
        found.sort(key=lambda track: (str(track["name"]).casefold(), str(track["slug"]), str(track["source"])))
        return [StoredTrack(track) for track in found]


@dataclass(frozen=True, slots=True)
class _Steps:
    """The statements that change tracks, or their variants that only say what they would do."""

    deactivate: Composed
    update: Composed
    insert: Composed
    insert_new: Composed


APPLY: Final = _Steps(
    merge_statements.DEACTIVATE_TRACKS,
    merge_statements.UPDATE_TRACKS,
    merge_statements.INSERT_ITEMS,
    merge_statements.INSERT_NEW_TRACKS,
)
PLAN: Final = _Steps(
    merge_statements.PLAN_DEACTIVATIONS,
    merge_statements.PLAN_UPDATES,
    merge_statements.PLAN_ITEMS,
    merge_statements.PLAN_NEW_TRACKS,
)


@dataclass(frozen=True, slots=True)
class _Before:
    """What a merge starts from.

    Attributes:
        items: staged rows, vanished tracks included.
        new: staged rows of new tracks that came with all that is known of them.
        vanished: of the items, tracks that are not listed.
        attempted: of the items, tracks whose dashboard was asked for.
        with_activity: of all, tracks at which something else is going on.
        active: active tracks of the source.
        summary: what is stored of the listing; None when this build cannot read it.
        is_outdated: whether another run has merged into the source since the listing was staged.
    """

    items: int
    new: int
    vanished: int
    attempted: int
    with_activity: int
    active: int
    summary: ListingSummary | None
    is_outdated: bool

    @property
    def is_whole(self) -> bool:
        """Whether all that differs from a complete listing is staged, and the listing has at least one track."""
        return self.summary is not None and self.summary.listed > 0 and self.items + self.new == self.summary.staged

    @property
    def listed(self) -> int:
        """Tracks that the listing has, as far as is known."""
        if self.summary is not None and self.is_whole:
            return self.summary.listed
        return self.items + self.new - self.vanished


def _run(ticket: RunTicket) -> dict[str, object]:
    """Return the parameters that all statements of a merge have in common."""
    identity = ticket.identity
    return {
        "run_id": run_id_of(identity),
        "epoch": ticket.epoch,
        "source": identity.source,
        "planned_start": ticket.planned_start,
    }


async def _before(connection: Connection, run: Mapping[str, object]) -> _Before:
    row = await one_row(connection, merge_statements.BEFORE_MERGE, run)
    *counts, checkpoint_format, listing = row
    summary = summary_or_none(listing, checkpoint_format=checkpoint_format)
    (is_outdated,) = await one_row(connection, statements.IS_OUTDATED, run)
    items, new, vanished, attempted, with_activity, active = counts
    return _Before(items, new, vanished, attempted, with_activity, active, summary, is_outdated)


async def _bring_in(  # noqa: PLR0913 -- what a merge depends on, each by its name
    connection: Connection,
    run: Mapping[str, object],
    before: _Before,
    guard: DeactivationGuard,
    *,
    is_filtered: bool,
    steps: _Steps,
) -> MergeCounters:
    """Let go what vanished, then bring in what is different and what is new; a step without rows is left out."""
    counters = await _deactivate(connection, run, before, guard, is_filtered=is_filtered, steps=steps)
    touched = updated = updated_totals = reactivated = inserted = 0
    if before.items > before.vanished:
        touched, updated, updated_totals, reactivated = await one_row(connection, steps.update, run)
        (inserted,) = await one_row(connection, steps.insert, run)
    if before.new:
        (inserted_new,) = await one_row(connection, steps.insert_new, run)
        inserted += inserted_new
    return replace(
        counters,
        inserted=inserted,
        updated=updated,
        updated_totals=updated_totals,
        unchanged=before.listed - touched - inserted,
        reactivated=reactivated,
    )


async def _deactivate(  # noqa: PLR0913 -- what a deactivation depends on, each by its name
    connection: Connection,
    run: Mapping[str, object],
    before: _Before,
    guard: DeactivationGuard,
    *,
    is_filtered: bool,
    steps: _Steps,
) -> MergeCounters:
    """Deactivate all tracks that vanished, or none when a guard holds; return what became of them."""
    counters = MergeCounters(active_before=before.active)
    if guard.policy is DeactivationPolicy.DISABLED or not before.is_whole or not before.vanished:
        return counters
    (candidates,) = await one_row(connection, merge_statements.COUNT_VANISHED, run)
    reasons = guard.judge(
        candidates=candidates,
        active_before=before.active,
        skipped_rows=before.summary.skipped_rows if before.summary is not None else 0,
        is_filtered=is_filtered,
        is_outdated=before.is_outdated,
    )
    if reasons:
        return replace(counters, withheld=candidates, withheld_reasons=reasons)
    if not candidates:
        return counters
    (deactivated,) = await one_row(connection, steps.deactivate, run)
    return replace(counters, deactivated=deactivated)


async def _write_facts(
    connection: Connection, run: Mapping[str, object], before: _Before, counters: MergeCounters, *, is_filtered: bool
) -> None:
    """Write what belongs to a merge and is no change of a track."""
    if before.attempted:
        await connection.execute(merge_statements.WRITE_FRESHNESS, run)
    if before.with_activity:
        await connection.execute(merge_statements.WRITE_ACTIVITY, run)
    if before.is_whole and not is_filtered and not before.is_outdated:
        if before.vanished > counters.deactivated:
            await connection.execute(merge_statements.MARK_MISSING, run)
        active = before.active - counters.deactivated + counters.reactivated + counters.inserted
        state = {**run, "listed": before.listed, "active": active}
        await connection.execute(merge_statements.WRITE_SOURCE_STATE, state)


def _pattern(search: str | None) -> str | None:
    """Return the text as a LIKE pattern that finds it anywhere; its own `%` and `_` are plain characters."""
    if not search:
        return None
    escaped = storable_text(search).replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    return f"%{escaped}%"


def _displayable(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return str(value) if isinstance(value, UUID) else value
