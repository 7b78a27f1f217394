"""``mine-robot preview``: what the console shows of a field that nobody has searched yet: the field itself, its plan, the estimate."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mine_robot.bringup.estimating import estimate_fields, lines_of
from mine_robot.bringup.resources import resource
from mine_robot.bringup.saving import SCRATCH, check_output, save_text
from mine_robot.bringup.sketching import field_of_sketch, sketch_of_field, undecided, with_roles
from mine_robot.console.scene import scene
from mine_robot.console.view import plan_entry
from mine_robot.core.field import Field, FieldError
from mine_robot.core.json_text import to_json
from mine_robot.pipeline.first_plan import first_plan
from mine_robot.pipeline.kml import KmlError, collection_from_kml
from mine_robot.pipeline.loading import LoadError, ParameterFiles, load_field, load_robot
from mine_robot.sim.scenario import ScenarioError

DRAWN_MAX_M2 = 3000.0  # a larger field is estimated only: its plan takes minutes


def preview(path: Path, overlays: Sequence[Path], out: Path) -> dict[str, Any]:
    """The preview of what a page asks for (``console/access.py``, PreviewBody) as JSON; the field is written to ``out``.

    With ``undecided`` features a person has to say their roles first. With a ``problem`` it can be drawn (``sketch``), not searched. Raises
    :class:`LoadError` with one line if it cannot even be drawn.
    """
    try:
        wish = json.loads(path.read_text(encoding="utf-8"))
        collection = with_roles(_collection(wish), wish.get("roles", {}))
    except KmlError as error:
        raise LoadError(f"the KML cannot be used: {error}") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise LoadError(f"not a field: {error}") from None
    if unknown := undecided(collection):
        return {"undecided": unknown}
    check_output(out, SCRATCH, (path, *overlays))
    save_text(out, to_json(collection))
    try:
        field = load_field(out)
    except LoadError as error:
        problem = str(error).removeprefix(f"{out}: ")
        try:
            return {"sketch": sketch_of_field(collection, None), "problem": problem}
        except (FieldError, TypeError, KeyError, AttributeError):
            raise LoadError(problem) from None
    sketch = sketch_of_field(collection, field.datum)
    try:
        return {"sketch": sketch, **_planned(field, overlays, out), "field": collection}
    except (LoadError, FieldError, ScenarioError) as error:
        return {"sketch": sketch, "problem": str(error).removeprefix(f"{out}: ")}


def _collection(wish: Any) -> Any:
    if "kml" in wish:
        return collection_from_kml(wish["kml"].encode())
    return field_of_sketch(wish["sketch"]) if "sketch" in wish else wish["field"]


def _planned(field: Field, overlays: Sequence[Path], path: Path) -> dict[str, Any]:
    """Scene, plan and estimate of the field in the file ``path``."""
    robot = load_robot(resource("urdf/mine_robot.urdf.xacro"))
    params = ParameterFiles([resource("config/robot.yaml"), *overlays]).build("planner")
    plan = first_plan(field, params, params.limits, robot) if field.area <= DRAWN_MAX_M2 else None
    lines = lines_of(estimate_fields([path], overlays, {}))
    if plan is None:
        lines.insert(0, f"The plan of a field of more than {DRAWN_MAX_M2:g} m2 is not drawn.")
    return {
        "scene": scene(field, robot, params.limits, simulated=False),
        "plan": plan_entry(plan) if plan is not None else None,
        "lines": lines,
    }
