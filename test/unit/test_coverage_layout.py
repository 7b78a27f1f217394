"""The layout of lanes of a field too large to plan in every one."""

from __future__ import annotations

import itertools
import math
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import shapely

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from coverage_setup import limits, robot
from random_fields import field_of, start_pose

from mine_robot.core.types import Cell, Pose2
from mine_robot.coverage.ledger import Ledger
from mine_robot.coverage.params import CoverageParams
from mine_robot.coverage.planner import Planner, best_of


def layout(hazard, safe, turned=0.0, compare_area=0.0):
    field = field_of(*(shapely.affinity.rotate(shape, turned, origin=(0, 0)) for shape in (hazard, safe)))
    ledger = Ledger(field, robot(), limits(), 0.1)
    planner = Planner(CoverageParams(resolution=0.1, compare_area=compare_area), limits(), robot())
    return planner.layout_of_large(ledger.grid(0.0), obstacles=ledger.zones.no_go, keep_off=ledger.zones.border)


@pytest.mark.parametrize("turned", [0.0, 77.0, 200.0])
def test_long_lanes_lead_away_from_the_safe_edge_to_strips(turned):
    found = layout(shapely.box(0, 0, 40, 40), shapely.box(0, -4, 40, 0), turned)
    assert math.degrees(math.remainder(found.direction - math.radians(90.0 + turned), math.tau)) == pytest.approx(
        0.0, abs=1.5
    )
    assert found.strips


def test_lanes_between_two_safe_edges_need_no_strips():
    found = layout(shapely.box(0, 0, 40, 30), shapely.box(0, -4, 40, 34))
    assert abs(math.sin(found.direction)) == pytest.approx(1.0, abs=0.01)
    assert not found.strips


def test_a_narrow_field_is_searched_along_between_a_short_strip_at_either_end():
    found = layout(shapely.box(0, 0, 60, 5), shapely.box(0, -4, 60, 0))
    assert abs(math.sin(found.direction)) == pytest.approx(0.0, abs=0.01)
    assert found.strips


def test_short_lanes_are_backed_out_of():
    found = layout(shapely.box(0, 0, 12, 8), shapely.box(0, -4, 12, 0))
    assert abs(math.sin(found.direction)) == pytest.approx(1.0, abs=0.01)
    assert not found.strips


def test_a_small_field_is_planned_in_every_layout():
    assert layout(shapely.box(0, 0, 20, 20), shapely.box(0, -4, 20, 0), compare_area=1000.0) is None


def test_ground_without_unsearched_cells_still_has_a_plan():
    field = field_of(shapely.box(0, 0, 12, 12), shapely.box(0, -4, 12, 0))
    ledger = Ledger(field, robot(), limits(), 0.1)
    grid = ledger.grid(0.0)
    grid.cells[grid.cells == Cell.PENDING] = Cell.SEARCHED
    planner = Planner(CoverageParams(resolution=0.1, compare_area=0.0), limits(), robot())
    plan, _ = planner.plan_search(grid, Pose2(*start_pose(field), 0.0), 0.0)
    assert not plan.steps


@pytest.mark.parametrize("corner", [(40, 20), (112, 20), (80, 20), (0, 20)])
def test_a_long_thin_triangle_on_its_safe_side_is_a_wedge(corner):
    """Strips would leave something along the border that meets safe ground at an acute angle: no lane can begin there."""
    found = layout(shapely.Polygon([(0, 0), (160, 0), corner]), shapely.box(-1, -4, 161, 0))
    assert found.wedge


def test_a_triangle_that_is_not_thin_has_strips():
    """Its lanes begin right on its borders: safe ground lies before them."""
    found = layout(shapely.Polygon([(0, 0), (50, 0), (15, 43)]), shapely.box(-1, -4, 51, 0))
    assert found.strips


def test_the_soonest_search_is_taken_of_those_that_leave_as_little_as_the_best():
    """In whatever order they come: one that leaves a little more than the best must not beat what is as good as that."""
    options = [(0.065, 1364.0), (0.518, 1277.0), (0.01, 1863.0)]
    for order in itertools.permutations(options):
        found = [SimpleNamespace(left=left, route=SimpleNamespace(duration=duration)) for left, duration in order]
        assert best_of(found).route.duration == 1364.0
    assert best_of([]) is None
