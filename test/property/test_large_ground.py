"""What a large field is planned with: ground that grows piece by piece, and a search that looks near the robot first."""

from __future__ import annotations

import itertools
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import shapely

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from coverage_setup import limits, robot
from plan_checker import Checker
from random_fields import field_of, random_field, random_targets, start_pose

from mine_robot.core.types import Pose2
from mine_robot.coverage.footprint import Footprint
from mine_robot.coverage.ground import DRIVABLE, FRESH, Ground
from mine_robot.coverage.ledger import Ledger
from mine_robot.coverage.outlook import AROUND_M, BAND_M, Outlook
from mine_robot.coverage.params import CoverageParams
from mine_robot.coverage.planner import Planner
from mine_robot.coverage.tiles import TILE
from mine_robot.coverage.transit import FAR_M, TurningGround

PARAMS = CoverageParams(compare_area=0.0)


def ground_of(field, targets=()):
    ledger = Ledger(field, robot(), limits(), PARAMS.resolution)
    ledger.set_targets(targets)
    return Ground(ledger.grid(0.0), Footprint.of(robot(), limits(), PARAMS), ledger.zones.no_go, ledger.zones.border)


@pytest.mark.parametrize("seed", range(4))
def test_turning_ground_that_grew_is_the_one_made_anew(seed):
    """Whatever is swept, in any heading and beside whatever: the same places, parts, distances and passages as from the ground itself."""
    rng = np.random.default_rng(seed)
    field = random_field(seed)
    ground = ground_of(field, random_targets(field, seed, 2))
    growing = TurningGround(ground)
    west, south, east, north = field.hazard.bounds
    for _ in range(30):
        pose = Pose2(*rng.uniform((west, south), (east, north)), rng.uniform(-math.pi, math.pi))
        points = rng.uniform((west, south), (east, north), (200, 2)).T
        # Both are derived once before the ground changes.
        growing.distances_at(*points)
        growing.passes((pose.x, pose.y), (east, north))
        length = float(rng.uniform(0.5, 15.0))
        ground.sweep(pose, length)
        growing.grow(pose, length)
        anew = TurningGround(ground)
        assert (growing.mask == anew.mask).all()
        assert growing.count == anew.count
        pairs = np.unique(np.stack([growing.parts().ravel(), anew.parts().ravel()]), axis=1)
        assert len(pairs[0]) == len({*pairs[0]}) == len({*pairs[1]})  # the same parts under other names
        assert np.array_equal(growing.distances_at(*points), anew.distances_at(*points))
        assert anew.distances_at(*points).max() <= FAR_M
        assert growing.passes((pose.x, pose.y), (east, north)) == anew.passes((pose.x, pose.y), (east, north))


def test_a_long_drive_askew_is_judged_as_one_piece_and_as_many():
    """A drive that touches one closed cell anywhere is refused, at any heading; and a sweep in pieces gains what it gains as a whole."""
    rng = np.random.default_rng(1)
    side = 45.0
    safe = ground_of(field_of(shapely.box(0, 0, side, 1.0), shapely.box(0, 1.0, side, side)))
    for _ in range(20):
        ground = safe.copy()
        yaw = float(rng.uniform(-math.pi, math.pi))
        pose = Pose2(side / 2 - 12 * math.cos(yaw), side / 2 - 12 * math.sin(yaw), yaw)
        assert ground.can_drive(pose, 24.0)
        along, across = rng.uniform(0.0, 24.0), rng.uniform(-0.5, 0.5) * ground.footprint.box.y_max
        x, y = pose.to_map(np.array([along, across]))
        stone = np.zeros(ground.cells.shape, dtype=bool)
        stone[ground.cell(float(x), float(y))] = True
        ground.remove(DRIVABLE, stone)
        assert not ground.can_drive(pose, 24.0)
    whole, halves = (ground_of(field_of(shapely.box(0, 0, 30, 30), shapely.box(0, -2, 30, 0))) for _ in range(2))
    pose = Pose2(3.0, 2.0, math.radians(41.0))
    line = 2.0 * whole.footprint.half_count
    gain = whole.sweep(pose, 30.0) * whole.resolution**2
    assert gain == pytest.approx(30.0 * line, rel=0.01)
    middle = Pose2(pose.x + 15.0 * math.cos(pose.yaw), pose.y + 15.0 * math.sin(pose.yaw), pose.yaw)
    parts = (halves.sweep(pose, 15.0) + halves.sweep(middle, 15.0)) * whole.resolution**2
    assert parts == pytest.approx(gain, rel=0.005)


def test_an_outlook_comes_to_all_ground_nearest_first_and_ends():
    ground = ground_of(field_of(shapely.box(0, 0, 60, 40), shapely.box(0, -2, 60, 0)))
    outlook = Outlook(ground, near=True)
    for heading, reach in ((0.0, BAND_M), (None, AROUND_M)):
        outlook.begin(FRESH, heading)
        outlook.at((5.0, -1.0))
        centres = [(5.0, -1.0)]
        while outlook.onward((5.0, -1.0)):
            centres.append(
                outlook.corners(0.3).mean(axis=0) if heading is None else outlook.corners(0.0)[:2].mean(axis=0)
            )
            assert len(centres) < 100
        north = sorted(y for _, y in centres)
        assert north[-1] > 40.0 - reach - 1.0
        assert all(b - a <= 2.0 * reach + 1.0 for a, b in itertools.pairwise(north))
    everywhere = Outlook(ground, near=False)
    everywhere.begin(FRESH, 0.0)
    assert everywhere.corners(0.0) is None and not everywhere.onward((0.0, 0.0))


@pytest.mark.parametrize("seed", [1, 4, 9])
def test_a_search_that_looks_near_itself_first_leaves_no_more_and_stays_on_safe_ground(seed):
    field = random_field(seed)
    targets = random_targets(field, seed, seed % 4)
    ledger = Ledger(field, robot(), limits(), PARAMS.resolution)
    ledger.set_targets(targets)
    closed = {"obstacles": ledger.zones.no_go, "keep_off": ledger.zones.border}
    start = Pose2(*start_pose(field), float(seed))
    left = {}
    for compare in (0.0, 1e4):
        planner = Planner(CoverageParams(compare_area=compare), limits(), robot())
        plan, _ = planner.plan_search(ledger.grid(0.0), start, 0.0, **closed)
        halos = [(t.x, t.y, limits().halo_radius) for t in targets]
        assert Checker(field, robot(), limits(), halos).walk(plan, start).clean
        left[compare] = sum(gap.area for gap in plan.gaps)
    assert left[0.0] <= left[1e4] + 1.0


def test_ground_larger_than_a_tile_is_derived_across_their_borders():
    ground = ground_of(field_of(shapely.box(0, 0, 20, 1), shapely.box(0, 1, 20, 20)))
    turning = TurningGround(ground)
    edge = np.arange(-3, 4) + TILE
    x, y = ground.x0 + (edge + 0.5) * ground.resolution, np.full(7, 0.5)
    direct = np.abs(y - (ground.centres(turning.mask)[1].min() - ground.resolution))
    assert turning.distances_at(x, y) == pytest.approx(direct, abs=1.6 * ground.resolution)
