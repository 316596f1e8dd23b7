"""Catalogue pages with wrong rows. Rows are found by a loose search, so that a replayed page can be damaged as well."""

from __future__ import annotations

import re
from random import Random
from typing import TYPE_CHECKING, Final

from tracksync.simulator.shares import share_of

if TYPE_CHECKING:
    from collections.abc import Callable

_ROW: Final = re.compile(rb'<tr class="clickable-row".*?</tr>', re.DOTALL)
_ANCHOR: Final = re.compile(rb"<a [^>]*>(.*?)</a>", re.DOTALL)
_NAME: Final = re.compile(rb"<strong>.*?</strong>", re.DOTALL)
_LINK: Final = re.compile(rb"""(href=["'])(?:https?:)?//(?:www\.)?([^./"']+)\.""")
_END: Final = b"</tbody>"
_ONE_IN: Final = 100
_HALF: Final = 0.5


def with_half_of_the_rows(page: bytes, seed: int) -> bytes:
    """Return the page without half of its rows (one more stays of an odd number), by seed and slug."""
    rows = _ROW.findall(page)
    by_share = sorted(rows, key=lambda row: share_of(seed, "half", _slug(row)))
    gone = set(by_share[: len(rows) // 2])
    return _ROW.sub(lambda match: b"" if match[0] in gone else match[0], page)


def with_broken_rows(page: bytes, seed: int) -> bytes:
    """Return the page with three further rows at its end: without link, without name, without a legal host."""
    rows = _ROW.findall(page)
    if not rows:
        return page
    choose = Random(f"{seed}/broken-rows").choice
    return _with_rows_at_the_end(page, [damage(choose(rows)) for damage in (_unlinked, _unnamed, _with_illegal_host)])


def with_duplicate_rows(page: bytes, seed: int) -> bytes:
    """Return the page with a hundredth of its rows (at least one) again: slug in capitals, name changed."""
    rows = _ROW.findall(page)
    again = Random(f"{seed}/duplicate-rows").sample(rows, min(len(rows), max(1, len(rows) // _ONE_IN)))
    return _with_rows_at_the_end(page, [_renamed(_relinked(row, bytes.upper)) for row in again])


def with_www_hosts(page: bytes, seed: int) -> bytes:
    """Return the page with `https://www.` before the host in half of the rows, by seed and slug."""

    def change(match: re.Match[bytes]) -> bytes:
        row = match[0]
        strikes = share_of(seed, "www-hosts", _slug(row)) < _HALF
        return _LINK.sub(rb"\1https://www.\2.", row) if strikes else row

    return _ROW.sub(change, page)


def with_moved_rows(page: bytes, seed: int, read: int) -> bytes:
    """Return the page as its so many-th read finds it: the first as it is, each later one with rows moved to the end.

    A hundredth of the rows (at least two) has moved; half of those are still at their old place as well.
    """
    rows = _ROW.findall(page)
    moved = Random(f"{seed}/list-changes/{read}").sample(rows, min(len(rows), max(2, len(rows) // _ONE_IN)))
    if read == 1 or not moved:
        return page
    gone = set(moved[len(moved) // 2 :])
    rest = _ROW.sub(lambda match: b"" if match[0] in gone else match[0], page)
    return _with_rows_at_the_end(rest, moved)


def _slug(row: bytes) -> str:
    match = _LINK.search(row)
    return match[2].decode(errors="replace").lower() if match else ""


def _with_rows_at_the_end(page: bytes, rows: list[bytes]) -> bytes:
    before, end, after = page.rpartition(_END)
    return before + b"\n".join(rows) + b"\n" + end + after


def _relinked(row: bytes, change: Callable[[bytes], bytes]) -> bytes:
    return _LINK.sub(lambda match: match[1] + b"//" + change(match[2]) + b".", row)


def _renamed(row: bytes) -> bytes:
    return _NAME.sub(b"<strong>Listed Twice</strong>", row)


def _unlinked(row: bytes) -> bytes:
    return _ANCHOR.sub(rb"\1", row)


def _unnamed(row: bytes) -> bytes:
    return _NAME.sub(b"<strong> </strong>", row)


def _with_illegal_host(row: bytes) -> bytes:
    return _relinked(row, lambda slug: b"-" + slug + b"_")
