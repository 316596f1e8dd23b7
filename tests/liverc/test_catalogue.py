from __future__ import annotations

import pytest

from tests.liverc.pages import a_catalogue, a_row, rows
from tracksync.core.tracks.model import ListedTrack, Listing, SkippedRow, SkipReason, TrackKind, TrackStatus
from tracksync.liverc.catalogue import parse_catalogue


def parse(html: str) -> Listing:
    return parse_catalogue(html, domain="liverc.com")


def test_a_row_gives_every_field() -> None:
    row = a_row(
        "MixedCase",
        'The "A"  Team\'s',
        status=2,
        video=1,
        featured=True,
        updated="1 minute ago",
        event="A & B \u2014 \u590f",
    )
    assert parse(a_catalogue(row)) == Listing(
        tracks=(
            ListedTrack(
                slug="mixedcase",
                slug_as_listed="MixedCase",
                name='The "A" Team\'s',
                is_featured=True,
                status=TrackStatus.RACING,
                has_video=True,
                event_name="A & B \u2014 \u590f",
                last_updated_text="1 minute ago",
            ),
        )
    )


@pytest.mark.parametrize(
    ("number", "status"), [(0, TrackStatus.IDLE), (1, TrackStatus.PRACTICE), (2, TrackStatus.RACING), (7, None)]
)
def test_the_status_is_a_whole_class_token(number: int, status: TrackStatus | None) -> None:
    # status_video_0 and status_video_1 stand beside it and look alike.
    (track,) = parse(a_catalogue(a_row(status=number, video=1))).tracks
    assert (track.status, track.has_video) == (status, True)
    (track,) = parse(a_catalogue(a_row(status=number, video=0))).tracks
    assert (track.status, track.has_video) == (status, False)


def test_missing_event_star_and_time_skip_nothing() -> None:
    listing = parse(a_catalogue(a_row(event=None, updated="")))
    assert listing.is_complete
    (track,) = listing.tracks
    assert (track.event_name, track.last_updated_text, track.is_featured) == (None, None, False)


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        ("<strong>Name</strong>", SkipReason.MISSING_LINK),
        ("<a><strong>Name</strong></a>", SkipReason.MISSING_LINK),
        ('<a href="  "><strong>Name</strong></a>', SkipReason.EMPTY_HREF),
        ('<a href="//www.liverc.com/"><strong>Name</strong></a>', SkipReason.INVALID_SLUG),
        ('<a href="//a.example.org/"><strong>Name</strong></a>', SkipReason.INVALID_SLUG),
        ('<a href="//abc.liverc.com/">Name</a>', SkipReason.MISSING_NAME),
        ('<a href="//abc.liverc.com/"><strong> \t </strong></a>', SkipReason.EMPTY_NAME),
        ('<a href="//abc.liverc.com/"><strong>\u200b\x07</strong></a>', SkipReason.EMPTY_NAME),
        ("</td><td>", SkipReason.ROW_ERROR),
    ],
)
def test_an_unusable_row_is_skipped_with_its_reason(link: str, reason: SkipReason) -> None:
    listing = parse(a_catalogue(rows(30) + a_row(link=link) + a_row("last")))
    assert listing.skipped == (SkippedRow(reason, position=31),)
    assert [track.slug for track in listing.tracks][-1] == "last"
    assert len(listing.tracks) == 31
    assert listing.is_complete


def test_the_first_of_duplicate_slugs_stays_also_in_another_case() -> None:
    listing = parse(a_catalogue(a_row("Abc", "First") + a_row("abc", "Second") + a_row("other", "First")))
    assert [(track.slug, track.name) for track in listing.tracks] == [("abc", "First"), ("other", "First")]
    assert listing.duplicates == 1
    assert listing.is_complete


def test_rows_outside_the_table_do_not_count() -> None:
    page = a_catalogue(a_row("inside")).replace(
        "<table", f"<table><tbody>{a_row('outside')}</tbody></table>\n<table", 1
    )
    assert [track.slug for track in parse(page).tracks] == ["inside"]


