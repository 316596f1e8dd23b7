from __future__ import annotations

from datetime import timedelta

import pytest

from tracksync.api.base import timedelta_of


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("168h", timedelta(hours=168)),
        ("90m", timedelta(minutes=90)),
        ("1h30m", timedelta(hours=1, minutes=30)),
        ("0s", timedelta()),
        ("1h2m3s", timedelta(hours=1, minutes=2, seconds=3)),
    ],
)
def test_a_duration_is_hours_minutes_and_seconds(text: str, span: timedelta) -> None:
    assert timedelta_of(text) == span


@pytest.mark.parametrize("text", ["", "h", "7", "7d", "1m1h", "-1h", "1.5h", "1h "])
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="no duration"):
        timedelta_of(text)
