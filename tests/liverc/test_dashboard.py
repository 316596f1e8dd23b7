from __future__ import annotations

import pytest
from selectolax.lexbor import LexborHTMLParser

from tests.liverc.pages import HOME, TOTALS, a_dashboard, a_facebook_panel, an_address, an_email
from tracksync.core.tracks.model import DASHBOARD_COLUMNS, Dashboard, FieldState, Reading
from tracksync.liverc.dashboard import parse_dashboard
from tracksync.liverc.profile import read_description, read_totals

VALUE, BLANK, ABSENT, INVALID = FieldState.VALUE, FieldState.BLANK, FieldState.ABSENT, FieldState.INVALID


def parse(html: str) -> Dashboard:
    return parse_dashboard(html, slug="exampletrack")


def read(column: str, html: str) -> object:
    """Return the column's value, or its state when it has none."""
    dashboard = parse(html)
    assert dashboard.is_proven, dashboard.problems
    reading = dashboard.fields[column]
    return reading.value if reading.state is VALUE else reading.state


def test_a_full_dashboard_gives_every_column() -> None:
    page = a_dashboard(
        description="Indoor & carpet.<br />\n\t\tOpen   daily.",
        logo='<img src="https://assets.livetimescoring.com/track_logos/1234/logo.png?dt=2026-01-02_03:04:05" />',
        facebook=a_facebook_panel(
            "Facebook Feed", '<div class="fb-page" data-href="https://www.facebook.com/example"></div>'
        ),
    )
    dashboard = parse(page)
    assert dashboard.problems == ()
    assert tuple(dashboard.fields) == DASHBOARD_COLUMNS
    assert dashboard.stored_values() == {
        "street": "12 Example Road",
        "city": "Springfield",
        "state": "NC",
        "postal_code": "27000",
        "country_code": "US",
        "country": "United States",
        "address": "12 Example Road, Springfield, NC 27000, United States",
        "phone": "+1 555-010-0100",
        "website": "http://www.example.org",
        "email": "info@example.org",
        "description": "Indoor & carpet.\nOpen daily.",
        "logo_url": "https://assets.livetimescoring.com/track_logos/1234/logo.png",
        "livetime_track_id": "1234",
        "facebook_url": "https://www.facebook.com/example",
        "total_laps": 123456,
        "total_practice_sessions": 8001,
        "total_races": 77,
        "total_entries": 1234,
        "total_events": 9,
    }


@pytest.mark.parametrize(
    ("page", "problem"),
    [
        ("", "cut"),
        ("<html><body><h1>Page not found</h1></body></html>", "heading"),
        (a_dashboard(heading="Example Track"), "heading"),
        (a_dashboard(about="Example Track"), "About"),
        (a_dashboard(address="<address>12 Example Road</address>"), "address block"),
        (a_dashboard(totals_heading="Totals"), "Lifetime Track Stats"),
        (a_dashboard(end=""), "cut"),
        (a_dashboard(end="</html>" + "x" * 3_000), "cut"),
    ],
)
def test_a_page_that_is_not_proven_says_why_and_has_no_fields(page: str, problem: str) -> None:
    dashboard = parse(page)
    assert not dashboard.is_proven
    assert any(problem in text and text.startswith("exampletrack: ") for text in dashboard.problems), dashboard.problems
    assert dashboard.fields == {}
    assert dashboard.stored_values() == {}


@pytest.mark.parametrize(
    ("phone", "found"),
    [
        ('<a href="tel:+44 5550 100100">+44 5550 100100</a>', "+44 5550 100100"),
        ('<a href="tel:+1 555-010-0100"></a>', "+1 555-010-0100"),
        ("(555) 010-0100 ext. 12", "(555) 010-0100 ext. 12"),
        ("N/A", BLANK),
        ("", BLANK),
        ('<a href="tel:">N/A</a>', BLANK),
        ('<a href="tel:+1 555">+1 555</a>', INVALID),
        ("555-0100 or ask Bob", INVALID),
        ("1" * 22, INVALID),
        (None, ABSENT),
    ],
)
def test_phone(phone: str | None, found: object) -> None:
    assert read("phone", a_dashboard(address=an_address(*HOME, phone=phone))) == found


