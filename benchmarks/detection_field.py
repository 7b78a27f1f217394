"""Random fields with hazards and clutter, and a drive over them: what training and measuring of the detector share.

Seeds decide who may use a field: training below 50 000 (:data:`TRAINING`), measuring from 100 000 on (:data:`BLIND`).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xacro
import yaml
from shapely import LineString, union_all

from mine_robot.core.limits import Limits
from mine_robot.core.parameters import build, flatten
from mine_robot.core.robot import Robot, robot_from_urdf
from mine_robot.core.types import NavState, TargetClass
from mine_robot.sim.gpr import GprModel
from mine_robot.sim.metal import MetalModel
from mine_robot.sim.objects import CATALOGUE
from mine_robot.sim.soil import SOILS, Soil
from mine_robot.sim.soil_sensor_params import SoilSensorParams
from mine_robot.sim.terrain import Terrain, TerrainSpec
from mine_robot.sim.types import BuriedObject, TrueState

ROOT = Path(__file__).parents[1]
TRAINING, BLIND = range(50_000), range(100_000, 200_000)
LANES, LENGTH_M, LANE_SPACING_M, STEP_S = 4, 10.0, 1.05, 0.05
SPEEDS, RAMP = (0.3, 0.5), 0.5  # m/s, m/s²
SWEEPS, SWEEP_LENGTHS_M = 26, (0.5, 2.0)  # short oblique ones, as a re-planned mission drives
STOPS_SHARE, STAND_S = 0.3, 1.5  # of the lanes with a stop on the way; how long
AREA_M2 = LANES * LANE_SPACING_M * LENGTH_M
CLUTTER_COUNT = round(0.5 * AREA_M2)  # one in two square metres
HAZARDS_PER_M2 = 0.05  # how often they are taken to occur; a field holds more, so that fewer are needed
RUN_IN_M = 0.6  # driven before the field and behind it
HALF_WIDTH_M = 0.5 * LANE_SPACING_M  # to either side of the line ground counts as passed
EDGE_M = 0.2  # to either side of where two lanes meet: there lie half of the large mines of training
LIFT_M = (-0.025, 0.025)  # of the head over training's ground; the waves of that ground, rms and length:
WAVES_M, WAVELENGTHS_M = (0.0, 0.03), (4.0, 7.0)
AP_DEPTHS_M, LARGE_DEPTHS_M, CLUTTER_DEPTHS_M = (0.0, 0.13), (0.0, 0.25), (0.0, 0.20)
HAZARD_KINDS = tuple(name for name, kind in CATALOGUE.items() if kind.hazard)
CLUTTER_KINDS = tuple(name for name, kind in CATALOGUE.items() if not kind.hazard)
HAZARD_WEIGHT = HAZARDS_PER_M2 * AREA_M2 / len(HAZARD_KINDS)


@dataclass(frozen=True)
class FieldModels:
    """The truth of a field and the models of both sensors over it; without a ``terrain`` the head keeps its nominal height."""

    objects: tuple[BuriedObject, ...]
    soil: Soil
    gpr: GprModel
    metal: MetalModel
    terrain: Terrain | None = None


def load_robot() -> tuple[Robot, Limits]:
    """The robot of the repository and its limits."""
    robot = robot_from_urdf(xacro.process_file(str(ROOT / "urdf/mine_robot.urdf.xacro")).toxml())
    shared = yaml.safe_load((ROOT / "config/robot.yaml").read_text())["/**"]["ros__parameters"]["limits"]
    return robot, build(Limits, flatten(shared))


def random_objects(rng: np.random.Generator, of_each: int = 1, *, at_edges: bool = False) -> tuple[BuriedObject, ...]:
    """``of_each`` hazards of every kind and CLUTTER_COUNT other objects, at least 0.5 m apart; ``at_edges`` of lanes, half of the large."""
    kinds = [*HAZARD_KINDS * of_each, *rng.choice(CLUTTER_KINDS, CLUTTER_COUNT)]
    placed: list[BuriedObject] = []
    while len(placed) < len(kinds):
        name = str(kinds[len(placed)])
        x, y = rng.uniform(0.0, LENGTH_M), rng.uniform(-0.5, LANES * LANE_SPACING_M - 0.55)
        if at_edges and depths_of(name) == LARGE_DEPTHS_M and rng.random() < 0.5:
            y = (rng.integers(LANES - 1) + 0.5) * LANE_SPACING_M + rng.uniform(-EDGE_M, EDGE_M)
        if all(math.hypot(x - o.x, y - o.y) > 0.5 for o in placed):
            placed.append(BuriedObject(name, float(x), float(y), float(rng.uniform(*depths_of(name)))))
    return tuple(placed)


def depths_of(name: str) -> tuple[float, float]:
    """Range of the depth of the top in m."""
    kind = CATALOGUE[name]
    if not kind.hazard:
        return CLUTTER_DEPTHS_M
    return LARGE_DEPTHS_M if kind.target_class in (TargetClass.AT, TargetClass.ERW) else AP_DEPTHS_M


def varied(soil: Soil, rng: np.random.Generator) -> Soil:
    """A soil somewhat different from the given one, for training on more than those that are measured."""

    def near(value: float, spread: float) -> float:
        return float(value * np.exp(rng.uniform(-spread, spread)))

    return dataclasses.replace(
        soil,
        permittivity=max(2.5, near(soil.permittivity, 0.25)),
        conductivity=near(soil.conductivity, 0.5),
        roughness_m=near(soil.roughness_m, 0.4),
        mineralisation=near(soil.mineralisation, 0.7),
        heterogeneity=near(soil.heterogeneity, 0.4),
    )


def build_field(
    rng: np.random.Generator,
    soil: str,
    robot: Robot,
    *,
    vary: bool = False,
    of_each: int = 1,
    bare: bool = False,
    terrain: TerrainSpec | None = None,
) -> FieldModels:
    """A random field in ``soil`` (a name of SOILS); ``bare`` leaves all objects out.

    ``vary`` draws a soil near it, waves of the ground and the height of the head over it; ``terrain`` asks for given waves.
    """
    objects = () if bare else random_objects(rng, of_each, at_edges=vary)
    ground = varied(SOILS[soil], rng) if vary else SOILS[soil]
    params = build(SoilSensorParams, {})
    lift = 0.0
    if vary:
        terrain, lift = TerrainSpec(rng.uniform(*WAVES_M), rng.uniform(*WAVELENGTHS_M)), float(rng.uniform(*LIFT_M))
    waves = Terrain(terrain, rng) if terrain is not None else None
    level = None if waves is None else lambda points: waves.height(points) - lift
    gpr = GprModel(ground, objects, robot, params.gpr, rng, ground=level)
    return FieldModels(objects, ground, gpr, MetalModel(ground, objects, robot, params.metal, rng, ground=level), waves)


@dataclass(frozen=True)
class Sweep:
    """A straight drive of the head's line from ``start`` (x, y) m along ``heading`` rad over ``length`` m, with a stop at ``stop`` m."""

    start: tuple[float, float]
    heading: float
    length: float
    stop: float = math.inf

    def passes(self, item: BuriedObject, margin: float = 0.0) -> bool:
        """True if the object's centre lies on the ground swept, at least ``margin`` m from both ends."""
        dx, dy = item.x - self.start[0], item.y - self.start[1]
        cos, sin = math.cos(self.heading), math.sin(self.heading)
        along, left = cos * dx + sin * dy, cos * dy - sin * dx
        return margin <= along <= self.length - margin and abs(left) <= HALF_WIDTH_M


