"""``mine-robot plan``: the plan of a fresh field, as a file, a picture and a summary."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mine_robot.bringup.field_report import inventory, reach_warnings
from mine_robot.bringup.resources import resource
from mine_robot.bringup.saving import PICTURE, PLAN, check_output, replacing, save_text
from mine_robot.core.field import FieldError
from mine_robot.core.json_text import to_json
from mine_robot.pipeline.first_plan import first_plan
from mine_robot.pipeline.loading import LoadError, ParameterFiles, load_field, load_robot
from mine_robot.pipeline.reach import reach_of_plan
from mine_robot.records.plan_file import plan_to_geojson
from mine_robot.records.plan_plot import plot_plan
from mine_robot.sim.scenario import ScenarioError


def write_plan(
    path: Path, overlays: tuple[Path, ...], out: Path, plot: Path | None, clock: Callable[[], float]
) -> tuple[dict[str, Any], list[str], list[str]]:
    """Plan the search of a field from safe ground beside it; returns the plan file's summary, what the field holds, and warnings."""
    inputs = (path, *overlays)
    check_output(out, PLAN, inputs)
    if plot is not None:
        check_output(plot, PICTURE, (*inputs, out))
    field = load_field(path)
    robot = load_robot(resource("urdf/mine_robot.urdf.xacro"))
    files = ParameterFiles([resource("config/robot.yaml"), *overlays])
    params = files.build("planner")
    begun = clock()
    try:
        plan = first_plan(field, params, params.limits, robot)
    except (ScenarioError, FieldError) as error:
        raise LoadError(f"{path}: {error}") from None
    content = plan_to_geojson(plan, field, robot, params.limits, clock() - begun)
    save_text(out, to_json(content, indent=1))
    if plot is not None:
        with replacing(plot) as draft:
            plot_plan(plan, field, robot, draft)
    warnings = [*field.account.warnings, *reach_warnings(reach_of_plan(plan, field))]
    return dict(content["summary"]), inventory(field), warnings
