"""``mine-robot check``: says what a file is and whether it can be used, without starting anything."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mine_robot.bringup.kills import check_kills
from mine_robot.bringup.resources import resource
from mine_robot.core.geodesy import Datum
from mine_robot.pipeline.loading import (
    LoadError,
    ParameterFiles,
    load_field,
    load_robot,
    load_yaml,
    scenario_from_content,
)


def check_file(path: Path) -> str:
    """What the file is, in a line; raises :class:`LoadError` if it cannot be used."""
    if path.suffix in (".geojson", ".json"):
        field = load_field(path)
        return f"field '{field.name}', {field.area:.1f} m2 to search beside {field.safe.area:.1f} m2 of safe ground: ok"
    if path.suffix in (".xacro", ".urdf"):
        robot = load_robot(path)
        return f"robot '{robot.name}', searches {robot.sweep_width:.2f} m wide, {robot.sweep_ahead:.2f} m ahead: ok"
    if path.suffix not in (".yaml", ".yml"):
        raise LoadError(
            f"{path}: not a field (.geojson), parameter file or scenario (.yaml) or robot description (.xacro, .urdf)"
        )
    content = load_yaml(path)
    if isinstance(content, Mapping) and any(
        isinstance(value, Mapping) and "ros__parameters" in value for value in content.values()
    ):
        base = resource("config/robot.yaml")
        overlays = [] if path.resolve() == base.resolve() else [path]
        ParameterFiles([base, *overlays]).check()
        return "parameter file: ok"
    check_kills(scenario_from_content(content, path, Datum(0.0, 0.0)), path)
    return "scenario: ok"
