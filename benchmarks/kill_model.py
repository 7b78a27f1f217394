"""A stand-in for navigation and detection, for campaigns about memory: cheap, and with the delays of the real ones.

What it must not soften is when a target is declared: only once the searched line is :data:`DECLARED_M` beyond the object, and what the line
has crossed but not declared is forgotten by a kill, as the radar's strip is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from mine_robot.core.robot import Robot
from mine_robot.core.types import Health, ImuSample, Level, NavState, SweepEvidence, Target, TargetClass
from mine_robot.pipeline.offline import OfflineMission
from mine_robot.sim.types import BuriedObject

DECLARED_M = 0.2
SAME_M = 0.3
NEAR_M = 3.0  # of base_link, within which the head may cross an object
STILL_S = 0.8
RATE_DIVIDER = 5  # of the IMU's 100 Hz


class ModelLocalizer:
    """The true pose with a few millimetres of noise, at 20 Hz."""

    def __init__(self, mission: OfflineMission, seed: int) -> None:
        self._mission, self._rng, self._count = mission, np.random.default_rng(seed), 0
        self._began: float | None = None

    def add_wheels(self, _: object) -> None:
        """Not used."""

    add_fix = add_heading = add_wheels

    def add_imu(self, sample: ImuSample) -> NavState | None:
        """The pose at every fifth sample."""
        self._count += 1
        self._began = sample.t if self._began is None else self._began
        if self._count % RATE_DIVIDER or sample.t - self._began < 1.0:
            return None
        truth = self._mission.simulation.truth
        noise = np.array([*self._rng.normal(0.0, 0.003, 2), 0.0])
        covariance = np.diag([1e-5, 1e-5, 1e-5, 1e-6, 1e-6, 1e-6])
        return NavState(sample.t, truth.position + noise, truth.rpy, truth.velocity, truth.rate, covariance)

    def health(self, t: float) -> Health:
        """Well after a second, as after an alignment."""
        ready = self._began is not None and t - self._began >= 1.0
        return Health("localization", Level.OK if ready else Level.ERROR, "RTK fixed" if ready else "aligning")


class ModelDetector:
    """Knows the objects, and declares one when a pass has gone far enough beyond it."""

    def __init__(self, robot: Robot, objects: Sequence[BuriedObject], seed: int) -> None:
        rng = np.random.default_rng(seed)
        self._robot = robot
        self._objects = [(item.x + rng.normal(0.0, 0.02), item.y + rng.normal(0.0, 0.02)) for item in objects]
        self._places = np.array(self._objects).reshape(-1, 2)
        self._crossed: dict[int, float] = {}  # object: distance ahead when the line crossed it
        self._targets: list[Target] = []
        self._still_since = 0.0
        self.revision = 0

    def restore(self, targets: Iterable[Target]) -> None:
        """Go on from the targets of a killed run."""
        self._targets = sorted(targets, key=lambda target: target.id)
        self.revision += 1

    def targets(self) -> tuple[Target, ...]:
        """Everything declared."""
        return tuple(self._targets)

    def add_gpr(self, _: object) -> None:
        """Not used."""

    add_metal = add_gpr

    def add_nav(self, nav: NavState) -> list[SweepEvidence]:
        """Cross, declare, prove."""
        pose, moving = nav.pose, float(nav.velocity[0]) > 0.03
        self._still_since = nav.t if moving else self._still_since
        still = nav.t - self._still_since > STILL_S
        distance = np.hypot(self._places[:, 0] - pose.x, self._places[:, 1] - pose.y)
        for index in sorted({*np.flatnonzero(distance < NEAR_M).tolist(), *self._crossed}):
            place = self._objects[index]
            ahead, aside = pose.to_body(np.array(place))
            behind = self._robot.sweep_ahead - float(ahead)
            within = abs(float(aside)) <= self._robot.sweep_width / 2.0
            if moving and within and abs(behind) < 0.05:
                self._crossed[index] = behind
            elif index in self._crossed and (behind >= DECLARED_M or behind < -0.05 or not within or still):
                del self._crossed[index]  # beyond it, or the pass has ended
                self._declare(*place)
        x, y = pose.to_map(np.array([self._robot.sweep_ahead, 0.0]))
        speed = math.hypot(float(nav.velocity[0]), float(nav.velocity[1]))
        return [SweepEvidence(nav.t, float(x), float(y), pose.yaw, 0.01, 0.06, speed, True, True)]

    def _declare(self, x: float, y: float) -> None:
        if any(math.hypot(target.x - x, target.y - y) < SAME_M for target in self._targets):
            return
        number = len(self._targets) + 1
        self._targets.append(Target(number, x, y, 0.0, 0.02, 0.02, 0.1, 3.0, 2.0, 0.9, TargetClass.UNKNOWN))
        self.revision += 1

    def health(self, t: float) -> tuple[Health, ...]:
        """Both sensors are well."""
        return (Health("gpr", Level.OK, "ok"), Health("metal_detector", Level.OK, "ok"))


def install(mission: OfflineMission, robot: Robot, seed: int, targets: Iterable[Target]) -> None:
    """Put the models in the place of navigation and detection; the soil sensors fall silent."""
    mission.simulation.world._gpr = mission.simulation.world._metal = None
    mission.localizer = ModelLocalizer(mission, seed)  # type: ignore[assignment]
    detector = ModelDetector(robot, mission.simulation.objects, seed)
    if known := tuple(targets):
        detector.restore(known)
    mission.detector = detector  # type: ignore[assignment]
