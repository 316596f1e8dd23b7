"""The peer of our catalogue parser: BeautifulSoup on Python's own HTML parser, for the same fields and values.

It is what somebody would write who knows that library well: one pass for the rows, then plain searches inside each.
What is no parsing (cleaning a text, judging a link, guessing the kind) is ours on both sides.
"""

from __future__ import annotations

from bs4 import BeautifulSoup, Tag

from tracksync.core.tracks.model import ListedTrack, TrackStatus
from tracksync.liverc.catalogue import _guess_kind
from tracksync.liverc.hosts import slug_of_href
from tracksync.liverc.text import clean_line

_LIMIT = 300
_STATUS = {"status_2": TrackStatus.RACING, "status_1": TrackStatus.PRACTICE, "status_0": TrackStatus.IDLE}


def parse_with_beautiful_soup(html: str, *, domain: str) -> tuple[ListedTrack, ...]:
    """Return the page's tracks; the page has to be a sound one, for nothing is skipped."""
    table = _one(BeautifulSoup(html, "html.parser"), "table", "track_list")
    return tuple(_read_row(row, domain) for row in table.find_all("tr", class_="clickable-row"))


def _read_row(row: Tag, domain: str) -> ListedTrack:
    icons, content = row.find_all("td", recursive=False)
    link = _one(content, "a")
    label = slug_of_href(str(link["href"]), domain)
    if label is None:
        raise ValueError("the page has a link to no track")
    slug, name = label.lower(), clean_line(_one(link, "strong").get_text(), limit=_LIMIT)
    classes = {token for icon in icons.find_all("i") for token in icon.get_attribute_list("class")}
    event = content.find("div", class_="indent")
    return ListedTrack(
        slug=slug,
        slug_as_listed=label,
        name=name,
        kind=_guess_kind(slug, name),
        is_featured="status_featured" in classes,
        status=next((status for token, status in _STATUS.items() if token in classes), None),
        has_video="status_video_1" in classes,
        event_name=None if event is None else clean_line(_one(event, "small").get_text(), limit=_LIMIT) or None,
        last_updated_text=clean_line(_one(_one(icons, "small"), "small").get_text(), limit=_LIMIT) or None,
    )


def _one(place: Tag, tag: str, kind: str | None = None) -> Tag:
    found = place.find(tag, class_=kind) if kind else place.find(tag)
    if found is None:
        raise ValueError(f"the page has no <{tag}> where one is expected")
    return found