def lanes(rng: np.random.Generator) -> list[Sweep]:
    """The whole field up and down, with some stops."""
    length = LENGTH_M + 2.0 * RUN_IN_M
    result = []
    for lane in range(LANES):
        stop = float(rng.uniform(1.0, LENGTH_M)) if rng.random() < STOPS_SHARE else math.inf
        x, heading = (-RUN_IN_M, 0.0) if lane % 2 == 0 else (LENGTH_M + RUN_IN_M, math.pi)
        result.append(Sweep((x, lane * LANE_SPACING_M), heading, length, stop))
    return result


def short_sweeps(rng: np.random.Generator) -> list[Sweep]:
    """Short sweeps in all directions, each begun from standing: what is left of a mission between marks."""
    return [
        Sweep(
            (float(rng.uniform(0.0, LENGTH_M)), float(rng.uniform(-0.5, LANES * LANE_SPACING_M - 0.55))),
            float(rng.uniform(-math.pi, math.pi)),
            float(rng.uniform(*SWEEP_LENGTHS_M)),
        )
        for _ in range(SWEEPS)
    ]


def swept(sweeps: Iterable[Sweep]) -> float:
    """Area in m² that the head passed, counted once."""
    lines = []
    for sweep in sweeps:
        (x, y), cos, sin = sweep.start, math.cos(sweep.heading), math.sin(sweep.heading)
        lines.append(LineString([(x, y), (x + sweep.length * cos, y + sweep.length * sin)]))
    return float(union_all([line.buffer(HALF_WIDTH_M, cap_style="flat") for line in lines]).area)


