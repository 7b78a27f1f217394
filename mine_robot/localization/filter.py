"""Error-state Kalman filter for inertial navigation, aided by whatever :mod:`mine_robot.localization.models` describes.

Conventions of J. Solà, "Quaternion kinematics for the error-state Kalman filter" (2017, arXiv:1711.02508): attitude
errors are local, ``R_true = R Exp(dtheta)``; ``R`` turns vectors of the body into ``map`` (east, north, up). The nominal attitude is kept
as rotation matrix. To the fifteen error states of the inertial unit come eleven of the aiding sensors. Those that wander (GNSS, slip,
skid, antenna heading) are first-order Gauss-Markov processes, because they are correlated over many samples: taken as white noise, they
would make the covariance far too small (state augmentation for coloured noise; Bar-Shalom, Li & Kirubarajan 2001, section 8.2). Those
that stay (wheel scale, mounting angles, latency of the receiver, scale of the gyroscope about the vertical axis) are random constants or
nearly so, learned as far as the motion shows them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from mine_robot.core.robot import rotation_from_rpy
from mine_robot.core.types import Array
from mine_robot.localization.params import ImuNoise

POSITION, VELOCITY, ATTITUDE = slice(0, 3), slice(3, 6), slice(6, 9)
GYRO_BIAS, ACCEL_BIAS = slice(9, 12), slice(12, 15)
GNSS_ERROR, SLIP, HEADING_ERROR = slice(15, 18), slice(18, 19), slice(19, 20)
SCALE, MOUNT, LATENCY, TURN_SCALE, SKID = slice(20, 21), slice(21, 23), slice(23, 24), slice(24, 25), slice(25, 26)
INERTIAL, AIDING = slice(0, 15), slice(15, 26)
STATES = 26
AIDS = 11
RECENT_S = 0.06  # a covariance so old is used as it is; aiding comes every 0.05 s


@dataclass(frozen=True)
class Measurement:
    """A linearised measurement: ``residual`` (m,), Jacobian ``h`` (m, STATES) of the error state and ``noise`` (m, m)."""

    residual: Array
    h: Array
    noise: Array


@dataclass(frozen=True)
class Innovation:
    """A measurement against the filter's prediction: ``cross`` (STATES, m) = P Hᵀ, ``gain`` and normalised innovation squared."""

    measurement: Measurement
    cross: Array
    gain: Array
    nis: float

    @property
    def degrees(self) -> int:
        """Dimension of the measurement."""
        return len(self.measurement.residual)


