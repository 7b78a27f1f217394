"""Ways out: of a lane in which the robot stands askew, of a corridor it stands across, its nose at the halo of what it has just found."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from coverage_setup import limits, robot

from mine_robot.core.raster import stamp_disc
from mine_robot.core.types import Cell, LedgerGrid, Pose2
from mine_robot.coverage.escape import drive_moves, ways_out
from mine_robot.coverage.footprint import Footprint
from mine_robot.coverage.ground import Ground
from mine_robot.coverage.params import CoverageParams
from mine_robot.coverage.planner import Planner
from mine_robot.coverage.route import Route, stay
from mine_robot.coverage.transit import TurningGround

RESOLUTION = 0.05


def shut_in(width: float, aside: float) -> tuple[Route, TurningGround]:
    """A corridor of ``width`` m; the target lies ``aside`` m within its left edge, the robot points at it from 0.9 m."""
    cells = np.full((240, 80), Cell.OUTSIDE, dtype=np.int8)
    cells[4:220, 4 : 4 + round(width / RESOLUTION)] = Cell.SEARCHED
    halo = np.zeros(cells.shape, dtype=bool)
    stamp_disc(halo, 0.0, 0.0, RESOLUTION, 0.2 + aside, 5.0, 0.3)
    cells[halo] = Cell.HALO
    grid = LedgerGrid(0.0, 0.0, 0.0, RESOLUTION, cells)
    ground = Ground(grid, Footprint.of(robot(), limits(), CoverageParams()))
    return Route(ground, Pose2(0.2 + aside + 0.9, 5.05, math.pi), limits()), TurningGround(ground)


@pytest.mark.parametrize("width", [2.1, 2.2])
def test_small_turns_and_drives_lead_out(width: float) -> None:
    route, turning = shut_in(width, 0.30 if width < 2.15 else 0.35)
    moves = next(iter(ways_out(route, turning)))
    assert drive_moves(route, moves)  # every move is checked on the ground once more
    assert turning.label(route.pose.x, route.pose.y) > 0


def test_where_there_is_no_room_there_is_no_way() -> None:
    route, turning = shut_in(2.0, 0.45)
    assert list(ways_out(route, turning)) == []


def lane(length: float, left: float = 0.525, right: float = 0.525) -> LedgerGrid:
    """Unsearched ground with one lane in it along x, so wide to either side, that leads out of a safe strip at x < 0."""
    rows, cols = 120, round((length + 5.0) / RESOLUTION)
    cells = np.full((rows, cols), Cell.PENDING, dtype=np.int8)
    cells[:, : round(4.0 / RESOLUTION)] = Cell.SAFE
    y = (np.arange(rows) + 0.5) * RESOLUTION - 3.0
    cells[(y <= left) & (y >= -right), : round((length + 4.0) / RESOLUTION)] = Cell.SEARCHED
    return LedgerGrid(0.0, -4.0, -3.0, RESOLUTION, cells)


@pytest.mark.parametrize("seed", range(8))
def test_a_robot_askew_in_a_long_lane_lines_up_and_backs_out(seed: int) -> None:
    """Half a degree is nine centimetres over ten metres, more than a lane leaves: a mission once ended after its second find."""
    rng = np.random.default_rng(seed)
    length = rng.uniform(6.0, 60.0)
    askew = rng.choice((-1.0, 1.0)) * math.radians(rng.uniform(0.8, 1.5))
    grid = lane(length)
    ground = Ground(grid, Footprint.of(robot(), limits(), CoverageParams()))
    pose = Pose2(length - 1.2, rng.uniform(-0.02, 0.02), askew)
    assert not ground.can_drive(pose, -pose.x, ground.standing(pose))
    route, turning = Route(ground, pose, limits()), TurningGround(ground)
    (way,) = ways_out(route, turning)
    assert drive_moves(route, way)
    assert route.pose.x < 0.0
    plan = Planner(CoverageParams(), limits(), robot()).plan_home(grid, pose, Pose2(-2.0, 0.0, 0.0), 0.0)
    assert plan.steps


def test_a_robot_shut_in_has_no_plan_and_calls_no_ground_unreachable() -> None:
    """A halo across its lane behind it: a person has to fetch it, and the ground that it leaves is simply not searched."""
    grid = lane(8.0)
    halo = np.zeros(grid.cells.shape, dtype=bool)
    stamp_disc(halo, grid.x0, grid.y0, RESOLUTION, 3.0, 0.3, 0.3)
    grid.cells[halo] = Cell.HALO
    planner = Planner(CoverageParams(), limits(), robot())
    plan, _ = planner.plan_search(grid, Pose2(6.5, 0.0, 0.0), 0.0)
    assert plan.steps == () and not plan.complete
    assert {gap.reason for gap in plan.gaps} == {"target halo"}
    assert planner.plan_home(grid, Pose2(6.5, 0.0, 0.0), Pose2(-2.0, 0.0, 0.0), 0.0).steps == ()


def gate(heading_deg: float, width: float) -> LedgerGrid:
    """Searched ground, across it a wall 1.4 m thick with round jambs: a gate ``width`` m wide that is driven through in one heading."""
    y, x = (np.mgrid[0:160, 0:200] + 0.5) * RESOLUTION - np.array([4.0, 5.0])[:, None, None]
    cos, sin = math.cos(math.radians(heading_deg)), math.sin(math.radians(heading_deg))
    along, beside = cos * x + sin * y, np.abs(cos * y - sin * x) - width / 2.0 - 0.7
    cells = np.full(x.shape, Cell.SEARCHED, dtype=np.int8)
    cells[((np.abs(along) < 0.7) & (beside > 0.0)) | (np.hypot(along, beside) < 0.7)] = Cell.HALO
    cells[(x < -3.0) & (cells == Cell.SEARCHED)] = Cell.SAFE
    return LedgerGrid(0.0, -5.0, -4.0, RESOLUTION, cells)


@pytest.mark.parametrize(("heading", "width"), [(11.0, 1.09), (34.0, 1.09), (11.0, 1.0), (0.0, 1.0)])
def test_the_way_home_leads_through_a_narrow_gate_in_any_heading(heading: float, width: float) -> None:
    """Sixteen headings were tried, with all room for tracking: of 74 random fields, two robots that had driven in so did not come out."""
    home = Pose2(-4.0, 0.0, 1.0)
    plan = Planner(CoverageParams(), limits(), robot()).plan_home(gate(heading, width), Pose2(3.0, 1.0, 2.0), home, 0.0)
    assert plan.steps and math.dist((plan.steps[-1].end.x, plan.steps[-1].end.y), (home.x, home.y)) < 0.01


def test_no_way_home_leads_through_a_gate_as_wide_as_the_tracks() -> None:
    planner = Planner(CoverageParams(), limits(), robot())
    assert planner.plan_home(gate(11.0, 0.85), Pose2(3.0, 1.0, 2.0), Pose2(-4.0, 0.0, 1.0), 0.0).steps == ()


@pytest.mark.parametrize("seed", range(4))
def test_a_robot_in_the_last_lane_along_a_border_comes_out_by_strokes(seed: int) -> None:
    """Planned as near to the border as tracks may come, and a centimetre off: it had no room for an error of tracking left."""
    rng = np.random.default_rng(seed)
    cells = np.full((120, 200), Cell.SEARCHED, dtype=np.int8)
    cells[110:] = Cell.OUTSIDE
    for x, y in ((3.2, 4.4), (8.0, 4.4)):  # halos before and behind
        halo = np.zeros(cells.shape, dtype=bool)
        stamp_disc(halo, 0.0, 0.0, RESOLUTION, x, y, 0.3)
        cells[halo] = Cell.HALO
    ground = Ground(LedgerGrid(0.0, 0.0, 0.0, RESOLUTION, cells), Footprint.of(robot(), limits(), CoverageParams()))
    lane_y = 5.5 - ground.footprint.box.y_max - 0.5 * RESOLUTION
    pose = Pose2(7.0, lane_y + rng.uniform(0.005, 0.015), math.radians(rng.uniform(-0.3, 0.3)))
    assert not ground.can_pivot(pose, pose.yaw + math.radians(5.0))
    route, turning = Route(ground, pose, limits()), TurningGround(ground)
    way = next(iter(ways_out(route, turning)))
    assert drive_moves(route, way)
    assert turning.label(route.pose.x, route.pose.y) > 0


@pytest.mark.parametrize("seed", range(4))
def test_within_a_plan_no_way_out_goes_without_room_for_tracking(seed: int) -> None:
    """Where the robot is only planned to stand, nothing is excused: a plan of two hectares led 3.6 cm over its field's border."""
    rng = np.random.default_rng(seed)
    cells = np.full((120, 200), Cell.PENDING, dtype=np.int8)
    cells[48:66] = Cell.SEARCHED  # 0.9 m: as wide as the tracks and half of what they may be off
    cells[:, :60] = Cell.SAFE
    ground = Ground(LedgerGrid(0.0, 0.0, 0.0, RESOLUTION, cells), Footprint.of(robot(), limits(), CoverageParams()))
    turning, pose = TurningGround(ground), Pose2(rng.uniform(5.0, 8.0), 57 * RESOLUTION, 0.0)
    real = Route(ground, pose, limits())
    assert any(drive_moves(real, way) for way in ways_out(real, turning))
    planned = Route(ground, pose, limits())
    planned.steps.append(stay(pose, limits()))
    assert not any(drive_moves(planned, way) for way in ways_out(planned, turning))


@pytest.mark.parametrize("seed", range(4))
def test_a_planned_robot_leaves_a_lane_along_a_border_slantwise(seed: int) -> None:
    """Beside another lane there is room to turn half a metre aside: it does not back out over the whole length."""
    rng = np.random.default_rng(seed)
    length = rng.uniform(30.0, 60.0)
    grid = lane(length, 0.55, 1.6)
    ground = Ground(grid, Footprint.of(robot(), limits(), CoverageParams()))
    pose = Pose2(length - 1.2, 0.0, 0.0)
    assert ground.can_drive(pose, -pose.x)  # straight back to safe ground, if need be
    route, turning = Route(ground, pose, limits()), TurningGround(ground)
    route.steps.append(stay(pose, limits()))
    first, *others = ways_out(route, turning)
    assert others and sum(abs(distance) for _, distance in first) < 12.0
    assert drive_moves(route, first)
    assert turning.label(route.pose.x, route.pose.y) > 0
