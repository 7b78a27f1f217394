"""Whatever is commanded, the true contact patches stay on drivable cells."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest
import shapely

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit"))
from control_plant import STEP, Plant, drive, limits, nav_state, pivot, plan, robot, status

from mine_robot.control.follower import Follower
from mine_robot.control.guard import Guard
from mine_robot.control.params import FollowerParams, GuardParams
from mine_robot.core.types import Cell, LedgerGrid, MissionState, Pose2, Twist2

ROBOT, LIMITS = robot(), limits()
SIGMA = 0.01


def random_ledger(rng: np.random.Generator) -> LedgerGrid:
    """Safe ground of 6 m x 6 m with random halos, pending strips and gaps; free around the middle."""
    resolution, count = 0.05, 120
    cells = np.full((count, count), Cell.SAFE, dtype=np.int8)
    centres = (np.arange(count) + 0.5) * resolution - 3.0
    x, y = np.meshgrid(centres, centres)
    for _ in range(rng.integers(3, 8)):
        cx, cy = rng.uniform(-2.8, 2.8, 2)
        state = rng.choice([Cell.HALO, Cell.PENDING, Cell.GAP, Cell.OUTSIDE])
        radius = rng.uniform(0.1, 0.5)
        cells[(np.hypot(x - cx, y - cy) < radius) & (np.hypot(x, y) > 0.8)] = state
    cells[(rng.random((count, count)) < 0.0005) & (np.hypot(x, y) > 0.8)] = Cell.HALO
    return LedgerGrid(0.0, -3.0, -3.0, resolution, cells)


def touched(ledger: LedgerGrid, pose: Pose2) -> int:
    """Blocked cells that the true, ungrown patches overlap; exact, by polygons."""
    row, column = np.nonzero(~ledger.drivable())
    x, y = ledger.x0 + column * ledger.resolution, ledger.y0 + row * ledger.resolution
    near = np.hypot(x - pose.x, y - pose.y) < 1.0
    boxes = shapely.box(x[near], y[near], x[near] + ledger.resolution, y[near] + ledger.resolution)
    patches = shapely.union_all([shapely.Polygon(pose.to_map(patch.corners)) for patch in ROBOT.contact_patches])
    inside = shapely.within(patches, shapely.box(-3.0, -3.0, 3.0, 3.0))
    return int(shapely.intersects(boxes, patches).sum()) + (0 if inside else 1)


@pytest.mark.parametrize("seed", range(16))
def test_true_patches_never_leave_drivable_cells(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ledger = random_ledger(rng)
    plant = Plant(Pose2(0, 0, rng.uniform(-math.pi, math.pi)), tuple(rng.uniform(0.0, 0.12, 2)))
    guard = Guard(GuardParams(grid_age=10.0, mission_age=10.0), LIMITS, ROBOT)
    guard.set_mission(status(0.0, MissionState.SEARCH))
    bearing, size = rng.uniform(-math.pi, math.pi), rng.uniform(0.0, 0.95 * LIMITS.sigma_factor * SIGMA)
    error = (size * math.cos(bearing), size * math.sin(bearing), rng.uniform(-0.002, 0.002))
    speed = rate = 0.0
    stops = passes = 0
    for index in range(160):
        if index % 12 == 0:
            speed, rate = rng.uniform(-1.0, 1.0), rng.uniform(-0.8, 0.8) * rng.integers(0, 2)
            if rng.random() < 0.2:
                speed = 0.0
        guard.set_grid(LedgerGrid(plant.t, ledger.x0, ledger.y0, ledger.resolution, ledger.cells))
        guard.set_mission(status(plant.t, MissionState.SEARCH))
        decision = guard.update(plant.t, plant.nav(SIGMA, error), Twist2(plant.t, speed, rate))
        stops += bool(decision.reason)
        passes += not decision.reason
        plant.step(decision.twist)
        assert touched(ledger, plant.pose) == 0, (index, decision)
    assert passes > 5


@pytest.mark.parametrize("seed", range(6))
def test_follower_on_a_planned_corridor_is_never_stopped(seed: int) -> None:
    """A route whose patches, grown as planned, just fit the drivable cells is driven to its end without one stop."""
    rng = np.random.default_rng(seed)
    yaw = math.degrees(rng.uniform(-math.pi, math.pi))
    along = np.array([math.cos(math.radians(yaw)), math.sin(math.radians(yaw))])
    side = np.array([-along[1], along[0]])
    corners = [np.zeros(2), 2.0 * along, 2.0 * along + 1.05 * side, 0.3 * along + 1.05 * side]
    steps = (
        drive(*corners[0], *corners[1]),
        pivot(*corners[1], yaw, yaw + 90),
        drive(*corners[1], *corners[2], speed=0.8),
        pivot(*corners[2], yaw + 90, yaw + 180),
        drive(*corners[2], *corners[3]),
        drive(*corners[3], *corners[2], reverse=True, speed=0.8),
    )
    growth = LIMITS.patch_growth
    shapes = []
    for step in steps:
        patches = [patch.grown(growth).corners for patch in ROBOT.contact_patches]
        turns = np.linspace(0.0, step.end.yaw - step.start.yaw, 40) if step.is_pivot else [0.0]
        for turn in turns:
            ends = [Pose2(end.x, end.y, step.start.yaw + turn) for end in (step.start, step.end)]
            shapes += [shapely.MultiPoint(np.vstack([pose.to_map(c) for pose in ends])).convex_hull for c in patches]
    free = shapely.union_all(shapes)
    corner = np.arange(160) * 0.05 - 4.0
    x, y = np.meshgrid(corner, corner)
    touched_cells = shapely.intersects(shapely.box(x, y, x + 0.05, y + 0.05), free)
    cells = np.where(touched_cells, Cell.SEARCHED, Cell.PENDING).astype(np.int8)
    guard = Guard(GuardParams(), LIMITS, ROBOT)
    follower = Follower(FollowerParams(), LIMITS, ROBOT)
    follower.set_plan(plan(*steps))
    follower.set_mission(status(0.0, MissionState.SEARCH))
    plant = Plant(steps[0].start, tuple(rng.uniform(0.05, 0.13, 2)))
    for _ in range(round(60 / STEP)):
        nav = plant.nav(0.008, tuple(rng.normal(0.0, 1.0, 3) * (0.004, 0.004, 0.001)))
        command, progress = follower.update(nav)
        guard.set_grid(LedgerGrid(plant.t, -4.0, -4.0, 0.05, cells))
        guard.set_mission(status(plant.t, MissionState.SEARCH))
        decision = guard.update(plant.t, nav, command)
        assert decision.reason == "", (plant.t, progress.step, decision.reason)
        plant.step(decision.twist)
        if progress.done:
            return
    pytest.fail("the route was not finished")


def test_the_escape_leads_out_of_a_halo_that_appears_under_the_tracks() -> None:
    cells = np.full((120, 120), Cell.SEARCHED, dtype=np.int8)
    centres = (np.arange(120) + 0.5) * 0.05 - 3.0
    x, y = np.meshgrid(centres, centres)
    cells[np.hypot(x - 0.55, y - 0.3) < 0.3] = Cell.HALO
    guard = Guard(GuardParams(), LIMITS, ROBOT)
    plant = Plant(Pose2(0, 0, 0))
    before = touched(LedgerGrid(0.0, -3.0, -3.0, 0.05, cells), plant.pose)
    assert before > 0
    for _ in range(200):
        guard.set_grid(LedgerGrid(plant.t, -3.0, -3.0, 0.05, cells))
        guard.set_mission(status(plant.t, MissionState.APPROACH))
        plant.step(
            guard.update(plant.t, nav_state(plant.t, plant.pose.x, 0, 0, plant.speed), Twist2(plant.t, -0.4, 0)).twist
        )
        if plant.pose.x < -0.6:
            break
    assert plant.pose.x < -0.6
    assert touched(LedgerGrid(0.0, -3.0, -3.0, 0.05, cells), plant.pose) == 0
