"""What every run against a hostile source has to keep, whatever else it comes to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.hostile.memory import MIB
from tracksync.errors import FailureReason

if TYPE_CHECKING:
    from tests.hostile.memory import Peak
    from tests.hostile.runs import Wish
    from tests.hostile.sites import Site
    from tracksync.api.result import WorkerResult

MOST_MEMORY: Final = 200 * MIB
"""Of the worker and its parser together."""


def assert_polite(site: Site, wish: Wish) -> dict[str, Any]:
    """Return the journal, in which the wish's rate, its places and every pause were kept."""
    journal = site.journal()
    assert journal["requests_during_pause"] == 0, journal
    assert journal["requests_per_second"]["peak"] <= wish.rate + 1, journal
    assert journal["max_in_flight"] <= wish.concurrency, journal
    return journal


def assert_bounded(peak: Peak) -> None:
    """Pass when worker and parser stayed below their memory, and both were seen at all."""
    assert peak.own > MIB
    assert peak.children
    assert peak.together <= MOST_MEMORY, f"{peak.together / MIB:.0f} MiB"


def failures(result: WorkerResult) -> dict[str, str]:
    """Return the class of each failed track's error, by slug; a result lists ten of them."""
    return {sample.slug: sample.error_class for sample in result.status.failed_samples}


def counters(result: WorkerResult) -> dict[str, int]:
    """Return the counters that are not zero."""
    assert result.status.results is not None
    return {name: number for name, number in result.status.results.model_dump().items() if number}


def assert_unavailable(result: WorkerResult) -> None:
    """Pass when the run stopped as the source's trouble, without a merge."""
    assert (result.outcome, result.reason) == ("Failed", FailureReason.SOURCE_UNAVAILABLE)
    assert not {"inserted", "updated", "unchanged"} & counters(result).keys()
