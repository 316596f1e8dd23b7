from __future__ import annotations

import pytest

from tracksync.liverc.hosts import is_slug, slug_of_href


@pytest.mark.parametrize(
    ("href", "label"),
    [
        ("//exampletrack.liverc.com/", "exampletrack"),
        ("https://exampletrack.liverc.com/", "exampletrack"),
        ("HTTPS://exampletrack.liverc.com", "exampletrack"),
        ("  //exampletrack.liverc.com/  ", "exampletrack"),
        ("//ExampleTrack.LiveRC.com/", "ExampleTrack"),
        ("https://www.exampletrack.liverc.com/results/?p=1", "exampletrack"),
        ("//xq7vkncjrmcgz.liverc.com#top", "xq7vkncjrmcgz"),
        ("//a-b.liverc.com/", "a-b"),
        ("//a.liverc.com/", "a"),
        ("//ab.liverc.com/", "ab"),
        ("//1rc.liverc.com/", "1rc"),
        ("//rc1.liverc.com/", "rc1"),
        ("//exampletrack.liverc.com?p=1", "exampletrack"),
        (f"//{'a' * 63}.liverc.com/", "a" * 63),
    ],
)
def test_a_link_to_a_track_gives_its_label_as_listed(href: str, label: str) -> None:
    assert slug_of_href(href, "liverc.com") == label


@pytest.mark.parametrize(
    "href",
    [
        "",
        "/exampletrack/",
        "exampletrack.liverc.com",
        "http://exampletrack.liverc.com/",
        "ftp://exampletrack.liverc.com/",
        "javascript://exampletrack.liverc.com/",
        "//liverc.com/",
        "//www.liverc.com/",
        "//.liverc.com/",
        "//a.b.liverc.com/",
        "//www.www.exampletrack.liverc.com/",
        "//exampletrack.liverc.com.example.org/",
        "//exampletrack.example.org/",
        "//exampletrackliverc.com/",
        "//user@exampletrack.liverc.com/",
        "//exampletrack.liverc.com:443/",
        "//exampletrack.liverc.com./",
        "//-a.liverc.com/",
        "//a-.liverc.com/",
        "//a_b.liverc.com/",
        "//a b.liverc.com/",
        "//a%2eb.liverc.com/",
        "//a\\b.liverc.com/",
        "//127.0.0.1/",
        "//[::1]/",
        f"//{'a' * 64}.liverc.com/",
        "//trac\u212a.liverc.com/",
        "http\u017f://exampletrack.liverc.com/",
        "//träck.liverc.com/",
        "//a\x00b.liverc.com/",
        "//exampletrack\u3002liverc.com/",
    ],
)
def test_any_other_link_gives_no_slug(href: str) -> None:
    assert slug_of_href(href, "liverc.com") is None


@pytest.mark.parametrize("label", ["live", "live2", "www", "www2", "forum", "help", "blog", "liverc"])
def test_a_reserved_host_is_never_a_track(label: str) -> None:
    assert slug_of_href(f"//{label}.liverc.com/", "liverc.com") is None
    assert slug_of_href(f"//{label.upper()}.liverc.com/", "liverc.com") is None
    assert not is_slug(label)


@pytest.mark.parametrize("text", ["Example", "", "a.b", "a" * 64, "a\n"])
def test_what_is_not_lower_case_or_not_a_label_is_no_slug(text: str) -> None:
    assert not is_slug(text)


def test_the_domain_is_the_entrys_own() -> None:
    assert slug_of_href("//exampletrack.tracks.example.org/", "tracks.example.org") == "exampletrack"
    assert slug_of_href("//exampletrack.liverc.com/", "tracks.example.org") is None
