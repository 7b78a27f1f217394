"""Strips in which the robot turns at the far ends of long lanes, and plans that use them."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest
import shapely

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from coverage_setup import limits, robot
from plan_checker import Checker
from random_fields import field_of, start_pose, target_at

from mine_robot.core.types import Pose2
from mine_robot.coverage.footprint import Footprint
from mine_robot.coverage.ground import DRIVABLE, PENDING, Ground
from mine_robot.coverage.ledger import Ledger
from mine_robot.coverage.params import CoverageParams
from mine_robot.coverage.planner import Planner
from mine_robot.coverage.strip import lay_strips

PARAMS = CoverageParams(directions=1)
NORTH = math.pi / 2.0


def beside_safe_strip(hazard, turned=0.0):
    south = shapely.box(-0.5, -3.0, shapely.bounds(hazard)[2] + 0.5, 0.0)
    return field_of(*(shapely.affinity.rotate(shape, turned, origin=(0, 0)) for shape in (hazard, south)))


def ground_of(field, targets=()):
    ledger = Ledger(field, robot(), limits(), PARAMS.resolution)
    ledger.set_targets(targets)
    footprint = Footprint.of(robot(), limits(), PARAMS)
    return Ground(ledger.grid(0.0), footprint, ledger.zones.no_go, ledger.zones.border)


def northing(ground, cells):
    return ground.centres(cells)[1]


def test_strip_and_corridor_lie_at_the_far_end_and_at_the_side():
    ground = ground_of(beside_safe_strip(shapely.box(0, 0, 12, 20)))
    corridor, border = lay_strips(ground, NORTH, Pose2(2.0, -1.5, 0.0))
    assert (corridor.heading, border.heading) == pytest.approx((NORTH, math.pi))
    lane = 2.0 * ground.footprint.half_lane
    clearance = ground.pivot_room - ground.footprint.half_lane  # the outer lane lies where the robot can turn
    assert northing(ground, border.cells).min() == pytest.approx(20.0 - 2.0 * lane - clearance, abs=0.15)
    east = ground.centres(corridor.cells)[0]
    assert east.min() < 0.15 and east.max() == pytest.approx(2.0 * lane, abs=0.15)


def test_the_two_levels_of_an_l_have_a_strip_each():
    ell = shapely.Polygon([(0, 0), (20, 0), (20, 18), (10, 18), (10, 36), (0, 36)])
    strips = lay_strips(ground_of(beside_safe_strip(ell)), NORTH, Pose2(2.0, -1.5, 0.0))
    assert len(strips) == 4
    assert not (strips[1].cells & strips[3].cells).any()


def test_lanes_between_slanted_borders_have_a_strip_along_each():
    """A long thin triangle on its safe side: lanes along that end at both other sides, and both strips begin at safe ground."""
    ground = ground_of(beside_safe_strip(shapely.Polygon([(0, 0), (80, 0), (40, 20)])))
    left, right = lay_strips(ground, 0.0, Pose2(40.0, -1.5, 0.0))
    slope = math.atan2(20.0, 40.0)
    assert math.remainder(left.heading - slope, math.pi) == pytest.approx(0.0, abs=0.01)
    assert math.remainder(right.heading + slope, math.pi) == pytest.approx(0.0, abs=0.01)
    x, y = ground.centres(left.cells)
    depth = (x * math.sin(slope) - y * math.cos(slope)).max()
    assert 4.0 * ground.footprint.half_lane <= depth <= 4.0 * ground.footprint.half_lane + ground.pivot_room
    _, layout = planned(beside_safe_strip(shapely.Polygon([(0, 0), (60, 0), (30, 15)])))
    assert layout is not None and layout.strips
    assert math.remainder(layout.direction, math.pi) == pytest.approx(0.0, abs=0.02)


def test_no_strip_for_short_lanes_nor_where_there_is_room_to_turn():
    assert not lay_strips(ground_of(beside_safe_strip(shapely.box(0, 0, 12, 8))), NORTH, Pose2(2.0, -1.5, 0.0))
    ground = ground_of(beside_safe_strip(shapely.box(0, 0, 12, 20)))
    assert not lay_strips(ground, NORTH + math.pi, Pose2(2.0, -1.5, 0.0))  # safe ground is as good
    _, border = lay_strips(ground, NORTH, Pose2(2.0, -1.5, 0.0))
    ground.remove(PENDING, border.cells)
    assert not lay_strips(ground, NORTH, Pose2(2.0, -1.5, 0.0))


def test_a_corridor_keeps_clear_of_halos_and_holes():
    """Wherever finds lie, no corridor leads through a halo or a hole; where they close all of the field there is none."""
    well = shapely.box(0, 0, 12, 20).difference(shapely.Point(3.0, 10.0).buffer(1.0))
    rng = np.random.default_rng(5)
    for _ in range(5):
        targets = [target_at(number, *xy) for number, xy in enumerate(rng.uniform((5.0, 2.0), (12.0, 16.0), (2, 2)))]
        ground = ground_of(beside_safe_strip(well), targets)
        for corridor in lay_strips(ground, NORTH, Pose2(2.0, -1.5, 0.0))[::2]:
            assert (ground.all_of(PENDING) | ground.all_of(DRIVABLE))[corridor.cells].all()
            east = ground.centres(corridor.cells)[0]
            assert east.max() < 2.1 or east.min() > 3.9
    wall = [target_at(number, x, 10.0) for number, x in enumerate(np.arange(0.5, 12.0, 0.5))]
    assert not lay_strips(ground_of(beside_safe_strip(well), wall), NORTH, Pose2(2.0, -1.5, 0.0))


def planned(field):
    """The plan, which is walked by the brute-force checker, and its layout."""
    ledger = Ledger(field, robot(), limits(), PARAMS.resolution)
    start = Pose2(*start_pose(field), 0.3)
    closed = {"obstacles": ledger.zones.no_go, "keep_off": ledger.zones.border}
    plan, layout = Planner(PARAMS, limits(), robot()).plan_search(ledger.grid(0.0), start, 0.0, **closed)
    verdict = Checker(field, robot(), limits(), []).walk(plan, start)
    assert verdict.clean, verdict
    assert verdict.searched_m2 >= 0.998 * verdict.hazard_m2
    return plan, layout


def test_long_lanes_are_not_driven_twice():
    plan, layout = planned(beside_safe_strip(shapely.box(0, 0, 14, 24)))
    assert layout is not None and layout.strips
    swept = sum(step.length for step in plan.steps if step.sweep)
    driven = sum(step.length for step in plan.steps)
    assert driven < 1.7 * swept  # backing out of every lane, it is 2.1
