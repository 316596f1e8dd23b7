"""The safety net: who is woken although nothing happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.controller.driving import Rig
from tests.support.runs import KEY
from tracksync.controller.resync import Resync

if TYPE_CHECKING:
    from tracksync.core.runs.model import Key


async def woken(rig: Rig) -> list[Key]:
    found: list[Key] = []
    await Resync(rig.cluster, rig.clock, found.append, namespaces=(), period=1.0).round()
    return found


@pytest.mark.parametrize(
    ("status", "is_woken"),
    [
        ({}, True),
        ({"phase": "Queued"}, True),
        ({"phase": "Running", "observedGeneration": 1}, True),
        ({"phase": "Suspended", "observedGeneration": 1}, True),
        ({"phase": "Failed", "observedGeneration": 1}, False),
        ({"phase": "Failed", "observedGeneration": 0}, True),
    ],
)
async def test_what_is_not_settled_is_woken(status: dict[str, Any], is_woken: bool) -> None:  # noqa: FBT001 -- a column of the table
    rig = Rig()
    rig.run["status"] = status
    assert await woken(rig) == ([KEY] if is_woken else [])


async def test_a_finished_run_is_woken_when_its_time_is_over() -> None:
    rig = Rig()
    rig.run["spec"]["ttlSecondsAfterFinished"] = 604_800
    rig.run["status"] = {"phase": "Failed", "observedGeneration": 1, "completionTime": "2026-01-31T02:00:00Z"}
    rig.clock.advance(604_799)
    assert await woken(rig) == []
    rig.clock.advance(1)
    assert await woken(rig) == [KEY]
    await rig.settle()
    assert KEY not in rig.cluster.runs
