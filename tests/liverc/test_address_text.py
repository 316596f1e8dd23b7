"""A location read outside a dashboard: from a map's query, a map's address, or HTML cut out of a page."""

from __future__ import annotations

import pytest

from tests.liverc.pages import HOME, a_dashboard, an_address
from tracksync.core.tracks.model import FieldState
from tracksync.liverc.address import LOCATION_COLUMNS, map_problem, read_location
from tracksync.liverc.dashboard import parse_address, parse_dashboard

QUERY = "12 Example Road,Springfield,NC+27000,US"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (QUERY, ""),
        (",,+,US", ""),
        ("a,b,c,d,NC+27000, us ", ""),
        ("", "known country"),
        ("12 Example Road,Springfield,NC+27000,XX", "known country"),
        ("US", "fewer than 4 parts"),
        ("Springfield,NC+27000,US", "fewer than 4 parts"),
        ("12 Example Road,Springfield,NC 27000,US", "STATE+POSTAL"),
    ],
)
def test_a_map_s_query_that_does_not_say_everything_says_why(query: str, words: str) -> None:
    problem = map_problem(query)
    assert words in problem
    assert bool(problem) is bool(words)
    fields = read_location(map_query=query, block=())
    says_nothing = {column for column in ("street", "city", "state") if fields[column].state is FieldState.ABSENT}
    assert says_nothing == ({"street", "city", "state"} if words else set())


@pytest.mark.parametrize("text", [QUERY, f"\n https://maps.example.org/place?key=NO-KEY&q={QUERY}", a_dashboard()])
def test_query_address_and_page_give_the_same_location(text: str) -> None:
    location = parse_address(text)
    assert location.problems == ()
    dashboard = parse_dashboard(a_dashboard(), slug="abc")
    assert location.fields == {column: dashboard.fields[column] for column in LOCATION_COLUMNS}


def test_a_street_that_looks_like_a_parameter_stays_whole() -> None:
    street = parse_address("Gate ?q=7,Springfield,NC+27000,US").fields["street"]
    assert street.value == "Gate ?q=7"


@pytest.mark.parametrize(
    ("html", "problems", "city"),
    [
        (an_address(*HOME), ["there is no map"], "Springfield"),
        (a_dashboard(map_query=None), ["there is no map"], "Springfield"),
        (a_dashboard(map_query="Springfield"), ["the map's query"], "Springfield"),
        (a_dashboard(address="", map_query=QUERY), ["there is no addr"], "Springfield"),
        ("<p>nothing</p>", ["there is no map", "there is no addr"], None),
        (
            f"<p>Springfield</p>{an_address('1 Other Road', 'Shelbyville, NC 27001', 'United States')}",
            None,
            "Shelbyville",
        ),
    ],
)
def test_a_place_that_says_nothing_is_named(html: str, problems: list[str] | None, city: str | None) -> None:
    location = parse_address(html)
    assert location.fields["city"].value == city
    if problems is not None:
        assert [found[: len(start)] for found, start in zip(location.problems, problems, strict=True)] == problems


def test_a_field_that_is_absent_says_where_it_was_looked_for() -> None:
    page = a_dashboard(address=an_address(phone=None, website=None), map_query=None, totals={})
    absent = {
        column: reading.origin
        for column, reading in parse_dashboard(page, slug="abc").fields.items()
        if reading.state is FieldState.ABSENT
    }
    assert absent["phone"] == absent["website"] == "address block"
    assert absent["city"] == "map and address block"
    assert absent["total_laps"] == "totals table"
    assert all(absent.values())


KNOWN = "the map's query does not end with a known country code: it says nothing"
SHORT = "the map's query has fewer than 4 parts: only its country counts"
PLUS = "the map's query has no STATE+POSTAL in front of the country: only its country counts"
NO_MAP = "there is no map (iframe with the address google.com/maps/embed/v1/place and a query q=)"
NO_BLOCK = "there is no address block (address)"


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("nowhere", (KNOWN,)),
        ("Springfield,US", (SHORT,)),
        ("1+1 Road,Spring+field,NC 27000,US", (PLUS,)),
        ("https://maps.example.org/place?q=", (KNOWN,)),
        ("https://maps.example.org/place?q=US", (SHORT,)),
        ("https://maps.example.org/place", (KNOWN,)),
        ("<p>nothing</p>", (NO_MAP, NO_BLOCK)),
        (a_dashboard(map_query=""), (KNOWN,)),
    ],
)
def test_every_problem_of_a_location_is_named(text: str, problems: tuple[str, ...]) -> None:
    assert parse_address(text).problems == problems


def test_a_query_may_hold_line_breaks() -> None:
    fields = parse_address("https://maps.example.org/place?q=12\nExample Road,Springfield,NC+27000,US").fields
    assert fields["street"].value == "12 Example Road"
