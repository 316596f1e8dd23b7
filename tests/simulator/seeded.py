"""Seeded randomness for tests."""

from __future__ import annotations

from random import Random


def rng(seed: int) -> Random:
    """Return a generator that always yields the same numbers for the same seed."""
    return Random(seed)  # noqa: S311 - seeded pseudo-randomness is the point
