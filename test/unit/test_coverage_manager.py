"""The coverage manager answers each request of the mission once, and plans become files."""

from __future__ import annotations

import gc
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import shapely

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from coverage_setup import limits, robot
from random_fields import field_of, target_at

from mine_robot.core.types import Cell, Goal, MissionState, MissionStatus, NavState, Plan, PlanStep, Pose2, StepKind
from mine_robot.coverage.ground import Ground
from mine_robot.coverage.params import CoverageParams
from mine_robot.coverage.tiles import Tiles
from mine_robot.coverage.transit import TurningGround
from mine_robot.pipeline.coverage import CoverageManager
from mine_robot.pipeline.first_plan import first_plan
from mine_robot.records.plan_file import heading_deg, plan_to_geojson
from mine_robot.records.plan_plot import plot_plan


def make_manager() -> CoverageManager:
    field = field_of(shapely.box(0, 0, 4, 3), shapely.box(-0.6, -2.6, 4.6, 0), shapely.box(1.8, 2.6, 2.2, 3.0))
    return CoverageManager(CoverageParams(directions=1), limits(), robot(), field)


def nav(x=2.0, y=-1.3, yaw=0.0) -> NavState:
    return NavState(0.0, np.array([x, y, 0.0]), np.array([0.0, 0.0, yaw]), np.zeros(3), np.zeros(3), np.eye(6) * 1e-4)


def status(goal: Goal, request_t: float, target: int = 0) -> MissionStatus:
    return MissionStatus(request_t, MissionState.PLAN, "", goal, target, request_t)


def test_answers_each_request_once():
    manager = make_manager()
    assert manager.answer(status(Goal.SEARCH, 1.0)) is None  # the pose is not known yet
    manager.set_nav(nav(x=math.nan))
    assert manager.answer(status(Goal.SEARCH, 1.0)) is None
    manager.set_nav(nav())
    plan = manager.answer(status(Goal.SEARCH, 1.0))
    assert plan is not None and plan.t == 1.0 and plan.steps
    assert manager.answer(status(Goal.SEARCH, 1.0)) is None
    assert manager.answer(status(Goal.NONE, 2.0)) is None
    assert manager.answer(status(Goal.HOME, 3.0)).t == 3.0


def test_gaps_are_listed_cut_to_the_field_and_shown():
    manager = make_manager()
    manager.set_nav(nav())
    manager.set_targets([target_at(1, 3.0, 1.5)])
    plan = manager.answer(status(Goal.SEARCH, 1.0))
    reasons = {gap.reason: gap.area for gap in plan.gaps}
    assert reasons["no-go zone"] == pytest.approx(0.16, abs=1e-6)
    assert math.pi * 0.09 <= reasons["target halo"] <= math.pi * 0.16
    assert (manager.grid(1.0).cells == Cell.GAP).any()
    values = manager.progress().values
    assert float(values["gaps_m2"]) == pytest.approx(sum(gap.area for gap in plan.gaps), abs=1e-3)
    assert float(values["remaining_s"]) == pytest.approx(plan.duration, abs=1.0)


def test_ground_that_a_robot_shut_in_leaves_is_not_called_unreachable():
    """It stood between finds where nothing was left to search; what lay beyond them was reachable from the safe area."""
    manager = make_manager()
    manager.set_nav(nav())
    manager.answer(status(Goal.SEARCH, 1.0))
    assert (manager.grid(1.0).cells == Cell.GAP).any()
    manager.set_nav(nav(x=2.0, y=1.0))  # unsearched ground all around
    assert manager.answer(status(Goal.HOME, 2.0)).steps == ()
    assert not (manager.grid(2.0).cells == Cell.GAP).any()
    assert float(manager.progress().values["gaps_m2"]) == pytest.approx(0.16, abs=1e-3)  # the no-go zone


def test_a_large_field_is_planned_whole_for_people_and_in_stretches_for_a_mission():
    """``mine-robot plan`` once stopped a large field's plan at the horizon of a mission."""
    field = field_of(shapely.box(0, 0, 8, 6), shapely.box(-0.6, -2.6, 8.6, 0))
    params = CoverageParams(compare_area=0.0, horizon=20.0)
    whole = first_plan(field, params, limits(), robot())
    assert whole.complete
    swept = sum(step.length for step in whole.steps if step.sweep) * robot().sweep_width
    assert swept + sum(gap.area for gap in whole.gaps) >= field.area
    manager = CoverageManager(params, limits(), robot(), field)
    manager.set_nav(nav())
    stretch = manager.answer(status(Goal.SEARCH, 1.0))
    assert not stretch.complete
    assert 15.0 < stretch.duration < 0.5 * whole.duration