@pytest.mark.parametrize(
    ("page", "problem"),
    [
        ("", "no track table"),
        ("<html><body>Maintenance</body></html>", "no track table"),
        (a_catalogue(rows(3), table_class="table"), "no track table"),
        (a_catalogue(rows(3)) + a_catalogue(rows(3)), "2 track tables instead of one"),
        (a_catalogue(rows(3), second_heading="Club"), "headings"),
        (a_catalogue(""), "no rows"),
        (a_catalogue(a_row(link="") + a_row(link="")), "none of the 2 rows is usable"),
        (a_catalogue(rows(18) + a_row(link="")), "1 of 19 rows are unusable, more than 5%"),
        (a_catalogue(rows(3)).replace("</html>", ""), "ends before </html>"),
        (a_catalogue(rows(3)).replace("</table>", ""), "ends before </table>"),
        (a_catalogue(rows(3))[:2_000], "ends before </table> and </html>"),
        ("<!-- </table></html> -->" + a_catalogue(rows(3))[:2_000], "ends before </table> and </html>"),
    ],
)
def test_a_page_that_is_no_complete_listing_says_why(page: str, problem: str) -> None:
    listing = parse(page)
    assert not listing.is_complete
    assert any(problem in text for text in listing.problems), listing.problems


def test_five_percent_of_unusable_rows_are_still_a_listing() -> None:
    assert parse(a_catalogue(rows(19) + a_row(link=""))).is_complete


@pytest.mark.parametrize(
    ("name", "slug", "kind"),
    [
        ("Example Raceway", "exampleraceway", TrackKind.TRACK),
        ("Contested Park", "contestedpark", TrackKind.TRACK),
        ("Demonstrators RC", "demonstrators", TrackKind.TRACK),
        ("Example Test Track 12", "abc", TrackKind.TEST),
        ("DEMO 2025", "abc", TrackKind.TEST),
        ("Example", "exampletesttrack", TrackKind.TEST),
        ("2026 Example Nationals", "abc", TrackKind.EVENT_SITE),
        ("Example World Championships", "abc", TrackKind.EVENT_SITE),
        ("Example Winter Classic", "abc", TrackKind.EVENT_SITE),
        ("Example Championship", "abc", TrackKind.EVENT_SITE),
        ("Example NATIONALS", "abc", TrackKind.EVENT_SITE),
        ("Example Grand Prix", "abc", TrackKind.EVENT_SITE),
        ("Example Challenge", "abc", TrackKind.EVENT_SITE),
        ("Example Shootout", "abc", TrackKind.EVENT_SITE),
        ("Example Shoot Out", "abc", TrackKind.EVENT_SITE),
        ("Example Invitational", "abc", TrackKind.EVENT_SITE),
        ("Example 1999", "abc", TrackKind.EVENT_SITE),
        ("Example 2026", "abc", TrackKind.EVENT_SITE),
        ("Example 1899", "abc", TrackKind.TRACK),
        ("Example 199", "abc", TrackKind.TRACK),
        ("Example Classics", "abc", TrackKind.TRACK),
        ("Track 20251", "abc", TrackKind.TRACK),
    ],
)
def test_the_kind_is_guessed_from_whole_words(name: str, slug: str, kind: TrackKind) -> None:
    (track,) = parse(a_catalogue(a_row(slug, name))).tracks
    assert track.kind is kind


@pytest.mark.parametrize(
    ("page", "problems"),
    [
        ("</table></html>", ("the page has no track table (table.track_list)",)),
        (
            a_catalogue("", second_heading="Club"),
            (
                "the track table's headings are not the two expected ones (Status, Track Name)",
                "the track table has no rows",
            ),
        ),
    ],
)
def test_every_problem_of_a_page_is_named(page: str, problems: tuple[str, ...]) -> None:
    assert parse(page) == Listing(tracks=(), problems=problems)


def test_closing_tags_between_rows_do_not_make_a_cut_page_whole() -> None:
    page = a_catalogue(f"{a_row()}<!-- </table></html> -->{a_row('other')}")
    assert parse(page).is_complete
    assert not parse(page[: page.rindex("</tr>")]).is_complete


def test_a_link_without_a_value_in_its_href_is_empty() -> None:
    listing = parse(a_catalogue(rows(30) + a_row(link="<a href><strong>Name</strong></a>")))
    assert [row.reason for row in listing.skipped] == [SkipReason.EMPTY_HREF]


@pytest.mark.parametrize(
    ("beside", "event"),
    [
        ('<div class="other"><small>Notice</small></div><div class="indent"><small>Event</small></div>', "Event"),
        ('<div class="indent"><b>Bold</b></div>', None),
        ("<small>Notice</small>", None),
    ],
)
def test_the_event_is_the_small_text_in_the_indented_part(beside: str, event: str | None) -> None:
    link = f'<a href="//abc.liverc.com/"><strong>Name</strong></a>{beside}'
    (track,) = parse(a_catalogue(a_row(link=link, event=None))).tracks
    assert track.event_name == event
