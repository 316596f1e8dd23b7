"""D11, bad data: the run goes on, what can be stored is stored, and nothing of a bad value ends a run or a batch."""
# ruff: noqa: N802 -- a test's name carries the id of its row, in capitals as everywhere else

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.database.running import OTHER_RUN_ID, contents, run_on, run_row
from tests.support.postgres import fetch_all
from tests.support.sources import ListSource, a_dashboard, a_listing
from tests.support.store import ANY_NUMBER, DEFAULT, a_track, fetched, staged, synced
from tests.support.store import a_listing as listed
from tracksync.api.result import Outcome
from tracksync.core.tracks.model import FetchedDashboard, Validators

if TYPE_CHECKING:
    from tracksync.adapters.postgres.database import PostgresDatabase

LONG = "x" * 100_000
BAD_TEXTS = {
    "nul": "Ber\x00n",
    "lone high surrogate": "Bern \ud800",
    "lone low surrogate": "\udc80 Bern",
    "over-long": LONG,
    "control characters": "B\x01e\x1br\x7fn",
    "not characters": "Bern \ufffe\uffff",
    "beyond the plane": "Bern \U0001f3c1",
    "direction marks": "\u202enreB",
    "quotes": """'"\\';DROP TABLE tracks;--""",
    "copy's own marks": "\\N\t\\.\n",
}


class Odd(ListSource):
    """A source of which one track's dashboard has this text in every field."""

    def __init__(self, text: str, **values: int) -> None:
        super().__init__(a_listing(6))
        self._text, self._values = text, values

    async def fetch_dashboard(self, slug: str, *, validators: Validators | None = None) -> FetchedDashboard | None:
        page = await super().fetch_dashboard(slug, validators=validators)
        if slug != "track002":
            return page
        fields = dict.fromkeys(("city", "street", "phone", "email", "description", "website"), self._text)
        return FetchedDashboard(a_dashboard(**fields, **self._values), Validators(etag=self._text))


@pytest.mark.parametrize("kind", BAD_TEXTS)
async def test_D11_a_dashboard_with_bad_text_ends_neither_the_run_nor_its_batch(
    database: PostgresDatabase, database_url: str, kind: str
) -> None:
    result = await run_on(database, Odd(BAD_TEXTS[kind]))
    assert result.outcome is Outcome.SUCCEEDED
    assert [city for slug, _, city, *_ in contents(database_url) if slug != "track002"] == [
        f"City of track{number:03}" for number in (0, 1, 3, 4, 5)
    ]
    ((stored,),) = fetch_all(database_url, "SELECT city FROM tracks WHERE slug = 'track002'")
    assert stored is not None
    assert "\x00" not in stored


@pytest.mark.parametrize("kind", BAD_TEXTS)
async def test_D11_a_listing_with_bad_text_ends_neither_the_run_nor_its_staging(
    database: PostgresDatabase, database_url: str, kind: str
) -> None:
    source = ListSource(a_listing(6))
    tracks = [
        replace(track, name=BAD_TEXTS[kind]) if track.slug == "track002" else track for track in source.listing.tracks
    ]
    source.listing = replace(source.listing, tracks=tuple(tracks))
    result = await run_on(database, source)
    assert result.outcome is Outcome.SUCCEEDED
    assert [name for slug, name, *_ in contents(database_url) if slug != "track002"] == [
        f"Track{number:03}" for number in (0, 1, 3, 4, 5)
    ]
    again = ListSource(source.listing)
    second = await run_on(database, again, run_id=OTHER_RUN_ID)
    assert second.status.results is not None
    assert (second.status.results.unchanged, second.status.results.updated) == (6, 0)


@pytest.mark.parametrize("number", [2**31 - 1, 2**31, 2**63, -1, 10**30])
async def test_D11_a_number_that_no_column_holds_ends_neither_the_run_nor_its_batch(
    database: PostgresDatabase, database_url: str, number: int
) -> None:
    result = await run_on(database, Odd("Bern", total_laps=number))
    assert result.outcome is Outcome.SUCCEEDED
    assert len(contents(database_url)) == 6
    assert fetch_all(database_url, "SELECT total_laps FROM tracks WHERE slug = 'track001'") == [(7,)]


