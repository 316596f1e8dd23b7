from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest

from tracksync.adapters.web.body import (
    DECODER_BY_ENCODING,
    BodyCutError,
    BodyDecoder,
    BodyTooLargeError,
    GzipDecoder,
    IdentityDecoder,
)

TEXT = b"Example Track " * 500


def feed(decoder: BodyDecoder, data: bytes, *, size: int = 100) -> bytes:
    for start in range(0, len(data), size):
        decoder.feed(data[start : start + size])
    return decoder.finish()


def test_identity_gives_the_bytes_up_to_the_cap() -> None:
    assert feed(IdentityDecoder(len(TEXT)), TEXT) == TEXT
    with pytest.raises(BodyTooLargeError):
        feed(IdentityDecoder(len(TEXT) - 1), TEXT)


def test_gzip_gives_the_decoded_bytes_up_to_the_cap() -> None:
    assert feed(GzipDecoder(len(TEXT)), gzip.compress(TEXT)) == TEXT
    with pytest.raises(BodyTooLargeError):
        feed(GzipDecoder(len(TEXT) - 1), gzip.compress(TEXT))


def test_gzip_is_counted_on_the_wire_as_well() -> None:
    # Stored blocks of no bytes: the wire grows, the text does not.
    empty = zlib.compressobj(0, zlib.DEFLATED, 31)
    data = (
        b"".join(empty.compress(b"") + empty.flush(zlib.Z_FULL_FLUSH) for _ in range(1)) + b"\x00\x00\x00\xff\xff" * 400
    )
    with pytest.raises(BodyTooLargeError):
        feed(GzipDecoder(1_000), data)


@pytest.mark.parametrize("cut", [1, 4, 8, 9, 40])
def test_a_gzip_body_without_its_whole_trailer_is_cut(cut: int) -> None:
    with pytest.raises(BodyCutError):
        feed(GzipDecoder(10_000), gzip.compress(TEXT)[:-cut])


@pytest.mark.parametrize(
    "data", [b"", b"no gzip at all", gzip.compress(TEXT)[:-8] + b"\x00" * 8, gzip.compress(TEXT) + b"tail"]
)
def test_what_is_no_single_sound_gzip_member_is_cut(data: bytes) -> None:
    with pytest.raises(BodyCutError):
        feed(GzipDecoder(10_000), data)


def test_a_gzip_bomb_never_takes_much_more_than_the_cap() -> None:
    bomb, cap = gzip.compress(b"\x00" * 50_000_000), 100_000
    tracemalloc.start()
    try:
        with pytest.raises(BodyTooLargeError):
            feed(GzipDecoder(cap), bomb, size=65_536)
        assert tracemalloc.get_traced_memory()[1] < 20 * cap
    finally:
        tracemalloc.stop()


def test_only_gzip_and_identity_are_known() -> None:
    assert set(DECODER_BY_ENCODING) == {"", "identity", "gzip", "x-gzip"}
