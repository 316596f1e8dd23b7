"""When an attempt is repeated, and when: limit, back-off, jitter that a restart computes again."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tracksync.api.spec import RetrySpec

LEASE_PAUSE: Final = timedelta(seconds=30)
"""How long a run whose worker found the lease taken waits before its worker tries again."""
_SHORTEST: Final = 1.0
_MOST_DOUBLINGS: Final = 30


def backoff(retry: RetrySpec, *, uid: str, attempt: int, retries: int) -> timedelta:
    """Return the pause after this attempt: exponential with full jitter, the same whenever it is asked.

    Args:
        retry: the run's limits.
        uid: the run's id.
        attempt: the number of the attempt that failed.
        retries: how many counted repetitions there were before it.
    """
    ceiling = min(retry.max_backoff_seconds, retry.backoff_seconds * 2 ** min(retries, _MOST_DOUBLINGS))
    return timedelta(seconds=round(max(_SHORTEST, ceiling * _fraction(f"{uid}/{attempt}"))))


def _fraction(seed: str) -> float:
    """Return a number between 0 and 1 that only depends on the seed."""
    return int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8]) / 2**64
