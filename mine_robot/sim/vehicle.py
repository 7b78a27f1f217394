"""A skid-steer vehicle on uneven ground, for the simulation, and what any other one has to offer."""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np

from mine_robot.core.robot import rotation_from_rpy
from mine_robot.core.types import Array, Pose2, Twist2, wrap_angle
from mine_robot.sim.params import VehicleParams
from mine_robot.sim.terrain import Terrain
from mine_robot.sim.types import TrueState

SLIP_LAG_S = 0.2  # the ground takes up a change of grip within about this time
STILL_SPEED = 1e-3  # m/s below which a track told to stop is held by its brake


class Motion(Protocol):
    """How a simulated robot moves over its ground when its tracks turn: the built-in :class:`Vehicle`, or Gazebo."""

    @property
    def state(self) -> TrueState:
        """The true motion now."""

    def shift(self, east: float, north: float) -> None:
        """Be moved by somebody, m."""

    def step(self, t: float, dt: float, tracks: tuple[float, float], lost_grip: float = 0.0) -> TrueState:
        """Advance by ``dt`` s to time ``t``.

        ``tracks`` is the speed in m/s and yaw rate in rad/s that the tracks would give without slip; ``lost_grip`` (0 to 1) is the share of
        the track speed lost to a fault.
        """

    def export(self) -> dict[str, Any]:
        """State as plain numbers."""

    def restore(self, data: dict[str, Any]) -> None:
        """Take up the state of :meth:`export`, standing still."""


class Tracks:
    """The base's own electronics: each track follows its command with a first-order lag and limited acceleration.

    ``gauge`` is the distance of the tracks' centre lines in m.
    """

    def __init__(self, params: VehicleParams, gauge: float) -> None:
        self._params, self.gauge = params, gauge
        self.left = self.right = 0.0  # m/s
        self._command: Twist2 | None = None

    @property
    def twist(self) -> tuple[float, float]:
        """Speed in m/s and yaw rate in rad/s of the tracks."""
        return 0.5 * (self.left + self.right), (self.right - self.left) / self.gauge

    def command(self, twist: Twist2) -> None:
        """Take a new command; one that is not finite is ignored, so that the base stops by its timeout."""
        if math.isfinite(twist.speed) and math.isfinite(twist.yaw_rate):
            self._command = twist

    def step(self, t: float, dt: float) -> tuple[float, float]:
        """The :attr:`twist` after ``dt`` s, at time ``t``."""
        speed, yaw_rate = self._target(t)
        half = 0.5 * yaw_rate * self.gauge
        self.left = self._follow(self.left, speed - half, dt)
        self.right = self._follow(self.right, speed + half, dt)
        return self.twist

    def halt(self) -> None:
        """Stand still, without a command."""
        self.left = self.right = 0.0
        self._command = None

    def _target(self, t: float) -> tuple[float, float]:
        command = self._command
        if command is None or t - command.t > self._params.command_timeout:
            return 0.0, 0.0
        return command.speed, command.yaw_rate

    def _follow(self, speed: float, target: float, dt: float) -> float:
        """Track speed after ``dt``."""
        limit, top = self._params.acceleration_max, self._params.track_speed_max
        target = min(max(target, -top), top)
        speed += min(max((target - speed) / self._params.time_constant, -limit), limit) * dt
        return 0.0 if target == 0.0 and abs(speed) < STILL_SPEED else speed


