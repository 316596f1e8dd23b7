"""The day step: what changes from one day to the next, as values and as a client sees it."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from tests.simulator.running import running_simulator
from tracksync.errors import SettingsError
from tracksync.simulator.activity import relative_text
from tracksync.simulator.app import SimulatorSettings, Switches
from tracksync.simulator.catalogue_page import render_catalogue
from tracksync.simulator.dashboard_page import DashboardWriter
from tracksync.simulator.day import after_days
from tracksync.simulator.faults import Validators
from tracksync.simulator.model import Listing, Profile, Quirk, Status, Track
from tracksync.simulator.world import World, build_world, replay_world

if TYPE_CHECKING:
    from pathlib import Path

DAYS = 30


@cache
def worlds(seed: int) -> tuple[World, ...]:
    """Return a month of worlds of the usual size."""
    days = [build_world(seed=seed, tracks=1090, domain="liverc.com")]
    for _ in range(DAYS):
        days.append(after_days(days[-1], 1))
    return tuple(days)


def steps() -> list[tuple[World, World]]:
    return [*pairwise(worlds(1)), *pairwise(worlds(2))]


def row(track: Track) -> Listing:
    assert track.listing is not None
    return track.listing


def moved(before: World, after: World) -> float:
    both = before.by_slug.keys() & after.by_slug.keys()
    texts = [[relative_text(row(world.by_slug[slug]).idle_minutes) for slug in both] for world in (before, after)]
    return sum(old != new for old, new in zip(*texts, strict=True)) / len(both)


def test_the_same_seed_lives_the_same_days_at_once_or_one_by_one() -> None:
    assert after_days(worlds(1)[0], 5) == worlds(1)[5]
    assert after_days(worlds(1)[0], 0) == worlds(1)[0]
    assert render_catalogue(worlds(1)[5].tracks, "liverc.com") != render_catalogue(worlds(2)[5].tracks, "liverc.com")


def test_each_day_one_track_is_new_and_two_go_and_a_third_of_those_comes_back() -> None:
    for before, after in steps():
        once = before.by_slug.keys() | {record.track.slug for record in before.dropped}
        assert len(after.by_slug.keys() - once) == 1
        assert len(before.by_slug.keys() - after.by_slug.keys()) == 2
    for seed in (1, 2):
        last = worlds(seed)[-1]
        # 60 went and 20 of them are due to return; the others are dropped for good.
        assert sum(record.returns_on is None for record in last.dropped) == 40
        assert len(last.tracks) == 1090 + DAYS - len(last.dropped)
        assert len(last.dropped) < 60


def test_a_track_that_comes_back_has_its_old_slug_and_number() -> None:
    first, last = worlds(1)[0], worlds(1)[-1]
    gone = {record.track.slug for world in worlds(1) for record in world.dropped}
    back = gone & last.by_slug.keys() & first.by_slug.keys()
    assert len(back) >= 5
    assert all(first.by_slug[slug].number == last.by_slug[slug].number for slug in back)


def test_no_slug_or_number_is_given_twice() -> None:
    last = worlds(1)[-1]
    everybody = [*last.tracks, *(record.track for record in last.dropped)]
    assert len({track.slug for track in everybody}) == len({track.number for track in everybody}) == len(everybody)


def test_up_to_five_tracks_are_renamed_a_day() -> None:
    counts = []
    for before, after in steps():
        both = before.by_slug.keys() & after.by_slug.keys()
        counts.append(sum(before.by_slug[slug].name != after.by_slug[slug].name for slug in both))
    assert (min(counts), max(counts)) == (0, 5)


def test_the_relative_texts_move_on_between_35_and_67_percent_of_the_rows() -> None:
    shares = [moved(before, after) for before, after in steps()]
    assert min(shares) >= 0.35
    assert max(shares) <= 0.67


def test_the_mix_of_states_and_the_order_of_rows_stay() -> None:
    for world in worlds(1):
        rows = [row(track) for track in world.tracks]
        assert 17 <= sum(one.status is Status.RACING for one in rows) <= 20
        assert 100 <= sum(one.status is Status.PRACTICE for one in rows) <= 110
        assert [(-one.status, not one.has_video, one.idle_minutes) for one in rows] == sorted(
            (-one.status, not one.has_video, one.idle_minutes) for one in rows
        )


def test_totals_rise_where_there_was_activity_and_nowhere_else() -> None:
    before, after = worlds(1)[:2]
    for slug in before.by_slug.keys() & after.by_slug.keys():
        old, new = (world.profile(world.by_slug[slug]).totals for world in (before, after))
        active = row(after.by_slug[slug]).idle_minutes < 24 * 60
        assert (new.laps > old.laps, new.events > old.events) == (active, active)
        assert new.races >= old.races


def test_a_few_profiles_are_edited_and_none_of_the_odd_ones() -> None:
    before, after = worlds(1)[:2]

    def contacts(world: World, track: Track) -> tuple[object, ...]:
        profile: Profile = world.profile(track)
        return profile.phone, profile.website, profile.description

    edited = [
        track
        for track in after.tracks
        if track.slug in before.by_slug and contacts(before, before.by_slug[track.slug]) != contacts(after, track)
    ]
    assert len(edited) == 4
    assert {track.quirk for track in edited} == {Quirk.NONE}


def test_a_dashboard_differs_exactly_when_it_is_said_to_have_changed() -> None:
    writer = DashboardWriter("liverc.com")
    for before, after in (worlds(1)[:2], worlds(1)[7:9]):
        for slug in before.by_slug.keys() & after.by_slug.keys():
            old, new = before.by_slug[slug], after.by_slug[slug]
            same = writer.render(old, before.profile(old)) == writer.render(new, after.profile(new))
            assert same == (new.changed_on < after.day)


@pytest.mark.parametrize("tracks", [1, 2, 3, 20])
def test_a_tiny_world_lives_on(tracks: int) -> None:
    world = after_days(build_world(seed=1, tracks=tracks, domain="liverc.com"), 40)
    assert world.day == 40
    assert world.tracks


@pytest.mark.parametrize("days", [-1, 367])
def test_an_impossible_number_of_days_is_refused(days: int) -> None:
    with pytest.raises(SettingsError, match=r"^days is .*give"):
        after_days(worlds(1)[0], days)


def test_a_replayed_catalogue_cannot_change() -> None:
    world = replay_world(seed=1, slugs=["alpha"], domain="liverc.com")
    assert after_days(world, 0) == world
    with pytest.raises(SettingsError, match=r"days: a replayed catalogue"):
        after_days(world, 1)


async def test_a_step_changes_catalogue_dashboards_and_truth_together() -> None:
    settings = SimulatorSettings(tracks=120, seed=3, port=0, switches=Switches(validators=Validators.BOTH))
    expected = after_days(build_world(seed=3, tracks=120, domain="liverc.com"), 3)
    async with running_simulator(settings) as client:
        before = await client.get("live.liverc.com")
        await client.control("/_day", method="POST", send={"days": 2})
        status, change = await client.control("/_day", method="POST")
        after, (_, truth) = await client.get("live.liverc.com"), await client.control("/_truth")
        dashboards = {track.slug: (await client.track(track.slug)).body for track in expected.tracks[:20]}
        gone = await client.track(truth["dropped"][0])
    writer = DashboardWriter("liverc.com")
    assert (status, change["day"], change["listed"], len(change["gone"])) == (200, 3, len(expected.tracks), 2)
    assert after.body == render_catalogue(expected.tracks, "liverc.com") != before.body
    assert after.headers["Last-Modified"] != before.headers["Last-Modified"]
    assert dashboards == {track.slug: writer.render(track, expected.profile(track)) for track in expected.tracks[:20]}
    assert truth["dropped"] == [record.track.slug for record in expected.dropped]
    assert (truth["day"], truth["tracks"]) == (3, expected.truth())
    assert gone.status == 404


async def test_the_lying_etag_stays_when_the_page_changes() -> None:
    settings = SimulatorSettings(tracks=120, seed=3, port=0, switches=Switches(validators=Validators.LYING_ETAG))
    async with running_simulator(settings) as client:
        url, headers = f"http://127.0.0.1:{client.port}/", {"Host": "live.liverc.com"}
        async with client.session.get(url, headers=headers) as first:
            tag, page = first.headers["ETag"], await first.read()
        await client.control("/_day", method="POST")
        async with client.session.get(url, headers=headers) as second:
            assert (second.headers["ETag"], await second.read() != page) == (tag, True)
        async with client.session.get(url, headers=headers | {"If-None-Match": tag}) as third:
            assert third.status == 304


async def test_a_simulator_can_start_days_later() -> None:
    expected = after_days(build_world(seed=3, tracks=120, domain="liverc.com"), 4)
    async with running_simulator(SimulatorSettings(tracks=120, seed=3, port=0, days=4)) as client:
        assert (await client.get("live.liverc.com")).body == render_catalogue(expected.tracks, "liverc.com")


@pytest.mark.parametrize("body", [{"days": -1}, {"days": "two"}, {"days": True}, {"weeks": 1}, [1], {"days": 367}])
async def test_an_unusable_step_is_refused_and_changes_nothing(body: object) -> None:
    async with running_simulator(SimulatorSettings(tracks=3, seed=3, port=0)) as client:
        status, answer = await client.control("/_day", method="POST", send=body)
        assert status == 400
        assert "give" in answer["error"] or "send" in answer["error"]
        assert (await client.control("/_truth"))[1]["day"] == 0


async def test_a_replayed_catalogue_refuses_the_step(tmp_path: Path) -> None:
    (tmp_path / "capture.html").write_bytes(b'<a href="//alpha.liverc.com/">A</a>')
    settings = SimulatorSettings(port=0, replay_catalogue=tmp_path / "capture.html")
    async with running_simulator(settings) as client:
        assert (await client.control("/_day", method="POST"))[0] == 400
