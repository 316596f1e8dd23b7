"""A response's body, counted on the wire and again after decoding."""

from __future__ import annotations

import zlib
from typing import Final, Protocol

_GZIP_FRAME: Final = 16 + zlib.MAX_WBITS


class BodyTooLargeError(Exception):
    """The body goes beyond its cap, on the wire or decoded."""


class BodyCutError(Exception):
    """The body ends before its encoding says that it is whole, or is no such encoding at all."""


class BodyDecoder(Protocol):
    """Takes a body's bytes as they come and gives back the decoded whole."""

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes; raises BodyTooLargeError, BodyCutError."""
        ...

    def finish(self) -> bytes:
        """Return the whole decoded body; raises BodyCutError."""
        ...

    def beginning(self) -> bytes:
        """Return what there is of the decoded body, up to the cap."""
        ...


class IdentityDecoder:
    """Bytes as they are, up to `cap` of them."""

    def __init__(self, cap: int) -> None:
        self._cap = cap
        self._body = bytearray()

    def feed(self, chunk: bytes) -> None:
        """Keep the chunk."""
        self._body += chunk
        if len(self._body) > self._cap:
            raise BodyTooLargeError

    def finish(self) -> bytes:
        """Return what came; whether that was all, only the framing around it can say."""
        return bytes(self._body)

    def beginning(self) -> bytes:
        """Return what came, up to the cap."""
        return bytes(self._body[: self._cap])


class GzipDecoder:
    """One gzip member, up to `cap` bytes on the wire and up to `cap` bytes decoded; memory stays within that."""

    def __init__(self, cap: int) -> None:
        self._cap = cap
        self._wire = 0
        self._body = bytearray()
        self._inflate = zlib.decompressobj(_GZIP_FRAME)

    def feed(self, chunk: bytes) -> None:
        """Decode the chunk, and never more of it than the cap leaves room for."""
        self._wire += len(chunk)
        if self._wire > self._cap:
            raise BodyTooLargeError
        try:
            self._body += self._inflate.decompress(chunk, self._cap + 1 - len(self._body))
        except zlib.error as error:
            raise BodyCutError from error
        if len(self._body) > self._cap:
            raise BodyTooLargeError
        if self._inflate.unused_data:
            raise BodyCutError

    def finish(self) -> bytes:
        """Return the body when its trailer was seen and right."""
        if not self._inflate.eof:
            raise BodyCutError
        return bytes(self._body)

    def beginning(self) -> bytes:
        """Return what was decoded, up to the cap."""
        return bytes(self._body[: self._cap])


DECODER_BY_ENCODING: Final[dict[str, type[IdentityDecoder | GzipDecoder]]] = {
    "": IdentityDecoder,
    "identity": IdentityDecoder,
    "gzip": GzipDecoder,
    "x-gzip": GzipDecoder,
}
"""The encodings that are asked for; any other one is refused."""
