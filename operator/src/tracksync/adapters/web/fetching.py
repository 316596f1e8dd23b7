"""What a fetch gives back: a page, or a failure with its kind; and the limits that it keeps."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus


class FetchProblem(Enum):
    """Kind of a failed fetch."""

    STATUS = auto()
    """An HTTP status other than 200."""
    TIMEOUT = auto()
    CONNECTION = auto()
    CUT = auto()
    """The body ends early, or does not decode."""
    NOT_HTML = auto()
    TOO_LARGE = auto()
    MOVED = auto()
    """A redirect to another host of the source, or one too many."""
    OUTSIDE = auto()
    """A redirect off the source, to a lower scheme, or to a forged address."""
    ADDRESS = auto()
    """The host's address may not be connected to."""
    MISDIRECTED = auto()
    """The connection belongs to another host."""


_WORTH_ANOTHER_TRY = frozenset({FetchProblem.TIMEOUT, FetchProblem.CONNECTION, FetchProblem.CUT})


class FetchError(Exception):
    """A page could not be had; `source.py` turns it into the port's errors.

    Attributes:
        problem: its kind.
        status: HTTP status, or None without an answer.
    """

    def __init__(self, problem: FetchProblem, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.problem = problem
        self.status = status

    @property
    def is_worth_another_try(self) -> bool:
        """Whether the same request may succeed a little later."""
        is_overload = self.status is not None and (
            self.status == HTTPStatus.TOO_MANY_REQUESTS or self.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        )
        return is_overload or self.problem in _WORTH_ANOTHER_TRY

    @property
    def is_pause_request(self) -> bool:
        """Whether the source asked everybody to slow down."""
        return self.status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}


@dataclass(frozen=True, slots=True)
class Page:
    """An HTML page: its decoded bytes and the charset that its header names ("" when none)."""

    body: bytes
    charset: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may cost.

    Attributes:
        body_bytes: cap of the body, on the wire and decoded.
        total_seconds: from name resolution to the body's last byte.
        connect_seconds: for one connection.
        read_seconds: between two reads.
    """

    body_bytes: int
    total_seconds: float
    connect_seconds: float = 5.0
    read_seconds: float = 20.0


CATALOGUE_LIMITS = Limits(body_bytes=5_000_000, total_seconds=60.0)
DASHBOARD_LIMITS = Limits(body_bytes=1_000_000, total_seconds=30.0)
