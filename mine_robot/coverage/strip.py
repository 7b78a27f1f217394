"""Strips of searched ground along the ends of the lanes, in which the robot turns round instead of backing out of every lane.

The tracks are nearly as wide as the searched line, so a robot at the end of a lane cannot turn, and drives every metre twice. Two lanes
side by side are wide enough: a strip of them along the far border makes every further lane a way there or a way back. Where a strip does
not begin at safe ground, a corridor of two lanes leads to it first. That pays where lanes are long; the planner compares.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from mine_robot.core.types import Pose2
from mine_robot.coverage.ground import HAZARD, PENDING, Ground, Mask
from mine_robot.coverage.layout import safe_beyond
from mine_robot.coverage.sortie import Ints, Raster

LONG_LANE_M = 15.0  # shorter lanes are backed out of sooner than a strip is searched
LANES = 2  # side by side in corridor and strip
OPEN_SHARE = 0.3  # a strip of which less is still to be searched counts as open
STRAIGHT_M = 0.3  # a border that bends by no more is one
BESIDE_CELLS = 3  # from drivable ground to a strip that begins there
SIDE_COST = 0.2  # a corridor may be so much longer for each metre that it is nearer to the side: what it leaves stays in one piece
WAY_COST = 0.05  # and for each metre that it is nearer to the robot


@dataclass(frozen=True)
class Strip:
    """Cells of the raster to search before the lanes, and the heading in rad of the lanes in it."""

    cells: Mask
    heading: float


def lay_strips(ground: Ground, heading: float, position: Pose2) -> list[Strip]:
    """Strips, each after its corridor, where lanes in ``heading`` end; none where it does not pay or there is room to turn already.

    Each straight stretch of the border has its own, and so has each level where the border jumps, as in an L.
    """
    raster = Raster(ground, heading)
    raster.gain = hazard = raster.all_of(HAZARD)
    pending = raster.all_of(PENDING)
    width = LANES * (2 * raster.half_lane + 1)
    depth = width + round(max(ground.pivot_room - ground.footprint.half_lane, 0.0) / ground.resolution)
    beside = _dilated(raster.drivable)
    corridors = _Corridors(raster, pending, width, position)
    columns = np.arange(hazard.shape[1])
    ends = (-1, hazard.argmax(axis=1)), (1, hazard.shape[1] - 1 - hazard[:, ::-1].argmax(axis=1))
    left: list[tuple[Ints, Mask, float]] = []  # rows, cells and heading of strips that are not reached yet
    for side, border in ends:
        open_already = safe_beyond(raster, np.arange(len(border)), border, side)
        for level in _levels(border, np.asarray(hazard.any(axis=1)), width, raster.resolution):
            if hazard[level].sum() * raster.resolution < LONG_LANE_M * len(level) or np.mean(open_already[level]) > 0.5:
                continue
            slope = float(np.polyfit(level, border[level], 1)[0])
            cells = np.zeros_like(hazard)
            cells[level] = hazard[level] & (np.abs(columns - border[level, None]) < depth * math.hypot(1.0, slope))
            if np.count_nonzero(cells & pending) >= OPEN_SHARE * np.count_nonzero(cells):
                left.append((level, cells, heading + math.atan2(1.0, slope)))
    strips: list[Strip] = []
    while left:
        reached = [number for number, (_, cells, _) in enumerate(left) if np.count_nonzero(cells & beside) >= width]
        level, cells, along = left.pop(reached[0] if reached else 0)
        if not reached:
            first = corridors.best(level)
            if first is None:
                continue
            corridor = np.zeros_like(hazard)
            corridor[first : first + width] = hazard[first : first + width]
            strips.append(Strip(raster.to_ground(corridor), heading))
        strips.append(Strip(raster.to_ground(cells), along))
        beside |= _dilated(cells)  # the next one may begin where this one ends
    return strips


def _dilated(cells: Mask) -> Mask:
    return np.asarray(cv2.dilate(cells.astype(np.uint8), np.ones(2 * (2 * BESIDE_CELLS + 1,), np.uint8)) > 0)


def _levels(border: Ints, used: Mask, width: int, resolution: float) -> Iterator[Ints]:
    """The ``used`` rows by straight stretches of their ``border`` columns, those that are long enough for a strip."""
    rows = np.flatnonzero(used)
    if not len(rows):
        return
    jumps = (np.abs(np.diff(border[rows])) > width) | (np.diff(rows) > 1)
    for level in np.split(rows, np.flatnonzero(jumps) + 1):
        outline = np.stack([level, border[level]], axis=1).astype(np.float32)[:, None, :]
        corners = cv2.approxPolyDP(outline, STRAIGHT_M / resolution, False)[:, 0, 0].astype(int)
        for low, high in itertools.pairwise(corners):
            if high - low >= 2 * width:
                yield np.arange(low, high + 1)


class _Corridors:
    """What a corridor of ``width`` rows costs, by its first row."""

    def __init__(self, raster: Raster, pending: Mask, width: int, position: Pose2) -> None:
        hazard = raster.gain
        closed = hazard & ~pending & ~raster.drivable
        runs = np.count_nonzero(np.diff(hazard.astype(np.int8), axis=1, prepend=0) > 0, axis=1)
        rows = np.arange(len(hazard))
        begins = safe_beyond(raster, rows, hazard.argmax(axis=1), -1)
        self.usable = (runs == 1) & ~closed.any(axis=1) & begins
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