@pytest.mark.parametrize(
    ("website", "found"),
    [
        (
            '<a href="https://www.facebook.com/example.page?x=1">Facebook</a>',
            "https://www.facebook.com/example.page?x=1",
        ),
        ("N/A", BLANK),
        ("", BLANK),
        ("www.example.org", INVALID),
        ('<a href="ftp://example.org/">ftp://example.org/</a>', INVALID),
        ('<a href="javascript:alert(1)">x</a>', INVALID),
        ('<a href="http://">x</a>', INVALID),
        ('<a href="http://nodots">x</a>', INVALID),
        ('<a href="http://nodots./">x</a>', INVALID),
        ('<a href="http://[bad">x</a>', INVALID),
        ('<a href="http://user:pw@example.org/">x</a>', INVALID),
        ('<a href="http://example.org/a b">x</a>', INVALID),
        (f'<a href="http://example.org/{"a" * 2_000}">x</a>', INVALID),
        (None, ABSENT),
    ],
)
def test_website(website: str | None, found: object) -> None:
    assert read("website", a_dashboard(address=an_address(*HOME, website=website))) == found


@pytest.mark.parametrize(
    ("email", "found"),
    [
        (an_email("race.director", "club.example.org"), "race.director@club.example.org"),
        (an_email("o\\'neil", "example.org", shown="o'neil@example.org"), "o'neil@example.org"),
        (an_email("Info", "Example.org", shown="info@example.org"), "Info@Example.org"),
        (an_email("info", "example.org", shown="other@example.org"), INVALID),
        (an_email("info", "example", shown="info@example"), INVALID),
        (an_email("a b", "example.org"), INVALID),
        (an_email("", ""), BLANK),
        (an_email("N/A", "", shown="N/A"), BLANK),
        (an_email("", "", shown="info@example.org"), INVALID),
        (an_email("info", "example.org", shown="N/A"), INVALID),
        ("N/A", BLANK),
        ("info@example.org", INVALID),
        ('<a href="javascript:noSpam(document.cookie, 1);">info@example.org</a>', INVALID),
        ("<a href=\"javascript:noSpam('info', 'example.org');alert(1)\">info@example.org</a>", INVALID),
    ],
)
def test_email(email: str, found: object) -> None:
    assert read("email", a_dashboard(address=an_address(*HOME, email=email))) == found


def test_an_email_without_its_label_is_absent() -> None:
    page = a_dashboard().replace('<abbr title="E-Mail">E:</abbr>', "")
    assert read("email", page) is ABSENT


@pytest.mark.parametrize(
    ("description", "found"),
    [
        ("", BLANK),
        ("<br /> \n ", BLANK),
        ("One line", "One line"),
        ("First<br>\n\tSecond<br /><br /><br />Third", "First\nSecond\n\nThird"),
        ("<p>One</p><script>alert(1)</script><p>T\u202ewo</p>", "One\nTwo"),
        ("Above the rule<hr />Below it", "Below it"),
        ("x" * 20_000, "x" * 10_000),
    ],
)
def test_description(description: str, found: object) -> None:
    assert read("description", a_dashboard(description=description)) == found


@pytest.mark.parametrize(
    ("src", "url", "track_id"),
    [
        (
            "https://assets.livetimescoring.com/track_logos/77/a%20b.png?dt=2026-01-02_03:04:05",
            "https://assets.livetimescoring.com/track_logos/77/a%20b.png",
            "77",
        ),
        (
            "//assets.livetimescoring.com/track_logos/077/a.png",
            "https://assets.livetimescoring.com/track_logos/077/a.png",
            "077",
        ),
        (
            "https://livetimescoring.com/track_logos/7/a.png?x=1#top",
            "https://livetimescoring.com/track_logos/7/a.png",
            "7",
        ),
        ("https://assets.livetimescoring.com/track_logos/x/a.png", INVALID, INVALID),
        ("https://example.org/livetimescoring.com/track_logos/7/a.png", INVALID, INVALID),
        ("https://notlivetimescoring.com/track_logos/7/a.png", INVALID, INVALID),
        ("/livetimescoring.com/track_logos/7/a.png", INVALID, INVALID),
        ("/other.png", BLANK, BLANK),
    ],
)
def test_logo(src: str, url: object, track_id: object) -> None:
    page = a_dashboard(logo=f'<img class="img-responsive" src="{src}" />')
    assert (read("logo_url", page), read("livetime_track_id", page)) == (url, track_id)


