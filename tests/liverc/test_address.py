from __future__ import annotations

import pytest

from tracksync.core.tracks.model import FieldState, Reading
from tracksync.liverc.address import LOCATION_COLUMNS, read_location

BLANK, ABSENT, INVALID = FieldState.BLANK, FieldState.ABSENT, FieldState.INVALID


def shown(fields: dict[str, Reading]) -> dict[str, str | int | FieldState | None]:
    """Return values, and states where there is no value."""
    return {name: field.value if field.state is FieldState.VALUE else field.state for name, field in fields.items()}


def from_map(query: str) -> dict[str, str | int | FieldState | None]:
    return shown(read_location(map_query=query, block=("Other Street", "Other City 99999", "Germany", "")))


def from_block(*lines: str) -> dict[str, str | int | FieldState | None]:
    return shown(read_location(map_query=None, block=(*lines, "")))


def test_the_map_query_is_split_from_the_right() -> None:
    assert from_map("Unit 4, Corner of A & B, #3+1,Springfield,NC+27000,US") == {
        "street": "Unit 4, Corner of A & B, #3+1",
        "city": "Springfield",
        "state": "NC",
        "postal_code": "27000",
        "country_code": "US",
        "country": "United States",
        "address": "Unit 4, Corner of A & B, #3+1, Springfield, NC 27000, United States",
    }


def test_empty_state_and_postal_code_in_the_map_are_blank_and_not_filled_from_the_block() -> None:
    found = from_map("12 Example Road,Springfield,+,US")
    assert (found["state"], found["postal_code"]) == (BLANK, BLANK)
    assert found["address"] == "12 Example Road, Springfield, United States"


def test_an_empty_street_or_city_in_the_map_is_looked_up_in_the_block() -> None:
    found = from_map(",,+27000,US")
    assert (found["street"], found["city"], found["postal_code"]) == ("Other Street", "Other City", "27000")


def test_a_street_that_is_empty_in_both_is_blank() -> None:
    found = shown(
        read_location(map_query=",Springfield,NC+27000,US", block=("", "Springfield, NC 27000", "United States", ""))
    )
    assert found["street"] is BLANK


@pytest.mark.parametrize("query", ["Springfield,US", "12 Example Road,Springfield,US", "a,b,c NC 27000,US"])
def test_a_short_map_query_leaves_all_but_the_country_to_the_block(query: str) -> None:
    found = shown(read_location(map_query=query, block=("7 Block Lane", "Shelbyville, TN 37000", "United States", "")))
    assert (found["street"], found["city"], found["state"], found["postal_code"]) == (
        "7 Block Lane",
        "Shelbyville",
        "TN",
        "37000",
    )
    assert found["country_code"] == "US"


@pytest.mark.parametrize(
    "query", ["", "a,b,NC+27000,ZZ", "a,b,NC+27000,", "a,b,NC+27000,USA", "a,b,NC+27000,United States"]
)
def test_an_unknown_country_in_the_map_leaves_everything_to_the_block(query: str) -> None:
    assert from_map(query) == {
        "street": "Other Street",
        "city": "Other City",
        "state": BLANK,
        "postal_code": "99999",
        "country_code": "DE",
        "country": "Germany",
        "address": "Other Street, Other City, 99999, Germany",
    }


