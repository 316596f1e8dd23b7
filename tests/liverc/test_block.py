"""How an address block falls into lines."""

from __future__ import annotations

from selectolax.lexbor import LexborHTMLParser

from tracksync.liverc.block import AddressBlock, ContactLine, Link, split_address_block


def split(content: str) -> AddressBlock:
    address = LexborHTMLParser(f"<address><strong>Name</strong><br>{content}</address>").css_first("address")
    assert address is not None
    return split_address_block(address)


def test_elements_inside_a_line_are_part_of_it() -> None:
    assert split("12 <b>Exam<i>ple</i></b> Road<br>Springfield").location == ("12 Example Road", "Springfield")


def test_a_label_begins_a_line_of_its_own_behind_a_text() -> None:
    block = split('12 Example Road <abbr title="Phone">P:</abbr> 555-0100')
    assert block == AddressBlock(("12 Example Road",), {"phone": ContactLine("555-0100", ())})


def test_a_label_begins_a_line_of_its_own_behind_another_label() -> None:
    block = split('<abbr title="Phone">P:</abbr><abbr title="Website">W:</abbr> N/A')
    assert block.contacts == {"phone": ContactLine("", ()), "website": ContactLine("N/A", ())}
    block = split('<abbr title="Phone">P:</abbr> 555-0100 <abbr title="Website">W:</abbr> N/A')
    assert block.contacts == {"phone": ContactLine("555-0100", ()), "website": ContactLine("N/A", ())}


def test_a_label_without_a_title_is_called_by_its_text() -> None:
    assert split("<abbr> Fax </abbr> 555-0100").contacts == {"fax": ContactLine("555-0100", ())}


def test_the_first_of_two_lines_with_the_same_label_stays() -> None:
    block = split('<abbr title="Phone">P:</abbr> 1<br><abbr title="PHONE">P:</abbr> 2')
    assert block.contacts == {"phone": ContactLine("1", ())}


def test_nothing_behind_a_label_is_location_even_when_the_label_is_only_written_out() -> None:
    for label in ("P:", "W:", "E:"):
        assert split(f"12 Example Road<br>{label} 555-0100<br>Springfield").location == ("12 Example Road",)
    assert split('12 Example Road<br><abbr title="Phone">P:</abbr> N/A<br>Springfield').location == ("12 Example Road",)


def test_a_link_is_its_address_and_its_text_and_may_lack_either() -> None:
    block = split('<abbr title="Website">W:</abbr> <a href=" //a.example.org ">A</a><a>B</a><a href></a>')
    assert block.contacts["website"] == ContactLine("AB", (Link("//a.example.org", "A"), Link("", "B"), Link("", "")))


def test_comments_are_no_text() -> None:
    assert split("12 <!-- 13 -->Example Road").location == ("12 Example Road",)


def test_a_line_is_cut_at_600_characters() -> None:
    assert split("x" * 601).location == ("x" * 600,)
