"""Plan files: strict JSON that accounts for the whole field, whatever numbers the planner works with."""

from __future__ import annotations

import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from coverage_setup import limits, robot
from random_fields import field_of, random_field

from mine_robot.core.field import Field
from mine_robot.core.json_text import to_json
from mine_robot.core.types import Plan, PlanStep, Pose2, StepKind
from mine_robot.coverage import gaps
from mine_robot.coverage.params import CoverageParams
from mine_robot.pipeline.first_plan import first_plan
from mine_robot.records.plan_file import plan_to_geojson


def written(plan: Plan, field: Field) -> dict[str, Any]:
    """The plan file as others read it."""
    text = to_json(plan_to_geojson(plan, field, robot(), limits(), np.float64(0.1)), indent=1)
    return json.loads(text, parse_constant=pytest.fail)


def made_up_plan(field: Field, seed: int) -> Plan:
    """Steps of all kinds with the types that numpy's arithmetic leaves, and gaps from a raster."""
    rng = np.random.default_rng(seed)
    places = rng.uniform(field.bounds[:2], field.bounds[2:], (4, 2))
    poses = [Pose2(*place, yaw) for place, yaw in zip(places, rng.uniform(-4, 4, 4))]
    steps = [
        PlanStep(StepKind.LANE, *pair, np.bool_(rng.random() < 0.5), np.bool_(rng.random() < 0.5), np.float32(0.4))
        for pair in pairwise(poses)
    ]
    steps.append(PlanStep(StepKind.TURN, poses[3], Pose2(*places[3], np.float32(1.0)), np.False_, np.False_, 0.5))
    mask = rng.random((4, 4)) < 0.3
    left = gaps.to_gaps(gaps.cells_to_area(mask, *field.hazard.centroid.coords[0], 0.05), gaps.UNREACHABLE)
    return Plan(0.0, tuple(steps), gaps.clip_to_hazard(left, field))


def test_plans_of_200_random_fields_are_strict_json() -> None:
    for seed in range(200):
        field = random_field(seed)
        plan = made_up_plan(field, seed)
        content = written(plan, field)
        kinds = [item["properties"]["kind"] for item in content["features"]]
        assert kinds.count("gap") == len(plan.gaps) and kinds.count("lane") == 3 and kinds[3] == "pivot"
        listed = sum(item["properties"].get("area_m2", 0.0) for item in content["features"])
        assert content["summary"]["gaps_m2"] == pytest.approx(listed, abs=1e-3)


ELL = shapely.Polygon([(0, 0), (12, 0), (12, 4), (4, 4), (4, 12), (0, 12)])
WAVES = [(x, 3.0 + 0.7 * np.sin(0.7 * x)) for x in np.linspace(0, 7, 500)]
RIVER = shapely.Polygon([(0, 0), *WAVES, (7, 0)])
ORDINARY = {
    "an L": field_of(ELL, shapely.box(-0.5, -3, 12.5, 0)),
    "along a river": field_of(RIVER, shapely.box(-0.5, -3, 7.5, 0)),
}


@pytest.mark.parametrize("name", ORDINARY)
def test_plans_of_ordinary_fields_are_written_and_account_for_the_field(name: str) -> None:
    field = ORDINARY[name]
    content = written(first_plan(field, CoverageParams(directions=1), limits(), robot()), field)
    assert content["summary"]["covered"] > 0.98
    assert all(type(item["properties"].get("reverse", False)) is bool for item in content["features"])
