from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracksync.api.deactivation import DeactivationPolicy
from tracksync.core.tracks.guards import DeactivationGuard, WithheldReason

COUNTS = st.integers(0, 5_000)
GUARDS = st.builds(
    DeactivationGuard,
    policy=st.sampled_from(DeactivationPolicy),
    max_percent=st.integers(0, 100),
    max_count=COUNTS,
    approved_ceiling=COUNTS,
)
APPLY = DeactivationGuard()


@pytest.mark.parametrize(
    ("guard", "facts", "reasons"),
    [
        (APPLY, {"candidates": 0, "active_before": 1000}, ()),
        (APPLY, {"candidates": 0, "active_before": 1000, "skipped_rows": 3}, ()),
        (APPLY, {"candidates": 50, "active_before": 1000}, ()),
        (APPLY, {"candidates": 51, "active_before": 1000}, (WithheldReason.MAX_PERCENT,)),
        (APPLY, {"candidates": 1, "active_before": 20}, ()),
        (APPLY, {"candidates": 1, "active_before": 19}, (WithheldReason.MAX_PERCENT,)),
        (APPLY, {"candidates": 200, "active_before": 100_000}, ()),
        (APPLY, {"candidates": 201, "active_before": 100_000}, (WithheldReason.MAX_COUNT,)),
        (APPLY, {"candidates": 1, "active_before": 1000, "skipped_rows": 1}, (WithheldReason.SKIPPED_ROWS,)),
        (APPLY, {"candidates": 1, "active_before": 1000, "is_filtered": True}, (WithheldReason.FILTERED,)),
        (APPLY, {"candidates": 1, "active_before": 1000, "is_outdated": True}, (WithheldReason.OUTDATED,)),
        (
            APPLY,
            {"candidates": 545, "active_before": 1090, "skipped_rows": 2},
            (WithheldReason.SKIPPED_ROWS, WithheldReason.MAX_PERCENT, WithheldReason.MAX_COUNT),
        ),
        (
            DeactivationGuard(policy=DeactivationPolicy.WITHHOLD),
            {"candidates": 1, "active_before": 1000},
            (WithheldReason.POLICY,),
        ),
        (DeactivationGuard(policy=DeactivationPolicy.DISABLED), {"candidates": 900, "active_before": 1000}, ()),
        (DeactivationGuard(approved_ceiling=545), {"candidates": 545, "active_before": 1090}, ()),
        (
            DeactivationGuard(approved_ceiling=545),
            {"candidates": 546, "active_before": 1090},
            (WithheldReason.MAX_PERCENT, WithheldReason.MAX_COUNT),
        ),
        (
            DeactivationGuard(approved_ceiling=10),
            {"candidates": 5, "active_before": 1000, "skipped_rows": 1},
            (WithheldReason.SKIPPED_ROWS,),
        ),
    ],
)
def test_vanished_tracks_go_only_within_every_guard(
    guard: DeactivationGuard, facts: dict[str, int], reasons: tuple[WithheldReason, ...]
) -> None:
    assert guard.judge(**facts) == reasons


@given(GUARDS, COUNTS, COUNTS)
def test_an_approval_lifts_neither_policy_nor_skipped_rows_nor_a_filter(
    guard: DeactivationGuard, candidates: int, active: int
) -> None:
    lifted = set(guard.judge(candidates=candidates, active_before=active, skipped_rows=1, is_filtered=True))
    if candidates and guard.policy is not DeactivationPolicy.DISABLED:
        assert {WithheldReason.SKIPPED_ROWS, WithheldReason.FILTERED} <= lifted
        assert (WithheldReason.POLICY in lifted) == (guard.policy is DeactivationPolicy.WITHHOLD)


@given(guard=GUARDS, candidates=COUNTS, active=COUNTS, skipped=st.integers(0, 3), is_filtered=st.booleans())
def test_what_is_withheld_stays_withheld_with_more_vanished_tracks(
    guard: DeactivationGuard, candidates: int, active: int, skipped: int, *, is_filtered: bool
) -> None:
    facts = {"active_before": active, "skipped_rows": skipped, "is_filtered": is_filtered}
    if guard.judge(candidates=candidates, **facts):
        assert guard.judge(candidates=candidates + 1, **facts)


@given(COUNTS, COUNTS)
def test_without_an_approval_never_more_than_the_share_goes(candidates: int, active: int) -> None:
    if candidates and not APPLY.judge(candidates=candidates, active_before=active):
        assert candidates <= active * 5 // 100
        assert candidates <= 200