class Vehicle:
    """Skid-steer vehicle without forces: what slip leaves of the motion of its :class:`Tracks`.

    ``slip`` is the longitudinal slip on the flat. The base commands the tracks as for a differential drive; slip then takes a share of
    the yaw rate and of the speed, and the centre of rotation wanders along x, which makes the base skid sideways in turns (Mandow et
    al. 2007, "Experimental kinematics for wheeled skid-steer mobile robots"). Across a slope it drives at a slip angle: downhill of where
    it points. The pose lies on the terrain: z is its height, roll and pitch its slope.
    """

    def __init__(
        self,
        params: VehicleParams,
        terrain: Terrain,
        slip: float,
        pose: Pose2,
        rng: np.random.Generator,
    ) -> None:
        self._params, self._terrain, self._base_slip, self._rng = params, terrain, slip, rng
        self._x, self._y, self._yaw = pose.x, pose.y, pose.yaw
        self._wander = [float(value) for value in rng.standard_normal(3)]  # slip, turn slip, skid; unit variance
        self._slip = slip
        self._velocity: Array = np.zeros(3)
        self.state = self._true_state(0.0, 0.0, 0.0, 0.0, 0.0)

    def shift(self, east: float, north: float) -> None:
        """Be moved by somebody, m."""
        self._x, self._y = self._x + east, self._y + north

    def step(self, t: float, dt: float, tracks: tuple[float, float], lost_grip: float = 0.0) -> TrueState:
        """Advance by ``dt`` s to time ``t`` (see :class:`Motion`)."""
        track_speed, track_rate = tracks
        self._advance_wander(dt)
        params = self._params
        grip = 1.0 - min(max(lost_grip, 0.0), 1.0)
        yaw_rate = track_rate * (1.0 - params.slip_turn * (1.0 + 0.2 * self._wander[1])) * grip
        slope = -math.tan(float(self.state.rpy[1])) * math.copysign(1.0, track_speed)
        slip = self._base_slip + params.slip_drive * abs(yaw_rate) + params.slip_slope * slope
        slip = 1.0 - grip * (1.0 - min(max(slip + params.slip_sigma * self._wander[0], -0.2), 1.0))
        self._slip += (slip - self._slip) * dt / SLIP_LAG_S
        forward = track_speed * (1.0 - self._slip)
        lateral = -params.skid_sigma * self._wander[2] * yaw_rate
        # Downhill is where the roll leans.
        lateral -= params.slip_side * math.tan(float(self.state.rpy[0])) * abs(forward)
        self.state = self._true_state(t, dt, forward, lateral, yaw_rate)
        return self.state

    def export(self) -> dict[str, Any]:
        """State as plain numbers."""
        return {
            "pose": [self._x, self._y, self._yaw], "wander": list(self._wander),
            "slip": self._slip, "velocity": self._velocity.tolist(), "t": self.state.t,
        }  # fmt: skip

    def restore(self, data: dict[str, Any]) -> None:
        """Take up the state of :meth:`export`, standing still."""
        self._x, self._y, self._yaw = data["pose"]
        self._wander, self._slip = list(data["wander"]), data["slip"]
        self._velocity = np.zeros(3)
        self.state = self._true_state(data["t"], 0.0, 0.0, 0.0, 0.0)

    def _advance_wander(self, dt: float) -> None:
        """Ornstein-Uhlenbeck processes of unit variance; the draws do not depend on the motion, so that runs compare."""
        decay = math.exp(-dt / self._params.slip_time)
        spread = math.sqrt(1.0 - decay * decay)
        noise = self._rng.standard_normal(3)
        self._wander = [decay * old + spread * float(new) for old, new in zip(self._wander, noise)]

    def _true_state(self, t: float, dt: float, forward: float, lateral: float, yaw_rate: float) -> TrueState:
        """Move on the ground for ``dt`` and describe the motion there; tilt follows from the slope at the new place."""
        heading = self._yaw + 0.5 * yaw_rate * dt
        pitch_before = float(self.state.rpy[1]) if dt > 0.0 else 0.0
        ground = forward * math.cos(pitch_before)
        self._x += (ground * math.cos(heading) - lateral * math.sin(heading)) * dt
        self._y += (ground * math.sin(heading) + lateral * math.cos(heading)) * dt
        self._yaw = wrap_angle(self._yaw + yaw_rate * dt)

        height, (hx, hy), (hxx, hxy, hyy) = self._terrain.surface(self._x, self._y)
        cos, sin = math.cos(self._yaw), math.sin(self._yaw)
        rise, bank = hx * cos + hy * sin, -hx * sin + hy * cos  # slope forward and to the left
        pitch = -math.atan(rise)
        cos_pitch = math.cos(pitch)
        roll = math.atan(bank * cos_pitch)
        vx = forward * cos_pitch * cos - lateral * sin
        vy = forward * cos_pitch * sin + lateral * cos
        velocity = np.array([vx, vy, hx * vx + hy * vy])

        hx_dot, hy_dot = hxx * vx + hxy * vy, hxy * vx + hyy * vy
        rise_dot = hx_dot * cos + hy_dot * sin + bank * yaw_rate
        bank_dot = -hx_dot * sin + hy_dot * cos - rise * yaw_rate
        pitch_dot = -rise_dot * cos_pitch**2
        tan_roll = bank * cos_pitch
        roll_dot = (bank_dot * cos_pitch - bank * math.sin(pitch) * pitch_dot) / (1.0 + tan_roll * tan_roll)
        sin_roll, cos_roll, sin_pitch = math.sin(roll), math.cos(roll), math.sin(pitch)
        rate = np.array(
            [
                roll_dot - sin_pitch * yaw_rate,
                cos_roll * pitch_dot + sin_roll * cos_pitch * yaw_rate,
                -sin_roll * pitch_dot + cos_roll * cos_pitch * yaw_rate,
            ]
        )
        acceleration = (velocity - self._velocity) / dt if dt > 0.0 else np.zeros(3)
        self._velocity = velocity
        to_map = rotation_from_rpy(roll, pitch, self._yaw)
        return TrueState(
            t=t,
            position=np.array([self._x, self._y, height]),
            rpy=np.array([roll, pitch, self._yaw]),
            velocity=velocity @ to_map,
            rate=rate,
            acceleration=acceleration @ to_map,
        )
