"""The bytes of dashboards, read with the standard library and compared with what the world says they show."""

from __future__ import annotations

import re
from functools import cache
from urllib.parse import urlsplit

import pytest

from tests.simulator.reading import Page, read
from tracksync.simulator.catalogue_page import render_catalogue
from tracksync.simulator.dashboard_page import DashboardWriter
from tracksync.simulator.model import FacebookForm, Profile, Track
from tracksync.simulator.world import World, build_world

T7 = "\t" * 7


@cache
def world() -> World:
    return build_world(seed=1, tracks=1090, domain="liverc.com")


@cache
def pages() -> list[tuple[Track, Profile, bytes]]:
    writer = DashboardWriter("liverc.com")
    built = [(track, world().profile(track)) for track in world().tracks]
    return [(track, profile, writer.render(track, profile)) for track, profile in built]


def parsed() -> list[tuple[Track, Profile, Page]]:
    return [(track, profile, read(page)) for track, profile, page in pages()[::5]]


def address_of(page: bytes) -> str:
    found = re.search(r'<address class="small">(.*?)</address>', page.decode(), flags=re.DOTALL)
    assert found is not None
    return found[1]


def test_every_page_proves_itself_a_dashboard() -> None:
    for track, _, page in pages():
        text = page.decode()
        assert text.count(f"{track.name}'s Dashboard</h1>") == 1
        assert f"<title>{track.name} :: Broadcast and Results :: LiveRC</title>" in text
        assert f"About {track.name}</div>" in text
        assert text.count('<address class="small">') == 1
        assert "Lifetime Track Stats</div>" in text
        assert text.rstrip().endswith("</html>")


def test_address_lines_are_parted_by_seven_tabs_and_a_break() -> None:
    for track, profile, page in pages():
        name, street, city, country, blank, phone, website, email = address_of(page).split(f"{T7}<br>")
        assert name == f"\n{T7}<strong>{track.name}</strong>\n"
        assert (street, country, blank) == (profile.location.street, profile.location.country.name, "\n")
        assert city.startswith(profile.location.city)
        assert phone.startswith('<abbr title="Phone">P:</abbr> ')
        assert website.startswith('<abbr title="Website">W:</abbr> ')
        assert email.startswith('<abbr title="E-Mail">E:</abbr> ')


def test_the_city_line_has_state_and_code_as_far_as_there_are_any() -> None:
    for _, profile, page in pages():
        location = profile.location
        line = address_of(page).split(f"{T7}<br>")[2]
        wanted = location.city
        wanted += f", {location.state}" if location.state else ""
        wanted += f" {location.postal.shown}" if location.postal.shown else ""
        assert line == wanted


def test_the_map_source_is_not_encoded_and_its_key_comes_before_the_query() -> None:
    for _, profile, page in pages():
        found = re.findall(rb'src="https://www\.google\.com/maps/embed/v1/place\?key=SIMULATED-KEY&q=([^"]*)"', page)
        assert [query.decode() for query in found] == (
            [profile.location.map_query] if profile.location.map_query else []
        )


def test_an_absent_contact_reads_not_available() -> None:
    for _, profile, page in pages():
        missing = [profile.phone.shown, profile.website.shown, profile.email].count(None)
        assert address_of(page).count("N/A") == missing


def test_an_e_mail_stands_in_script_arguments_and_as_decimal_entities() -> None:
    for _, profile, page in parsed():
        hidden = [link for link in page.with_tag("a") if link.attributes.get("href", "").startswith("javascript:")]
        assert [link.text for link in hidden] == ([profile.email] if profile.email else [])
        for link in hidden:
            user, host = re.findall(r"'([^']*)'", link.attributes["href"])
            assert f"{user}@{host}" == profile.email
    for _, profile, raw in pages():
        assert profile.email is None or profile.email.encode() not in raw


def test_phone_and_website_are_links_with_their_own_text() -> None:
    for _, profile, page in parsed():
        phones = [link for link in page.with_tag("a") if link.attributes.get("href", "").startswith("tel:")]
        assert [link.text for link in phones] == ([profile.phone.shown] if profile.phone.shown else [])
        assert all(link.attributes["href"] == f"tel:{link.text}" for link in phones)
        sites = [link.text for link in page.with_tag("a") if link.text == profile.website.shown]
        assert len(sites) >= (profile.website.shown is not None)


