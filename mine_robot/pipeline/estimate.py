"""How long robots need for an area, before anyone goes there: the planner itself on blocks of it, the rest by area.

An area larger than a block is cut into square blocks along its longest direction. A sample of blocks is planned: blocks are sorted by
their searchable area and divided into groups, and the middle block of each group stands for it, by the square metre. Every
block is taken to be entered from searched or safe ground along one side.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import shapely
from shapely import MultiPolygon, Polygon, affinity
from shapely.geometry.base import BaseGeometry

from mine_robot.core.field import Field
from mine_robot.core.limits import Limits
from mine_robot.core.parameters import param
from mine_robot.core.types import Plan
from mine_robot.sim.scenario import ScenarioError

ACCESS_M = 4.0  # depth of the searched ground from which a block is entered
REACHED_SHARE = 0.9  # a plan from one side that searches less says that the side does not suit the block
WHOLE_SHARE = 1.0 - 1e-6
PLANNED_WHOLE_M2 = 2500.0  # up to here a field is planned as it is, within seconds
MIN_BLOCK_M2 = 0.01  # less is rounding where the grid touches the border

PlanField = Callable[[Field], Plan]


@dataclass(frozen=True)
class Profile:
    """What the estimate assumes of robots and crew; areas and speeds come from the robot's own parameters."""

    robots: int = param("Robots at work at the same time.", low=1, high=10_000, default=1)
    hours_per_day: float = param("Working hours of a robot a day.", unit="h", low=0.5, high=24.0, default=8.0)
    battery_hours: float = param("Work on one battery.", unit="h", low=0.1, high=100.0, default=4.0)
    swap_minutes: float = param("Time to change the battery.", unit="min", low=0.0, high=600.0, default=15.0)
    finds_per_ha: float = param("Suspect spots that are marked, by hectare.", low=0.0, high=10_000.0, default=0.0)
    find_seconds: float = param(
        "What a marked spot adds to the search: stop, approach, mark, way round it.",
        unit="s", low=0.0, high=3600.0, default=75.0,
    )  # fmt: skip
    block_m: float = param("Side of a block.", unit="m", low=10.0, high=200.0, default=30.0)
    samples: int = param("Blocks that are planned for an area of many.", low=1, high=100, default=4)


@dataclass(frozen=True)
class Block:
    """A block that was planned or is estimated: areas in m², ``search_s`` without finds."""

    area: float
    gaps: float
    lanes: float
    length: float
    search_s: float
    planned: bool

    def scaled(self, area: float) -> Block:
        """The same work by the square metre on another area."""
        share = area / self.area
        return Block(area, self.gaps * share, self.lanes * share, self.length * share, self.search_s * share, False)


