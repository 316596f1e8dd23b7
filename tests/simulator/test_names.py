from __future__ import annotations

import re
from collections import Counter

import pytest

from tests.simulator.seeded import rng
from tracksync.simulator.model import Kind
from tracksync.simulator.names import RESERVED_LABELS, Identity, build_identities


def identities(tracks: int = 1090) -> list[Identity]:
    return build_identities(rng(5), tracks)


@pytest.mark.parametrize("tracks", [1, 5, 60, 1090, 20_000])
def test_slugs_are_legal_labels_unique_in_any_case_and_never_the_sites_own(tracks: int) -> None:
    slugs = [identity.slug_as_listed for identity in identities(tracks)]
    assert len({slug.lower() for slug in slugs}) == len(slugs) == tracks
    assert all(re.fullmatch(r"[A-Za-z0-9]{3,36}", slug) for slug in slugs)
    assert not RESERVED_LABELS & {slug.lower() for slug in slugs}


def test_one_slug_of_1090_is_mixed_case() -> None:
    assert sum(identity.slug_as_listed != identity.slug_as_listed.lower() for identity in identities()) == 1


def test_a_few_slugs_look_random() -> None:
    alien = [
        identity
        for identity in identities()
        if re.fullmatch(r"[a-z0-9]{14}", identity.slug_as_listed) and re.search(r"\d.*[a-z]", identity.slug_as_listed)
    ]
    assert 1 <= len(alien) <= 3


def test_names_are_printable_ascii_of_3_to_50_characters_without_ampersand_or_markup() -> None:
    assert all(re.fullmatch(r"[ -%'-;=?-~]{3,50}", identity.name) for identity in identities(5000))


def test_names_repeat_as_often_as_measured() -> None:
    names = [identity.name for identity in identities()]
    assert sum(count == 2 for count in Counter(names).values()) == 3
    assert sum(count == 2 for count in Counter(name.lower() for name in names).values()) == 5


@pytest.mark.parametrize(("mark", "count"), [("'", 27), ('"', 3), ("  ", 4)])
def test_odd_characters_are_as_frequent_as_measured(mark: str, count: int) -> None:
    assert sum(mark in identity.name for identity in identities()) == count


def test_event_sites_and_test_tracks_have_their_share() -> None:
    kinds = Counter(identity.kind for identity in identities())
    assert kinds == {Kind.TRACK: 1067, Kind.EVENT_SITE: 16, Kind.TEST: 7}


def test_a_name_tells_an_event_site_or_test_track_from_a_track() -> None:
    signs = {Kind.EVENT_SITE: r"National|Championship|Challenge|Classic", Kind.TEST: r"\bTest\b"}
    for identity in identities(5000):
        found = [kind for kind, sign in signs.items() if re.search(sign, identity.name)]
        assert found == ([] if identity.kind is Kind.TRACK else [identity.kind]), identity.name
