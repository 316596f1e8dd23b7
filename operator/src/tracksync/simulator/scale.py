"""Proportions: the figures measured on the real catalogue, scaled to a world of any size without rounding losses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

MEASURED_TRACKS: Final = 1090
"""Rows of the catalogue that all figures in this package were counted on."""
SMALLEST_WITH_EVERY_ODDITY: Final = 100
"""From this size on, each oddity occurs at least once, so that a small demo still meets all of them."""


def apportion(total: int, weights: Sequence[int]) -> list[int]:
    """Split `total` in proportion to `weights`; the parts sum up exactly (largest remainder, ties to the earlier)."""
    whole = sum(weights)
    parts = [total * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda index: (-(total * weights[index] % whole), index))
    for index in by_remainder[: total - sum(parts)]:
        parts[index] += 1
    return parts


def scaled(measured: int, tracks: int) -> int:
    """Return how often something occurs among `tracks` that was counted `measured` times among 1,090."""
    nearest = (2 * measured * tracks + MEASURED_TRACKS) // (2 * MEASURED_TRACKS)
    return max(1, nearest) if tracks >= SMALLEST_WITH_EVERY_ODDITY else nearest
