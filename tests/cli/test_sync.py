"""Which source `tracksync run` may talk to, how fast, and the JSON document at its end."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from tests.worker.running import a_request
from tracksync.api.deactivation import DeactivationPolicy
from tracksync.api.job import Results, WithheldStatus, WorkerStatus
from tracksync.api.source import SourceEntry
from tracksync.api.spec import SyncMode
from tracksync.cli.options import Deactivation, RunOutput
from tracksync.cli.sync import SyncReport, SyncWish, run_request, show, source_entry
from tracksync.core.tracks.freshness import Refresh
from tracksync.core.tracks.guards import DeactivationGuard
from tracksync.core.tracks.plan import RunMode
from tracksync.errors import SettingsError
from tracksync.liverc.version import PARSER_VERSION
from tracksync.worker.ending import completed, result_of


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        pytest.param(
            SyncWish(contact="me@example.org"),
            {"scheme": "https", "connect_to": None, "rate": 4, "concurrency": 6, "private": False},
            id="the real source",
        ),
        pytest.param(
            SyncWish(contact="me@example.org", requests_per_second=1, concurrency=2),
            {"scheme": "https", "connect_to": None, "rate": 1, "concurrency": 2, "private": False},
            id="the real source, even more politely",
        ),
        pytest.param(
            SyncWish(source_url="http://127.0.0.1:8080"),
            {"scheme": "http", "connect_to": "127.0.0.1:8080", "rate": 100, "concurrency": 16, "private": True},
            id="a simulator on this machine",
        ),
        pytest.param(
            SyncWish(source_url="http://[::1]:8080/", requests_per_second=5000, concurrency=64),
            {"scheme": "http", "connect_to": "[::1]:8080", "rate": 5000, "concurrency": 64, "private": True},
            id="as fast as wanted",
        ),
        pytest.param(
            SyncWish(source_url="https://mirror.example.org"),
            {"scheme": "https", "connect_to": "mirror.example.org:443", "rate": 4, "concurrency": 6, "private": True},
            id="a mirror elsewhere is asked politely unless told otherwise",
        ),
    ],
)
def test_options_lead_to_the_source_and_its_limits(wish: SyncWish, expected: dict[str, object]) -> None:
    entry = source_entry(wish)
    assert {
        "scheme": entry.scheme,
        "connect_to": entry.connect_to,
        "rate": entry.requests_per_second,
        "concurrency": entry.concurrency,
        "private": entry.allow_private_addresses,
    } == expected


@pytest.mark.parametrize(
    ("wish", "option"),
    [
        (SyncWish(), "--contact"),
        (SyncWish(contact="me@example.org", requests_per_second=5), "--requests-per-second"),
        (SyncWish(contact="me@example.org", concurrency=7), "--concurrency"),
        (SyncWish(source_url="ftp://127.0.0.1"), "--source-url"),
        (SyncWish(source_url="http://127.0.0.1:99999"), "--source-url"),
        (SyncWish(source_url="http://user:pw-canary@127.0.0.1"), "--source-url"),
        (SyncWish(source_url="http://127.0.0.1/path"), "--source-url"),
        (SyncWish(source_url="https://live.liverc.com"), "--source-url"),
        (SyncWish(source_url="https://LIVERC.com", requests_per_second=1000), "--source-url"),
        (SyncWish(source_url="http://127.0.0.1", source_name="No Name"), "--source-name"),
    ],
)
def test_an_unusable_or_impolite_wish_is_refused_by_option(wish: SyncWish, option: str) -> None:
    with pytest.raises(SettingsError, match=option) as refusal:
        source_entry(wish)
    assert "canary" not in str(refusal.value)


@pytest.mark.parametrize(
    ("wish", "refresh", "attempts"),
    [
        pytest.param(SyncWish(), Refresh(timedelta(days=7), PARSER_VERSION), 3, id="the defaults of a TrackSyncJob"),
        pytest.param(SyncWish(refresh_after="0s"), Refresh(timedelta(0), PARSER_VERSION), 3, id="all"),
        pytest.param(
            SyncWish(refresh_after="1h30m", attempts=1), Refresh(timedelta(minutes=90), PARSER_VERSION), 1, id="own"
        ),
        pytest.param(SyncWish(fetch_dashboards=False), None, 3, id="no metadata"),
    ],
)
def test_options_say_which_dashboards_are_fetched(wish: SyncWish, refresh: Refresh | None, attempts: int) -> None:
    request = run_request(wish, SourceEntry(), database_setting="--data-dir")
    assert (request.refresh, request.attempts) == (refresh, attempts)
    assert run_request(wish, SourceEntry(), database_setting="--data-dir").identity != request.identity


@pytest.mark.parametrize("refresh_after", ["", "7d", "168", "-1h", "1.5h", "h"])
def test_an_age_that_is_no_duration_is_refused_by_option(refresh_after: str) -> None:
    with pytest.raises(SettingsError, match="--refresh-after"):
        run_request(SyncWish(refresh_after=refresh_after), SourceEntry(), database_setting="--data-dir")


@pytest.mark.parametrize(
    ("wish", "guard"),
    [
        pytest.param(SyncWish(), DeactivationGuard(), id="the defaults of a TrackSyncJob"),
        pytest.param(
            SyncWish(deactivation=Deactivation.WITHHOLD),
            DeactivationGuard(policy=DeactivationPolicy.WITHHOLD),
            id="only reported",
        ),
        pytest.param(
            SyncWish(max_percent=0, max_count=3, approved_ceiling=7),
            DeactivationGuard(max_percent=0, max_count=3, approved_ceiling=7),
            id="own limits",
        ),
        pytest.param(
            SyncWish(only_slugs=("a",)),
            DeactivationGuard(policy=DeactivationPolicy.DISABLED),
            id="single tracks: nothing is looked for",
        ),
        pytest.param(
            SyncWish(only_slugs=("a",), deactivation=Deactivation.WITHHOLD),
            DeactivationGuard(policy=DeactivationPolicy.WITHHOLD),
            id="single tracks, the rest counted",
        ),
    ],
)
def test_options_say_what_happens_to_vanished_tracks(wish: SyncWish, guard: DeactivationGuard) -> None:
    assert run_request(wish, SourceEntry(), database_setting="--data-dir").guard == guard


def test_single_tracks_are_named_by_option() -> None:
    request = run_request(SyncWish(only_slugs=("a", "b-2", "a")), SourceEntry(), database_setting="--data-dir")
    assert (request.only_slugs, request.only_slugs_setting) == ({"a", "b-2"}, "--only-slug")


@pytest.mark.parametrize(
    ("wish", "option"),
    [
        (SyncWish(only_slugs=("Sun Valley",)), "--only-slug"),
        (SyncWish(only_slugs=("a", "")), "--only-slug"),
        (SyncWish(only_slugs=("a.liverc.com",)), "--only-slug"),
        (SyncWish(only_slugs=("a",), deactivation=Deactivation.APPLY), "--deactivation"),
        (SyncWish(max_percent=101), "--max-percent"),
        (SyncWish(approved_ceiling=-1), "--approved-ceiling"),
    ],
)
def test_an_unusable_wish_about_vanished_or_single_tracks_is_refused_by_option(wish: SyncWish, option: str) -> None:
    with pytest.raises(SettingsError, match=option):
        run_request(wish, SourceEntry(), database_setting="--data-dir")


def test_options_say_whether_tracks_are_written_and_how() -> None:
    wish = SyncWish(mode=SyncMode.PLAN, batch_size=7, max_failed_percent=1, history_days=90)
    request = run_request(wish, SourceEntry(), database_setting="--data-dir")
    assert (request.mode, request.batch_size, request.max_failed_percent, request.keep_days) == (RunMode.PLAN, 7, 1, 90)
    request = run_request(SyncWish(), SourceEntry(), database_setting="--data-dir")
    assert (request.mode, request.batch_size, request.max_failed_percent) == (RunMode.APPLY, 500, 10)
    assert request.keep_days == 30


def test_the_text_of_a_plan_says_how_to_see_it(capsys: pytest.CaptureFixture[str]) -> None:
    results = Results(listed=3, inserted=3)
    result = result_of(completed(results, is_plan=True), a_request().identity, WorkerStatus(results=results))
    show(SyncReport(result, 1, 0, RunMode.PLAN), RunOutput.TEXT)
    out, _ = capsys.readouterr()
    assert "a plan, no track was touched; 3 tracks listed: 3 inserted" in out
    assert f"`tracksync report {result.run_id}` lists what would change" in out
    assert json.loads(SyncReport(result, 1, 0, RunMode.PLAN).as_json())["reason"] == "Planned"


def a_report(*reasons: str) -> SyncReport:
    """A run that withheld 545 tracks for these reasons, or deactivated 3."""
    results = Results(listed=3, unchanged=3, withheld=545) if reasons else Results(listed=3, deactivated=3)
    withheld = WithheldStatus(count=545, active_before=1090, reasons=reasons) if reasons else None
    status = WorkerStatus(results=results, withheld=withheld)
    return SyncReport(result_of(completed(results, withheld=withheld), a_request().identity, status), 1, 3)


@pytest.mark.parametrize(
    ("reasons", "words", "is_advised"),
    [
        ((), "3 deactivated", False),
        (("maxPercent", "maxCount"), "545 vanished tracks stay active (maxPercent, maxCount)", True),
        (("skippedRows", "maxCount"), "545 vanished tracks stay active (skippedRows, maxCount)", False),
    ],
)
def test_the_text_tells_what_became_of_vanished_tracks(
    reasons: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str], *, is_advised: bool
) -> None:
    show(a_report(*reasons), RunOutput.TEXT)
    out, err = capsys.readouterr()
    assert words in out
    assert ("--approved-ceiling 545" in out) is is_advised
    assert err == ""


def test_the_json_document_tells_what_was_withheld_and_why() -> None:
    document = json.loads(a_report("maxPercent").as_json())
    assert (document["deactivated"], document["withheld"], document["withheldReasons"]) == (0, 545, ["maxPercent"])
    document = json.loads(a_report().as_json())
    assert (document["deactivated"], document["withheld"], document["withheldReasons"]) == (3, 0, [])


def test_the_json_document_holds_exactly_the_documented_keys() -> None:
    results = Results(listed=3, inserted=3, requests=4, bytes=99)
    result = result_of(completed(results), a_request().identity, WorkerStatus(results=results))
    document = json.loads(SyncReport(result, 1.23456, 3).as_json())
    assert list(document) == [
        "runId", "outcome", "reason", "message",
        "listed", "inserted", "updated", "updatedTotals", "unchanged", "reactivated", "deactivated", "withheld",
        "fetched", "notModified", "retried", "failedItems", "skippedRows", "duplicates",
        "requests", "robotsRequests", "bytes", "withheldReasons",
        "durationSeconds", "activeTracks",
    ]  # fmt: skip
    assert (document["outcome"], document["durationSeconds"], document["activeTracks"]) == ("Succeeded", 1.235, 3)


def test_the_json_document_of_a_run_that_never_began_has_the_same_keys() -> None:
    result = result_of(completed(Results()), a_request().identity, WorkerStatus())
    assert json.loads(SyncReport(result, 0, None).as_json())["listed"] == 0
