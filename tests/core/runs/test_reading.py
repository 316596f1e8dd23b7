"""Objects that anybody may have written: odd values read as absent, ownership is proven by the controller's uid."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracksync.api.job import OperatorStatus
from tracksync.core.runs.reading import (
    is_controlled_by,
    moment,
    parse_leniently,
    read_event,
    read_job,
    read_pod,
)

if TYPE_CHECKING:
    from collections.abc import Callable

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ("metadata", "spec", "status", "conditions", "containerStatuses", "state", "terminated", "reason", "phase")
manifests = st.dictionaries(
    st.sampled_from(FIELDS), json_values | st.dictionaries(st.sampled_from(FIELDS), json_values)
)


@given(manifests)
@pytest.mark.parametrize("read", [read_job, read_pod, read_event])
def test_whatever_is_stored_is_read_without_an_error(read: Callable[[Any], object], manifest: dict[str, Any]) -> None:
    assert read(manifest) == read(manifest)


@given(json_values)
def test_a_status_of_any_shape_is_read_field_by_field(value: object) -> None:
    status = parse_leniently(OperatorStatus, {"phase": "Running", "attempts": value, "conditions": value})
    assert status.phase == "Running"


@pytest.mark.parametrize(
    ("owner", "ours"),
    [
        ({"uid": "u", "controller": True}, True),
        ({"uid": "u", "controller": False}, False),
        ({"uid": "u"}, False),
        ({"uid": "other", "controller": True}, False),
    ],
)
def test_only_the_controller_reference_proves_ownership(owner: dict[str, Any], ours: bool) -> None:  # noqa: FBT001 -- a table's column
    assert is_controlled_by({"metadata": {"ownerReferences": [owner]}}, "u") is ours


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-01-31T02:00:00Z", datetime(2026, 1, 31, 2, tzinfo=UTC)),
        ("2026-01-31T03:00:00.5+01:00", datetime(2026, 1, 31, 2, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-01-31T02:00:00", None),
        ("yesterday", None),
        (7, None),
    ],
)
def test_only_timestamps_with_a_zone_are_believed(written: object, expected: datetime | None) -> None:
    assert moment({"at": written}, "at") == expected