def blocks_of(field: Field, plan: PlanField, profile: Profile) -> list[Block]:
    """The work on one field, block by block; a small one is planned as it is.

    Raises :class:`mine_robot.sim.scenario.ScenarioError` if the robot finds no room beside the field.
    """
    if field.hazard.area <= max(profile.block_m**2, PLANNED_WHOLE_M2):
        return [_block(plan(field), float(field.hazard.difference(field.no_go).area))]
    pieces, corners = cut(field, profile.block_m)
    if field.lane_direction is not None:  # the pieces stand upright
        turn = _direction(field.hazard.difference(field.no_go))
        field = replace(field, lane_direction=field.lane_direction - turn)
    areas = shapely.area(pieces)
    order = np.argsort(areas, kind="stable")
    blocks: list[Block] = []
    for group in groups(areas[order], profile.samples, profile.block_m**2):
        members = order[group]
        middle = members[len(members) // 2]
        sample = _plan_block(affinity.translate(pieces[middle], *-corners[middle]), field, plan, profile.block_m)
        blocks += [sample if i == middle else sample.scaled(float(areas[i])) for i in members]
    return blocks


def groups(areas: np.ndarray, count: int, whole: float) -> list[np.ndarray]:
    """Indices of ``areas`` (ascending, m²) in at most ``count`` groups: whole blocks are alike, the others by size."""
    index = np.arange(len(areas))
    full = areas >= WHOLE_SHARE * whole
    parts = np.array_split(index[~full], max(count - 1, 1) if full.any() else count)
    if count == 1:
        parts, full = [index], np.zeros(len(areas), dtype=bool)
    return [group for group in (*parts, index[full]) if len(group)]


def cut(field: Field, side: float) -> tuple[np.ndarray, np.ndarray]:
    """The searchable ground in squares of ``side`` m along its longest direction, turned so that they stand upright.

    Returns geometries (n,) and the south-west corners (n, 2) of their squares, m.
    """
    ground = field.hazard.difference(field.no_go)
    upright = affinity.rotate(ground, -_direction(ground), origin=(0.0, 0.0), use_radians=True)
    west, south, east, north = upright.bounds
    columns, rows = (max(math.ceil(extent / side - 1e-9), 1) for extent in (east - west, north - south))
    x, y = (grid.ravel() for grid in np.meshgrid(west + side * np.arange(columns), south + side * np.arange(rows)))
    squares = shapely.box(x, y, x + side, y + side)
    shapely.prepare(upright)
    inside = shapely.covers(upright, squares)
    edge = shapely.intersects(upright, squares) & ~inside
    pieces = np.full(len(squares), None, dtype=object)
    pieces[inside] = squares[inside]
    pieces[edge] = shapely.intersection(upright, squares[edge])
    kept = shapely.area(pieces) > MIN_BLOCK_M2  # of none it is not a number
    return pieces[kept], np.column_stack([x, y])[kept]


def _direction(ground: BaseGeometry) -> float:
    """Direction in rad of the longest side of the smallest rectangle about ``ground``."""
    corners = np.array(shapely.oriented_envelope(ground).exterior.coords)
    sides = np.diff(corners, axis=0)
    longest = sides[int(np.argmax(np.hypot(*sides.T)))]
    return math.atan2(longest[1], longest[0])


def _plan_block(piece: BaseGeometry, field: Field, plan: PlanField, side: float) -> Block:
    """Plan one block from its side that borders on most of its ground, or, where that leaves much, from all around."""
    parts = [part for part in shapely.get_parts(piece) if isinstance(part, Polygon)]
    hazard = MultiPolygon(parts)
    fresh = replace(field, hazard=hazard, no_go=MultiPolygon(), known_targets=np.empty((0, 2)))
    strips = [
        shapely.box(0.0, -ACCESS_M, side, 0.0),
        shapely.box(0.0, side, side, side + ACCESS_M),
        shapely.box(-ACCESS_M, 0.0, 0.0, side),
        shapely.box(side, 0.0, side + ACCESS_M, side),
    ]
    best = max(strips, key=lambda strip: strip.intersection(hazard).length)
    around = hazard.buffer(ACCESS_M).difference(hazard)
    for safe in (best, around):
        safe = MultiPolygon([part for part in shapely.get_parts(safe) if isinstance(part, Polygon)])
        if safe.intersection(hazard).length == 0.0:
            continue
        try:
            block = _block(plan(replace(fresh, safe=safe)), float(hazard.area))
        except ScenarioError:  # no room there; there is room all around
            continue
        if block.area - block.gaps >= REACHED_SHARE * block.area:
            break
    return block


def _block(plan: Plan, area: float) -> Block:
    """The work of a plan; what it leaves costs time elsewhere, or a deminer's."""
    gaps = min(sum(gap.area for gap in plan.gaps), area)
    return Block(area, gaps, float(sum(step.sweep for step in plan.steps)), plan.length, plan.duration, True)


@dataclass(frozen=True)
class Estimate:
    """Work of all robots together in robot-hours; ``days`` until the last robot is done."""

    area_m2: float
    gaps_m2: float
    blocks: int
    planned: int
    lanes: int
    length_m: float
    search_h: float
    finds_h: float
    moves_h: float
    swaps: int
    hours: float
    robot_days: float
    days: int

    @property
    def rate_m2_per_h(self) -> float:
        """Searched ground by robot-hour, everything included."""
        return (self.area_m2 - self.gaps_m2) / self.hours if self.hours > 0.0 else 0.0


def estimate(blocks: Sequence[Block], profile: Profile, limits: Limits) -> Estimate:
    """Add up blocks and deal them out to the robots, the longest first to whoever is free first."""
    find_s = profile.finds_per_ha * profile.find_seconds / 1e4  # a m²
    moves_s = profile.block_m / limits.drive_speed if len(blocks) > 1 else 0.0
    work = share_out((block.search_s + find_s * block.area + moves_s for block in blocks), profile.robots)
    swaps = [max(math.ceil(seconds / (3600.0 * profile.battery_hours) - 1e-9) - 1, 0) for seconds in work]
    hours = [s / 3600.0 + n * profile.swap_minutes / 60.0 for s, n in zip(work, swaps)]
    area = sum(block.area for block in blocks)
    return Estimate(
        area_m2=area,
        gaps_m2=sum(block.gaps for block in blocks),
        blocks=len(blocks),
        planned=sum(block.planned for block in blocks),
        lanes=round(sum(block.lanes for block in blocks)),
        length_m=sum(block.length for block in blocks),
        search_h=sum(block.search_s for block in blocks) / 3600.0,
        finds_h=find_s * area / 3600.0,
        moves_h=moves_s * len(blocks) / 3600.0,
        swaps=sum(swaps),
        hours=sum(hours),
        robot_days=sum(hours) / profile.hours_per_day,
        days=math.ceil(max(hours) / profile.hours_per_day - 1e-9),
    )


def share_out(seconds: Iterable[float], robots: int) -> list[float]:
    """Work of each robot in s if whole blocks go, longest first, to the one with least (Graham's LPT rule, 1969)."""
    loads = [0.0] * robots
    for duration in sorted(seconds, reverse=True):
        heapq.heapreplace(loads, loads[0] + duration)
    return loads
