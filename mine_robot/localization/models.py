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
    SKID,
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

GNSS, SLIPPING, HEADING, SCALED, PITCHED, YAWED, LATE, SKIDDING = (
    slice(0, 3),
    3,
    4,
    5,
    6,
    7,
    8,
    10,
)  # within the aiding errors


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
    """Yaw of ``base_link`` in rad; it comes from the receiver of the fixes, with the same ``latency``."""
    roll, pitch, predicted = rpy_from_attitude(filter_.base_attitude)
    h = np.zeros((1, STATES))
    turn = rpy_jacobian(roll, pitch)[2]
    h[:, ATTITUDE] = turn
    h[:, MOUNT] = turn[1:]
    h[:, HEADING_ERROR] = 1.0
    turning = float(turn @ filter_.rate)
    h[:, LATENCY] = -turning
    error, latency = filter_.aiding.item(HEADING), filter_.aiding.item(LATE)
    residual = wrap_angle(yaw - predicted - error + turning * latency)
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
    sideways nor vertically (non-holonomic constraint; Dissanayake et al. 2001) but for the skid in turns: their centre wanders along x
    (Pentzer, Brennan & Reichard 2014, who estimate the centres of rotation of both tracks)."""
    velocity, h = base_velocity(filter_, base)
    x, y, z = velocity.tolist()
    lost = float(filter_.aiding[SLIPPING] + filter_.aiding[SCALED])
    h[0, SLIP.start] = h[0, SCALE.start] = speed
    turning = filter_.rate.item(2)
    h[1, SKID] = turning
    aside = -y - turning * filter_.aiding.item(SKIDDING)
    white = np.diag([noise.sigma**2, noise.lateral**2, noise.lateral**2])
    return Measurement(np.array([speed * (1.0 - lost) - x, aside, -z]), h, white)


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


def pose_covariance(filter_: ErrorStateFilter, base: Array) -> Array:
    """Covariance (6, 6) of position and roll, pitch, yaw of ``base_link``, whose lever arm is ``base``, as of the last measurement."""
    attitude = filter_.base_attitude
    roll, pitch, _ = rpy_from_attitude(attitude)
    # Only these states bear on the pose: position, attitude and mounting.
    p = filter_.recent_covariance[POSE]
    jacobian = np.zeros((6, 8))
    jacobian[(0, 1, 2), (0, 1, 2)] = 1.0
    arm, turn = attitude @ -skew(base), rpy_jacobian(roll, pitch)
    jacobian[:3, 3:6], jacobian[:3, 6:] = arm, arm[:, 1:]
    jacobian[3:, 3:6], jacobian[3:, 6:] = turn, turn[:, 1:]
    return np.asarray(jacobian @ p @ jacobian.T)


def nav_state(filter_: ErrorStateFilter, t: float, base: Array, covariance: Array) -> NavState:
    """The estimate at ``base_link``, whose lever arm is ``base``, with the ``covariance`` (6, 6) of its pose."""
    attitude = filter_.base_attitude
    return NavState(
        t=t,
        position=filter_.position + attitude @ base,
        rpy=np.array(rpy_from_attitude(attitude)),
        velocity=filter_.velocity @ attitude + cross(filter_.rate, base),
        rate=filter_.rate,
        covariance=covariance,
    )


POSE = np.ix_(*[np.r_[POSITION, ATTITUDE, MOUNT]] * 2)