async def test_D11_of_the_same_slug_twice_in_one_listing_the_first_counts(
    database: PostgresDatabase, database_url: str
) -> None:
    listing = listed(a_track("a", "First"), a_track("b"), a_track("a", "Second"))
    await synced(database, listing)
    assert fetch_all(database_url, "SELECT slug, name FROM tracks ORDER BY 1") == [("a", "First"), ("b", "Track b")]
    second = await synced(database, listing)
    assert (second.unchanged, second.updated, second.deactivated) == (2, 0, 0)


async def test_D11_a_twin_that_differs_in_case_only_is_the_same_track(
    database: PostgresDatabase, database_url: str
) -> None:
    await synced(database, listed(replace(a_track("sunvalley"), slug_as_listed="SunValley")))
    counters = await synced(database, listed(replace(a_track("sunvalley"), slug_as_listed="SUNVALLEY")))
    assert (counters.inserted, counters.deactivated) == (0, 0)
    assert fetch_all(database_url, "SELECT count(*) FROM tracks") == [(1,)]


async def test_D11_a_slug_that_exists_inactive_is_reactivated_with_its_id(
    database: PostgresDatabase, database_url: str
) -> None:
    await synced(database, listed("a", "b"), [fetched("b", city="Bern")])
    before = fetch_all(database_url, "SELECT id, city, created_at FROM tracks WHERE slug = 'b'")
    assert (await synced(database, listed("a"), guard=ANY_NUMBER)).deactivated == 1
    counters = await synced(database, listed("a", a_track("b", "Another name")))
    assert (counters.reactivated, counters.inserted) == (1, 0)
    assert fetch_all(database_url, "SELECT id, city, created_at FROM tracks WHERE slug = 'b'") == before
    assert fetch_all(database_url, "SELECT is_active, name FROM tracks WHERE slug = 'b'") == [(True, "Another name")]


async def test_D11_a_clock_that_went_back_leaves_no_negative_time_and_no_run_behind(
    database: PostgresDatabase, database_url: str
) -> None:
    """Everything that was written yesterday says that it was written tomorrow."""
    assert (await run_on(database, ListSource(a_listing(6)))).outcome is Outcome.SUCCEEDED
    for table, columns in (
        ("tracks", ("created_at", "updated_at", "last_seen_at")),
        ("track_freshness", ("as_of", "fetched_at", "last_attempt_at")),
        ("runs", ("created_at", "started_at", "finished_at", "listed_at", "merged_at")),
        ("source_state", ("last_complete_at",)),
    ):
        moved = ", ".join(f"{column} = {column} + interval '1 day'" for column in columns)
        fetch_all(database_url, f"UPDATE {table} SET {moved}")
    fetch_all(database_url, "UPDATE leases SET renewed_at = renewed_at + interval '1 day'")
    source = ListSource(a_listing(7))
    result = await run_on(database, source, run_id=OTHER_RUN_ID)
    assert result.outcome is Outcome.SUCCEEDED
    assert run_row(database_url, OTHER_RUN_ID) == ("succeeded", "Completed", 1)
    assert len(contents(database_url)) == 7
    assert all(stage.duration_seconds is None or stage.duration_seconds >= 0 for stage in result.status.stages)


async def test_D11_what_one_batch_of_outcomes_names_and_nobody_listed_changes_nothing(
    database: PostgresDatabase, database_url: str
) -> None:
    ticket = await staged(database, listed("a"), [fetched("a", city="Bern"), fetched("b", city="Biel")])
    await database.ledger.record_items(ticket, [fetched("a", city="First"), fetched("a", city="Last")])
    assert (await database.tracks.merge(ticket, guard=DEFAULT)).inserted == 1
    assert fetch_all(database_url, "SELECT slug, city FROM tracks") == [("a", "Last")]
