from __future__ import annotations

import pytest

from tests.simulator.seeded import rng
from tracksync.simulator.activity import relative_text
from tracksync.simulator.model import Status
from tracksync.simulator.rows import Row, build_rows


def rows(tracks: int = 1090) -> list[Row]:
    return build_rows(rng(3), tracks)


def test_1090_rows_have_the_measured_statuses_and_videos() -> None:
    counts = {status: [row for row in rows() if row.status is status] for status in Status}
    assert {status.name: (len(found), sum(row.has_video for row in found)) for status, found in counts.items()} == {
        "IDLE": (964, 4),
        "PRACTICE": (107, 25),
        "RACING": (19, 5),
    }


def test_the_stars_are_ten_idle_rows_without_video_of_which_seven_are_long_idle() -> None:
    starred = [row for row in rows() if row.is_featured]
    assert len(starred) == 10
    assert all(row.status is Status.IDLE and not row.has_video for row in starred)
    assert sum(row.idle_minutes > 200 * 24 * 60 for row in starred) == 7


def test_only_starred_rows_escape_the_idle_cut_off() -> None:
    assert all(row.is_featured for row in rows() if row.idle_minutes > 123 * 24 * 60)


def test_41_rows_have_no_event_39_of_them_idle_and_none_racing() -> None:
    silent = [row.status for row in rows() if not row.has_event]
    assert (silent.count(Status.IDLE), silent.count(Status.PRACTICE), silent.count(Status.RACING)) == (39, 2, 0)


def test_all_racing_and_all_but_one_practice_row_read_one_minute() -> None:
    now = [row.status for row in rows() if relative_text(row.idle_minutes) == "1 minute ago"]
    assert (now.count(Status.RACING), now.count(Status.PRACTICE), len(now)) == (19, 106, 125)


@pytest.mark.parametrize("tracks", [1, 2, 17, 100, 1090, 5000])
def test_rows_of_any_size_come_racing_first_video_first_then_most_recent(tracks: int) -> None:
    built = rows(tracks)
    assert len(built) == tracks
    assert built == sorted(built, key=lambda row: (-row.status, not row.has_video, row.idle_minutes))