@pytest.mark.parametrize(
    ("region", "country", "stored"),
    [
        ("+ZZ99 9ZZ", "GB", "ZZ99 9ZZ"),
        ("+ZZ99+9ZZ", "GB", "ZZ99 9ZZ"),
        ("+ZZ999ZZ", "GB", "ZZ999ZZ"),
        ("ON+a1a1a1", "CA", "a1a1a1"),
        ("ON+A1A1A1", "CA", "A1A1A1"),
        ("+1000-001", "PT", "1000-001"),
        ("+100000", "CN", "100000"),
        ("NC+99999-1234", "US", "99999-1234"),
        ("+1000AA", "NL", "1000AA"),
        ("+A2600", "AU", "2600"),
        ("+A02600", "AU", "2600"),
        ("+02604", "AU", "2604"),
        ("+03500", "AU", "3500"),
        ("+00830", "AU", "0830"),
        ("+0830", "AU", "0830"),
        ("+01370", "ZA", "1370"),
        ("NJ+01370", "US", "01370"),
        ("+01370", "DE", "01370"),
        ("NC+00000", "US", BLANK),
        ("NC+12345", "US", BLANK),
        ("+00000", "AU", BLANK),
        ("+N/A", "AU", BLANK),
        ("NC+n/a", "US", BLANK),
        ("NC+none", "US", INVALID),
        ("NC+123456789012345678901", "US", INVALID),
    ],
)
def test_postal_codes_survive_in_their_countrys_shape(region: str, country: str, stored: str | FieldState) -> None:
    assert from_map(f"12 Example Road,Springfield,{region},{country}")["postal_code"] == stored


@pytest.mark.parametrize(
    ("line", "country", "city", "state", "postal"),
    [
        ("Springfield, NC 27000", "United States", "Springfield", "NC", "27000"),
        ("Springfield, NC 27000-1234", "United States", "Springfield", "NC", "27000-1234"),
        ("Springfield, NC", "United States", "Springfield", "NC", BLANK),
        ("Springfield , NC", "United States", "Springfield", "NC", BLANK),
        ("Springfield,NC", "United States", "Springfield", "NC", BLANK),
        ("S, NC", "United States", "S", "NC", BLANK),
        ("Springfield, NSW", "Australia", "Springfield", "NSW", BLANK),
        ("Springfield, EAST", "United States", "Springfield, EAST", BLANK, BLANK),
        ("Springfield, E", "United States", "Springfield, E", BLANK, BLANK),
        ("Springfield, Nc", "United States", "Springfield, Nc", BLANK, BLANK),
        (",, NC", "United States", ",, NC", BLANK, BLANK),
        ("Springfield 27000", "United States", "Springfield", BLANK, "27000"),
        ("Springfield", "United States", "Springfield", BLANK, BLANK),
        ("St. Mary on Sea, East, NC 27000", "United States", "St. Mary on Sea, East", "NC", "27000"),
        ("Springfield ZZ99 9ZZ", "United Kingdom", "Springfield", BLANK, "ZZ99 9ZZ"),
        ("Springfield ZZ999ZZ", "United Kingdom", "Springfield", BLANK, "ZZ999ZZ"),
        ("Springfield, ZZ9 9ZZ", "United Kingdom", "Springfield", BLANK, "ZZ9 9ZZ"),
        ("Springfield, ON a1a1a1", "Canada", "Springfield", "ON", "a1a1a1"),
        ("Springfield, ON A1A 1A1", "Canada", "Springfield", "ON", "A1A 1A1"),
        ("Springfield 100000", "China", "Springfield", BLANK, "100000"),
        ("Springfield A2600", "Australia", "Springfield", BLANK, "2600"),
        ("Springfield 02604", "Australia", "Springfield", BLANK, "2604"),
        ("Springfield, ACT 02604", "Australia", "Springfield", "ACT", "2604"),
        ("Springfield 1000 AA", "Netherlands", "Springfield", BLANK, "1000 AA"),
        ("Springfield 01000-001", "Portugal", "Springfield", BLANK, "1000-001"),
        ("Springfield 00000", "United States", "Springfield", BLANK, BLANK),
        ("27000", "United States", BLANK, BLANK, "27000"),
        ("N/A", "Germany", BLANK, BLANK, BLANK),
        ("", "Germany", BLANK, BLANK, BLANK),
    ],
)
def test_a_city_line_is_taken_apart_by_its_country(
    line: str, country: str, city: str | FieldState, state: str | FieldState, postal: str | FieldState
) -> None:
    found = from_block("12 Example Road", line, country)
    assert (found["city"], found["state"], found["postal_code"]) == (city, state, postal)


