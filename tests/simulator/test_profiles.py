from __future__ import annotations

import re

import pytest

from tracksync.simulator.model import FacebookForm, Profile, Quirk, Track
from tracksync.simulator.profiles import build_profile


def track(number: int, quirk: Quirk = Quirk.NONE) -> Track:
    return Track(number, f"Track{number}", f"Track {number}", quirk, None)


def profiles(quirk: Quirk = Quirk.NONE, count: int = 2000) -> list[Profile]:
    return [build_profile(1, track(number, quirk)) for number in range(count)]


@pytest.mark.parametrize(
    ("field", "share"),
    [("email", 0.80), ("phone", 0.78), ("facebook", 0.56), ("description", 0.51), ("website", 0.38)],
)
def test_coverage_is_as_measured(field: str, share: float) -> None:
    values = [getattr(profile, field) for profile in profiles()]
    present = sum(bool(value.shown if field in {"phone", "website"} else value) for value in values)
    assert present / len(values) == pytest.approx(share, abs=0.04)


def test_a_profile_depends_on_seed_and_slug_alone() -> None:
    assert build_profile(1, track(4)) == build_profile(1, track(4))
    assert build_profile(1, track(4)) != build_profile(2, track(4))
    assert build_profile(1, track(4)) != build_profile(1, track(5))


def test_unusable_contacts_are_shown_but_not_stored() -> None:
    for profile in profiles(Quirk.BAD_PHONE, 30):
        assert profile.phone.shown is not None
        assert len(re.findall(r"\d", profile.phone.shown)) < 7
        assert profile.phone.stored is None
    for profile in profiles(Quirk.FTP_WEBSITE, 30):
        assert profile.website.shown is not None
        assert profile.website.shown.startswith("ftp://")
        assert profile.website.stored is None


def test_totals_are_plausible_and_may_all_be_zero() -> None:
    laps = [profile.totals.laps for profile in profiles()]
    assert min(laps) >= 500
    assert 1_000_000 < max(laps) <= 6_800_000
    assert {profile.totals.laps for profile in profiles(Quirk.ZERO_TOTALS, 5)} == {0}


def test_a_logo_names_the_timing_systems_number_of_the_track_which_is_unique() -> None:
    logos = [profile.logo for profile in profiles() if profile.logo is not None]
    assert len({logo.track_id for logo in logos}) == len(logos) > 500
    assert all(f"/track_logos/{logo.track_id}/" in logo.url and "?" not in logo.url for logo in logos)


def test_facebook_addresses_have_every_form() -> None:
    found = [profile.facebook for profile in profiles() if profile.facebook is not None]
    assert {facebook.form for facebook in found} == set(FacebookForm)
    for part in ("/groups/", "/share/", "profile.php?id=", "http://www.", "https://www."):
        assert any(part in facebook.url for facebook in found), part
