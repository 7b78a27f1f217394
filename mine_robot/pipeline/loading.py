"""Files into objects: field, robot description, parameter files, scenario. Every error is one line that names the file."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml

from mine_robot.core.field import Field, FieldError, field_from_geojson
from mine_robot.core.geodesy import Datum
from mine_robot.core.parameters import ParameterError, build, flatten, specs, unknown_key
from mine_robot.core.robot import Robot, RobotError, robot_from_urdf
from mine_robot.pipeline.kml import KmlError, collection_from_kml
from mine_robot.pipeline.parameters import NODE_PARAMETERS
from mine_robot.sim.scenario import Scenario, ScenarioError, scenario_from_dict
from mine_robot.sim.soil import SoilError, soil_from

T = TypeVar("T")
KML = ".kml"
KMZ = ".kmz"  # refused, with advice
WILDCARD = "/**"
QOS_OVERRIDES = "qos_overrides."  # ROS's own parameters, one for each policy of each end of a topic
SAFE_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml, six times as fast
ANYWHERE = "/**/"  # a node of that name in whatever namespace
PACKAGES = {
    "detection": "detector",
    "coverage": "planner",
    "marking": "marker",
    "sim": "simulator",
}  # as people call nodes


class LoadError(ValueError):
    """A file that cannot be used; one line says which, what and where."""


def _read(path: Path) -> str:
    """The text of a file, without the byte order mark that some editors put first."""
    return _opened(path, lambda file: file.read_text(encoding="utf-8-sig"))


def _opened(path: Path, read: Callable[[Path], T]) -> T:
    try:
        return read(path)
    except FileNotFoundError:
        raise LoadError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise LoadError(f"{path}: cannot be read: {error}") from None


class _ContentError(ValueError):
    """What Python reads and JSON does not mean: NaN, an infinity, one name twice."""


def _refuse_constant(name: str) -> None:
    raise _ContentError(f"{name} is not a number")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; one that says a name twice is refused, because what it said first would be lost."""
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in members if names.count(name) > 1)
        raise _ContentError(
            f"an object has the member '{' '.join(twice.split())[:40]}' twice, and the first would be lost"
        )
    return members


def load_field(path: Path) -> Field:
    """Read and check a field file, GeoJSON or KML."""
    try:
        return field_from_geojson(read_collection(path), source=str(path))
    except FieldError as error:
        raise LoadError(str(error)) from None


def load_json(path: Path) -> Any:
    """Decode a JSON file."""
    try:
        return json.loads(_read(path), parse_constant=_refuse_constant, object_pairs_hook=_members)
    except json.JSONDecodeError as error:
        raise LoadError(f"{path}: not JSON: {error.msg} at line {error.lineno} column {error.colno}") from None
    except _ContentError as error:
        raise LoadError(f"{path}: not JSON: {error}") from None
    except RecursionError:
        raise LoadError(f"{path}: not JSON: brackets are nested too deeply") from None


def read_collection(path: Path) -> Any:
    """The GeoJSON of a field file that has not been checked yet; a ``.kml`` is converted."""
    if path.suffix.lower() not in (KML, KMZ):
        return load_json(path)
    try:
        return collection_from_kml(_opened(path, Path.read_bytes))
    except KmlError as error:
        raise LoadError(f"{path}: {error}") from None


def expand_urdf(path: Path) -> str:
    """The text of a robot description, xacro expanded where the name ends in ``.xacro``."""
    if path.suffix != ".xacro":
        return _read(path)
    import xacro  # only the runner and a few tools expand; nodes read the expanded file

    _read(path)
    try:
        return str(xacro.process_file(str(path)).toprettyxml(indent="  "))
    except Exception as error:  # xacro raises many kinds for one thing: a description that does not expand
        raise LoadError(f"{path}: xacro cannot expand it: {error}") from None


def load_robot(path: Path) -> Robot:
    """Read the geometry from a URDF or xacro file."""
    try:
        return robot_from_urdf(expand_urdf(path))
    except RobotError as error:
        raise LoadError(f"{path}: {error}") from None


def load_yaml(path: Path) -> Any:
    """Decode a YAML file."""
    try:
        return yaml.load(_read(path), Loader=SAFE_LOADER)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1} column {mark.column + 1}" if mark else ""
        raise LoadError(f"{path}: not YAML: {getattr(error, 'problem', error)}{where}") from None


def load_scenario(path: Path | None, field: Field, seed: int = -1) -> Scenario:
    """Read and check a scenario file; no file is an empty field. A ``seed`` from 0 wins over the file's."""
    scenario = Scenario() if path is None else scenario_from_content(load_yaml(path), path, field.datum)
    return scenario if seed < 0 else dataclasses.replace(scenario, seed=seed)


def scenario_from_content(content: Any, path: Path, datum: Datum) -> Scenario:
    """Check a decoded scenario, its soil included."""
    try:
        scenario = scenario_from_dict(content, datum)
        if scenario.soil is not None:
            soil_from(scenario.soil)
    except (ScenarioError, SoilError) as error:
        raise LoadError(f"{path}: {error}") from None
    return scenario


