"""How contacts may be spelled."""

from __future__ import annotations

import pytest

from tracksync.core.tracks.model import FieldState
from tracksync.liverc.block import ContactLine, Link
from tracksync.liverc.contacts import read_email, read_phone, read_website


@pytest.mark.parametrize(
    "phone",
    [
        "+1 (555) 010-0100",
        "555.010.0100",
        "555/0100100",
        "5550100x1",
        "5550100x12",
        "5550100 X12",
        "5550100 x 12",
        "5550100 ext12",
        "5550100 ext. 12",
        "5550100 EXT 12",
    ],
)
def test_a_phone_is_digits_and_their_usual_marks_with_or_without_an_extension(phone: str) -> None:
    assert read_phone(ContactLine(phone, ())).value == phone


@pytest.mark.parametrize(
    "phone", ["++1 5550100", "5550100+", "555_0100", "5550100 y12", "5550100 ext", "5550100 exit 12", "5550100, 12"]
)
def test_any_other_text_is_no_phone(phone: str) -> None:
    assert read_phone(ContactLine(phone, ())).state is FieldState.INVALID


def test_a_phone_is_read_from_the_link_that_dials_it() -> None:
    line = ContactLine("A B", (Link("http://example.org", "A"), Link("TEL:5550100", "")))
    assert read_phone(line).value == "5550100"


@pytest.mark.parametrize(
    "script",
    [
        "javascript:noSpam('info','example.org')",
        "javascript: noSpam( 'info' , 'example.org' ) ",
        "javascript:noSpam('info', 'example.org'); ",
        "JavaScript:nospam('info', 'example.org');",
        "javascript:  noSpam(  'info'  ,  'example.org'  );  ",
        "javascript:noSpam('in\\fo', 'exam\\ple.org');",
    ],
)
def test_the_script_that_hides_an_email_may_be_spaced_in_any_way(script: str) -> None:
    assert read_email(ContactLine("", (Link(script, "info@example.org"),))).value == "info@example.org"


@pytest.mark.parametrize(
    "script",
    [
        "noSpam('info', 'example.org');",
        "javascript:x();noSpam('info', 'example.org');",
        "javascript:noSpam('info', 'example.org');;",
        "javascript:noSpam('info', 'example.org', '');",
        "javascript:noSpam('info' 'example.org');",
        "javascript:noSpam(info, 'example.org');",
        "javascript:otherSpam('info', 'example.org');",
    ],
)
def test_any_other_script_gives_no_email(script: str) -> None:
    assert read_email(ContactLine("", (Link(script, "info@example.org"),))).state is FieldState.INVALID


@pytest.mark.parametrize("char", [*'@<>"(),:;[] ', "\\\\"])
@pytest.mark.parametrize("place", ["in{}fo@example.org", "info@exam{}ple.org", "info@example.o{}rg"])
def test_a_character_that_is_special_in_an_email_makes_it_invalid(char: str, place: str) -> None:
    user, _, host = place.partition("@")
    script = f"javascript:noSpam('{user.format(char)}', '{host.format(char)}');"
    shown = place.format(char.replace("\\\\", "\\"))
    assert read_email(ContactLine("", (Link(script, shown),))).state is FieldState.INVALID


@pytest.mark.parametrize(
    "address", ["a@b.c", "a.b+c_d-e@f-g.h.i", "\u00e9@example.org", "o!#$%&*/=?^`{|}~@example.org"]
)
def test_every_other_character_stands_for_itself(address: str) -> None:
    user, _, host = address.partition("@")
    line = ContactLine("", (Link(f"javascript:noSpam('{user}', '{host}');", address),))
    assert read_email(line).value == address


@pytest.mark.parametrize("address", ["@example.org", "info@", "info@.org", "info@example.", "info@a..b"])
def test_an_email_has_a_user_and_a_host_of_at_least_two_labels(address: str) -> None:
    user, _, host = address.partition("@")
    line = ContactLine("", (Link(f"javascript:noSpam('{user}', '{host}');", address),))
    assert read_email(line).state is FieldState.INVALID


@pytest.mark.parametrize("url", ["http://example.org", "HTTPS://Example.org:8080/a?b#c"])
def test_a_website_is_kept_as_it_is_written(url: str) -> None:
    assert read_website(ContactLine("x", (Link(url, "x"), Link("ftp://example.org", "y")))).value == url


def test_a_quote_inside_an_argument_has_a_backslash() -> None:
    shown = "in'fo@example.org"
    assert read_email(ContactLine("", (Link(r"javascript:noSpam('in\'fo', 'example.org');", shown),))).value == shown
    line = ContactLine("", (Link("javascript:noSpam('in'fo', 'example.org');", shown),))
    assert read_email(line).state is FieldState.INVALID
