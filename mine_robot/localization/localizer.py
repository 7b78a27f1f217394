"""Localisation: sensor samples in, pose of ``base_link`` out."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

import numpy as np

from mine_robot.core.geodesy import Datum, normal_gravity
from mine_robot.core.limits import Limits
from mine_robot.core.robot import Robot
from mine_robot.core.types import (
    Array,
    FixStatus,
    GnssFix,
    HeadingFix,
    Health,
    ImuSample,
    NavState,
    WheelSample,
    wrap_angle,
)
from mine_robot.localization import models
from mine_robot.localization.alignment import Alignment, Start
from mine_robot.localization.checks import ImuCheck, fix_problem, heading_problem, wheel_problem
from mine_robot.localization.filter import (
    GNSS_ERROR,
    HEADING_ERROR,
    POSITION,
    SLIP,
    STATES,
    VELOCITY,
    ErrorStateFilter,
    Innovation,
    attitude_from_level,
    rpy_from_attitude,
)
from mine_robot.localization.gating import Doubt, Gate
from mine_robot.localization.health import Condition, Notices, assess
from mine_robot.localization.history import PoseHistory
from mine_robot.localization.params import LocalizationParams
from mine_robot.localization.standstill import StandstillDetector

SIMULTANEOUS_S = 0.006  # a measurement this far ahead of an IMU sample at 100 Hz belongs to it
GRID_TOLERANCE_S = 1e-3
PENDING_MAX = 50
FUTURE_MAX_S = 60.0  # a time stamp further ahead of the IMU is taken for nonsense
VERTICAL_RATIO = 1.5  # vertical floor of a GNSS sigma in units of the horizontal one
CONTRADICTION_S = 1.0  # so long refusals of one kind are outliers, later they are a contradiction
START_POSITION, START_YAW, START_TILT = 10.0, 0.5, 0.1  # m, rad, rad: priors that the first measurements replace
BRIDGED_ACCELERATION, BRIDGED_RATE = 1.0, 0.3  # m/s², rad/s: what a robot may do unseen while the IMU pauses


class Localizer:
    """Aligns at standstill, then navigates; every refusal and doubt shows in :meth:`health`.

    Measurements may come in any order relative to the IMU: early ones wait for it, late ones are compared with the pose of their time.
    """

    def __init__(self, params: LocalizationParams, limits: Limits, robot: Robot, datum: Datum) -> None:
        self._params, self._limits, self._robot, self._datum = params, limits, robot, datum
        self._to_base = np.asarray(robot.imu_rotation)
        self._base = -np.asarray(robot.imu)  # lever arms from the IMU
        self._antenna = np.asarray(robot.gnss) - robot.imu
        self._floors = {
            FixStatus.SINGLE: params.gnss.single_floor,
            FixStatus.FLOAT: params.gnss.float_floor,
            FixStatus.FIXED: params.gnss.fixed_floor,
        }
        self._notices = Notices()
        self._check = ImuCheck()
        self._t = -math.inf
        self._last_fix_t = -math.inf  # last usable
        self._last_status: FixStatus | None = None  # last received
        self._realign()

    def _realign(self) -> None:
        """Forget the state and wait for a start."""
        params = self._params
        self._filter = ErrorStateFilter(params.imu, normal_gravity(self._datum.latitude, self._datum.height))
        self._alignment = Alignment(params)
        self._standstill = StandstillDetector(params.standstill)
        self._gates = {
            name: Gate(params.gate_probability, degrees)
            for name, degrees in (("gnss", 3), ("heading", 1), ("wheel", 1), ("sideslip", 2), ("standstill", 6))
        }
        self._history = PoseHistory(params.max_age)
        self._pending: deque[tuple[float, Callable[[], None]]] = deque(maxlen=PENDING_MAX)
        self._used_status: FixStatus | None = None
        self._doubts = {"gnss": Doubt(), "heading": Doubt()}
        self._rate_sum: Array = np.zeros(3)
        self._rate_count = 0
        self._still = False
        self._head_sigma = self._yaw_sigma = math.inf
        self.aligned = False

    # --- inputs ------------------------------------------------------------------------------------------------------
    def add_imu(self, sample: ImuSample) -> NavState | None:
        """Advance to the sample; returns the estimate where the output grid is reached, None before the start."""
        problem = self._check.problem(sample)
        if problem is not None:
            self._complain("imu", sample.t, problem)
            if self._check.clock_restarted:
                self._restart_clock(sample.t)
            return None
        rate, force = self._to_base @ sample.rate, self._to_base @ sample.force
        dt, before = sample.t - self._t, self._t
        self._t = sample.t
        if dt > self._params.imu.gap_max:
            self._resume(dt)
        self._standstill.add_imu(sample.t, rate, force)
        on_grid = self._on_grid(before, sample.t)
        if not self.aligned:
            self._align(sample.t, rate, force, on_grid)
            return None
        self._filter.predict(rate, force, dt)
        self._rate_sum, self._rate_count = self._rate_sum + rate, self._rate_count + 1
        if on_grid:
            self._hold_still()
        self._history.add(self._pose_now())
        self._use_pending()
        if not on_grid:
            return None
        doubt = (self._doubts["gnss"].variance(sample.t), self._doubts["heading"].variance(sample.t))
        state = models.nav_state(self._filter, sample.t, self._base, *doubt)
        self._head_sigma, self._yaw_sigma = state.sigma_at(self._robot.sweep_ahead), state.sigma_yaw
        return state

    def add_fix(self, fix: GnssFix) -> None:
        """Take a GNSS fix; an unusable one is refused and shows in :meth:`health`."""
        problem = fix_problem(fix)
        if problem is None and fix.t == self._last_fix_t:
            problem = "GNSS fix repeats a time stamp"
        if problem is not None or not self._in_time("gnss", fix.t, "GNSS fix"):
            self._last_status = FixStatus.NONE if fix.status == FixStatus.NONE else self._last_status
            if problem is not None:
                self._complain("gnss", fix.t, problem)
            return
        self._last_status, self._last_fix_t = fix.status, max(fix.t, self._last_fix_t)
        self._alignment.add_fix(fix)
        self._enqueue(fix.t, lambda: self._use_fix(fix))

    def add_heading(self, heading: HeadingFix) -> None:
        """Take a dual-antenna heading."""
        problem = heading_problem(heading)
        if problem is not None:
            self._complain("heading", heading.t, problem)
        elif self._in_time("heading", heading.t, "GNSS heading"):
            self._alignment.add_heading(heading)
            self._enqueue(heading.t, lambda: self._use_heading(heading))

    def add_wheels(self, sample: WheelSample) -> None:
        """Take a sample of the track encoders."""
        problem = wheel_problem(sample)
        if problem is not None:
            self._complain("wheel", sample.t, problem)
        elif self._in_time("wheel", sample.t, "wheel odometry"):
            self._standstill.add_wheels(sample)
            self._enqueue(sample.t, lambda: self._use_wheels(sample))

    def health(self, t: float) -> Health:
        """Health at time ``t`` of the stack's clock."""
        params = self._params
        fix_age = t - self._last_fix_t
        condition = Condition(
            aligned=self.aligned,
            waiting=self._alignment.waiting,
            imu_age=t - self._t,
            imu_gap_max=params.imu.gap_max,
            rtk=self._rtk(fix_age),
            fix_age=fix_age,
            fix_timeout=params.gnss.timeout,
            sigma=self._head_sigma,
            sigma_max=self._limits.position_sigma_max,
            lost_factor=params.lost_factor,
            heading_sigma=self._yaw_sigma,
            contradiction=self._contradiction(),
        )
        return assess(condition, self._notices.fresh(t))

    # --- start and interruptions -------------------------------------------------------------------------------------
    def _align(self, t: float, rate: Array, force: Array, on_grid: bool) -> None:
        if on_grid:
            self._still = self._standstill.still(None)
        start = self._alignment.add_imu(t, rate, force, self._still)
        if start is not None:
            self._start(start)

    def _start(self, start: Start) -> None:
        """Take the level and the first fixes as measurements of a filter that knows next to nothing: correlations come out right."""
        params, noise = self._params, self._params.imu
        sigmas = np.repeat(
            [START_POSITION, params.standstill.velocity_sigma, START_TILT, noise.gyro_bias, noise.accel_bias], 3
        )
        self._filter.set_coloured(SLIP, params.wheel.slip_sigma**2, params.wheel.slip_time, renew=True)
        self._filter.start(attitude_from_level(start.force, start.heading.yaw), np.zeros(3), sigmas)
        self._filter.inflate_yaw(START_YAW**2)
        self._pending.clear()
        mean_sigma = params.standstill.velocity_sigma  # m/s² here: residual motion of the robot while it was levelled
        self._filter.apply(self._filter.compare(models.level(self._filter, start.force, mean_sigma)))
        rate_sigma = noise.gyro_noise * math.sqrt(100.0 / start.samples)
        still = models.standstill(self._filter, start.rate, rate_sigma, params.standstill)
        self._filter.apply(self._filter.compare(still))
        self._use_fix(start.fix, first=True)
        self._use_heading(start.heading, first=True)
        self.aligned = True

    def _resume(self, gap: float) -> None:
        """After a pause of the IMU: bridge a short one, start anew after a long one."""
        self._standstill.clear()
        if not math.isfinite(gap):
            return
        self._notices.add("gap", self._t, f"the IMU paused for {gap:.2f} s")
        if gap > self._params.imu.gap_bridged or not self.aligned:
            self._realign()
            return
        variance = np.zeros(STATES)
        variance[VELOCITY] = (BRIDGED_ACCELERATION * gap) ** 2
        variance[POSITION] = (0.5 * BRIDGED_ACCELERATION * gap**2) ** 2
        self._history = PoseHistory(self._params.max_age)  # a fix from before says little about the pose after
        self._filter.inflate(variance)
        self._filter.inflate_yaw((BRIDGED_RATE * gap) ** 2)

    def _restart_clock(self, t: float) -> None:
        self._check.accept_clock()
        self._notices = Notices()
        self._notices.add("imu", t, "the clock was set back: aligning again")
        self._t = self._last_fix_t = -math.inf
        self._realign()

    # --- use of measurements -----------------------------------------------------------------------------------------
    def _in_time(self, kind: str, t: float, label: str) -> bool:
        """Whether a measurement is near enough to the IMU's time."""
        if math.isfinite(self._t) and abs(t - self._t) > self._params.max_age:
            what = "old" if t < self._t else "ahead of the IMU"
            self._complain(kind, t, f"{label} is {abs(t - self._t):.2f} s {what}")
            return False
        return True

    def _complain(self, kind: str, t: float, message: str) -> None:
        """Note why a measurement of time ``t`` was refused; its own time may be what is wrong with it."""
        near = math.isfinite(t) and (not math.isfinite(self._t) or 0.0 <= t - self._t < FUTURE_MAX_S)
        self._notices.add(kind, t if near else self._t, message)

    def _enqueue(self, t: float, use: Callable[[], None]) -> None:
        if not self.aligned:
            return
        self._pending.append((t, use))
        self._use_pending()

    def _use_pending(self) -> None:
        """Use what belongs to the time of the IMU or before, oldest first."""
        due = [item for item in self._pending if item[0] <= self._t + SIMULTANEOUS_S]
        if not due:
            return
        waiting = [item for item in self._pending if item[0] > self._t + SIMULTANEOUS_S]
        self._pending.clear()
        self._pending.extend(waiting)
        for _, use in sorted(due, key=lambda item: item[0]):
            use()

    def _use_fix(self, fix: GnssFix, first: bool = False) -> None:
        params = self._params.gnss
        covariance = self._believed(fix)
        renew = fix.status != self._used_status
        self._used_status = fix.status
        share = params.correlated_share
        self._filter.set_coloured(GNSS_ERROR, share * np.diag(covariance), params.correlation_time, renew=renew)
        antenna = self._datum.to_map(fix.longitude, fix.latitude, fix.height)
        white = (1.0 - share) * covariance
        if first:
            self._filter.position = antenna - self._filter.attitude @ self._antenna
        at = self._pose_now() if first else self._pose_at(fix.t)
        if at is None:
            return  # taken while the IMU paused
        innovation = self._filter.compare(models.gnss_position(self._filter, at, self._antenna, antenna, white))
        gate = self._gates["gnss"]
        if first or gate.passes(innovation, fix.t):
            self._correct(innovation)
        elif gate.refusing(fix.t) >= params.recovery:
            variance = np.zeros(STATES)
            variance[POSITION] = START_POSITION**2
            self._filter.inflate(variance)
            self._give_in("gnss", float(np.linalg.norm(innovation.measurement.residual[:2])))
            self._correct(self._filter.compare(innovation.measurement))

    def _give_in(self, kind: str, jump: float) -> None:
        """Follow measurements that insisted, but doubt them by as much as they differed: who was wrong is not known."""
        self._gates[kind].reset()
        self._doubts[kind] = Doubt(self._t, jump, self._params.gnss.correlation_time)

    def _believed(self, fix: GnssFix) -> Array:
        """The fix's covariance (3, 3) with its variances raised to the floors of its status."""
        floor = self._floors[fix.status]
        covariance = np.array(fix.covariance, dtype=float)
        low = np.array([floor, floor, VERTICAL_RATIO * floor]) ** 2
        return np.asarray(covariance + np.diag(np.maximum(low - np.diag(covariance), 0.0)))

    def _use_heading(self, heading: HeadingFix, first: bool = False) -> None:
        params = self._params.heading
        variance = max(heading.sigma, params.floor) ** 2
        self._filter.set_coloured(
            HEADING_ERROR, params.correlated_share * variance, params.correlation_time, renew=first
        )
        sigma = math.sqrt((1.0 - params.correlated_share) * variance)
        at = self._pose_now() if first else self._pose_at(heading.t)
        if at is None:
            return
        innovation = self._filter.compare(models.heading(self._filter, at, heading.yaw, sigma))
        gate = self._gates["heading"]
        if first or gate.passes(innovation, heading.t):
            self._correct(innovation)
        elif gate.refusing(heading.t) >= self._params.gnss.recovery:
            self._filter.inflate_yaw(START_YAW**2)
            self._give_in("heading", abs(float(innovation.measurement.residual[0])))
            self._correct(self._filter.compare(innovation.measurement))

    def _use_wheels(self, sample: WheelSample) -> None:
        if self._still:
            return  # the zero velocity of the standstill says more
        noise = self._params.wheel
        for name, measurement in (
            ("wheel", models.wheel_speed(self._filter, self._base, sample.speed, noise)),
            ("sideslip", models.no_sideslip(self._filter, self._base, noise)),
        ):
            innovation = self._filter.compare(measurement)
            if self._gates[name].passes(innovation, sample.t):
                self._correct(innovation)

    def _hold_still(self) -> None:
        """At standstill the velocity is zero and the mean rate is bias."""
        self._still = self._standstill.still(self._filter.gyro_bias)
        rate, count = self._rate_sum / self._rate_count, self._rate_count
        self._rate_sum, self._rate_count = np.zeros(3), 0
        if self._still:
            sigma = self._params.imu.gyro_noise * math.sqrt(100.0 / count)
            innovation = self._filter.compare(models.standstill(self._filter, rate, sigma, self._params.standstill))
            if self._gates["standstill"].passes(innovation, self._t):
                self._correct(innovation)

    def _correct(self, innovation: Innovation) -> None:
        """Apply, and note how far the pose moved, so that past poses can follow."""
        position, yaw = self._filter.position, rpy_from_attitude(self._filter.attitude)[2]
        self._filter.apply(innovation)
        turn = wrap_angle(rpy_from_attitude(self._filter.attitude)[2] - yaw)
        self._history.correct(self._filter.position - position, turn)

    def _pose_now(self) -> models.PastPose:
        return models.PastPose(self._t, self._filter.position, self._filter.attitude)

    def _pose_at(self, t: float) -> models.PastPose | None:
        """Pose of the IMU at ``t`` as the filter sees it now: the predicted one with all corrections since."""
        return self._history.at(t) if t < self._t - SIMULTANEOUS_S else self._pose_now()

    # --- output ------------------------------------------------------------------------------------------------------
    def _on_grid(self, before: float, t: float) -> bool:
        rate = self._params.output_rate
        index = math.floor((t + GRID_TOLERANCE_S) * rate)
        return not math.isfinite(before) or index > math.floor((before + GRID_TOLERANCE_S) * rate)

    def _rtk(self, fix_age: float) -> str:
        if self._last_status in (None, FixStatus.NONE):
            return "none"
        if fix_age > self._params.gnss.timeout:
            return "stale"
        return self._last_status.name.lower()

    def _contradiction(self) -> str:
        for name, label in (("gnss", "GNSS fixes contradict"), ("heading", "GNSS heading contradicts")):
            refusing = self._gates[name].refusing(self._t)
            if refusing > CONTRADICTION_S:
                return f"{label} the inertial solution for {refusing:.1f} s"
        for name, label in (("gnss", "fixes"), ("heading", "heading")):
            since = self._t - self._doubts[name].t
            if since < self._params.gnss.recovery:
                return f"gave in to contradicting GNSS {label} {since:.1f} s ago"
        return ""
