"""What a robots.txt says to us: text in, a verdict out. The only import of protego; runs in the parser process."""

from __future__ import annotations

from typing import Final

from protego import Protego

from tracksync.adapters.web.wire import RobotsRules

_LONGEST_DELAY: Final = 1e9
"""Seconds; a longer one means the same as this one."""


def read_rules(body: bytes, *, host: str, agent: str) -> RobotsRules:
    """Return what the file says to this product; UTF-8 always, and a byte order mark is no part of the first line."""
    rules = Protego.parse(body.decode("utf-8-sig", errors="replace"))
    delay = rules.crawl_delay(agent)
    return RobotsRules(
        is_allowed=rules.can_fetch(f"https://{host}/", agent),
        crawl_delay=min(delay, _LONGEST_DELAY) if delay else None,
    )
