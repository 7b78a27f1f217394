"""The straight stretches of the outline of an area on a raster."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mine_robot.coverage.ground import Mask

SAME_DIRECTION_RAD = math.radians(5.0)
ON_EDGE_CELLS = 4.0  # a point of the outline that is nearer to an edge belongs to it
POINTS_MIN = 10  # of the outline on an edge, for a direction finer than the corners give


@dataclass(frozen=True, eq=False)
class Edge:
    """A stretch of an outline from ``start`` by ``side``, both (column, row) in cells. The area lies to its left."""

    start: NDArray[np.float64]
    side: NDArray[np.float64]

    @property
    def angle(self) -> float:
        """In rad."""
        return math.atan2(self.side[1], self.side[0])

    @property
    def length(self) -> float:
        """In cells."""
        return math.hypot(*self.side)


def outlines(mask: Mask, tolerance: float) -> Iterator[list[Edge]]:
    """The edges round each connected part of ``mask``, in their order; they leave out what bends by up to ``tolerance`` cells."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    for contour in contours:
        points = contour[:, 0, :].astype(float)
        corners = cv2.approxPolyDP(contour, tolerance, True)[:, 0, :].astype(float)
        if cv2.contourArea(corners.astype(np.float32), oriented=True) < 0.0:
            corners = corners[::-1]
        sides = np.roll(corners, -1, axis=0) - corners
        yield [_fitted(Edge(corner, side), points) for corner, side in zip(corners, sides)]


def main_directions(pending: Mask, count: int) -> list[float]:
    """Up to ``count`` different lane directions (mod pi) that suit the unsearched ground: along its longest edges and across."""
    edges = [edge for outline in outlines(pending, 3.0) for edge in outline]
    directions: list[float] = []
    for edge in sorted(edges, key=lambda edge: -edge.length):
        for direction in (edge.angle, edge.angle + math.pi / 2.0):
            if all(abs(math.remainder(direction - other, math.pi)) > SAME_DIRECTION_RAD for other in directions):
                directions.append(direction)
    return directions[:count]


def _fitted(edge: Edge, outline: NDArray[np.float64]) -> Edge:
    """An edge laid along the points (n, 2) of an outline that belong to it, away from its corners: finer than these give it."""
    length = max(edge.length, 1e-9)
    along = (outline - edge.start) @ edge.side / length
    across = (outline - edge.start) @ np.array([-edge.side[1], edge.side[0]]) / length
    on_edge = outline[(along > 0.1 * length) & (along < 0.9 * length) & (np.abs(across) < ON_EDGE_CELLS)]
    if len(on_edge) < POINTS_MIN:
        return edge
    # Least squares: a robust fit prefers some of the steps of a raster to others.
    *direction, x, y = cv2.fitLine(on_edge.astype(np.float32), cv2.DIST_L2, 0, 0.01, 0.01).ravel().astype(float)
    unit, place = np.array(direction), np.array([x, y])
    start = place + (edge.start - place) @ unit * unit
    return Edge(start, edge.side @ unit * unit)
