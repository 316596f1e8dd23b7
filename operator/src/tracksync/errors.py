"""Every exception of TrackSync, and how each one is treated.

    TrackSyncError                    exit code  1, unexpected
    ├── ConfigurationError            exit code 30, do not retry: somebody has to change something
    │   ├── SettingsError             a setting, flag or environment variable
    │   ├── SourceNotAllowedError     the source or a host of it is outside the installation's list
    │   ├── DatabaseCredentialsError  the secret's content is unusable, or the server refused it
    │   │   └── DatabaseLoginError    the server refused the user or password: a rotated secret may heal it
    │   ├── ClusterRefusedError       the Kubernetes API refused: a right, a quota or an admission rule
    │   └── SchemaMismatchError       the database is at another migration than this build expects
    ├── TransientError                exit code 20, worth another try
    │   ├── DatabaseUnavailableError
    │   │   ├── DatabaseCapacityError disk, memory or connections of the database are used up
    │   │   └── StatementTimeoutError a statement took too long: less at once may do
    │   ├── SourceUnavailableError
    │   │   └── SourceOffError        somebody switched the source off
    │   ├── ClusterUnavailableError
    │   └── TooManyFailedItemsError
    ├── ListingInvalidError           exit code 40: the catalogue page is not believed, no track was touched
    ├── RunCancelledError             exit code 50: rolled back as asked
    │   └── OwnerGoneError            the run's TrackSyncJob no longer exists
    ├── FencedError                   exit code 60: a newer epoch of this run exists, or another run took its lease
    ├── LeaseHeldError                exit code 70: another run holds the source's lease
    └── ItemError                     one track failed; the run goes on

A message names the field at fault and the remedy. It never holds a credential, a DSN, personal data or page text.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, ClassVar, Final

if TYPE_CHECKING:
    from datetime import datetime


class ExitCode(IntEnum):
    """Exit codes of the worker process; `tracksync run` uses the same ones."""

    DONE = 0
    UNEXPECTED = 1
    ITEM_ERRORS = 10
    """Done with item errors. Only on a terminal: in a pod it is 0, and the result says CompletedWithErrors."""
    TRANSIENT = 20
    CONFIGURATION = 30
    LISTING_INVALID = 40
    CANCELLED = 50
    FENCED = 60
    LEASE_HELD = 70


class FailureReason(StrEnum):
    """Why a run ended badly: the reason of its `Succeeded` condition (CamelCase, stable)."""

    UNEXPECTED = "UnexpectedError"
    CONFIGURATION = "ConfigurationInvalid"
    SETTINGS = "SettingsInvalid"
    SOURCE_NOT_ALLOWED = "SourceNotAllowed"
    DATABASE_CREDENTIALS = "DatabaseCredentialsInvalid"
    SCHEMA_MISMATCH = "SchemaMismatch"
    TRANSIENT = "TransientError"
    DATABASE_UNAVAILABLE = "DatabaseUnavailable"
    DATABASE_CAPACITY = "DatabaseCapacity"
    """The database has no disk, memory or connections left."""
    SOURCE_UNAVAILABLE = "SourceUnavailable"
    SOURCE_OFF = "SourceOff"
    CLUSTER_UNAVAILABLE = "ClusterUnavailable"
    CLUSTER_REFUSED = "ClusterRefused"
    TOO_MANY_FAILED_ITEMS = "TooManyFailedItems"
    SOURCE_INVALID = "SourceInvalid"
    CANCELLED = "Cancelled"
    OWNER_GONE = "OwnerGone"
    FENCED = "LeaseLost"
    LEASE_HELD = "LeaseHeld"
    ITEM_FAILED = "ItemFailed"
    RESULT_MISSING = "ResultMissing"
    """The worker exited 0, but neither its status nor its termination message arrived."""
    OUT_OF_MEMORY = "OutOfMemory"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    NAME_COLLISION = "NameCollision"
    POD_FAILED = "PodFailed"
    """The pod ended with an exit code or signal that no other reason explains."""


class TrackSyncError(Exception):
    """Something went wrong that no narrower class describes."""

    reason: ClassVar[FailureReason] = FailureReason.UNEXPECTED
    exit_code: ClassVar[ExitCode] = ExitCode.UNEXPECTED


class ConfigurationError(TrackSyncError):
    """Somebody has to change a setting, a secret or a resource before another try makes sense."""

    reason = FailureReason.CONFIGURATION
    exit_code = ExitCode.CONFIGURATION


class SettingsError(ConfigurationError):
    """A setting, flag or environment variable has an unusable value."""

    reason = FailureReason.SETTINGS


class SourceNotAllowedError(ConfigurationError):
    """The source, or a host or address that it leads to, is outside the installation's list."""

    reason = FailureReason.SOURCE_NOT_ALLOWED


class DatabaseCredentialsError(ConfigurationError):
    """The database secret's content is unusable, or the server refused it."""

    reason = FailureReason.DATABASE_CREDENTIALS


class DatabaseLoginError(DatabaseCredentialsError):
    """The server refused the user or the password; while a run is under way the secret is read again."""


class SchemaMismatchError(ConfigurationError):
    """The database is at another migration than this build expects."""

    reason = FailureReason.SCHEMA_MISMATCH


class ClusterRefusedError(ConfigurationError):
    """The Kubernetes API refused a request: a right is missing, a quota is used up, or an admission rule denied it."""

    reason = FailureReason.CLUSTER_REFUSED


