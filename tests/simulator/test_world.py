from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter

import pytest

from tracksync.simulator.model import Kind, Quirk
from tracksync.simulator.world import World, build_world, replay_world

PRINT_DIGEST = """
import hashlib, json
from tracksync.simulator.world import build_world
world = build_world(seed=9, tracks=300, domain="liverc.com")
print(hashlib.sha256(json.dumps([world.truth(), repr(world.tracks)]).encode()).hexdigest())
"""


def world(tracks: int = 1090, seed: int = 1) -> World:
    return build_world(seed=seed, tracks=tracks, domain="liverc.com")


def test_the_same_seed_gives_the_same_world_in_every_process() -> None:
    digests = {
        subprocess.run(
            [sys.executable, "-c", PRINT_DIGEST], env={"PYTHONHASHSEED": seed}, check=True, capture_output=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_another_seed_gives_another_world() -> None:
    assert {track.slug for track in world(seed=1).tracks} != {track.slug for track in world(seed=2).tracks}
    assert world(seed=1).truth() != world(seed=2).truth()


@pytest.mark.parametrize("tracks", [1, 2, 10, 99, 100, 1090])
def test_a_world_of_any_size_has_so_many_tracks_each_found_by_its_slug(tracks: int) -> None:
    built = world(tracks)
    assert len(built.tracks) == len(built.by_slug) == tracks
    assert all(built.by_slug[track.slug] is track for track in built.tracks)


def test_of_ten_starred_rows_seven_are_event_sites_and_most_event_sites_have_no_star() -> None:
    listings = [track.listing for track in world().tracks if track.listing is not None]
    starred = Counter(listing.kind for listing in listings if listing.is_featured)
    assert starred == {Kind.EVENT_SITE: 7, Kind.TRACK: 3}
    assert sum(listing.kind is Kind.EVENT_SITE and not listing.is_featured for listing in listings) == 9


def test_every_quirk_occurs_at_a_few_per_mille() -> None:
    quirks = Counter(track.quirk for track in world().tracks)
    assert {quirk: quirks[quirk] for quirk in Quirk if quirk is not Quirk.NONE} == {
        quirk: 4 for quirk in Quirk if quirk is not Quirk.NONE
    }


def test_the_truth_covers_every_track_with_the_same_columns_and_is_json() -> None:
    built = world()
    truth = built.truth()
    assert [row["slug"] for row in truth] == [track.slug for track in built.tracks]
    assert {frozenset(row) for row in truth} == {frozenset(truth[0])}
    assert json.loads(json.dumps(truth)) == truth


def test_a_replayed_world_has_the_given_hosts_once_each_and_claims_nothing_about_their_rows() -> None:
    built = replay_world(seed=1, slugs=["alpha", "BetaTrack", "ALPHA", "gamma"], domain="liverc.com")
    assert [track.slug_as_listed for track in built.tracks] == ["alpha", "BetaTrack", "gamma"]
    rows = built.truth()
    assert [row["slug"] for row in rows] == ["alpha", "betatrack", "gamma"]
    assert all("name" not in row and "is_featured" not in row and row["total_laps"] is not None for row in rows)