def test_a_city_line_of_an_unknown_country_is_not_guessed_at_when_it_holds_digits() -> None:
    found = from_block("12 Example Road", "Springfield 99 ZZ", "Atlantis")
    assert (found["city"], found["state"], found["postal_code"], found["country_code"]) == (INVALID,) * 4
    assert from_block("12 Example Road", "Springfield", "Atlantis")["city"] == "Springfield"


@pytest.mark.parametrize(
    ("name", "code", "display"),
    [
        ("United States", "US", "United States"),
        ("united states", "US", "United States"),
        ("Korea, Republic of", "KR", "Korea, Republic of"),
        ("South Korea", "KR", "Korea, Republic of"),
        ("Niger", "NE", "Niger"),
        ("Nigeria", "NG", "Nigeria"),
        ("Guinea-Bissau", "GW", "Guinea-Bissau"),
        ("United", INVALID, INVALID),
        ("info@club.us", INVALID, INVALID),
        ("", BLANK, BLANK),
        ("N/A", BLANK, BLANK),
    ],
)
def test_a_country_is_its_whole_name(name: str, code: str | FieldState, display: str | FieldState) -> None:
    found = from_block("12 Example Road", "Springfield", name)
    assert (found["country_code"], found["country"]) == (code, display)


@pytest.mark.parametrize("placeholder", ["TBD", "USA", "China", "location varies", "PO Box 12", "Example Track"])
def test_placeholder_addresses_are_stored_as_they_are(placeholder: str) -> None:
    assert from_block(placeholder, "Springfield, NC 27000", "United States")["street"] == placeholder
    assert from_map(f"1 Road,{placeholder},+27000,US")["city"] == placeholder


@pytest.mark.parametrize(
    ("region", "country", "state"),
    [
        ("NC+1", "US", "NC"),
        ("A+2600", "AU", BLANK),
        ("N4+1", "US", INVALID),
        ("N/A+27000", "US", BLANK),
        (f"{'x' * 51}+1", "US", INVALID),
    ],
)
def test_a_state_is_letters_and_never_a_stray_one(region: str, country: str, state: str | FieldState) -> None:
    assert from_map(f"1 Road,Springfield,{region},{country}")["state"] == state


def test_a_longer_block_gives_its_first_lines_to_the_street() -> None:
    found = from_block("Unit 4", "12 Example Road", "Springfield, NC 27000", "United States")
    assert found["street"] == "Unit 4, 12 Example Road"


def test_a_shorter_block_says_nothing_about_what_it_lacks() -> None:
    assert from_block("Springfield 27000", "United States")["street"] is ABSENT
    assert from_block("Springfield 27000", "United States")["city"] == "Springfield"
    assert from_block("United States")["city"] is ABSENT


def test_without_map_and_block_everything_is_absent() -> None:
    assert set(shown(read_location(map_query=None, block=())).values()) == {ABSENT}


def test_an_empty_block_is_blank_as_a_whole() -> None:
    assert set(from_block("", "", "").values()) == {BLANK}


def test_every_location_column_has_a_reading() -> None:
    assert tuple(read_location(map_query=None, block=())) == LOCATION_COLUMNS


def test_a_map_that_tells_only_the_country_helps_to_read_the_block() -> None:
    block = ("12 Example Road", "Springfield A2600", "Atlantis", "")
    found = shown(read_location(map_query="Springfield,AU", block=block))
    assert (found["city"], found["postal_code"], found["country_code"]) == ("Springfield", "2600", "AU")


def test_a_block_s_own_country_goes_before_the_map_s_in_reading_its_city_line() -> None:
    block = ("12 Example Road", "Springfield ZZ99 9ZZ", "United Kingdom", "")
    found = shown(read_location(map_query="Springfield,US", block=block))
    assert (found["city"], found["postal_code"], found["country_code"]) == ("Springfield", "ZZ99 9ZZ", "US")


def test_a_city_in_capitals_stays_whole() -> None:
    assert from_block("12 Example Road", "EXAMPLEX, 27000", "United States")["city"] == "EXAMPLEX"
