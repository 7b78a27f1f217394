"""What each aiding sensor says about the filter's state. Lever arms (3,) are from the IMU, along the axes of ``base_link``."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mine_robot.core.types import Array, NavState, wrap_angle
from mine_robot.localization.filter import (
    ACCEL_BIAS,
    ATTITUDE,
    COLOURED,
    GNSS_ERROR,
    GYRO_BIAS,
    HEADING_ERROR,
    POSITION,
    SLIP,
    STATES,
    VELOCITY,
    ErrorStateFilter,
    Measurement,
    rpy_from_attitude,
    rpy_jacobian,
    skew,
)
from mine_robot.localization.params import Standstill, WheelNoise

GNSS, SLIP_INDEX, HEADING = slice(0, 3), 3, 4  # within the coloured errors


@dataclass(frozen=True)
class PastPose:
    """Where the IMU was at ``t``: what a late measurement is compared with."""

    t: float
    position: Array
    attitude: Array


def gnss_position(filter_: ErrorStateFilter, at: PastPose, lever: Array, antenna: Array, noise: Array) -> Measurement:
    """Position (3,) of the ``antenna`` in ``map`` at the time of ``at``, with white ``noise`` (3, 3)."""
    h = np.zeros((3, STATES))
    h[:, POSITION] = np.eye(3)
    h[:, ATTITUDE] = -at.attitude @ skew(lever)
    h[:, GNSS_ERROR] = np.eye(3)
    predicted = at.position + at.attitude @ lever + filter_.coloured[GNSS]
    return Measurement(antenna - predicted, h, noise)


def heading(filter_: ErrorStateFilter, at: PastPose, yaw: float, sigma: float) -> Measurement:
    """Yaw of ``base_link`` in rad at the time of ``at``."""
    roll, pitch, predicted = rpy_from_attitude(at.attitude)
    h = np.zeros((1, STATES))
    h[:, ATTITUDE] = rpy_jacobian(roll, pitch)[2]
    h[:, HEADING_ERROR] = 1.0
    residual = wrap_angle(yaw - predicted - float(filter_.coloured[HEADING]))
    return Measurement(np.array([residual]), h, np.array([[sigma * sigma]]))


def base_velocity(filter_: ErrorStateFilter, base: Array) -> tuple[Array, Array]:
    """Velocity (3,) of ``base_link`` in its own axes and its Jacobian (3, STATES); ``base`` is its lever arm."""
    to_body = filter_.attitude.T
    at_imu = to_body @ filter_.velocity
    h = np.zeros((3, STATES))
    h[:, VELOCITY] = to_body
    h[:, ATTITUDE] = skew(at_imu)
    h[:, GYRO_BIAS] = skew(base)
    return at_imu + np.cross(filter_.rate, base), h


def wheel_speed(filter_: ErrorStateFilter, base: Array, speed: float, noise: WheelNoise) -> Measurement:
    """Forward speed in m/s seen by the tracks: true speed times one plus slip."""
    velocity, jacobian = base_velocity(filter_, base)
    factor = 1.0 + float(filter_.coloured[SLIP_INDEX])
    h = factor * jacobian[:1]
    h[:, SLIP] = velocity[0]
    return Measurement(np.array([speed - factor * velocity[0]]), h, np.array([[noise.sigma**2]]))


def no_sideslip(filter_: ErrorStateFilter, base: Array, noise: WheelNoise) -> Measurement:
    """Non-holonomic constraint: ``base_link`` moves neither sideways nor vertically, but for the skid in turns."""
    velocity, jacobian = base_velocity(filter_, base)
    sideways = math.hypot(noise.lateral, noise.skid * float(filter_.rate[2]))
    return Measurement(-velocity[1:], jacobian[1:], np.diag([sideways**2, noise.lateral**2]))


def standstill(filter_: ErrorStateFilter, rate: Array, rate_sigma: float, noise: Standstill) -> Measurement:
    """Zero velocity and zero rotation: the mean measured ``rate`` (3,) rad/s of sigma ``rate_sigma`` is bias."""
    h = np.zeros((6, STATES))
    h[:3, VELOCITY] = np.eye(3)
    h[3:, GYRO_BIAS] = np.eye(3)
    residual = np.concatenate([-filter_.velocity, rate - filter_.gyro_bias])
    return Measurement(residual, h, np.diag([noise.velocity_sigma**2] * 3 + [rate_sigma**2] * 3))


def level(filter_: ErrorStateFilter, force: Array, sigma: float) -> Measurement:
    """Mean specific ``force`` (3,) at rest: ties tilt and accelerometer bias together, which a level alone cannot tell apart."""
    predicted = filter_.attitude.T @ filter_.gravity_up
    h = np.zeros((3, STATES))
    h[:, ATTITUDE] = skew(predicted)
    h[:, ACCEL_BIAS] = np.eye(3)
    return Measurement(force - predicted - filter_.accel_bias, h, np.eye(3) * sigma**2)


def nav_state(filter_: ErrorStateFilter, t: float, base: Array, position_doubt: float, yaw_doubt: float) -> NavState:
    """The estimate at ``base_link``, whose lever arm is ``base``, with the covariance carried over.

    The doubts are variances in m² and rad² that the filter does not know of.
    """
    roll, pitch, yaw = rpy_from_attitude(filter_.attitude)
    jacobian = np.zeros((6, COLOURED.start))
    jacobian[:3, POSITION] = np.eye(3)
    jacobian[:3, ATTITUDE] = -filter_.attitude @ skew(base)
    jacobian[3:, ATTITUDE] = rpy_jacobian(roll, pitch)
    inertial = filter_.covariance[: COLOURED.start, : COLOURED.start]
    velocity = filter_.velocity @ filter_.attitude + np.cross(filter_.rate, base)
    covariance = jacobian @ inertial @ jacobian.T
    covariance[(0, 1), (0, 1)] += position_doubt
    covariance[5, 5] += yaw_doubt
    return NavState(
        t=t,
        position=filter_.position + filter_.attitude @ base,
        rpy=np.array([roll, pitch, yaw]),
        velocity=velocity,
        rate=filter_.rate,
        covariance=covariance,
    )
