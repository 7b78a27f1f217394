"""Strips of searched ground along the borders in which lanes end, where the robot turns round instead of backing out of every lane.

The tracks are nearly as wide as the searched line, so a robot at the end of a lane cannot turn, and drives every metre twice. Two lanes
side by side are wide enough: a strip of them along a border makes every further lane that ends there a way there or a way back. Strips
follow one another round the hazard area from safe ground on, so that each begins where the one before ended. That pays where lanes
are long; the planner compares.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mine_robot.core.types import Pose2
from mine_robot.coverage.border import Edge, outlines
from mine_robot.coverage.ground import DRIVABLE, HAZARD, Ground
from mine_robot.coverage.route import Point

LONG_LANE_M = 15.0  # shorter lanes are backed out of sooner than a strip is searched
LANES = 2  # side by side in a strip
STRAIGHT_M = 0.3  # a border that bends by no more is one
BEYOND_M = 0.2  # from the border into what lies beyond it, past cells that belong to neither
SAFE_SHARE = 0.5  # of a border beside safe ground that needs no strip


@dataclass(frozen=True, eq=False)
class Strip:
    """Ground to search before the lanes, along a border from ``start`` on, with lanes in ``heading`` (rad) or against it.

    ``border`` (2, 2) are the ends of the stretch, ``length`` m long, and a strip's width more, in ``map``; ``inward`` is a unit vector.
    """

    start: Point
    heading: float
    length: float
    border: NDArray[np.float64]
    inward: NDArray[np.float64]

    @property
    def headings(self) -> tuple[float, float]:
        """Of the lanes in it, either way."""
        return self.heading, self.heading + math.pi

    def corners(self, reach: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Corners (4, 2) of a square ``reach`` m about where it begins, and of one about where it ends."""
        square = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * reach
        return square + self.start, square + self.border.sum(axis=0) - self.start

    def distance(self, place: Pose2) -> float:
        """Of a place in m from the border."""
        return float((np.array([place.x, place.y]) - self.start) @ self.inward)

    def within(self, depth: float) -> NDArray[np.float64]:
        """Corners (4, 2) of its part up to ``depth`` m from the border, and of as much beyond the border."""
        return self.between(-depth, depth)

    def between(self, first: float, last: float) -> NDArray[np.float64]:
        """Corners (4, 2) of its part from ``first`` to ``last`` m from the border."""
        return np.concatenate([self.border + first * self.inward, self.border[::-1] + last * self.inward])


def lay_strips(ground: Ground, heading: float) -> list[list[Strip]]:
    """Chains of strips for lanes in ``heading``, in each of which one leads to the next; none where lanes are short or end on safe ground.

    Only round ground that safe ground touches, where the first of a chain can begin.
    """
    width = _width(ground)
    chains: list[list[Strip]] = []
    for border in outlines(ground.all_of(HAZARD), STRAIGHT_M / ground.resolution):
        if _mean_lane(border, heading) * ground.resolution < LONG_LANE_M:
            continue
        for run in unsafe_runs(ground, border):
            needed = [edge.length * abs(math.sin(edge.angle - heading)) >= width for edge in run]
            for chain in _chains(run, needed):
                strips = [strip_along(ground, edge, start) for edge, start in chain if edge.length >= width]
                chains += [strips] if strips else []
    return chains


def along_borders(ground: Ground) -> list[Strip]:
    """A strip along each stretch of a border that does not lie beside safe ground, as long as a strip is wide or longer."""
    borders = outlines(ground.all_of(HAZARD), STRAIGHT_M / ground.resolution)
    edges = (edge for border in borders for run in unsafe_runs(ground, border) for edge in run)
    return [strip_along(ground, edge, edge.start) for edge in edges if edge.length >= _width(ground)]


def _width(ground: Ground) -> float:
    """Of a strip, in cells."""
    return 2.0 * LANES * ground.footprint.half_lane / ground.resolution


def _mean_lane(border: Sequence[Edge], heading: float) -> float:
    """Mean length in cells of lanes in ``heading``."""
    corners = np.array([edge.start for edge in border])
    x, y = corners.T
    area = 0.5 * float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))
    return area / max(float(np.ptp(corners @ (-math.sin(heading), math.cos(heading)))), 1.0)


def unsafe_runs(ground: Ground, border: Sequence[Edge]) -> Iterator[list[Edge]]:
    """The edges between safe ground and safe ground, in their order round the area."""
    safe = [_is_safe(ground, edge) for edge in border]
    if True not in safe:
        return
    first = safe.index(True)
    turned = [*zip(safe[first:], border[first:]), *zip(safe[:first], border[:first])]
    for is_safe, group in itertools.groupby(turned, key=lambda pair: pair[0]):
        if not is_safe:
            yield [edge for _, edge in group]


def _is_safe(ground: Ground, edge: Edge) -> bool:
    """Whether safe ground lies beyond most of an edge."""
    outward = np.array([edge.side[1], -edge.side[0]]) / max(edge.length, 1e-9) * BEYOND_M / ground.resolution
    places = edge.start + outward + np.linspace(0.0, 1.0, 2 + round(edge.length))[:, None] * edge.side
    rows, cols = ground.cells.shape
    col, row = np.rint(places).astype(int).T.clip(0, [[cols - 1], [rows - 1]])
    cells = ground.cells[row, col]
    return bool(np.mean((cells & (DRIVABLE | HAZARD)) == DRIVABLE) >= SAFE_SHARE)


def _chains(run: list[Edge], needed: list[bool]) -> Iterator[list[tuple[Edge, NDArray[np.float64]]]]:
    """Edges with the corners they begin at, from either end of a run: all but the longest stretch at which no lanes end."""
    if not any(needed):
        return
    stretches = [
        (needs, [i for i, _ in group])
        for needs, group in itertools.groupby(enumerate(needed), key=lambda pair: pair[1])
    ]
    idle = [indices for needs, indices in stretches if not needs]
    left_out = max(idle, key=lambda indices: sum(run[i].length for i in indices), default=[len(run)])
    yield [(edge, edge.start) for edge in run[: left_out[0]]]
    yield [(edge, edge.start + edge.side) for edge in reversed(run[left_out[-1] + 1 :])]


def strip_along(ground: Ground, edge: Edge, start: NDArray[np.float64]) -> Strip:
    """The strip along an edge that begins at ``start``, in cells."""
    along = edge.side / edge.length
    more = _width(ground) * along
    border = np.array([edge.start - more, edge.start + edge.side + more])
    x, y = ground.places(start)
    return Strip(
        (float(x), float(y)),
        edge.angle,
        edge.length * ground.resolution,
        ground.places(border),
        np.array([-along[1], along[0]]),
    )