class ErrorStateFilter:
    """Nominal state of the inertial unit, with axes along ``base_link``, and the covariance of its error.

    ``position``, ``velocity`` (3,) in ``map``; ``attitude`` (3, 3) from ``base_link`` to ``map``; ``gyro_bias``, ``accel_bias`` (3,);
    ``aiding`` (11,): GNSS error east, north, up in m, slip, heading error in rad, wheel scale, pitch and yaw of the mounting in rad,
    latency of the GNSS in s, scale of the gyroscope about z, skid in m. The nominal state advances with every sample; the covariance
    follows when it is needed, over all samples since, which is exact to first order and much cheaper. Arrays are replaced, never written
    to: :meth:`snapshot` is only references.
    """

    def __init__(self, noise: ImuNoise, gravity: float) -> None:
        self._noise = noise
        self._gravity = np.array([0.0, 0.0, -gravity])
        self.position: Array = np.zeros(3)
        self.velocity: Array = np.zeros(3)
        self.attitude: Array = np.eye(3)
        self.gyro_bias: Array = np.zeros(3)
        self.accel_bias: Array = np.zeros(3)
        self.aiding: Array = np.zeros(AIDS)
        self.rate: Array = np.zeros(3)  # of the last sample, bias removed
        self._variance: Array = np.zeros(AIDS)  # stationary variance and correlation time of the aiding errors
        self._time: Array = np.full(AIDS, math.inf)
        self._p: Array = np.zeros((STATES, STATES))
        self._phi = np.eye(STATES)
        self._interval = 0.0
        self._pushed: Array = np.zeros(3)  # integral of the specific force in map over the interval
        self._turned = self._shaken = 0.0  # variance of attitude and velocity that came up over the interval
        self._yawed = 0.0  # rad about z over the interval
        self._attitude_before = self.attitude

    def start(self, attitude: Array, velocity: Array, sigmas: Array) -> None:
        """Begin at the origin with ``attitude`` (3, 3), ``velocity`` (3,) in ``map`` and independent ``sigmas`` (15,)."""
        self.position, self.velocity, self.attitude = np.zeros(3), velocity, attitude
        self.gyro_bias, self.accel_bias, self.aiding = np.zeros(3), np.zeros(3), np.zeros(AIDS)
        self._p = np.diag(np.concatenate([np.asarray(sigmas) ** 2, self._variance]))
        self._restart_interval()

    def set_aiding(self, states: slice, variance: Array | float, time: float, *, renew: bool) -> None:
        """Describe the aiding errors ``states`` (of :data:`AIDING`): stationary ``variance`` and correlation ``time`` in s.

        ``renew`` says that the error is a new one, independent of what was estimated so far.
        """
        own = slice(states.start - AIDING.start, states.stop - AIDING.start)
        self._propagate()
        if renew:
            self._p, self.aiding = self._p.copy(), self.aiding.copy()
            self._p[states, :] = 0.0
            self._p[:, states] = 0.0
            index = range(states.start, states.stop)
            self._p[index, index] = variance
            self.aiding[own] = 0.0
        self._variance, self._time = self._variance.copy(), self._time.copy()
        self._variance[own], self._time[own] = variance, time

    def predict(self, rate: Array, force: Array, dt: float, gyro_noise: float, accel_noise: float) -> None:
        """Advance by a sample of ``rate`` (3,) rad/s and specific ``force`` (3,) m/s² along the axes of ``base_link``.

        The noises are densities in rad/s/√Hz and m/s²/√Hz.
        """
        x, y, z = (rate - self.gyro_bias).tolist()
        z *= 1.0 - self.aiding.item(TURN_SCALE.start - AIDING.start)
        self.rate = np.array([x, y, z])
        half = _half_turn(x, y, z, 0.5 * dt)
        middle = self.attitude @ half
        push = middle @ (force - self.accel_bias)
        change = (push + self._gravity) * dt
        self.position = self.position + (self.velocity + 0.5 * change) * dt
        self.velocity = self.velocity + change
        self.attitude = middle @ half
        self._interval += dt
        self._pushed = self._pushed + push * dt
        self._yawed += z * dt
        self._turned += gyro_noise * gyro_noise * dt
        self._shaken += accel_noise * accel_noise * dt

    def inflate(self, variance: Array) -> None:
        """Add ``variance`` (STATES,) to the diagonal of the covariance."""
        self._propagate()
        self._p = self._p + np.diag(variance)

    def relocate(self, shift: Array, variance: float) -> None:
        """Move the position by ``shift`` (3,) and forget how well it was known: ``variance`` from now on, tied to nothing else.

        A large jump used as a measurement would reach velocity, attitude and biases through correlations that hold for small errors only.
        """
        self._propagate()
        self.position = self.position + shift
        self._p = self._p.copy()
        for states, value in ((POSITION, variance), (GNSS_ERROR, self._variance[0:3])):
            self._p[states, :] = 0.0
            self._p[:, states] = 0.0
            index = range(states.start, states.stop)
            self._p[index, index] = value
        self.aiding = self.aiding.copy()
        self.aiding[0:3] = 0.0

    def inflate_states(self, states: slice, variance: float) -> None:
        """Add ``variance`` to each of ``states``."""
        added = np.zeros(STATES)
        added[states] = variance
        self.inflate(added)

    def inflate_yaw(self, variance: float) -> None:
        """Add ``variance`` rad² to the rotation about the vertical."""
        self._propagate()
        vertical = self.attitude[2]
        self._p = self._p.copy()
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

    @property
    def recent_covariance(self) -> Array:
        """The same as of the last measurement weighed, unless that is long ago; the same array until the next."""
        if self._interval > RECENT_S:
            self._propagate()
        return self._p

    @property
    def base_attitude(self) -> Array:
        """Attitude (3, 3) of ``base_link`` itself: that of the inertial unit's axes, turned by the learned mounting angles."""
        pitch, yaw = self.aiding[6:8].tolist()
        if pitch == 0.0 and yaw == 0.0:
            return self.attitude
        return np.asarray(self.attitude @ exact_rotation(np.array([0.0, pitch, yaw])))

    def compare(self, measurement: Measurement) -> Innovation:
        """Weigh a measurement without using it."""
        self._propagate()
        cross = self._p @ measurement.h.T
        s = measurement.h @ cross + measurement.noise
        inverse = np.linalg.inv(s) if len(s) > 1 else 1.0 / s
        residual = measurement.residual
        return Innovation(measurement, cross, cross @ inverse, float(residual @ inverse @ residual))

    def apply(self, innovation: Innovation) -> None:
        """Correct the state with an innovation of :meth:`compare`; Joseph's form keeps the covariance positive."""
        gain, measurement = innovation.gain, innovation.measurement
        # (I - K H) P (I - K H)ᵀ + K R Kᵀ, with P Hᵀ already at hand
        half = self._p - gain @ innovation.cross.T
        p = half - (half @ measurement.h.T) @ gain.T + gain @ measurement.noise @ gain.T
        self._p = 0.5 * (p + p.T)
        error = gain @ measurement.residual
        self.position = self.position + error[POSITION]
        self.velocity = self.velocity + error[VELOCITY]
        self.attitude = self.attitude @ exact_rotation(error[ATTITUDE])
        self.gyro_bias = self.gyro_bias + error[GYRO_BIAS]
        self.accel_bias = self.accel_bias + error[ACCEL_BIAS]
        self.aiding = self.aiding + error[AIDING]
        self._attitude_before = self.attitude

    def snapshot(self) -> tuple[Any, ...]:
        """Everything that :meth:`restore` needs to come back to this state."""
        return (
            self.position, self.velocity, self.attitude, self.gyro_bias, self.accel_bias, self.aiding, self.rate,
            self._variance, self._time, self._p, self._interval, self._pushed, self._turned, self._shaken, self._yawed,
            self._attitude_before,
        )  # fmt: skip

    def restore(self, snapshot: tuple[Any, ...]) -> None:
        """Come back to the state of :meth:`snapshot`."""
        (
            self.position, self.velocity, self.attitude, self.gyro_bias, self.accel_bias, self.aiding, self.rate,
            self._variance, self._time, self._p, self._interval, self._pushed, self._turned, self._shaken, self._yawed,
            self._attitude_before,
        ) = snapshot  # fmt: skip

    def _propagate(self) -> None:
        """Advance the covariance over the samples since the last time (Solà, section 5.4, integrated over the interval)."""
        dt = self._interval
        if dt <= 0.0:
            return
        attitude = self.attitude = _orthonormal(self.attitude)
        lever = -skew(self._pushed) @ self._attitude_before
        phi = self._phi
        phi[(0, 1, 2), (3, 4, 5)] = dt
        phi[POSITION, ATTITUDE] = lever * (0.5 * dt)
        phi[POSITION, ACCEL_BIAS] = attitude * (-0.5 * dt * dt)
        phi[VELOCITY, ATTITUDE] = lever
        phi[VELOCITY, ACCEL_BIAS] = attitude * -dt
        phi[ATTITUDE, ATTITUDE] = attitude.T @ self._attitude_before
        phi[(6, 7, 8), (9, 10, 11)] = -dt
        phi[8, TURN_SCALE.start] = -self._yawed
        decay = np.exp(-dt / self._time)
        phi[AIDING_INDEX, AIDING_INDEX] = decay
        self.aiding = self.aiding * decay
        p = phi @ self._p @ phi.T
        noise = self._noise
        added = np.empty(STATES)
        added[POSITION] = 0.0
        added[VELOCITY] = self._shaken
        added[ATTITUDE] = self._turned
        added[GYRO_BIAS] = noise.gyro_bias_walk**2 * dt
        added[ACCEL_BIAS] = noise.accel_bias_walk**2 * dt
        added[AIDING] = self._variance * (1.0 - decay * decay)
        p[DIAGONAL, DIAGONAL] += added
        self._p = 0.5 * (p + p.T)
        self._restart_interval()

    def _restart_interval(self) -> None:
        self._interval = 0.0
        self._pushed = np.zeros(3)
        self._turned = self._shaken = self._yawed = 0.0
        self._attitude_before = self.attitude


