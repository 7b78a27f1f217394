"""Estimates: the planner on a sample of blocks, the rest by area, dealt out to robots."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import affinity
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1]))

from random_fields import field_of, random_field

from mine_robot.bringup import cli
from mine_robot.core.field import Field
from mine_robot.core.types import Plan, PlanGap, PlanStep, Pose2, StepKind
from mine_robot.pipeline.estimate import (
    PLANNED_WHOLE_M2,
    Block,
    Profile,
    blocks_of,
    cut,
    estimate,
    groups,
    share_out,
)
from mine_robot.pipeline.first_plan import first_plan
from mine_robot.pipeline.loading import LoadError, ParameterFiles, load_robot

ROOT = Path(__file__).parents[2]
SMALL = ROOT / "test" / "data" / "small_field.geojson"
PARAMS = ParameterFiles([ROOT / "config" / "robot.yaml"]).build("planner")
LIMITS = PARAMS.limits
LANE_M = 1.0


def lanes_only(field: Field) -> Plan:
    """Stands in for the planner: one straight lane a metre of width at 0.5 m/s, 1 % of the ground out of reach."""
    length = float(field.hazard.area) / LANE_M
    step = PlanStep(StepKind.LANE, Pose2(0.0, 0.0, 0.0), Pose2(length, 0.0, 0.0), 0.5, False, True)
    return Plan(0.0, (step,), (PlanGap((np.zeros((4, 2)),), 0.01 * float(field.hazard.area), "border"),))


def square(side: float) -> Field:
    return field_of(shapely.box(0.0, 0.0, side, side), shapely.box(0.0, -4.0, side, 0.0))


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("side", [10.0, 3.0])
def test_blocks_are_the_searchable_ground_without_overlap(seed: int, side: float) -> None:
    field = random_field(seed)
    pieces, corners = cut(field, side)
    ground = field.hazard.difference(field.no_go)
    assert shapely.area(pieces).sum() == pytest.approx(ground.area, abs=0.011 * (len(pieces) + 4))
    assert shapely.union_all(pieces).area == pytest.approx(shapely.area(pieces).sum(), rel=1e-9)
    for piece, (x, y) in zip(pieces, corners):
        assert shapely.box(x, y, x + side, y + side).buffer(1e-6).covers(piece)


def test_blocks_lie_along_the_area() -> None:
    strip = shapely.box(0.0, 0.0, 300.0, 30.0)
    turned = affinity.rotate(strip, 37.0, origin=(0.0, 0.0))
    pieces, _ = cut(field_of(turned, turned.buffer(4.0)), 30.0)
    assert 10 <= len(pieces) <= 11 and shapely.area(pieces).max() == pytest.approx(900.0, rel=1e-6)


@given(st.lists(st.floats(0.02, 1.0), min_size=1, max_size=60), st.integers(0, 30), st.integers(1, 8))
def test_every_block_is_in_one_group_and_whole_ones_share_one(parts: list[float], whole: int, count: int) -> None:
    areas = np.sort(np.array(parts + [1.0] * whole)) * 900.0
    found = groups(areas, count, 900.0)
    assert sorted(np.concatenate(found).tolist()) == list(range(len(areas)))
    assert len(found) <= max(count, 1 if count == 1 else 2)


def test_the_rest_is_scaled_by_area() -> None:
    field = square(300.0)
    blocks = blocks_of(field, lanes_only, Profile(samples=3))
    result = estimate(blocks, Profile(samples=3), LIMITS)
    assert (result.blocks, result.planned) == (100, 1)  # all are whole and alike
    assert result.area_m2 == pytest.approx(90_000.0) and result.gaps_m2 == pytest.approx(900.0)
    assert result.length_m == pytest.approx(90_000.0, rel=1e-6)
    plan = lanes_only(field)
    assert result.search_h == pytest.approx(100 * lanes_only(square(30.0)).duration / 3600.0, rel=1e-6)
    assert result.search_h * 3600.0 == pytest.approx(plan.duration, rel=0.1)
    assert result.rate_m2_per_h == pytest.approx(89_100.0 / result.hours)


def test_a_small_field_is_planned_as_it_is() -> None:
    asked: list[Field] = []
    field = square(math.sqrt(PLANNED_WHOLE_M2) - 0.1)

    def plan(one: Field) -> Plan:
        asked.append(one)
        return lanes_only(one)

    assert len(blocks_of(field, plan, Profile())) == 1 and asked == [field]


def test_samples_are_planned_from_ground_beside_them_and_only_as_many_as_asked() -> None:
    asked: list[Field] = []

    def plan(one: Field) -> Plan:
        asked.append(one)
        return lanes_only(one)

    triangle = shapely.Polygon([(0.0, 0.0), (400.0, 0.0), (0.0, 250.0)])
    blocks = blocks_of(field_of(triangle, shapely.box(0.0, -4.0, 400.0, 0.0)), plan, Profile(samples=4))
    assert len(asked) == 4 == sum(block.planned for block in blocks) and len(blocks) > 50
    for one in asked:
        assert one.hazard.intersection(one.safe).area == 0.0
        assert one.hazard.intersection(one.safe).length > 0.0
        assert one.hazard.area <= 900.0 + 1e-6


@given(st.lists(st.floats(1.0, 1e5), min_size=1, max_size=80), st.integers(1, 20))
def test_shares_add_up_and_no_robot_has_more_than_its_part_and_a_block(work: list[float], robots: int) -> None:
    loads = share_out(work, robots)
    assert len(loads) == robots and sum(loads) == pytest.approx(sum(work))
    assert max(loads) <= sum(work) / robots + max(work) + 1e-6


@given(robots=st.integers(1, 30), finds=st.floats(0.0, 500.0), battery=st.floats(0.5, 20.0))
@settings(max_examples=40, deadline=None)
def test_more_robots_never_take_longer_and_finds_never_less(robots: int, finds: float, battery: float) -> None:
    blocks = [Block(900.0, 3.0, 30.0, 1000.0, 2700.0, i == 0) for i in range(40)]
    profile = Profile(robots=robots, finds_per_ha=finds, battery_hours=battery)
    one, more = (estimate(blocks, replace(profile, robots=n), LIMITS) for n in (robots, robots + 1))
    assert more.days <= one.days
    bare = estimate(blocks, replace(profile, finds_per_ha=0.0), LIMITS)
    assert one.hours >= bare.hours - 1e-9
    assert one.hours == pytest.approx(
        one.search_h + one.finds_h + one.moves_h + one.swaps * profile.swap_minutes / 60.0
    )


def test_swaps_and_days_by_hand() -> None:
    blocks = [Block(900.0, 0.0, 30.0, 1000.0, 3600.0 * 3.0, True)] * 3  # 9 h of search, 30 m to go for each
    profile = Profile(
        robots=1, hours_per_day=8.0, battery_hours=4.0, swap_minutes=30.0, finds_per_ha=100.0, find_seconds=60.0
    )
    result = estimate(blocks, profile, LIMITS)
    assert result.finds_h == pytest.approx(100.0 * 0.27 * 60.0 / 3600.0)
    assert result.moves_h == pytest.approx(3 * 30.0 / LIMITS.drive_speed / 3600.0)
    assert result.swaps == 2  # 9.475 h
    assert result.hours == pytest.approx(9.0 + 0.45 + result.moves_h + 1.0)
    assert result.days == 2 and result.robot_days == pytest.approx(result.hours / 8.0)


def test_blocks_come_out_like_the_field_planned_whole() -> None:
    """The real planner: the same ground as one field and as blocks of 7 m."""
    robot = load_robot(ROOT / "urdf" / "mine_robot.urdf.xacro")
    field = square(14.0)
    whole = first_plan(field, PARAMS, LIMITS, robot)
    pieces, _ = cut(field, 7.0)
    block = first_plan(square(7.0), PARAMS, LIMITS, robot)
    assert len(pieces) == 4
    assert 4 * block.duration == pytest.approx(whole.duration, rel=0.25)


def run(*arguments: object) -> str:
    result = CliRunner().invoke(cli.app, ["estimate", *map(str, arguments)])
    if result.exception:
        raise result.exception
    return result.output


def test_the_command_says_what_it_planned_and_assumed() -> None:
    figures = json.loads(run(SMALL, "--json", "--robots", 2))
    assert figures["blocks"] == figures["planned"] == 1 and figures["days"] == 1 and figures["swaps"] == 0
    assert figures["hours"] == pytest.approx(figures["search_h"], abs=2e-3) and figures["lanes"] > 0
    assert figures["profile"]["robots"] == 2
    text = run(SMALL, SMALL)
    assert "in 2 blocks" in text and "robot-days; 1 robot: 1 day" in text and "assumed: finds: 0 a hectare" in text


def test_a_scaled_estimate_says_so() -> None:
    from mine_robot.bringup.estimating import assumptions

    assert "4 of 900 blocks of 30 m were planned" in assumptions(Profile(), 900, 4)[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((SMALL, "--robots", 0), "'robots' must be 1 to"),
        ((SMALL, "--battery-hours", "nan"), "'battery_hours' must be finite"),
        ((SMALL, "--block", 1), "'block_m' must be 10 to 200 m"),
        (("nowhere.geojson",), "nowhere.geojson: no such file"),
        ((SMALL, "nowhere.geojson"), "nowhere.geojson: no such file"),
    ],
)
def test_what_cannot_be_estimated_is_one_clear_line(arguments: tuple[object, ...], words: str) -> None:
    with pytest.raises(LoadError) as error:
        run(*arguments)
    assert words in str(error.value) and "\n" not in str(error.value)


def test_a_field_without_room_to_start_is_refused(tmp_path: Path) -> None:
    data = json.loads(SMALL.read_text())
    areas = {f["properties"]["role"]: shapely.geometry.shape(f["geometry"]) for f in data["features"]}
    rim = areas["hazard_area"].buffer(3e-6).difference(areas["hazard_area"])  # 0.3 m
    for feature in data["features"]:
        if feature["properties"]["role"] == "safe_area":
            feature["geometry"] = shapely.geometry.mapping(rim)
    path = tmp_path / "tight.geojson"
    path.write_text(json.dumps(data))
    with pytest.raises(LoadError, match=r"tight\.geojson"):
        run(path)


def test_the_direction_of_lanes_turns_with_the_blocks() -> None:
    ground, beside = (
        affinity.rotate(shape, 30.0, origin=(0, 0))
        for shape in (shapely.box(0, 0, 150, 40), shapely.box(0, -4, 150, 0))
    )
    asked: list[float] = []

    def plan(field: Field) -> Plan:
        asked.append(math.remainder(field.lane_direction or 0.0, math.pi))
        return lanes_only(field)

    field = replace(field_of(ground, beside), lane_direction=math.radians(30.0))
    blocks_of(field, plan, Profile(block_m=30.0, samples=2))
    assert asked
    assert asked == pytest.approx([0.0] * len(asked), abs=0.02)
