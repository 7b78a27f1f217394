"""Cells of a raster: which lie in a range, which a disc touches."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def cell_range(low: float, high: float, resolution: float, count: int) -> tuple[int, int]:
    """Half-open range of the cells whose centres may lie within [low, high] m from the raster's edge."""
    first = math.floor(low / resolution)
    return max(first, 0), min(math.floor(high / resolution) + 1, count)


def stamp_disc(
    mask: NDArray[np.bool_], x0: float, y0: float, resolution: float, x: float, y: float, radius: float
) -> None:
    """Set the cells of ``mask`` that touch the disc about (x, y)."""
    rows, cols = mask.shape
    left, right = cell_range(x - radius - x0, x + radius - x0, resolution, cols)
    low, high = cell_range(y - radius - y0, y + radius - y0, resolution, rows)
    if left >= right or low >= high:
        return
    dx = np.maximum(np.abs(x0 + (np.arange(left, right) + 0.5) * resolution - x) - resolution / 2.0, 0.0)
    dy = np.maximum(np.abs(y0 + (np.arange(low, high) + 0.5) * resolution - y) - resolution / 2.0, 0.0)
    mask[low:high, left:right] |= dx**2 + dy[:, None] ** 2 <= radius**2
