"""``mine-robot plan``: the plan of a fresh field, as a file, a picture and a summary."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mine_robot.bringup.resources import resource
from mine_robot.core.types import Goal, MissionState, MissionStatus, NavState
from mine_robot.pipeline.coverage import CoverageManager
from mine_robot.pipeline.loading import LoadError, ParameterFiles, load_field, load_robot
from mine_robot.records.plan_file import plan_to_geojson
from mine_robot.records.plan_plot import plot_plan
from mine_robot.sim.scenario import ScenarioError
from mine_robot.sim.world import start_pose


def write_plan(
    path: Path, overlays: tuple[Path, ...], out: Path, plot: Path | None, clock: Callable[[], float]
) -> dict[str, Any]:
    """Plan the search of a field from safe ground beside it; returns the plan file's summary."""
    field = load_field(path)
    robot = load_robot(resource("urdf/mine_robot.urdf.xacro"))
    files = ParameterFiles([resource("config/robot.yaml"), *overlays])
    params = files.build("planner")
    coverage = CoverageManager(params, params.limits, robot, field)
    try:
        start = start_pose(field, robot)
    except ScenarioError as error:
        raise LoadError(f"{path}: {error}") from None
    zero = np.zeros(3)
    position = np.array([start.x, start.y, 0.0])
    coverage.set_nav(NavState(0.0, position, np.array([0.0, 0.0, start.yaw]), zero, zero, np.zeros((6, 6))))
    begun = clock()
    plan = coverage.answer(MissionStatus(0.0, MissionState.PLAN, "", Goal.SEARCH, -1, 0.0))
    assert plan is not None  # the first request with a known pose is always answered
    content = plan_to_geojson(plan, field, robot, params.limits, clock() - begun)
    out.write_text(json.dumps(content, indent=1), encoding="utf-8")
    if plot is not None:
        plot_plan(plan, field, robot, plot)
    return dict(content["summary"])
