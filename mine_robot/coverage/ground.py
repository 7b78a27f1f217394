"""The ground as a plan changes it: exact checks of single moves on the ledger's own raster.

Every move of a plan is checked here and nowhere else. A check covers all cells that the grown contact patches touch; a sweep
turns a cell into drivable ground only if the whole cell was passed by the searched line, shortened by the sweep margin.
The contact patches are taken as one rectangle: what lies between the tracks is treated as driven on.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from mine_robot.core.limits import Limits
from mine_robot.core.robot import Patch, Robot
from mine_robot.core.types import Cell, LedgerGrid, Pose2, wrap_angle
from mine_robot.coverage.params import CoverageParams

Mask = NDArray[np.bool_]
ROTATION_STEP = math.radians(2.5)


@dataclass(frozen=True)
class Footprint:
    """The robot as a plan sees it, m in ``base_link``.

    ``box`` encloses the grown contact patches. ``leaving`` is grown without the tolerance of tracking, for the first drive from where
    the robot really stands: that tolerance it has used up. The searched line is
    ``ahead`` of ``base_link`` and reaches ``half_sweep`` to each side as tracks may rely on, ``half_count`` as the ledger will probably
    book; neighbouring lanes are spaced so that ``half_lane`` is new on each side. ``head`` must not enter an obstacle and sweeps a disc
    of ``head_radius`` on the spot.
    """

    box: Patch
    leaving: Patch
    ahead: float
    half_sweep: float
    half_count: float
    half_lane: float
    head: Patch

    @cached_property
    def radius(self) -> float:
        """Radius in m of the disc that ``box`` sweeps on the spot."""
        return float(np.hypot(*self.box.corners.T).max())

    @cached_property
    def head_radius(self) -> float:
        """Radius in m of the disc that ``head`` sweeps on the spot."""
        return float(np.hypot(*self.head.corners.T).max())

    @classmethod
    def of(cls, robot: Robot, limits: Limits, params: CoverageParams) -> Footprint:
        """The footprint of ``robot`` under ``limits``."""
        width = robot.track_half_width
        box = Patch(robot.rear, robot.front, -width, width).grown(limits.patch_growth)
        half_sweep = robot.sweep_width / 2.0 - params.sweep_margin
        return cls(
            box=box,
            leaving=box.grown(-limits.tracking_tolerance),
            ahead=robot.sweep_ahead,
            half_sweep=half_sweep,
            half_count=robot.sweep_width / 2.0 - 0.65 * params.sweep_margin,
            half_lane=min(half_sweep, (robot.sweep_width - limits.lane_overlap) / 2.0),
            head=robot.head.grown(limits.tracking_tolerance),
        )


class Ground:
    """Drivable and unsearched cells, (rows, columns) as in ``grid``; :meth:`sweep` changes them.

    ``obstacles`` are cells the head must not enter, ``keep_off`` cells that a track must not touch although they are searched, ``inner``
    all others. ``corners`` (n, 2) span the drivable and searchable ground in ``map``. ``fresh`` are the unsearched cells beyond the
    nominal width of planned lanes: where the next lane is laid. ``hazard`` is all ground of the hazard area, searched or not.
    """

    def __init__(
        self, grid: LedgerGrid, footprint: Footprint, obstacles: Mask | None = None, keep_off: Mask | None = None
    ) -> None:
        self.x0, self.y0, self.resolution = grid.x0, grid.y0, grid.resolution
        self.footprint = footprint
        allowed = np.ones(grid.cells.shape, dtype=bool) if keep_off is None else ~keep_off
        # The outermost cells stay closed, so that no check ever needs the ground beyond the raster.
        allowed[[0, -1], :] = False
        allowed[:, [0, -1]] = False
        self.drivable: Mask = grid.drivable() & allowed
        self.pending: Mask = (grid.cells == Cell.PENDING) | (grid.cells == Cell.GAP)
        self.fresh: Mask = self.pending & allowed
        self.searchable: Mask = self.pending & allowed
        self.inner: Mask = allowed
        self.hazard: Mask = (grid.cells != Cell.OUTSIDE) & (grid.cells != Cell.SAFE)
        self.obstacles: Mask = np.zeros_like(allowed) if obstacles is None else obstacles
        self.corners = (_hull(self.drivable | self.searchable) + 0.5) * self.resolution + (self.x0, self.y0)
        self.has_obstacles = bool(self.obstacles.any())

    def copy(self) -> Ground:
        """An independent copy."""
        other = copy.copy(self)
        other.drivable, other.pending, other.fresh = self.drivable.copy(), self.pending.copy(), self.fresh.copy()
        other.searchable = self.searchable.copy()
        return other

    def tight(self) -> Ground:
        """The same cells, not a copy, for a robot that is given no room for an error of tracking."""
        other = copy.copy(self)
        other.footprint = replace(self.footprint, box=self.footprint.leaving)
        return other

    def close(self, cells: Mask) -> None:
        """Forbid ``cells`` to the tracks."""
        self.drivable &= ~cells
        self.searchable &= ~cells

    def _clear_of(self, free: Mask, radius: float) -> Mask:
        """Cells from any point of which a disc of ``radius`` touches only ``free`` cells."""
        distance = cv2.distanceTransform(free.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        return np.asarray(distance * self.resolution >= radius + self._slack)

    @property
    def _slack(self) -> float:
        """Half a diagonal for a point's place in its cell and half for the extent of the nearest closed cell."""
        return math.sqrt(2.0) * self.resolution

    @property
    def pivot_room(self) -> float:
        """Distance in m from closed ground at which the tracks may turn."""
        return self.footprint.radius + self._slack

    def pivotable(self) -> Mask:
        """Cells in which the robot may turn to any heading: neither its tracks nor its head touch what they must not."""
        room = self._clear_of(self.drivable, self.footprint.radius)
        if self.has_obstacles:
            room &= self._clear_of(~self.obstacles, self.footprint.head_radius)
        return room

    def passable(self) -> Mask:
        """Cells that the middle of the robot may pass on a straight drive, as far as its tracks' width goes."""
        return self._clear_of(self.drivable, self.footprint.box.y_max)

    def cell(self, x: float, y: float) -> tuple[int, int]:
        """Row and column of a point; points beyond the raster fall into its closed outermost cells."""
        rows, cols = self.drivable.shape
        row, col = math.floor((y - self.y0) / self.resolution), math.floor((x - self.x0) / self.resolution)
        return min(max(row, 0), rows - 1), min(max(col, 0), cols - 1)

    def centre(self, row: int, col: int) -> tuple[float, float]:
        """Centre of a cell in ``map``."""
        return self.x0 + (col + 0.5) * self.resolution, self.y0 + (row + 0.5) * self.resolution

    def centres(self, cells: Mask) -> NDArray[np.float64]:
        """Centres (2, n) of the set cells in ``map``, row by row."""
        rows, cols = np.nonzero(cells)
        return np.stack([self.x0 + (cols + 0.5) * self.resolution, self.y0 + (rows + 0.5) * self.resolution])

    def rectangle(self, pose: Pose2, patch: Patch, touching: bool) -> tuple[tuple[slice, slice], Mask]:
        """Window of the raster and its cells that touch ``patch``, given in the frame of ``pose``; or whose centres lie in it."""
        corners = pose.to_map(patch.corners)
        rows, cols = self.drivable.shape
        low = np.floor((corners.min(axis=0) - (self.x0, self.y0)) / self.resolution).astype(int)
        high = np.floor((corners.max(axis=0) - (self.x0, self.y0)) / self.resolution).astype(int) + 1
        c0, c1 = np.clip((low[0], high[0]), 0, cols)
        r0, r1 = np.clip((low[1], high[1]), 0, rows)
        cos, sin = math.cos(pose.yaw), math.sin(pose.yaw)
        dx = self.x0 + (np.arange(c0, c1) + 0.5) * self.resolution - pose.x
        dy = (self.y0 + (np.arange(r0, r1) + 0.5) * self.resolution - pose.y)[:, None]
        # A square cell reaches this far from its centre along either axis of the rectangle (separating axis theorem).
        reach = 0.5 * self.resolution * (abs(cos) + abs(sin)) if touching else 1e-9
        along, across = cos * dx + sin * dy, cos * dy - sin * dx
        inside = (along >= patch.x_min - reach) & (along <= patch.x_max + reach)
        inside &= (across >= patch.y_min - reach) & (across <= patch.y_max + reach)
        return (slice(r0, r1), slice(c0, c1)), inside

    def standing(self, pose: Pose2) -> Mask:
        """Cells that the robot touches at ``pose``, as a mask of the whole raster."""
        mask = np.zeros_like(self.drivable)
        window, touched = self.rectangle(pose, self.footprint.box, touching=True)
        mask[window] = touched
        return mask

    def can_drive(self, pose: Pose2, distance: float, excused: Mask | None = None) -> bool:
        """True if driving straight by ``distance`` m (negative: backwards) touches drivable cells only.

        ``excused`` marks the drive as the first from where the robot really stands: these cells, under it, do not count, and its contact
        patches need no room for an error of tracking.
        """
        box = self.footprint.box if excused is None else self.footprint.leaving
        window, touched = self.rectangle(pose, _stretched(box, distance), touching=True)
        closed = touched & ~self.drivable[window]
        if excused is not None:
            closed &= ~excused[window]
        return not closed.any() and self._head_free(pose, distance, excused is not None)

    def _head_free(self, pose: Pose2, distance: float, leaving: bool = False) -> bool:
        """True if the head stays out of obstacles; ``leaving`` forgives those it stands in at the start."""
        if not self.has_obstacles:
            return True
        window, touched = self.rectangle(pose, _stretched(self.footprint.head, distance), touching=True)
        touched &= self.obstacles[window]
        if leaving and touched.any():
            at_start, standing = self.rectangle(pose, self.footprint.head, touching=True)
            inside = np.zeros_like(self.drivable)
            inside[at_start] = standing
            touched &= ~inside[window]
        return not touched.any()

    def can_sweep(self, pose: Pose2, distance: float) -> bool:
        """True if searching straight ahead by ``distance`` m keeps the tracks on ground that is searched by then."""
        window, touched = self.rectangle(pose, _stretched(self.footprint.box, distance), touching=True)
        closed = touched & ~self.drivable[window]
        if not closed.any():
            return self._head_free(pose, distance)
        swept_window, swept = self.rectangle(pose, self._swept(distance), touching=False)
        mask = np.zeros_like(self.drivable)
        mask[swept_window] = swept
        return not (closed & ~(mask[window] & self.searchable[window])).any() and self._head_free(pose, distance)

    def sweep(self, pose: Pose2, distance: float) -> int:
        """Book a sweep as searched; returns the number of cells that were unsearched before."""
        window, swept = self.rectangle(pose, self._swept(distance), touching=False)
        self.drivable[window] |= swept & self.searchable[window]
        self.searchable[window] &= ~swept
        half = self.footprint.half_count
        counted = Patch(self.footprint.ahead, self.footprint.ahead + distance, -half, half)
        window, swept = self.rectangle(pose, counted, touching=False)
        gain = int(np.count_nonzero(swept & self.pending[window]))
        self.pending[window] &= ~swept
        lane = self.footprint.half_lane
        nominal = Patch(self.footprint.ahead, self.footprint.ahead + distance, -lane, lane)
        window, swept = self.rectangle(pose, nominal, touching=False)
        self.fresh[window] &= ~swept
        return gain

    def count_gain(self, pose: Pose2, distance: float) -> int:
        """Unsearched cells that count within a lane's nominal width, were it swept."""
        lane = self.footprint.half_lane
        window, swept = self.rectangle(
            pose, Patch(self.footprint.ahead, self.footprint.ahead + distance, -lane, lane), touching=False
        )
        return int(np.count_nonzero(swept & self.pending[window] & self.inner[window]))

    def _swept(self, distance: float) -> Patch:
        """Where a cell's centre lies if the searched line passes the whole cell: half a diagonal within what it sweeps."""
        inset = math.sqrt(0.5) * self.resolution
        ahead, half = self.footprint.ahead, self.footprint.half_sweep
        return Patch(ahead + inset, ahead + distance - inset, -half, half)

    def can_pivot(self, pose: Pose2, yaw: float, excused: Mask | None = None) -> bool:
        """True if turning on the spot from ``pose`` to ``yaw``, the short way, touches drivable cells only.

        ``excused`` is that of :meth:`can_drive`.
        """
        tracks_free = self._disc_free(pose.x, pose.y, self.footprint.radius, ~self.drivable)
        if tracks_free and (
            not self.has_obstacles or self._disc_free(pose.x, pose.y, self.footprint.head_radius, self.obstacles)
        ):
            return True
        turn = wrap_angle(yaw - pose.yaw)
        count = max(1, math.ceil(abs(turn) / ROTATION_STEP))
        # Between two checked headings a corner moves by less than this.
        tracks = self.footprint.box if excused is None else self.footprint.leaving
        box = tracks.grown(self.footprint.radius * abs(turn) / count / 2.0)
        closed = ~self.drivable if excused is None else ~(self.drivable | excused)
        head = self.footprint.head.grown(self.footprint.head_radius * abs(turn) / count / 2.0)
        for i in range(count + 1):
            at = Pose2(pose.x, pose.y, pose.yaw + turn * i / count)
            window, touched = self.rectangle(at, box, touching=True)
            if not tracks_free and (touched & closed[window]).any():
                return False
            window, touched = self.rectangle(at, head, touching=True)
            if (touched & self.obstacles[window]).any():
                return False
        return True

    def _disc_free(self, x: float, y: float, radius: float, closed: Mask) -> bool:
        box = Patch(-radius, radius, -radius, radius)
        window, _ = self.rectangle(Pose2(x, y, 0.0), box, touching=True)
        dx = np.abs(self.x0 + (np.arange(window[1].start, window[1].stop) + 0.5) * self.resolution - x)
        dy = np.abs(self.y0 + (np.arange(window[0].start, window[0].stop) + 0.5) * self.resolution - y)[:, None]
        half = self.resolution / 2.0
        touched = np.maximum(dx - half, 0.0) ** 2 + np.maximum(dy - half, 0.0) ** 2 <= radius**2
        return not (touched & closed[window]).any()


def _hull(cells: Mask) -> NDArray[np.float64]:
    """Corners (n, 2) of the convex hull of the set cells, as columns and rows."""
    rows = np.flatnonzero(cells.any(axis=1))
    if not len(rows):
        return np.zeros((1, 2))
    first = cells[rows].argmax(axis=1)
    last = cells.shape[1] - 1 - cells[rows, ::-1].argmax(axis=1)
    ends = np.stack([np.concatenate([first, last]), np.concatenate([rows, rows])], axis=1)
    return np.asarray(cv2.convexHull(ends.astype(np.int32))[:, 0, :], dtype=np.float64)


def _stretched(patch: Patch, distance: float) -> Patch:
    """``patch`` and everything it passes while it moves by ``distance`` along x."""
    return Patch(patch.x_min + min(distance, 0.0), patch.x_max + max(distance, 0.0), patch.y_min, patch.y_max)
