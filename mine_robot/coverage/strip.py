"""A strip of searched ground along the far ends of the lanes, in which the robot turns round instead of backing out of every lane.

The tracks are nearly as wide as the searched line, so a robot at the end of a lane cannot turn, and drives every metre twice. Two lanes
side by side are wide enough: a corridor of them leads to the far border, and a strip of them along it makes every further lane a way
there or a way back. That pays where lanes are long; the planner compares.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mine_robot.core.types import Pose2
from mine_robot.coverage.ground import HAZARD, PENDING, Ground, Mask
from mine_robot.coverage.layout import safe_beyond
from mine_robot.coverage.sortie import Ints, Raster

LONG_LANE_M = 15.0  # shorter lanes are backed out of sooner than a strip is searched
LANES = 2  # side by side in corridor and strip
OPEN_SHARE = 0.3  # a strip of which less is still to be searched counts as open
SIDE_COST = 0.2  # a corridor may be so much longer for each metre that it is nearer to the side: what it leaves stays in one piece
WAY_COST = 0.05  # and for each metre that it is nearer to the robot


@dataclass(frozen=True)
class Strip:
    """Masks of the raster: the ``corridor`` that leads to the far ``border``, and a strip along that."""

    corridor: Mask
    border: Mask


def lay_strips(ground: Ground, heading: float, position: Pose2) -> list[Strip]:
    """Strips where lanes in ``heading`` end, each with the shortest corridor to it; none where it does not pay or is open already.

    Where the far border jumps, as in an L, each level has its own.
    """
    raster = Raster(ground, heading)
    raster.gain = hazard = raster.all_of(HAZARD)
    width = LANES * (2 * raster.half_lane + 1)
    depth = width + round(max(ground.pivot_room - ground.footprint.half_lane, 0.0) / ground.resolution)
    far = np.where(hazard.any(axis=1), hazard.shape[1] - 1 - hazard[:, ::-1].argmax(axis=1), -width)
    open_already = safe_beyond(raster, np.arange(len(far)), far, 1)
    levels = np.split(np.arange(len(far)), np.flatnonzero(np.abs(np.diff(far)) > width) + 1)
    rows, columns = raster.from_map(*ground.centres(ground.all_of(HAZARD)))
    at_border = columns > far[rows] - depth
    corridors = _Corridors(raster, ground, width, position)
    strips = []
    for level in levels:
        if hazard[level].sum() * raster.resolution < LONG_LANE_M * len(level) or len(level) < 2 * width:
            continue
        if np.mean(open_already[level]) > 0.5:
            continue
        within = (rows >= level[0]) & (rows <= level[-1])
        border = _mask(ground, at_border & within)
        if np.count_nonzero(border & ground.all_of(PENDING)) < OPEN_SHARE * np.count_nonzero(border):
            continue
        first = corridors.best(level)
        if first is not None:
            strips.append(Strip(_mask(ground, (rows >= first) & (rows < first + width)), border))
    return strips


def _mask(ground: Ground, chosen: Mask) -> Mask:
    """The ``chosen`` of the cells of the hazard area as a mask of the whole raster."""
    mask = ground.all_of(HAZARD)
    mask[mask] = chosen
    return mask


class _Corridors:
    """What a corridor of ``width`` rows costs, by its first row."""

    def __init__(self, raster: Raster, ground: Ground, width: int, position: Pose2) -> None:
        hazard = raster.gain
        pending = raster.all_of(PENDING)
        closed = hazard & ~pending & ~raster.drivable
        runs = np.count_nonzero(np.diff(hazard.astype(np.int8), axis=1, prepend=0) > 0, axis=1)
        self.usable = (runs == 1) & ~closed.any(axis=1)
        self.length = pending.sum(axis=1)
        self.width = width
        ((self.row,), _) = raster.from_map(np.array([position.x]), np.array([position.y]))

    def best(self, level: Ints) -> int | None:
        """First of the rows of ``level`` that have least to search in them, none of it beyond a hole or closed by a find."""
        window = np.ones(self.width)
        first = level[: 1 - self.width]
        possible = np.convolve(self.usable[level], window, "valid") == self.width
        if not possible.any():
            return None
        length = np.convolve(self.length[level], window, "valid") / self.width
        side = np.minimum(first - first[0], first[-1] - first)
        cost = length + SIDE_COST * side + WAY_COST * np.abs(first + self.width / 2.0 - self.row)
        return int(first[np.argmin(np.where(possible, cost, np.inf))])
