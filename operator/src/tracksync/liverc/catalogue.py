"""The catalogue page: one row per listed track, and the verdict whether the page is a complete listing."""

from __future__ import annotations

import re
from typing import Final

from selectolax.lexbor import LexborHTMLParser, LexborNode

from tracksync.core.tracks.model import ListedTrack, Listing, SkippedRow, SkipReason, TrackKind, TrackStatus
from tracksync.liverc.hosts import slug_of_href
from tracksync.liverc.text import clean_line

_HEADINGS: Final = ("Status", "Track Name")
_MOST_SKIPPED: Final = 0.05
"""A larger share of unusable rows means that the page's layout changed."""
_CELLS: Final = 2
_LONGEST_TEXT: Final = 300
"""Cap of a name, an event and a relative time, in characters; the longest ones ever seen have about 50."""
_STATUS_BY_CLASS: Final = {
    "status_2": TrackStatus.RACING,
    "status_1": TrackStatus.PRACTICE,
    "status_0": TrackStatus.IDLE,
}
_TEST_WORDS: Final = re.compile(r"\b(?:test|demo)\b", re.IGNORECASE)
_EVENT_WORDS: Final = re.compile(
    r"\b(?:(?:19|20)[0-9]{2}|championships?|nationals|grand prix|challenge|classic|shoot ?out|invitational)\b",
    re.IGNORECASE,
)


class _SkipRowError(Exception):
    """The row is not usable; the run counts it with its reason."""

    def __init__(self, reason: SkipReason) -> None:
        super().__init__(reason.value)
        self.reason = reason


def parse_catalogue(html: str, *, domain: str) -> Listing:
    """Return the listing with every usable row and, in `problems`, why it is not a complete, valid one.

    Never raises on any text. Rows count only inside the one `table.track_list`: a legend above it repeats the icons.
    """
    tables = LexborHTMLParser(html).css("table.track_list")
    if len(tables) != 1:
        found = "no track table" if not tables else f"{len(tables)} track tables instead of one"
        return Listing(tracks=(), problems=(*_cut_problems(html), f"the page has {found} (table.track_list)"))
    rows = tables[0].css("tbody tr.clickable-row")
    tracks: dict[str, ListedTrack] = {}
    skipped: list[SkippedRow] = []
    for position, row in enumerate(rows, start=1):
        try:
            track = _read_row(row, domain)
        except _SkipRowError as error:
            skipped.append(SkippedRow(reason=error.reason, position=position))
        else:
            tracks.setdefault(track.slug, track)
    return Listing(
        tracks=tuple(tracks.values()),
        skipped=tuple(skipped),
        duplicates=len(rows) - len(skipped) - len(tracks),
        problems=(*_cut_problems(html), *_heading_problems(tables[0]), *_row_problems(len(rows), len(skipped))),
    )


def _cut_problems(html: str) -> tuple[str, ...]:
    """Return what is missing at the page's end; a closing tag counts only behind the last row."""
    end = html.rpartition("clickable-row")[2].lower()
    missing = [tag for tag in ("</table>", "</html>") if tag not in end]
    return (f"the page is cut: it ends before {' and '.join(missing)}",) if missing else ()


def _heading_problems(table: LexborNode) -> tuple[str, ...]:
    found = tuple(clean_line(cell.text(), limit=_LONGEST_TEXT) for cell in table.css("thead th"))
    if found == _HEADINGS:
        return ()
    return (f"the track table's headings are not the two expected ones ({', '.join(_HEADINGS)})",)


def _row_problems(rows: int, skipped: int) -> tuple[str, ...]:
    if rows == 0:
        return ("the track table has no rows",)
    if rows == skipped:
        return (f"none of the {rows} rows is usable",)
    if skipped > rows * _MOST_SKIPPED:
        share = f"{_MOST_SKIPPED:.0%}"
        return (f"{skipped} of {rows} rows are unusable, more than {share}: the page's layout has changed",)
    return ()


def _read_row(row: LexborNode, domain: str) -> ListedTrack:
    cells = [cell for cell in row.iter() if cell.tag == "td"]
    if len(cells) != _CELLS:
        raise _SkipRowError(SkipReason.ROW_ERROR)
    # Walking a row's dozen elements once costs a fifth of a selector for each field.
    icons, content = (list(cell.traverse()) for cell in cells)
    link = _find_link(content)
    label = _read_label(link, domain)
    slug, name = label.lower(), _read_name(link)
    classes = {token for node in icons if node.tag == "i" for token in _classes(node)}
    return ListedTrack(
        slug=slug,
        slug_as_listed=label,
        name=name,
        kind=_guess_kind(slug, name),
        is_featured="status_featured" in classes,
        status=next((status for token, status in _STATUS_BY_CLASS.items() if token in classes), None),
        has_video="status_video_1" in classes,
        event_name=_small_text_or_none(content, "div", "indent"),
        last_updated_text=_small_text_or_none(icons, "small"),
    )


def _classes(node: LexborNode) -> list[str]:
    return (node.attrs.get("class") or "").split()


def _find_link(cell: list[LexborNode]) -> LexborNode:
    for node in cell:
        if node.tag == "a" and "href" in node.attrs:
            return node
    raise _SkipRowError(SkipReason.MISSING_LINK)


def _read_label(link: LexborNode, domain: str) -> str:
    href = (link.attrs.get("href") or "").strip()
    if not href:
        raise _SkipRowError(SkipReason.EMPTY_HREF)
    label = slug_of_href(href, domain)
    if label is None:
        raise _SkipRowError(SkipReason.INVALID_SLUG)
    return label


def _read_name(link: LexborNode) -> str:
    strong = next((node for node in link.traverse() if node.tag == "strong"), None)
    if strong is None:
        raise _SkipRowError(SkipReason.MISSING_NAME)
    name = clean_line(strong.text(), limit=_LONGEST_TEXT)
    if not name:
        raise _SkipRowError(SkipReason.EMPTY_NAME)
    return name


def _small_text_or_none(cell: list[LexborNode], parent_tag: str, parent_class: str = "") -> str | None:
    """Return the text of the first `<small>` right inside such a parent, or None when there is none or it is blank."""
    for node in cell:
        parent = node.parent if node.tag == "small" else None
        if parent is not None and parent.tag == parent_tag and (not parent_class or parent_class in _classes(parent)):
            return clean_line(node.text(), limit=_LONGEST_TEXT) or None
    return None


def _guess_kind(slug: str, name: str) -> TrackKind:
    if _TEST_WORDS.search(name) or "testtrack" in slug:
        return TrackKind.TEST
    return TrackKind.EVENT_SITE if _EVENT_WORDS.search(name) else TrackKind.TRACK
