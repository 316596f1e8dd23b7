"""A run's report in each of its forms, and the instants that its list is narrowed by."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest

from tracksync.cli.ledger import instant
from tracksync.cli.reports import as_html, as_markdown, as_text
from tracksync.core.tracks.history import FailedTrack, RunRecord, RunReport
from tracksync.core.tracks.plan import ChangeKind, TrackChange
from tracksync.errors import SettingsError

OPENED = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
RUN_ID = "5e2f0f1e-0000-4000-8000-000000000001"


def a_report(*, mode: str = "apply", name: str = "nightly", changes: tuple[TrackChange, ...] = ()) -> RunReport:
    run = RunRecord(
        RUN_ID, name, "racing", "liverc", mode, "succeeded", "Completed", 2, OPENED, OPENED + timedelta(seconds=60),
        finished_at=OPENED + timedelta(seconds=332.4), results={"listed": 1090, "updatedTotals": 7},
    )  # fmt: skip
    return RunReport(run, changes, (FailedTrack("sunvalley", "timeout", None, 3), FailedTrack("z", "http", 503, 1)))


UPDATED = TrackChange("alpha", ChangeKind.UPDATED, ("city", "name"))
VANISHED = TrackChange("beta", ChangeKind.DEACTIVATED)


def test_the_text_names_the_run_its_counters_each_change_and_each_failure() -> None:
    lines = as_text(a_report(changes=(UPDATED, VANISHED))).splitlines()
    assert lines[0] == "Run nightly"
    assert "  seconds    272.4" in lines
    assert "  updated totals  7" in lines
    assert lines[lines.index("TRACKS THAT CHANGED") + 1 :][:2] == [
        "  updated      alpha  city, name",
        "  deactivated  beta",
    ]
    assert lines[-2:] == ["  sunvalley  timeout       3", "  z          http     503  1"]


def test_a_plan_says_that_nothing_has_happened_yet() -> None:
    text = as_text(a_report(mode="plan"))
    assert text.startswith("Plan nightly\n")
    assert "TRACKS THAT WOULD CHANGE\n  none\n" in text


def test_markdown_is_made_of_tables_and_escapes_what_would_break_them() -> None:
    text = as_markdown(a_report(name="a|b*", changes=(UPDATED,)))
    assert text.startswith("# Run a\\|b\\*\n")
    assert "| kind | slug | fields |\n| --- | --- | --- |\n| updated | alpha | city, name |\n" in text


class _Cells(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 -- the parser's signature
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_html_holds_the_same_facts_and_runs_nothing_that_a_name_says() -> None:
    page = _Cells()
    page.feed(as_html(a_report(name="<script>alert(1)</script>", changes=(UPDATED,))))
    assert "script" not in page.tags
    assert "Run <script>alert(1)</script>" in page.text
    assert {"alpha", "city, name", "sunvalley", "1090"} <= set(page.text)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T02:00Z", OPENED),
        ("2026-03-01T03:00+01:00", OPENED),
    ],
)
def test_an_instant_is_a_date_or_a_time_in_utc_unless_it_says_otherwise(text: str, moment: datetime) -> None:
    assert instant("--since", text) == moment


def test_an_instant_may_be_an_age() -> None:
    before = datetime.now(UTC)
    moment = instant("--since", "36h")
    assert moment is not None
    assert before - timedelta(hours=36) <= moment <= datetime.now(UTC) - timedelta(hours=36)


@pytest.mark.parametrize("text", ["", "yesterday", "36", "36x", "2026-13-01", "999999d"])
def test_another_text_is_refused_with_the_option_and_examples(text: str) -> None:
    with pytest.raises(SettingsError, match=r"--until: give a date such as 2026-03-01"):
        instant("--until", text)
