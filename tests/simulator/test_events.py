from __future__ import annotations

import pytest

from tests.simulator.seeded import rng
from tracksync.simulator.events import build_events


def events() -> list[str]:
    return build_events(rng(2), 1049, 1090)


def test_there_is_one_event_for_each_row_that_shows_one() -> None:
    assert len(events()) == 1049
    assert build_events(rng(2), 3, 1090) != []
    assert len(build_events(rng(2), 3, 1090)) == 3


def test_no_event_is_longer_than_the_longest_real_one() -> None:
    assert all(3 <= len(event) <= 50 and event == event.strip() for event in events())


@pytest.mark.parametrize(("mark", "count"), [("&", 9), ('"', 1), ("'", 15), ("  ", 14)])
def test_odd_characters_are_as_frequent_as_measured(mark: str, count: int) -> None:
    assert sum(mark in event for event in events()) == count


def test_23_events_are_not_ascii_and_many_scripts_occur() -> None:
    foreign = [event for event in events() if not event.isascii()]
    assert len(foreign) == 23
    text = "".join(foreign)
    for first, last in (("一", "鿿"), ("А", "я"), ("가", "힣"), ("‘", "”")):  # noqa: RUF001 - ends of Unicode blocks
        assert any(first <= char <= last for char in text), first


def test_ampersands_are_raw() -> None:
    assert not any("&amp;" in event for event in events())
