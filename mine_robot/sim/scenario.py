"""The scenario file: what the simulated world contains, and which faults befall the robot when."""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely
from shapely import Polygon
from shapely.geometry.base import BaseGeometry

from mine_robot.core.field import Field
from mine_robot.core.geodesy import Datum
from mine_robot.core.text import short
from mine_robot.sim.objects import CATALOGUE
from mine_robot.sim.terrain import TERRAINS, TerrainSpec
from mine_robot.sim.types import BuriedObject

KEYS = ("seed", "soil", "terrain", "objects", "random_objects", "faults")
OBJECT_KEYS = ("type", "east", "north", "lon", "lat", "depth_m")
FAULT_KEYS = ("at_s", "for_s", "kind")
FAULT_OPTIONS: dict[str, tuple[str, ...]] = {
    "gnss_dropout": (),
    "gnss_float": (),
    "gnss_false_fix": ("offset_m", "direction_deg"),
    "gnss_walk": ("speed_m_s", "direction_deg"),
    "gnss_frozen": (),
    "heading_lost": (),
    "imu_dead": (),
    "wheel_slip": ("ratio",),
    "gpr_dead": (),
    "gpr_frozen": (),
    "gpr_channel_dead": ("channel",),
    "md_coil_dead": ("coil",),
    "marker_jam": (),
    "marker_empty": (),
    "marker_link": (),
    "command_link_lost": (),
    "low_battery": (),
    "estop_button": (),
    "head_high": ("height_m",),
    "dragged": ("east_m", "north_m"),
    "tilted": ("roll_deg",),
    "node_kill": ("node",),
}
OPTION_RANGES = {
    "ratio": (0.0, 1.0), "offset_m": (0.0, 100.0), "direction_deg": (-360.0, 360.0), "speed_m_s": (0.0, 1.0),
    "height_m": (0.0, 1.0), "east_m": (-50.0, 50.0), "north_m": (-50.0, 50.0),
    "roll_deg": (-60.0, 60.0),
}  # fmt: skip
MAX_DEPTH_M = 1.0
OBJECT_SPACING_M = 1.0
BORDER_MARGIN_M = 0.4
PLACING_TRIES = 200  # a candidate; a field that is not crowded takes a few


class ScenarioError(ValueError):
    """The scenario cannot be used; one line says what is wrong and names the nearest valid word."""


@dataclass(frozen=True)
class Fault:
    """Something that fails from ``at`` s for ``duration`` s (may be infinite); ``options`` are particular to the kind."""

    at: float
    duration: float
    kind: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def active(self, t: float) -> bool:
        """True while the fault lasts; its end is no part of it."""
        return self.at <= t < self.at + self.duration


@dataclass(frozen=True)
class Scenario:
    """Content of a scenario file; ``soil`` is left to the sensor models that know it, ``random_objects`` counts by type."""

    seed: int = 0
    soil: str | Mapping[str, Any] | None = None
    terrain: TerrainSpec = TERRAINS["meadow"]
    objects: tuple[BuriedObject, ...] = ()
    random_objects: Mapping[str, int] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()

    def active(self, kind: str, t: float) -> Fault | None:
        """The fault of ``kind`` that is active at ``t`` (the first listed), if any."""
        return next((fault for fault in self.faults if fault.kind == kind and fault.active(t)), None)


def scenario_from_dict(data: Any, datum: Datum) -> Scenario:
    """Check a decoded scenario file; places in WGS-84 are converted with ``datum``. Raises :class:`ScenarioError`."""
    if data is None:
        return Scenario()
    values = _mapping(data, "the scenario")
    _check_keys(values, KEYS, "the scenario")
    seed = values.get("seed", 0)
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise ScenarioError(f"'seed' must be a whole number from 0, got {seed!r}")
    soil = values.get("soil")
    if soil is not None and not isinstance(soil, (str, Mapping)):
        raise ScenarioError(f"'soil' must be a name or a mapping, got {soil!r}")
    return Scenario(
        seed=seed,
        soil=soil,
        terrain=_terrain(values.get("terrain", "meadow")),
        objects=tuple(_object(item, f"object {i}", datum) for i, item in enumerate(_items(values, "objects"), start=1)),
        random_objects=_counts(values.get("random_objects") or {}),
        faults=tuple(_fault(item, f"fault {i}") for i, item in enumerate(_items(values, "faults"), start=1)),
    )