def speeds(sweep: Sweep, cruise: float) -> Iterator[tuple[float, float]]:
    """Distance m and speed m/s each step: from standing, up to ``cruise``, down to standing at the stop and the end."""
    s, v = 0.0, 0.0
    for goal in (min(sweep.stop, sweep.length), sweep.length):
        while goal - s > 0.003:
            v = min(v + RAMP * STEP_S, cruise, math.sqrt(2.0 * RAMP * (goal - s)) + 0.01)
            s += v * STEP_S
            yield s, v
        v = 0.0
        for _ in range(round(STAND_S / STEP_S)):
            yield s, v
        if goal == sweep.length:
            return


def drive(
    rng: np.random.Generator, ahead: float, sweeps: list[Sweep], terrain: Terrain | None = None
) -> Iterator[tuple[TrueState, NavState]]:
    """True and estimated states along ``sweeps``; the head's line is ``ahead`` m in front.

    Head height, attitude and the estimate's error walk with time, about the slope of ``terrain``; how much differs from field to field.
    """
    t, error, sway = 0.0, np.zeros(3), np.zeros(3)
    keep = math.exp(-STEP_S / 2.0)
    heave, spread = rng.uniform(0.002, 0.008), rng.uniform(0.005, 0.012)
    zero, covariance = np.zeros(3), np.diag([1e-4, 1e-4, 4e-4, 1e-5, 1e-5, 1e-5])
    for sweep in sweeps:
        cos, sin = math.cos(sweep.heading), math.sin(sweep.heading)
        for s, speed in speeds(sweep, float(rng.uniform(*SPEEDS))):
            error = keep * error + math.sqrt(1.0 - keep**2) * rng.normal(size=3)
            sway = keep * sway + math.sqrt(1.0 - keep**2) * rng.normal(size=3)
            x, y = sweep.start[0] + (s - ahead) * cos, sweep.start[1] + (s - ahead) * sin
            height, roll, pitch = (0.0, 0.0, 0.0) if terrain is None else _lie(terrain, x, y, cos, sin)
            position = np.array([x, y, height + heave * sway[2]])
            rpy = np.array([roll + 0.008 * sway[0], pitch + 0.005 * sway[1], sweep.heading])
            velocity = np.array([speed, 0.0, 0.0])
            seen = position + np.array([spread, spread, 0.015]) * error + 0.002 * rng.normal(size=3)
            yield (
                TrueState(t, position, rpy, velocity, zero, zero),
                NavState(t, seen, rpy + np.array([0.0, 0.0, 0.003 * error[2]]), velocity, zero, covariance),
            )
            t += STEP_S
        t += 10.0


def _lie(terrain: Terrain, x: float, y: float, cos: float, sin: float) -> tuple[float, float, float]:
    """Height m, roll and pitch rad of a robot on ``terrain`` with its heading's ``cos`` and ``sin``."""
    height, (east, north), _ = terrain.surface(x, y)
    pitch = -math.atan(east * cos + north * sin)
    return height, math.atan((north * cos - east * sin) * math.cos(pitch)), pitch


def halo(item: BuriedObject) -> float:
    """Radius in m within which a target counts as this object: half its extent and 0.10 m (CWA 14747-1)."""
    return CATALOGUE[item.kind].radius_m + 0.10


def distance(item: BuriedObject, x: float, y: float) -> float:
    """Distance in m of (x, y) from the object's centre."""
    return math.hypot(item.x - x, item.y - y)
