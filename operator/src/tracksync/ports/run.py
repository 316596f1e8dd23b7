"""What a run needs beside source and store: time, and a place to show its progress."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime

    from tracksync.api.job import WorkerStatus


class Clock(Protocol):
    """Time, so that tests can hold it."""

    def now(self) -> datetime:
        """Return the wall clock in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start, never going back."""
        ...


class Progress(Protocol):
    """Where a run's progress is shown: the TrackSyncJob's status, a terminal, or a test's list."""

    async def publish(self, status: WorkerStatus) -> None:
        """Show this state. A failing display never fails the run: an unreachable API server is only logged.

        Raises:
            OwnerGoneError: the TrackSyncJob no longer exists, or another one took its name; the run must stop.
        """
        ...

    async def is_abandoned(self) -> bool:
        """Return whether nobody can go on with a run that is stopped now, so that what it has staged is of no use.

        That is so when its TrackSyncJob is gone or being deleted, and for a run without one. When nobody knows, it may
        still be gone on with. Asked once, when a run is stopped; raises nothing.
        """
        ...
