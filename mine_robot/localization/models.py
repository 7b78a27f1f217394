"""What each aiding sensor says about the filter's state. Lever arms (3,) are from the IMU, along the axes of ``base_link``."""

from __future__ import annotations

import math

import numpy as np

from mine_robot.core.types import Array, NavState, wrap_angle
from mine_robot.localization.filter import (
    ACCEL_BIAS,
    ATTITUDE,
    GYRO_BIAS,
    HEADING_ERROR,
    LATENCY,
    MOUNT,
    POSITION,
    SCALE,
    SLIP,
    STATES,
    VELOCITY,
    ErrorStateFilter,
    Measurement,
    cross,
    rpy_from_attitude,
    rpy_jacobian,
    skew,
)
from mine_robot.localization.params import Standstill, WheelNoise

GNSS, SLIPPING, HEADING, SCALED, PITCHED, YAWED, LATE = slice(0, 3), 3, 4, 5, 6, 7, 8  # within the aiding errors


def gnss_position(filter_: ErrorStateFilter, lever: Array, antenna: Array, noise: Array) -> Measurement:
    """Position (3,) of the ``antenna`` in ``map``, with white ``noise`` (3, 3).

    The receiver may stamp its fixes late or early: they show the antenna where it was ``latency`` before.
    """
    base = filter_.base_attitude
    h = np.zeros((3, STATES))
    h[(0, 1, 2), (0, 1, 2)] = 1.0
    turn = base @ -skew(lever)
    h[:, ATTITUDE] = turn
    h[:, MOUNT] = turn[:, 1:]
    h[(0, 1, 2), (15, 16, 17)] = 1.0
    h[:, LATENCY.start] = -filter_.velocity
    predicted = filter_.position + base @ lever + filter_.aiding[GNSS] - filter_.velocity * filter_.aiding[LATE]
    return Measurement(antenna - predicted, h, noise)


def heading(filter_: ErrorStateFilter, yaw: float, sigma: float) -> Measurement:
    """Yaw of ``base_link`` in rad."""
    roll, pitch, predicted = rpy_from_attitude(filter_.base_attitude)
    h = np.zeros((1, STATES))
    turn = rpy_jacobian(roll, pitch)[2]
    h[:, ATTITUDE] = turn
    h[:, MOUNT] = turn[1:]
    h[:, HEADING_ERROR] = 1.0
    residual = wrap_angle(yaw - predicted - float(filter_.aiding[HEADING]))
    return Measurement(np.array([residual]), h, np.array([[sigma * sigma]]))


def base_velocity(filter_: ErrorStateFilter, base: Array) -> tuple[Array, Array]:
    """Velocity (3,) of ``base_link`` in its own axes and its Jacobian (3, STATES); ``base`` is its lever arm.

    The mounting angles enter to first order: the axes of the inertial unit are within some degrees of those of ``base_link``.
    """
    to_body = filter_.attitude.T
    at_imu = to_body @ filter_.velocity
    pitch, yaw = float(filter_.aiding[PITCHED]), float(filter_.aiding[YAWED])
    h = np.zeros((3, STATES))
    h[:, VELOCITY] = to_body
    h[:, ATTITUDE] = skew(at_imu)
    h[:, GYRO_BIAS] = skew(base)
    x, y, z = (at_imu + cross(filter_.rate, base)).tolist()
    h[0, MOUNT] = -z, y
    h[1, MOUNT.start + 1] = -x
    h[2, MOUNT.start] = x
    return np.array([x + yaw * y - pitch * z, y - yaw * x, z + pitch * x]), h


def wheels(filter_: ErrorStateFilter, base: Array, speed: float, noise: WheelNoise) -> Measurement:
    """Forward speed in m/s: the tracks' ``speed`` less its share of scale error and slip; and that ``base_link`` moves neither
    sideways nor vertically but for the skid in turns (non-holonomic constraint; Dissanayake et al. 2001)."""
    velocity, h = base_velocity(filter_, base)
    x, y, z = velocity.tolist()
    lost = float(filter_.aiding[SLIPPING] + filter_.aiding[SCALED])
    h[0, SLIP.start] = h[0, SCALE.start] = speed
    sideways = math.hypot(noise.lateral, noise.skid * float(filter_.rate[2]))
    white = np.diag([noise.sigma**2, sideways**2, noise.lateral**2])
    return Measurement(np.array([speed * (1.0 - lost) - x, -y, -z]), h, white)


def no_sideslip(filter_: ErrorStateFilter, base: Array, noise: WheelNoise) -> Measurement:
    """The non-holonomic constraint alone, for a vehicle whose tracks do not report; its sideslip grows with the speed."""
    velocity, jacobian = base_velocity(filter_, base)
    x, y, z = velocity.tolist()
    sigma = math.hypot(noise.free, noise.free_share * x)
    sideways = math.hypot(sigma, noise.free_skid * float(filter_.rate[2]))
    return Measurement(np.array([-y, -z]), jacobian[1:], np.diag([sideways**2, sigma**2]))


def standstill(filter_: ErrorStateFilter, rate: Array, rate_sigma: float, noise: Standstill) -> Measurement:
    """Zero velocity and zero rotation: the mean measured ``rate`` (3,) rad/s of sigma ``rate_sigma`` is bias."""
    h = np.zeros((6, STATES))
    h[(0, 1, 2), (3, 4, 5)] = 1.0
    h[(3, 4, 5), (9, 10, 11)] = 1.0
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
    attitude = filter_.base_attitude
    roll, pitch, yaw = rpy_from_attitude(attitude)
    # Only these states bear on the pose: position, attitude and mounting.
    p = filter_.covariance[POSE]
    jacobian = np.zeros((6, 8))
    jacobian[(0, 1, 2), (0, 1, 2)] = 1.0
    arm, turn = attitude @ -skew(base), rpy_jacobian(roll, pitch)
    jacobian[:3, 3:6], jacobian[:3, 6:] = arm, arm[:, 1:]
    jacobian[3:, 3:6], jacobian[3:, 6:] = turn, turn[:, 1:]
    velocity = filter_.velocity @ attitude + cross(filter_.rate, base)
    covariance = jacobian @ p @ jacobian.T
    covariance[(0, 1), (0, 1)] += position_doubt
    covariance[5, 5] += yaw_doubt
    return NavState(
        t=t,
        position=filter_.position + attitude @ base,
        rpy=np.array([roll, pitch, yaw]),
        velocity=velocity,
        rate=filter_.rate,
        covariance=covariance,
    )


POSE = np.ix_(*[np.r_[POSITION, ATTITUDE, MOUNT]] * 2)
