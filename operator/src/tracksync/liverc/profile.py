"""Description, logo, Facebook page and lifetime totals of a dashboard."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from tracksync.core.tracks.model import FieldState, Reading
from tracksync.liverc.contacts import web_address_or_none
from tracksync.liverc.text import clean_block, clean_line

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

_ABOUT: Final = "About panel"
_LOGO: Final = "logo"
_FACEBOOK: Final = "Facebook panel"
_TOTALS: Final = "totals table"
_LONGEST_DESCRIPTION: Final = 10_000
_LONGEST_CELL: Final = 100
_BLOCK_TAGS: Final = frozenset({"br", "p", "div", "li", "ul", "ol", "h1", "h2", "h3", "h4", "h5", "h6", "tr"})
_SILENT_TAGS: Final = frozenset({"script", "style", "template", "noscript"})
_LOGO_HOST: Final = "livetimescoring.com"
_LOGO_PATH: Final = re.compile(r"/track_logos/([0-9]{1,18})/.+")
_FACEBOOK_HOSTS: Final = ("facebook.com", "fb.com", "fb.me")
_WHOLE_NUMBER: Final = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})*|[0-9]+")
_LARGEST_TOTAL: Final = 2**31 - 1
_COLUMN_BY_LABEL: Final = {
    "laps": "total_laps",
    "practice sessions": "total_practice_sessions",
    "races": "total_races",
    "entries": "total_entries",
    "events": "total_events",
}


def read_description(about: LexborNode | None) -> Reading:
    """Return the free text of the About panel's second row; the row is not there when the text is blank."""
    body = about.css_first("div.panel-body") if about is not None else None
    rows = [child for child in body.iter() if child.css_matches("div.row")] if body is not None else []
    columns = [column for row in rows[1:] if (column := row.css_first(".col-md-12")) is not None]
    text = clean_block(_text_below_rule(columns[0]), limit=_LONGEST_DESCRIPTION) if columns else ""
    return Reading(FieldState.VALUE, text, _ABOUT) if text else Reading(FieldState.BLANK, origin=_ABOUT)


def _text_below_rule(column: LexborNode) -> str:
    """Return the column's text below its `<hr>`: white space collapsed, a line per `<br>` or block."""
    pieces: list[str] = []
    for node in column.traverse(include_text=True):
        if node.tag == "hr":
            pieces.clear()
        elif node.tag in _BLOCK_TAGS:
            pieces.append("\n")
        elif node.is_text_node and not (node.parent is not None and node.parent.tag in _SILENT_TAGS):
            pieces.append(re.sub(r"\s+", " ", node.text()))
    return "".join(pieces)


def read_logo(image: LexborNode | None) -> dict[str, Reading]:
    """Return the logo's address without its time stamp, and the timing system's id of the track from its path."""
    if image is None:
        return dict.fromkeys(("logo_url", "livetime_track_id"), Reading(FieldState.BLANK, origin=_LOGO))
    raw = (image.attributes.get("src") or "").strip()
    url = web_address_or_none(f"https:{raw}" if raw.startswith("//") else raw)
    parts = urlsplit(url or "")
    path = _LOGO_PATH.fullmatch(parts.path)
    if url is None or path is None or not _is_host(parts.hostname, (_LOGO_HOST,)):
        return dict.fromkeys(("logo_url", "livetime_track_id"), Reading(FieldState.INVALID, origin=_LOGO))
    return {
        "logo_url": Reading(FieldState.VALUE, parts._replace(query="", fragment="").geturl(), _LOGO),
        "livetime_track_id": Reading(FieldState.VALUE, path[1], _LOGO),
    }


def read_facebook(panel: LexborNode | None) -> Reading:
    """Return the address of the page, group or profile; the whole panel is absent when it is blank."""
    if panel is None:
        return Reading(FieldState.BLANK, origin=_FACEBOOK)
    for selector, attribute in (
        ("div.fb-page[data-href]", "data-href"),
        ("blockquote a[href]", "href"),
        ("p.padding_container a[href]", "href"),
    ):
        node = panel.css_first(selector)
        url = web_address_or_none((node.attributes.get(attribute) or "") if node is not None else "")
        if url is not None and _is_host(urlsplit(url).hostname, _FACEBOOK_HOSTS):
            return Reading(FieldState.VALUE, url, _FACEBOOK)
    return Reading(FieldState.INVALID, origin=_FACEBOOK)


def _is_host(host: str | None, domains: tuple[str, ...]) -> bool:
    return any(host == domain or (host or "").endswith(f".{domain}") for domain in domains)


def read_totals(table: LexborNode | None) -> dict[str, Reading]:
    """Return the five lifetime totals; a total whose row or cell is missing is absent, never zero or blank."""
    readings = dict.fromkeys(_COLUMN_BY_LABEL.values(), Reading(FieldState.ABSENT, origin=_TOTALS))
    for row in table.css("tbody tr") if table is not None else ():
        label, value = row.css_first("th"), row.css_first("td")
        if label is None or value is None:
            continue
        column = _COLUMN_BY_LABEL.get(_cell(label).lower())
        if column is not None and readings[column].state is FieldState.ABSENT:
            readings[column] = _total(_cell(value))
    return readings


def _cell(node: LexborNode) -> str:
    return clean_line(node.text(), limit=_LONGEST_CELL)


def _total(text: str) -> Reading:
    if text.lower() in {"", "n/a"}:
        return Reading(FieldState.BLANK, origin=_TOTALS)
    number = int(text.replace(",", "")) if _WHOLE_NUMBER.fullmatch(text) else None
    if number is None or number > _LARGEST_TOTAL:
        return Reading(FieldState.INVALID, origin=_TOTALS)
    return Reading(FieldState.VALUE, number, _TOTALS)
