from __future__ import annotations

import re

import pytest

from tests.simulator.seeded import rng
from tracksync.simulator.countries import COUNTRIES, country_of, draw_country, draw_postal
from tracksync.simulator.locations import build_location
from tracksync.simulator.model import Location, Quirk


def locations(quirk: Quirk, count: int = 40) -> list[Location]:
    return [build_location(rng(number), quirk, "North  Reedford RC") for number in range(count)]


@pytest.mark.parametrize(
    ("code", "shown", "stored"),
    [
        ("US", r"\d{5}", r"\d{5}"),
        ("GB", r"[QVX][A-Z]\d{1,2} ?\d[A-Z]{2}", r"[QVX][A-Z]\d{1,2} ?\d[A-Z]{2}"),
        ("AU", r"0[1-9]\d{3}", r"[1-9]\d{3}"),
        ("NZ", r"0[1-9]\d{3}", r"[1-9]\d{3}"),
        ("ZA", r"0[1-9]\d{3}", r"[1-9]\d{3}"),
        ("CA", r"[WZ]\d[A-Z]\d[A-Z]\d", r"[WZ]\d[A-Z]\d[A-Z]\d"),
        ("DE", r"\d{5}", r"\d{5}"),
        ("NL", r"\d{4}[A-Z]{2}", r"\d{4}[A-Z]{2}"),
        ("PT", r"\d{4}-\d{3}", r"\d{4}-\d{3}"),
        ("CN", r"\d{6}", r"\d{6}"),
        ("KR", r"\d{5}", r"\d{5}"),
    ],
)
def test_a_postal_code_has_its_countrys_shape(code: str, shown: str, stored: str) -> None:
    for number in range(200):
        postal = draw_postal(rng(number), country_of(code))
        assert re.fullmatch(shown, postal.shown)
        assert postal.stored is not None
        assert re.fullmatch(stored, postal.stored)
        assert postal.stored not in {"00000", "12345"}, "a placeholder may only come from its quirk"


def test_british_codes_come_with_and_without_space() -> None:
    codes = [draw_postal(rng(number), country_of("GB")).shown for number in range(50)]
    assert {" " in code for code in codes} == {True, False}


def test_german_codes_may_begin_with_a_zero_that_stays() -> None:
    codes = [draw_postal(rng(number), country_of("DE")) for number in range(100)]
    assert any(code.stored is not None and code.stored.startswith("0") for code in codes)


@pytest.mark.parametrize(
    ("quirk", "shown", "stored"),
    [
        (Quirk.US_PLUS_FOUR, r"\d{5}-\d{4}", r"\d{5}-\d{4}"),
        (Quirk.US_LEADING_ZERO, r"0\d{4}", r"0\d{4}"),
        (Quirk.CA_LOWER_CASE, r"[a-z]\d[a-z]\d[a-z]\d", r"[a-z]\d[a-z]\d[a-z]\d"),
        (Quirk.AU_STRAY_LETTER, r"A\d{4}", r"\d{4}"),
        (Quirk.AU_TRUE_ZERO, r"008\d\d", r"08\d\d"),
        (Quirk.PLACEHOLDER_POSTAL, r"00000|12345", None),
        (Quirk.NO_POSTAL, "", None),
    ],
)
def test_a_postal_quirk_shows_one_thing_and_means_another(quirk: Quirk, shown: str, stored: str | None) -> None:
    for location in locations(quirk):
        assert re.fullmatch(shown, location.postal.shown)
        if stored is None:
            assert location.postal.stored is None
        else:
            assert re.fullmatch(stored, location.postal.stored or "")


@pytest.mark.parametrize(
    ("quirk", "street"),
    [
        (Quirk.TBD_STREET, "TBD"),
        (Quirk.LOCATION_VARIES, "location varies"),
        (Quirk.PO_BOX, r"PO Box \d+"),
        (Quirk.COMMA_STREET, r"Unit \d+, .+"),
        (Quirk.AMPERSAND_STREET, ".+ & .+"),
        (Quirk.HASH_STREET, r".+ #\d+"),
    ],
)
def test_a_street_quirk_shows_in_block_and_map(quirk: Quirk, street: str) -> None:
    for location in locations(quirk):
        assert re.fullmatch(street, location.street)
        assert location.map_query is not None
        assert location.map_query.startswith(f"{location.street},{location.city},")


def test_a_city_may_be_the_country_or_the_track() -> None:
    assert {location.city for location in locations(Quirk.COUNTRY_AS_CITY)} == {"USA", "China"}
    assert {location.city for location in locations(Quirk.NAME_AS_CITY)} == {"North Reedford RC"}


def test_the_map_query_holds_street_city_state_plus_code_and_country() -> None:
    for location in locations(Quirk.NONE, 300):
        expected = f"{location.street},{location.city},{location.state}+{location.postal.shown},{location.country.code}"
        assert location.map_query == expected


def test_without_state_or_code_the_plus_stays() -> None:
    for location in locations(Quirk.NO_STATE):
        assert f",+{location.postal.shown}," in (location.map_query or "")
    for location in locations(Quirk.NO_POSTAL):
        assert f",{location.state}+,{location.country.code}" in (location.map_query or "")


def test_some_maps_do_not_tell_the_location() -> None:
    assert all((location.map_query or "").count(",") == 1 for location in locations(Quirk.SHORT_MAP))
    assert all((location.map_query or "").endswith(",ZZ") for location in locations(Quirk.UNKNOWN_MAP_COUNTRY))
    assert all(location.map_query is None for location in locations(Quirk.NO_MAP))


def test_only_the_united_states_and_canada_have_states() -> None:
    for location in locations(Quirk.NONE, 500):
        assert bool(location.state) is (location.country.code in {"US", "CA"})


def test_every_country_occurs_and_the_united_states_lead() -> None:
    generator = rng(11)
    drawn = [draw_country(generator).code for _ in range(2000)]
    assert {country.code for country in COUNTRIES} == set(drawn)
    assert drawn.count("US") > 1000