def place_random(scenario: Scenario, field: Field, rng: np.random.Generator) -> tuple[BuriedObject, ...]:
    """Draw the scenario's ``random_objects`` within the hazard area: uniform, apart from each other and from its border.

    Each lies at least 1.0 m from every other object, 0.4 m from the border and no-go zones, at a depth in which its type is found.
    Raises :class:`ScenarioError` if the area cannot hold them.
    """
    room = shapely.difference(field.hazard, field.no_go).buffer(-BORDER_MARGIN_M)
    placed = [(item.x, item.y) for item in scenario.objects]
    drawn: list[BuriedObject] = []
    for kind, count in scenario.random_objects.items():
        low, high = CATALOGUE[kind].depths_m
        for _ in range(count):
            x, y = _free_place(room, placed, rng, kind)
            placed.append((x, y))
            drawn.append(BuriedObject(kind, x, y, float(rng.uniform(low, high))))
    return tuple(drawn)


def _free_place(
    room: BaseGeometry, placed: list[tuple[float, float]], rng: np.random.Generator, kind: str
) -> tuple[float, float]:
    if not room.is_empty:
        west, south, east, north = room.bounds
        others = np.array(placed).reshape(-1, 2)
        for _ in range(PLACING_TRIES):
            points = rng.uniform((west, south), (east, north), (32, 2))
            distance = np.hypot(*(points[:, None] - others[None]).transpose(2, 0, 1))
            free = np.all(distance >= OBJECT_SPACING_M, axis=1) & shapely.contains_xy(room, points)
            if free.any():
                x, y = points[np.argmax(free)]
                return float(x), float(y)
    raise ScenarioError(
        f"no room in the hazard area for another '{kind}': objects keep {OBJECT_SPACING_M:g} m from each other "
        f"and {BORDER_MARGIN_M:g} m from the border"
    )


def start_area(field: Field, radius: float) -> Polygon:
    """Where ``base_link`` may stand so that a disc of ``radius`` m stays on safe ground; the largest part near the hazard area.

    Raises :class:`ScenarioError` if there is none.
    """
    ground = shapely.difference(field.safe, field.no_go).buffer(-radius)
    if ground.is_empty:
        raise ScenarioError(f"no safe area has room for the robot to turn: it needs a free radius of {radius:.2f} m")
    near = ground.intersection(field.hazard.buffer(ground.distance(field.hazard) + 0.2))
    parts = [part for part in shapely.get_parts(near) if isinstance(part, Polygon)]
    return max(parts, key=lambda part: part.area)


def _terrain(value: Any) -> TerrainSpec:
    if isinstance(value, str):
        return TERRAINS[_known(value, TERRAINS, "terrain")]
    values = dict(_mapping(value, "'terrain'"))
    base = TERRAINS[_known(values.pop("type", "meadow"), TERRAINS, "terrain")]
    _check_keys(values, [item.name for item in dataclasses.fields(TerrainSpec)], "'terrain'")
    ranges = {"roughness_m": (0.0, 0.2), "wavelength_m": (1.0, 100.0), "slope_deg": (0.0, 25.0), "slip": (0.0, 0.5)}
    checked = {
        key: _number(item, f"'{key}' of the terrain", *ranges.get(key, (-360.0, 360.0))) for key, item in values.items()
    }
    return dataclasses.replace(base, **checked)


