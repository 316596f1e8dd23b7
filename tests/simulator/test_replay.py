from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tracksync.errors import SettingsError
from tracksync.simulator.catalogue_page import render_catalogue
from tracksync.simulator.replay import read_capture, slugs_in
from tracksync.simulator.world import build_world

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("html", "slugs"),
    [
        ('<a href="//alpha.liverc.com/">', ["alpha"]),
        ("<a href='https://alpha.liverc.com'>", ["alpha"]),
        ("<A HREF = HTTP://Alpha.LiveRC.com/ >", ["Alpha"]),
        ('<tr data-href="//alpha.liverc.com/live/"><a href="//alpha.liverc.com/">', ["alpha"]),
        ('<a href="https://www.alpha.liverc.com/">', ["alpha"]),
        ('<a href="//MixedCase.liverc.com/"><a href="//mixedcase.liverc.com/">', ["MixedCase"]),
        ('<a href="//with-hyphen.liverc.com/">', ["with-hyphen"]),
        ('<a href="//live.liverc.com"><a href="https://www.liverc.com/x"><a href="//forum.liverc.com/">', []),
        ('<a href="//a.b.liverc.com/"><a href="//alpha.example.org/"><a href="//-x.liverc.com/">', []),
        ('<a href="//alpha.liverc.com.example.org/">', []),
        ("no link to //alpha.liverc.com/", []),
    ],
)
def test_hosts_are_found_in_whatever_form_they_are_linked(html: str, slugs: list[str]) -> None:
    assert slugs_in(html.encode(), "liverc.com") == slugs


def test_all_hosts_of_a_generated_page_are_found_in_its_order() -> None:
    world = build_world(seed=1, tracks=300, domain="liverc.com")
    page = render_catalogue(world.tracks, "liverc.com")
    assert slugs_in(page, "liverc.com") == [track.slug_as_listed for track in world.tracks]


def test_bytes_that_are_not_utf_8_do_no_harm() -> None:
    assert slugs_in(b'\xff\xfe<a href="//alpha.liverc.com/">\xc3', "liverc.com") == ["alpha"]


def test_an_unreadable_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"replay_catalogue.*nothing-here\.html"):
        read_capture(tmp_path / "nothing-here.html")
