"""What a track's dashboard shows: location, contacts, description, logo, Facebook, totals, at the measured coverage."""

from __future__ import annotations

import math
from random import Random
from typing import Final

from tracksync.simulator.locations import build_location
from tracksync.simulator.model import Contact, Facebook, FacebookForm, Logo, Profile, Quirk, Tiles, Totals, Track
from tracksync.simulator.words import place, word

_EMAIL_SHARE: Final = 0.80
_PHONE_SHARE: Final = 0.78
_FACEBOOK_SHARE: Final = 0.56
_DESCRIPTION_SHARE: Final = 0.51
_WEBSITE_SHARE: Final = 0.38
_LOGO_SHARE: Final = 0.35
"""Not measured ("some")."""
_WEBSITE_IS_FACEBOOK: Final = 0.3
_FIRST_TRACK_ID: Final = 1001
"""Track ids of the timing system begin here: id = this + the track's running number."""
_MOST_LAPS: Final = 6_800_000
_MAIL_BOXES: Final = ("info", "racing", "club", "contact", "office", "race.director")
_SENTENCES: Final = (
    "Indoor carpet track.",
    "Outdoor clay track with a covered pit area & power at every table.",
    "Open practice on {day} from noon, racing from {hour} pm.",
    "Home of the {word} Series.",
    "New layout every month.",
    "Mugs, tyres and spares at the counter.",
    "Visitors welcome — bring your own transponder.",
    "The loop is at {place} and open all year.",
    "No fuel storage on site.",
)
_DAYS: Final = ("Tuesday", "Wednesday", "Friday", "Saturday", "Sunday")


def build_profile(seed: int, track: Track) -> Profile:
    """Return the track's dashboard content: a function of seed, slug and quirk alone, the same in every process."""
    rng = Random(f"{seed}/profile/{track.slug}")
    location = build_location(rng, track.quirk, track.name)
    return Profile(
        location=location,
        phone=_phone(rng, location.country.dial, track.quirk),
        website=_website(rng, track),
        email=f"{rng.choice(_MAIL_BOXES)}.{track.slug}@example.org" if rng.random() < _EMAIL_SHARE else None,
        description=_description(rng),
        logo=_logo(rng, track),
        facebook=_facebook(rng, track.slug),
        totals=_totals(rng, track.quirk),
        tiles=Tiles(results=rng.randrange(120), sessions=rng.randrange(60), videos=rng.randrange(5)),
    )


def _phone(rng: Random, dial: str, quirk: Quirk) -> Contact:
    if quirk is Quirk.BAD_PHONE:
        return Contact(shown=f"+{dial} 555", usable=False)
    # 555-01xx is set aside for invented numbers.
    number = f"+{dial} 555-01{rng.randrange(100):02d}-{rng.randrange(10_000):04d}"
    return Contact(shown=number if rng.random() < _PHONE_SHARE else None)


def _website(rng: Random, track: Track) -> Contact:
    if track.quirk is Quirk.FTP_WEBSITE:
        return Contact(shown=f"ftp://{track.slug}.example.org/", usable=False)
    if rng.random() >= _WEBSITE_SHARE:
        return Contact(shown=None)
    if rng.random() < _WEBSITE_IS_FACEBOOK:
        return Contact(shown=f"https://www.facebook.com/example.{track.slug}")
    form = rng.choice(
        (
            "http://www.example.org/{0}",
            "https://{0}.example.org",
            "http://{0}.example.org/",
            "https://example.org/?club={0}",
        )
    )
    return Contact(shown=form.format(track.slug))


def _description(rng: Random) -> tuple[str, ...]:
    if rng.random() >= _DESCRIPTION_SHARE:
        return ()
    sentences = rng.sample(_SENTENCES, rng.randrange(1, 5))
    return tuple(
        sentence.format(day=rng.choice(_DAYS), hour=rng.randrange(1, 9), word=word(rng), place=place(rng))
        for sentence in sentences
    )


def _logo(rng: Random, track: Track) -> Logo | None:
    if rng.random() >= _LOGO_SHARE:
        return None
    track_id = _FIRST_TRACK_ID + track.number
    stamp = (
        f"2025-{rng.randrange(1, 13):02d}-{rng.randrange(1, 29):02d}"
        f"_{rng.randrange(24):02d}:{rng.randrange(60):02d}:{rng.randrange(60):02d}"
    )
    file = rng.choice(("logo.png", "track_logo.jpg", f"{track.slug}.png"))
    return Logo(track_id, f"https://assets.livetimescoring.com/track_logos/{track_id}/{file}", stamp)


def _facebook(rng: Random, slug: str) -> Facebook | None:
    if rng.random() >= _FACEBOOK_SHARE:
        return None
    number = f"555010{rng.randrange(10_000_000):07d}"
    form = rng.choice(
        (
            "https://www.facebook.com/example.{slug}",
            "https://www.facebook.com/example.{slug}/",
            "http://www.facebook.com/example.{slug}",
            "https://www.facebook.com/groups/{number}/",
            "https://www.facebook.com/share/example{slug}/",
            "https://www.facebook.com/profile.php?id={number}",
        )
    )
    panel = rng.choice((FacebookForm.FEED, FacebookForm.FEED, FacebookForm.PAGE))
    return Facebook(form.format(slug=slug, number=number), panel)


def _totals(rng: Random, quirk: Quirk) -> Totals:
    if quirk is Quirk.ZERO_TOTALS:
        return Totals(0, 0, 0, 0, 0)
    # Track sizes span four orders of magnitude: even on a logarithmic scale.
    laps = int(math.exp(rng.uniform(math.log(500), math.log(_MOST_LAPS))))
    return Totals(
        laps=laps,
        practice_sessions=laps // rng.randrange(20, 60),
        races=laps // rng.randrange(90, 160),
        entries=laps // rng.randrange(60, 90),
        events=max(1, laps // rng.randrange(1500, 3000)),
    )
