"""Answers judged by their head, and their bodies read within caps."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import httpcore

from tracksync.adapters.web.body import DECODER_BY_ENCODING, BodyCutError, BodyDecoder, BodyTooLargeError
from tracksync.adapters.web.fetching import FetchError, FetchProblem, Page, RobotsFile
from tracksync.core.tracks.model import Validators
from tracksync.core.tracks.politeness import retry_after_seconds

if TYPE_CHECKING:
    from tracksync.adapters.web.exchange import Question
    from tracksync.ports import Clock

_LONGEST_VALIDATOR: Final = 256


class Answer:
    """A response's status and headers, and its body as it comes."""

    def __init__(self, host: str, response: httpcore.Response) -> None:
        self.host = host
        self.status = response.status
        self._response = response

    def header(self, name: bytes) -> str:
        """Return the header of this lower-case name, repeated ones joined as HTTP does it; "" when there is none."""
        values = (value.strip() for key, value in self._response.headers if key.lower() == name)
        return b", ".join(values).decode("latin-1")

    def chunks(self) -> AsyncGenerator[bytes, None]:
        """Return the body's bytes; to be closed, when it ends and not when it is collected."""
        # httpcore promises less than it gives; what cannot be closed here would hold its connection until collected.
        stream = self._response.stream
        chunks = stream.__aiter__() if isinstance(stream, AsyncIterable) else None
        if not isinstance(chunks, AsyncGenerator):
            raise TypeError("the body of an answer is no asynchronous generator")
        return chunks


class AnswerReader:
    """Makes pages and robots.txt files of answers.

    Args:
        clock: the wall clock, for `Retry-After` as a date.

    Attributes:
        bytes_received: bytes of bodies on the wire so far.
    """

    def __init__(self, clock: Clock) -> None:
        self.bytes_received = 0
        self._clock = clock

    async def page(self, answer: Answer, question: Question) -> Page | None:
        """Return the HTML page of a 200; None for a 304 that answers a conditional request.

        Raises:
            FetchError: any other status, not HTML, larger than its cap, or cut.
        """
        if answer.status == HTTPStatus.NOT_MODIFIED and question.validators:
            return None
        if answer.status != HTTPStatus.OK:
            raise self._status_error(answer)
        media_type, charset = _content_type(answer.header(b"content-type"))
        if media_type != "text/html":
            raise FetchError(FetchProblem.NOT_HTML, f"{answer.host} answers with something else than HTML", status=200)
        cap = question.limits.body_bytes
        try:
            body = await self._read(answer, cap)
        except BodyTooLargeError as error:
            message = f"the page of {answer.host} is larger than {cap:,} bytes"
            raise FetchError(FetchProblem.TOO_LARGE, message, status=200) from error
        return Page(body, charset, usable_validators(answer.header(b"etag"), answer.header(b"last-modified")))

    async def robots(self, answer: Answer, question: Question) -> RobotsFile:
        """Return what a host says of its robots.txt: of a 200 the body, cut at its cap; of a 2xx or 4xx its status.

        Raises:
            FetchError: a status that says nothing (429, 5xx and the like), or a body that ends early.
        """
        is_told = answer.status < HTTPStatus.INTERNAL_SERVER_ERROR and answer.status != HTTPStatus.TOO_MANY_REQUESTS
        if not is_told or HTTPStatus.MULTIPLE_CHOICES <= answer.status < HTTPStatus.BAD_REQUEST:
            raise self._status_error(answer)
        if answer.status != HTTPStatus.OK:
            return RobotsFile(answer.status)
        decoder = self._decoder(answer, question.limits.body_bytes)
        try:
            return RobotsFile(answer.status, await self._feed(answer, decoder))
        except BodyTooLargeError:
            # The last line may be cut, and would then forbid more or less than it says.
            return RobotsFile(answer.status, decoder.beginning().rpartition(b"\n")[0])

    def _status_error(self, answer: Answer) -> FetchError:
        status = answer.status
        error = FetchError(FetchProblem.STATUS, f"{answer.host} answers with status {status}", status=status)
        if error.is_pause_request:
            retry_after, date = answer.header(b"retry-after"), answer.header(b"date")
            error.pause_seconds = retry_after_seconds(retry_after, date=date, now=self._clock.now())
        return error

    async def _read(self, answer: Answer, cap: int) -> bytes:
        return await self._feed(answer, self._decoder(answer, cap))

    def _decoder(self, answer: Answer, cap: int) -> BodyDecoder:
        decoder = DECODER_BY_ENCODING.get(answer.header(b"content-encoding").lower())
        if decoder is None:
            message = f"{answer.host} answers in an encoding that was not asked for"
            raise FetchError(FetchProblem.NOT_HTML, message, status=answer.status)
        return decoder(cap)

    async def _feed(self, answer: Answer, decoder: BodyDecoder) -> bytes:
        """Return the whole body; raises BodyTooLargeError."""
        try:
            async with aclosing(answer.chunks()) as chunks:
                async for chunk in chunks:
                    self.bytes_received += len(chunk)
                    decoder.feed(chunk)
            return decoder.finish()
        except (BodyCutError, httpcore.RemoteProtocolError, httpcore.ReadError) as error:
            message = f"the answer of {answer.host} is cut"
            raise FetchError(FetchProblem.CUT, message, status=answer.status) from error


def usable_validators(etag: str | None, last_modified: str | None) -> Validators:
    """Return the two headers, each only when it is a short line of printable ASCII: fit to be stored and sent back."""
    return Validators(_usable(etag), _usable(last_modified))


def _usable(value: str | None) -> str | None:
    text = (value or "").strip()
    return text if 0 < len(text) <= _LONGEST_VALIDATOR and text.isascii() and text.isprintable() else None


def _content_type(header: str) -> tuple[str, str]:
    """Return media type and charset, both in lower case."""
    media_type, _, parameters = header.lower().partition(";")
    charset = next((text for part in parameters.split(";") if (text := part.strip()).startswith("charset=")), "")
    return media_type.strip(), charset.removeprefix("charset=").strip(" \"'")
