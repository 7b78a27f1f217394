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
from random_fields import field_of, start_pose

from mine_robot.core.types import Pose2
from mine_robot.coverage.border import outlines
from mine_robot.coverage.footprint import Footprint
from mine_robot.coverage.ground import Ground
from mine_robot.coverage.layout import Layout
from mine_robot.coverage.ledger import Ledger
from mine_robot.coverage.opening import open_strips
from mine_robot.coverage.params import CoverageParams
from mine_robot.coverage.planner import Planner
from mine_robot.coverage.search import Search
from mine_robot.coverage.strip import lay_strips

PARAMS = CoverageParams(directions=1)
NORTH = math.pi / 2.0


def beside_safe_strip(hazard, turned=0.0):
    south = shapely.box(-0.5, -3.0, shapely.bounds(hazard)[2] + 0.5, 0.0)
    return field_of(*(shapely.affinity.rotate(shape, turned, origin=(0, 0)) for shape in (hazard, south)))


def ground_of(field):
    ledger = Ledger(field, robot(), limits(), PARAMS.resolution)
    footprint = Footprint.of(robot(), limits(), PARAMS)
    return Ground(ledger.grid(0.0), footprint, ledger.zones.no_go, ledger.zones.border)


def test_strips_lead_from_safe_ground_to_the_border_in_which_lanes_end():
    ground = ground_of(beside_safe_strip(shapely.box(0, 0, 12, 20)))
    ((side, far),) = lay_strips(ground, NORTH)
    assert math.remainder(side.heading - NORTH, math.pi) == pytest.approx(0.0, abs=0.01)
    assert math.remainder(far.heading, math.pi) == pytest.approx(0.0, abs=0.01)
    assert side.start[1] == pytest.approx(0.0, abs=0.1) and far.start[1] == pytest.approx(20.0, abs=0.1)
    assert side.start[0] == pytest.approx(far.start[0], abs=0.1)  # one begins where the other ends
    assert (side.length, far.length) == pytest.approx((20.0, 12.0), abs=0.2)
    assert far.distance(Pose2(6.0, 18.0, 0.0)) == pytest.approx(2.0, abs=0.1)
    north = far.within(2.1)[:, 1]
    assert (north.min(), north.max()) == pytest.approx((17.9, 22.1), abs=0.1)


def test_lanes_along_safe_ground_have_a_strip_at_either_end():
    chains = lay_strips(ground_of(beside_safe_strip(shapely.box(0, 0, 20, 12))), 0.0)
    assert [len(chain) for chain in chains] == [1, 1]
    assert sorted(chain[0].start[0] for chain in chains) == pytest.approx([0.0, 20.0], abs=0.1)


def test_every_level_of_an_l_has_a_strip():
    ell = shapely.Polygon([(0, 0), (20, 0), (20, 18), (10, 18), (10, 36), (0, 36)])
    strips = [strip for chain in lay_strips(ground_of(beside_safe_strip(ell)), NORTH) for strip in chain]
    level = sorted(strip.border[:, 1].mean() for strip in strips if abs(math.sin(strip.heading)) < 0.1)
    assert level == pytest.approx([18.0, 36.0], abs=0.2)


def test_lanes_between_slanted_borders_have_a_strip_along_each():
    """A long thin triangle on its safe side: lanes along that end at both other sides, and one strip leads to the other."""
    ((first, second),) = lay_strips(ground_of(beside_safe_strip(shapely.Polygon([(0, 0), (80, 0), (40, 20)]))), 0.0)
    slopes = sorted(math.remainder(strip.heading, math.pi) for strip in (first, second))
    assert slopes == pytest.approx([-math.atan2(20.0, 40.0), math.atan2(20.0, 40.0)], abs=0.01)
    assert first.start[1] == pytest.approx(0.0, abs=0.2) and second.start == pytest.approx((40.0, 20.0), abs=0.3)


def test_no_strips_for_short_lanes_nor_where_none_can_begin():
    assert not lay_strips(ground_of(beside_safe_strip(shapely.box(0, 0, 12, 8))), NORTH)
    square = shapely.box(0, 0, 20, 20)
    assert not lay_strips(ground_of(field_of(square, square.buffer(3.0))), NORTH)  # there is room to turn all round
    assert not lay_strips(ground_of(field_of(square, shapely.box(40, 0, 44, 4))), NORTH)


