"""Whole missions cheaply: the real vehicle with slip and slope, models in the place of inertial unit, filter and detection.

They must not be kinder than what they stand for. In a mission with the real localisation (seed 119 of ``coverage_fields.py``) the
estimate was 0.9 and 0.5 cm off east and north (RMS), correlated over 30 to 40 s, 0.095 degrees in heading over 12 s, and 0.6 cm/s in
velocity over 0.3 s; it claimed 0.8 cm and 0.095 degrees. Over 50 drives the head was 1.08 cm off (docs/localization.md). The model is off
by a little more and claims no more than it is off. Finds are declared as late as real ones and some centimetres off; each further look
corrects their place, and what only the end of the array has passed is known badly, so that its mark waits.
"""

from __future__ import annotations

import math

import numpy as np

from mine_robot.core.robot import Robot
from mine_robot.core.types import (
    Health,
    ImuSample,
    Level,
    NavState,
    Pose2,
    SweepEvidence,
    Target,
    TargetClass,
    Twist2,
    wrap_angle,
)
from mine_robot.pipeline.offline import OfflineMission
from mine_robot.pipeline.parameters import SimulatorNodeParams
from mine_robot.sim.objects import CATALOGUE
from mine_robot.sim.scenario import Scenario
from mine_robot.sim.world import STEP_S, TICKS_PER_S, SensorBatch, World

# Standard deviation of each error in m, rad or m/s, and the time in s over which it is correlated.
SLOW, FAST, HEADING, SPEED = (0.009, 40.0), (0.002, 1.0), (math.radians(0.12), 12.0), (0.006, 0.3)
RATE_RAD_S = 0.001  # white
CLAIMED_M, CLAIMED_RAD, CLAIMED_AT_HEAD_M = 0.0085, math.radians(0.11), 0.0095
READY_S = 1.0
HEIGHT_M = 0.06
# Looks at objects:
MOVING_M_S = 0.03
CROSSING_M = 0.05  # from the searched line
NEAR_M = 3.0  # of base_link, within which the line may cross something
DECLARED_M, STILL_S = 0.2, 0.8  # behind the line, or when the robot has stood so long
PLACE_M, PLACE_LEAST_M = 0.02, 0.015  # sigma of a place, of one look and at best
END_M, END_SIGMA_M = 0.10, 0.09  # of the array, where a place is badly known
BEYOND_M = 0.05  # the array, where something is still seen
P_HAZARD, P_CLUTTER = 0.9, 0.05  # what is marked is not all likely to be a hazard


class QuickWorld(World):
    """The vehicle in two moves a step; the localisation hears a sample a step, of nothing."""

    def step(self, command: Twist2 | None) -> SensorBatch:
        """Advance by 50 ms."""
        if command is not None:
            self._tracks.command(command)
        for ticks in (2, 3):
            self._ticks += ticks
            dt = ticks / TICKS_PER_S
            self._motion.step(self.t, dt, self._tracks.step(self.t, dt))
        self._drain()
        sample = ImuSample(self.t, np.zeros(3), np.zeros(3))
        return SensorBatch(self.t, [sample], [], [], [], None, None, self.battery)


class WanderingLocalizer:
    """The true pose with first-order Gauss-Markov errors."""

    def __init__(self, mission: OfflineMission, seed: int) -> None:
        self._simulation = mission.simulation
        self._rng = np.random.default_rng([seed, 1])
        self._sigma, times = np.array([SLOW, SLOW, FAST, FAST, SPEED, SPEED, HEADING]).T
        self._decay = np.exp(-STEP_S / times)
        self._errors = self._sigma * self._rng.standard_normal(len(times))
        self._covariance = np.diag([CLAIMED_M**2] * 3 + [CLAIMED_RAD**2] * 3)

    def add_imu(self, sample: ImuSample) -> NavState | None:
        """The estimate at a step of the world."""
        fresh = np.sqrt(1.0 - self._decay**2) * self._sigma * self._rng.standard_normal(len(self._sigma))
        self._errors = self._decay * self._errors + fresh
        if sample.t < READY_S:
            return None
        truth, (east, north, jitter_east, jitter_north, ahead, aside, yaw) = self._simulation.truth, self._errors
        moves = min(1.0, float(np.hypot(*truth.velocity[:2])) / MOVING_M_S)  # a filter knows when the robot stands
        position = truth.position + np.array([east + jitter_east, north + jitter_north, 0.0])
        rpy = np.array([*truth.rpy[:2], wrap_angle(float(truth.rpy[2]) + yaw)])
        velocity = truth.velocity + moves * np.array([ahead, aside, 0.0])
        rate = truth.rate + np.array([0.0, 0.0, self._rng.normal(0.0, RATE_RAD_S)])
        return NavState(sample.t, position, rpy, velocity, rate, self._covariance)

    def health(self, t: float) -> Health:
        """Well from the first estimate on."""
        return (
            Health("localization", Level.OK, "RTK fixed")
            if t >= READY_S
            else Health("localization", Level.ERROR, "aligning")
        )


