"""Files into objects: field, robot description, parameter files, scenario. Every error is one line that names the file."""

from __future__ import annotations

import dataclasses
import functools
import json
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from mine_robot.core.field import Field, FieldError, field_from_geojson
from mine_robot.core.geodesy import Datum
from mine_robot.core.parameters import ParameterError, build, specs, unknown_key
from mine_robot.core.robot import REQUIRED_FRAMES, Robot, RobotError, robot_from_urdf
from mine_robot.core.text import short
from mine_robot.pipeline.kml import KmlError, collection_from_kml
from mine_robot.pipeline.parameters import NODE_PARAMETERS
from mine_robot.pipeline.strict_yaml import Section, YamlError, read_yaml, write_yaml
from mine_robot.sim.scenario import Scenario, ScenarioError, scenario_from_dict
from mine_robot.sim.soil import SoilError, soil_from

T = TypeVar("T")
KML = ".kml"
KMZ = ".kmz"  # refused, with advice
WILDCARD = "/**"
QOS_OVERRIDES = "qos_overrides."  # ROS's own parameters, one for each policy of each end of a topic
MAX_TEXT_BYTES = 100_000_000
MAX_YAML_BYTES = 5_000_000  # a hundred times a run's parameters
ANYWHERE = "/**/"  # a node of that name in whatever namespace
PACKAGES = {
    "detection": "detector",
    "coverage": "planner",
    "marking": "marker",
    "sim": "simulator",
}  # as people call nodes


class LoadError(ValueError):
    """A file that cannot be used; one line says which, what and where."""


def _read(path: Path, max_bytes: int = MAX_TEXT_BYTES) -> str:
    """The text of a file, without the byte order mark that some editors put first."""
    content = _opened(path, lambda file: _beginning(file, max_bytes + 1))
    if len(content) > max_bytes:
        raise LoadError(f"{path}: larger than {max_bytes / 1e6:.0f} MB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise LoadError(f"{path}: byte {error.start + 1} is not UTF-8: save the file as UTF-8 text") from None


def _beginning(path: Path, size: int) -> bytes:
    """The first bytes of a regular file; a pipe or a device may never end."""
    if not path.is_file():
        path.stat()
        raise OSError("not a file")
    with path.open("rb") as file:
        return file.read(size)


def _opened(path: Path, read: Callable[[Path], T]) -> T:
    try:
        return read(path)
    except FileNotFoundError:
        raise LoadError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise LoadError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None


class _ContentError(ValueError):
    """What Python reads and JSON does not mean: NaN, an infinity."""


def _refuse_constant(name: str) -> None:
    raise _ContentError(f"{name} is not a number")


class _RepeatedKey(ValueError):
    """An object that has a key twice, of which Python keeps the last one."""


def _single_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _RepeatedKey
    return found


def _where_repeated(text: str) -> str:
    """The first key that an object of a JSON text has twice, with both lines."""
    around: list[dict[str, int]] = [{}]
    line, at = 1, 0
    for token in re.finditer(r'"(?:[^"\\]|\\.)*"(\s*:)?|[{}]', text):
        line, at = line + text.count("\n", at, token.start()), token.start()
        if token[0] == "{":
            around.append({})
        elif token[0] == "}":
            around.pop()
        elif token[1]:
            key = json.loads(token[0].rstrip(": \t\r\n"))
            if key in around[-1]:
                return f"'{key[:60]}' stands twice, in line {around[-1][key]} and in line {line}"
            around[-1][key] = line
    return "a key stands twice"


def load_field(path: Path, *, recorded: bool = False) -> Field:
    """Read and check a field file, GeoJSON or KML; one that is ``recorded`` with a run may have any names."""
    try:
        return field_from_geojson(read_collection(path), source=str(path), recorded=recorded)
    except FieldError as error:
        raise LoadError(str(error)) from None


def load_json(path: Path) -> Any:
    """Decode a JSON file; an object that has a key twice is refused."""
    text = _read(path)
    try:
        return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_single_keys)
    except json.JSONDecodeError as error:
        raise LoadError(f"{path}: not JSON: {error.msg} at line {error.lineno} column {error.colno}") from None
    except _ContentError as error:
        raise LoadError(f"{path}: not JSON: {error}") from None
    except _RepeatedKey:
        raise LoadError(f"{path}: {_where_repeated(text)}: one of them would be lost") from None
    except RecursionError:
        raise LoadError(f"{path}: not JSON: brackets are nested too deeply") from None
    except ValueError:  # a whole number of thousands of digits
        raise LoadError(f"{path}: not JSON: a number has too many digits") from None


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
        raise LoadError(f"{path}: xacro cannot expand it: {' '.join(str(error).split())}") from None


def load_robot(path: Path, needed: Collection[str] = REQUIRED_FRAMES) -> Robot:
    """Read the geometry from a URDF or xacro file that has the frames ``needed``."""
    try:
        return robot_from_urdf(expand_urdf(path), needed)
    except RobotError as error:
        raise LoadError(f"{path}: {error}") from None


def load_yaml(path: Path) -> Any:
    """Decode a YAML file; raises :class:`LoadError` for what could be understood in two ways (:mod:`mine_robot.pipeline.strict_yaml`)."""
    text = _read(path, MAX_YAML_BYTES)
    try:
        return read_yaml(text)
    except YamlError as error:
        raise LoadError(f"{path}: {error}") from None


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
        if not isinstance(tree, Section):
            raise LoadError(f"{path}: a parameter file maps node names to 'ros__parameters'")
        given: dict[tuple[str, str], int] = {}
        for raw_name, section in tree.items():
            name = raw_name.removeprefix(ANYWHERE).removeprefix("/") if raw_name != WILDCARD else WILDCARD
            if name not in self.nodes and name != WILDCARD:
                raise LoadError(
                    f"{path}: {unknown_key(name, [*self.nodes, WILDCARD]).replace('a parameter', 'a node')}"
                )
            if not isinstance(section, Section) or set(section) != {"ros__parameters"}:
                raise LoadError(f"{path}: '{name}' must hold exactly one key, 'ros__parameters'")
            values = section["ros__parameters"]
            if not isinstance(values, Section | None):
                raise LoadError(
                    f"{path}: 'ros__parameters' of '{name}' must hold names and values, not {short(values)}"
                )
            for key, value, line in _leaves(values or Section()):
                if (name, key) in given:
                    raise LoadError(
                        f"{path}: {name}: '{key}' is given twice, in line {given[name, key]} and in line {line}"
                    )
                given[name, key] = line
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
            self.set(name.strip(), read_yaml(value), f"--set {text}")
        except YamlError as error:
            raise LoadError(f"--set {text}: {error}") from None

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
        return write_yaml(tree)


def overlay(key: str, value: Any, nodes: Sequence[str], remark: str) -> str:
    """A parameter file with one value, to be laid over others; no ``nodes`` stand for all."""
    tree: Any = value
    for name in reversed(key.split(".")):
        tree = {name: tree}
    content = {node: {"ros__parameters": tree} for node in nodes or (WILDCARD,)}
    return f"# {remark}\n{write_yaml(content)}"


def _leaves(tree: Section, prefix: str = "") -> Iterator[tuple[str, Any, int]]:
    """Dotted names, values and lines of the parameters in a section, whose groups may be nested or written with dots."""
    for key, value in tree.items():
        if isinstance(value, Section):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value, tree.lines[key]


@functools.cache
def _known(node: str) -> frozenset[str]:
    return frozenset(spec.name for spec in specs(NODE_PARAMETERS[node]))
