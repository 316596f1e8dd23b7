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


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (0x00, 0x08),
        (0x0E, 0x1B),
        (0x7F, 0x84),
        (0x86, 0x9F),
        (0xAD, 0xAD),
        (0x061C, 0x061C),
        (0x200B, 0x200B),
        (0x200E, 0x200F),
        (0x202A, 0x202E),
        (0x2060, 0x2060),
        (0x2066, 0x2069),
        (0xD800, 0xDFFF),
        (0xFEFF, 0xFEFF),
        (0xFFF9, 0xFFFB),
        (0xE0000, 0xE007F),
    ],
)
def test_characters_that_hide_or_turn_text_are_taken_out_and_their_neighbours_stay(first: int, last: int) -> None:
    for code in range(first, last + 1):
        assert clean_line(f"a{chr(code)}b", limit=10) == "ab"
    for code in (first - 1, last + 1):
        assert len(clean_line(f"a{chr(max(code, 0x20))}b", limit=10)) == 3


@pytest.mark.parametrize("space", "\t\n\v\f\r\x85\xa0\u2028\u3000")
def test_every_kind_of_space_is_one_space(space: str) -> None:
    assert clean_line(f"a{space}b", limit=10) == "a b"
