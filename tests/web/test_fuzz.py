"""Fuzzing of the reader as it is used: bytes of hostile pages through the real parser process.

Whatever comes, an answer comes in time or the page fails alone; no slug is anything but a legal host label, and no
value holds a character that could steer a terminal, turn text around or be refused by the database. The short form is
the same in every run; TRACKSYNC_TEST_FUZZ_EXAMPLES asks for so many fresh examples of each test instead.
"""

from __future__ import annotations

import asyncio
import math
import os
import re
import time
import unicodedata
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.liverc.pages import a_catalogue, a_dashboard, a_row, an_address, an_email, rows
from tracksync.adapters.web.fetching import Page
from tracksync.adapters.web.parser import PageNotParsedError, Parser
from tracksync.core.tracks.model import DASHBOARD_COLUMNS, TOTAL_COLUMNS, FieldState
from tracksync.liverc.hosts import RESERVED_LABELS
from tracksync.simulator.faults import CatalogueFault, DashboardFault, Switches
from tracksync.simulator.settings import SimulatorSettings
from tracksync.simulator.source import build_site

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

    from tracksync.adapters.web.wire import RobotsRules
    from tracksync.core.tracks.model import Dashboard, Listing

ASKED = int(os.environ.get("TRACKSYNC_TEST_FUZZ_EXAMPLES", "0"))
SHORT = 60
PAGE_SECONDS = 3.0
SLACK_SECONDS = 3.0
"""For the machine, and for a new process after one that was ended."""
MOST_MEMORY = 512 * 2**20
MOST_TEXT = 10_000
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
DIRECTIONS = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

