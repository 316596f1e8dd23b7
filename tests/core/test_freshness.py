"""When a dashboard is fetched again: spread evenly, never too late, never for nothing.

Left out: how the stored freshness is kept (tests/ports), and what a run does with a due dashboard (tests/worker).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracksync.core.tracks.freshness import MOST_UNMODIFIED, Freshness, Refresh, phase_of
from tracksync.core.tracks.model import Validators

START = datetime(2026, 1, 31, 2, tzinfo=UTC)
DAY = timedelta(days=1)
WEEK = timedelta(days=7)
SLUGS = [f"track{number:04}" for number in range(1090)]
STORED = Validators(etag='"abc"', last_modified="Sat, 31 Jan 2026 02:00:00 GMT")

spans = st.timedeltas(min_value=timedelta(minutes=1), max_value=timedelta(days=400))
instants = st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2050, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 -- hypothesis adds the zone
slugs = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)


def fetched_by(refresh: Refresh, starts: list[datetime]) -> list[set[str]]:
    """Return which slugs each of these runs fetches, when the first one finds an empty database."""
    known = dict.fromkeys(SLUGS, Freshness())
    runs = []
    for start in starts:
        due = {slug for slug in SLUGS if refresh.is_due(slug, known[slug], planned_start=start)}
        known |= dict.fromkeys(due, Freshness(as_of=start, parser_version=1))
        runs.append(due)
    return runs


def jittered(days: int) -> list[datetime]:
    """Return daily starts that are up to two minutes early or late."""
    offsets = [0, 120, -120, 60, -60, 119, -119, 1, -1, 90]
    return [START + day * DAY + timedelta(seconds=offsets[day % len(offsets)]) for day in range(days)]


@pytest.mark.parametrize(
    "starts",
    [
        pytest.param([START + day * DAY for day in range(57)], id="on the second"),
        pytest.param(jittered(57), id="two minutes early or late"),
    ],
)
def test_a_daily_run_fetches_about_a_seventh_and_each_track_exactly_once_a_week(starts: list[datetime]) -> None:
    first, *daily = fetched_by(Refresh(WEEK, 1), starts)
    assert first == set(SLUGS)
    for due in daily:
        assert 0.10 <= len(due) / len(SLUGS) <= 0.20
    for week in range(8):
        fetched = [slug for due in daily[7 * week : 7 * week + 7] for slug in due]
        assert len(fetched) == len(set(fetched)) == len(SLUGS)


def test_a_day_on_a_daily_schedule_fetches_all_tracks_every_day() -> None:
    assert all(due == set(SLUGS) for due in fetched_by(Refresh(DAY, 1), jittered(30)))


def test_a_second_run_within_minutes_fetches_nothing_again() -> None:
    _, again = fetched_by(Refresh(WEEK, 1), [START, START + timedelta(minutes=10)])
    assert again == set()


@given(slug=slugs, as_of=instants, gap=st.timedeltas(min_value=-WEEK, max_value=WEEK))
def test_zero_fetches_always(slug: str, as_of: datetime, gap: timedelta) -> None:
    known = Freshness(as_of, parser_version=1)
    assert Refresh(timedelta(0), 1).is_due(slug, known, planned_start=as_of + gap)


@given(slug=slugs, after=spans, as_of=instants)
def test_what_was_never_fetched_or_read_by_an_older_parser_is_due_and_comes_whole(
    slug: str, after: timedelta, as_of: datetime
) -> None:
    refresh = Refresh(after, parser_version=2)
    for known in (Freshness(None, 2, STORED), Freshness(as_of, 1, STORED)):
        assert refresh.is_due(slug, known, planned_start=as_of)
        assert not refresh.validators(known)


@given(slug=slugs, after=spans, as_of=instants, data=st.data())
def test_a_run_never_leaves_a_dashboard_that_is_older_than_asked_for(
    slug: str, after: timedelta, as_of: datetime, data: st.DataObject
) -> None:
    """So after each run of any schedule it is at most `after` old, and before it one interval older."""
    start = as_of + after + data.draw(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=1000)))
    assert Refresh(after, 1).is_due(slug, Freshness(as_of, 1), planned_start=start)


@given(slug=slugs, after=spans, as_of=instants, data=st.data())
def test_a_dashboard_that_is_due_stays_due_until_it_is_fetched(
    slug: str, after: timedelta, as_of: datetime, data: st.DataObject
) -> None:
    known, refresh = Freshness(as_of, 1), Refresh(after, 1)
    earlier = data.draw(st.timedeltas(min_value=timedelta(0), max_value=2 * after))
    later = data.draw(st.timedeltas(min_value=earlier, max_value=3 * after))
    is_due = refresh.is_due(slug, known, planned_start=as_of + earlier)
    assert refresh.is_due(slug, known, planned_start=as_of + later) >= is_due


@given(slug=slugs, after=spans, first=instants, data=st.data())
def test_no_schedule_fetches_a_track_more_often_than_its_instants_come_round(
    slug: str, after: timedelta, first: datetime, data: st.DataObject
) -> None:
    """At most once a period, the first run and the slack at its end left out."""
    gaps = data.draw(st.lists(st.timedeltas(min_value=timedelta(seconds=1), max_value=after), min_size=1, max_size=40))
    refresh, known, start, times = Refresh(after, 1), Freshness(first, 1), first, []
    for gap in gaps:
        start += gap
        if refresh.is_due(slug, known, planned_start=start):
            known = Freshness(start, 1)
            times.append(start)
    slack = min(after / 20, timedelta(hours=1))
    assert len(times) <= (start - first + slack) / (after - slack) + 1


@pytest.mark.parametrize(
    ("ahead", "is_due"),
    [
        pytest.param(timedelta(minutes=10), False, id="skew between two runs"),
        pytest.param(timedelta(days=8), True, id="a clock that was wrong once"),
    ],
)
def test_a_dashboard_of_the_future_is_believed_for_one_period_only(*, ahead: timedelta, is_due: bool) -> None:
    known = Freshness(START + ahead, 1)
    assert Refresh(WEEK, 1).is_due("canberraoffroad", known, planned_start=START) is is_due


@pytest.mark.parametrize("unmodified", range(MOST_UNMODIFIED + 2))
def test_every_so_often_an_unmodified_page_is_fetched_whole(unmodified: int) -> None:
    known = Freshness(START, 1, STORED, unmodified)
    assert Refresh(WEEK, 1).validators(known) == (STORED if unmodified < MOST_UNMODIFIED else Validators())


def test_a_slugs_place_never_changes() -> None:
    """Another value would shift the whole installation's fetching, and on a mixed one fetch tracks twice."""
    assert phase_of("canberraoffroad") == 0.44759949549041167


@given(slugs)
def test_a_slugs_place_lies_in_the_period(slug: str) -> None:
    assert 0 <= phase_of(slug) < 1


def test_the_places_are_spread_evenly() -> None:
    in_tenth = [sum(int(phase_of(slug) * 10) == tenth for slug in SLUGS) for tenth in range(10)]
    assert all(80 <= number <= 140 for number in in_tenth)