def test_totals_have_thousands_commas_and_their_labels_in_order() -> None:
    for _, profile, page in parsed():
        totals = profile.totals
        assert [head.text for head in page.with_tag("th")] == [
            "Laps",
            "Practice Sessions",
            "Races",
            "Entries",
            "Events",
        ]
        values = (totals.laps, totals.practice_sessions, totals.races, totals.entries, totals.events)
        assert [cell.text for cell in page.with_tag("td")] == [f"{value:,}" for value in values]


def test_logo_description_and_facebook_are_absent_as_a_whole_when_blank() -> None:
    for _, profile, page in pages():
        assert (b"livetimescoring.com/track_logos" in page) is (profile.logo is not None)
        assert (b"<hr />" in page) is bool(profile.description)
        assert (b">Facebook" in page or b"> Facebook" in page) is (profile.facebook is not None)


def test_a_logo_has_its_date_behind_the_address() -> None:
    for _, profile, page in pages():
        if profile.logo is not None:
            assert f'src="{profile.logo.url}?dt={profile.logo.stamp}"'.encode() in page
            assert re.fullmatch(r"\d{4}-\d\d-\d\d_\d\d:\d\d:\d\d", profile.logo.stamp)


def test_a_facebook_address_stands_in_the_panel_of_its_form() -> None:
    for _, profile, page in parsed():
        if profile.facebook is None:
            continue
        feeds = [
            tag.attributes["data-href"] for tag in page.with_tag("div") if tag.attributes.get("class") == "fb-page"
        ]
        links = [
            link.attributes["href"]
            for link in page.with_tag("a")
            if link.attributes.get("href") == profile.facebook.url
        ]
        assert feeds == ([profile.facebook.url] if profile.facebook.form is FacebookForm.FEED else [])
        assert profile.facebook.url in links


def test_pages_are_about_20_kilobytes() -> None:
    sizes = [len(page) for _, _, page in pages()]
    assert 17_000 < min(sizes) < max(sizes) < 22_000


@pytest.mark.parametrize(
    "tabs", [b"\t" * 13 + b"</div>", b"\t" * 14 + b"Track is ", b"\n\t\t\t\t\n", b"\t" * 19 + b"<li>"]
)
def test_the_long_runs_of_whitespace_are_there(tabs: bytes) -> None:
    assert all(tabs in page for _, _, page in pages())


def test_no_address_number_or_link_is_a_real_persons() -> None:
    """Whatever looks like contact data lies in the ranges that are set aside for invented data."""
    allowed = {
        "www.google.com",
        "assets.livetimescoring.com",
        "www.facebook.com",
        *(f"{label}.liverc.com" for label in ("live", "www", "help", "forum")),
    }
    catalogue = render_catalogue(world().tracks, "liverc.com").decode()
    for text in [catalogue, *(page.decode() for _, _, page in pages())]:
        without_map = re.sub(r"&q=[^\"]*", "", text)  # holds codes such as NC+12346-1234
        readable = re.sub(r"&#(\d+);", lambda entity: chr(int(entity[1])), without_map)
        assert all(re.search(r"@example\.org$", found) for found in re.findall(r"[\w.+-]+@[\w.-]+\w", readable))
        assert all(
            re.fullmatch(r"\+\d{1,3} 555(-01\d\d-\d{4})?", found) for found in re.findall(r"\+\d[\d -]{5,}\d", readable)
        )
        links = re.findall(r"""["'>]((?:https?|ftp)://[^"'<\s]+)""", readable)
        hosts = {urlsplit(link).hostname or "" for link in links}
        assert {host for host in hosts - allowed if not re.fullmatch(r"([a-z0-9]+\.)*example\.org", host)} == set()
        profiles = [link for link in links if "facebook.com" in link]
        assert all(re.search(r"\.com/(share/)?example|/groups/555010|\?id=555010", link) for link in profiles)