def _object(item: Any, label: str, datum: Datum) -> BuriedObject:
    values = _mapping(item, label)
    _check_keys(values, OBJECT_KEYS, label)
    kind = _known(values.get("type"), CATALOGUE, f"type of {label}")
    local, global_ = {"east", "north"} & values.keys(), {"lon", "lat"} & values.keys()
    if {len(local), len(global_)} != {0, 2}:
        raise ScenarioError(f"{label} ({kind}) needs either 'east' and 'north' or 'lon' and 'lat'")
    if local:
        x, y = (_number(values[key], f"'{key}' of {label}") for key in ("east", "north"))
    else:
        lon = _number(values["lon"], f"'lon' of {label}", -180.0, 180.0)
        lat = _number(values["lat"], f"'lat' of {label}", -90.0, 90.0)
        x, y = (float(value) for value in datum.to_map(lon, lat)[:2])
    if "depth_m" not in values:
        raise ScenarioError(f"{label} ({kind}) has no 'depth_m'")
    return BuriedObject(kind, x, y, _number(values["depth_m"], f"'depth_m' of {label}", 0.0, MAX_DEPTH_M))


def _counts(value: Any) -> dict[str, int]:
    counts = _mapping(value, "'random_objects'")
    for kind, count in counts.items():
        _known(kind, CATALOGUE, "type in 'random_objects'")
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            raise ScenarioError(
                f"the count of '{kind}' in 'random_objects' must be a whole number from 0, got {short(count)}"
            )
    return dict(counts)


def _fault(item: Any, label: str) -> Fault:
    values = _mapping(item, label)
    kind = _known(values.get("kind"), FAULT_OPTIONS, f"kind of {label}")
    label = f"{label} ({kind})"
    _check_keys(values, (*FAULT_KEYS, *FAULT_OPTIONS[kind]), label)
    if kind == "node_kill" and "node" not in values:
        raise ScenarioError(f"{label} has no 'node': which one is to be killed?")
    if "at_s" not in values:
        raise ScenarioError(f"{label} has no 'at_s'")
    at = _number(values["at_s"], f"'at_s' of {label}", 0.0)
    duration = _number(values["for_s"], f"'for_s' of {label}", 0.0) if "for_s" in values else math.inf
    return Fault(
        at, duration, kind, {key: _option(key, values[key], label) for key in FAULT_OPTIONS[kind] if key in values}
    )


def _option(key: str, value: Any, label: str) -> Any:
    name = f"'{key}' of {label}"
    if key == "node":
        if not isinstance(value, str):
            raise ScenarioError(f"{name} must be the name of a node, got {short(value)}")
        return value
    if key in ("channel", "coil"):
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise ScenarioError(f"{name} must be a whole number from 0, got {short(value)}")
        return value
    return _number(value, name, *OPTION_RANGES[key])


def _mapping(value: Any, label: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ScenarioError(f"{label} must be a mapping of names to values, got {short(value)}")
    return value


def _items(values: Mapping[str, Any], key: str) -> list[Any]:
    items = values.get(key) or []
    if not isinstance(items, list):
        raise ScenarioError(f"'{key}' must be a list, got {short(items)}")
    return items


def _number(value: Any, label: str, low: float = -math.inf, high: float = math.inf) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
        raise ScenarioError(f"{label} must be a number, got {short(value)}")
    if not low <= value <= high:
        raise ScenarioError(f"{label} must be within {low:g} and {high:g}, got {value:g}")
    return float(value)


def _check_keys(values: Mapping[str, Any], known: Iterable[str], label: str) -> None:
    for key in values:
        _known(key, known, f"key in {label}")


def _known(value: Any, known: Iterable[str], label: str) -> str:
    """``value`` if it is one of ``known``; the error names the nearest one."""
    names = list(known)
    if isinstance(value, str) and value in names:
        return value
    nearest = difflib.get_close_matches(str(value), names, n=1, cutoff=0.4)
    hint = f"did you mean '{nearest[0]}'?" if nearest else f"known: {', '.join(names)}"
    if value is None:
        raise ScenarioError(f"there is no {label}; known: {', '.join(names)}")
    raise ScenarioError(f"unknown {label}: {short(value)}; {hint}")
