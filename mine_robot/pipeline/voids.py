"""Numbers in a raster or a list of heights that stand for nothing, where the file does not say so."""

from __future__ import annotations

import numpy as np

from mine_robot.core.types import Array
from mine_robot.pipeline.loading import LoadError

NUMBERS = (-9999.0, -99999.0, -32768.0, -32767.0, 32767.0, 65535.0)  # as tools write them where nothing was measured
BEYOND = 1e20  # and floating-point ones
LOWEST_M, HIGHEST_M = -600.0, 9000.0  # ground on earth, by whatever datum of heights
APART_M, ZERO_APART_M = (
    20.0,
    2.0,
)  # from all other heights: a number that is repeated there fills a hole, and 0 does nearer by
REPEATED = 9  # times the very same height is no chance where heights are as good as all different
DIFFERENT = 0.5  # share of different heights from which on they are


def is_void(values: Array) -> np.ndarray:
    """Which of ``values`` are numbers that stand for nothing; one that is not finite does."""
    return ~np.isfinite(values) | np.isin(values, NUMBERS) | (np.abs(values) > BEYOND)


def without_voids(heights: Array, source: str) -> tuple[Array, list[str]]:
    """``heights`` (n, 3) without those that are none, and a line for each number that was left out.

    Raises :class:`LoadError` naming ``source`` if nothing is left, or one number only: a model that is all void, or that knows no slopes.
    """
    z = heights[:, 2]
    if not len(z):
        return heights, []
    void = is_void(z) | (z < LOWEST_M) | (z > HIGHEST_M)
    void |= np.isin(z, _fillings(z[~void]))
    if void.all():
        raise LoadError(f"{source}: all its heights over the field are {_numbers(z)}: voids, no ground")
    kept = z[~void]
    if len(kept) > 1 and np.ptp(kept) == 0.0:
        raise LoadError(f"{source}: all its heights over the field are {kept[0]:g}: it knows no slopes there")
    lines = [f"{void.sum()} heights are {_numbers(z[void])}: taken for voids"] if void.any() else []
    return heights[~void], lines


def _fillings(z: Array) -> Array:
    """Numbers among finite heights (n,) that fill holes: repeated, and apart from all others, or in a model of different heights."""
    values, counts = np.unique(z, return_counts=True)
    found: list[float] = []
    if len(values) > DIFFERENT * len(z):
        found += list(values[counts >= REPEATED])
    low, high = 0, len(values) - 1
    while low < high and _apart(values[low], values[low + 1]) and counts[low] >= 2:
        found.append(values[low])
        low += 1
    while high > low and _apart(values[high], values[high - 1]) and counts[high] >= 2:
        found.append(values[high])
        high -= 1
    return np.array(found)


def _apart(value: float, nearest: float) -> bool:
    return abs(value - nearest) > (ZERO_APART_M if value == 0.0 else APART_M)


def _numbers(z: Array) -> str:
    """The numbers in ``z``, the most frequent three."""
    values, counts = np.unique(z, return_counts=True)
    shown = [f"{value:g}" for value in values[np.argsort(-counts, kind="stable")][:3]]
    return ", ".join(shown) + (", ..." if len(values) > 3 else "")