def test_an_unknown_or_impossible_target_gets_an_empty_plan():
    manager = make_manager()
    manager.set_nav(nav())
    assert manager.answer(status(Goal.TARGET, 1.0, target=7)).steps == ()
    manager.set_targets([target_at(7, 40.0, 40.0)])
    assert manager.answer(status(Goal.TARGET, 2.0, target=7)).steps == ()


def test_survives_a_restart():
    manager = make_manager()
    manager.set_nav(nav())
    other = make_manager()
    other.restore(manager.snapshot())
    other.set_nav(nav(x=1.0))
    assert other.home == Pose2(2.0, -1.3, 0.0)


def test_headings_are_clockwise_from_north():
    assert [heading_deg(math.radians(yaw)) for yaw in (0, 90, 180, -90)] == [90.0, 0.0, 270.0, 180.0]


def test_plan_file_says_all_that_a_checker_needs(tmp_path):
    manager = make_manager()
    manager.set_nav(nav())
    plan = manager.answer(status(Goal.SEARCH, 1.0))
    data = json.loads(json.dumps(plan_to_geojson(plan, manager.field, robot(), limits(), 0.5)))
    assert data["robot"]["sweep_width_m"] == 1.2
    assert data["robot"]["sweep_ahead_m"] == 1.15
    assert data["robot"]["tolerance_m"] == pytest.approx(limits().patch_growth)
    assert len(data["robot"]["contact_patches"]) == 2
    kinds = {feature["properties"]["kind"] for feature in data["features"]}
    assert kinds >= {"lane", "turn", "pivot", "gap"}
    steps = [feature for feature in data["features"] if feature["properties"]["kind"] != "gap"]
    assert [feature["properties"]["order"] for feature in steps] == list(range(len(plan.steps)))
    assert data["summary"]["lanes"] == sum(step.sweep for step in plan.steps)
    assert data["summary"]["gaps_m2"] == pytest.approx(sum(gap.area for gap in plan.gaps), abs=1e-3)
    for feature, step in zip(steps, plan.steps):
        coordinates = np.atleast_2d(feature["geometry"]["coordinates"])
        back = manager.field.datum.to_map(coordinates[:, 0], coordinates[:, 1])
        assert back[-1, :2] == pytest.approx((step.end.x, step.end.y), abs=1e-3)
    plot_plan(plan, manager.field, robot(), tmp_path / "plan.png")
    assert (tmp_path / "plan.png").read_bytes().startswith(b"\x89PNG")


def test_an_empty_plan_can_be_written(tmp_path):
    manager = make_manager()
    data = plan_to_geojson(Plan(0.0, ()), manager.field, robot(), limits(), 0.0)
    assert data["features"] == []
    assert data["summary"]["coverage"] == 0.0
    plot_plan(Plan(0.0, ()), manager.field, robot(), tmp_path / "plan.png")


def test_reverse_steps_keep_their_heading():
    manager = make_manager()
    step = PlanStep(StepKind.TURN, Pose2(0, 0, 0), Pose2(-1, 0, 0), True, False, 0.8)
    properties = plan_to_geojson(Plan(0.0, (step,)), manager.field, robot(), limits(), 0.0)["features"][0]["properties"]
    assert properties["reverse"] and not properties["sweep"]


def test_a_plan_leaves_no_rasters_to_the_garbage_collector():
    """In a circle of references they would outlive it: of ten hectares some hundred megabytes a plan."""
    manager = make_manager()
    manager.set_nav(nav())
    gc.collect()
    before = {id(item) for item in gc.get_objects()}
    gc.disable()
    try:
        for t, goal in ((1.0, Goal.SEARCH), (2.0, Goal.HOME)):
            assert manager.answer(status(goal, t)).steps
        left = [item for item in gc.get_objects() if isinstance(item, (Ground, TurningGround, Tiles))]
        assert not [item for item in left if id(item) not in before]
    finally:
        gc.enable()


def test_what_no_robot_gets_to_is_told_apart_from_halos():
    """Safe ground that touches in one corner: all is out of reach but the halo of the known target, and the mission is told."""
    told = []
    for safe, pose in ((shapely.box(-4, -4, 0, 0), nav(-2.0, -2.0)), (shapely.box(-1, -4, 7, 0), nav(3.0, -2.0))):
        field = field_of(shapely.box(0, 0, 6, 5), safe, known=[(3.0, 2.5)])
        manager = CoverageManager(CoverageParams(directions=1), limits(), robot(), field)
        manager.set_nav(pose)
        plan = manager.answer(status(Goal.SEARCH, 1.0))
        halo = sum(gap.area for gap in plan.gaps if gap.reason == "target halo")
        values = manager.progress().values
        assert float(values["out_of_reach_m2"]) == pytest.approx(float(values["gaps_m2"]) - halo, abs=2e-3)
        told.append(float(values["out_of_reach_m2"]) / float(values["hazard_m2"]))
    assert told[0] > 0.9 and told[1] < 0.1
