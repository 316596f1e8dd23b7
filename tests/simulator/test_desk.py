from __future__ import annotations

import asyncio

import pytest

from tracksync.errors import SettingsError
from tracksync.simulator.desk import FaultDesk
from tracksync.simulator.faults import DashboardFault, DashboardRule, Switches


def desk(**switches: object) -> FaultDesk:
    return FaultDesk(1, Switches(**switches))  # type: ignore[arg-type]  # a row states only what matters


async def arrive(gate: FaultDesk, count: int) -> list[asyncio.Task[None]]:
    """Let so many dashboards arrive and run until each has passed or waits."""
    tasks = [asyncio.create_task(gate.pass_gate()) for _ in range(count)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


def passed(tasks: list[asyncio.Task[None]]) -> int:
    return sum(task.done() for task in tasks)


async def test_without_a_pause_every_dashboard_passes() -> None:
    assert passed(await arrive(desk(), 20)) == 20


async def test_the_pause_lets_so_many_pass_and_holds_the_rest_until_released() -> None:
    gate = desk(pause_at=3)
    tasks = await arrive(gate, 5)
    assert (passed(tasks), gate.held) == (3, 2)
    assert gate.release() == 2
    await asyncio.gather(*tasks)
    assert gate.held == 0
    assert passed(await arrive(gate, 9)) == 9


async def test_a_pause_set_later_counts_from_then_and_frees_who_waited_before() -> None:
    gate = desk(pause_at=0)
    first = await arrive(gate, 2)
    gate.change({"pause_at": 1})
    await asyncio.gather(*first)
    second = await arrive(gate, 2)
    assert (passed(second), gate.held) == (1, 1)
    gate.release()
    await asyncio.gather(*second)


async def test_a_dashboard_that_gives_up_waiting_is_held_no_more() -> None:
    gate = desk(pause_at=0)
    (task,) = await arrive(gate, 1)
    task.cancel()
    await asyncio.wait({task})
    assert gate.held == 0


async def test_another_switch_does_not_open_the_gate() -> None:
    gate = desk(pause_at=0)
    tasks = await arrive(gate, 1)
    gate.change({"latency_ms": 1, "dashboard_faults": {"http-500": 1}})
    await asyncio.sleep(0)
    assert passed(tasks) == 0
    gate.release()
    await asyncio.gather(*tasks)


def test_a_fault_with_times_ends_after_so_many_requests_of_that_host() -> None:
    faulty = desk(dashboard_faults=(DashboardRule(DashboardFault.HTTP_500, 1.0, times=2),))
    assert [faulty.fault_for("one") for _ in range(3)] == [DashboardFault.HTTP_500, DashboardFault.HTTP_500, None]
    assert faulty.fault_for("two") is DashboardFault.HTTP_500


def test_setting_faults_anew_counts_anew() -> None:
    faulty = desk(dashboard_faults=(DashboardRule(DashboardFault.HTTP_500, 1.0, times=1),))
    assert [faulty.fault_for("one"), faulty.fault_for("one")] == [DashboardFault.HTTP_500, None]
    faulty.change({"dashboard_faults": {"http-404": {"rate": 1, "times": 1}}})
    assert faulty.fault_for("one") is DashboardFault.HTTP_404


def test_a_refused_change_changes_nothing() -> None:
    faulty = desk(latency_ms=7)
    with pytest.raises(SettingsError):
        faulty.change({"latency_ms": 1, "pause_at": -4})
    assert faulty.switches == Switches(latency_ms=7)


def test_reset_goes_back_to_the_start() -> None:
    faulty = desk(latency_ms=7)
    faulty.change({"latency_ms": 1, "pause_at": 4})
    faulty.reset()
    assert faulty.switches == Switches(latency_ms=7)


def test_the_number_of_affected_hosts_equals_what_they_are_served() -> None:
    rules = (DashboardRule(DashboardFault.HTTP_500, 0.3), DashboardRule(DashboardFault.HTTP_404, 0.3))
    faulty = desk(dashboard_faults=rules)
    slugs = [f"track{number}" for number in range(500)]
    served = [faulty.fault_for(slug) for slug in slugs]
    assert faulty.affected(slugs) == {kind.value: served.count(kind) for kind in (rule.fault for rule in rules)}
