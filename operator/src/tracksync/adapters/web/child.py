"""The parser process: reads pages from its input, writes values to its output, and may do nothing else.

Started by `parser.py` with an empty environment and no open files but its pipes. It imports `liverc` and what that
needs, so that it starts fast and has little to be misused.
"""

from __future__ import annotations

import codecs
import json
import resource
import sys
import time
from typing import Any, BinaryIO, Final

from tracksync.adapters.web.robots_rules import read_rules
from tracksync.adapters.web.sandbox import forbid_system_calls, limit_resources
from tracksync.adapters.web.wire import (
    LENGTHS,
    dashboard_to_json,
    encode_answer,
    listing_to_json,
    location_to_json,
    rules_to_json,
)
from tracksync.liverc.catalogue import parse_catalogue
from tracksync.liverc.dashboard import parse_address, parse_dashboard

_CHARSETS: Final = frozenset({"utf-8", "utf8", "us-ascii", "iso-8859-1", "latin1", "windows-1252", "cp1252", "utf-16"})
"""Charsets that a header may name; Python's other codecs have no business with a page."""


def main() -> None:
    """Serve requests until the input ends; `argv` has the CPU limit of a page in seconds, and the memory in bytes."""
    cpu_seconds, memory_bytes = int(sys.argv[1]), int(sys.argv[2])
    limit_resources(memory_bytes)
    _warm_up()
    forbid_system_calls()
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    _send(answers, {"ready": True})
    while header := requests.read(LENGTHS.size):
        head_length, page_length = LENGTHS.unpack(header)
        head = json.loads(requests.read(head_length))
        page = requests.read(page_length)
        _allow_cpu(cpu_seconds)
        _send(answers, _parse(head, page))


def _warm_up() -> None:
    """Load everything that reading a page needs: afterwards no file can be opened any more."""
    for charset in _CHARSETS:
        codecs.lookup(charset)
    for kind in ("catalogue", "address", "robots", "dashboard"):
        _parse({"kind": kind, "charset": "", "domain": "", "slug": "", "host": "", "agent": ""}, b"<html>\xff</html>")


def _allow_cpu(seconds: int) -> None:
    """Let the kernel end this process before the next page has taken more CPU time than this.

    The kernel counts in whole seconds, so it may strike up to one second earlier.
    """
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + seconds, resource.RLIM_INFINITY))


def _parse(head: dict[str, str], page: bytes) -> dict[str, Any]:
    if head["kind"] == "robots":
        return rules_to_json(read_rules(page, host=head["host"], agent=head["agent"]))
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
