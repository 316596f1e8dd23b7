"""What the table must be: the sync's rules once more, track by track, sharing no code with it."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.histories.world_source import Served

LISTING = ("slug_as_listed", "name", "track_url", "events_url", "is_featured", "kind")
Row = dict[str, Any]


@dataclass(frozen=True)
class Wish:
    """What a run is told about vanished tracks."""

    looks: bool = True
    applies: bool = True
    max_percent: int = 5
    max_count: int = 200


@dataclass
class Oracle:
    """The rows that must be stored, by slug: content columns and `is_active`."""

    rows: dict[str, Row] = field(default_factory=dict)

    def merge(self, served: Served, wish: Wish, only: frozenset[str] = frozenset()) -> dict[str, int]:
        """Apply what a run was told, and return the transitions that it must have counted."""
        before = deepcopy(self.rows)
        listed = {slug: row for slug, row in served.listing.items() if not only or slug in only}
        for slug, row in listed.items():
            mine = self.rows.setdefault(slug, {})
            mine.update({column: row[column] for column in LISTING})
            mine.update(served.dashboards.get(slug, {}))
            mine["is_active"] = True
        withheld = self._vanish({slug for slug, row in before.items() if row["is_active"]}, set(listed), wish, only)
        return {**self._transitions(before, set(listed)), "withheld": withheld}

    def _vanish(self, active: set[str], listed: set[str], wish: Wish, only: frozenset[str]) -> int:
        gone = active - listed
        if not wish.looks or not gone:
            return 0
        too_many = len(gone) * 100 > wish.max_percent * len(active) or len(gone) > wish.max_count
        if only or too_many or not wish.applies:
            return len(gone)
        for slug in gone:
            self.rows[slug]["is_active"] = False
        return 0

    def _transitions(self, before: dict[str, Row], listed: set[str]) -> dict[str, int]:
        def content(row: Row) -> Row:
            return {column: value for column, value in row.items() if column != "is_active" and value is not None}

        updated = {slug for slug in listed & before.keys() if content(before[slug]) != content(self.rows[slug])}
        reactivated = {slug for slug in listed & before.keys() if not before[slug]["is_active"]}
        return {
            "listed": len(listed),
            "inserted": len(listed - before.keys()),
            "updated": len(updated),
            "reactivated": len(reactivated),
            "unchanged": len(listed & before.keys() - updated - reactivated),
            "deactivated": sum(row["is_active"] and not self.rows[slug]["is_active"] for slug, row in before.items()),
        }
