"""A wedge: an area between two straight borders that run from safe ground to a far corner."""

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
from mine_robot.coverage.footprint import Footprint
from mine_robot.coverage.ground import FRESH, Ground
from mine_robot.coverage.layout import Layout
from mine_robot.coverage.ledger import Ledger
from mine_robot.coverage.opening import search_wedge
from mine_robot.coverage.params import CoverageParams
from mine_robot.coverage.planner import Planner
from mine_robot.coverage.search import Search
from mine_robot.coverage.wedge import find_wedge

PARAMS = CoverageParams(directions=1)
TRIANGLE = shapely.Polygon([(0, 0), (68, 0), (34, 17)])


def field_with(hazard, turned=0.0):
    west, _, east, _ = hazard.bounds
    shapes = hazard, shapely.box(west - 1.0, -4.0, east + 1.0, 0.0)
    return field_of(*(shapely.affinity.rotate(shape, turned, origin=(0, 0)) for shape in shapes))


def ground_of(field):
    ledger = Ledger(field, robot(), limits(), PARAMS.resolution)
    footprint = Footprint.of(robot(), limits(), PARAMS)
    return Ground(ledger.grid(0.0), footprint, ledger.zones.no_go, ledger.zones.border)


@pytest.mark.parametrize("turned", [0.0, 23.0, 131.0, 270.0])
@pytest.mark.parametrize("corner", [(34, 17), (44, 20)])
def test_a_triangle_on_its_safe_side_is_a_wedge(turned, corner):
    """Its middle leads from safe ground square to it up to the corner, and each side from there down to safe ground."""
    wedge = find_wedge(ground_of(field_with(shapely.Polygon([(0, 0), (68, 0), corner]), turned)))
    assert wedge is not None

    def flat(place):
        return shapely.get_coordinates(shapely.affinity.rotate(shapely.Point(place), -turned, origin=(0, 0)))[0]

    assert flat(wedge.middle.start) == pytest.approx((corner[0], 0.0), abs=0.3)
    assert math.degrees(math.remainder(wedge.middle.heading - math.radians(90.0 + turned), math.tau)) == pytest.approx(
        0.0, abs=1.0
    )
    assert wedge.middle.length == pytest.approx(corner[1], abs=0.2)
    for side, end in zip(wedge.sides, (0.0, 68.0)):
        assert flat(side.from_corner.start) == pytest.approx(corner, abs=0.4)
        assert flat(side.from_safe.start) == pytest.approx((end, 0.0), abs=0.4)
        slope = math.atan2(corner[1], corner[0] - end)
        assert math.remainder(side.from_safe.heading - slope - math.radians(turned), math.pi) == pytest.approx(
            0.0, abs=0.01
        )
        middle_of_side = shapely.Point((end + corner[0]) / 2.0, corner[1] / 3.0)
        holds = [
            shapely.Polygon([flat(each) for each in other.corners]).contains(middle_of_side) for other in wedge.sides
        ]
        assert holds == [other is side for other in wedge.sides]


@pytest.mark.parametrize("turned", [0.0, 23.0, 131.0])
@pytest.mark.parametrize(
    ("corner", "foot"), [((0, 20), 0), ((4, 20), 0), ((-15, 20), 0), ((80, 20), 80), ((90, 25), 80)]
)
def test_a_corner_over_an_end_of_safe_ground_gives_one_side(turned, corner, foot):
    """Its middle is the shorter border, from safe ground on, and its side all that lies inwards of that."""
    wedge = find_wedge(ground_of(field_with(shapely.Polygon([(0, 0), (80, 0), corner]), turned)))
    assert wedge is not None

    def flat(place):
        return shapely.get_coordinates(shapely.affinity.rotate(shapely.Point(place), -turned, origin=(0, 0)))[0]

    (side,) = wedge.sides
    assert flat(wedge.middle.start) == pytest.approx((foot, 0.0), abs=0.5)
    assert wedge.middle.length == pytest.approx(math.dist(corner, (foot, 0.0)), abs=0.5)
    assert flat(side.from_corner.start) == pytest.approx(corner, abs=0.5)
    assert flat(side.from_safe.start) == pytest.approx((80.0 - foot, 0.0), abs=0.5)
    held = shapely.Polygon([flat(each) for each in side.corners])
    assert held.contains(shapely.Point(40.0, 5.0))
    assert not held.contains(shapely.Point(-10.0 if foot == 0 else 95.0, 5.0))


@pytest.mark.parametrize(
    "hazard",
    [
        shapely.box(0, 0, 40, 40),
        shapely.Polygon([(0, 0), (40, 0), (20, 12)]),  # its lanes are short
        shapely.Polygon([(0, 0), (80, 0), (60, 20), (20, 20)]),  # there is a border between the sides
        shapely.MultiPolygon([TRIANGLE, shapely.affinity.translate(TRIANGLE, 80.0)]),
    ],
)
def test_what_does_not_taper_to_one_corner_is_none(hazard):
    assert find_wedge(ground_of(field_with(hazard))) is None


def test_without_safe_ground_beside_it_there_is_none():
    assert find_wedge(ground_of(field_of(TRIANGLE, shapely.box(0, -20, 68, -16)))) is None


@pytest.mark.parametrize(("corner", "turned"), [((34, 17), 0.0), ((0, 17), 0.0), ((68, 17), 0.0), ((0, 17), 40.0)])
def test_lanes_of_a_wedge_turn_at_both_ends(corner, turned):
    """Long thin triangles: each plan is walked by the brute-force checker, and shorter than with strips along the long sides (1.6)."""
    hazard = shapely.Polygon([(0, 0), (68, 0), corner])
    field = field_with(hazard, turned)
    ledger, start = Ledger(field, robot(), limits(), PARAMS.resolution), Pose2(*start_pose(field), 0.3)
    closed = {"obstacles": ledger.zones.no_go, "keep_off": ledger.zones.border}
    plan, layout = Planner(PARAMS, limits(), robot()).plan_search(ledger.grid(0.0), start, 0.0, **closed)
    verdict = Checker(field, robot(), limits(), []).walk(plan, start)
    assert verdict.clean, verdict
    assert verdict.searched_m2 >= 0.999 * verdict.hazard_m2
    lane = robot().sweep_width - limits().lane_overlap
    assert layout is not None and layout.wedge
    assert sum(step.length for step in plan.steps) * lane / hazard.area < 1.4


def test_a_wedge_that_is_searched_is_not_searched_again():
    """Every plan begins anew from the state of the ground: after a find, after a restart."""
    field = field_with(TRIANGLE)
    ground, pose = ground_of(field), Pose2(*start_pose(field), 0.3)
    for least in (0.9, 0.0):
        search = Search(ground, pose, limits(), PARAMS, ground.footprint, Layout(math.pi / 2.0, wedge=True))
        before = int(np.count_nonzero(ground.all_of(FRESH)))
        search_wedge(search, find_wedge(ground))
        swept = sum(step.length for step in search.route.steps if step.sweep)
        assert swept >= least * TRIANGLE.area / (2.0 * ground.footprint.half_lane)
        assert before - int(np.count_nonzero(ground.all_of(FRESH))) >= least * before
        pose = search.route.pose
    assert swept < 10.0
