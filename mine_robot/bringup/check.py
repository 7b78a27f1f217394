"""``mine-robot check``: says what a file is and whether it can be used, without starting anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mine_robot.bringup.field_report import describe
from mine_robot.bringup.kills import check_kills
from mine_robot.bringup.overrides import check_overrides
from mine_robot.bringup.resources import resource
from mine_robot.core.geodesy import Datum
from mine_robot.core.parameters import specs
from mine_robot.pipeline.consistency import contradictions
from mine_robot.pipeline.loading import (
    KML,
    KMZ,
    WILDCARD,
    LoadError,
    ParameterFiles,
    load_field,
    load_robot,
    load_yaml,
    scenario_from_content,
)
from mine_robot.pipeline.parameters import NODE_PARAMETERS
from mine_robot.pipeline.priors import load_priors
from mine_robot.sim.scenario import KEYS

HEADER = "ros__parameters"


def check_file(path: Path) -> tuple[list[str], list[str]]:
    """What the file is, in lines, and what looks wrong in it; raises :class:`LoadError` if it cannot be used."""
    if is_field_file(path):
        robot = load_robot(resource("urdf/mine_robot.urdf.xacro"))
        return describe(path, load_field(path), base_and([]).build("planner"), robot)
    return [_what_it_is(path)], []


def _what_it_is(path: Path) -> str:
    if path.suffix in (".xacro", ".urdf"):
        robot = load_robot(path)
        return f"robot '{robot.name}', searches {robot.sweep_width:.2f} m wide, {robot.sweep_ahead:.2f} m ahead: ok"
    if path.suffix not in (".yaml", ".yml"):
        raise LoadError(
            f"{path}: not a field (.geojson, .kml), parameter file or scenario (.yaml) or robot description (.xacro, .urdf)"
        )
    if is_parameter_file(path):
        parameters = base_and([path])
        parameters.check()
        check_overrides(parameters)
        return "parameter file: ok"
    _refuse_bare_parameters(path)
    check_kills(scenario_from_content(load_yaml(path), path, Datum(0.0, 0.0)), path)
    return "scenario: ok"


def is_field_file(path: Path) -> bool:
    """True if the name says that it is a field."""
    return path.suffix.lower() in (".geojson", ".json", KML, KMZ)


def check_priors(path: Path, files: Sequence[Path]) -> list[str]:
    """What prior knowledge ``path`` holds for the field among ``files``, and what of it lies elsewhere, a line each."""
    fields = [file for file in files if is_field_file(file)]
    if len(fields) != 1:
        raise LoadError(f"--priors {path}: give the one field that it is about")
    field = load_field(fields[0])
    priors = load_priors(path, field)
    roles = [one.role for one in priors.suspicions]
    counts = ", ".join(f"{roles.count(role)} {role}" for role in dict.fromkeys(roles))
    return [f"{path}: prior knowledge, {counts}: ok", *(f"{path}: {line}" for line in priors.outside(field))]


def base_and(paths: Sequence[Path]) -> ParameterFiles:
    """``paths`` laid over ``config/robot.yaml``."""
    base = resource("config/robot.yaml")
    return ParameterFiles([base, *(path for path in paths if path.resolve() != base.resolve())])


def warnings(files: Sequence[Path]) -> list[str]:
    """What contradicts itself in the parameter files among ``files``, all laid over each other in their order, a line each.

    The robot is the one described among ``files``, or else that of the package.
    """
    described = [path for path in files if path.suffix in (".xacro", ".urdf")]
    robot = load_robot(described[-1] if described else resource("urdf/mine_robot.urdf.xacro"))
    parameters = base_and([path for path in files if is_parameter_file(path)])
    if not robot.contact_patches or robot.sweep_width <= 0.0:
        return []  # a robot whose logs are replayed: it is not driven
    nodes = {node: parameters.build(node) for node in parameters.nodes}
    return [f"{', '.join(rule.keys)}: {problem}" for rule, problem in contradictions(nodes, robot)]


def is_parameter_file(path: Path) -> bool:
    """Whether a YAML file is laid out as ROS 2 parameters, not as a scenario."""
    content = load_yaml(path) if path.suffix in (".yaml", ".yml") else None
    return isinstance(content, Mapping) and any(
        key == WILDCARD or key.split("/")[-1] in NODE_PARAMETERS or (isinstance(value, Mapping) and HEADER in value)
        for key, value in content.items()
    )


def _refuse_bare_parameters(path: Path) -> None:
    """Raise :class:`LoadError` if a file holds parameters without the node and header over them: ROS and we would read something else."""
    content = load_yaml(path)
    known = {spec.name.split(".")[0] for parameters in NODE_PARAMETERS.values() for spec in specs(parameters)}
    bare = [key for key in content if key.split(".")[0] in known - set(KEYS)] if isinstance(content, Mapping) else []
    if bare:
        raise LoadError(
            f"{path}: '{bare[0][:60]}' is a parameter without a node: write '/**:' (or a node's name) and '{HEADER}:' over it"
        )
