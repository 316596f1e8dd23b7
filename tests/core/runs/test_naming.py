"""Names: deterministic, short enough for pods and labels, never shared by two runs."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from tracksync.core.runs.naming import event_name, job_name, label_value

names = st.from_regex(r"\A[a-z0-9]([-a-z0-9.]{0,250}[a-z0-9])?\Z")
DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


@given(names, st.integers(1, 99))
def test_a_job_name_is_a_host_name_label_that_leaves_room_for_its_pods(name: str, attempt: int) -> None:
    made = job_name(name, "uid-1", attempt)
    assert DNS_LABEL.fullmatch(made)
    assert len(f"{made}-0-x7k2p") <= 63


@given(names)
def test_the_same_run_always_gets_the_same_name_and_another_run_another(name: str) -> None:
    assert job_name(name, "uid-1", 1) == job_name(name, "uid-1", 1)
    assert len({job_name(name, "uid-1", 1), job_name(name, "uid-2", 1), job_name(name, "uid-1", 2)}) == 3


@given(names)
def test_a_label_holds_every_name(name: str) -> None:
    assert len(label_value(name)) <= 63
    assert len(name) > 63 or label_value(name) == name


@given(names)
def test_an_event_name_is_within_the_limit_of_object_names(name: str) -> None:
    assert len(event_name(name, "uid", "Reason")) <= 253