FACEBOOK = "http://www.facebook.com/profile.php?id=1000"


@pytest.mark.parametrize(
    ("panel", "found"),
    [
        ("", BLANK),
        (a_facebook_panel("Facebook Feed", f'<div class="fb-page" data-href="{FACEBOOK}"></div>'), FACEBOOK),
        (a_facebook_panel("Facebook Feed", f'<blockquote><a href="{FACEBOOK}">x</a></blockquote>'), FACEBOOK),
        (a_facebook_panel("Facebook Page", f'<p class="padding_container"><a href="{FACEBOOK}">x</a></p>'), FACEBOOK),
        (a_facebook_panel("Facebook Page", ""), INVALID),
        (
            a_facebook_panel("Facebook Page", '<p class="padding_container"><a href="https://example.org/">x</a></p>'),
            INVALID,
        ),
        (
            a_facebook_panel(
                "Facebook Page", '<p class="padding_container"><a href="https://notfacebook.com/">x</a></p>'
            ),
            INVALID,
        ),
    ],
)
def test_facebook(panel: str, found: object) -> None:
    assert read("facebook_url", a_dashboard(facebook=panel)) == found


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("0", 0),
        ("999", 999),
        ("6,800,000", 6_800_000),
        ("1234", 1234),
        ("2147483647", 2_147_483_647),
        ("2147483648", INVALID),
        ("1,23", INVALID),
        ("-5", INVALID),
        ("many", INVALID),
        ("\u0663", INVALID),
        ("", BLANK),
        ("N/A", BLANK),
    ],
)
def test_totals(value: str, found: object) -> None:
    assert read("total_laps", a_dashboard(totals={**TOTALS, "Laps": value})) == found


def test_the_first_of_two_totals_with_the_same_label_stays_and_other_rows_do_not_count() -> None:
    page = a_dashboard(totals={"Crashes": "7", "Laps": "1", "laps": "2", "LAPS": "many"})
    assert read("total_laps", page) == 1
    assert read("total_races", page) is ABSENT


@pytest.mark.parametrize("row", ["<th>Laps</th>", "<td>5</td>", ""])
def test_a_total_without_its_cell_is_absent_rather_than_blank(row: str) -> None:
    page = a_dashboard(totals={}).replace("<tbody>", f"<tbody><tr>{row}</tr>")
    assert read("total_laps", page) is ABSENT


def test_a_row_without_cells_does_not_hide_the_totals_below_it() -> None:
    page = a_dashboard().replace("<tbody>", "<tbody><tr><th>More</th></tr>")
    assert read("total_laps", page) == 123456


def test_parts_of_a_page_that_are_not_there_are_blank_or_absent() -> None:
    assert read_description(None).state is BLANK
    assert read_description(LexborHTMLParser("<div>no body</div>").css_first("div")).state is BLANK
    assert {reading.state for reading in read_totals(None).values()} == {ABSENT}


def test_every_problem_of_a_page_is_named_with_the_track() -> None:
    assert parse("").problems == (
        "exampletrack: the page is cut: it ends before </html>",
        'exampletrack: the heading (h1.page-header) does not end with "\'s Dashboard"',
        'exampletrack: there is no "About" panel with an address block (address.small)',
        'exampletrack: there is no "Lifetime Track Stats" table',
    )


def test_the_map_query_is_taken_whole_and_its_key_is_nowhere_in_the_result() -> None:
    dashboard = parse(a_dashboard(map_query="A & B #3&q=x,Springfield,NC+27000,US"))
    assert dashboard.fields["street"].value == "A & B #3&q=x"
    assert "NO-KEY" not in repr(dashboard)


def test_a_dashboard_without_a_map_is_located_by_its_address_block() -> None:
    assert read("address", a_dashboard(map_query=None)) == "12 Example Road, Springfield, NC 27000, United States"


def test_an_address_block_that_is_not_closed_is_read_like_a_closed_one() -> None:
    page = a_dashboard(map_query=None)
    assert parse(page.replace("</address>", "")) == parse(page)


def test_each_reading_has_a_value_exactly_when_its_state_says_so() -> None:
    for reading in parse(a_dashboard(totals={}, map_query=None)).fields.values():
        assert isinstance(reading, Reading)
        assert (reading.value is not None) == (reading.state is VALUE)
