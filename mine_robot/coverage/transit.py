"""Ways over ground that is searched or safe: straight drives between places where the robot can turn on the spot."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra

from mine_robot.core.types import Pose2, wrap_angle
from mine_robot.coverage.ground import ROTATION_STEP, Ground, Mask
from mine_robot.coverage.route import Point, Route

ESCAPE_REACH_M = 200.0  # longest straight drive out of a lane
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

    def sees(self, start: Point, end: Point) -> bool:
        """True if every cell along the straight line lies in the turning ground."""
        length = math.dist(start, end)
        count = max(2, math.ceil(length / (0.4 * self.ground.resolution)))
        x = np.linspace(start[0], end[0], count)
        y = np.linspace(start[1], end[1], count)
        col = np.floor((x - self.ground.x0) / self.ground.resolution).astype(int)
        row = np.floor((y - self.ground.y0) / self.ground.resolution).astype(int)
        return bool(self.mask[row, col].all())

    def path(self, start: Point, end: Point) -> list[Point] | None:
        """Corner points of a short way from ``start`` to ``end`` within one part, both included; None if there is none."""
        label = self.label(*start)
        if label == 0 or label != self.label(*end):
            return None
        if self.sees(start, end):
            return [start, end]
        for stride in NODE_STRIDES:
            nodes = self._route(start, end, label, stride)
            if nodes is not None:
                return self._shorten([start, *nodes, end])
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
            if 0 <= r < index.shape[0] and 0 <= c < index.shape[1] and index[r, c] >= 0:
                if self.sees(point, self.ground.centre(r * stride, c * stride)):
                    return int(index[r, c])
        return -1

    def _shorten(self, points: list[Point]) -> list[Point]:
        """``points`` without the corners that a straight line within the part makes needless."""
        kept = [points[0]]
        i = 0
        while i < len(points) - 1:
            low, high = i + 1, len(points) - 1
            if not self.sees(points[i], points[high]):
                while high - low > 1:  # what is seen is nearly always the nearer part of the way
                    middle = (low + high) // 2
                    low, high = (middle, high) if self.sees(points[i], points[middle]) else (low, middle)
                high = low
            kept.append(points[high])
            i = high
        return kept


def escapes(
    ground: Ground, turning: TurningGround, pose: Pose2, reach: float, leaving: bool
) -> list[tuple[float, int]]:
    """Straight drives from ``pose`` to the nearest place of each part of the turning ground: (signed distance, part).

    With ``leaving``, ground under the robot at ``pose`` is excused: a robot that overshot into closed ground by centimetres may back out.
    """
    excused = ground.standing(pose) if leaving else None
    found: dict[int, float] = {}
    step = ground.resolution
    for sign in (-1.0, 1.0):
        distances = np.arange(0.0, reach, step)
        x = pose.x + sign * distances * math.cos(pose.yaw)
        y = pose.y + sign * distances * math.sin(pose.yaw)
        labels = np.array([turning.label(px, py) for px, py in zip(x, y)])
        limit = math.inf
        for label in np.unique(labels[labels > 0]):
            distance = float(distances[np.argmax(labels == label)])
            if distance < min(limit, abs(found.get(int(label), math.inf))):
                if ground.can_drive(pose, sign * distance, excused):
                    found[int(label)] = sign * distance
                else:
                    limit = distance
    return sorted(((distance, label) for label, distance in found.items()), key=lambda item: abs(item[0]))


def wriggles(ground: Ground, turning: TurningGround, pose: Pose2, reach: float) -> tuple[float, float, int] | None:
    """The least turn on the spot from which a straight drive reaches turning ground: (yaw, signed distance, part)."""
    for i in range(1, round(math.pi / (2.0 * ROTATION_STEP)) + 1):
        for sign in (1.0, -1.0):
            yaw = wrap_angle(pose.yaw + sign * 2.0 * ROTATION_STEP * i)
            turned = Pose2(pose.x, pose.y, yaw)
            if ground.can_pivot(pose, yaw):
                found = escapes(ground, turning, turned, reach, leaving=False)
                if found:
                    return yaw, *found[0]
    return None


def ways_out(route: Route, turning: TurningGround) -> list[tuple[float, float]]:
    """Ways from the route's pose to turning ground, nearest first: (heading to turn to, signed distance)."""
    pose = route.pose
    if turning.label(pose.x, pose.y):
        return [(pose.yaw, 0.0)]
    straight = escapes(route.ground, turning, pose, ESCAPE_REACH_M, leaving=True)
    if straight:
        return [(pose.yaw, distance) for distance, _ in straight]
    wriggle = wriggles(route.ground, turning, pose, ESCAPE_REACH_M)
    return [wriggle[:2]] if wriggle else []


def leave_lane(route: Route, yaw: float, distance: float) -> bool:
    """Drive a way of :func:`ways_out`."""
    return route.turn(yaw) and route.drive(distance, route.ground.standing(route.pose))
