"""The real pages, read when somebody put captures of them beside the project; nothing of them is part of it."""

from __future__ import annotations

import json
import os
from collections import Counter
from typing import TYPE_CHECKING

from tests.support.captures import VARIABLE, captures_or_none
from tests.support.levels import record_not_run
from tracksync.core.tracks.model import FieldState, TrackStatus
from tracksync.liverc.catalogue import parse_catalogue
from tracksync.liverc.dashboard import parse_dashboard
from tracksync.liverc.relative_time import interval_of

if TYPE_CHECKING:
    from pathlib import Path


def captures_or_recorded() -> Path | None:
    """Return the folder; without one the table at the end says so, unless a folder was asked for by name."""
    folder = captures_or_none()
    if folder is None:
        assert VARIABLE not in os.environ, f"{VARIABLE} names a folder without catalogue.html"
        record_not_run("captures", "no captures of the real pages", f"{VARIABLE}=FOLDER make test")
    return folder


def test_the_captured_catalogue_is_a_complete_listing() -> None:
    folder = captures_or_recorded()
    if folder is None:
        return
    listing = parse_catalogue((folder / "catalogue.html").read_text(encoding="utf-8"), domain="liverc.com")
    assert listing.problems == ()
    assert (len(listing.tracks), listing.skipped, listing.duplicates) == (1090, (), 0)
    status = Counter(track.status for track in listing.tracks)
    assert status == {TrackStatus.IDLE: 964, TrackStatus.PRACTICE: 107, TrackStatus.RACING: 19}
    assert sum(track.has_video for track in listing.tracks) == 34
    assert sum(track.is_featured for track in listing.tracks) == 10
    assert sum(track.event_name is None for track in listing.tracks) == 41
    assert sum(count > 1 for count in Counter(track.name for track in listing.tracks).values()) == 3
    assert sum(track.slug != track.slug_as_listed for track in listing.tracks) == 1
    assert all(interval_of(track.last_updated_text or "") for track in listing.tracks)


def test_each_captured_dashboard_gives_exactly_what_is_expected_of_it() -> None:
    folder = captures_or_recorded()
    for expected_file in sorted(folder.glob("dashboard-*.expected.json")) if folder else ():
        name = expected_file.name.removesuffix(".expected.json")
        expected = json.loads(expected_file.read_text(encoding="utf-8"))
        html = (expected_file.parent / f"{name}.html").read_text(encoding="utf-8")
        dashboard = parse_dashboard(html, slug=name.removeprefix("dashboard-"))
        assert dashboard.is_proven is expected["proven"]
        found = {
            column: {"state": reading.state.value}
            | ({"value": reading.value} if reading.state is FieldState.VALUE else {})
            for column, reading in dashboard.fields.items()
            if column in expected["fields"]
        }
        assert found == expected["fields"]
