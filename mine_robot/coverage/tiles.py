"""A raster derived from another one, worked out tile by tile where somebody looks at it.

Of a field of ten hectares a plan looks at a few per cent between two changes of the ground, and a lane changes less.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mine_robot.coverage.ground import Window

TILE = 128  # cells


class Tiles:
    """Values of ``shape`` (rows, columns), each depending on cells within ``reach`` of it; ``derive`` gives those of a window."""

    def __init__(
        self, shape: tuple[int, int], dtype: Any, reach: int, derive: Callable[[Window], NDArray[Any]]
    ) -> None:
        self.reach = reach
        self.derive = derive
        self._values = np.empty(shape, dtype)
        self._known = np.zeros((-(-shape[0] // TILE), -(-shape[1] // TILE)), dtype=bool)

    def at(self, rows: NDArray[np.int64], cols: NDArray[np.int64]) -> NDArray[Any]:
        """The values (n,) of cells."""
        missing = ~self._known[rows // TILE, cols // TILE]
        if missing.any():
            for row, col in {*zip((rows[missing] // TILE).tolist(), (cols[missing] // TILE).tolist())}:
                self._fill(row, col)
        return np.asarray(self._values[rows, cols])

    def forget(self, window: Window) -> None:
        """What depends on the cells of ``window`` has changed."""
        rows, cols = (
            slice(part.start // TILE, (part.stop - 1) // TILE + 1)
            for part in grown(window, self.reach, self._values.shape)
        )
        self._known[rows, cols] = False

    def _fill(self, row: int, col: int) -> None:
        shape = self._values.shape
        tile = grown((slice(row * TILE, (row + 1) * TILE), slice(col * TILE, (col + 1) * TILE)), 0, shape)
        source = grown(tile, self.reach, shape)
        self._values[tile] = self.derive(source)[part_of(source, tile)]
        self._known[row, col] = True


def grown(window: Window, cells: int, shape: tuple[int, ...]) -> Window:
    """``window`` with ``cells`` more on each side, as far as a raster of ``shape`` goes."""
    rows, cols = (slice(max(part.start - cells, 0), min(part.stop + cells, size)) for part, size in zip(window, shape))
    return rows, cols


def part_of(window: Window, inner: Window) -> Window:
    """Where ``inner`` lies in ``window``."""
    rows, cols = (slice(part.start - whole.start, part.stop - whole.start) for whole, part in zip(window, inner))
    return rows, cols
