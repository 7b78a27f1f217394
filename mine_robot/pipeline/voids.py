"""Numbers in a raster or a list of heights that stand for nothing, where the file does not say so."""

from __future__ import annotations

import numpy as np
import shapely

from mine_robot.core.field import Field
from mine_robot.core.types import Array
from mine_robot.coverage.slopes import near_field
from mine_robot.pipeline.loading import LoadError

NUMBERS = (-9999.0, -99999.0, -32768.0, -32767.0, 32767.0, 65535.0)  # as tools write them where nothing was measured
BEYOND = 1e20  # and floating-point ones
LOWEST_M, HIGHEST_M = -600.0, 9000.0  # ground on earth, by whatever datum of heights
APART_M, ZERO_APART_M = (
    20.0,
    2.0,
)  # from all other heights: a number that is repeated there fills a hole, and 0 does nearer by
REPEATED = 20  # times as often as the other heights is one that water or a filled hole has


def is_void(values: Array) -> np.ndarray:
    """Which of ``values`` are numbers that stand for nothing; one that is not finite does."""
    return ~np.isfinite(values) | np.isin(values, NUMBERS) | (np.abs(values) > BEYOND)


def without_voids(heights: Array, field: Field, source: str) -> tuple[Array, list[str]]:
    """``heights`` (n, 3) in ``map`` over ``field`` and around, without those that are none, and a line for each number that was left out.

    Raises :class:`LoadError` naming ``source`` if nothing is left, or one number only: a model that is all void, or that knows no slopes.
    """
    heights = heights[near_field(heights, field)]
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


def level_heights(heights: Array, field: Field) -> int:
    """How many of ``heights`` (n, 3) over ``field`` have one height that is much too frequent for ground."""
    values, index, counts = np.unique(heights[:, 2], return_inverse=True, return_counts=True)
    if not len(values):
        return 0
    level = counts[index] >= REPEATED * np.median(counts)
    ground = shapely.union_all([field.hazard, field.safe])
    return int(np.count_nonzero(shapely.contains_xy(ground, heights[level, 0], heights[level, 1])))


def _fillings(z: Array) -> Array:
    """Numbers at the ends of finite heights (n,) that are repeated and apart from all others."""
    values, counts = np.unique(z, return_counts=True)
    found: list[float] = []
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
