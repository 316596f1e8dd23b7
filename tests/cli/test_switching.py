from __future__ import annotations

import pytest

from tracksync.cli.switching import SourceState, usable_reason
from tracksync.errors import SettingsError


@pytest.mark.parametrize(
    "reason", ["", " \t\n", "x" * 201, "two\nlines", "bell\x07", "\x1b[2J", "turned \u202eround", "hidden\u200b"]
)
def test_a_reason_that_nobody_could_read_is_refused_and_the_option_named(reason: str) -> None:
    with pytest.raises(SettingsError, match=r"^--reason: ") as caught:
        usable_reason(reason)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("reason", ["x" * 200, "asked to stop by mail, 12 Jan", "\u505c\u6b62"])
def test_a_readable_reason_stays_as_it_is(reason: str) -> None:
    assert usable_reason(f" {reason}\n") == reason


@pytest.mark.parametrize(
    ("state", "lines", "document"),
    [
        (
            SourceState("example.org", None, 0.0, 0.0),
            ("state       on", "pause left  none", "next slot   at once"),
            {"state": "on", "reason": None, "pausedSeconds": 0.0, "nextSlotSeconds": 0.0},
        ),
        (
            SourceState("example.org", None, 61.24, 61.34),
            ("state       on", "pause left  61.2 s", "next slot   61.3 s"),
            {"state": "on", "reason": None, "pausedSeconds": 61.24, "nextSlotSeconds": 61.34},
        ),
        (
            SourceState("example.org", "maintenance", 5.0, None),
            ("state       off: maintenance", "pause left  5.0 s", "next slot   none while it is off"),
            {"state": "off", "reason": "maintenance", "pausedSeconds": 5.0, "nextSlotSeconds": None},
        ),
    ],
)
def test_a_state_says_what_holds(state: SourceState, lines: tuple[str, ...], document: dict[str, object]) -> None:
    assert state.as_lines() == ("domain      example.org", *lines)
    assert state.as_json() == {"domain": "example.org", **document}
