"""Where a search looks for its next lane: everywhere, or in a large field near the robot and then at the nearest ground it has not tried.

Lanes lie side by side, so the next one nearly always begins where the last one ended. To look at ten hectares for each lane takes minutes.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from mine_robot.coverage.ground import Ground
from mine_robot.coverage.route import Point

BAND_M = 4.0  # to each side of a place, along the whole field: where main lanes are looked for
AROUND_M = 12.0  # of a place: where what they left is looked for
BLOCK = 8  # cells on a side that are remembered as one


class Outlook:
    """The part of ``ground`` in which lanes are looked for; all of it unless ``near``."""

    def __init__(self, ground: Ground, near: bool) -> None:
        self.ground = ground
        self.near = near
        self._gain = np.uint8(0)
        self._heading: float | None = None
        self._centre: Point = (0.0, 0.0)
        self._found = False
        self._tried = np.zeros(self._blocks().shape, dtype=bool)

    def begin(self, gain: np.uint8, heading: float | None) -> None:
        """Look for cells that are all that ``gain`` says: in bands along ``heading``, or all around places."""
        self._gain, self._heading = gain, heading
        self._found = False
        self._tried[:] = False

    def at(self, place: Point) -> None:
        """Look here: the robot has come from a lane that was found."""
        self._centre, self._found = place, True

    def onward(self, place: Point) -> bool:
        """Nothing was found: look at the ground nearest to ``place`` that was not tried since a lane was found; False if there is none."""
        if not self.near:
            return False
        self._tried |= self._seen()
        blocks = self._blocks()
        if not (blocks & ~self._tried).any():
            if not self._found:
                return False
            self._found = False
            self._tried = self._seen()
        rows, cols = np.nonzero(blocks & ~self._tried)
        if not len(rows):
            return False
        x, y = self._place(rows, cols)
        nearest = int(np.argmin(np.hypot(x - place[0], y - place[1])))
        self._centre = (float(x[nearest]), float(y[nearest]))
        return True

    def corners(self, heading: float) -> NDArray[np.float64] | None:
        """Corners (4, 2) in ``map`` that span the ground to look at for lanes in ``heading``; None for all of it."""
        if not self.near:
            return None
        axes = np.array([[math.cos(heading), math.sin(heading)], [-math.sin(heading), math.cos(heading)]])
        along, across = axes @ self._centre
        if self._heading is None:
            first, last, side = along - AROUND_M, along + AROUND_M, AROUND_M
        else:
            reach = self.ground.corners @ axes[0]
            first, last, side = reach.min(), reach.max(), BAND_M
        sides = ((first, -side), (first, side), (last, side), (last, -side))
        return np.array([(u, across + v) for u, v in sides]) @ axes

    def _blocks(self) -> NDArray[np.bool_]:
        """Blocks of the raster in which there is something to gain."""
        rows, cols = self.ground.cells.shape
        mask = self.ground.all_of(self._gain).view(np.uint8)
        cells = cv2.copyMakeBorder(mask, 0, -rows % BLOCK, 0, -cols % BLOCK, cv2.BORDER_CONSTANT, value=0)
        return np.asarray(
            cv2.resize(cells * np.uint8(255), None, fx=1 / BLOCK, fy=1 / BLOCK, interpolation=cv2.INTER_AREA) > 0
        )

    def _seen(self) -> NDArray[np.bool_]:
        """Blocks in the part that is looked at."""
        x, y = self._place(*np.indices(self._tried.shape, dtype=np.int64))
        dx, dy = x - self._centre[0], y - self._centre[1]
        if self._heading is None:
            return np.asarray(np.maximum(np.abs(dx), np.abs(dy)) <= AROUND_M)
        return np.asarray(np.abs(math.cos(self._heading) * dy - math.sin(self._heading) * dx) <= BAND_M)

    def _place(
        self, rows: NDArray[np.int64], cols: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Centres of blocks in ``map``."""
        size = BLOCK * self.ground.resolution
        return np.asarray(self.ground.x0 + (cols + 0.5) * size), np.asarray(self.ground.y0 + (rows + 0.5) * size)
