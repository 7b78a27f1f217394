"""The ledger for browsers: square tiles of run lengths, of which only the changed ones are sent."""

from __future__ import annotations

import base64

import numpy as np
from numpy.typing import NDArray

from mine_robot.core.types import Cell, LedgerGrid

TILE = 128  # cells along an edge
CODES = (Cell.OUTSIDE, Cell.SAFE, Cell.SEARCHED, Cell.PENDING, Cell.GAP, Cell.HALO)
OTHER = len(CODES)  # the code of a value that is no state of a cell
CODE_BITS = 3
_LOOKUP = np.full(256, OTHER, dtype=np.uint8)
_LOOKUP[np.array(CODES, dtype=np.int8).view(np.uint8)] = np.arange(len(CODES), dtype=np.uint8)


def run_lengths(cells: NDArray[np.int8]) -> str:
    """Cells (rows, columns), row by row, as base64 of runs.

    A run is ``length * 8 + code`` as a little-endian base-128 number (LEB128); codes are indices of :data:`CODES`.
    """
    codes = _LOOKUP[np.ascontiguousarray(cells).view(np.uint8).ravel()]
    starts = np.concatenate(([0], np.flatnonzero(codes[1:] != codes[:-1]) + 1))
    lengths = np.diff(np.concatenate((starts, [len(codes)])))
    packed = bytearray()
    for number in ((lengths << CODE_BITS) | codes[starts]).tolist():
        while number > 0x7F:
            packed.append(number & 0x7F | 0x80)
            number >>= 7
        packed.append(number)
    return base64.b64encode(packed).decode("ascii")


class Tiles:
    """Remembers the ledger that was sent and finds the tiles that changed."""

    def __init__(self) -> None:
        self._cells: NDArray[np.int8] | None = None
        self._place: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def update(self, grid: LedgerGrid) -> dict[str, str]:
        """Key ``tile/ROW/COLUMN`` (from the south-west) and content of every tile that differs from the last update."""
        place = (grid.x0, grid.y0, grid.resolution)
        before = self._cells
        if before is None or before.shape != grid.cells.shape or place != self._place:
            before = None
        changed = {}
        for row in range(0, len(grid.cells), TILE):
            band = grid.cells[row : row + TILE]
            for column in self._changed_columns(band, None if before is None else before[row : row + TILE]):
                tile = band[:, column * TILE : (column + 1) * TILE]
                changed[f"tile/{row // TILE}/{column}"] = run_lengths(tile)
        self._cells, self._place = grid.cells.copy(), place
        return changed

    @staticmethod
    def _changed_columns(band: NDArray[np.int8], before: NDArray[np.int8] | None) -> list[int]:
        """Numbers of the tiles of a band that differ."""
        if before is None:
            return list(range(-(-band.shape[1] // TILE)))
        return np.unique(np.flatnonzero((band != before).any(axis=0)) // TILE).tolist()


def describe(grid: LedgerGrid) -> dict[str, float | int]:
    """Where the raster lies, m and cells."""
    rows, columns = grid.cells.shape
    place = {"x0": grid.x0, "y0": grid.y0, "resolution": round(grid.resolution, 6)}
    return {**place, "rows": rows, "columns": columns, "tile": TILE}
