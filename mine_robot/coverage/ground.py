"""The ground as a plan changes it: exact checks of single moves on the ledger's own raster.

Every move of a plan is checked here and nowhere else. A check covers all cells that the grown contact patches touch; a sweep
turns a cell into drivable ground only if the whole cell was passed by the searched line, shortened by the sweep margin.
The contact patches are taken as one rectangle: what lies between the tracks is treated as driven on.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from mine_robot.core.robot import Patch
from mine_robot.core.types import Cell, LedgerGrid, Pose2, wrap_angle
from mine_robot.coverage.footprint import Footprint

Mask = NDArray[np.bool_]
Window = tuple[slice, slice]
EVERYWHERE = (slice(None), slice(None))
# Steps in which a turn is looked at: a corner's way between two of them takes room that a turn in a lane may not have.
ROTATION_STEPS = math.radians(2.5), math.radians(0.5)
# Long drives askew to the raster are looked at in pieces of this length: a window around one would be most of the raster.
PIECE_M = 8.0
# What a cell is:
DRIVABLE = np.uint8(1)  # safe or searched, and no track is forbidden there
SEARCHABLE = np.uint8(2)  # becomes drivable when it is searched
PENDING = np.uint8(4)  # has still to be searched
FRESH = np.uint8(8)  # pending and beyond the nominal width of all planned lanes: where the next lane is laid
INNER = np.uint8(16)  # not across the border of the field
HAZARD = np.uint8(32)  # of the hazard area, searched or not
OBSTACLE = np.uint8(64)  # the head must not enter it
CHOSEN = np.uint8(128)  # of the part of the ground that is searched now


class Ground:
    """Drivable and unsearched cells, (rows, columns) as in ``grid``; :meth:`sweep` changes them.

    ``obstacles`` are cells the head must not enter, ``keep_off`` cells that a track must not touch although they are searched.
    ``cells`` hold what each is, bit by bit; ``corners`` (n, 2) span the drivable and searchable ground in ``map``.
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
        pending = (grid.cells == Cell.PENDING) | (grid.cells == Cell.GAP)
        drivable = grid.drivable() & allowed
        self.cells = np.zeros(grid.cells.shape, dtype=np.uint8)
        self.add(PENDING, pending)
        self.add(DRIVABLE, drivable)
        self.add(SEARCHABLE | FRESH, pending & allowed)
        self.add(INNER, allowed)
        self.add(HAZARD, (grid.cells != Cell.OUTSIDE) & (grid.cells != Cell.SAFE))
        self.has_obstacles = obstacles is not None and bool(obstacles.any())
        if obstacles is not None:
            self.add(OBSTACLE, obstacles)
        self.corners = self.places(_hull(drivable | (pending & allowed)))

    def copy(self) -> Ground:
        """An independent copy."""
        other = copy.copy(self)
        other.cells = self.cells.copy()
        return other

    def all_of(self, bits: np.uint8, window: Window = EVERYWHERE) -> Mask:
        """The cells of ``window`` that are all that ``bits`` say."""
        return np.asarray((self.cells[window] & bits) == bits)

    def add(self, bits: np.uint8, mask: Mask, window: Window = EVERYWHERE) -> None:
        """Set ``bits`` of the cells of ``window`` that ``mask`` has."""
        part = self.cells[window]
        np.bitwise_or(part, bits, out=part, where=mask)

    def remove(self, bits: np.uint8, mask: Mask, window: Window = EVERYWHERE) -> None:
        """Clear ``bits`` of the cells of ``window`` that ``mask`` has."""
        part = self.cells[window]
        np.bitwise_and(part, ~bits, out=part, where=mask)

    def tight(self) -> Ground:
        """The same cells, not a copy, for a robot that is given no room for an error of tracking."""
        other = copy.copy(self)
        other.footprint = replace(self.footprint, box=self.footprint.leaving)
        return other

    def close(self, cells: Mask) -> None:
        """Forbid ``cells`` to the tracks."""
        self.remove(DRIVABLE | SEARCHABLE, cells)

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

    def pivotable(self, window: Window = EVERYWHERE) -> Mask:
        """Cells in which the robot may turn to any heading: neither its tracks nor its head touch what they must not."""
        room = self._clear_of(self.all_of(DRIVABLE, window), self.footprint.radius)
        if self.has_obstacles:
            room &= self._clear_of(~self.all_of(OBSTACLE, window), self.footprint.head_radius)
        return room

    def passable(self, window: Window = EVERYWHERE) -> Mask:
        """Cells that the middle of the robot may pass on a straight drive, as far as its tracks' width goes."""
        return self._clear_of(self.all_of(DRIVABLE, window), self.footprint.box.y_max)

    @property
    def reach(self) -> int:
        """Number of cells from which :meth:`pivotable` and :meth:`passable` of a cell depend on each other at most."""
        return math.ceil((max(self.footprint.radius, self.footprint.head_radius) + self._slack) / self.resolution) + 1

    def cell(self, x: float, y: float) -> tuple[int, int]:
        """Row and column of a point; points beyond the raster fall into its closed outermost cells."""
        rows, cols = self.cells.shape
        row, col = math.floor((y - self.y0) / self.resolution), math.floor((x - self.x0) / self.resolution)
        return min(max(row, 0), rows - 1), min(max(col, 0), cols - 1)

    def centre(self, row: int, col: int) -> tuple[float, float]:
        """Centre of a cell in ``map``."""
        return self.x0 + (col + 0.5) * self.resolution, self.y0 + (row + 0.5) * self.resolution

    def centres(self, cells: Mask) -> NDArray[np.float64]:
        """Centres (2, n) of the set cells in ``map``, row by row."""
        rows, cols = np.nonzero(cells)
        return self.places(np.stack([cols, rows], axis=1)).T

    def places(self, cells: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points (n, 2) in ``map`` of (column, row) in cells, whole numbers at their centres."""
        return np.asarray((cells + 0.5) * self.resolution + (self.x0, self.y0))

    def polygon(self, corners: NDArray[np.float64]) -> tuple[Window, Mask]:
        """The window around a convex polygon with ``corners`` (n, 2) in ``map``, and its cells inside."""
        points = np.rint((corners - (self.x0, self.y0)) / self.resolution - 0.5).astype(np.int32)
        rows, cols = self.cells.shape
        low = np.clip(points.min(axis=0), 0, (cols, rows))
        high = np.clip(points.max(axis=0) + 1, 0, (cols, rows))
        mask = np.zeros((high - low)[::-1], dtype=np.uint8)
        cv2.fillConvexPoly(mask, points - low, 1)
        return (slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))), mask > 0

    def count(self, corners: NDArray[np.float64], bits: np.uint8) -> int:
        """Cells inside a convex polygon that are all that ``bits`` say."""
        window, inside = self.polygon(corners)
        return int(np.count_nonzero(inside & self.all_of(bits, window)))

    def choose(self, corners: NDArray[np.float64]) -> None:
        """Only the cells inside a convex polygon are ``CHOSEN``."""
        self.cells &= ~CHOSEN
        window, inside = self.polygon(corners)
        self.add(CHOSEN, inside, window)

    def window(self, pose: Pose2, patch: Patch) -> Window:
        """The part of the raster around ``patch``, given in the frame of ``pose``."""
        corners = pose.to_map(patch.corners)
        rows, cols = self.cells.shape
        low = np.floor((corners.min(axis=0) - (self.x0, self.y0)) / self.resolution).astype(int)
        high = np.floor((corners.max(axis=0) - (self.x0, self.y0)) / self.resolution).astype(int) + 1
        c0, c1 = np.clip((low[0], high[0]), 0, cols)
        r0, r1 = np.clip((low[1], high[1]), 0, rows)
        return slice(int(r0), int(r1)), slice(int(c0), int(c1))

    def within(self, window: Window, pose: Pose2, patch: Patch, touching: bool) -> Mask:
        """Cells of ``window`` that touch ``patch``, given in the frame of ``pose``; or whose centres lie in it."""
        cos, sin = math.cos(pose.yaw), math.sin(pose.yaw)
        dx = self.x0 + (np.arange(window[1].start, window[1].stop) + 0.5) * self.resolution - pose.x
        dy = (self.y0 + (np.arange(window[0].start, window[0].stop) + 0.5) * self.resolution - pose.y)[:, None]
        # A square cell reaches this far from its centre along either axis of the rectangle (separating axis theorem).
        reach = 0.5 * self.resolution * (abs(cos) + abs(sin)) if touching else 1e-9
        along, across = cos * dx + sin * dy, cos * dy - sin * dx
        inside = (along >= patch.x_min - reach) & (along <= patch.x_max + reach)
        inside &= (across >= patch.y_min - reach) & (across <= patch.y_max + reach)
        return np.asarray(inside)

    def rectangle(self, pose: Pose2, patch: Patch, touching: bool) -> tuple[Window, Mask]:
        """The window around ``patch`` and its cells :meth:`within` it."""
        window = self.window(pose, patch)
        return window, self.within(window, pose, patch, touching)

    def pieces(self, pose: Pose2, patch: Patch) -> list[Patch]:
        """``patch`` cut across its length, so that the windows around the pieces hold little else."""
        length = patch.x_max - patch.x_min
        cuts = np.linspace(
            patch.x_min, patch.x_max, 1 + max(1, math.ceil(length * abs(math.sin(2.0 * pose.yaw)) / PIECE_M))
        )
        return [replace(patch, x_min=float(low), x_max=float(high)) for low, high in itertools.pairwise(cuts)]

    def _rectangles(self, pose: Pose2, patch: Patch, touching: bool) -> Iterator[tuple[Window, Mask]]:
        """:meth:`rectangle` of each of the pieces."""
        return (self.rectangle(pose, piece, touching) for piece in self.pieces(pose, patch))

    def standing(self, pose: Pose2) -> Mask:
        """Cells that the robot touches at ``pose``, as a mask of the whole raster."""
        mask = np.zeros(self.cells.shape, dtype=bool)
        window, touched = self.rectangle(pose, self.footprint.box, touching=True)
        mask[window] = touched
        return mask

    def can_drive(self, pose: Pose2, distance: float, excused: Mask | None = None) -> bool:
        """True if driving straight by ``distance`` m (negative: backwards) touches drivable cells only.

        ``excused`` marks the drive as the first from where the robot really stands: these cells, under it, do not count, and its contact
        patches need no room for an error of tracking.
        """
        box = self.footprint.box if excused is None else self.footprint.leaving
        for window, touched in self._rectangles(pose, _stretched(box, distance), touching=True):
            closed = touched & ~self.all_of(DRIVABLE, window)
            if excused is not None:
                closed &= ~excused[window]
            if closed.any():
                return False
        return self._head_free(pose, distance, excused is not None)

    def _head_free(self, pose: Pose2, distance: float, leaving: bool = False) -> bool:
        """True if the head stays out of obstacles; ``leaving`` forgives those it stands in at the start."""
        if not self.has_obstacles:
            return True
        head = self.footprint.head
        for window, touched in self._rectangles(pose, _stretched(head, distance), touching=True):
            touched &= self.all_of(OBSTACLE, window)
            if leaving and touched.any():
                touched &= ~self.within(window, pose, head, touching=True)
            if touched.any():
                return False
        return True

    def can_sweep(self, pose: Pose2, distance: float) -> bool:
        """True if searching straight ahead by ``distance`` m keeps the tracks on ground that is searched by then."""
        swept = self._relied(distance)
        for window, touched in self._rectangles(pose, _stretched(self.footprint.box, distance), touching=True):
            closed = touched & ~self.all_of(DRIVABLE, window)
            if not closed.any():
                continue
            closed &= ~(self.within(window, pose, swept, touching=False) & self.all_of(SEARCHABLE, window))
            if closed.any():
                return False
        return self._head_free(pose, distance)

    def sweep(self, pose: Pose2, distance: float) -> int:
        """Book a sweep as searched; returns the number of cells that were unsearched or closed to the tracks before.

        If that is none, no later move depends on the sweep. Like the ledger it counts only cells that the line passes from end to end.
        """
        gain = 0
        for window, swept in self._rectangles(pose, self._relied(distance), touching=False):
            opened = swept & self.all_of(SEARCHABLE, window)
            gain += int(np.count_nonzero(opened & ~self.all_of(PENDING, window)))
            self.add(DRIVABLE, opened, window)
            self.remove(SEARCHABLE, swept, window)
        for window, swept in self._rectangles(pose, self._swept(distance, self.footprint.half_count), touching=False):
            gain += int(np.count_nonzero(swept & self.all_of(PENDING, window)))
            self.remove(PENDING, swept, window)
        for window, swept in self._rectangles(pose, self._line(distance, self.footprint.half_lane), touching=False):
            self.remove(FRESH, swept, window)
        return gain

    def swept_windows(self, pose: Pose2, distance: float) -> Iterator[Window]:
        """The parts of the raster that a sweep may have made drivable."""
        return (self.window(pose, piece) for piece in self.pieces(pose, self._relied(distance)))

    def count_gain(self, pose: Pose2, distance: float) -> int:
        """Unsearched cells that count within a lane's nominal width, were it swept."""
        return self._count_pending(pose, self._line(distance, self.footprint.half_lane))

    def count_beyond(self, pose: Pose2, distance: float, outward: NDArray[np.float64]) -> int:
        """Unsearched cells within a lane's width of what tracks could rely on, were it swept, on the side that ``outward`` points to."""
        line = self._line(distance, self.footprint.half_sweep)
        to_the_left = outward @ (-math.sin(pose.yaw), math.cos(pose.yaw)) > 0.0
        sides = (line.y_max, 3.0 * line.y_max) if to_the_left else (3.0 * line.y_min, line.y_min)
        beyond = replace(line, y_min=sides[0], y_max=sides[1])
        return self._count_pending(pose, beyond)

    def _count_pending(self, pose: Pose2, patch: Patch) -> int:
        return sum(
            int(np.count_nonzero(inside & self.all_of(PENDING | INNER, window)))
            for window, inside in self._rectangles(pose, patch, touching=False)
        )

    def _line(self, distance: float, half: float) -> Patch:
        """What the searched line passes, ``half`` m of it to each side."""
        return Patch(self.footprint.ahead, self.footprint.ahead + distance, -half, half)

    def _relied(self, distance: float) -> Patch:
        """The part of what the searched line passes that tracks may rely on."""
        return self._swept(distance, self.footprint.half_sweep)

    def _swept(self, distance: float, half: float) -> Patch:
        """Where, ``half`` m to each side, a cell's centre lies if the line passes all of it: half a diagonal from either end."""
        inset = math.sqrt(0.5) * self.resolution
        ahead = self.footprint.ahead
        return Patch(ahead + inset, ahead + distance - inset, -half, half)

    def can_pivot(self, pose: Pose2, yaw: float, excused: Mask | None = None) -> bool:
        """True if turning on the spot from ``pose`` to ``yaw``, the short way, touches drivable cells only.

        ``excused`` is that of :meth:`can_drive`.
        """
        tracks_free = self._disc_free(pose, self.footprint.radius, DRIVABLE, True)
        if tracks_free and (
            not self.has_obstacles or self._disc_free(pose, self.footprint.head_radius, OBSTACLE, False)
        ):
            return True
        return any(self._turn_free(pose, yaw, step, tracks_free, excused) for step in ROTATION_STEPS)

    def _turn_free(self, pose: Pose2, yaw: float, step: float, tracks_free: bool, excused: Mask | None) -> bool:
        """:meth:`can_pivot`, looked at in steps of at most ``step`` rad; ``tracks_free``: of the head only."""
        turn = wrap_angle(yaw - pose.yaw)
        count = max(1, math.ceil(abs(turn) / step))
        # Between two checked headings a corner moves by less than this.
        tracks = self.footprint.box if excused is None else self.footprint.leaving
        box = tracks.grown(self.footprint.radius * abs(turn) / count / 2.0)
        head = self.footprint.head.grown(self.footprint.head_radius * abs(turn) / count / 2.0)
        for i in range(count, -1, -1):
            at = Pose2(pose.x, pose.y, pose.yaw + turn * i / count)
            window, touched = self.rectangle(at, box, touching=True)
            if not tracks_free:
                touched &= ~self.all_of(DRIVABLE, window)
                if excused is not None:
                    touched &= ~excused[window]
                if touched.any():
                    return False
            if not self.has_obstacles:
                continue
            window, touched = self.rectangle(at, head, touching=True)
            if (touched & self.all_of(OBSTACLE, window)).any():
                return False
        return True

    def _disc_free(self, pose: Pose2, radius: float, bit: np.uint8, wanted: bool) -> bool:
        """True if every cell that the disc around ``pose`` touches has ``bit`` as ``wanted``."""
        window = self.window(Pose2(pose.x, pose.y, 0.0), Patch(-radius, radius, -radius, radius))
        dx = np.abs(self.x0 + (np.arange(window[1].start, window[1].stop) + 0.5) * self.resolution - pose.x)
        dy = np.abs(self.y0 + (np.arange(window[0].start, window[0].stop) + 0.5) * self.resolution - pose.y)[:, None]
        half = self.resolution / 2.0
        touched = np.maximum(dx - half, 0.0) ** 2 + np.maximum(dy - half, 0.0) ** 2 <= radius**2
        return not (touched & (self.all_of(bit, window) != wanted)).any()


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
