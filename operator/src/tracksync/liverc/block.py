"""The address block of a dashboard, taken apart: location lines first, then the labelled contact lines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tracksync.liverc.text import clean_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selectolax.lexbor import LexborNode

_LONGEST_LINE: Final = 600
_LABEL_TEXTS: Final = ("P:", "W:", "E:")


@dataclass(frozen=True, slots=True)
class Link:
    """A link's address and text."""

    href: str
    text: str


@dataclass(frozen=True, slots=True)
class ContactLine:
    """What stands behind a label: its text and its links."""

    text: str
    links: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class AddressBlock:
    """The block's lines.

    Attributes:
        location: lines between the track's name and the first label, blank ones included.
        contacts: contact lines by the title of their label in lower case ("phone", "website", "e-mail").
    """

    location: tuple[str, ...]
    contacts: dict[str, ContactLine]


@dataclass(slots=True)
class _Line:
    label: str = ""
    text: list[str] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)

    def content(self) -> str:
        return clean_line("".join(self.text), limit=_LONGEST_LINE)


def split_address_block(address: LexborNode) -> AddressBlock:
    """Return the block's location and contact lines; nothing behind a label is ever location."""
    location: list[str] = []
    contacts: dict[str, ContactLine] = {}
    is_location = True
    # The first line holds the track's own name, whatever that is.
    for line in _lines(address)[1:]:
        content = line.content()
        is_location = is_location and not line.label and not content.startswith(_LABEL_TEXTS)
        if is_location:
            location.append(content)
        elif line.label:
            contacts.setdefault(line.label, ContactLine(content, tuple(line.links)))
    return AddressBlock(tuple(location), contacts)


def _lines(address: LexborNode) -> list[_Line]:
    """Return the lines; a `<br>` ends one, and a label begins one unless it stands at a line's beginning."""
    lines = [_Line()]
    for node in _children(address):
        line = lines[-1]
        if node.tag == "br":
            lines.append(_Line())
        elif node.tag == "abbr":
            if line.label or line.content():
                line = _Line()
                lines.append(line)
            line.label = (node.attributes.get("title") or node.text()).strip().lower()
        elif node.is_text_node or node.is_element_node:
            line.text.append(node.text(deep=True))
            if node.tag == "a":
                line.links.append(Link((node.attributes.get("href") or "").strip(), node.text()))
    return lines


def _children(node: LexborNode) -> Iterator[LexborNode]:
    child = node.first_child
    while child is not None:
        yield child
        child = child.next
