"""The oracle: what a correct sync must have stored for a track, worked out from the world and not from any page."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tracksync.simulator.model import Listing, Profile, Totals, Track


def expected_track(domain: str, track: Track, profile: Profile) -> dict[str, Any]:
    """Return the track's row after a sync into an empty database: JSON values by column, None for NULL.

    Left out are columns that are no fact of the pages: ids, times, the composed display line `address`.
    """
    return {
        "slug": track.slug,
        "slug_as_listed": track.slug_as_listed,
        "track_url": f"https://{track.slug}.{domain}/",
        "events_url": f"https://{track.slug}.{domain}/events",
        "is_active": True,
        **_from_listing(track.name, track.listing),
        **_location(profile),
        **_contacts(profile),
        **_totals(profile.totals),
    }


def _from_listing(name: str, listing: Listing | None) -> dict[str, Any]:
    if listing is None:
        return {}
    return {
        "name": unicodedata.normalize("NFC", " ".join(name.split())),
        "is_featured": listing.is_featured,
        "kind": listing.kind.value,
    }


def _location(profile: Profile) -> dict[str, Any]:
    location = profile.location
    return {
        "street": location.street,
        "city": location.city,
        "state": location.state or None,
        "postal_code": location.postal.stored,
        "country_code": location.country.code,
        "country": location.country.name,
    }


def _contacts(profile: Profile) -> dict[str, Any]:
    return {
        "phone": profile.phone.stored,
        "website": profile.website.stored,
        "email": profile.email,
        "description": "\n".join(profile.description) or None,
        "logo_url": profile.logo.url if profile.logo else None,
        "livetime_track_id": str(profile.logo.track_id) if profile.logo else None,
        "facebook_url": profile.facebook.url if profile.facebook else None,
    }


def _totals(totals: Totals) -> dict[str, Any]:
    return {
        "total_laps": totals.laps,
        "total_practice_sessions": totals.practice_sessions,
        "total_races": totals.races,
        "total_entries": totals.entries,
        "total_events": totals.events,
    }
