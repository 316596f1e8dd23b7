"""The table of countries: its form. Its names are data, and a test would only repeat them."""

from __future__ import annotations

import re

from tracksync.liverc.countries import COUNTRY_NAMES, country_code_or_none


def test_each_of_the_249_assigned_codes_and_kosovo_has_a_name_of_its_own() -> None:
    assert len(COUNTRY_NAMES) == len(set(COUNTRY_NAMES.values())) == 249 + 1
    for code, name in COUNTRY_NAMES.items():
        assert re.fullmatch("[A-Z]{2}", code)
        assert re.fullmatch(r"\w.*\S", name)
        assert not name.isupper()


def test_a_country_is_found_by_its_name_in_any_case() -> None:
    for code, name in COUNTRY_NAMES.items():
        assert [country_code_or_none(name), country_code_or_none(name.upper())] == [code, code]


def test_a_country_is_found_by_another_name_as_well() -> None:
    names = ["south korea", "Iran", "T\u00fcrkiye", "Holy See", "Kingdom"]
    assert [country_code_or_none(name) for name in names] == ["KR", "IR", "TR", "VA", None]
