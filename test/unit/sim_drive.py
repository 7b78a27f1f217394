"""A field, a world and an open-loop drive that the tests of simulation and localisation share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xacro
import yaml

from mine_robot.core.field import Field, field_from_geojson
from mine_robot.core.geodesy import Datum
from mine_robot.core.limits import Limits
from mine_robot.core.parameters import build
from mine_robot.core.robot import Robot, robot_from_urdf, rotation_from_rpy
from mine_robot.core.types import Array, NavState, Twist2, wrap_angle
from mine_robot.localization.localizer import Localizer
from mine_robot.localization.params import LocalizationParams
from mine_robot.sim.params import SimulatorParams
from mine_robot.sim.scenario import Scenario, scenario_from_dict
from mine_robot.sim.types import TrueState
from mine_robot.sim.world import SensorBatch, World

ROOT = Path(__file__).resolve().parents[2]
ORIGIN = Datum(40.0, 47.0)


def field(width: float = 12.0, height: float = 10.0, safe_depth: float = 4.0) -> Field:
    """A hazard area with a safe strip along its south side."""

    def rectangle(role: str, south: float, north: float) -> dict[str, Any]:
        ring = ORIGIN.to_wgs84([0.0, width, width, 0.0, 0.0], [south, south, north, north, south])[:, :2].tolist()
        geometry = {"type": "Polygon", "coordinates": [ring]}
        return {"type": "Feature", "properties": {"role": role}, "geometry": geometry}

    features = [rectangle("hazard_area", 0.0, height), rectangle("safe_area", -safe_depth, 0.0)]
    return field_from_geojson({"type": "FeatureCollection", "features": features})


def robot() -> Robot:
    return robot_from_urdf(xacro.process_file(str(ROOT / "urdf/mine_robot.urdf.xacro")).toxml())


def limits() -> Limits:
    shared = yaml.safe_load((ROOT / "config/robot.yaml").read_text())["/**"]["ros__parameters"]["limits"]
    return build(Limits, shared)


FIELD, ROBOT, LIMITS = field(), robot(), limits()


def scenario(seed: int = 1, faults: Sequence[dict[str, Any]] = (), **more: Any) -> Scenario:
    return scenario_from_dict({"seed": seed, "faults": list(faults), **more}, FIELD.datum)


def world(
    seed: int = 1, faults: Sequence[dict[str, Any]] = (), *, overrides: dict[str, Any] | None = None, **more: Any
) -> World:
    return World(scenario(seed, faults, **more), FIELD, ROBOT, build(SimulatorParams, overrides or {}))


def localizer(**overrides: Any) -> Localizer:
    """A localizer whose output falls on the steps of the world, where the truth is known."""
    return Localizer(build(LocalizationParams, {"output_rate": 20.0, **overrides}), LIMITS, ROBOT, FIELD.datum)


def lanes(t: float) -> tuple[float, float]:
    """Stand, then lanes of 7 m with pivots between them, and some reverse driving."""
    if t < 4.0:
        return 0.0, 0.0
    phase = (t - 4.0) % 40.0
    for until, speed, yaw_rate in (
        (14, 0.5, 0),
        (16, 0, 0),
        (18.9, 0, 0.6),
        (21, 0.5, 0),
        (23.9, 0, 0.6),
        (36, 0.5, 0),
        (37, 0, 0),
    ):
        if phase < until:
            return speed, yaw_rate
    return -0.5, 0.0


@dataclass
class Drive:
    """What a drive gave: estimates with the truth of the same instants, and the localizer at the end."""

    states: list[NavState]
    truths: list[TrueState]
    localizer: Localizer

    @property
    def t(self) -> Array:
        return np.array([state.t for state in self.states])

    @property
    def errors(self) -> Array:
        """Errors (n, 6) of x, y, z, roll, pitch, yaw."""
        return np.array(
            [
                np.r_[s.position - q.position, [wrap_angle(float(a - b)) for a, b in zip(s.rpy, q.rpy)]]
                for s, q in zip(self.states, self.truths)
            ]
        )

    @property
    def head_errors(self) -> Array:
        """Horizontal errors (n,) at the sensor head."""
        head = np.array([ROBOT.sweep_ahead, 0.0])
        return np.array(
            [np.linalg.norm(s.pose.to_map(head) - q.pose.to_map(head)) for s, q in zip(self.states, self.truths)]
        )

    @property
    def head_sigmas(self) -> Array:
        return np.array([state.sigma_at(ROBOT.sweep_ahead) for state in self.states])

    def nees(self) -> Array:
        """Normalised estimation error squared (n,) of x, y, yaw, over its three degrees."""
        pick = np.ix_([0, 1, 5], [0, 1, 5])
        errors = self.errors[:, [0, 1, 5]]
        return np.array([e @ np.linalg.solve(s.covariance[pick], e) / 3.0 for e, s in zip(errors, self.states)])


def feed(loc: Localizer, batch: SensorBatch) -> NavState | None:
    """Hand a batch over as it was measured; returns the last estimate."""
    state = None
    for sample in batch.imu:
        state = loc.add_imu(sample) or state
    for fix in batch.fixes:
        loc.add_fix(fix)
    for heading in batch.headings:
        loc.add_heading(heading)
    for wheels in batch.wheels:
        loc.add_wheels(wheels)
    return state


def drive(
    simulated: World,
    until: float,
    *,
    loc: Localizer | None = None,
    motion: Callable[[float], tuple[float, float]] = lanes,
    change: Callable[[SensorBatch], SensorBatch] = lambda batch: batch,
) -> Drive:
    """Drive open loop to time ``until``; ``change`` may spoil what the sensors deliver."""
    result = Drive([], [], loc if loc is not None else localizer())
    while simulated.t < until - 1e-9:
        batch = change(simulated.step(Twist2(simulated.t, *motion(simulated.t))))
        state = feed(result.localizer, batch)
        if state is not None:
            result.states.append(state)
            result.truths.append(simulated.truth())
    return result


def attitude(truth: TrueState) -> Array:
    return rotation_from_rpy(*truth.rpy)
