"""Shorter ways from lane to lane: never with less room for an error of tracking than the way they replace."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from coverage_setup import limits, robot

from mine_robot.core.types import Cell, LedgerGrid, PlanStep, Pose2, StepKind
from mine_robot.coverage.footprint import Footprint
from mine_robot.coverage.ground import Ground
from mine_robot.coverage.params import CoverageParams
from mine_robot.coverage.route import Route, stay
from mine_robot.coverage.shortcut import shorten
from mine_robot.coverage.transit import TurningGround

RESOLUTION = 0.05
GOAL = Pose2(-2.0, 0.0, 0.0)


def lane_out_of_safe_ground(half_width: float) -> Ground:
    """A lane along x > 0 out of safe ground at x < 0."""
    cells = np.full((120, 240), Cell.PENDING, dtype=np.int8)
    y = (np.arange(120) + 0.5) * RESOLUTION - 3.0
    cells[np.abs(y) <= half_width] = Cell.SEARCHED
    cells[:, :80] = Cell.SAFE
    return Ground(LedgerGrid(0.0, -4.0, -3.0, RESOLUTION, cells), Footprint.of(robot(), limits(), CoverageParams()))


def shortened(aside: float, before: int) -> list[PlanStep]:
    """The steps from ``aside`` in the lane to the goal, after so many others, of which a detour of 100 m is shortened."""
    route = Route(lane_out_of_safe_ground(0.5), Pose2(5.0, aside, 0.0), limits())
    route.steps = [stay(route.pose, limits())] * before
    mark = route.mark()
    detour = PlanStep(StepKind.TRANSIT, Pose2(5.0, aside, 0.0), Pose2(105.0, aside, 0.0), False, False, 1.0)
    route.steps, route.pose = [*route.steps, detour], GOAL
    shorten(route, mark, TurningGround(route.ground))
    assert route.pose == GOAL
    return [] if detour in route.steps else route.steps[before:]


@pytest.mark.parametrize("before", [0, 1])
def test_a_detour_out_of_a_lane_becomes_a_straight_way(before: int) -> None:
    steps = shortened(0.0, before)
    assert 0.0 < sum(step.length for step in steps) < 10.0


@pytest.mark.parametrize("aside", [-0.03, 0.03])
def test_only_where_the_robot_really_stands_a_shortcut_needs_no_room_for_tracking(aside: float) -> None:
    """A plan once drove 7 mm over unsearched ground: where it planned the robot to stand, ground under it was excused."""
    assert shortened(aside, before=0)
    assert not shortened(aside, before=1)