def test_outlines_go_round_an_area_with_it_to_their_left():
    rng = np.random.default_rng(3)
    for _ in range(20):
        angles = np.sort(rng.uniform(0.0, 2.0 * math.pi, 8))
        shape = shapely.Polygon(np.stack([np.cos(angles), np.sin(angles)], axis=1) * rng.uniform(60.0, 90.0) + 100.0)
        if shape.area < 3000.0:
            continue
        y, x = np.mgrid[0:200, 0:200]
        (outline,) = outlines(shapely.contains_xy(shape, x, y), 3.0)
        corners = np.array([edge.start for edge in outline])
        assert shapely.Polygon(corners).symmetric_difference(shape).area < 4.0 * shape.length
        assert shapely.LinearRing(corners).is_ccw
        for edge in outline:
            if edge.length > 30.0:
                assert math.remainder(edge.angle - math.atan2(edge.side[1], edge.side[0]), math.pi) == pytest.approx(
                    0.0, abs=0.1
                )
    assert not list(outlines(np.zeros((5, 5), dtype=bool), 3.0))


@pytest.mark.parametrize("slope", [0.0, 0.05, 0.5, 0.731, 1.0])
def test_the_angle_of_a_long_border_is_exact(slope):
    """To a hundredth of a degree: a lane of 50 m is 1 cm askew then. A robust fit (Huber's) was 0.03 degrees off at a slope of 1/2."""
    y, x = np.mgrid[0:700, 0:900]
    (outline,) = outlines((x > 10) & (x < 890) & (y > 10) & (y < 100 + slope * x) & (y < 690), 3.0)
    angles = np.degrees([edge.angle for edge in outline if edge.length > 500.0])
    assert np.abs((angles - math.degrees(math.atan(slope)) + 90.0) % 180.0 - 90.0).min() < 0.01


def test_the_outer_lane_lies_on_the_border_from_an_acute_corner_on():
    """There is no room to turn into it; the corner is searched first and the robot comes in by small moves."""
    field = field_of(shapely.Polygon([(0, 0), (40, 0), (20, 10)]), shapely.box(-1, -4, 41, 0))
    ground = ground_of(field)
    search = Search(ground, Pose2(*start_pose(field), 0.3), limits(), PARAMS, ground.footprint, Layout(0.0, True))
    open_strips(search)
    steps = [step for step in search.route.steps if step.sweep and step.length > 15.0]
    for strip, *_ in lay_strips(ground_of(field), 0.0):
        offsets = [max(strip.distance(step.start), strip.distance(step.end)) for step in steps]
        assert 0.0 < min(offsets, key=abs) < ground.footprint.half_lane + ground.resolution


def test_robot_can_turn_in_strips_that_were_opened():
    """Round a field turned to any angle, every strip is searched so that lanes can begin in it; what was driven is checked below."""
    for turned in (0.0, 17.0, 40.0):
        field = beside_safe_strip(shapely.box(0, 0, 16, 22), turned)
        ground, heading = ground_of(field), NORTH + math.radians(turned)
        search = Search(
            ground, Pose2(*start_pose(field), 0.3), limits(), PARAMS, ground.footprint, Layout(heading, True)
        )
        open_strips(search)
        for strip in (strip for chain in lay_strips(ground, heading) for strip in chain):
            along = np.linspace(0.2, 0.8, 7)[:, None]
            middle = strip.border[0] + along * (strip.border[1] - strip.border[0])
            room = [middle + depth * strip.inward for depth in np.arange(0.8, 1.8, 0.1)]
            turning = np.array([search.turning.labels_at(*places.T) > 0 for places in room])
            assert turning.any(axis=0).all()


def planned(field):
    """The plan, which is walked by the brute-force checker, and its layout."""
    ledger = Ledger(field, robot(), limits(), PARAMS.resolution)
    start = Pose2(*start_pose(field), 0.3)
    closed = {"obstacles": ledger.zones.no_go, "keep_off": ledger.zones.border}
    plan, layout = Planner(PARAMS, limits(), robot()).plan_search(ledger.grid(0.0), start, 0.0, **closed)
    verdict = Checker(field, robot(), limits(), []).walk(plan, start)
    assert verdict.clean, verdict
    assert verdict.searched_m2 >= 0.999 * verdict.hazard_m2
    return plan, layout


def test_long_lanes_are_not_driven_twice():
    plan, layout = planned(beside_safe_strip(shapely.box(0, 0, 14, 24)))
    assert layout is not None and layout.strips
    swept = sum(step.length for step in plan.steps if step.sweep)
    driven = sum(step.length for step in plan.steps)
    assert driven < 1.5 * swept  # backing out of every lane, it is 2.1
