"""Where each field was found: `tracksync parse` shows it, and whoever doubts a value looks there first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.liverc.pages import HOME, TOTALS, a_dashboard, a_facebook_panel, an_address, an_email
from tracksync.core.tracks.model import FieldState, Reading
from tracksync.liverc.address import read_location
from tracksync.liverc.dashboard import parse_dashboard

if TYPE_CHECKING:
    from collections.abc import Mapping

VALUE, BLANK, ABSENT, INVALID = FieldState.VALUE, FieldState.BLANK, FieldState.ABSENT, FieldState.INVALID
MAP, GAP, BLOCK, NOWHERE = "map", "map, left empty", "address block", "map and address block"
BLOCK_LINES = ("7 Block Lane", "Shelbyville, TN 37000", "Canada", "")


def found(fields: Mapping[str, Reading]) -> dict[str, tuple[FieldState, str]]:
    return {column: (reading.state, reading.origin) for column, reading in fields.items()}


@pytest.mark.parametrize(
    ("query", "block", "expected"),
    [
        (
            "12 Example Road,Springfield,NC+27000,US",
            BLOCK_LINES,
            {
                "street": (VALUE, MAP),
                "city": (VALUE, MAP),
                "state": (VALUE, MAP),
                "postal_code": (VALUE, MAP),
                "country_code": (VALUE, MAP),
                "country": (VALUE, MAP),
                "address": (VALUE, "composed"),
            },
        ),
        (
            ",,+,US",
            (),
            {
                "street": (BLANK, GAP),
                "city": (BLANK, GAP),
                "state": (BLANK, MAP),
                "postal_code": (BLANK, MAP),
                "country_code": (VALUE, MAP),
            },
        ),
        (",,+,US", BLOCK_LINES, {"street": (VALUE, BLOCK), "city": (VALUE, BLOCK), "state": (BLANK, MAP)}),
        ("1 Road,Springfield,N4+none,US", BLOCK_LINES, {"state": (INVALID, MAP), "postal_code": (INVALID, MAP)}),
        (
            None,
            BLOCK_LINES,
            {
                "street": (VALUE, BLOCK),
                "city": (VALUE, BLOCK),
                "state": (VALUE, BLOCK),
                "postal_code": (VALUE, BLOCK),
                "country_code": (VALUE, BLOCK),
                "country": (VALUE, BLOCK),
            },
        ),
        (
            None,
            ("", "", "", ""),
            {
                "street": (BLANK, BLOCK),
                "city": (BLANK, BLOCK),
                "state": (BLANK, BLOCK),
                "postal_code": (BLANK, BLOCK),
                "country_code": (BLANK, BLOCK),
                "country": (BLANK, BLOCK),
                "address": (BLANK, "composed"),
            },
        ),
        (
            None,
            ("Springfield 99 ZZ", "Atlantis", ""),
            {
                "street": (ABSENT, NOWHERE),
                "city": (INVALID, BLOCK),
                "state": (INVALID, BLOCK),
                "postal_code": (INVALID, BLOCK),
                "country_code": (INVALID, BLOCK),
                "country": (INVALID, BLOCK),
                "address": (ABSENT, "composed"),
            },
        ),
    ],
)
def test_each_part_of_a_location_says_where_it_was_found(
    query: str | None, block: tuple[str, ...], expected: dict[str, tuple[FieldState, str]]
) -> None:
    fields = found(read_location(map_query=query, block=block))
    assert {column: fields[column] for column in expected} == expected


LOGO = '<img src="https://assets.livetimescoring.com/track_logos/{}/logo.png" />'
PANEL = '<div class="fb-page" data-href="{}"></div>'


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (
            a_dashboard(
                description="Indoor.",
                logo=LOGO.format(7),
                facebook=a_facebook_panel("Facebook Feed", PANEL.format("https://www.facebook.com/example")),
            ),
            {
                "phone": (VALUE, BLOCK),
                "website": (VALUE, BLOCK),
                "email": (VALUE, BLOCK),
                "description": (VALUE, "About panel"),
                "logo_url": (VALUE, "logo"),
                "livetime_track_id": (VALUE, "logo"),
                "facebook_url": (VALUE, "Facebook panel"),
                "total_laps": (VALUE, "totals table"),
            },
        ),
        (
            a_dashboard(
                address=an_address(*HOME, phone="N/A", website="N/A", email="N/A"), totals={**TOTALS, "Laps": "N/A"}
            ),
            {
                "phone": (BLANK, BLOCK),
                "website": (BLANK, BLOCK),
                "email": (BLANK, BLOCK),
                "description": (BLANK, "About panel"),
                "logo_url": (BLANK, "logo"),
                "livetime_track_id": (BLANK, "logo"),
                "facebook_url": (BLANK, "Facebook panel"),
                "total_laps": (BLANK, "totals table"),
            },
        ),
        (
            a_dashboard(
                address=an_address(*HOME, phone="none", website="none", email=an_email(shown="other")),
                logo=LOGO.format("x"),
                facebook=a_facebook_panel("Facebook Page", PANEL.format("https://example.org/")),
                totals={**TOTALS, "Laps": "many"},
            ),
            {
                "phone": (INVALID, BLOCK),
                "website": (INVALID, BLOCK),
                "email": (INVALID, BLOCK),
                "logo_url": (INVALID, "logo"),
                "livetime_track_id": (INVALID, "logo"),
                "facebook_url": (INVALID, "Facebook panel"),
                "total_laps": (INVALID, "totals table"),
            },
        ),
        (
            a_dashboard(address=an_address(*HOME, phone=None, website=None), totals={}),
            {"phone": (ABSENT, BLOCK), "website": (ABSENT, BLOCK), "total_laps": (ABSENT, "totals table")},
        ),
    ],
)
def test_each_part_of_a_dashboard_says_where_it_was_looked_for(
    page: str, expected: dict[str, tuple[FieldState, str]]
) -> None:
    fields = found(parse_dashboard(page, slug="exampletrack").fields)
    assert {column: fields[column] for column in expected} == expected
