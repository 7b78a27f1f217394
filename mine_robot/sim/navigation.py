"""Simulated navigation sensors: inertial unit, GNSS receiver with two antennas, track encoders.

Every model draws the same number of random numbers a sample whatever happens, so that a fault in one run leaves the noise of all
others as it was.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mine_robot.core.geodesy import Datum, normal_gravity
from mine_robot.core.robot import Robot, rotation_from_rpy
from mine_robot.core.types import Array, FixStatus, GnssFix, HeadingFix, ImuSample, WheelSample, wrap_angle
from mine_robot.sim.params import GnssParams, ImuParams, WheelParams
from mine_robot.sim.types import TrueState


class ImuModel:
    """Strapdown inertial unit: mean rate and specific force over the sample interval, with bias walk and white noise.

    The earth's rotation (7e-5 rad/s) is left out; it is far below the turn-on bias of such a unit.
    """

    def __init__(self, params: ImuParams, robot: Robot, datum: Datum, rng: np.random.Generator) -> None:
        self._params, self._robot, self._rng = params, robot, rng
        self._gravity = np.array([0.0, 0.0, normal_gravity(datum.latitude, datum.height)])
        self._gyro_bias = params.gyro_bias * rng.standard_normal(3)
        self._accel_bias = params.accel_bias * rng.standard_normal(3)
        self._last: tuple[float, Array, Array] | None = None  # time, attitude, velocity of the unit in map

    def sample(self, truth: TrueState) -> ImuSample:
        """Measure the motion since the last call; the first call takes rate and acceleration as they are."""
        attitude = rotation_from_rpy(*truth.rpy)
        velocity = attitude @ (truth.velocity + _cross(truth.rate, self._robot.imu))
        if self._last is None:
            dt, rate, force = 0.01, truth.rate, truth.acceleration + attitude.T @ self._gravity
        else:
            t, before, velocity_before = self._last
            dt = truth.t - t
            turn = before.T @ attitude
            rate = 0.5 * np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]])
            sine = math.sqrt(float(rate @ rate))
            rate = rate * ((math.asin(sine) / sine if sine > 1e-9 else 1.0) / dt)
            middle = 0.5 * (before + attitude)
            force = ((velocity - velocity_before) / dt + self._gravity) @ middle
        self._last = (truth.t, attitude, velocity)
        return self._noisy(truth, dt, rate, force)

    def _noisy(self, truth: TrueState, dt: float, rate: Array, force: Array) -> ImuSample:
        params = self._params
        noise = self._rng.standard_normal((4, 3))
        self._gyro_bias = self._gyro_bias + params.gyro_bias_walk * math.sqrt(dt) * noise[0]
        self._accel_bias = self._accel_bias + params.accel_bias_walk * math.sqrt(dt) * noise[1]
        force_sigma = math.hypot(params.accel_noise / math.sqrt(dt), params.vibration * float(truth.velocity[0]))
        rate = rate + self._gyro_bias + params.gyro_noise / math.sqrt(dt) * noise[2]
        force = force + self._accel_bias + force_sigma * noise[3]
        return ImuSample(truth.t, rate @ self._robot.imu_rotation, force @ self._robot.imu_rotation)

    def export(self) -> dict[str, Any]:
        """State as plain numbers."""
        return {"gyro_bias": self._gyro_bias.tolist(), "accel_bias": self._accel_bias.tolist()}

    def restore(self, data: dict[str, Any]) -> None:
        """Take up the state of :meth:`export`."""
        self._gyro_bias, self._accel_bias = np.array(data["gyro_bias"]), np.array(data["accel_bias"])
        self._last = None


class GnssModel:
    """GNSS receiver: the true antenna plus a first-order Gauss-Markov error and white noise, both scaled by the status.

    The reported covariance is the true one of the sum. Without a fix the coordinates are NaN, as receivers send them.
    """

    def __init__(self, params: GnssParams, robot: Robot, datum: Datum, rng: np.random.Generator) -> None:
        self._params, self._robot, self._datum, self._rng = params, robot, datum, rng
        self._correlated = rng.standard_normal(3)  # of unit variance
        self._scale = np.array([1.0, 1.0, params.vertical_ratio])
        self._sigma = {
            FixStatus.NONE: math.nan,
            FixStatus.SINGLE: params.single_sigma,
            FixStatus.FLOAT: params.float_sigma,
            FixStatus.FIXED: params.fixed_sigma,
        }

    def sample(self, truth: TrueState, status: FixStatus, offset: tuple[float, float] = (0.0, 0.0)) -> GnssFix:
        """A fix of quality ``status``; ``offset`` (east, north) in m displaces it as a false ambiguity fix does."""
        params = self._params
        decay = math.exp(-params.period / params.correlation_time)
        noise = self._rng.standard_normal((2, 3))
        self._correlated = decay * self._correlated + math.sqrt(1.0 - decay * decay) * noise[0]
        sigma = self._sigma[status] * self._scale
        antenna = truth.position + rotation_from_rpy(*truth.rpy) @ self._robot.gnss
        east, north, up = antenna + sigma * (self._correlated + params.white_ratio * noise[1])
        covariance = np.diag(sigma**2 * (1.0 + params.white_ratio**2))
        if status == FixStatus.NONE:
            return GnssFix(truth.t, math.nan, math.nan, math.nan, covariance, status)
        lon, lat, height = self._datum.to_wgs84(east + offset[0], north + offset[1], up)
        return GnssFix(truth.t, float(lat), float(lon), float(height), covariance, status)

    def export(self) -> dict[str, Any]:
        """State as plain numbers."""
        return {"correlated": self._correlated.tolist()}

    def restore(self, data: dict[str, Any]) -> None:
        """Take up the state of :meth:`export`."""
        self._correlated = np.array(data["correlated"])


class HeadingModel:
    """Dual-antenna heading: true yaw, a Gauss-Markov error and white noise."""

    def __init__(self, params: GnssParams, rng: np.random.Generator) -> None:
        self._params, self._rng = params, rng
        self._drift = float(rng.standard_normal())

    def sample(self, truth: TrueState) -> HeadingFix:
        """The yaw of ``base_link`` at this instant."""
        params = self._params
        decay = math.exp(-params.period / params.correlation_time)
        noise = self._rng.standard_normal(2)
        self._drift = decay * self._drift + math.sqrt(1.0 - decay * decay) * float(noise[0])
        error = params.heading_drift * self._drift + params.heading_sigma * float(noise[1])
        sigma = math.hypot(params.heading_drift, params.heading_sigma)
        return HeadingFix(truth.t, wrap_angle(float(truth.rpy[2]) + error), sigma)

    def export(self) -> dict[str, Any]:
        """State as plain numbers."""
        return {"drift": self._drift}

    def restore(self, data: dict[str, Any]) -> None:
        """Take up the state of :meth:`export`."""
        self._drift = float(data["drift"])


class WheelModel:
    """Track encoders: speed and yaw rate of the tracks, blind to slip, with a scale error a side and noise."""

    def __init__(self, params: WheelParams, gauge: float, rng: np.random.Generator) -> None:
        self._params, self._gauge, self._rng = params, gauge, rng
        self._scale = 1.0 + params.scale_sigma * rng.standard_normal(2)

    def sample(self, t: float, track_speed: float, track_yaw_rate: float) -> WheelSample:
        """Encode the motion of the tracks; encoders at rest read exactly zero."""
        noise = self._params.noise * self._rng.standard_normal(2)
        tracks = track_speed + np.array([-0.5, 0.5]) * self._gauge * track_yaw_rate
        left, right = np.where(tracks == 0.0, 0.0, tracks * self._scale + noise)
        return WheelSample(t, float(0.5 * (left + right)), float((right - left) / self._gauge))


def _cross(a: Array, b: Array) -> Array:
    """Vector product of two vectors (3,); ``np.cross`` takes ten times as long over its general shapes."""
    (ax, ay, az), (bx, by, bz) = a.tolist(), b.tolist()
    return np.array([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx])