class LookingDetector:
    """Declares what the line crosses, as the true pose sees it and the estimated one places it; further looks correct the place."""

    def __init__(self, mission: OfflineMission, robot: Robot, seed: int) -> None:
        self._simulation, self._robot = mission.simulation, robot
        self._rng = np.random.default_rng([seed, 2])
        self._places = np.array([(item.x, item.y) for item in self._simulation.objects]).reshape(-1, 2)
        self._crossed: set[int] = set()
        self._targets: dict[int, Target] = {}  # by object
        self._still_since = 0.0
        self.revision = 0

    def targets(self) -> tuple[Target, ...]:
        """Everything declared, by id."""
        return tuple(self._targets.values())

    def add_nav(self, nav: NavState) -> list[SweepEvidence]:
        """Cross, declare, prove."""
        moving = float(nav.velocity[0]) > MOVING_M_S
        self._still_since = nav.t if moving else self._still_since
        self._look(nav, moving)
        x, y = nav.pose.to_map(np.array([self._robot.sweep_ahead, 0.0]))
        speed = float(np.hypot(*nav.velocity[:2]))
        return [SweepEvidence(nav.t, float(x), float(y), nav.pose.yaw, CLAIMED_AT_HEAD_M, HEIGHT_M, speed, True, True)]

    def _look(self, nav: NavState, moving: bool) -> None:
        still = nav.t - self._still_since > STILL_S
        seen = self._simulation.truth.pose.to_body(self._places)
        behind = self._robot.sweep_ahead - seen[:, 0]
        crossing = (np.abs(behind) < CROSSING_M) & (np.abs(seen[:, 1]) <= self._robot.sweep_width / 2.0 + BEYOND_M)
        if moving:
            self._crossed |= set(np.flatnonzero(crossing).tolist())
        for index in sorted(self._crossed):
            if still or not -CROSSING_M <= behind[index] < DECLARED_M:  # beyond it, or the pass has ended
                self._crossed.remove(index)
                self._declare(index, nav.pose, seen[index])

    def _declare(self, index: int, pose: Pose2, seen: np.ndarray) -> None:
        """Place an object, or correct its place: looks are weighed by their variances."""
        at_end = abs(float(seen[1])) > self._robot.sweep_width / 2.0 - END_M
        sigma, error = (END_SIGMA_M, (PLACE_M, END_SIGMA_M / 2.0)) if at_end else (PLACE_M, (PLACE_M, PLACE_M))
        place = pose.to_map(seen + self._rng.normal(0.0, error))
        number, old = len(self._targets) + 1, self._targets.get(index)
        if old is not None:
            number, weight = old.id, old.sigma_x**2 / (old.sigma_x**2 + sigma**2)
            place = (1.0 - weight) * np.array([old.x, old.y]) + weight * place
            sigma = max(sigma * math.sqrt(weight), PLACE_LEAST_M)
        p_hazard = P_HAZARD if CATALOGUE[self._simulation.objects[index].kind].hazard else P_CLUTTER
        x, y = float(place[0]), float(place[1])
        self._targets[index] = Target(number, x, y, 0.0, sigma, sigma, 0.1, 3.0, 2.0, p_hazard, TargetClass.UNKNOWN)
        self.revision += 1

    def health(self, t: float) -> tuple[Health, ...]:
        """Both sensors are well."""
        return (Health("gpr", Level.OK, "ok"), Health("metal_detector", Level.OK, "ok"))


def install(mission: OfflineMission, robot: Robot, params: SimulatorNodeParams, scenario: Scenario) -> None:
    """Put the models in the place of sensors, navigation and detection of a mission that has not begun."""
    seed = scenario.seed
    mission.simulation.world = QuickWorld(scenario, mission.coverage.field, robot, params)
    mission.localizer = WanderingLocalizer(mission, seed)  # type: ignore[assignment]
    mission.detector = LookingDetector(mission, robot, seed)  # type: ignore[assignment]
