"""The bytes of the catalogue. Left out: the text of navigation and scripts, which stands for nothing."""

from __future__ import annotations

import re
from functools import cache

import pytest

from tests.simulator.reading import read
from tracksync.simulator.catalogue_page import render_catalogue
from tracksync.simulator.model import Kind, Listing, Quirk, Status, Track
from tracksync.simulator.world import build_world


@cache
def page(tracks: int = 1090) -> bytes:
    world = build_world(seed=1, tracks=tracks, domain="liverc.com")
    return render_catalogue(world.tracks, world.domain)


def rows() -> list[bytes]:
    return re.findall(rb'<tr class="clickable-row".*?</tr>', page(), flags=re.DOTALL)


def one(listing: Listing, name: str = "Reedford RC", slug: str = "reedford") -> str:
    text = render_catalogue([Track(0, slug, name, Quirk.NONE, listing)], "liverc.com").decode()
    found = re.search(r"<tbody>(.*)</tbody>", text, flags=re.DOTALL)
    assert found is not None
    return found[1]


def test_a_row_has_the_real_ones_bytes_tabs_included() -> None:
    listing = Listing(Kind.TRACK, Status.RACING, has_video=True, is_featured=False, idle_minutes=0, event="Winter & #1")
    assert one(listing) == (
        "\n" + "\t" * 34 + '<tr class="clickable-row" data-href="//reedford.liverc.com/live/">'
        "\n" + "\t" * 11 + '<td class="text-nowrap">'
        "\n" + "\t" * 12 + '<i class="fa fa-video-camera fa-fw status_video_1"></i>'
        "\n" + "\t" * 12 + '<i class="fa fa-flag-checkered fa-fw status_2"></i>'
        "\n" + "\t" * 24 + "<br /><small><small>1 minute ago</small></small>"
        "\n" + "\t" * 11 + "</td>"
        "\n" + "\t" * 11 + '<td><span class="hidden">seRC</span><a href="//reedford.liverc.com/">'
        '<strong>Reedford RC</strong></a><div class="indent"><small>Winter & #1</small></div></td>'
        "\n" + "\t" * 19 + "</tr>"
        "\n" + "\t" * 21
    )


def test_an_idle_starred_row_without_event_links_to_results() -> None:
    listing = Listing(Kind.TRACK, Status.IDLE, has_video=False, is_featured=True, idle_minutes=1440, event=None)
    row = one(listing, slug="ReedFord")
    assert 'data-href="//ReedFord.liverc.com/results/"' in row
    assert "\n" + "\t" * 25 + '<i class="fa fa-star fa-fw status_featured"></i>\n' in row
    assert "fa-power-off fa-fw status_0" in row
    assert "indent" not in row


def test_later_rows_are_27_tabs_apart() -> None:
    assert page().count(b"</tr>\n" + b"\t" * 27 + b'<tr class="clickable-row"') == 1089


def test_it_has_one_table_with_the_two_headings_twice_and_1090_rows() -> None:
    parsed = read(page())
    assert [table.attributes["class"] for table in parsed.with_tag("table")] == ["table table-striped track_list"]
    assert [heading.text for heading in parsed.with_tag("th")] == ["Status", "Track Name"] * 2
    assert len(rows()) == 1090
    assert all(row.count(b"<td") == 2 for row in rows())


@pytest.mark.parametrize(
    ("token", "count"),
    [
        (b'status_2"', 19),
        (b'status_1"', 107),
        (b'status_0"', 964),
        (b'status_video_1"', 34),
        (b'status_video_0"', 1056),
        (b'status_featured"', 10),
        (b'class="indent"', 1049),
        (b'class="hidden">seRC<', 1090),
        (b"/live/", 126),
        (b"/results/", 964),
        (b"1 minute ago", 125),
    ],
)
def test_the_rows_hold_so_many_of_each_token(token: bytes, count: int) -> None:
    assert sum(row.count(token) for row in rows()) == count


def test_a_legend_outside_the_table_repeats_the_icons() -> None:
    above = page().partition(b"<table")[0]
    for token in (b"status_video_1", b"status_featured", b"status_2", b"status_1", b"fa-power-off"):
        assert token in above


def test_the_navigation_links_to_hosts_that_are_no_tracks() -> None:
    above = page().partition(b"<table")[0]
    assert b'href="//live.liverc.com"' in above
    assert b'href="https://www.liverc.com/' in above
    assert b"<!--" in above


def test_it_is_as_big_as_the_real_one() -> None:
    assert len(page()) == pytest.approx(629_452, rel=0.02)
    assert len(page()) / 1090 == pytest.approx(577, rel=0.02)
    assert max(len(row) for row in rows()) <= 700


def test_it_ends_closed_and_has_no_carriage_return() -> None:
    assert page().count(b"</table>") == 1
    assert page().rstrip().endswith(b"</html>")
    assert b"\r" not in page()


def test_title_and_charset_are_those_of_the_listing() -> None:
    assert read(page()).with_tag("title")[0].text.startswith("LiveRC :: Watch Live R/C Car Racing")
    assert b'<meta charset="utf-8" />' in page()


def test_without_tracks_the_page_is_whole_and_its_table_empty() -> None:
    empty = render_catalogue((), "liverc.com")
    assert len(read(empty).with_tag("table")) == 1
    assert b"clickable-row" not in empty
    assert empty.rstrip().endswith(b"</html>")
