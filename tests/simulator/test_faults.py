from __future__ import annotations

from typing import Any

import pytest

from tracksync.errors import SettingsError
from tracksync.simulator.faults import (
    CatalogueFault,
    DashboardFault,
    DashboardRule,
    Switches,
    cut,
    dashboard_fault_or_none,
)

SLUGS = [f"track{number}" for number in range(4000)]


def afflicted(rate: float, seed: int = 1, fault: DashboardFault = DashboardFault.HTTP_500) -> set[str]:
    rules = (DashboardRule(fault, rate),)
    return {slug for slug in SLUGS if dashboard_fault_or_none(rules, seed, slug) is not None}


@pytest.mark.parametrize("rate", [0.0, 0.05, 0.5, 1.0])
def test_about_the_asked_share_of_hosts_is_afflicted(rate: float) -> None:
    assert len(afflicted(rate)) / len(SLUGS) == pytest.approx(rate, abs=0.02)


def test_the_same_seed_afflicts_the_same_hosts_and_a_higher_rate_only_adds_some() -> None:
    assert afflicted(0.1) == afflicted(0.1)
    assert afflicted(0.1) < afflicted(0.2)
    assert afflicted(0.1) != afflicted(0.1, seed=2)
    assert afflicted(0.1) != afflicted(0.1, fault=DashboardFault.LOGIN_PAGE)


def test_the_choice_of_hosts_is_pinned_so_that_no_process_or_release_changes_it() -> None:
    assert sorted(afflicted(0.001)) == ["track1078", "track1126", "track2758", "track667"]


def test_the_first_rule_that_has_a_host_decides() -> None:
    rules = (DashboardRule(DashboardFault.HTTP_404, 1.0), DashboardRule(DashboardFault.HTTP_500, 1.0))
    assert dashboard_fault_or_none(rules, 1, "any") is rules[0]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("http-500=0.2", DashboardRule(DashboardFault.HTTP_500, 0.2)),
        ("login-page=1:2", DashboardRule(DashboardFault.LOGIN_PAGE, 1.0, times=2)),
    ],
)
def test_a_rule_can_be_written_as_text(text: str, rule: DashboardRule) -> None:
    assert DashboardRule.parse(text) == rule


@pytest.mark.parametrize(
    "text", ["", "http-500", "http-500=", "http-999=0.1", "http-500=2", "http-500=0.1:0", "=0.1", "http-404=x:1"]
)
def test_an_unusable_rule_is_refused_with_a_hint(text: str) -> None:
    with pytest.raises(SettingsError, match=r"give|KIND=RATE"):
        DashboardRule.parse(text)


def test_all_switches_survive_the_way_through_json() -> None:
    switches = Switches(
        latency_ms=120,
        catalogue_fault=CatalogueFault.CUT,
        catalogue_cut_at=0.25,
        dashboard_faults=(
            DashboardRule(DashboardFault.HTTP_500, 0.1, times=3),
            DashboardRule(DashboardFault.HTTP_404, 0.2),
        ),
        pause_at=7,
    )
    assert Switches().changed(switches.as_json()) == switches


def test_a_change_leaves_the_other_switches_alone() -> None:
    switches = Switches(latency_ms=5, pause_at=3).changed({"catalogue_fault": "empty"})
    assert switches == Switches(latency_ms=5, pause_at=3, catalogue_fault=CatalogueFault.EMPTY)
    assert switches.changed({"pause_at": None}).pause_at is None


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"catalog_fault": "cut"}, "catalog_fault"),
        ({"latency_ms": -1}, "latency_ms"),
        ({"latency_ms": "5"}, "latency_ms"),
        ({"latency_ms": True}, "latency_ms"),
        ({"latency_ms": None}, "latency_ms"),
        ({"catalogue_fault": "gone"}, "catalogue_fault"),
        ({"catalogue_fault": None}, "catalogue_fault"),
        ({"catalogue_cut_at": 1}, "catalogue_cut_at"),
        ({"catalogue_cut_at": "half"}, "catalogue_cut_at"),
        ({"pause_at": -1}, "pause_at"),
        ({"pause_at": 1.5}, "pause_at"),
        ({"dashboard_faults": ["http-500"]}, "dashboard_faults"),
        ({"dashboard_faults": {"http-999": 0.1}}, "http-999"),
        ({"dashboard_faults": {"http-500": 1.1}}, "http-500"),
        ({"dashboard_faults": {"http-500": {"times": 1}}}, "http-500"),
        ({"dashboard_faults": {"http-500": {"rate": 0.1, "often": 1}}}, "often"),
    ],
)
def test_an_unusable_change_is_refused_and_named(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        Switches().changed(changes)


@pytest.mark.parametrize(
    ("fraction", "expected"),
    [(0.5, b"<table><tr>"[:9]), (0.0, b""), (0.99, b"<table><tr>")],
)
def test_a_cut_page_never_reaches_its_closing_table_tag(fraction: float, expected: bytes) -> None:
    assert cut(b"<table><tr></table>", fraction) == expected
