"""Navigation once aligned: inertial steps and the use of measurements, in the order of their times.

Everything that changes is in the filter and in one :class:`Memory`, so that the navigator can be taken back to an earlier instant
(:mod:`mine_robot.localization.timeline`).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mine_robot.core.geodesy import Datum, normal_gravity
from mine_robot.core.robot import Robot
from mine_robot.core.types import Array, GnssFix, HeadingFix, NavState
from mine_robot.localization import models
from mine_robot.localization.filter import (
    HEADING_ERROR,
    LATENCY,
    MOUNT,
    POSITION,
    SCALE,
    SKID,
    SLIP,
    STATES,
    TURN_SCALE,
    VELOCITY,
    ErrorStateFilter,
    Measurement,
)
from mine_robot.localization.fixes import FixUse
from mine_robot.localization.gating import Doubt, Gate, Refusals
from mine_robot.localization.memory import WHEELS_FRESH_S, ImuStep, Memory, Reading
from mine_robot.localization.params import LocalizationParams
from mine_robot.localization.tracks import TrackUse

START_YAW = 0.5  # rad: prior that the next measurement replaces
BRIDGED_ACCELERATION, BRIDGED_RATE = 1.0, 0.3  # m/s², rad/s: what a robot may do unseen while the IMU pauses
CONTRADICTION_S = {"gnss": 0.0, "heading": 1.0}  # shorter refusals are outliers; a false position is to be seen at once
AID_S = 0.05  # standstill and the constraint without tracks are looked at so often


class Navigator:
    """The filter with its measurements, gates and doubts."""

    def __init__(self, params: LocalizationParams, robot: Robot, datum: Datum) -> None:
        self.params = params
        self._base = -np.asarray(robot.imu)  # lever arms from the IMU
        antenna = np.asarray(robot.gnss) - robot.imu
        self.filter = ErrorStateFilter(params.imu, normal_gravity(datum.latitude, datum.height))
        self.memory = Memory()
        self._gate = Gate(params.gate_probability)
        self._fixes = FixUse(params.gnss, datum, self.filter, self._gate, antenna, self._base)
        self._tracks = TrackUse(params.wheel, self.filter, self._gate, self._base)
        self._weighed: Array | None = None  # the filter's covariance from which that of the pose was computed
        self._pose_covariance: Array = np.zeros((6, 6))

    # --- start -------------------------------------------------------------------------------------------------------
    def start(self, t: float, attitude: Array, velocity: Array, sigmas: Array, yaw_sigma: float) -> None:
        """Begin at ``t`` with ``attitude`` (3, 3), ``velocity`` (3,) in ``map``, ``sigmas`` (15,) and a yaw of ``yaw_sigma`` rad.

        Where it is, the first fix tells (:meth:`first_fix`).
        """
        params, filter_ = self.params, self.filter
        constants = (
            (SCALE, params.wheel.scale_sigma),
            (MOUNT, params.imu.mount),
        )
        for states, sigma in constants:
            filter_.set_aiding(states, sigma**2, math.inf, renew=False)
        filter_.set_aiding(TURN_SCALE, params.imu.gyro_scale**2, params.imu.gyro_scale_time, renew=False)
        filter_.set_aiding(LATENCY, params.gnss.latency**2, params.gnss.latency_time, renew=False)
        filter_.set_aiding(SLIP, params.wheel.slip_sigma**2, params.wheel.slip_time, renew=False)
        filter_.set_aiding(SKID, params.wheel.skid**2, params.wheel.slip_time, renew=False)
        filter_.start(attitude, velocity, sigmas)
        filter_.inflate_yaw(yaw_sigma**2)
        self.memory = Memory(t=t, aided_t=t)

    def first_fix(self, fix: GnssFix) -> None:
        """Take the position from the first fix."""
        self._fixes.first(self.memory, fix)

    def first_heading(self, heading: HeadingFix) -> None:
        """Take the first heading."""
        sigma = self._describe_heading(heading, renew=True)
        self._correct(models.heading(self.filter, heading.yaw, sigma))

    def level(self, force: Array, sigma: float) -> None:
        """Take the mean specific ``force`` (3,) of a standstill."""
        self._correct(models.level(self.filter, force, sigma))

    def rest(self, rate: Array, sigma: float) -> None:
        """Take the mean ``rate`` (3,) of a standstill as bias."""
        self._correct(models.standstill(self.filter, rate, sigma, self.params.standstill))

    # --- time --------------------------------------------------------------------------------------------------------
    def snapshot(self) -> tuple[Memory, tuple[Any, ...]]:
        """What :meth:`restore` needs."""
        return self.memory.copy(), self.filter.snapshot()

    def restore(self, snapshot: tuple[Memory, tuple[Any, ...]]) -> None:
        """Come back to the instant of ``snapshot``, which stays as it is."""
        self.memory = snapshot[0].copy()
        self.filter.restore(snapshot[1])

    def step(self, imu: ImuStep, readings: list[Reading]) -> None:
        """Advance over one inertial sample; ``readings`` within its interval are used at their own times, oldest first."""
        memory = self.memory
        if imu.gap:
            self._predict(imu, imu.t)
            self._bridge(imu.dt)
            readings = []  # taken during the pause, they say little about the pose after it
        for reading in readings:
            self._predict(imu, reading.t)
            self._use(reading)
        self._predict(imu, imu.t)
        memory.rate_sum = memory.rate_sum + imu.rate * imu.dt
        memory.rate_time += imu.dt
        if imu.t - memory.aided_t > AID_S - 1e-3:
            self._aid(imu)

    def _predict(self, imu: ImuStep, t: float) -> None:
        dt = t - self.memory.t
        if dt > 0.0:
            self.filter.predict(imu.rate, imu.force, dt, imu.gyro_noise, imu.accel_noise)
            self.memory.t = t

    def _bridge(self, gap: float) -> None:
        variance = np.zeros(STATES)
        variance[VELOCITY] = (BRIDGED_ACCELERATION * gap) ** 2
        variance[POSITION] = (0.5 * BRIDGED_ACCELERATION * gap**2) ** 2
        self.filter.inflate(variance)
        self.filter.inflate_yaw((BRIDGED_RATE * gap) ** 2)

    # --- measurements ------------------------------------------------------------------------------------------------
    def _use(self, reading: Reading) -> None:
        if isinstance(reading, GnssFix):
            self._fixes.use(self.memory, reading)
        elif isinstance(reading, HeadingFix):
            self._use_heading(reading)
        else:
            self._tracks.use(self.memory, reading)

    def _use_heading(self, heading: HeadingFix) -> None:
        memory = self.memory
        sigma = self._describe_heading(heading, renew=False)
        innovation = self.filter.compare(models.heading(self.filter, heading.yaw, sigma))
        refusals = memory.gates.get("heading", Refusals())
        good = self._gate.passes(innovation)
        if not good and refusals.lasting(heading.t) >= self.params.gnss.recovery:
            memory.doubts["heading"] = Doubt(heading.t, innovation.measurement.residual, self.params.gnss.doubt)
            self.filter.inflate_yaw(START_YAW**2)
            innovation = self.filter.compare(innovation.measurement)
            good = True
        memory.gates["heading"] = refusals.after(heading.t, good)
        if good:
            self.filter.apply(innovation)

    def _describe_heading(self, heading: HeadingFix, renew: bool) -> float:
        """Tell the filter how the heading errs; returns the sigma of its white part."""
        params = self.params.heading
        variance = max(heading.sigma, params.floor) ** 2
        self.filter.set_aiding(HEADING_ERROR, params.correlated_share * variance, params.correlation_time, renew=renew)
        return math.sqrt((1.0 - params.correlated_share) * variance)

    def _try(self, measurement: Measurement) -> bool:
        innovation = self.filter.compare(measurement)
        good = self._gate.passes(innovation)
        if good:
            self.filter.apply(innovation)
        return good

    def _correct(self, measurement: Measurement) -> None:
        self.filter.apply(self.filter.compare(measurement))

    # --- standstill --------------------------------------------------------------------------------------------------
    def _aid(self, imu: ImuStep) -> None:
        """At standstill the velocity is zero and the mean rate is bias; a vehicle without encoders moves along its axis."""
        memory, params = self.memory, self.params
        wheels = imu.t - memory.wheels_t < WHEELS_FRESH_S
        still = imu.quiet is not None and not (wheels and imu.t - memory.wheels_moved_t < params.standstill.window)
        if still and imu.quiet is not None:
            still = float(np.abs(imu.quiet - self.filter.gyro_bias).max()) < params.standstill.rate
        if still and memory.rate_time > 0.0:
            sigma = imu.gyro_noise / math.sqrt(memory.rate_time)
            rate = memory.rate_sum / memory.rate_time
            still = self._try(models.standstill(self.filter, rate, sigma, params.standstill))
        elif not wheels:
            self._try(models.no_sideslip(self.filter, self._base, params.wheel))
        memory.still = still
        memory.aided_t = imu.t
        memory.rate_sum, memory.rate_time = np.zeros(3), 0.0

    # --- output ------------------------------------------------------------------------------------------------------
    def state(self) -> NavState:
        """The estimate of ``base_link`` now."""
        memory, filter_ = self.memory, self.filter
        if self._weighed is not filter_.recent_covariance:  # between two measurements, 0.05 s apart, it hardly grows
            self._weighed, self._pose_covariance = (
                filter_.recent_covariance,
                models.pose_covariance(filter_, self._base),
            )
        covariance = self._pose_covariance.copy()
        covariance[(0, 1), (0, 1)] += memory.doubts["gnss"].variance(memory.t) + float(
            memory.pull.offset @ memory.pull.offset
        )
        covariance[5, 5] += memory.doubts["heading"].variance(memory.t)
        return models.nav_state(filter_, memory.t, self._base, covariance)

    def contradiction(self) -> str:
        """What speaks against the estimate; empty if nothing does."""
        memory, t = self.memory, self.memory.t
        if memory.frozen:
            return "GNSS fixes are frozen while the robot moves"
        for name, label in (("gnss", "GNSS fixes contradict"), ("heading", "GNSS heading contradicts")):
            lasting = memory.gates.get(name, Refusals()).lasting(t)
            if lasting > CONTRADICTION_S[name]:
                return f"{label} the inertial solution for {lasting:.1f} s"
        if memory.pull.active:
            return "GNSS fixes pull the position away: they walk, or the tracks slip; a stop will tell"
        for name, label in (("gnss", "fixes"), ("heading", "heading")):
            doubt = memory.doubts[name]
            if doubt.variance(t) > 1e-4:
                return f"gave in to contradicting GNSS {label} {t - doubt.t:.0f} s ago"
        return ""
