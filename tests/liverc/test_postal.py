"""Postal codes: where they stand in a line, and what is taken off them."""

from __future__ import annotations

import pytest

from tracksync.liverc.countries import COUNTRY_NAMES
from tracksync.liverc.postal import is_placeholder, postal_code_or_none, split_postal_code


@pytest.mark.parametrize(
    ("code", "postal"),
    [
        ("CA", "A1A 1A1"),
        ("CA", "a1a 1a1"),
        ("CA", "A1A-1A1"),
        ("CA", "A1A1A1"),
        ("CZ", "100 00"),
        ("GB", "A1 1AA"),
        ("GB", "A11 1AA"),
        ("GB", "A1A 1AA"),
        ("GB", "AA1 1AA"),
        ("GB", "AA11 1AA"),
        ("GB", "AA1A 1AA"),
        ("GB", "AA111AA"),
        ("GR", "100 00"),
        ("IE", "A11 AAAA"),
        ("IE", "A1W 1A1A"),
        ("IE", "A111111"),
        ("NL", "1000 AA"),
        ("NL", "01000 aa"),
        ("NL", "1000AA"),
        ("SE", "100 00"),
        ("SK", "100 00"),
        ("BR", "10000-000"),
        ("JP", "100-0000"),
        ("PL", "10-000"),
        ("TW", "100-000"),
        ("US", "10000-0000"),
        ("AD", "AD100"),
        ("LV", "LV-1000"),
        ("LV", "lv-1000"),
        ("IS", "100"),
        (None, "100"),
    ],
)
@pytest.mark.parametrize(
    ("before", "place"),
    [
        ("Springfield ", "Springfield"),
        ("Springfield,", "Springfield"),
        ("9 Mile, East, ", "9 Mile, East"),
        (",", ""),
        ("", ""),
    ],
)
def test_a_postal_code_at_a_line_s_end_is_split_off_in_its_country_s_shape(
    code: str | None, postal: str, before: str, place: str
) -> None:
    assert split_postal_code(f"{before}{postal}", code) == (place, postal)


@pytest.mark.parametrize(
    ("code", "line", "place", "postal"),
    [
        ("US", "Springfield 100 00", "Springfield 100 00", ""),
        ("CA", "Springfield A1A A1A", "Springfield A1A", "A1A"),
        ("CA", "Springfield A1AA1A 1A1", "Springfield A1AA1A", "1A1"),
        ("CZ", "Springfield 10 00", "Springfield 10 00", ""),
        ("CZ", "Springfield 100 000", "Springfield 100", "000"),
        ("GR", "Springfield 1000 00", "Springfield 1000 00", ""),
        ("GR", "Springfield 100 000", "Springfield 100", "000"),
        ("SE", "Springfield 1000 00", "Springfield 1000 00", ""),
        ("SE", "Springfield 100 000", "Springfield 100", "000"),
        ("SK", "Springfield 1000 00", "Springfield 1000 00", ""),
        ("SK", "Springfield 100 000", "Springfield 100", "000"),
        ("GB", "Springfield AAA1 1AA", "Springfield AAA1", "1AA"),
        ("GB", "Springfield AA1 1AAA", "Springfield AA1", "1AAA"),
        ("GB", "Springfield AA1 11A", "Springfield AA1", "11A"),
        ("IE", "Springfield A1A 1A1A", "Springfield A1A", "1A1A"),
        ("IE", "Springfield A11 1A1A1", "Springfield A11", "1A1A1"),
        ("NL", "Springfield 100 AA", "Springfield 100 AA", ""),
        ("NL", "Springfield 100000 AA", "Springfield 100000 AA", ""),
        ("NL", "Springfield 1000 AAA", "Springfield 1000 AAA", ""),
    ],
)
def test_another_country_s_shape_does_not_count(code: str, line: str, place: str, postal: str) -> None:
    assert split_postal_code(line, code) == (place, postal)


@pytest.mark.parametrize(
    ("word", "is_postal"),
    [
        ("12", False),
        ("123", True),
        ("1234567890", True),
        ("12345678901", False),
        ("EAST", False),
        ("A-B-1", True),
        ("A.1", False),
        ("---", False),
    ],
)
def test_a_word_of_3_to_10_letters_digits_and_hyphens_with_a_digit_is_a_postal_code(
    word: str, *, is_postal: bool
) -> None:
    line = f"Springfield {word}"
    assert split_postal_code(line, None) == (("Springfield", word) if is_postal else (line, ""))


@pytest.mark.parametrize(
    ("text", "answer"),
    [("", False), ("0", True), ("00000", True), ("12345", True), ("123450", False), ("00001", False)],
)
def test_zeros_and_the_row_of_digits_are_placeholders(text: str, *, answer: bool) -> None:
    assert is_placeholder(text) is answer


FOUR_DIGITS = (
    "AF AL AM AR AT AU BD BE BG CC CH CV CX CY DK GE GL GW HM HT HU LI LR LU LV MD MK MZ NE NF NL NO NZ PH PT PY "
    "SI SJ TN VE ZA"
)


def test_padding_is_taken_off_exactly_where_codes_have_four_digits() -> None:
    padded = [code for code in sorted(COUNTRY_NAMES) if postal_code_or_none("01234", code) == "1234"]
    assert padded == FOUR_DIGITS.split()


@pytest.mark.parametrize(
    ("text", "code", "postal"),
    [
        ("01000-001", "PT", "1000-001"),
        ("01000 AA", "NL", "1000 AA"),
        ("010005", "PT", "010005"),
        ("0100", "PT", "0100"),
        ("11000", "PT", "11000"),
        ("A2600", "AU", "2600"),
        ("a2600", "AU", "2600"),
        ("A02600", "AU", "2600"),
        ("A260", "AU", "A260"),
        ("A026000", "AU", "A026000"),
        ("AB2600", "AU", "AB2600"),
        ("A2600", "AR", "A2600"),
        ("A2600", None, "A2600"),
        ("none", "AU", None),
    ],
)
def test_padding_and_australia_s_stray_letter_are_taken_off_whole_codes_only(
    text: str, code: str | None, postal: str | None
) -> None:
    assert postal_code_or_none(text, code) == postal
