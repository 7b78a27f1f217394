"""Ways over ground that is searched or safe: straight drives between places where the robot can turn on the spot."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra

from mine_robot.coverage.ground import Ground, Mask
from mine_robot.coverage.route import Point

Floats = NDArray[np.floating[Any]]
NODE_STRIDES = (2, 1)  # raster cells between nodes; the finest finds what narrow passages leave


class TurningGround:
    """Where the robot may turn on the spot, by connected part; ``labels`` (rows, columns) is 0 where it may not."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.mask: Mask = ground.pivotable()
        self.count, labels = cv2.connectedComponents(self.mask.astype(np.uint8), connectivity=4, ltype=cv2.CV_16U)
        self.labels: NDArray[np.uint16] = np.asarray(labels, dtype=np.uint16)

    def label(self, x: float, y: float) -> int:
        """The part that holds (x, y), 0 if the robot may not turn there."""
        return int(self.labels[self.ground.cell(x, y)])

    def labels_at(self, x: Floats, y: Floats) -> NDArray[np.uint16]:
        """The parts (n,) that hold points, 0 where the robot may not turn."""
        return self.labels[self._cells(x, y)]

    @cached_property
    def _distances(self) -> NDArray[np.float32]:
        free = (~self.mask).astype(np.uint8)
        if self.count < 2:
            return np.full(free.shape, np.inf, dtype=np.float32)
        return np.asarray(cv2.distanceTransform(free, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)) * self.ground.resolution

    def distances_at(self, x: Floats, y: Floats) -> NDArray[np.float32]:
        """Distances (n,) in m of points to the nearest place to turn."""
        return self._distances[self._cells(x, y)]

    def distance(self, x: float, y: float) -> float:
        """Distance in m of (x, y) to the nearest place to turn."""
        return float(self._distances[self.ground.cell(x, y)])

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

    @cached_property
    def _passable(self) -> Mask:
        """Where the robot can be while it drives straight, on the strength of its width alone."""
        return self.ground.passable()

    def passes(self, start: Point, end: Point, count: int | None = None) -> bool:
        """True if a straight drive between two places to turn is probably clear."""
        count = count or max(2, math.ceil(math.dist(start, end) / (0.8 * self.ground.resolution)))
        x = np.linspace(start[0], end[0], count)
        y = np.linspace(start[1], end[1], count)
        return bool(self._passable[self._cells(x, y)].all())

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
        for stride in NODE_STRIDES:
            nodes = self._route(start, end, label, stride)
            if nodes is not None:
                return _shorten([start, *nodes, end], sees)
        return None

    def _route(self, start: Point, end: Point, label: int, stride: int) -> list[Point] | None:
        """Shortest way over every ``stride``-th cell of a part, by Dijkstra's algorithm on the 8-connected raster."""
        part = (self.labels == label)[::stride, ::stride]
        index = np.full(part.shape, -1, dtype=np.int64)
        count = int(part.sum())
        index[part] = np.arange(count)
        ends = [self._node(index, point, stride) for point in (start, end)]
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
        cells = np.argwhere(part) * stride
        nodes, node = [], ends[1]
        while node >= 0:
            nodes.append(self.ground.centre(*cells[node]))
            node = int(before[node])
        return nodes[::-1]

    def _node(self, index: NDArray[np.int64], point: Point, stride: int) -> int:
        """A node near ``point`` that it sees; -1 if there is none."""
        row, col = self.ground.cell(*point)
        row, col = row // stride, col // stride
        for dr, dc in ((0, 0), (0, 1), (1, 0), (1, 1), (0, -1), (-1, 0), (-1, -1), (1, -1), (-1, 1)):
            r, c = row + dr, col + dc
            inside = 0 <= r < index.shape[0] and 0 <= c < index.shape[1]
            if inside and index[r, c] >= 0 and self.sees(point, self.ground.centre(r * stride, c * stride)):
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
