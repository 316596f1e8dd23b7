"""Which hosts a fault strikes: by seed, fault and host, the same in every process and release."""

from __future__ import annotations

import hashlib


def share_of(seed: int, fault: str, slug: str) -> float:
    """Return a number from 0 to below 1: the same in every process, and spread evenly over the hosts."""
    digest = hashlib.blake2b(f"{seed}/{fault}/{slug}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64
