"""The parts of a profile, one by one."""

from __future__ import annotations

import pytest
from selectolax.lexbor import LexborHTMLParser

from tests.liverc.pages import TOTALS, a_dashboard, a_facebook_panel
from tracksync.core.tracks.model import FieldState
from tracksync.liverc.dashboard import parse_dashboard
from tracksync.liverc.profile import read_logo


def read(column: str, page: str) -> object:
    """Return the column's value, or its state when it has none."""
    reading = parse_dashboard(page, slug="exampletrack").fields[column]
    return reading.value if reading.state is FieldState.VALUE else reading.state


@pytest.mark.parametrize("tag", ["p", "div", "li", "ul", "ol", "h1", "h2", "h3", "h4", "h5", "h6"])
def test_a_block_begins_a_line(tag: str) -> None:
    assert read("description", a_dashboard(description=f"One<{tag}>Two</{tag}>")) == "One\nTwo"


def test_a_table_s_row_begins_a_line_and_its_cells_do_not() -> None:
    table = "<table><tr><td>One</td></tr><tr><td>Two</td><td>, three</td></tr></table>"
    assert read("description", a_dashboard(description=table)) == "One\nTwo, three"


@pytest.mark.parametrize("tag", ["b", "span", "a"])
def test_an_inline_element_does_not(tag: str) -> None:
    assert read("description", a_dashboard(description=f"One<{tag}>Two</{tag}>")) == "OneTwo"


@pytest.mark.parametrize("tag", ["script", "style", "template", "noscript"])
def test_what_a_browser_does_not_show_is_no_description(tag: str) -> None:
    assert read("description", a_dashboard(description=f"One<{tag}>hidden</{tag}>")) == "One"


def test_white_space_in_a_description_is_one_space() -> None:
    assert read("description", a_dashboard(description="One\n\t two")) == "One two"


@pytest.mark.parametrize(
    ("path", "is_logo"),
    [
        ("/track_logos/7/a.png", True),
        ("/track_logos/7/a/b.png", True),
        ("/track_logos/7/", False),
        ("/track_logos//a.png", False),
        ("/track_logos/\u0663/a.png", False),
        ("/old/track_logos/7/a.png", False),
    ],
)
def test_a_logo_s_path_names_the_track(path: str, *, is_logo: bool) -> None:
    image = LexborHTMLParser(f'<img src=" https://livetimescoring.com{path} ">').css_first("img")
    states = {reading.state for reading in read_logo(image).values()}
    assert states == {FieldState.VALUE if is_logo else FieldState.INVALID}


@pytest.mark.parametrize(
    ("host", "is_facebook"),
    [
        ("facebook.com", True),
        ("m.facebook.com", True),
        ("fb.com", True),
        ("www.fb.com", True),
        ("fb.me", True),
        ("xfb.me", False),
        ("facebook.com.example.org", False),
    ],
)
def test_facebook_has_three_domains(host: str, *, is_facebook: bool) -> None:
    panel = a_facebook_panel("Facebook Feed", f'<div class="fb-page" data-href="https://{host}/example"></div>')
    expected = f"https://{host}/example" if is_facebook else FieldState.INVALID
    assert read("facebook_url", a_dashboard(facebook=panel)) == expected


@pytest.mark.parametrize(
    ("text", "number"),
    [("1,234,567", 1_234_567), ("12,345", 12_345), ("1234,567", None), ("1,2345", None), (",123", None), ("1,", None)],
)
def test_commas_stand_between_groups_of_three(text: str, number: int | None) -> None:
    found = read("total_laps", a_dashboard(totals={**TOTALS, "Laps": text}))
    assert found == (FieldState.INVALID if number is None else number)
