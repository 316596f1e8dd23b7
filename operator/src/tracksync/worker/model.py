"""What a run is given: its request and its ports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tracksync.ports import Clock, Ledger, Progress, RunIdentity, Source, TrackStore

REPORT_EVERY_SECONDS: Final = 5.0
"""Progress in a cluster is written at most this often, because each write is a new revision of the object in etcd."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """The wish, resolved: limits of the installation and of the spec are already one number.

    Attributes:
        identity: which run this is.
        database_setting: where the database's address comes from, for messages: a field, a flag or a variable.
        fetch_dashboards: whether each track's dashboard is fetched; False syncs the catalogue page only.
        concurrency: dashboards in flight at once.
        report_every_seconds: shortest time between two reports, stage changes left out.
    """

    identity: RunIdentity
    database_setting: str
    fetch_dashboards: bool = True
    concurrency: int = 1
    report_every_seconds: float = REPORT_EVERY_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPorts:
    """What a run needs from the world."""

    ledger: Ledger
    tracks: TrackStore
    source: Source
    progress: Progress
    clock: Clock
