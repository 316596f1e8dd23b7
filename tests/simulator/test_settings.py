from __future__ import annotations

from typing import Any

import pytest

from tracksync.errors import SettingsError
from tracksync.simulator.app import SimulatorSettings, Switches


def test_the_defaults_are_a_world_of_1090_tracks_on_loopback_without_any_fault() -> None:
    settings = SimulatorSettings()
    assert (settings.tracks, settings.seed, settings.host, settings.domain) == (1090, 1, "127.0.0.1", "liverc.com")
    assert settings.switches == Switches()


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"tracks": 0}, "tracks"),
        ({"tracks": 200_001}, "tracks"),
        ({"port": -1}, "port"),
        ({"port": 65_536}, "port"),
        ({"domain": "liverc"}, "domain"),
        ({"domain": "LiveRC.com"}, "domain"),
        ({"domain": "-a.com"}, "domain"),
        ({"domain": ""}, "domain"),
    ],
)
def test_an_impossible_value_is_refused_by_name(values: dict[str, Any], named: str) -> None:
    with pytest.raises(SettingsError, match=f"^{named} is .*give"):
        SimulatorSettings(**values)
