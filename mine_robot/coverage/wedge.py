"""An area that tapers from safe ground to a far corner, searched from a strip in its middle.

Lanes along either border of a wedge run from safe ground to the strip between safe ground and the corner, and back: as long as the wedge
allows, with room to turn at both ends and a single short way that is driven twice. Strips along the borders, as long as these are, would
cost more. Where the corner lies over an end of the safe side or beyond it, the strip lies along the shorter border.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mine_robot.coverage.border import Edge, outlines
from mine_robot.coverage.ground import HAZARD, Ground
from mine_robot.coverage.strip import LANES, LONG_LANE_M, STRAIGHT_M, Strip, strip_along, unsafe_runs

STRAIGHT_SHARE = 0.9  # of either side of a wedge that is one straight border
MIDDLE_SHARE = 0.1  # of its base: a corner no farther from over an end of it, or beyond, leaves one side


@dataclass(frozen=True, eq=False)
class Side:
    """One side of a wedge: strips along its border from the corner and from safe ground on, and corners (4, 2) that hold it all."""

    from_corner: Strip
    from_safe: Strip
    corners: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Wedge:
    """The strip in its middle, whose ``border`` is its middle line, from safe ground on; its sides.

    A wedge whose corner lies over an end of its safe side has one side: its ``middle`` lies along the other border.
    """

    middle: Strip
    sides: tuple[Side, ...]


def find_wedge(ground: Ground) -> Wedge | None:
    """The wedge that the hazard area is, if it is one with lanes long enough to turn at both ends."""
    borders = list(outlines(ground.all_of(HAZARD), STRAIGHT_M / ground.resolution))
    runs = [run for border in borders for run in unsafe_runs(ground, border)]
    if len(borders) != 1 or len(runs) != 1:
        return None
    first, last = runs[0][0].start, runs[0][-1].start + runs[0][-1].side
    base = last - first
    length = math.hypot(*base)
    corner = max((edge.start for edge in runs[0]), key=lambda place: _across(base, place - first))
    blunt = 2.0 * LANES * ground.footprint.half_lane / ground.resolution  # a tip no wider than its middle
    up, down = ([edge for edge in part if edge.length >= blunt] for part in _parted(runs[0], corner))
    if not length or not _is_straight(up, corner - first) or not _is_straight(down, last - corner):
        return None
    # Half a border is the mean length of the lanes along it.
    if max(up[0].length, down[0].length) * ground.resolution / 2.0 < LONG_LANE_M:
        return None
    foot = float((corner - first) @ base) / length**2
    if foot < MIDDLE_SHARE:
        middle = strip_along(ground, up[0], first)
        return Wedge(middle, (_side(ground, down[0], False, middle, middle.inward),))
    if foot > 1.0 - MIDDLE_SHARE:
        middle = strip_along(ground, down[0], last)
        return Wedge(middle, (_side(ground, up[0], True, middle, middle.inward),))
    place = first + foot * base
    middle = strip_along(ground, Edge(place, corner - place), place)
    return Wedge(
        middle,
        (_side(ground, down[0], False, middle, middle.inward), _side(ground, up[0], True, middle, -middle.inward)),
    )


def _side(ground: Ground, edge: Edge, up: bool, middle: Strip, aside: NDArray[np.float64]) -> Side:
    """The side of a wedge along an edge that leads ``up`` to its corner, or down from it, ``aside`` of its middle."""
    ends = edge.start, edge.start + edge.side
    along = np.array([math.cos(middle.heading), math.sin(middle.heading)])
    far = float(np.ptp(ground.corners, axis=0).sum())
    line = np.array([middle.start - far * along, middle.start + far * along])
    return Side(
        strip_along(ground, edge, ends[up]),
        strip_along(ground, edge, ends[not up]),
        np.concatenate([line, line[::-1] + far * aside]),
    )


def _across(base: NDArray[np.float64], place: NDArray[np.float64]) -> float:
    """Distance of a place from the base times its length; ``base`` is on the area's left."""
    return abs(float(base[0] * place[1] - base[1] * place[0]))


def _parted(run: Sequence[Edge], corner: NDArray[np.float64]) -> tuple[list[Edge], list[Edge]]:
    """The edges before a corner and those after it."""
    at = next(i for i, edge in enumerate(run) if edge.start is corner)
    return list(run[:at]), list(run[at:])


def _is_straight(edges: Sequence[Edge], side: NDArray[np.float64]) -> bool:
    """Whether one edge is nearly all of a side."""
    return len(edges) == 1 and edges[0].length >= STRAIGHT_SHARE * math.hypot(*side)
