from __future__ import annotations

import pytest

from tracksync.simulator.scale import apportion, scaled


@pytest.mark.parametrize("total", [0, 1, 2, 7, 100, 1090, 20_000])
def test_parts_sum_up_to_the_whole(total: int) -> None:
    assert sum(apportion(total, (19, 107, 964))) == total


def test_the_measured_size_gives_the_measured_parts() -> None:
    assert apportion(1090, (19, 107, 964)) == [19, 107, 964]


def test_the_larger_remainder_gets_the_odd_one() -> None:
    assert apportion(10, (1, 1, 1)) == [4, 3, 3]
    assert apportion(3, (10, 25, 65)) == [0, 1, 2]


@pytest.mark.parametrize(
    ("measured", "tracks", "expected"),
    [(10, 1090, 10), (10, 20_000, 183), (10, 545, 5), (1, 100, 1), (1, 50, 0), (3, 0, 0)],
)
def test_counts_scale_and_every_oddity_survives_from_a_hundred_tracks_on(
    measured: int, tracks: int, expected: int
) -> None:
    assert scaled(measured, tracks) == expected
