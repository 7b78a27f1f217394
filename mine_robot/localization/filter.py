"""Error-state Kalman filter for inertial navigation, aided by whatever :mod:`mine_robot.localization.models` describes.

Conventions of J. Solà, "Quaternion kinematics for the error-state Kalman filter" (2017, arXiv:1711.02508): attitude
errors are local, ``R_true = R Exp(dtheta)``. The nominal attitude is kept as rotation matrix. To the fifteen error states
of the inertial unit come five first-order Gauss-Markov errors of the aiding sensors, because RTK errors, slip and
antenna heading are correlated over many samples: taken as white noise, they would make the covariance far too small
(state augmentation for coloured noise; Bar-Shalom, Li & Kirubarajan 2001, section 8.2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mine_robot.core.robot import rotation_from_rpy
from mine_robot.core.types import Array
from mine_robot.localization.params import ImuNoise

POSITION, VELOCITY, ATTITUDE = slice(0, 3), slice(3, 6), slice(6, 9)
GYRO_BIAS, ACCEL_BIAS = slice(9, 12), slice(12, 15)
GNSS_ERROR, SLIP, HEADING_ERROR = slice(15, 18), slice(18, 19), slice(19, 20)
COLOURED = slice(15, 20)
STATES = 20


@dataclass(frozen=True)
class Measurement:
    """A linearised measurement: ``residual`` (m,), Jacobian ``h`` (m, STATES) of the error state and ``noise`` (m, m)."""

    residual: Array
    h: Array
    noise: Array


@dataclass(frozen=True)
class Innovation:
    """A measurement against the filter's prediction: gain and normalised innovation squared (chi-square, ``m`` degrees)."""

    measurement: Measurement
    gain: Array
    nis: float

    @property
    def degrees(self) -> int:
        """Dimension of the measurement."""
        return len(self.measurement.residual)


