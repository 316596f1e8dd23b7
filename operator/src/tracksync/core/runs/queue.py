"""Whose turn it is: one run at a time for each database and source, FIFO, fair across namespaces, within the limits.

What two runs share can only be told from their specs; the lease in the database has the last word.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracksync.api.base import ConditionStatus
from tracksync.api.identity import ConditionType, Reason
from tracksync.api.job import Phase, StopWish
from tracksync.api.spec import SecretKeyRef, SourceSpec
from tracksync.core.runs.model import Key, Turn
from tracksync.core.runs.reading import EPOCH, items, mapping, moment, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from tracksync.api.job import OperatorStatus
    from tracksync.core.runs.model import Manifest, Observed

_TERMINAL = frozenset(phase.value for phase in Phase if phase.is_terminal)


@dataclass(frozen=True, slots=True)
class Slot:
    """What only one run may use at a time, as far as the specs tell."""

    namespace: str
    secret: str
    key: str
    source: str


@dataclass(frozen=True, slots=True)
class Limits:
    """How many runs may be active at once; 0 is no limit."""

    total: int = 0
    per_namespace: int = 0

    @property
    def any(self) -> bool:
        """Whether other queues matter as well."""
        return bool(self.total or self.per_namespace)


@dataclass(frozen=True, slots=True)
class Contender:
    """An unfinished run that has the slot (active) or waits for it."""

    key: Key
    slot: Slot
    created: datetime
    active: bool = False

    @property
    def rank(self) -> tuple[datetime, str, str]:
        """Order of the queue: first come, first served; the name decides within a second."""
        return (self.created, self.key.name, self.key.namespace)


def slot_of(run: Manifest) -> Slot:
    """Return the slot that a TrackSyncJob needs; odd values read as the schema's defaults."""
    reference = mapping(run, "spec", "target", "databaseSecretRef")
    return Slot(
        namespace=text(run, "metadata", "namespace"),
        secret=text(reference, "name"),
        key=text(reference, "key") or str(SecretKeyRef.model_fields["key"].default),
        source=text(run, "spec", "source", "name") or SourceSpec().name,
    )


def contender_of(run: Manifest) -> Contender | None:
    """Return the TrackSyncJob as the queue sees it, or None when it neither has nor wants a slot."""
    if text(run, "status", "phase") in _TERMINAL:
        return None
    active = _has_slot(run)
    if not active and not _wants_slot(run):
        return None
    return Contender(
        key=Key(text(run, "metadata", "namespace"), text(run, "metadata", "name")),
        slot=slot_of(run),
        created=moment(run, "metadata", "creationTimestamp") or EPOCH,
        active=active,
    )


def _has_slot(run: Manifest) -> bool:
    for condition in items(run, "status", "conditions"):
        if text(condition, "type") == ConditionType.ADMITTED:
            return text(condition, "status") == "True"
    return bool(items(run, "status", "attempts"))  # a status without the condition: an older version's


def _wants_slot(run: Manifest) -> bool:
    """Return whether it would start if it were its turn: one that cannot or shall not start holds nobody up."""
    overridden = mapping(run, "status").get("overridden")
    overruled = overridden if isinstance(overridden, list) else []
    stops = (("suspend", StopWish.SUSPEND), ("cancel", StopWish.CANCEL))
    if any(mapping(run, "spec").get(field) is True and wish.value not in overruled for field, wish in stops):
        return False
    if text(run, "metadata", "deletionTimestamp"):
        return False
    return all(text(condition, "reason") != Reason.OBJECT_INVALID for condition in items(run, "status", "conditions"))


def turn_of(me: Contender, others: Iterable[Contender], limits: Limits) -> Turn:
    """Return whether this waiting run may start, or its place and what it waits for."""
    rest = [other for other in others if other.key != me.key]
    mates = [other for other in rest if other.slot == me.slot]
    ahead = sorted((mate for mate in mates if not mate.active and mate.rank < me.rank), key=lambda mate: mate.rank)
    holder = next((mate for mate in mates if mate.active), ahead[0] if ahead else None)
    if holder is not None:
        what = f"secret {me.slot.secret!r}, key {me.slot.key!r}, source {me.slot.source!r}"
        message = f"waits for TrackSyncJob {holder.key.name}: one run at a time for the same database ({what})"
        return Turn(len(ahead) + 1, message)
    return _within_limits(me, rest, limits) if limits.any else Turn()


def _within_limits(me: Contender, rest: Sequence[Contender], limits: Limits) -> Turn:
    """Return the turn of a queue's head under the limits: the namespace with the fewest active runs goes first."""
    active = Counter(other.slot.namespace for other in rest if other.active)
    order = _fair_order([me, *_heads(rest, without=me.slot)], active)
    running = Counter(active)
    for position, contender in enumerate(order, start=1):
        namespace = contender.slot.namespace
        fits = not limits.total or running.total() < limits.total
        fits = fits and (not limits.per_namespace or running[namespace] < limits.per_namespace)
        if contender.key == me.key:
            return Turn() if fits else Turn(position, _limit_message(limits, active, namespace))
        if fits:
            running[namespace] += 1
    raise AssertionError("the run is one of the heads")


def _heads(contenders: Iterable[Contender], *, without: Slot) -> list[Contender]:
    """Return the first waiting run of every free slot."""
    busy = {contender.slot for contender in contenders if contender.active} | {without}
    heads: dict[Slot, Contender] = {}
    for contender in sorted(contenders, key=lambda each: each.rank):
        if not contender.active and contender.slot not in busy:
            heads.setdefault(contender.slot, contender)
    return list(heads.values())


def _fair_order(heads: Iterable[Contender], active: Counter[str]) -> list[Contender]:
    """Return the heads in the order in which they would start, were one place free after the other."""
    waiting, running, order = list(heads), Counter(active), []
    while waiting:
        chosen = min(waiting, key=lambda each: (running[each.slot.namespace], each.rank))
        waiting.remove(chosen)
        running[chosen.slot.namespace] += 1
        order.append(chosen)
    return order


def _limit_message(limits: Limits, active: Counter[str], namespace: str) -> str:
    if limits.per_namespace and active[namespace] >= limits.per_namespace:
        return (
            f"{active[namespace]} runs are active in this namespace and this installation allows "
            f"{limits.per_namespace} (TRACKSYNC_MAX_ACTIVE_RUNS_PER_NAMESPACE)"
        )
    return (
        f"{active.total()} runs are active and this installation allows {limits.total} at once "
        "(TRACKSYNC_MAX_ACTIVE_RUNS)"
    )


def has_turn(observed: Observed) -> bool:
    """Return whether the status says that the run was admitted."""
    return _is_admitted(observed.status)


def _is_admitted(status: OperatorStatus) -> bool:
    for condition in status.conditions:
        if condition.type == ConditionType.ADMITTED:
            return condition.status is ConditionStatus.TRUE
    return bool(status.attempts)  # an older version's


def needs_turn(observed: Observed) -> bool:
    """Return whether the queue has to be asked before anything is decided about this run."""
    phase = observed.status.phase
    if observed.spec is None or observed.deleted_at is not None or observed.jobs:
        return False
    return not (phase is not None and phase.is_terminal) and not has_turn(observed)


def gives_way(observed: Observed, after: OperatorStatus) -> bool:
    """Return whether this pass ended a turn, or took a run out of the queue, so that others may have to be woken."""
    before = observed.status
    ended = after.phase is not None and after.phase.is_terminal and before.phase is not after.phase
    return ended or (_is_admitted(before) and not _is_admitted(after))
