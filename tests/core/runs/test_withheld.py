"""What an admin reads about vanished tracks that stay active."""

from __future__ import annotations

import pytest

from tracksync.api.job import WithheldStatus
from tracksync.api.spec import DeactivationSpec
from tracksync.core.runs.status import MAX_MESSAGE
from tracksync.core.runs.withheld import LIMITS, remedy, withheld_message
from tracksync.core.tracks.guards import WithheldReason


def withheld(*reasons: str, count: int = 60) -> WithheldStatus:
    return WithheldStatus(count=count, active_before=1090, reasons=reasons)


@pytest.mark.parametrize("reason", WithheldReason)
def test_every_reason_has_a_remedy_of_its_kind(reason: WithheldReason) -> None:
    advises_approval = "approvedCeiling: 60" in remedy(withheld(reason))
    assert advises_approval is (reason in LIMITS)


@pytest.mark.parametrize(
    ("reasons", "named"),
    [
        pytest.param(("policy", "maxPercent"), "policy is Withhold", id="the policy holds whatever is approved"),
        pytest.param(("skippedRows", "maxCount"), "could not be read", id="so do rows that could not be read"),
        pytest.param(("filtered", "maxPercent", "maxCount"), "spec.onlySlugs", id="and a part of the catalogue"),
    ],
)
def test_an_approval_is_not_advised_where_it_would_not_help(reasons: tuple[str, ...], named: str) -> None:
    text = remedy(withheld(*reasons))
    assert named in text
    assert "approvedCeiling" not in text


def test_numbers_and_limits_are_in_the_message() -> None:
    text = withheld_message(withheld("maxPercent"), DeactivationSpec())
    assert "60 of 1090 active tracks vanished" in text
    assert "(maxPercent 5)" in text


def test_a_spec_that_cannot_be_read_leaves_only_the_limits_values_out() -> None:
    assert "(maxPercent, maxCount)" in withheld_message(withheld("maxPercent", "maxCount"), None)


def test_the_longest_message_fits_into_a_condition() -> None:
    worst = withheld(*WithheldReason, count=2_147_483_647)
    assert len(withheld_message(worst, DeactivationSpec(max_count=1_000_000))) < MAX_MESSAGE