class ParameterFiles:
    """ROS 2 parameter files laid over each other, the last one wins; ``nodes`` holds the flat values of each node.

    ``overrides`` holds the overrides of quality of service, by node or for all of them (``/**``).
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.nodes: dict[str, dict[str, Any]] = {node: {} for node in NODE_PARAMETERS}
        self.overrides: dict[str, dict[str, Any]] = {}
        self._origin: dict[tuple[str, str], Path] = {}
        for path in paths:
            self._lay(path, load_yaml(path))

    def _lay(self, path: Path, tree: Any) -> None:
        if not isinstance(tree, Mapping):
            raise LoadError(f"{path}: a parameter file maps node names to 'ros__parameters'")
        for raw_name, section in tree.items():
            name = str(raw_name).removeprefix(ANYWHERE).removeprefix("/") if raw_name != WILDCARD else WILDCARD
            if name not in self.nodes and name != WILDCARD:
                raise LoadError(
                    f"{path}: {unknown_key(name, [*self.nodes, WILDCARD]).replace('a parameter', 'a node')}"
                )
            if not isinstance(section, Mapping) or set(section) != {"ros__parameters"}:
                raise LoadError(f"{path}: '{name}' must hold exactly one key, 'ros__parameters'")
            values = flatten(section["ros__parameters"] or {})
            for key, value in values.items():
                self._set(path, name, key, value)

    def _set(self, path: Path, name: str, key: str, value: Any) -> None:
        if key.startswith(QOS_OVERRIDES):
            self.overrides.setdefault(name, {})[key] = value
            return
        nodes = [name] if name != WILDCARD else list(self.nodes)
        takers = [node for node in nodes if key in _known(node)]
        if not takers:
            known = sorted({known for node in nodes for known in _known(node)})
            raise LoadError(f"{path}: {name}: {unknown_key(key, known)}")
        for node in takers:
            self.nodes[node][key] = value
            self._origin[node, key] = path

    def find(self, name: str) -> tuple[list[str], str]:
        """Nodes and key of a dotted ``name``: a node's or its package's name and a key of it, or a key of whatever nodes have it.

        Raises :class:`LoadError` if there is none.
        """
        first, _, rest = name.partition(".")
        first = PACKAGES.get(first, first)
        nodes, key = ([first], rest) if first in self.nodes and rest else (list(self.nodes), name)
        takers = [node for node in nodes if key in _known(node)]
        if not takers:
            prefix = f"{first}." if nodes == [first] else ""
            names = [f"{prefix}{known}" for known in sorted({known for node in nodes for known in _known(node)})]
            raise LoadError(unknown_key(name, names))
        return takers, key

    def set(self, name: str, value: Any, origin: str = "--set") -> None:
        """Lay one value over the files; ``name`` is as :meth:`find` takes it, ``origin`` is named by errors."""
        nodes, key = self.find(name)
        for node in nodes:
            self.nodes[node][key] = value
            self._origin[node, key] = Path(origin)
        for node in nodes:
            self.build(node)

    def assign(self, text: str) -> None:
        """Lay ``NAME=VALUE`` over the files, the value as YAML; raises :class:`LoadError`."""
        name, sign, value = text.partition("=")
        if not (name.strip() and sign and value.strip()):
            raise LoadError(f"--set {text}: must look like NAME=VALUE")
        try:
            self.set(name.strip(), yaml.safe_load(value), f"--set {text}")
        except yaml.YAMLError:
            raise LoadError(f"--set {text}: the value is not YAML") from None

    def build(self, node: str) -> Any:
        """The parameter object of ``node``; raises :class:`LoadError` naming the file."""
        try:
            return build(NODE_PARAMETERS[node], self.nodes[node])
        except ParameterError as error:
            files = {
                str(path) for (owner, key), path in self._origin.items() if owner == node and f"'{key}'" in str(error)
            }
            where = f"{', '.join(sorted(files))}: " if files else ""
            raise LoadError(f"{where}{node}: {error}") from None

    def check(self) -> None:
        """Build every node's parameters; raise on the first node with a problem."""
        for node in self.nodes:
            self.build(node)

    def dump(self) -> str:
        """All values as one ROS 2 parameter file, node by node in whatever namespace, defaults included."""
        tree = {}
        if WILDCARD in self.overrides:
            tree[WILDCARD] = {"ros__parameters": self.overrides[WILDCARD]}
        for node, cls in NODE_PARAMETERS.items():
            values = self.nodes[node]
            defaults = {spec.name: spec.default for spec in specs(cls) if not spec.required}
            tree[ANYWHERE + node] = {"ros__parameters": {**defaults, **values, **self.overrides.get(node, {})}}
        return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True)


def overlay(key: str, value: Any, nodes: Sequence[str], remark: str) -> str:
    """A parameter file with one value, to be laid over others; no ``nodes`` stand for all."""
    tree: Any = value
    for name in reversed(key.split(".")):
        tree = {name: tree}
    content = {node: {"ros__parameters": tree} for node in nodes or (WILDCARD,)}
    return f"# {remark}\n{yaml.safe_dump(content, sort_keys=False)}"


@functools.cache
def _known(node: str) -> frozenset[str]:
    return frozenset(spec.name for spec in specs(NODE_PARAMETERS[node]))
