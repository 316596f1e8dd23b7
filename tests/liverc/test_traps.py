"""The reader's share of the known traps: each is a way in which a predecessor lost or spoilt data."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import tracksync.liverc
from tests.liverc.pages import HOME, PHONE, TOTALS, a_catalogue, a_dashboard, a_row, an_address, an_email, rows
from tracksync.core.tracks.model import Dashboard, FieldState, Listing, SkipReason
from tracksync.liverc.catalogue import parse_catalogue
from tracksync.liverc.dashboard import parse_dashboard
from tracksync.liverc.relative_time import interval_of


def listing(html: str) -> Listing:
    return parse_catalogue(html, domain="liverc.com")


def dashboard(html: str) -> Dashboard:
    return parse_dashboard(html, slug="exampletrack")


def block_only(*lines: str) -> Dashboard:
    """Return a dashboard without a map, so that the address block alone tells the location."""
    return dashboard(a_dashboard(map_query=None, address=an_address(*lines)))


@pytest.mark.parametrize(
    "body", ["", "Forbidden", "<html><h1>404</h1></html>", "<html><body>Welcome</body></html>", "\x00\x01"]
)
def test_trap_1_an_error_body_is_never_an_empty_dashboard(body: str) -> None:
    found = dashboard(body)
    assert not found.is_proven
    assert found.problems
    assert found.stored_values() == {}


def test_trap_2_only_a_proven_blank_clears_a_stored_value() -> None:
    contacts = {"phone": "N/A", "website": '<a href="ftp://example.org">x</a>', "email": "N/A"}
    totals = {label: value for label, value in TOTALS.items() if label != "Laps"}
    stored = dashboard(a_dashboard(address=an_address(*HOME, **contacts), totals=totals)).stored_values()
    assert stored["phone"] is None
    assert stored["email"] is None
    assert "website" not in stored  # a value that fails validation preserves
    assert "total_laps" not in stored  # a place that is not there preserves


def test_trap_4_relative_text_is_kept_apart_from_the_row_and_is_an_interval_rather_than_a_fact() -> None:
    (today,) = listing(a_catalogue(a_row(updated="2 hours ago"))).tracks
    (tomorrow,) = listing(a_catalogue(a_row(updated="Yesterday"))).tracks
    volatile = {"last_updated_text", "status", "has_video", "event_name"}
    differing = {name for name in today.__slots__ if getattr(today, name) != getattr(tomorrow, name)}
    assert differing <= volatile
    assert interval_of("Yesterday") is not None


def test_trap_5_www_and_foreign_hosts_are_no_tracks_and_what_is_skipped_is_counted() -> None:
    page = a_catalogue(
        rows(80)
        + a_row("www", "Home")
        + a_row(link='<a href="//exampletrack.liverc.com.example.org/"><strong>Elsewhere</strong></a>')
        + a_row("track0", "Again")
    )
    found = listing(page)
    assert len(found.tracks) == 80
    assert [row.reason for row in found.skipped] == [SkipReason.INVALID_SLUG] * 2
    assert found.duplicates == 1


@pytest.mark.parametrize("body", ["", a_row(link="")])
def test_trap_5_a_list_without_a_usable_row_is_invalid_rather_than_empty(body: str) -> None:
    assert not listing(a_catalogue(body)).is_complete


def test_trap_17_a_british_postal_code_is_not_the_city() -> None:
    found = block_only("12 Example Road", "Springfield ZZ99 9ZZ", "United Kingdom").fields
    assert (found["city"].value, found["postal_code"].value) == ("Springfield", "ZZ99 9ZZ")


def test_trap_17_a_canadian_province_and_code_are_not_the_city() -> None:
    found = block_only("12 Example Road", "Springfield, ON a1a1a1", "Canada").fields
    assert (found["city"].value, found["state"].value, found["postal_code"].value) == ("Springfield", "ON", "a1a1a1")


def test_trap_17_six_chinese_digits_stay_six() -> None:
    assert block_only("12 Example Road", "Springfield 100000", "China").fields["postal_code"].value == "100000"


def test_trap_17_an_australian_stray_letter_is_no_state() -> None:
    found = block_only("12 Example Road", "Springfield A2600", "Australia").fields
    assert found["state"].state is FieldState.BLANK
    assert found["postal_code"].value == "2600"


@pytest.mark.parametrize("lines", [HOME, HOME[:2], HOME[:1], ()])
def test_trap_17_the_address_never_swallows_phone_na_or_email(lines: tuple[str, ...]) -> None:
    contacts = {"phone": PHONE, "website": "N/A", "email": an_email()}
    found = dashboard(a_dashboard(map_query=None, address=an_address(*lines, **contacts))).fields
    location = " ".join(
        str(found[name].value) for name in ("street", "city", "state", "postal_code", "country", "address")
    )
    assert not re.search(r"555|N/A|@|info", location)


@pytest.mark.parametrize("name", ["Example Club", "Springfield", "12 Example Road", "Example Raceway"])
def test_trap_17_the_tracks_own_name_is_no_address_line_whatever_it_is(name: str) -> None:
    found = dashboard(a_dashboard(map_query=None, address=an_address("1 Lane", *HOME[1:], name=name))).fields
    assert found["street"].value == "1 Lane"


@pytest.mark.parametrize("country", ["contact@club.us", "USB Street", "Not United States", "US of A"])
def test_trap_17_a_country_is_never_found_inside_another_text(country: str) -> None:
    found = block_only("12 Example Road", "Springfield", country).fields
    assert found["country_code"].state is FieldState.INVALID
    assert found["country"].state is FieldState.INVALID


def test_trap_17_iso_codes_end_in_no_other_column() -> None:
    found = dashboard(a_dashboard(map_query="12 Example Road,Springfield,+02604,AU")).fields
    assert [found[name].value for name in ("street", "city", "state")] == ["12 Example Road", "Springfield", None]
    assert found["country_code"].value == "AU"


def test_trap_19_the_wire_format_and_a_reindented_copy_read_alike() -> None:
    wire = a_catalogue(rows(5) + a_row("other", "Other", status=2, video=1, featured=True))
    assert "\t\t\t\t\t\t\t\t\t\t" in wire
    assert listing(re.sub(r"[\t\n]+", "\n", wire)) == listing(wire)
    page = a_dashboard(description="One<br />\nTwo")
    assert dashboard(re.sub(r"[\t\n]+", " ", page)) == dashboard(page)


def test_trap_19_only_selectolax_lexbor_is_imported() -> None:
    folder = Path(tracksync.liverc.__file__).parent
    imports = re.findall(
        r"^from (selectolax\S*) import", "\n".join(path.read_text() for path in folder.glob("*.py")), re.MULTILINE
    )
    assert imports
    assert set(imports) == {"selectolax.lexbor"}
