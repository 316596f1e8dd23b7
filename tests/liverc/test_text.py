from __future__ import annotations

import pytest

from tracksync.liverc.text import clean_block, clean_line


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("  Example \t\n  Track ", "Example Track"),
        ("Example\u00a0\u2003Track", "Example Track"),
        ("Cafe\u0301", "Caf\u00e9"),
        ("a\x00b\x07c\x1b[31md\x7f\x9b", "abc[31md"),
        ("abc\u202edcba\u2066x\u2069\u200f", "abcdcbax"),
        ("\ufeffname\u200b", "name"),
        ("e\u200b\u0301", "\u00e9"),
        ("\ud800x", "x"),
        ("line\u2028two", "line two"),
        ("ночь 夜 🏁", "ночь 夜 🏁"),
        ("", ""),
    ],
)
def test_a_line_is_safe_to_store_and_to_show(raw: str, clean: str) -> None:
    assert clean_line(raw, limit=100) == clean


def test_a_line_is_cut_at_its_limit_without_a_space_at_the_end() -> None:
    assert clean_line("abc defg", limit=4) == "abc"


def test_a_block_keeps_its_lines_and_at_most_one_empty_one_between_them() -> None:
    assert clean_block("\n\n one \n\n\n two\x00 \nthree\n\n", limit=100) == "one\n\ntwo\nthree"


def test_a_block_is_cut_at_its_limit() -> None:
    assert clean_block("abc\ndef", limit=5) == "abc\nd"
