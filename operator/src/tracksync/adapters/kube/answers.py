"""What can go wrong when somebody asks the API server for something, as the command line tells it apart."""

from __future__ import annotations

from typing import ClassVar

from tracksync.errors import FailureReason, TrackSyncError


class AnswerError(TrackSyncError):
    """The API server did not do what it was asked for; the remedy says what to do about it."""

    reason: ClassVar[FailureReason] = FailureReason.CLUSTER_REFUSED

    def __init__(self, message: str, remedy: str = "") -> None:
        """Keep the remedy beside the message."""
        super().__init__(message)
        self.remedy = remedy


class NoClusterError(AnswerError):
    """Nobody said which cluster is meant, or the credentials for it are unusable."""

    def __init__(self, message: str) -> None:
        """Add the remedy."""
        super().__init__(message, "Set KUBECONFIG, or give --kubeconfig FILE and --context NAME.")


class NotFoundError(AnswerError):
    """There is no such object."""


class NotInstalledError(NotFoundError):
    """The cluster does not know TrackSyncJobs."""


class ForbiddenError(AnswerError):
    """The caller lacks a right, or is not known to the API server."""


class ConflictError(AnswerError):
    """The object exists already, or changed meanwhile."""


class InvalidError(AnswerError):
    """The API server refuses the object or the change."""


class NotReadyError(AnswerError):
    """What was asked for is not there yet, such as the log of a container that has not started."""


class ExpiredError(AnswerError):
    """The API server has forgotten the version that a watch began at: read the object anew."""