class ErrorStateFilter:
    """Nominal state of the inertial unit, with axes along ``base_link``, and the covariance of its error.

    ``position``, ``velocity`` (3,) in ``map``; ``attitude`` (3, 3) from ``base_link`` to ``map``; ``gyro_bias``, ``accel_bias`` (3,);
    ``coloured`` (5,): GNSS error east, north, up in m, slip, heading error in rad. The nominal state advances with every sample; the
    covariance follows when it is needed, over all samples since, which is exact to first order and much cheaper.
    """

    def __init__(self, noise: ImuNoise, gravity: float) -> None:
        self._noise = noise
        self._gravity = np.array([0.0, 0.0, -gravity])
        self.position: Array = np.zeros(3)
        self.velocity: Array = np.zeros(3)
        self.attitude: Array = np.eye(3)
        self.gyro_bias: Array = np.zeros(3)
        self.accel_bias: Array = np.zeros(3)
        self.coloured: Array = np.zeros(5)
        self.rate: Array = np.zeros(3)  # of the last sample, bias removed
        self._coloured_variance = np.zeros(5)
        self._coloured_time = np.full(5, math.inf)
        self._p: Array = np.zeros((STATES, STATES))
        self._phi = np.eye(STATES)
        self._interval = 0.0
        self._pushed: Array = np.zeros(3)  # integral of the specific force in map over the interval
        self._attitude_before = self.attitude

    def start(self, attitude: Array, gyro_bias: Array, sigmas: Array) -> None:
        """Begin at the origin at rest with ``attitude`` (3, 3), ``gyro_bias`` (3,) and independent ``sigmas`` (15,)."""
        self.position, self.velocity = np.zeros(3), np.zeros(3)
        self.attitude, self.gyro_bias, self.accel_bias = attitude, gyro_bias, np.zeros(3)
        self.coloured[:] = 0.0
        self._p[:] = 0.0
        self._p[range(15), range(15)] = np.asarray(sigmas) ** 2
        self._p[range(15, 20), range(15, 20)] = self._coloured_variance
        self._restart_interval()

    def set_coloured(self, states: slice, variance: Array | float, time: float, *, renew: bool) -> None:
        """Describe coloured errors ``states`` (of :data:`COLOURED`): stationary ``variance`` and correlation ``time`` in s.

        ``renew`` says that the error is a new one, independent of what was estimated so far.
        """
        own = slice(states.start - COLOURED.start, states.stop - COLOURED.start)
        if renew:
            self._propagate()
            self._p[states, :] = 0.0
            self._p[:, states] = 0.0
            index = range(states.start, states.stop)
            self._p[index, index] = variance
            self.coloured[own] = 0.0
        self._coloured_variance[own] = variance
        self._coloured_time[own] = time

    def predict(self, rate: Array, force: Array, dt: float) -> None:
        """Advance by a sample of ``rate`` (3,) rad/s and specific ``force`` (3,) m/s² along the axes of ``base_link``."""
        self.rate = rate - self.gyro_bias
        middle = self.attitude @ _small_rotation(self.rate * (0.5 * dt))
        push = middle @ (force - self.accel_bias)
        change = (push + self._gravity) * dt
        self.position = self.position + (self.velocity + 0.5 * change) * dt
        self.velocity = self.velocity + change
        self.attitude = middle @ _small_rotation(self.rate * (0.5 * dt))
        self._interval += dt
        self._pushed = self._pushed + push * dt

    def inflate(self, variance: Array) -> None:
        """Add ``variance`` (STATES,) to the diagonal of the covariance."""
        self._propagate()
        self._p[range(STATES), range(STATES)] += variance

    def inflate_yaw(self, variance: float) -> None:
        """Add ``variance`` rad² to the rotation about the vertical."""
        self._propagate()
        vertical = self.attitude[2]
        self._p[ATTITUDE, ATTITUDE] += variance * np.outer(vertical, vertical)

    @property
    def gravity_up(self) -> Array:
        """Specific force (3,) in ``map`` at rest."""
        return -self._gravity

    @property
    def covariance(self) -> Array:
        """Covariance (STATES, STATES) of the error now."""
        self._propagate()
        return self._p

    def compare(self, measurement: Measurement) -> Innovation:
        """Weigh a measurement without using it."""
        self._propagate()
        cross = self._p @ measurement.h.T
        s = measurement.h @ cross + measurement.noise
        inverse = np.linalg.inv(s)
        nis = float(measurement.residual @ inverse @ measurement.residual)
        return Innovation(measurement, cross @ inverse, nis)

    def apply(self, innovation: Innovation) -> None:
        """Correct the state with an innovation of :meth:`compare`; Joseph's form keeps the covariance positive."""
        gain, measurement = innovation.gain, innovation.measurement
        kept = np.eye(STATES) - gain @ measurement.h
        p = kept @ self._p @ kept.T + gain @ measurement.noise @ gain.T
        self._p = 0.5 * (p + p.T)
        error = gain @ measurement.residual
        self.position = self.position + error[POSITION]
        self.velocity = self.velocity + error[VELOCITY]
        self.attitude = self.attitude @ _exact_rotation(error[ATTITUDE])
        self.gyro_bias = self.gyro_bias + error[GYRO_BIAS]
        self.accel_bias = self.accel_bias + error[ACCEL_BIAS]
        self.coloured = self.coloured + error[COLOURED]
        self._attitude_before = self.attitude

    def _propagate(self) -> None:
        """Advance the covariance over the samples since the last time (Solà, section 5.4, integrated over the interval)."""
        dt = self._interval
        if dt <= 0.0:
            return
        attitude = self.attitude = _orthonormal(self.attitude)
        lever = -skew(self._pushed) @ self._attitude_before
        phi = self._phi
        phi[POSITION, VELOCITY] = np.eye(3) * dt
        phi[POSITION, ATTITUDE] = lever * (0.5 * dt)
        phi[POSITION, ACCEL_BIAS] = attitude * (-0.5 * dt * dt)
        phi[VELOCITY, ATTITUDE] = lever
        phi[VELOCITY, ACCEL_BIAS] = attitude * -dt
        phi[ATTITUDE, ATTITUDE] = attitude.T @ self._attitude_before
        phi[ATTITUDE, GYRO_BIAS] = np.eye(3) * -dt
        decay = np.exp(-dt / self._coloured_time)
        phi[range(15, 20), range(15, 20)] = decay
        self.coloured = self.coloured * decay
        p = phi @ self._p @ phi.T
        noise = self._noise
        added = np.zeros(STATES)
        added[VELOCITY] = noise.accel_noise**2 * dt
        added[ATTITUDE] = noise.gyro_noise**2 * dt
        added[GYRO_BIAS] = noise.gyro_bias_walk**2 * dt
        added[ACCEL_BIAS] = noise.accel_bias_walk**2 * dt
        added[COLOURED] = self._coloured_variance * (1.0 - decay * decay)
        p[range(STATES), range(STATES)] += added
        self._p = 0.5 * (p + p.T)
        self._restart_interval()

    def _restart_interval(self) -> None:
        self._interval = 0.0
        self._pushed = np.zeros(3)
        self._attitude_before = self.attitude


