"""Refuses measurements that cannot be meant, and says why in one line."""

from __future__ import annotations

import math

import numpy as np

from mine_robot.core.geodesy import is_somewhere
from mine_robot.core.types import Array, FixStatus, GnssFix, HeadingFix, ImuSample, WheelSample

RATE_MAX = 20.0  # rad/s; no vehicle turns so fast, units in degrees would
FORCE_MAX = 100.0  # m/s²
G_UNIT = (0.7, 1.3)  # norm of the specific force of a unit that measures in g
G_UNIT_SAMPLES = 20  # as many in a row are no jolt
RESTART_SAMPLES = 100  # as many refused in a row for their time: the clock was set back
HEIGHT_MAX, POSITION_SIGMA_MAX, HEADING_SIGMA_MAX = 20_000.0, 1000.0, 0.5  # m, m, rad: beyond, it is no measurement
FAR_M = 50_000.0  # from the datum: no robot gets there, and `map` is flat no more
WHEEL_MAX = 60.0  # m/s and rad/s; other vehicles' recordings are replayed as well
DEAD_FORCE = 1.0  # m/s²; a unit on the ground never feels so little for long
REPEATS_S, REPEATS_MIN = 0.5, 10  # exactly the same for so long, while the robot moves: no unit is that quiet


class ImuCheck:
    """Checks inertial samples against each other and against physics."""

    def __init__(self) -> None:
        self._last_t = -math.inf
        self._in_g = 0
        self._behind = 0
        self._light = 0
        self._signal: tuple[float, ...] = ()
        self._signal_t = -math.inf
        self._repeats = 0

    @property
    def clock_restarted(self) -> bool:
        """True if the clock of the samples was set back for good."""
        return self._behind >= RESTART_SAMPLES

    def accept_clock(self) -> None:
        """Take the next sample's time as the new beginning."""
        self._last_t, self._behind = -math.inf, 0

    def problem(self, sample: ImuSample, moving: bool) -> str | None:
        """Why ``sample`` is refused, or None; ``moving`` says whether the tracks turn."""
        if not math.isfinite(sample.t):
            return "IMU time is not a number"
        if sample.t <= self._last_t:
            self._behind += 1
            return f"IMU time went back by {self._last_t - sample.t:.3f} s"
        rate, force = _norm(sample.rate), _norm(sample.force)
        if not math.isfinite(rate + force):
            return "IMU sample is not finite"
        self._last_t, self._behind = sample.t, 0
        if rate > RATE_MAX or force > FORCE_MAX:
            return f"IMU sample is out of range: {rate:.0f} rad/s, {force:.0f} m/s²"
        self._in_g = self._in_g + 1 if G_UNIT[0] < force < G_UNIT[1] else 0
        if self._in_g >= G_UNIT_SAMPLES:
            return f"the accelerometer reads {force:.2f} at rest: it seems to measure in g instead of m/s²"
        self._light = self._light + 1 if force < DEAD_FORCE else 0
        if self._light >= G_UNIT_SAMPLES and self._in_g == 0:
            return f"the accelerometer reads {force:.2f} m/s²: it is dead"
        return self._repetition(sample, moving)

    def _repetition(self, sample: ImuSample, moving: bool) -> str | None:
        signal = (*sample.rate.tolist(), *sample.force.tolist())
        if signal != self._signal:
            self._signal, self._signal_t, self._repeats = signal, sample.t, 0
            return None
        self._repeats += 1
        if moving and self._repeats >= REPEATS_MIN and sample.t - self._signal_t > REPEATS_S:
            return f"the IMU repeats the same sample for {sample.t - self._signal_t:.1f} s while the robot moves: it is frozen"
        return None


def fix_problem(fix: GnssFix) -> str | None:
    """Why a GNSS fix is refused, or None."""
    if fix.status == FixStatus.NONE:
        return "the GNSS receiver has no fix"
    if not all(math.isfinite(value) for value in (fix.t, fix.latitude, fix.longitude, fix.height)):
        return "GNSS fix is not finite"
    if abs(fix.latitude) > 90.0 or abs(fix.longitude) > 180.0 or abs(fix.height) > HEIGHT_MAX:
        return f"GNSS fix at latitude {fix.latitude:g}, longitude {fix.longitude:g}, {fix.height:g} m is not on earth"
    if not is_somewhere(fix.latitude, fix.longitude):
        return f"GNSS fix at latitude {fix.latitude:g}, longitude {fix.longitude:g}: the receiver does not know yet where it is"
    covariance = np.asarray(fix.covariance)
    if covariance.shape == (3, 3) and np.all(np.isfinite(covariance)):
        sigma = math.sqrt(float(np.abs(covariance).max()))
        if sigma > POSITION_SIGMA_MAX:
            return f"GNSS sigma of {sigma:.0f} m is no position"
    return None


def distance_problem(antenna: Array) -> str | None:
    """Why a fix with the ``antenna`` (3,) there in ``map`` is refused, or None."""
    distance = float(np.hypot(*antenna[:2]))
    if distance > FAR_M:
        return f"GNSS fix is {distance / 1000.0:.0f} km from the field: look at the receiver, or at the field's coordinates"
    return None


def covariance_known(covariance: Array) -> bool:
    """Whether a receiver's covariance (3, 3) says anything: finite, no negative variance, not all zero."""
    covariance = np.asarray(covariance)
    if covariance.shape != (3, 3) or not np.all(np.isfinite(covariance)):
        return False
    variances = np.diag(covariance)
    return bool(variances.min() >= 0.0 and variances[:2].max() > 0.0)


def heading_problem(fix: HeadingFix) -> str | None:
    """Why a heading is refused, or None."""
    if not (math.isfinite(fix.t) and math.isfinite(fix.yaw) and math.isfinite(fix.sigma)) or fix.sigma < 0.0:
        return "GNSS heading is not finite"
    if fix.sigma > HEADING_SIGMA_MAX:
        return f"GNSS heading sigma of {math.degrees(fix.sigma):.0f} degrees is no heading"
    return None


def wheel_problem(sample: WheelSample) -> str | None:
    """Why a sample of the track encoders is refused, or None."""
    if not (math.isfinite(sample.t) and math.isfinite(sample.speed) and math.isfinite(sample.yaw_rate)):
        return "wheel odometry is not finite"
    if max(abs(sample.speed), abs(sample.yaw_rate)) > WHEEL_MAX:
        return f"wheel odometry is out of range: {sample.speed:.1f} m/s, {sample.yaw_rate:.1f} rad/s"
    return None


def _norm(vector: Array) -> float:
    """Euclidean norm of a (3,); NaN for another shape."""
    if np.shape(vector) != (3,):
        return math.nan
    x, y, z = (float(value) for value in vector)
    return math.sqrt(x * x + y * y + z * z)