DIAGONAL = np.arange(STATES)
AIDING_INDEX = DIAGONAL[AIDING]


def skew(v: Array) -> Array:
    """Matrix (3, 3) of the cross product with ``v``."""
    x, y, z = v.tolist()
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])


def cross(a: Array, b: Array) -> Array:
    """Cross product of two (3,); ``np.cross`` takes ten times as long."""
    (ax, ay, az), (bx, by, bz) = a.tolist(), b.tolist()
    return np.array([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx])


def _half_turn(x: float, y: float, z: float, dt: float) -> Array:
    """Exp of the rate (x, y, z) over ``dt``, to third order."""
    x, y, z = x * dt, y * dt, z * dt
    return _rotation(x, y, z, x * x + y * y + z * z)


def _rotation(x: float, y: float, z: float, square: float) -> Array:
    """Exp of a rotation vector of a few hundredths of a radian, to third order."""
    a, b = 1.0 - square / 6.0, 0.5 - square / 24.0
    bx, by, bz = b * x, b * y, b * z
    return np.array(
        [
            [1.0 - by * y - bz * z, bx * y - a * z, bx * z + a * y],
            [bx * y + a * z, 1.0 - bx * x - bz * z, by * z - a * x],
            [bx * z - a * y, by * z + a * x, 1.0 - bx * x - by * y],
        ]
    )


def exact_rotation(turn: Array) -> Array:
    """Exp of any rotation vector (Rodrigues)."""
    x, y, z = turn.tolist()
    square = x * x + y * y + z * z
    if square < 0.0025:
        return _rotation(x, y, z, square)
    angle = math.sqrt(square)
    axis = skew(turn / angle)
    return np.asarray(np.eye(3) + math.sin(angle) * axis + (1.0 - math.cos(angle)) * (axis @ axis))


def _orthonormal(rotation: Array) -> Array:
    """Remove the rounding of many products (one Newton step towards the nearest rotation)."""
    return np.asarray(1.5 * rotation - 0.5 * rotation @ (rotation.T @ rotation))


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
