"""Whose turn it is: a table per rule, and what holds for every crowd of runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.clocks import START
from tracksync.api.base import format_timestamp
from tracksync.core.runs.model import Key
from tracksync.core.runs.queue import Contender, Limits, Slot, contender_of, slot_of, turn_of

NO_LIMITS = Limits()


def contender(
    name: str, *, namespace: str = "a", database: str = "db", age: int = 0, active: bool = False
) -> Contender:
    slot = Slot(namespace, database, "url", "liverc")
    return Contender(Key(namespace, name), slot, START - timedelta(seconds=age), active)


def position(me: Contender, *others: Contender, limits: Limits = NO_LIMITS) -> int:
    return turn_of(me, [me, *others], limits).position


ME = contender("me", age=10)


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([], 0),
        ([contender("younger", age=1)], 0),
        ([contender("older", age=20)], 1 + 1),
        ([contender("holder", active=True)], 1),
        ([contender("holder", active=True), contender("older", age=20), contender("younger", age=1)], 2),
        ([contender("a-same-second", age=10)], 2),
        ([contender("z-same-second", age=10)], 0),
        ([contender("holder", active=True, database="another")], 0),
        ([contender("holder", active=True, namespace="b")], 0),
    ],
)
def test_one_run_at_a_time_first_come_first_served(others: list[Contender], expected: int) -> None:
    assert position(ME, *others) == expected


def test_a_waiting_run_names_whom_it_waits_for() -> None:
    assert "TrackSyncJob holder" in turn_of(ME, [contender("holder", active=True)], NO_LIMITS).message


@pytest.mark.parametrize(
    ("limits", "others", "expected"),
    [
        (Limits(total=1), [contender("x", database="x", active=True)], 1),
        (Limits(total=2), [contender("x", database="x", active=True)], 0),
        (Limits(total=2), [contender("x", database="x", active=True), contender("y", database="y", age=20)], 2),
        (Limits(per_namespace=1), [contender("x", database="x", active=True)], 1),
        (Limits(per_namespace=1), [contender("x", namespace="b", active=True)], 0),
        # fair: b has nothing active, so its younger run goes before ours
        (Limits(total=2), [contender("x", database="x", active=True), contender("y", namespace="b", age=1)], 2),
    ],
)
def test_limits_let_the_namespace_with_the_fewest_active_runs_go_first(
    limits: Limits, others: list[Contender], expected: int
) -> None:
    assert position(ME, *others, limits=limits) == expected


@pytest.mark.parametrize(
    ("limits", "word"),
    [
        (Limits(total=1), "TRACKSYNC_MAX_ACTIVE_RUNS)"),
        (Limits(per_namespace=1), "TRACKSYNC_MAX_ACTIVE_RUNS_PER_NAMESPACE"),
    ],
)
def test_a_limit_names_its_setting(limits: Limits, word: str) -> None:
    assert word in turn_of(ME, [contender("x", database="x", active=True)], limits).message


def manifest(*, spec: dict[str, Any] | None = None, status: dict[str, Any] | None = None, **metadata: Any) -> Any:
    target = {"target": {"databaseSecretRef": {"name": "db"}}}
    base = {"name": "me", "namespace": "a", "creationTimestamp": format_timestamp(START)}
    return {"metadata": base | metadata, "spec": target | (spec or {}), "status": status or {}}


ADMITTED = {"conditions": [{"type": "Admitted", "status": "True"}]}


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (manifest(), "waiting"),
        (manifest(status={"phase": "Queued"}), "waiting"),
        (manifest(status={"phase": "Succeeded"} | ADMITTED), None),
        (manifest(status={"phase": "Running"} | ADMITTED), "active"),
        (manifest(status={"phase": "Running", "attempts": [{"number": 1}]}), "active"),
        (manifest(status=ADMITTED, deletionTimestamp=format_timestamp(START)), "active"),
        (manifest(deletionTimestamp=format_timestamp(START)), None),
        (manifest(spec={"suspend": True}), None),
        (manifest(spec={"suspend": True}, status=ADMITTED), "active"),
        (manifest(spec={"suspend": True}, status={"overridden": ["Suspend"]}), "waiting"),
        (manifest(spec={"cancel": True}), None),
        (manifest(status={"conditions": [{"type": "Running", "reason": "ObjectInvalid"}]}), None),
        (manifest(status={"conditions": "odd", "attempts": 7, "overridden": 3}), "waiting"),
    ],
)
def test_who_has_a_slot_and_who_wants_one(run: Any, expected: str | None) -> None:
    found = contender_of(run)
    assert (None if found is None else "active" if found.active else "waiting") == expected


def test_a_slot_is_namespace_secret_key_and_source_with_the_schemas_defaults() -> None:
    assert slot_of(manifest()) == Slot("a", "db", "url", "liverc")
    assert slot_of(manifest(spec={"source": {"name": "mirror"}})).source == "mirror"


crowds = st.lists(
    st.builds(
        contender,
        st.sampled_from(["r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7"]),
        namespace=st.sampled_from(["a", "b"]),
        database=st.sampled_from(["db", "other"]),
        age=st.integers(0, 3),
        active=st.just(False),
    ),
    unique_by=lambda each: each.key,
    max_size=10,
)


@given(crowds, st.integers(0, 3), st.integers(0, 2))
def test_everybody_gets_a_turn_and_nobody_exceeds_a_limit(crowd: list[Contender], total: int, each: int) -> None:
    limits, waiting, active, served = Limits(total, each), list(crowd), list[Contender](), 0
    while waiting or active:
        free = next((me for me in waiting if not turn_of(me, [*waiting, *active], limits).position), None)
        if free is None:
            assert active, "somebody must be able to start when nobody is active"
            active.pop(0)
            continue
        waiting.remove(free)
        active.append(Contender(free.key, free.slot, free.created, active=True))
        served += 1
        assert len({run.slot for run in active}) == len(active)
        assert not total or len(active) <= total
        assert not each or max(sum(run.slot.namespace == name for run in active) for name in "ab") <= each
    assert served == len(crowd)