class TransientError(TrackSyncError):
    """The same step may succeed later without any change."""

    reason = FailureReason.TRANSIENT
    exit_code = ExitCode.TRANSIENT


class DatabaseUnavailableError(TransientError):
    """The database cannot be reached, or lost the connection."""

    reason = FailureReason.DATABASE_UNAVAILABLE


class DatabaseCapacityError(DatabaseUnavailableError):
    """The database has no disk, memory or connections left; somebody has to give it more if it does not pass."""

    reason = FailureReason.DATABASE_CAPACITY


class StatementTimeoutError(DatabaseUnavailableError):
    """The database ended a statement that took too long; a smaller one may pass."""


class SourceUnavailableError(TransientError):
    """The source cannot be reached, or answers with an error."""

    reason = FailureReason.SOURCE_UNAVAILABLE


class SourceOffError(SourceUnavailableError):
    """Somebody switched the source off (`tracksync source off`); the run stops and keeps its checkpoint."""

    reason = FailureReason.SOURCE_OFF


class ClusterUnavailableError(TransientError):
    """The Kubernetes API cannot be reached, or answers with an error.

    Attributes:
        retry_after: seconds that the server asked to wait for; 0 when it said nothing.
    """

    reason = FailureReason.CLUSTER_UNAVAILABLE

    def __init__(self, message: str, *, retry_after: float = 0.0) -> None:
        """Keep the server's wish beside the message."""
        super().__init__(message)
        self.retry_after = retry_after


class TooManyFailedItemsError(TransientError):
    """More dashboards failed than a run may lose; nothing was merged."""

    reason = FailureReason.TOO_MANY_FAILED_ITEMS


class ListingInvalidError(TrackSyncError):
    """The catalogue page is not a complete, valid listing; no track was touched."""

    reason = FailureReason.SOURCE_INVALID
    exit_code = ExitCode.LISTING_INVALID


class RunCancelledError(TrackSyncError):
    """The run was asked to stop and rolled back."""

    reason = FailureReason.CANCELLED
    exit_code = ExitCode.CANCELLED


class OwnerGoneError(RunCancelledError):
    """The TrackSyncJob that this run belongs to no longer exists, or another one took its name."""

    reason = FailureReason.OWNER_GONE


class FencedError(TrackSyncError):
    """A newer epoch of this run exists, or another run took its lease; this process may not write any more."""

    reason = FailureReason.FENCED
    exit_code = ExitCode.FENCED


class LeaseHeldError(TrackSyncError):
    """Another run holds the source's lease.

    Attributes:
        expires_at: until when, by the database's clock, unless it is renewed; a holder that lives moves it.
    """

    reason = FailureReason.LEASE_HELD
    exit_code = ExitCode.LEASE_HELD

    def __init__(self, message: str, *, expires_at: datetime) -> None:
        """Keep the moment beside the message."""
        super().__init__(message)
        self.expires_at = expires_at


def lease_held(source: str, run_id: str, name: str, *, expires_at: datetime, seconds_left: float) -> LeaseHeldError:
    """Return the error that names the holder, the time it has left, and what to do."""
    holder = f"{name!r} ({run_id})" if name else run_id
    return LeaseHeldError(
        f"run {holder} holds the lease of the source {source!r} for another {max(0.0, seconds_left):.0f} s unless it "
        "renews it; nothing was written. Wait for that run or cancel it, then start this one again",
        expires_at=expires_at,
    )


class ItemErrorClass(StrEnum):
    """Class of one track's failure, as stored in the ledger and counted in reports."""

    HTTP_STATUS = "HttpStatus"
    TIMEOUT = "Timeout"
    CONNECTION = "Connection"
    TOO_LARGE = "TooLarge"
    REDIRECT = "Redirect"
    NOT_A_DASHBOARD = "NotADashboard"
    PARSER = "Parser"
    ROBOTS_DISALLOWED = "RobotsDisallowed"
    """The host's robots.txt forbids the page, or asks for a longer wait than a run has."""
    ROBOTS_UNREACHABLE = "RobotsUnreachable"
    """Nobody can say what the host's robots.txt allows, and there is no earlier copy: fail closed."""


_TRANSIENT_CLASSES: Final = frozenset(
    {ItemErrorClass.TIMEOUT, ItemErrorClass.CONNECTION, ItemErrorClass.ROBOTS_UNREACHABLE}
)
_TOO_MANY_REQUESTS: Final = 429
_FIRST_SERVER_ERROR: Final = 500


class ItemError(TrackSyncError):
    """One track's dashboard could not be had; its stored metadata stays as it is.

    Attributes:
        error_class: what kind of failure it was.
        http_status: the answer's status code, or None when there was no answer.
    """

    reason = FailureReason.ITEM_FAILED

    def __init__(self, message: str, *, error_class: ItemErrorClass, http_status: int | None = None) -> None:
        """Keep the failure's class and HTTP status beside the message."""
        super().__init__(message)
        self.error_class = error_class
        self.http_status = http_status

    @property
    def is_transient(self) -> bool:
        """Whether the same request may succeed a little later: no answer in time, overload, or a server's error."""
        status = self.http_status or 0
        return self.error_class in _TRANSIENT_CLASSES or (
            self.error_class is ItemErrorClass.HTTP_STATUS
            and (status == _TOO_MANY_REQUESTS or status >= _FIRST_SERVER_ERROR)
        )
