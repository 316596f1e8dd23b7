"""An answer of the simulated site as a value: what is sent, and in which odd way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from http import HTTPStatus

_HTML: Final = "text/html; charset=UTF-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a whole body, which is compressed when `zipped`.

    Attributes:
        content_type: as declared.
        headers: further headers.
        waits: it asks the client to wait, by Retry-After.
        drips: it is sent one byte at a time.
        changed_on: day of the world on which the page became what it is; None: nothing that could be validated.
    """

    status: HTTPStatus
    body: bytes
    zipped: bool = False
    content_type: str = _HTML
    headers: tuple[tuple[str, str], ...] = ()
    waits: bool = False
    drips: bool = False
    changed_on: int | None = None

    def with_header(self, name: str, value: str) -> Answer:
        """Return the same answer with one header more."""
        return replace(self, headers=(*self.headers, (name, value)))

    def asking_to_wait(self) -> Answer:
        """Return the same answer with a Retry-After, whose form the switches decide."""
        return replace(self, waits=True)
