"""A worker's last word: the termination message that carries the result home when the API server is away.

Kubernetes keeps at most 4,096 bytes of it (documented: "Determine the Reason for Pod Failure").
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from tracksync.api.base import Message, ShortText, StoredModel
from tracksync.api.job import WorkerStatus

MAX_BYTES: Final = 4096
FORMAT: Final = 1


class Outcome(StrEnum):
    """How a run ended, in the words of the phases."""

    SUCCEEDED = "Succeeded"
    COMPLETED_WITH_ERRORS = "CompletedWithErrors"
    FAILED = "Failed"
    CANCELLED = "Cancelled"


class WorkerResult(StoredModel):
    """What one attempt achieved."""

    format: int = FORMAT
    """Version of this message."""
    run_id: ShortText
    """Id of the run; a message of another run is not believed."""
    attempt: Annotated[int, Field(ge=1)]
    """Number of the attempt; a message of another attempt is not believed."""
    outcome: Outcome
    """How it ended."""
    reason: ShortText
    """CamelCase word for the Succeeded condition."""
    message: Message = ""
    """Explanation with the remedy."""
    status: WorkerStatus = Field(default_factory=WorkerStatus)
    """The worker's half of the status at its end."""

    def encode(self) -> bytes:
        """Return the message as JSON of at most 4,096 bytes; samples and stages are dropped first when it is longer."""
        for candidate in (self, self._without("failed_samples"), self._without("failed_samples", "stages")):
            data = candidate.model_dump_json(by_alias=True, exclude_none=True).encode()
            if len(data) <= MAX_BYTES:
                return data
        short = self._without("failed_samples", "stages").model_copy(update={"message": self.message[:200]})
        return short.model_dump_json(by_alias=True, exclude_none=True).encode()

    def _without(self, *lists: str) -> WorkerResult:
        return self.model_copy(update={"status": self.status.model_copy(update=dict.fromkeys(lists, ()))})
