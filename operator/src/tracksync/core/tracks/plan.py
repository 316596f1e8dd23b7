"""What a merge would do, or did: one line per track, with the names of the fields and never their values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracksync.core.tracks.model import MergeCounters


class RunMode(StrEnum):
    """What a run is for."""

    APPLY = "apply"
    PLAN = "plan"
    """Everything is fetched and compared; no track is written."""
    UNDO = "undo"
    """Takes back what an earlier run did."""
    ADOPT = "adopt"
    """Takes over a predecessor's table."""


class ChangeKind(StrEnum):
    """What happens to a track."""

    INSERTED = "inserted"
    UPDATED = "updated"
    REACTIVATED = "reactivated"
    DEACTIVATED = "deactivated"


@dataclass(frozen=True, slots=True)
class TrackChange:
    """One track that changes.

    Attributes:
        slug: the track's slug.
        kind: what happens to it.
        fields: columns of which the value changes, sorted; empty for an inserted and for a deactivated track.
    """

    slug: str
    kind: ChangeKind
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MergePlan:
    """What a merge of the staged items would do now.

    Attributes:
        counters: what it would count; the guards have been asked.
        changes: the tracks that it would change, in slug order; vanished tracks that a guard keeps are not among them.
    """

    counters: MergeCounters
    changes: tuple[TrackChange, ...] = ()
