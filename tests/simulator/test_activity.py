from __future__ import annotations

from collections import Counter

import pytest

from tests.simulator.seeded import rng
from tracksync.simulator.activity import draw_idle_ages, idle_bands, relative_text

HOUR, DAY, WEEK = 60, 1440, 10_080


@pytest.mark.parametrize(
    ("minutes", "text"),
    [
        (0, "1 minute ago"),
        (1, "1 minute ago"),
        (2, "2 minutes ago"),
        (59, "59 minutes ago"),
        (HOUR, "1 hour ago"),
        (2 * HOUR - 1, "1 hour ago"),
        (23 * HOUR, "23 hours ago"),
        (DAY, "Yesterday"),
        (2 * DAY, "2 days ago"),
        (WEEK - 1, "6 days ago"),
        (WEEK, "last week"),
        (2 * WEEK, "2 weeks ago"),
        (5 * WEEK - 1, "4 weeks ago"),
        (5 * WEEK, "last month"),
        (61 * DAY, "2 months ago"),
        (305 * DAY, "10 months ago"),
        (365 * DAY, "last year"),
        (730 * DAY, "2 years ago"),
    ],
)
def test_an_age_reads_as_on_the_page(minutes: int, text: str) -> None:
    assert relative_text(minutes) == text


def test_a_band_is_exactly_the_ages_that_read_alike() -> None:
    for band in idle_bands():
        words = relative_text(band.low)
        assert {relative_text(band.low), relative_text(band.high - 1)} == {words}
        assert relative_text(band.low - 1) != words
        assert relative_text(band.high) != words


def test_964_idle_rows_have_the_measured_texts() -> None:
    texts = Counter(relative_text(age) for age in draw_idle_ages(rng(7), 964))
    assert {text: texts[text] for text in ("1 hour ago", "Yesterday", "last week", "last month", "2 months ago")} == {
        "1 hour ago": 9,
        "Yesterday": 45,
        "last week": 104,
        "last month": 163,
        "2 months ago": 118,
    }
    assert sum(count for text, count in texts.items() if text.endswith("hours ago")) == 214
    assert sum(count for text, count in texts.items() if text.endswith("days ago")) == 112
    assert sum(count for text, count in texts.items() if text.endswith("weeks ago")) == 141
    assert not {f"{number} months ago" for number in (4, 5, 6, 9, 11)} & set(texts)
