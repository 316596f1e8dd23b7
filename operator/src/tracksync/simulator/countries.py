"""The countries of the world, their share, and their postal codes as LiveRC writes them."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, Final

from tracksync.simulator.model import Country, Postal

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random


def _codes(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_US_STATES: Final = _codes(
    "AL AR AZ CA CO FL GA IA ID IL IN KS KY MI MN MO NC NE NM NV NY OH OK OR PA SC TN TX UT VA WA WI"
)
_CA_PROVINCES: Final = _codes("AB BC MB NB NS ON QC SK")

COUNTRIES: Final = (
    # The real mix was not measured; English-speaking countries dominate by far.
    Country("US", "United States", "1", 600, _US_STATES),
    Country("GB", "United Kingdom", "44", 85),
    Country("AU", "Australia", "61", 85),
    Country("CA", "Canada", "1", 60, _CA_PROVINCES),
    Country("NZ", "New Zealand", "64", 35),
    Country("ZA", "South Africa", "27", 35),
    Country("DE", "Germany", "49", 40),
    Country("NL", "Netherlands", "31", 20),
    Country("PT", "Portugal", "351", 15),
    Country("CN", "China", "86", 15),
    Country("KR", "Korea, Republic of", "82", 10),
)
PLACEHOLDER_CODES: Final = ("00000", "12345")
"""Filled in by people who had no code: blank."""
NO_POSTAL: Final = Postal(shown="", stored=None)


def draw_country(rng: Random) -> Country:
    """Return a country at random by its share."""
    return rng.choices(COUNTRIES, weights=[country.share for country in COUNTRIES])[0]


def country_of(code: str) -> Country:
    """Return the country with this code; KeyError when the world has none."""
    return {country.code: country for country in COUNTRIES}[code]


def draw_postal(rng: Random, country: Country) -> Postal:
    """Return an invented postal code in the country's ordinary shape."""
    return _SHAPES[country.code](rng)


def padded(code: str) -> Postal:
    """Return a four-digit code as the site shows it: padded with zeros to five digits."""
    return Postal(shown=code.zfill(5), stored=code)


def plain(code: str) -> Postal:
    """Return a code that is stored as it is shown."""
    return Postal(shown=code, stored=code)


def _four_digits(rng: Random) -> Postal:
    return padded(str(rng.randrange(1000, 10_000)))


def _five_digits(rng: Random) -> Postal:
    # From 12346 on: below lies the placeholder 12345, and leading zeros are an oddity of their own.
    return plain(str(rng.randrange(12_346, 99_000)))


def _british(rng: Random) -> Postal:
    # No British postal area begins with Q, V or X.
    outward = f"{rng.choice('QVX')}{rng.choice(string.ascii_uppercase)}{rng.randrange(1, 99)}"
    inward = f"{rng.randrange(1, 10)}{''.join(rng.choices('ABDEFGHJLNPQRSTUWXYZ', k=2))}"
    return plain(f"{outward}{rng.choice((' ', ' ', ''))}{inward}")


def _canadian(rng: Random) -> Postal:
    # No Canadian code begins with W or Z.
    letters = rng.choices("ABCEGHJKLMNPRSTVXY", k=2)
    digits = rng.choices(string.digits, k=3)
    return plain(f"{rng.choice('WZ')}{digits[0]}{letters[0]}{digits[1]}{letters[1]}{digits[2]}")


def _german(rng: Random) -> Postal:
    # A leading zero belongs to a German code; one region in ten has it.
    return plain(f"{rng.randrange(10)}{rng.randrange(2400, 10_000)}")


def _dutch(rng: Random) -> Postal:
    return plain(f"{rng.randrange(1000, 10_000)}{''.join(rng.choices(string.ascii_uppercase, k=2))}")


def _portuguese(rng: Random) -> Postal:
    return plain(f"{rng.randrange(1000, 10_000)}-{rng.randrange(1, 1000):03d}")


def _chinese(rng: Random) -> Postal:
    return plain(str(rng.randrange(100_000, 860_000)))


_SHAPES: Final[dict[str, Callable[[Random], Postal]]] = {
    "US": _five_digits,
    "GB": _british,
    "AU": _four_digits,
    "CA": _canadian,
    "NZ": _four_digits,
    "ZA": _four_digits,
    "DE": _german,
    "NL": _dutch,
    "PT": _portuguese,
    "CN": _chinese,
    "KR": _five_digits,
}
