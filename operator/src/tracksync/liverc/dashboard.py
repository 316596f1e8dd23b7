"""A track's dashboard: the proof that a page is one, and what it says about each field."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from selectolax.lexbor import LexborHTMLParser, LexborNode

from tracksync.core.tracks.model import DASHBOARD_COLUMNS, Dashboard, Location, Reading
from tracksync.liverc.address import map_problem, read_location
from tracksync.liverc.block import AddressBlock, split_address_block
from tracksync.liverc.contacts import read_email, read_phone, read_website
from tracksync.liverc.profile import read_description, read_facebook, read_logo, read_totals
from tracksync.liverc.text import clean_line

if TYPE_CHECKING:
    from collections.abc import Sequence

_TITLE_END: Final = "'s Dashboard"
_ABOUT: Final = "About "
_TOTALS: Final = "Lifetime Track Stats"
_FACEBOOK: Final = ("Facebook Feed", "Facebook Page")
_MAP_FRAMES: Final = 'iframe[src*="google.com/maps/embed/v1/place"]'
_LOGOS: Final = 'img[src*="livetimescoring.com/track_logos"]'
_LONGEST_LINE: Final = 400
_TAIL: Final = 2_000
"""Characters at a page's end in which the closing tag has to stand."""
_NO_MAP: Final = "there is no map (iframe with the address google.com/maps/embed/v1/place and a query q=)"
_NO_BLOCK: Final = "there is no address block (address)"
_MAP_QUERY: Final = re.compile(r"[?&]q=(.*)", re.DOTALL)


def parse_dashboard(html: str, *, slug: str) -> Dashboard:
    """Return a reading for each of DASHBOARD_COLUMNS, or why the page is not proven to be the track's dashboard.

    Never raises on any text. Only a proven page may clear a stored value, so an unproven one has no fields at all.
    """
    page = _Page.of(LexborHTMLParser(html))
    problems = tuple(f"{slug}: {problem}" for problem in _find_problems(html, page))
    if problems or page.address is None:
        return Dashboard(fields={}, problems=problems)
    return Dashboard(fields=_read_fields(page, split_address_block(page.address)), problems=())


def parse_address(text: str) -> Location:
    """Return the location in a text: a map's query, a map's address, or HTML with a map, an address block or both.

    Never raises on any text. The HTML may be a whole dashboard or a part cut out of one.
    """
    if "<" not in text:
        match = _MAP_QUERY.search(text) if text.lstrip().startswith("https://") else None
        query = match[1] if match else text
        return _location(map_query=query, block=(), problems=[map_problem(query)])
    page = _Page.of(LexborHTMLParser(text))
    address = page.address or page.document.css_first("address")
    map_query = _map_query_or_none(page.document)
    return _location(
        map_query=map_query,
        block=split_address_block(address).location if address is not None else (),
        problems=[
            _NO_MAP if map_query is None else map_problem(map_query),
            _NO_BLOCK if address is None else "",
        ],
    )


def _location(*, map_query: str | None, block: Sequence[str], problems: Sequence[str]) -> Location:
    return Location(read_location(map_query=map_query, block=block), tuple(filter(None, problems)))


@dataclass(frozen=True, slots=True)
class _Page:
    """The places of a dashboard; None where the page has no such place."""

    document: LexborHTMLParser
    title: str
    about: LexborNode | None
    address: LexborNode | None
    totals: LexborNode | None
    facebook: LexborNode | None

    @classmethod
    def of(cls, document: LexborHTMLParser) -> _Page:
        panels = [(_line(heading), heading.parent) for heading in document.css("div.panel-heading")]
        heading = document.css_first("h1.page-header")
        about = _panel(panels, (_ABOUT,))
        totals = _panel(panels, (_TOTALS,))
        return cls(
            document=document,
            title=_line(heading) if heading is not None else "",
            about=about,
            address=about.css_first("address.small") if about is not None else None,
            totals=totals.css_first("table") if totals is not None else None,
            facebook=_panel(panels, _FACEBOOK),
        )


def _line(node: LexborNode) -> str:
    return clean_line(node.text(), limit=_LONGEST_LINE)


def _panel(panels: Sequence[tuple[str, LexborNode | None]], beginnings: tuple[str, ...]) -> LexborNode | None:
    return next((panel for heading, panel in panels if heading.startswith(beginnings)), None)


def _find_problems(html: str, page: _Page) -> list[str]:
    checks = (
        ("</html>" in html[-_TAIL:].lower(), "the page is cut: it ends before </html>"),
        (page.title.endswith(_TITLE_END), f'the heading (h1.page-header) does not end with "{_TITLE_END}"'),
        (page.address is not None, 'there is no "About" panel with an address block (address.small)'),
        (page.totals is not None, f'there is no "{_TOTALS}" table'),
    )
    return [problem for holds, problem in checks if not holds]


def _read_fields(page: _Page, block: AddressBlock) -> dict[str, Reading]:
    fields = {
        **read_location(map_query=_map_query_or_none(page.document), block=block.location),
        "phone": read_phone(block.contacts.get("phone")),
        "website": read_website(block.contacts.get("website")),
        "email": read_email(block.contacts.get("e-mail")),
        "description": read_description(page.about),
        **read_logo(page.document.css_first(_LOGOS)),
        "facebook_url": read_facebook(page.facebook),
        **read_totals(page.totals),
    }
    return {column: fields[column] for column in DASHBOARD_COLUMNS}


def _map_query_or_none(document: LexborHTMLParser) -> str | None:
    """Return everything behind `q=`: it is not encoded and may hold `&` and `#`. The rest holds a third party's key."""
    frame = document.css_first(_MAP_FRAMES)
    match = _MAP_QUERY.search((frame.attributes.get("src") or "") if frame is not None else "")
    return match[1] if match else None
