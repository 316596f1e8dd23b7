"""Pages that are wrong, and what stands in their place: rows H3, H4, H5 (oversize), H7, H8, H9 and H12.

Each fault of the simulator has its row here or in one of the neighbours; a test holds that complete. The database was
filled by a good run, so every test also shows that nothing of it was lost.
"""
# ruff: noqa: N802 -- a test's name carries the id of its row, in capitals as everywhere else

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.hostile import stored
from tests.hostile.runs import Wish, run_worker, shorten_deadlines, sync
from tests.hostile.sites import TRACKS
from tests.hostile.verdicts import assert_bounded, assert_polite, counters, failures
from tests.liverc.pages import a_catalogue, a_dashboard, rows
from tests.web.certificates import Authority
from tests.web.server import Request, response, serving
from tracksync.adapters.web import source as web_source
from tracksync.adapters.web.exchange import Site
from tracksync.api.job import WithheldStatus
from tracksync.simulator.faults import CatalogueFault, DashboardFault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.hostile.sites import Site as Simulated
    from tests.support.postgres import PostgresServer

DASHBOARDS: Final = {
    "H3": {"time-out": "Timeout"},
    "H4": dict.fromkeys(
        ["redirect-host", "redirect-foreign", "redirect-loop", "redirect-http", "redirect-private"], "Redirect"
    ),
    "H5": {"oversize": "TooLarge"},
    "H7": {
        **dict.fromkeys(["login-page", "captcha", "blank", "not-html", "cut"], "NotADashboard"),
        **dict.fromkeys(["http-403", "http-404", "http-410"], "HttpStatus"),
    },
}
"""What becomes of a dashboard with this fault: the class of its track's failure."""
HARMLESS_DASHBOARDS: Final = ("wrong-charset", "hostile-text")
"""Faults that are seen through: what is stored is the truth."""
OTHER_DASHBOARDS: Final = {"http-429", "http-500", "http-503", "http-503-retry-after", "invalid-utf8", "drip", "nested"}
"""In test_pauses and test_outages, and the last three at the end of this file."""

CATALOGUES: Final = {
    "H3": {"drip": "SourceUnavailable"},
    "H4": {
        **dict.fromkeys(["redirect-host", "redirect-loop", "redirect-http"], "SourceInvalid"),
        **dict.fromkeys(["redirect-foreign", "redirect-private"], "SourceNotAllowed"),
    },
    "H5": {"oversize": "SourceInvalid"},
    "H7": {
        **dict.fromkeys(["empty", "cut", "generic-page", "captcha", "blank", "not-html"], "SourceInvalid"),
        "forbidden": "SourceUnavailable",
    },
}
"""Why a run with this catalogue ends."""
USABLE_CATALOGUES: Final = {
    "duplicate-rows": {"duplicates": 1},
    "list-changes": {"duplicates": 1},
    "broken-rows": {"skipped_rows": 3},
    "www-hosts": {},
    "wrong-charset": {},
    "hostile-text": {},
}
"""Faults that cost no track, and the counters that tell of them."""
OTHER_CATALOGUES: Final = {"none", "error", "rate-limited", "time-out", "half", "invalid-utf8", "nested"}
"""In test_pauses, test_outages, and at the end of this file."""

DEADLINE: Final = 0.4
"""Seconds for a whole request, where one would otherwise wait for half a minute."""


def table(kinds: dict[str, dict[str, str]]) -> list[Any]:
    return [
        pytest.param(kind, expected, id=f"{row}-{kind}")
        for row, expectations in kinds.items()
        for kind, expected in expectations.items()
    ]


@pytest.fixture(scope="module")
def filled_url(postgres_server: PostgresServer, shared_site: Simulated) -> Iterator[str]:
    """A database that a good run has filled; these tests leave it as it is."""
    shared_site.reset()
    with postgres_server.database() as url:
        assert asyncio.run(sync(Wish(database_url=url, url=shared_site.url))).outcome == "Succeeded"
        assert stored.differences(url, shared_site.truth()) == {}
        yield url


