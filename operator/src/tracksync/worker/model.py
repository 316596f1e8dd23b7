"""What a run is given: its request and its ports."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from tracksync.api.base import timedelta_of
from tracksync.api.spec import SyncMode
from tracksync.core.tracks.freshness import Refresh
from tracksync.core.tracks.guards import DeactivationGuard
from tracksync.core.tracks.history import KEEP_DAYS
from tracksync.core.tracks.plan import RunMode
from tracksync.core.tracks.report import MAX_FAILED_PERCENT
from tracksync.liverc.version import PARSER_VERSION

if TYPE_CHECKING:
    from tracksync.api.spec import DeactivationSpec, MetadataSpec
    from tracksync.ports import Clock, History, Ledger, Progress, RunIdentity, Source, TrackStore

REPORT_EVERY_SECONDS: Final = 5.0
"""Progress in a cluster is written at most this often, because each write is a new revision of the object in etcd."""
ATTEMPTS: Final = 3
"""Attempts for one dashboard, on top of the transport's own tries (`spec.metadata.attempts`)."""
BATCH_SIZE: Final = 500
"""Dashboards that are committed together, at most (`spec.write.batchSize`)."""
_MODES: Final = {SyncMode.APPLY: RunMode.APPLY, SyncMode.PLAN: RunMode.PLAN}
_CHECKPOINT_FORMAT: Final = 1
"""Raise it whenever a checkpoint of an older build must not be gone on with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """The wish, resolved: limits of the installation and of the spec are already one number.

    Attributes:
        identity: which run this is.
        database_setting: where the database's address comes from, for messages: a field, a flag or a variable.
        refresh: which dashboards are fetched; None syncs the catalogue page only.
        attempts: attempts for one dashboard, 1 or more, on top of the source's own tries.
        concurrency: dashboards in flight at once.
        guard: whether tracks that vanished from the catalogue may be deactivated.
        only_slugs: the tracks to sync; empty means all. Such a run never deactivates a track.
        only_slugs_setting: where `only_slugs` comes from, for messages: a field or a flag.
        mode: what the run is for.
        batch_size: dashboards that are committed together, at most.
        max_failed_percent: share of the due dashboards that may fail, in percent.
        keep_days: how long finished runs are remembered, LEAST_KEEP_DAYS or more.
        report_every_seconds: shortest time between two reports, stage changes left out.
    """

    identity: RunIdentity
    database_setting: str
    refresh: Refresh | None
    attempts: int = ATTEMPTS
    concurrency: int = 1
    guard: DeactivationGuard = field(default_factory=DeactivationGuard)
    only_slugs: frozenset[str] = frozenset()
    only_slugs_setting: str = "spec.onlySlugs"
    mode: RunMode = RunMode.APPLY
    batch_size: int = BATCH_SIZE
    max_failed_percent: int = MAX_FAILED_PERCENT
    keep_days: int = KEEP_DAYS
    report_every_seconds: float = REPORT_EVERY_SECONDS

    @property
    def spec_hash(self) -> str:
        """What a checkpoint depends on, as 64 hex digits: equal exactly when it may be gone on with.

        Attempts, concurrency and batches are left out: they change how the rest is fetched, not what was fetched. So
        are the guard and the mode: they count in the merge.
        """
        bound_to = {
            "format": _CHECKPOINT_FORMAT,
            "source": self.identity.source,
            "domain": self.identity.domain,
            "parser": PARSER_VERSION,
            "refreshAfter": None if self.refresh is None else self.refresh.after.total_seconds(),
            "onlySlugs": sorted(self.only_slugs),
        }
        return sha256(json.dumps(bound_to, sort_keys=True).encode()).hexdigest()


def refresh_of(metadata: MetadataSpec) -> Refresh | None:
    """Return which dashboards the spec wants fetched; None: none."""
    return Refresh(timedelta_of(metadata.refresh_after), PARSER_VERSION) if metadata.enabled else None


def mode_of(mode: SyncMode) -> RunMode:
    """Return what the spec wants a run to be for."""
    return _MODES[mode]


def guard_of(deactivation: DeactivationSpec) -> DeactivationGuard:
    """Return when the spec lets vanished tracks be deactivated."""
    return DeactivationGuard(
        policy=deactivation.policy,
        max_percent=deactivation.max_percent,
        max_count=deactivation.max_count,
        approved_ceiling=deactivation.approved_ceiling,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPorts:
    """What a run needs from the world; without a history, old runs are not forgotten."""

    ledger: Ledger
    tracks: TrackStore
    source: Source
    progress: Progress
    clock: Clock
    history: History | None = None