fuzz = settings(
    max_examples=ASKED or SHORT,
    derandomize=not ASKED,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
Value = TypeVar("Value")


class Reader:
    """The parser process, for tests that are no coroutines; it lives as long as the module's tests."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._parser = Parser(page_seconds=PAGE_SECONDS, cpu_seconds=1)
        self._runner.run(self._parser.__aenter__())

    def close(self) -> None:
        self._runner.run(self._parser.__aexit__(None, None, None))
        self._runner.close()

    def catalogue_or_none(self, body: bytes, charset: str) -> Listing | None:
        """Return what the page says; None when it took too much time or memory."""
        return self._read(self._parser.parse_catalogue(Page(body, charset), domain="liverc.com"))

    def dashboard_or_none(self, body: bytes, charset: str) -> Dashboard | None:
        """Return what the page says; None when it took too much time or memory."""
        return self._read(self._parser.parse_dashboard(Page(body, charset), slug="exampletrack"))

    def rules_or_none(self, body: bytes) -> RobotsRules | None:
        """Return what a robots.txt says; None when it took too much time or memory."""
        return self._read(self._parser.parse_robots(body, host="exampletrack.liverc.com", agent="TrackSync"))

    def _read(self, reading: Coroutine[None, None, Value]) -> Value | None:
        started = time.monotonic()
        try:
            return self._runner.run(reading)
        except PageNotParsedError:
            return None
        finally:
            assert time.monotonic() - started < PAGE_SECONDS + SLACK_SECONDS

    def most_memory(self) -> int:
        """Return the highest resident memory of the process, in bytes."""
        child = self._parser._child
        assert child is not None
        status = Path(f"/proc/{child._process.pid}/status").read_text(encoding="ascii")
        return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) * 1024


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    running = Reader()
    try:
        yield running
        assert running.most_memory() < MOST_MEMORY
    finally:
        running.close()


# Pages.


@cache
def simulated(kind: str) -> tuple[bytes, ...]:
    """Return pages of the simulator, the faulty ones among them."""
    site = build_site(SimulatorSettings(tracks=20))
    if kind == "catalogue":
        faults = (
            CatalogueFault.NONE,
            CatalogueFault.BROKEN_ROWS,
            CatalogueFault.HOSTILE_TEXT,
            CatalogueFault.WWW_HOSTS,
        )
        return tuple(site.catalogue(Switches(catalogue_fault=fault), zipped=False).body for fault in faults)
    odd = (None, DashboardFault.HOSTILE_TEXT, DashboardFault.INVALID_UTF8)
    slugs = list(site.world.by_slug)
    return tuple(site.dashboard(slug, fault, zipped=False).body for slug in slugs[:4] for fault in odd)


charsets = st.sampled_from(
    ["utf-8", "", "utf-16", "iso-8859-1", "windows-1252", "us-ascii", "zlib", "rot13", "idna", "x" * 300, "\x00"]
)
noise = st.text(max_size=40) | st.text(
    alphabet=st.characters(categories=["Cc", "Cf", "Co", "Cn", "Mn", "Zs"]), max_size=12
)
tokens = st.sampled_from(
    [
        *(
            "<",
            ">",
            '"',
            "'",
            "&",
            "&#0;",
            "&#27;",
            "&#x202e;",
            "&#xD800;",
            "&#x110000;",
            "&NotEqualTilde;",
            "\x00",
            "\r",
        ),
        *("</table>", "</tbody>", "</html>", "</address>", "<table class='track_list'>", "<tr class='clickable-row'>"),
        *("<td>", "<br>", "<address class=small>", "<h1 class='page-header'>x's Dashboard", "<!--", "-->", "<![CDATA["),
        *("<script>", "<style>", "<template>", "<svg><math>", "<plaintext>", "<select>", "<a href='//x.liverc.com/'>"),
        *(
            "<iframe src='https://www.google.com/maps/embed/v1/place?q=",
            "javascript:noSpam('a','b');",
            "tel:+1 ",
            "&q=",
        ),
    ]
).map(str.encode)
bits = st.binary(max_size=40) | noise.map(lambda text: text.encode("utf-8", "surrogatepass")) | tokens
repeated = st.builds(lambda token, count: token * count, tokens, st.sampled_from([2, 50, 3_000]))


@st.composite
def mutated(draw: st.DrawFn, pages: tuple[bytes, ...]) -> bytes:
    """Return one of the pages with stretches cut out, doubled, moved or replaced by noise."""
    page = draw(st.sampled_from(pages))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(page)))
        end = min(len(page), start + draw(st.integers(0, 400)))
        stretch = page[start:end]
        page = page[:start] + draw(st.sampled_from([b"", stretch * 2, stretch[::-1]]) | bits | repeated) + page[end:]
    return page


numbers = st.sampled_from(
    ["0", "-1", "1e400", "nan", "inf", "-inf", "0x10", "1_0", "\u0661", "9" * 400]
) | st.floats().map(str)
directive = st.sampled_from(
    ["User-agent", "Disallow", "Allow", "Crawl-delay", "Request-rate", "Visit-time", "Sitemap", "x"]
)
rule = st.builds(
    lambda name, colon, value: f"{name}{colon}{value}",
    directive,
    st.sampled_from([":", ": ", " :", "", "::"]),
    st.sampled_from(["*", "/", "TrackSync", "tracksync/1.0", "/" + "*" * 500 + "$", "%", "%zz", "https://["])
    | numbers
    | noise,
)
robots_files = st.lists(rule, max_size=12).map(lambda lines: "\n".join(lines).encode("utf-8", "surrogatepass"))


@st.composite
def strange_rows(draw: st.DrawFn) -> bytes:
    """Return a whole catalogue whose rows hold noise at the places that are read."""
    row = st.builds(
        a_row,
        slug=noise | st.from_regex(r"[A-Za-z0-9._@:%-]{0,70}", fullmatch=True),
        name=noise,
        updated=noise,
        event=st.none() | noise,
        link=st.none() | noise | noise.map(lambda text: f'<a href="{text}"><strong>{text}</strong></a>'),
    )
    page = a_catalogue(rows(2) + "".join(draw(st.lists(row, min_size=1, max_size=6))))
    return page.encode("utf-8", "surrogatepass")


@st.composite
def strange_dashboards(draw: st.DrawFn) -> bytes:
    """Return a whole dashboard with noise at the places that are read."""
    address = st.builds(
        an_address,
        noise,
        noise,
        phone=st.none() | noise.map(lambda text: f'<a href="tel:{text}">{text}</a>') | noise,
        website=st.none() | noise.map(lambda text: f'<a href="http://{text}">{text}</a>') | noise,
        email=st.none() | noise.map(an_email) | noise,
    )
    page = a_dashboard(
        address=draw(address),
        map_query=draw(st.none() | noise.map(lambda text: f"1 Road {text},Town{text},NC+27{text},US") | noise),
        description=draw(noise.map(lambda text: f"{text}<br />\n{text}")),
        logo=draw(noise.map(lambda text: f'<img src="https://assets.livetimescoring.com/track_logos/7/{text}.png">')),
        facebook=draw(st.just("") | noise.map(lambda text: f'<div class="fb-page" data-href="{text}"></div>')),
        totals={"Laps": draw(noise), "Races": draw(st.integers(-9, 10**30).map(str)), draw(noise): "1"},
    )
    return page.encode("utf-8", "surrogatepass")


# What has to hold.


def assert_harmless(text: str, *, may_have_lines: bool = False) -> None:
    assert text
    assert text == text.strip()
    assert len(text) <= MOST_TEXT
    assert unicodedata.is_normalized("NFC", text)
    assert not {unicodedata.category(char) for char in text if char != "\n" or not may_have_lines} & {"Cc", "Cs"}
    assert not set(text) & DIRECTIONS
    text.encode()


def check_listing(listing: Listing | None) -> None:
    if listing is None:
        return
    assert len({track.slug for track in listing.tracks}) == len(listing.tracks)
    assert listing.tracks or listing.problems
    for track in listing.tracks:
        assert LABEL.fullmatch(track.slug)
        assert track.slug not in RESERVED_LABELS
        assert track.slug_as_listed.isascii()
        assert track.slug == track.slug_as_listed.lower()
        for text in (track.name, track.event_name, track.last_updated_text):
            if text is not None:
                assert_harmless(text)
    for problem in listing.problems:
        assert_harmless(problem)


def check_dashboard(dashboard: Dashboard | None) -> None:
    if dashboard is None:
        return
    assert tuple(dashboard.fields) == (DASHBOARD_COLUMNS if dashboard.is_proven else ())
    for problem in dashboard.problems:
        assert_harmless(problem)
    for column, reading in dashboard.fields.items():
        assert (reading.value is not None) == (reading.state is FieldState.VALUE)
        if column in TOTAL_COLUMNS:
            assert reading.value is None or isinstance(reading.value, int)
        elif reading.value is not None:
            assert isinstance(reading.value, str)
            assert_harmless(reading.value, may_have_lines=column == "description")


@fuzz
@given(st.deferred(lambda: mutated((a_catalogue(rows(4)).encode(), *simulated("catalogue")))) | bits, charsets)
@example(b"<div><b>" * 60_000, "utf-8")
def test_any_bytes_for_a_catalogue_give_harmless_tracks_or_none(reader: Reader, body: bytes, charset: str) -> None:
    check_listing(reader.catalogue_or_none(body, charset))


@fuzz
@given(strange_rows(), charsets)
def test_any_text_in_a_row_gives_harmless_tracks_or_none(reader: Reader, body: bytes, charset: str) -> None:
    check_listing(reader.catalogue_or_none(body, charset))


@fuzz
@given(st.deferred(lambda: mutated((a_dashboard().encode(), *simulated("dashboard")))) | bits, charsets)
@example(b"<div><b>" * 60_000, "utf-8")
def test_any_bytes_for_a_dashboard_give_harmless_values_or_none(reader: Reader, body: bytes, charset: str) -> None:
    check_dashboard(reader.dashboard_or_none(body, charset))


@fuzz
@given(strange_dashboards(), charsets)
def test_any_text_in_a_field_gives_a_harmless_value_or_none(reader: Reader, body: bytes, charset: str) -> None:
    check_dashboard(reader.dashboard_or_none(body, charset))


@fuzz
@given(robots_files | st.lists(robots_files | bits, max_size=3).map(b"\r".join))
@example(b"User-agent: *\n" + b"Disallow: /" + b"*a" * 5_000 + b"$\n")
@example(b"User-agent: *\nCrawl-delay: nan\n")
def test_any_robots_txt_gives_a_verdict_and_a_usable_delay_or_none(reader: Reader, body: bytes) -> None:
    rules = reader.rules_or_none(body)
    if rules is not None:
        assert isinstance(rules.is_allowed, bool)
        assert rules.crawl_delay is None or 0 < rules.crawl_delay < math.inf


def test_pages_without_any_change_are_read_whole_so_that_the_fuzzing_begins_where_values_are(reader: Reader) -> None:
    for page in simulated("catalogue"):
        listing = reader.catalogue_or_none(page, "utf-8")
        assert listing is not None
        assert len(listing.tracks) == 20
    for page in simulated("dashboard"):
        dashboard = reader.dashboard_or_none(page, "utf-8")
        assert dashboard is not None
        assert dashboard.is_proven
