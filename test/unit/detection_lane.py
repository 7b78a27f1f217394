"""A head over simulated soil for the tests of soil sensors and detector."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import xacro

from mine_robot.core.limits import Limits
from mine_robot.core.parameters import build
from mine_robot.core.robot import Robot, robot_from_urdf
from mine_robot.core.types import Array, GprScan, MetalScan, NavState, SweepEvidence
from mine_robot.detection.detector import Detector
from mine_robot.detection.params import DetectorParams
from mine_robot.pipeline.hazard import best_judge
from mine_robot.sim.gpr import GprModel
from mine_robot.sim.metal import MetalModel
from mine_robot.sim.soil import soil_from
from mine_robot.sim.soil_sensor_params import SoilSensorParams
from mine_robot.sim.types import BuriedObject, TrueState

ROOT = Path(__file__).resolve().parents[2]
STEP = 0.05
SUSPECT = 0.004  # probability from which a target is marked
DOUBTFUL = 0.05  # below it is what bare ground gives now and then, and what is marked because it costs little


@lru_cache(maxsize=1)
def robot() -> Robot:
    return robot_from_urdf(xacro.process_file(str(ROOT / "urdf" / "mine_robot.urdf.xacro")).toxml())


def limits() -> Limits:
    return Limits(
        search_speed=0.5, drive_speed=0.8, pivot_rate=0.6, acceleration=0.5, deceleration=0.8, reaction_time=0.15,
        tracking_tolerance=0.04, sigma_factor=3.0, position_sigma_max=0.03, evidence_speed_max=0.6,
        head_height_min=0.02, head_height_max=0.15, halo_radius=0.30, mark_p_hazard=SUSPECT, lane_overlap=0.15,
    )  # fmt: skip


def truth(t: float, x: float, y: float = 0.0, yaw: float = 0.0, speed: float = 0.5) -> TrueState:
    zero = np.zeros(3)
    return TrueState(t, np.array([x, y, 0.0]), np.array([0.0, 0.0, yaw]), np.array([speed, 0.0, 0.0]), zero, zero)


def nav_of(state: TrueState) -> NavState:
    covariance = np.diag([1e-4, 1e-4, 4e-4, 1e-5, 1e-5, 1e-5])
    return NavState(state.t, state.position, state.rpy, state.velocity, state.rate, covariance)


class Lane:
    """Drives the head over objects and feeds a detector."""

    def __init__(
        self,
        objects: Sequence[BuriedObject],
        *,
        seed: int = 7,
        soil: str = "loam",
        detector: Detector | None = None,
        machine: Robot | None = None,
    ) -> None:
        self.robot = machine or robot()
        rng, params = np.random.default_rng(seed), build(SoilSensorParams, {})
        self.gpr = GprModel(soil_from(soil), objects, self.robot, params.gpr, rng)
        self.metal = MetalModel(soil_from(soil), objects, self.robot, params.metal, rng)
        self.detector = detector or Detector(build(DetectorParams, {}), limits(), self.robot, best_judge())
        self.t = 0.0
        self.evidence: list[SweepEvidence] = []

    def step(self, x: float, y: float = 0.0, yaw: float = 0.0, speed: float = 0.5) -> None:
        """One step with ``base_link`` at (x, y)."""
        state = truth(self.t, x, y, yaw, speed)
        gpr, metal = self.change_gpr(self.gpr.scan(self.t, state)), self.change_metal(self.metal.scan(self.t, state))
        if gpr is not None:
            self.detector.add_gpr(gpr)
        if metal is not None:
            self.detector.add_metal(metal)
        self.evidence += self.detector.add_nav(nav_of(state))
        self.t += STEP

    def drive(self, start: float, end: float, y: float = 0.0) -> None:
        """Drive the radar's line from x = ``start`` to ``end``, eastwards or westwards."""
        way = math.copysign(1.0, end - start)
        for line in np.arange(start, end, way * 0.025):
            self.step(float(line) - way * self.robot.sweep_ahead, y, 0.0 if way > 0.0 else math.pi)

    def change_gpr(self, scan: GprScan) -> GprScan | None:
        return scan

    def change_metal(self, scan: MetalScan) -> MetalScan | None:
        return scan


def with_arrays(channels: Array, coils: Array) -> Robot:
    """The robot with other arrays."""
    return dataclasses.replace(robot(), gpr_offsets=channels, coil_offsets=coils)
