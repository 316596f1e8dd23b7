"""A TrackSyncJob as the commands read it: both halves of its status, and how it stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tracksync.api.base import ConditionStatus
from tracksync.api.identity import ConditionType
from tracksync.api.job import OperatorStatus, Phase, WorkerStatus
from tracksync.core.runs.model import Key
from tracksync.core.runs.reading import mapping, moment, parse_leniently, text, whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracksync.api.base import Condition

DONE_PHASES = frozenset({Phase.SUCCEEDED, Phase.COMPLETED_WITH_ERRORS})


@dataclass(frozen=True, slots=True)
class RunView:
    """What a manifest says; a field that does not fit reads as absent."""

    manifest: Mapping[str, object]
    key: Key
    uid: str
    created: datetime | None
    operator: OperatorStatus
    worker: WorkerStatus

    @property
    def phase(self) -> Phase | None:
        """Where it stands; None: the operator has not looked at it yet."""
        return self.operator.phase

    @property
    def phase_word(self) -> str:
        """The phase for people; a resource that is being deleted says so, as `kubectl` does for pods."""
        word = self.phase.value if self.phase is not None else "New"
        return "Terminating" if self.is_deleted and not self.is_ended else word

    @property
    def is_deleted(self) -> bool:
        """Whether it is on its way out."""
        return bool(text(self.manifest, "metadata", "deletionTimestamp"))

    @property
    def is_ended(self) -> bool:
        """Whether it has ended, well or badly."""
        return self.phase is not None and self.phase.is_terminal

    @property
    def is_done(self) -> bool:
        """Whether it ended well, item errors or not."""
        return self.phase in DONE_PHASES

    @property
    def is_behind(self) -> bool:
        """Whether the operator has not looked at the latest change of the spec yet."""
        generation, seen = whole(self.manifest, "metadata", "generation"), self.operator.observed_generation
        return generation is not None and (seen or 0) < generation

    @property
    def spec(self) -> Mapping[str, object]:
        """The spec as it is stored."""
        return mapping(self.manifest, "spec")

    @property
    def reason(self) -> str:
        """The reason of the summary."""
        found = self.condition(ConditionType.SUCCEEDED)
        return found.reason if found is not None else ""

    def condition(self, kind: str) -> Condition | None:
        """Return the condition of this type, if it is there."""
        return next((entry for entry in self.operator.conditions if entry.type == kind), None)

    def holds(self, kind: str) -> bool:
        """Return whether the condition is True."""
        found = self.condition(kind)
        return found is not None and found.status is ConditionStatus.TRUE

    def seconds(self, now: datetime) -> float | None:
        """Return how long it has taken so far, or took."""
        begun, ended = self.operator.start_time, self.operator.completion_time
        return ((ended or now) - begun).total_seconds() if begun is not None else None


def view_of(manifest: Mapping[str, object]) -> RunView:
    """Return the view of a TrackSyncJob."""
    status = mapping(manifest, "status")
    return RunView(
        manifest=manifest,
        key=Key(text(manifest, "metadata", "namespace"), text(manifest, "metadata", "name")),
        uid=text(manifest, "metadata", "uid"),
        created=moment(manifest, "metadata", "creationTimestamp"),
        operator=parse_leniently(OperatorStatus, status),
        worker=parse_leniently(WorkerStatus, status),
    )


def age(seconds: float) -> str:
    """Return a span as `kubectl` shows it: 45s, 12m, 3h20m, 5d."""
    whole_seconds = max(0, int(seconds))
    minutes, hours, days = whole_seconds // 60, whole_seconds // 3600, whole_seconds // 86400
    if minutes < 2:  # noqa: PLR2004 -- two minutes
        return f"{whole_seconds}s"
    if hours < 2:  # noqa: PLR2004 -- two hours
        return f"{minutes}m"
    if days < 2:  # noqa: PLR2004 -- two days
        return f"{hours}h{minutes % 60:02}m"
    return f"{days}d"


def written(instant: datetime | None) -> str:
    """Return the instant in UTC, or nothing."""
    return instant.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ") if instant is not None else ""