@pytest.mark.parametrize(("kind", "error_class"), table(DASHBOARDS))
async def test_H3_H4_H5_H7_a_wrong_dashboard_costs_its_track_and_no_stored_value(
    site: Simulated, filled_url: str, kind: str, error_class: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if error_class == "Timeout":
        shorten_deadlines(DEADLINE, monkeypatch.setattr)
    hit = site.afflict(kind, 2)
    wish = Wish(database_url=filled_url, url=site.url, attempts=1)
    result = await sync(wish)
    journal = assert_polite(site, wish)
    assert result.outcome == "CompletedWithErrors"
    assert failures(result) == dict.fromkeys(hit, error_class)
    assert counters(result).items() >= {"fetched": TRACKS - 2, "unchanged": TRACKS}.items()
    # Only what may repair itself is asked again; a redirect is followed to the same host and to no other.
    repetitions = {"time-out": 6, "redirect-loop": 6, "redirect-http": 6}.get(kind, 0)
    assert (journal["dashboards"]["repeated"], journal["dashboards"]["distinct"]) == (repetitions, TRACKS)
    assert journal["by_kind"]["other"] == 0
    assert stored.differences(filled_url, site.truth()) == {}


@pytest.mark.parametrize("kind", HARMLESS_DASHBOARDS)
async def test_H7_a_dashboard_in_disguise_is_read_as_what_it_is(
    site: Simulated, database_url: str, filled_url: str, kind: str
) -> None:
    site.switch(dashboard_faults={kind: 1}, catalogue_fault=kind)
    for url in (database_url, filled_url):
        result = await sync(Wish(database_url=url, url=site.url))
        assert (result.outcome, failures(result)) == ("Succeeded", {})
        assert stored.differences(url, site.truth()) == {}
        assert stored.unsafe_texts(url) == []


@pytest.mark.parametrize(("kind", "reason"), table(CATALOGUES))
async def test_H3_H4_H5_H7_a_catalogue_that_is_not_believed_ends_the_run_and_touches_nothing(
    site: Simulated, filled_url: str, kind: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "drip":
        shorten_deadlines(DEADLINE, monkeypatch.setattr)
    before = stored.tracks(filled_url)
    site.switch(catalogue_fault=kind, drip_s=0.05)
    wish = Wish(database_url=filled_url, url=site.url)
    result = await sync(wish)
    journal = assert_polite(site, wish)
    assert (result.outcome, result.reason) == ("Failed", reason)
    assert (journal["by_kind"]["dashboard"], journal["by_kind"]["other"]) == (0, 0)
    assert journal["total"] <= 4
    assert stored.tracks(filled_url) == before


@pytest.mark.parametrize("kind", USABLE_CATALOGUES)
async def test_H9_a_list_that_repeats_moves_or_breaks_rows_loses_no_track(
    site: Simulated, filled_url: str, kind: str
) -> None:
    site.switch(catalogue_fault=kind)
    # The first read of a list that changes is the plain one.
    site_reads = 2 if kind == "list-changes" else 1
    for _ in range(site_reads):
        wish = Wish(database_url=filled_url, url=site.url)
        result = await sync(wish)
    assert_polite(site, wish)
    assert (result.outcome, failures(result)) == ("Succeeded", {})
    expected = {"listed": TRACKS, "unchanged": TRACKS, "fetched": TRACKS, **USABLE_CATALOGUES[kind]}
    told = {name: number for name, number in counters(result).items() if name not in {"requests", "bytes"}}
    assert told == expected
    assert all(row["is_active"] for row in stored.tracks(filled_url).values())
    assert stored.differences(filled_url, site.truth()) == {}


async def test_H12_half_of_the_list_gone_is_withheld_the_rest_is_applied_and_an_approval_lets_it_go(
    changing_site: Simulated, database_url: str
) -> None:
    wish = Wish(database_url=database_url, url=changing_site.url)
    assert (await sync(wish)).outcome == "Succeeded"
    changing_site.next_day()
    changing_site.switch(catalogue_fault="half")
    result = await sync(wish.again())
    listed = counters(result)["listed"]
    vanished = counters(result)["withheld"]
    assert (result.outcome, result.status.withheld) == (
        "Succeeded",
        WithheldStatus(count=vanished, active_before=TRACKS, reasons=("maxPercent",)),
    )
    assert f"{vanished} vanished tracks stay active (maxPercent)" in result.message
    assert "deactivated" not in counters(result)
    assert TRACKS // 2 - 2 <= listed <= TRACKS // 2 + 2
    assert counters(result)["updated"] > 0
    tracks, truth = stored.tracks(database_url), changing_site.truth()
    assert len(tracks) >= TRACKS
    assert vanished == len(tracks) - listed >= TRACKS // 3
    assert all(row["is_active"] and row["deactivated_at"] is None for row in tracks.values())
    right = [slug for slug in truth if slug in tracks and slug not in stored.differences(database_url, truth)]
    assert len(right) >= listed
    # One less than vanished is no approval; as many are, and only they go.
    refused = await sync(wish.again(approved_ceiling=vanished - 1))
    assert counters(refused)["withheld"] == vanished
    approved = await sync(wish.again(approved_ceiling=vanished))
    assert (approved.outcome, approved.status.withheld, counters(approved)["deactivated"]) == (
        "Succeeded",
        None,
        vanished,
    )
    after = stored.tracks(database_url)
    assert sum(row["is_active"] for row in after.values()) == listed
    gone = [slug for slug, row in after.items() if not row["is_active"]]
    assert all(after[slug]["deactivated_at"] is not None for slug in gone)
    kept = {"is_active", "deactivated_at", "missing_since", "last_seen_at"}
    assert not [slug for slug in gone if _without(after[slug], kept) != _without(tracks[slug], kept)]
    # Once the list is whole again, those that are really there come back with the ids that they had.
    changing_site.switch(catalogue_fault="none")
    assert counters(await sync(wish.again()))["reactivated"] == len(truth.keys() & set(gone)) > TRACKS // 3
    back = stored.tracks(database_url)
    assert {slug for slug, row in back.items() if row["is_active"]} == set(truth)
    assert {slug: row["id"] for slug, row in back.items() if slug in tracks} == {s: r["id"] for s, r in tracks.items()}


def _without(row: dict[str, Any], columns: set[str]) -> dict[str, Any]:
    return {column: value for column, value in row.items() if column not in columns}


async def test_H4_a_redirect_from_https_to_http_is_refused_and_nothing_is_sent_in_the_clear(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, domain = Authority(tmp_path), "tracks.example.org"
    monkeypatch.setattr(web_source, "Site", partial(Site, tls=authority.client()))
    listing = response(a_catalogue(rows(12)).replace("liverc.com", domain))
    moved = response(status=302, Location=f"http://track7.{domain}/")

    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        page = moved if request.host.startswith("track7.") else response(a_dashboard())
        writer.write(listing if request.host.startswith("live.") else page)

    async with serving(handle, tls=authority.server(f"*.{domain}")) as server:
        entry = {"scheme": "https", "domain": domain, "connect_to": f"127.0.0.1:{server.port}"}
        result = await sync(Wish(database_url=database_url, url="", entry=entry))
    assert (result.outcome, failures(result)) == ("CompletedWithErrors", {"track7": "Redirect"})
    assert [request.path for request in server.requests if request.host.startswith("track7.")] == ["/"]


async def test_H7_bytes_that_no_utf_8_has_are_stored_as_text_that_is_safe(site: Simulated, database_url: str) -> None:
    site.switch(catalogue_fault="invalid-utf8", dashboard_faults={"invalid-utf8": 1})
    result = await sync(Wish(database_url=database_url, url=site.url))
    assert (result.outcome, counters(result)["fetched"]) == ("Succeeded", TRACKS)
    assert set(stored.tracks(database_url)) == set(site.truth())
    assert stored.unsafe_texts(database_url) == []


# The same as a pod does it, with its memory watched.


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker's run: each fault on one host, the catalogue's own fault, the exit code."""

    kinds: tuple[str, ...]
    catalogue_kind: str = "none"
    code: int = 0


CLASSES: Final = {kind: name for kinds in DASHBOARDS.values() for kind, name in kinds.items()} | {
    "drip": "Timeout",
    "nested": "Parser",
}
WORKERS: Final = {
    "H3": Worker(("drip",)),
    "H4-H5-H7": Worker(("redirect-loop", "oversize", "login-page")),
    "H8": Worker(("nested",)),
    "H8-catalogue": Worker((), catalogue_kind="nested", code=40),
    "H9": Worker(("hostile-text",), catalogue_kind="list-changes"),
    "H12": Worker(("hostile-text",), catalogue_kind="half"),
}


@pytest.mark.parametrize("row", WORKERS)
def test_H3_H4_H5_H7_H8_H9_H12_a_worker_stays_small_and_ends_as_the_row_says(
    site: Simulated, filled_url: str, tmp_path: Path, row: str
) -> None:
    case = WORKERS[row]
    struck = {kind: site.hosts_of(kind, 1) for kind in case.kinds}
    lost = {slug: CLASSES[kind] for kind, (hit, _) in struck.items() for slug in hit if kind in CLASSES}
    rules = {kind: {"rate": rate} for kind, (_, rate) in struck.items()}
    site.switch(dashboard_faults=rules, catalogue_fault=case.catalogue_kind, drip_s=0.05)
    wish = Wish(database_url=filled_url, url=site.url, attempts=1)
    ended = run_worker(wish, tmp_path, total_seconds=DEADLINE if "drip" in case.kinds else None)
    assert_polite(site, wish)
    assert ended.code == case.code
    assert failures(ended.result) == lost
    good = "CompletedWithErrors" if lost else "Completed"
    assert ended.result.reason == ("SourceInvalid" if case.code else good)
    assert_bounded(ended.peak)
    assert stored.differences(filled_url, site.truth()) == {}


def test_every_fault_of_a_page_has_its_place() -> None:
    dashboards = {kind for kinds in DASHBOARDS.values() for kind in kinds}
    catalogues = {kind for kinds in CATALOGUES.values() for kind in kinds}
    assert dashboards | set(HARMLESS_DASHBOARDS) | OTHER_DASHBOARDS == {fault.value for fault in DashboardFault}
    assert catalogues | set(USABLE_CATALOGUES) | OTHER_CATALOGUES == {fault.value for fault in CatalogueFault}
