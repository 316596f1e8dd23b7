"""What a fetch gives back: a page, or a failure with its kind; and the limits that it keeps."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from http import HTTPStatus
from typing import Final

from tracksync.api.source import SourceEntry
from tracksync.core.tracks.model import Validators


class FetchProblem(Enum):
    """Kind of a failed fetch."""

    STATUS = auto()
    """An HTTP status that is no answer to what was asked."""
    TIMEOUT = auto()
    CONNECTION = auto()
    CUT = auto()
    """The body ends early, or does not decode."""
    NOT_HTML = auto()
    """The body is of a wrong type, or in an encoding that was not asked for."""
    TOO_LARGE = auto()
    MOVED = auto()
    """A redirect to another host of the source, or one too many."""
    OUTSIDE = auto()
    """A redirect off the source, to a lower scheme, or to a forged address."""
    ADDRESS = auto()
    """The host's address may not be connected to."""
    MISDIRECTED = auto()
    """The connection belongs to another host."""


_BROKEN: Final = frozenset({FetchProblem.TIMEOUT, FetchProblem.CONNECTION, FetchProblem.CUT})


class FetchError(Exception):
    """A page could not be had; `source.py` turns it into the port's errors.

    Attributes:
        problem: its kind.
        status: HTTP status, or None without an answer.
        pause_seconds: how long the answer asks everybody to wait; None when it says nothing of that.
    """

    def __init__(
        self, problem: FetchProblem, message: str, *, status: int | None = None, pause_seconds: float | None = None
    ) -> None:
        super().__init__(message)
        self.problem = problem
        self.status = status
        self.pause_seconds = pause_seconds

    @property
    def is_worth_another_try(self) -> bool:
        """Whether the same request may succeed a little later; the source is in trouble, not the page."""
        is_overload = self.status is not None and (
            self.status == HTTPStatus.TOO_MANY_REQUESTS or self.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        )
        return is_overload or self.problem in _BROKEN

    @property
    def is_pause_request(self) -> bool:
        """Whether the source asked everybody to slow down."""
        return self.status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}


@dataclass(frozen=True, slots=True)
class Page:
    """An HTML page: its decoded bytes, the charset that its header names ("" when none), and its validators."""

    body: bytes
    charset: str
    validators: Validators = field(default_factory=Validators)


@dataclass(frozen=True, slots=True)
class RobotsFile:
    """What a host answered when it was asked for its robots.txt; the body only of a 200."""

    status: int
    body: bytes = b""


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


CATALOGUE_LIMITS: Final = Limits(body_bytes=SourceEntry().catalogue_bytes, total_seconds=60.0)
"""Of a source whose entry says nothing else about its catalogue."""
DASHBOARD_LIMITS: Final = Limits(body_bytes=1_000_000, total_seconds=30.0)
ROBOTS_LIMITS: Final = Limits(body_bytes=512 * 2**10, total_seconds=30.0)
"""RFC 9309, section 2.5, asks for at least 500 KiB; what lies beyond is not read."""
