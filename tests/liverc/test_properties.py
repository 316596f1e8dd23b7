"""What holds for any bytes that a hostile page may send."""

from __future__ import annotations

import re
import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.liverc.pages import a_catalogue, a_dashboard, a_row, rows
from tracksync.core.tracks.model import DASHBOARD_COLUMNS, FieldState
from tracksync.liverc.address import read_location
from tracksync.liverc.catalogue import parse_catalogue
from tracksync.liverc.dashboard import parse_dashboard
from tracksync.liverc.hosts import RESERVED_LABELS, slug_of_href
from tracksync.liverc.relative_time import interval_of
from tracksync.liverc.text import clean_block, clean_line

CATALOGUE = a_catalogue(rows(4) + a_row("mixedCase", "Name & more", featured=True))
DASHBOARD = a_dashboard(description="Text<br />more")
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)

noise = st.text(max_size=60) | st.binary(max_size=60).map(lambda data: data.decode("utf-8", "replace"))
markup = noise | st.sampled_from(
    ["<", ">", '"', "'", "</table>", "<table class='track_list'>", "<td>", "<br>", "&#0;", "<!--", "\x00"]
)


@st.composite
def mutated(draw: st.DrawFn, page: str) -> str:
    """Return the page with some stretches cut out or replaced by noise."""
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(page)))
        end = min(len(page), start + draw(st.integers(0, 200)))
        page = page[:start] + draw(markup) + page[end:]
    return page


def assert_clean(text: str) -> None:
    assert text == text.strip()
    assert unicodedata.is_normalized("NFC", text)
    categories = {unicodedata.category(char) for char in text if char != "\n"}
    assert not categories & {"Cc", "Cs"}
    assert not set(text) & set("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u061c")


@settings(max_examples=150, deadline=None)
@given(st.one_of(mutated(CATALOGUE), noise))
def test_the_catalogue_parser_never_raises_and_never_yields_an_illegal_slug(page: str) -> None:
    listing = parse_catalogue(page, domain="liverc.com")
    assert len({track.slug for track in listing.tracks}) == len(listing.tracks)
    for track in listing.tracks:
        assert LABEL.fullmatch(track.slug)
        assert track.slug not in RESERVED_LABELS
        assert track.slug == track.slug_as_listed.lower()
        assert_clean(track.name)
        assert track.name
    assert listing.tracks or listing.problems


@settings(max_examples=150, deadline=None)
@given(st.one_of(mutated(DASHBOARD), noise))
def test_the_dashboard_parser_never_raises_and_reads_all_columns_or_none(page: str) -> None:
    dashboard = parse_dashboard(page, slug="exampletrack")
    assert tuple(dashboard.fields) == (DASHBOARD_COLUMNS if dashboard.is_proven else ())
    for reading in dashboard.fields.values():
        assert (reading.value is not None) == (reading.state is FieldState.VALUE)
        if isinstance(reading.value, str):
            assert_clean(reading.value)
            assert reading.value


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=80) | st.from_regex(r"(https:)?//[^/]{0,70}\.liverc\.com/?", fullmatch=True))
def test_no_link_yields_an_illegal_slug(href: str) -> None:
    label = slug_of_href(href, "liverc.com")
    if label is not None:
        assert LABEL.fullmatch(label.lower())
        assert label.lower() not in RESERVED_LABELS


@settings(max_examples=200, deadline=None)
@given(
    st.text(alphabet=st.sampled_from("aZ09 ,+&#-\u00e9\x00"), max_size=40), st.lists(st.text(max_size=30), max_size=6)
)
def test_any_map_query_and_block_give_a_location(query: str, block: list[str]) -> None:
    for suffix in ("", ",US", ",x+1,AU"):
        for reading in read_location(map_query=query + suffix, block=block).values():
            assert (reading.value is not None) == (reading.state is FieldState.VALUE)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=100))
def test_cleaning_is_safe_and_changes_nothing_the_second_time(text: str) -> None:
    line = clean_line(text, limit=50)
    assert_clean(line)
    assert clean_line(line, limit=50) == line
    assert_clean(clean_block(text, limit=50))


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=30) | st.from_regex(r"[0-9]{1,4} (minute|hour|day|week|month|year)s? ago", fullmatch=True))
def test_an_interval_is_never_empty(text: str) -> None:
    found = interval_of(text)
    assert found is None or found.youngest < found.oldest
