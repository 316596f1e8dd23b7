from __future__ import annotations

from tracksync.simulator.model import (
    Contact,
    Country,
    Facebook,
    FacebookForm,
    Kind,
    Listing,
    Location,
    Logo,
    Postal,
    Profile,
    Quirk,
    Status,
    Tiles,
    Totals,
    Track,
)
from tracksync.simulator.truth import expected_track

TRACK = Track(
    number=3,
    slug_as_listed="ReedFord",
    name=" Reedford  RC ",
    quirk=Quirk.NONE,
    listing=Listing(Kind.TRACK, Status.IDLE, has_video=False, is_featured=True, idle_minutes=3, event=None),
)
PROFILE = Profile(
    location=Location(
        "12 Example Road", "Springfield", "", Postal("02604", "2604"), Country("AU", "Australia", "61", 1), None
    ),
    phone=Contact("+61 555", usable=False),
    website=Contact("http://www.example.org"),
    email="info@example.org",
    description=("One.", "Two."),
    logo=Logo(1004, "https://assets.livetimescoring.com/track_logos/1004/logo.png", "2025-01-01_00:00:00"),
    facebook=Facebook("https://www.facebook.com/example", FacebookForm.FEED),
    totals=Totals(5, 4, 3, 2, 0),
    tiles=Tiles(1, 2, 3),
)


def test_the_truth_is_what_the_rules_of_the_domain_make_of_the_pages() -> None:
    assert expected_track("liverc.com", TRACK, PROFILE) == {
        "slug": "reedford",
        "slug_as_listed": "ReedFord",
        "track_url": "https://reedford.liverc.com/",
        "events_url": "https://reedford.liverc.com/events",
        "is_active": True,
        "name": "Reedford RC",
        "is_featured": True,
        "kind": "track",
        "street": "12 Example Road",
        "city": "Springfield",
        "state": None,
        "postal_code": "2604",
        "country_code": "AU",
        "country": "Australia",
        "phone": None,
        "website": "http://www.example.org",
        "email": "info@example.org",
        "description": "One.\nTwo.",
        "logo_url": "https://assets.livetimescoring.com/track_logos/1004/logo.png",
        "livetime_track_id": "1004",
        "facebook_url": "https://www.facebook.com/example",
        "total_laps": 5,
        "total_practice_sessions": 4,
        "total_races": 3,
        "total_entries": 2,
        "total_events": 0,
    }
