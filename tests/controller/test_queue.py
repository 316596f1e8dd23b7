"""Several runs on the twin of the cluster: who runs, who waits, who is woken, and what a race between passes does."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.controller.driving import CrashPoint, Rig
from tests.support.runs import KEY, SPEC
from tracksync.controller.reconcile import reconcile
from tracksync.core.runs.model import Key
from tracksync.core.runs.queue import Limits

SECOND, THIRD = Key(KEY.namespace, "second"), Key(KEY.namespace, "third")


def with_secret(name: str) -> dict[str, Any]:
    return {"target": {"databaseSecretRef": {"name": name}}}


async def three(rig: Rig) -> None:
    """Three runs for one database, a second apart; the first one's worker runs."""
    await rig.settle()
    for key in (SECOND, THIRD):
        rig.clock.advance(1)
        rig.cluster.add_run(key, dict(SPEC))
        await rig.settle(key)


async def test_a_second_run_for_the_same_database_is_queued_with_its_place_and_no_job() -> None:
    rig = Rig()
    await three(rig)
    assert [rig.at(key)["phase"] for key in (SECOND, THIRD)] == ["Queued", "Queued"]
    assert [rig.at(key)["queuePosition"] for key in (SECOND, THIRD)] == [1, 2]
    assert rig.condition("Admitted", SECOND) == "False/Queued"
    assert KEY.name in rig.at(SECOND)["message"]
    assert len(rig.cluster.jobs) == 1


async def test_the_next_one_is_woken_at_once_when_its_turn_comes() -> None:
    rig = Rig()
    await three(rig)
    await rig.attempt(40)
    assert (rig.status["phase"], rig.at(SECOND)["phase"], rig.at(THIRD)["phase"]) == ("Failed", "Pending", "Queued")
    assert rig.condition("Admitted", SECOND) == "True/Admitted"
    assert "queuePosition" not in rig.at(SECOND)
    assert len(rig.live_jobs) == 1


@pytest.mark.parametrize("how", ["cancel", "suspend", "delete", "force"])
async def test_whatever_ends_a_turn_wakes_the_next_one(how: str) -> None:
    rig = Rig()
    await three(rig)
    if how in {"cancel", "suspend"}:
        rig.cluster.change_spec(KEY, **{how: True})
    elif how == "delete":
        rig.cluster.remove_run(KEY)
    else:
        del rig.cluster.runs[KEY]
        rig.cluster.collect_garbage()
    await rig.settle()
    rig.cluster.end_deletion()
    await rig.settle()
    await rig.settle()  # the event that tells of a vanished run
    assert rig.at(SECOND)["phase"] == "Pending"
    assert len(rig.live_jobs) == 1


async def test_a_run_keeps_its_turn_during_the_pause_before_its_next_attempt() -> None:
    rig = Rig()
    await three(rig)
    await rig.attempt(20)
    assert (rig.status["phase"], rig.condition("Admitted")) == ("Retrying", "True/Admitted")
    await rig.settle(SECOND)
    assert rig.at(SECOND)["phase"] == "Queued"


async def test_a_time_in_the_queue_counts_neither_for_the_deadline_nor_for_the_sla() -> None:
    rig = Rig()
    await three(rig)
    rig.clock.advance(100_000)
    await rig.settle(SECOND)
    assert rig.at(SECOND)["phase"] == "Queued"
    await rig.attempt(40)
    assert (rig.at(SECOND)["phase"], rig.condition("SLAMet", SECOND)) == ("Pending", "Unknown/InProgress")


async def test_other_databases_do_not_wait_for_each_other() -> None:
    rig = Rig()
    await rig.settle()
    rig.cluster.add_run(SECOND, with_secret("another"))
    await rig.settle(SECOND)
    assert len(rig.live_jobs) == 2


@pytest.mark.parametrize("limits", [Limits(total=1), Limits(per_namespace=1)])
async def test_a_limit_queues_runs_for_other_databases_too(limits: Limits) -> None:
    rig = Rig(limits=limits)
    await rig.settle()
    rig.cluster.add_run(SECOND, with_secret("another"))
    await rig.settle(SECOND)
    assert (rig.at(SECOND)["phase"], rig.at(SECOND)["queuePosition"]) == ("Queued", 1)
    assert "allows 1" in rig.at(SECOND)["message"]
    await rig.attempt(40)
    assert rig.at(SECOND)["phase"] == "Pending"


async def test_a_run_that_cannot_be_read_holds_nobody_up() -> None:
    rig = Rig(spec=SPEC | {"fromTheFuture": True})
    await rig.settle()
    rig.cluster.add_run(SECOND, dict(SPEC))
    await rig.settle(SECOND)
    assert rig.at(SECOND)["phase"] == "Pending"


async def test_passes_at_the_same_time_admit_one_run() -> None:
    """Every port call gives the others a chance, as a real API server does."""
    rig = Rig()
    keys = [Key(KEY.namespace, f"run-{number}") for number in range(8)]
    for key in keys:
        rig.cluster.add_run(key, dict(SPEC))
    for name in ("read_run", "list_unfinished", "write_finalizers", "apply_operator_status", "create_job"):
        setattr(rig.cluster, name, yielding(getattr(rig.cluster, name)))
    for _ in range(6):
        await asyncio.gather(*(reconcile(key, rig.ports) for key in (KEY, *keys)))
    assert len(rig.live_jobs) == 1
    phases = sorted(rig.at(key)["phase"] for key in (KEY, *keys))
    assert phases == ["Pending", *["Queued"] * 8]


def yielding(method: Any) -> Any:
    async def call(*arguments: Any, **named: Any) -> Any:
        await asyncio.sleep(0)
        answer = await method(*arguments, **named)
        await asyncio.sleep(0)
        return answer

    return call


async def end_state(crash: CrashPoint) -> tuple[Any, int]:
    rig = Rig(crash)
    await three(rig)
    await rig.attempt(40)
    rig.woken.clear()  # a killed operator wakes nobody; after a restart everybody is looked at
    for key in (SECOND, THIRD):
        await rig.settle(key)
    phases = [rig.at(key)["phase"] for key in (KEY, SECOND, THIRD)]
    return (phases, len(rig.live_jobs), rig.cluster.jobs_created), rig.kills


async def test_O1_killing_the_operator_around_any_port_call_keeps_the_queue() -> None:  # noqa: N802 -- fault id
    counter = CrashPoint()
    expected, _ = await end_state(counter)
    assert expected == (["Failed", "Pending", "Queued"], 1, 2)
    for number in range(1, counter.calls + 1):
        assert await end_state(CrashPoint(number)) == (expected, 1), f"killed before call {number}"
