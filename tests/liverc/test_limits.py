"""How long and how large a value may be: the last that counts, and the first that does not."""

from __future__ import annotations

import pytest

from tests.liverc.pages import HOME, TOTALS, a_catalogue, a_dashboard, a_row, an_address, an_email
from tracksync.core.tracks.model import FieldState
from tracksync.liverc.address import read_location
from tracksync.liverc.catalogue import parse_catalogue
from tracksync.liverc.dashboard import parse_dashboard
from tracksync.liverc.hosts import slug_of_href

INVALID = FieldState.INVALID


def read(column: str, page: str) -> object:
    """Return the column's value, or its state when it has none."""
    dashboard = parse_dashboard(page, slug="exampletrack")
    assert dashboard.is_proven, dashboard.problems
    reading = dashboard.fields[column]
    return reading.value if reading.state is FieldState.VALUE else reading.state


def contact(column: str, content: str) -> object:
    return read(column, a_dashboard(address=an_address(*HOME, **{column: content})))


def location(query: str, column: str) -> object:
    reading = read_location(map_query=query, block=())[column]
    return reading.value if reading.state is FieldState.VALUE else reading.state


@pytest.mark.parametrize("column", ["street", "city"])
def test_street_and_city_are_cut_at_300_characters(column: str) -> None:
    parts = {"street": "1 Road", "city": "Springfield"} | {column: "x" * 301}
    assert location(f"{parts['street']},{parts['city']},NC+27000,US", column) == "x" * 300


@pytest.mark.parametrize(
    ("region", "column", "found"),
    [
        (f"{'x' * 50}+27000", "state", "x" * 50),
        (f"{'x' * 51}+27000", "state", INVALID),
        (f"NC+{'9' * 20}", "postal_code", "9" * 20),
        (f"NC+{'9' * 21}", "postal_code", INVALID),
    ],
)
def test_a_state_has_50_and_a_postal_code_20_characters_at_most(region: str, column: str, found: object) -> None:
    assert location(f"1 Road,Springfield,{region},US", column) == found


@pytest.mark.parametrize(
    ("phone", "is_number"),
    [
        ("555010", False),
        ("5550100", True),
        ("5" * 21, True),
        ("5" * 22, False),
        (f"5550100{'-' * 53}", True),
        (f"5550100{'-' * 54}", False),
        ("5550100 x123456", True),
        ("5550100 x1234567", False),
    ],
)
def test_a_phone_has_7_to_21_digits_in_60_characters_and_6_of_them_as_extension(phone: str, *, is_number: bool) -> None:
    assert contact("phone", phone) == (phone if is_number else INVALID)


@pytest.mark.parametrize(("length", "is_address"), [(2_000, True), (2_001, False)])
def test_a_web_address_has_2000_characters_at_most(length: int, *, is_address: bool) -> None:
    url = "http://example.org/".ljust(length, "a")
    assert contact("website", f'<a href="{url}">x</a>') == (url if is_address else INVALID)


@pytest.mark.parametrize(("length", "is_address"), [(254, True), (255, False)])
def test_an_email_address_has_254_characters_at_most(length: int, *, is_address: bool) -> None:
    user = "a" * (length - len("@example.org"))
    assert contact("email", an_email(user)) == (f"{user}@example.org" if is_address else INVALID)


@pytest.mark.parametrize(("digits", "found"), [(18, "1" * 18), (19, INVALID)])
def test_a_timing_id_has_18_digits_at_most(digits: int, found: object) -> None:
    logo = f'<img src="https://assets.livetimescoring.com/track_logos/{"1" * digits}/a.png" />'
    assert read("livetime_track_id", a_dashboard(logo=logo)) == found


def test_a_description_is_cut_at_10000_characters() -> None:
    assert read("description", a_dashboard(description="x" * 10_001)) == "x" * 10_000


def test_a_number_that_is_too_long_to_convert_is_invalid() -> None:
    # Python refuses to convert more than 4,300 digits.
    assert read("total_laps", a_dashboard(totals={**TOTALS, "Laps": "1" * 5_000})) is INVALID


def test_a_total_is_read_within_100_characters() -> None:
    assert read("total_laps", a_dashboard(totals={**TOTALS, "Laps": f"{'0' * 99}12"})) == 1


@pytest.mark.parametrize(("length", "is_proven"), [(400, True), (401, False)])
def test_a_heading_is_read_within_400_characters(length: int, *, is_proven: bool) -> None:
    heading = "'s Dashboard".rjust(length, "x")
    assert parse_dashboard(a_dashboard(heading=heading), slug="exampletrack").is_proven is is_proven


@pytest.mark.parametrize(("filling", "is_proven"), [(1_993, True), (1_994, False)])
def test_a_closing_tag_counts_within_the_last_2000_characters(filling: int, *, is_proven: bool) -> None:
    page = a_dashboard(end="</html>" + " " * filling)
    assert parse_dashboard(page, slug="exampletrack").is_proven is is_proven


def test_name_event_and_time_are_cut_at_300_characters() -> None:
    row = a_row(name="n" * 301, event="e" * 301, updated="u" * 301)
    (track,) = parse_catalogue(a_catalogue(row), domain="liverc.com").tracks
    assert (track.name, track.event_name, track.last_updated_text) == ("n" * 300, "e" * 300, "u" * 300)


@pytest.mark.parametrize(("length", "label"), [(253, "abc"), (254, None)])
def test_a_host_has_253_characters_at_most(length: int, label: str | None) -> None:
    domain = "x" * (length - len("abc."))
    assert slug_of_href(f"//abc.{domain}/", domain) == label
