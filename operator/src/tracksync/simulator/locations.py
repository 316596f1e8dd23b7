"""Where a track is: address, postal code and map query, with the oddities that real addresses show."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from tracksync.simulator.countries import (
    NO_POSTAL,
    PLACEHOLDER_CODES,
    country_of,
    draw_country,
    draw_postal,
    padded,
    plain,
)
from tracksync.simulator.model import Country, Location, Postal, Quirk
from tracksync.simulator.words import place, road, street

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

_COUNTRY_BY_QUIRK: Final = {
    Quirk.US_PLUS_FOUR: ("US",),
    Quirk.US_LEADING_ZERO: ("US",),
    Quirk.CA_LOWER_CASE: ("CA",),
    Quirk.AU_STRAY_LETTER: ("AU",),
    Quirk.AU_TRUE_ZERO: ("AU",),
    Quirk.PLACEHOLDER_POSTAL: ("US", "CN"),
    Quirk.NO_STATE: ("US", "CA"),
    Quirk.COUNTRY_AS_CITY: ("US", "CN"),
    # Where the address block alone has to tell the postal code from the city.
    Quirk.SHORT_MAP: ("US", "GB", "AU", "CA", "NL"),
    Quirk.NO_MAP: ("US", "GB", "AU", "CA", "DE"),
}
_SELF_CALLED: Final = {"US": "USA", "CN": "China"}
_NO_COUNTRY_CODE: Final = "ZZ"
"""ISO 3166 leaves it to users: no country ever has it."""


@dataclass(frozen=True, slots=True)
class _Address:
    street: str
    city: str
    state: str
    postal: Postal
    country: Country


def build_location(rng: Random, quirk: Quirk, track_name: str) -> Location:
    """Return an invented location that has the quirk, if the quirk is one of addresses, codes or maps."""
    country = _country(rng, quirk)
    address = _Address(
        street=street(rng),
        city=place(rng),
        state=rng.choice(country.states) if country.states else "",
        postal=draw_postal(rng, country),
        country=country,
    )
    address = _quirky(rng, address, quirk, track_name)
    return Location(
        street=address.street,
        city=address.city,
        state=address.state,
        postal=address.postal,
        country=country,
        map_query=_map_query(address, quirk),
    )


def _country(rng: Random, quirk: Quirk) -> Country:
    codes = _COUNTRY_BY_QUIRK.get(quirk)
    return country_of(rng.choice(codes)) if codes else draw_country(rng)


def _quirky(rng: Random, address: _Address, quirk: Quirk, track_name: str) -> _Address:
    if quirk in _POSTAL_BY_QUIRK:
        return replace(address, postal=_POSTAL_BY_QUIRK[quirk](rng))
    if quirk in _STREET_BY_QUIRK:
        return replace(address, street=_STREET_BY_QUIRK[quirk](rng))
    match quirk:
        case Quirk.NO_STATE:
            return replace(address, state="")
        case Quirk.COUNTRY_AS_CITY:
            return replace(address, city=_SELF_CALLED[address.country.code])
        case Quirk.NAME_AS_CITY:
            return replace(address, city=" ".join(track_name.split()))
        case _:
            return address


def _stray_letter(rng: Random) -> Postal:
    code = str(rng.randrange(1000, 10_000))
    return Postal(shown=f"A{code}", stored=code)


_POSTAL_BY_QUIRK: Final[dict[Quirk, Callable[[Random], Postal]]] = {
    Quirk.US_PLUS_FOUR: lambda rng: plain(f"{rng.randrange(12_346, 99_000)}-{rng.randrange(1000, 10_000)}"),
    Quirk.US_LEADING_ZERO: lambda rng: plain(f"0{rng.randrange(1000, 10_000)}"),
    Quirk.CA_LOWER_CASE: lambda rng: plain(draw_postal(rng, country_of("CA")).shown.lower()),
    Quirk.AU_STRAY_LETTER: _stray_letter,
    Quirk.AU_TRUE_ZERO: lambda rng: padded(f"0{rng.randrange(800, 900)}"),
    Quirk.PLACEHOLDER_POSTAL: lambda rng: Postal(shown=rng.choice(PLACEHOLDER_CODES), stored=None),
    Quirk.NO_POSTAL: lambda _rng: NO_POSTAL,
}
_STREET_BY_QUIRK: Final[dict[Quirk, Callable[[Random], str]]] = {
    Quirk.TBD_STREET: lambda _rng: "TBD",
    Quirk.LOCATION_VARIES: lambda _rng: "location varies",
    Quirk.PO_BOX: lambda rng: f"PO Box {rng.randrange(10, 999)}",
    Quirk.COMMA_STREET: lambda rng: f"Unit {rng.randrange(1, 20)}, {street(rng)}",
    Quirk.AMPERSAND_STREET: lambda rng: f"Corner of {road(rng)} & {road(rng)}",
    Quirk.HASH_STREET: lambda rng: f"{street(rng)} #{rng.randrange(1, 50)}",
}


def _map_query(address: _Address, quirk: Quirk) -> str | None:
    """Return the text after `&q=`: not encoded, `+` between state and code even where one or both are empty."""
    match quirk:
        case Quirk.NO_MAP:
            return None
        case Quirk.SHORT_MAP:
            return f"{address.city},{address.country.code}"
        case Quirk.UNKNOWN_MAP_COUNTRY:
            code = _NO_COUNTRY_CODE
        case _:
            code = address.country.code
    return f"{address.street},{address.city},{address.state}+{address.postal.shown},{code}"