def skew(v: Array) -> Array:
    """Matrix (3, 3) of the cross product with ``v``."""
    x, y, z = v
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])


def _small_rotation(turn: Array) -> Array:
    """Exp of a rotation vector of a few hundredths of a radian, to third order."""
    x, y, z = turn.tolist()
    square = x * x + y * y + z * z
    a, b = 1.0 - square / 6.0, 0.5 - square / 24.0
    bx, by, bz = b * x, b * y, b * z
    return np.array(
        [
            [1.0 - by * y - bz * z, bx * y - a * z, bx * z + a * y],
            [bx * y + a * z, 1.0 - bx * x - bz * z, by * z - a * x],
            [bx * z - a * y, by * z + a * x, 1.0 - bx * x - by * y],
        ]
    )


def _exact_rotation(turn: Array) -> Array:
    """Exp of any rotation vector (Rodrigues)."""
    angle = math.sqrt(float(turn @ turn))
    if angle < 0.05:
        return _small_rotation(turn)
    axis = skew(turn / angle)
    return np.asarray(np.eye(3) + math.sin(angle) * axis + (1.0 - math.cos(angle)) * (axis @ axis))


def _orthonormal(rotation: Array) -> Array:
    """Remove the rounding of many products (one Newton step towards the nearest rotation)."""
    return np.asarray(0.5 * rotation @ (3.0 * np.eye(3) - rotation.T @ rotation))


def attitude_from_level(force: Array, yaw: float) -> Array:
    """Attitude (3, 3) of a body at rest that feels the specific ``force`` (3,) and heads towards ``yaw``."""
    roll = math.atan2(force[1], force[2])
    pitch = math.atan2(-force[0], math.hypot(force[1], force[2]))
    return rotation_from_rpy(roll, pitch, yaw)


def rpy_from_attitude(attitude: Array) -> tuple[float, float, float]:
    """Roll, pitch and yaw in rad (REP-103)."""
    return (
        math.atan2(attitude[2, 1], attitude[2, 2]),
        math.asin(min(max(-attitude[2, 0], -1.0), 1.0)),
        math.atan2(attitude[1, 0], attitude[0, 0]),
    )


def rpy_jacobian(roll: float, pitch: float) -> Array:
    """Change (3, 3) of roll, pitch, yaw with a small local rotation; singular at a pitch of 90 degrees."""
    sin, cos, tan, sec = math.sin(roll), math.cos(roll), math.tan(pitch), 1.0 / math.cos(pitch)
    return np.array([[1.0, sin * tan, cos * tan], [0.0, cos, -sin], [0.0, sin * sec, cos * sec]])
