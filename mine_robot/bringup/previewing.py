"""``mine-robot preview``: what the console shows of a field that nobody has searched yet: the field itself, its plan, the estimate."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mine_robot.bringup.estimating import estimate_fields, lines_of
from mine_robot.bringup.resources import resource
from mine_robot.console.scene import scene
from mine_robot.console.view import plan_entry
from mine_robot.core.field import POLYGON_ROLES
from mine_robot.core.geodesy import Datum
from mine_robot.pipeline.first_plan import first_plan
from mine_robot.pipeline.loading import LoadError, ParameterFiles, load_field, load_robot
from mine_robot.sim.scenario import ScenarioError

DRAWN_MAX_M2 = 3000.0  # a larger field is estimated only: its plan takes minutes


def preview(path: Path, overlays: Sequence[Path], out: Path) -> dict[str, Any]:
    """The preview of a field file, or of a sketch (:func:`field_of_sketch`), as JSON; the field is written to ``out``.

    Raises :class:`LoadError` with one line if it is no field, or one that no robot can search.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise LoadError(f"not a JSON file: {error}") from None
    sketched = isinstance(content, Mapping) and "sketch" in content
    out.write_text(json.dumps(field_of_sketch(content["sketch"]) if sketched else content), encoding="utf-8")
    try:
        field = load_field(out)
        robot = load_robot(resource("urdf/mine_robot.urdf.xacro"))
        params = ParameterFiles([resource("config/robot.yaml"), *overlays]).build("planner")
        plan = first_plan(field, params, params.limits, robot) if field.area <= DRAWN_MAX_M2 else None
        lines = lines_of(estimate_fields([out], overlays, {}))
    except (LoadError, ScenarioError) as error:
        raise LoadError(str(error).removeprefix(f"{out}: ")) from None
    if plan is None:
        lines.insert(0, f"The plan of a field of more than {DRAWN_MAX_M2:g} m2 is not drawn.")
    return {
        "scene": scene(field, robot, params.limits, simulated=False),
        "plan": plan_entry(plan) if plan is not None else None,
        "lines": lines,
        "field": json.loads(out.read_text(encoding="utf-8")),
    }


def field_of_sketch(sketch: Any) -> dict[str, Any]:
    """A field file from ``datum`` (latitude, longitude), ``name`` and ``polygons``: [role, [[east, north], ...]] in m about the datum.

    Raises :class:`LoadError` if that is not what it is.
    """
    try:
        latitude, longitude = (float(value) for value in sketch["datum"])
        if not (abs(latitude) < 90.0 and abs(longitude) <= 180.0):
            raise ValueError(f"a datum at {latitude}, {longitude}")
        datum = Datum(latitude, longitude)
        features = [_feature(datum, str(sketch["name"]), role, points) for role, points in sketch["polygons"]]
    except (TypeError, KeyError, ValueError) as error:
        raise LoadError(f"not a sketch: {error}") from None
    return {"type": "FeatureCollection", "features": features}


def _feature(datum: Datum, name: str, role: str, points: Any) -> dict[str, Any]:
    at = np.array(points, dtype=float).reshape(-1, 2)
    if role not in POLYGON_ROLES or len(at) < 3 or not np.all(np.isfinite(at)):
        raise ValueError(f"a {role!r} of {len(at)} points")
    ring = np.round(datum.to_wgs84(*np.vstack([at, at[:1]]).T)[:, :2], 9).tolist()
    geometry = {"type": "Polygon", "coordinates": [ring]}
    return {"type": "Feature", "properties": {"role": role, "name": name}, "geometry": geometry}
