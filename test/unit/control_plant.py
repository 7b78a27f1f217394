"""A small kinematic robot for the tests of follower and guard: one step of delay, slow tracks, slip."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import xacro

from mine_robot.core.limits import Limits
from mine_robot.core.robot import Robot, robot_from_urdf
from mine_robot.core.types import Goal, MissionState, MissionStatus, NavState, Plan, PlanStep, Pose2, StepKind, Twist2

ROOT = Path(__file__).resolve().parents[2]
STEP = 0.05
TRACK_TIME = 0.15
GAUGE = 0.62


def robot() -> Robot:
    return robot_from_urdf(xacro.process_file(str(ROOT / "urdf" / "mine_robot.urdf.xacro")).toxml())


def limits() -> Limits:
    return Limits(
        search_speed=0.5, drive_speed=0.8, pivot_rate=0.6, acceleration=0.5, deceleration=0.8, reaction_time=0.15,
        tracking_tolerance=0.04, sigma_factor=3.0, position_sigma_max=0.03, evidence_speed_max=0.6,
        head_height_min=0.02, head_height_max=0.15, halo_radius=0.30, mark_p_hazard=0.5, lane_overlap=0.15,
    )  # fmt: skip


class Plant:
    """True pose and track speeds; ``slip`` is the share of each track's speed that is lost (left, right).

    ``drift`` (2,) is how far it slides in ``map`` for each metre it drives.
    """

    def __init__(
        self, pose: Pose2, slip: tuple[float, float] = (0.1, 0.1), drift: tuple[float, float] = (0.0, 0.0)
    ) -> None:
        self.drift = drift
        self.t = 0.0
        self.pose = pose
        self.slip = np.array(slip)
        self.tracks = np.zeros(2)
        self.pending = np.zeros(2)

    @property
    def speed(self) -> float:
        return float(np.mean(self.tracks * (1.0 - self.slip)))

    @property
    def rate(self) -> float:
        left, right = self.tracks * (1.0 - self.slip)
        return float((right - left) / GAUGE)

    def step(self, command: Twist2) -> None:
        turn = command.yaw_rate * GAUGE / 2.0
        wanted, self.pending = self.pending, np.array([command.speed - turn, command.speed + turn])
        for _ in range(5):
            self.tracks += (wanted - self.tracks) * (1.0 - math.exp(-STEP / 5.0 / TRACK_TIME))
            yaw = self.pose.yaw + self.rate * STEP / 10.0
            x = self.pose.x + (self.speed * math.cos(yaw) + abs(self.speed) * self.drift[0]) * STEP / 5.0
            y = self.pose.y + (self.speed * math.sin(yaw) + abs(self.speed) * self.drift[1]) * STEP / 5.0
            self.pose = Pose2(x, y, self.pose.yaw + self.rate * STEP / 5.0)
        self.t += STEP

    def nav(self, sigma: float = 0.01, error: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> NavState:
        return nav_state(
            self.t,
            self.pose.x + error[0],
            self.pose.y + error[1],
            self.pose.yaw + error[2],
            self.speed,
            self.rate,
            sigma,
        )


def nav_state(
    t: float, x: float, y: float, yaw: float, speed: float = 0.0, rate: float = 0.0, sigma: float = 0.01
) -> NavState:
    covariance = np.diag([sigma**2, sigma**2, sigma**2, 1e-5, 1e-5, 0.005**2])
    return NavState(
        t,
        np.array([x, y, 0.0]),
        np.array([0.0, 0.0, yaw]),
        np.array([speed, 0.0, 0.0]),
        np.array([0.0, 0.0, rate]),
        covariance,
    )


def status(t: float, state: MissionState, request_t: float = 1.0, goal: Goal = Goal.SEARCH) -> MissionStatus:
    return MissionStatus(t, state, "test", goal, -1, request_t)


def drive(
    x0: float, y0: float, x1: float, y1: float, *, reverse: bool = False, speed: float = 0.5, sweep: bool = True
) -> PlanStep:
    yaw = math.atan2(y1 - y0, x1 - x0) + (math.pi if reverse else 0.0)
    return PlanStep(StepKind.LANE, Pose2(x0, y0, yaw), Pose2(x1, y1, yaw), reverse, sweep, speed)


def pivot(x: float, y: float, start_deg: float, end_deg: float) -> PlanStep:
    return PlanStep(
        StepKind.TURN, Pose2(x, y, math.radians(start_deg)), Pose2(x, y, math.radians(end_deg)), False, False, 0.6
    )


def plan(*steps: PlanStep, t: float = 1.0) -> Plan:
    return Plan(t, steps)
