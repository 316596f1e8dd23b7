from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracksync.core.tracks import hashing
from tracksync.core.tracks.hashing import HASH_BYTES, listing_hash, metadata_hash

if TYPE_CHECKING:
    import pytest

# On a machine where nothing ran yet the first text takes two seconds: the table of all characters is made then.
COLD_START = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
VALUES = st.dictionaries(st.sampled_from(["city", "phone", "total_laps"]), st.none() | st.text() | st.integers())


@COLD_START
@given(VALUES, VALUES)
def test_two_dashboards_have_one_hash_exactly_when_they_say_the_same(
    one: dict[str, str | int | None], other: dict[str, str | int | None]
) -> None:
    assert (metadata_hash(one) == metadata_hash(other)) == (one == other)


@COLD_START
@given(st.lists(st.text() | st.booleans()), st.lists(st.text() | st.booleans()))
def test_two_rows_have_one_hash_exactly_when_they_say_the_same(one: list[str | bool], other: list[str | bool]) -> None:
    assert (listing_hash(one) == listing_hash(other)) == (one == other)


def test_a_blank_field_is_another_thing_than_a_field_that_is_not_there() -> None:
    assert metadata_hash({"phone": None}) != metadata_hash({})


def test_the_order_of_the_keys_does_not_matter() -> None:
    assert metadata_hash({"city": "A", "phone": "B"}) == metadata_hash({"phone": "B", "city": "A"})


def test_another_format_is_another_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    before = listing_hash(["a"])
    monkeypatch.setattr(hashing, "FORMAT", 2)
    assert listing_hash(["a"]) != before
    assert len(before) == HASH_BYTES


def test_hashes_are_the_same_on_every_machine_and_in_every_version_of_this_format() -> None:
    assert listing_hash(["Example", True]).hex() == "980ca744f2773813a7c44beef991c299"
    assert metadata_hash({"city": "Springfield", "total_laps": 7}).hex() == "93fba6ccdcbd170dbd620091cf7b8a13"
