"""Ways over ground that is searched or safe: straight drives between places where the robot can turn on the spot."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra

from mine_robot.core.types import Pose2
from mine_robot.coverage.ground import Ground, Mask, Window
from mine_robot.coverage.route import Point
from mine_robot.coverage.tiles import Tiles, grown, part_of

Floats = NDArray[np.floating[Any]]
NODE_STRIDES = (2, 1)  # raster cells between nodes; the finest finds what narrow passages leave
DETOURS_M = (10.0, 40.0)  # round about the ends of a way, before it is looked for everywhere
FAR_M = 3.0  # from turning ground; how much farther does not matter


class TurningGround:
    """Where the robot may turn on the spot, by connected part; :meth:`grow` takes in what a sweep has added."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        shape: tuple[int, int] = (ground.cells.shape[0], ground.cells.shape[1])
        self.mask: Mask = ground.pivotable()
        count, labels = cv2.connectedComponents(self.mask.astype(np.uint8), connectivity=4, ltype=cv2.CV_16U)
        self._labels: NDArray[np.uint16] = np.asarray(labels, dtype=np.uint16)
        # By label: parts that have grown together have several.
        self._parts: NDArray[np.uint16] = np.arange(count, dtype=np.uint16)
        near = math.ceil(FAR_M / ground.resolution)
        # Of the mask, not of this object: in a circle of references the rasters of a plan would outlive it, a gigabyte for ten hectares.
        self._distances = Tiles(shape, np.float32, near, partial(_distances_in, self.mask, ground.resolution))
        # Where the robot can be while it drives straight, on the strength of its width alone.
        self._passable = Tiles(shape, np.bool_, ground.reach, ground.passable)

    @property
    def count(self) -> int:
        """Number of parts."""
        return len(np.unique(self._parts)) - 1

    def label(self, x: float, y: float) -> int:
        """The part that holds (x, y), 0 if the robot may not turn there."""
        return int(self._parts[self._labels[self.ground.cell(x, y)]])

    def labels_at(self, x: Floats, y: Floats) -> NDArray[np.uint16]:
        """The parts (n,) that hold points, 0 where the robot may not turn."""
        return np.asarray(self._parts[self._labels[self._cells(x, y)]])

    def parts(self, resample: Callable[[NDArray[np.uint16]], NDArray[Any]] = np.asarray) -> NDArray[np.uint16]:
        """The part of every cell of the raster, or of another that ``resample`` lays over it; 0 where the robot may not turn."""
        return np.asarray(self._parts[resample(self._labels)])

    def distances_at(self, x: Floats, y: Floats) -> NDArray[np.float32]:
        """Distances (n,) in m of points to the nearest place to turn, up to ``FAR_M``."""
        return self._distances.at(*self._cells(x, y))

    def grow(self, pose: Pose2, distance: float) -> None:
        """Take in a sweep by ``distance`` m that began at ``pose``."""
        for window in self.ground.swept_windows(pose, distance):
            self._passable.forget(window)
            self._renew(grown(window, self.ground.reach, self.mask.shape))

    def _renew(self, window: Window) -> None:
        """Where the robot may turn in ``window``, and which parts that joins."""
        source = grown(window, self.ground.reach, self.mask.shape)
        mask = self.ground.pivotable(source)[part_of(source, window)]
        if np.array_equal(mask, self.mask[window]):
            return
        self.mask[window] = mask
        self._distances.forget(window)
        count, local = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
        here = self._parts[self._labels[window]]
        names = np.zeros(count, dtype=np.uint16)
        met = np.zeros((count, len(self._parts)), dtype=bool)
        met[local, here] = True
        met[0], met[:, 0] = False, False
        for component, part in np.argwhere(met):
            if names[component] == 0:
                names[component] = self._parts[part]
            else:
                self._parts[self._parts == self._parts[part]] = names[component]
        for component in range(1, count):
            if names[component] == 0:
                names[component] = len(self._parts)
                self._parts = np.concatenate([self._parts, names[component : component + 1]])
        self._labels[window] = names[local]

    def _cells(self, x: Floats, y: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        rows, cols = self.mask.shape
        row = np.floor((y - self.ground.y0) / self.ground.resolution).astype(np.int64)
        col = np.floor((x - self.ground.x0) / self.ground.resolution).astype(np.int64)
        return np.clip(row, 0, rows - 1), np.clip(col, 0, cols - 1)

    def sees(self, start: Point, end: Point) -> bool:
        """True if every cell along the straight line lies in the turning ground."""
        length = math.dist(start, end)
        count = max(2, math.ceil(length / (0.4 * self.ground.resolution)))
        x = np.linspace(start[0], end[0], count)
        y = np.linspace(start[1], end[1], count)
        return bool(self.mask[self._cells(x, y)].all())

    def passes(self, start: Point, end: Point, count: int | None = None) -> bool:
        """True if a straight drive between two places to turn is probably clear."""
        count = count or max(2, math.ceil(math.dist(start, end) / (0.8 * self.ground.resolution)))
        x = np.linspace(start[0], end[0], count)
        y = np.linspace(start[1], end[1], count)
        return bool(self._passable.at(*self._cells(x, y)).all())

    def path(self, start: Point, end: Point, within: bool = False) -> list[Point] | None:
        """Corner points of a short way from ``start`` to ``end`` in one part, both included; None if there is none.

        Between the corners the way may pass where the robot cannot turn, unless it shall keep ``within`` the part.
        """
        sees = self.sees if within else self.passes
        label = self.label(*start)
        if label == 0 or label != self.label(*end):
            return None
        if sees(start, end):
            return [start, end]
        for window in self._windows(start, end):
            for stride in NODE_STRIDES:
                nodes = self._route(start, end, label, stride, window)
                if nodes is not None:
                    return _shorten([start, *nodes, end], sees)
        return None

    def _windows(self, start: Point, end: Point) -> Iterator[Window]:
        """Parts of the raster around two points in which a way is looked for, at last all of it."""
        corners = np.array([self.ground.cell(*start), self.ground.cell(*end)])
        (r0, c0), (r1, c1) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
        whole = (slice(0, self.mask.shape[0]), slice(0, self.mask.shape[1]))
        last = None
        for detour in DETOURS_M:
            cells = math.ceil(detour / self.ground.resolution)
            last = grown((slice(r0, r1 + 1), slice(c0, c1 + 1)), cells, self.mask.shape)
            yield last
            if last == whole:
                return
        yield whole

    def _route(self, start: Point, end: Point, label: int, stride: int, window: Window) -> list[Point] | None:
        """Shortest way over every ``stride``-th cell of a part in ``window``, by Dijkstra's algorithm on the 8-connected raster."""
        part = self._parts[self._labels[window][::stride, ::stride]] == label
        corner = (window[0].start, window[1].start)
        index = np.full(part.shape, -1, dtype=np.int64)
        count = int(part.sum())
        index[part] = np.arange(count)
        ends = [self._node(index, point, stride, corner) for point in (start, end)]
        if count == 0 or min(ends) < 0:
            return None
        pairs, weights = [], []
        for dr, dc in ((0, 1), (1, 0), (1, 1), (1, -1)):
            here = index[: part.shape[0] - dr, max(-dc, 0) : part.shape[1] - max(dc, 0)]
            there = index[dr:, max(dc, 0) : part.shape[1] + min(dc, 0)]
            joined = (here >= 0) & (there >= 0)
            pairs.append(np.stack([here[joined], there[joined]]))
            weights.append(np.full(pairs[-1].shape[1], math.hypot(dr, dc)))
        rows, cols = np.concatenate(pairs, axis=1)
        graph = coo_matrix((np.concatenate(weights), (rows, cols)), shape=(count, count)).tocsr()
        _, before = dijkstra(graph, directed=False, indices=ends[0], return_predecessors=True)
        if ends[1] != ends[0] and before[ends[1]] < 0:
            return None
        cells = np.argwhere(part) * stride + corner
        nodes, node = [], ends[1]
        while node >= 0:
            nodes.append(self.ground.centre(*cells[node]))
            node = int(before[node])
        return nodes[::-1]

    def _node(self, index: NDArray[np.int64], point: Point, stride: int, corner: tuple[int, int]) -> int:
        """A node near ``point`` that it sees; -1 if there is none."""
        row, col = self.ground.cell(*point)
        row, col = (row - corner[0]) // stride, (col - corner[1]) // stride
        for dr, dc in ((0, 0), (0, 1), (1, 0), (1, 1), (0, -1), (-1, 0), (-1, -1), (1, -1), (-1, 1)):
            r, c = row + dr, col + dc
            inside = 0 <= r < index.shape[0] and 0 <= c < index.shape[1]
            centre = self.ground.centre(r * stride + corner[0], c * stride + corner[1])
            if inside and index[r, c] >= 0 and self.sees(point, centre):
                return int(index[r, c])
        return -1


def _shorten(points: list[Point], sees: Callable[[Point, Point], bool]) -> list[Point]:
    """``points`` without the corners that a straight line makes needless."""
    kept = [points[0]]
    i = 0
    while i < len(points) - 1:
        low, high = i + 1, len(points) - 1
        if not sees(points[i], points[high]):
            while high - low > 1:  # what is seen is nearly always the nearer part of the way
                middle = (low + high) // 2
                low, high = (middle, high) if sees(points[i], points[middle]) else (low, middle)
            high = low
        kept.append(points[high])
        i = high
    return kept


def _distances_in(mask: Mask, resolution: float, window: Window) -> NDArray[np.float32]:
    """Distances in m to the nearest cell of ``mask`` within ``window``, up to ``FAR_M``."""
    free = (~mask[window]).astype(np.uint8)
    if free.all():
        return np.full(free.shape, FAR_M, dtype=np.float32)
    cells = cv2.distanceTransform(free, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.minimum(np.asarray(cells) * resolution, FAR_M)
