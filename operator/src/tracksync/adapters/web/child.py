"""The parser process: reads pages from its input, writes values to its output, and may do nothing else.

Started by `parser.py` with an empty environment and no open files but its pipes. It imports `liverc` and what that
needs, so that it starts fast and has little to be misused.
"""

from __future__ import annotations

import ctypes
import json
import resource
import signal
import sys
import time
from typing import Any, BinaryIO, Final

from tracksync.adapters.web.wire import (
    LENGTHS,
    dashboard_to_json,
    encode_answer,
    listing_to_json,
    location_to_json,
)
from tracksync.liverc.catalogue import parse_catalogue
from tracksync.liverc.dashboard import parse_address, parse_dashboard

_ADDRESS_SPACE: Final = 512 * 2**20
_OPEN_FILES: Final = 16
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NO_NEW_PRIVS: Final = 38
_CHARSETS: Final = frozenset({"utf-8", "utf8", "us-ascii", "iso-8859-1", "latin1", "windows-1252", "cp1252", "utf-16"})
"""Charsets that a header may name; Python's other codecs have no business with a page."""


def main() -> None:
    """Serve requests until the input ends; `argv[1]` is the CPU limit of a page in seconds."""
    cpu_seconds = int(sys.argv[1])
    _lock_down()
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    _send(answers, {"ready": True})
    while header := requests.read(LENGTHS.size):
        head_length, page_length = LENGTHS.unpack(header)
        head = json.loads(requests.read(head_length))
        page = requests.read(page_length)
        _allow_cpu(cpu_seconds)
        _send(answers, _parse(head, page))


def _lock_down() -> None:
    """Give up what a parser never needs, and end with the parent."""
    for limit, value in (
        (resource.RLIMIT_AS, _ADDRESS_SPACE),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
    ):
        resource.setrlimit(limit, (value, value))
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _allow_cpu(seconds: int) -> None:
    """Let the kernel end this process when the next page takes more CPU time than this, to the next whole second."""
    used = int(time.process_time()) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (used + seconds, resource.RLIM_INFINITY))


def _parse(head: dict[str, str], page: bytes) -> dict[str, Any]:
    text = _decode(page, head["charset"])
    if head["kind"] == "catalogue":
        return listing_to_json(parse_catalogue(text, domain=head["domain"]))
    if head["kind"] == "address":
        return location_to_json(parse_address(text))
    return dashboard_to_json(parse_dashboard(text, slug=head["slug"]))


def _decode(page: bytes, charset: str) -> str:
    """Return the page's text: UTF-8 when it is that, whatever the header says; else the header's charset."""
    try:
        return page.decode()
    except UnicodeDecodeError:
        return page.decode(charset if charset in _CHARSETS else "utf-8", errors="replace")


def _send(answers: BinaryIO, answer: dict[str, Any]) -> None:
    answers.write(encode_answer(answer))
    answers.flush()


if __name__ == "__main__":
    main()
