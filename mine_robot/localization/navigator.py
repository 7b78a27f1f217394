"""Navigation once aligned: inertial steps and the use of measurements, in the order of their times.

Everything that changes is in the filter and in one :class:`Memory`, so that the navigator can be taken back to an earlier instant
(:mod:`mine_robot.localization.timeline`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mine_robot.core.geodesy import Datum, normal_gravity
from mine_robot.core.robot import Robot
from mine_robot.core.types import Array, FixStatus, GnssFix, HeadingFix, NavState, WheelSample
from mine_robot.localization import models
from mine_robot.localization.checks import covariance_known
from mine_robot.localization.filter import (
    GNSS_ERROR,
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
    Innovation,
    Measurement,
)
from mine_robot.localization.gating import RETURN_SHARE, RETURN_SIGMAS, Doubt, Gate, Refusals
from mine_robot.localization.params import LocalizationParams

Reading = GnssFix | HeadingFix | WheelSample

VERTICAL_RATIO = 1.5  # vertical floor of a GNSS sigma in units of the horizontal one
START_POSITION, START_YAW = 10.0, 0.5  # m, rad: priors that the next measurement replaces
BRIDGED_ACCELERATION, BRIDGED_RATE = 1.0, 0.3  # m/s², rad/s: what a robot may do unseen while the IMU pauses
CONTRADICTION_S = {"gnss": 0.0, "heading": 1.0}  # shorter refusals are outliers; a false position is to be seen at once
SUSPECT_ACCELERATION, SUSPECT_RATE = (
    1.0,
    0.05,
)  # m/s², rad/s: what an inertial unit alone is taken to be wrong by when fixes contradict
AID_S = 0.05  # standstill and the constraint without tracks are looked at so often
WHEELS_FRESH_S = 0.5
WHEEL_QUIET = 2e-3  # m/s and rad/s: encoders at rest read zero
SLIPPED_MAX = 1.0  # m; no receiver's position walks further unnoticed
SLIPPERY_SIGMA, SLIPPERY_TIME = (
    0.4,
    20.0,
)  # slip (sigma) and its correlation time in s while the tracks are known to slip
SLIPPERY_S, GRIP_S = 0.2, 3.0  # so long the tracks have to contradict before they count as slipping, and to agree again
PULL_S = (1.0, 2.0, 3.0)  # corrections are summed over these times
PULL_MIN, PULL_LIMIT = 0.04, 23.0  # m, and chi-square of two degrees with a probability of 1e-5
STEADY_S = 1.0  # fixes that stay for so long while the robot stands have not walked before
RETURN_FACTOR = 2.5  # how much longer than the doubtful way a jump back may be
FROZEN_SPEED = 0.1  # m/s above which fixes cannot repeat their coordinates


@dataclass(frozen=True, slots=True)
class ImuStep:
    """One inertial sample along the axes of ``base_link``: mean ``rate`` and ``force`` (3,) over the ``dt`` s before ``t``.

    The noises are densities. ``quiet`` is the mean rate (3,) of a window in which the signals were quiet, else None.
    """

    t: float
    dt: float
    rate: Array
    force: Array
    gyro_noise: float
    accel_noise: float
    quiet: Array | None = None
    gap: bool = False


@dataclass
class Memory:
    """What the navigator remembers beside the filter; every value is immutable, so that a shallow copy is a snapshot."""

    t: float = -math.inf
    gates: dict[str, Refusals] = field(default_factory=dict)
    doubts: dict[str, Doubt] = field(default_factory=lambda: {"gnss": Doubt(), "heading": Doubt()})
    used_status: FixStatus | None = None
    used_covariance: tuple[float, ...] = ()
    last_place: tuple[float, float, float] = (math.nan, math.nan, math.nan)
    frozen: bool = False
    fix_t: float = -math.inf
    good_fix_t: float = -math.inf
    wheels_t: float = -math.inf
    wheels_moved_t: float = -math.inf
    still: bool = False
    aided_t: float = -math.inf
    rate_sum: Array = field(default_factory=lambda: np.zeros(3))
    rate_time: float = 0.0
    slippery: bool = False
    grip_t: float = -math.inf  # last time at which a slippery track slipped
    pulls: tuple[tuple[float, Array, Array], ...] = ()  # corrections (2,) by the last fixes, their covariances
    pulling: bool = False
    creeping: bool = False
    pulled: Array = field(default_factory=lambda: np.zeros(2))
    refused: Array = field(default_factory=lambda: np.zeros(2))  # how far off the last refused fix was, m
    still_fix: tuple[float, Array] | None = None  # time and antenna of the first fix of this standstill
    slipped: float = 0.0  # m by which the position would be wrong if it was not slip but a walking GNSS position

    def copy(self) -> Memory:
        """A copy that later changes do not reach."""
        other = Memory.__new__(Memory)  # dataclasses.replace takes ten times as long
        other.__dict__.update(self.__dict__)
        other.gates, other.doubts = dict(self.gates), dict(self.doubts)
        return other


class Navigator:
    """The filter with its measurements, gates and doubts."""

    def __init__(self, params: LocalizationParams, robot: Robot, datum: Datum) -> None:
        self.params = params
        self._datum = datum
        self._base = -np.asarray(robot.imu)  # lever arms from the IMU
        self._antenna = np.asarray(robot.gnss) - robot.imu
        self._floors = {
            FixStatus.SINGLE: params.gnss.single_floor,
            FixStatus.FLOAT: params.gnss.float_floor,
            FixStatus.FIXED: params.gnss.fixed_floor,
        }
        self.filter = ErrorStateFilter(params.imu, normal_gravity(datum.latitude, datum.height))
        self.memory = Memory()
        self._gate = Gate(params.gate_probability)
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
        antenna = self._datum.to_map(fix.longitude, fix.latitude, fix.height)
        self.filter.position = antenna - self.filter.base_attitude @ self._antenna
        white = self._describe(fix)
        self._correct(models.gnss_position(self.filter, self._antenna, antenna, white))
        self.memory.fix_t = self.memory.good_fix_t = fix.t

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
            self._use_fix(reading)
        elif isinstance(reading, HeadingFix):
            self._use_heading(reading)
        else:
            self._use_wheels(reading)

    def _use_fix(self, fix: GnssFix) -> None:
        memory, filter_ = self.memory, self.filter
        interval, memory.fix_t = min(fix.t - memory.fix_t, 1.0), fix.t
        place = (fix.longitude, fix.latitude, fix.height)
        memory.frozen = place == memory.last_place and float(np.hypot(*filter_.velocity[:2])) > FROZEN_SPEED
        memory.last_place = place
        refusals = memory.gates.get("gnss", Refusals())
        antenna = self._datum.to_map(*place)
        scatter = self.params.gnss.jitter**2 * np.outer(filter_.velocity, filter_.velocity)
        measurement = models.gnss_position(filter_, self._antenna, antenna, self._describe(fix) + scatter)
        innovation = filter_.compare(measurement)
        good = not memory.frozen and (self._gate.passes(innovation) or self._believe(fix.t, innovation, refusals))
        if good and refusals.refuses:
            self._doubt_agreement(fix.t, measurement)
        memory.gates["gnss"] = refusals.after(fix.t, good)
        if not good:
            memory.refused = measurement.residual[:2]
            if fix.t - memory.wheels_t > WHEELS_FRESH_S:
                self._suspect_inertial(interval)
            return
        memory.good_fix_t = fix.t
        innovation = filter_.compare(measurement)
        filter_.apply(innovation)
        self._watch_pull(fix.t, innovation)
        self._compare_at_rest(fix.t, antenna, math.sqrt(float(np.trace(measurement.noise[:2, :2]))))

    def _believe(self, t: float, innovation: Innovation, refusals: Refusals) -> bool:
        """Whether to follow a fix that the filter would refuse: because it undoes what is in doubt, or because fixes insisted."""
        memory = self.memory
        measurement = innovation.measurement
        off, sigma = measurement.residual[:2], math.sqrt(float(np.trace(measurement.noise[:2, :2])))
        doubt = memory.doubts["gnss"]
        if doubt.active(t) and doubt.undone_by(off, sigma):
            memory.doubts["gnss"] = Doubt()
            self._trust_pull()
        elif (
            memory.slipped > 0.0 and float(np.linalg.norm(off)) < RETURN_FACTOR * memory.slipped + RETURN_SIGMAS * sigma
        ):
            self._trust_pull()
        elif refusals.lasting(t) >= self.params.gnss.recovery:
            memory.doubts["gnss"] = Doubt(t, off, self.params.gnss.doubt)
        else:
            return False
        self._open(POSITION, START_POSITION**2)
        return True

    def _suspect_inertial(self, interval: float) -> None:
        """Without tracks to speak for it, the inertial solution may as well be wrong as a fix that contradicts it."""
        self._open(VELOCITY, (SUSPECT_ACCELERATION * interval) ** 2)
        self.filter.inflate_yaw((SUSPECT_RATE * interval) ** 2)

    def _doubt_agreement(self, t: float, measurement: Measurement) -> None:
        """Fixes are plausible again. If they are where they were when they were refused, the position has only become vague meanwhile:
        they are doubted as if the filter had given in to them.
        """
        memory = self.memory
        size = float(np.linalg.norm(memory.refused))
        sigma = math.sqrt(float(np.trace(measurement.noise[:2, :2])))
        same = float(np.linalg.norm(measurement.residual[:2] - memory.refused)) < RETURN_SHARE * size
        if same and size > RETURN_SIGMAS * sigma and not memory.doubts["gnss"].active(t):
            memory.doubts["gnss"] = Doubt(t, measurement.residual[:2], self.params.gnss.doubt)

    def _watch_pull(self, t: float, innovation: Innovation) -> None:
        """Innovations of a sound filter are white, so its corrections cancel out over some seconds. A position that walks, and slip that
        comes slowly, pull to one side, each step too small for the gate. (Whiteness test; Bar-Shalom et al. 2001, section 5.4.)
        """
        memory = self.memory
        gain = innovation.gain[:2]
        pull = (t, gain @ innovation.measurement.residual, gain @ innovation.cross[:2].T)
        memory.pulls = (*(old for old in memory.pulls if t - old[0] < PULL_S[-1]), pull)
        if memory.pulling:
            memory.pulled = memory.pulled + pull[1]
        else:
            pulled = self._pulled(t)
            if pulled is None:
                return
            memory.pulling, memory.pulled = True, pulled
        ahead, aside = (self.filter.base_attitude[:2, :2].T @ memory.pulled).tolist()
        if abs(aside) > abs(ahead):  # no slip goes sideways
            memory.doubts["gnss"] = Doubt(t, memory.pulled, self.params.gnss.doubt)
        else:
            memory.slipped = min(float(np.hypot(ahead, aside)), SLIPPED_MAX)

    def _trust_pull(self) -> None:
        """The corrections were right, or have been undone."""
        memory = self.memory
        memory.pulling, memory.creeping, memory.pulls, memory.slipped = False, False, (), 0.0

    def _pulled(self, t: float) -> Array | None:
        """Sum (2,) in m of the corrections over the shortest time for which it is too large, if there is any."""
        total: Array = np.zeros(2)
        variance: Array = np.zeros((2, 2))
        windows = list(PULL_S)
        for when, pull, covariance in reversed(self.memory.pulls):
            if t - when > windows[0]:
                windows.pop(0)
                if self._too_large(total, variance):
                    return total
            total, variance = total + pull, variance + covariance
        return total if self._too_large(total, variance) else None

    def _too_large(self, total: Array, variance: Array) -> bool:
        if float(np.hypot(*total)) < PULL_MIN:
            return False
        return float(total @ np.linalg.solve(variance, total)) > PULL_LIMIT

    def _compare_at_rest(self, t: float, antenna: Array, sigma: float) -> None:
        """Fixes that stay while the robot stands have not walked before: it was slip."""
        memory = self.memory
        if not memory.still:
            memory.still_fix = None
        elif memory.still_fix is None:
            memory.still_fix = (t, antenna)
        elif t - memory.still_fix[0] >= STEADY_S:
            moved = float(np.hypot(*(antenna - memory.still_fix[1])[:2]))
            if moved < RETURN_SIGMAS * sigma and memory.slipped > 0.0:
                self._trust_pull()

    def _open(self, states: slice, variance: float) -> None:
        added = np.zeros(STATES)
        added[states] = variance
        self.filter.inflate(added)

    def _describe(self, fix: GnssFix) -> Array:
        """Tell the filter how the fix errs; returns the white part (3, 3) of its covariance."""
        memory, params = self.memory, self.params.gnss
        covariance = self._believed(fix)
        share = params.correlated_share
        renew = fix.status != memory.used_status
        variance = tuple((share * np.diag(covariance)).tolist())
        if renew or variance != memory.used_covariance:
            self.filter.set_aiding(GNSS_ERROR, np.array(variance), params.correlation_time, renew=renew)
            memory.used_status, memory.used_covariance = fix.status, variance
        return np.asarray((1.0 - share) * covariance)

    def _believed(self, fix: GnssFix) -> Array:
        """The fix's covariance (3, 3) with its variances raised to the floors of its status; a multiple of those if it has none."""
        floor = self._floors[fix.status]
        shape = np.array([floor, floor, VERTICAL_RATIO * floor]) ** 2
        covariance = np.array(fix.covariance, dtype=float)
        if not covariance_known(covariance):
            return np.diag(self.params.gnss.unknown_factor**2 * shape)
        return np.asarray(covariance + np.diag(np.maximum(shape - np.diag(covariance), 0.0)))

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

    def _use_wheels(self, sample: WheelSample) -> None:
        memory, filter_ = self.memory, self.filter
        interval, memory.wheels_t = min(sample.t - memory.wheels_t, WHEELS_FRESH_S), sample.t
        if abs(sample.speed) > WHEEL_QUIET or abs(sample.yaw_rate) > WHEEL_QUIET:
            memory.wheels_moved_t = sample.t
            memory.still = False
        if memory.still:
            return  # the zero velocity of the standstill says more
        innovation = filter_.compare(models.wheels(filter_, self._base, sample.speed, self.params.wheel))
        refusals = memory.gates.get("wheel", Refusals())
        measurement = innovation.measurement
        if self._gate.passes(innovation):
            filter_.apply(innovation)
            good = True
        else:  # one of the two may still hold
            good = self._try(Measurement(measurement.residual[:1], measurement.h[:1], measurement.noise[:1, :1]))
            self._try(Measurement(measurement.residual[1:], measurement.h[1:], measurement.noise[1:, 1:]))
        memory.gates["wheel"] = refusals.after(sample.t, good)
        self._judge_slip(sample.t, memory.gates["wheel"].lasting(sample.t) > SLIPPERY_S)
        slip = abs(float(filter_.aiding[models.SLIPPING]))
        if memory.creeping and slip > self.params.wheel.slip_doubt:
            memory.slipped = min(memory.slipped + slip * abs(sample.speed) * interval, SLIPPED_MAX)

    def _judge_slip(self, t: float, contradicting: bool) -> None:
        """Tracks that slip more than grip allows say little of the speed until they grip again."""
        memory, params = self.memory, self.params.wheel
        slip = abs(float(self.filter.aiding[models.SLIPPING]))
        if contradicting or slip > params.slip_doubt:
            memory.grip_t = t
        slippery = t - memory.grip_t < GRIP_S
        if slippery and not memory.slippery:
            # Slip that begins at once is felt by the accelerometers. Otherwise only the fixes tell of it, and they may walk.
            memory.creeping = not contradicting
            self.filter.set_aiding(SLIP, SLIPPERY_SIGMA**2, SLIPPERY_TIME, renew=False)
            self._open(SLIP, SLIPPERY_SIGMA**2)
        elif memory.slippery and not slippery:
            self.filter.set_aiding(SLIP, params.slip_sigma**2, params.slip_time, renew=True)
        memory.slippery = slippery

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
            self._weighed, self._pose_covariance = filter_.recent_covariance, models.pose_covariance(filter_, self._base)
        covariance = self._pose_covariance.copy()
        covariance[(0, 1), (0, 1)] += memory.doubts["gnss"].variance(memory.t) + memory.slipped**2
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
        if memory.slipped > 0.0 or memory.pulling:
            return "GNSS fixes pull the position away: they walk, or the tracks slip; a stop will tell"
        for name, label in (("gnss", "fixes"), ("heading", "heading")):
            doubt = memory.doubts[name]
            if doubt.variance(t) > 1e-4:
                return f"gave in to contradicting GNSS {label} {t - doubt.t:.0f} s ago"
        return ""
