"""A reader of its own for pages: the standard library's HTML parser, shared with neither simulator nor product."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

from typing_extensions import override


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    text: str = ""


@dataclass
class Page(HTMLParser):
    """All elements of a page in order; an element's text is what follows its start tag, up to any other tag."""

    elements: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    _open: bool = False

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, {name: value or "" for name, value in attrs}))
        self._open = True

    @override
    def handle_endtag(self, tag: str) -> None:
        self._open = False

    @override
    def handle_data(self, data: str) -> None:
        if self._open:
            self.elements[-1].text += data

    def with_tag(self, tag: str) -> list[Element]:
        return [element for element in self.elements if element.tag == tag]


def read(page: bytes) -> Page:
    parsed = Page()
    parsed.feed(page.decode())
    parsed.close()
    return parsed
