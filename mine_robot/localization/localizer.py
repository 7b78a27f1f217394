"""Localisation: sensor samples in, pose of ``base_link`` out."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from mine_robot.core.geodesy import Datum
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
)
from mine_robot.localization.alignment import Alignment, Start
from mine_robot.localization.axes import AxisWatch, gravity_problem
from mine_robot.localization.checks import (
    ImuCheck,
    covariance_known,
    distance_problem,
    fix_problem,
    heading_problem,
    wheel_problem,
)
from mine_robot.localization.filter import AIDING, LATENCY
from mine_robot.localization.fixes import START_POSITION
from mine_robot.localization.health import Condition, Notices, assess
from mine_robot.localization.memory import WHEELS_FRESH_S, ImuStep, Reading
from mine_robot.localization.navigator import Navigator
from mine_robot.localization.params import LocalizationParams
from mine_robot.localization.standstill import NoiseMeter, Quiet
from mine_robot.localization.timeline import PENDING_MAX, Timeline

R = TypeVar("R", GnssFix, HeadingFix, WheelSample)
GRID_TOLERANCE_S = 1e-3
FUTURE_MAX_S = 60.0  # a time stamp further ahead of the IMU is taken for nonsense
GRAVITY_TIME_S = 2.0  # gravity is averaged over about this time
PERIODS_MAX = 3.5  # a slow IMU pauses when so many of its periods pass without a sample


class Localizer:
    """Aligns, then navigates; every refusal and doubt shows in :meth:`health`.

    Measurements may come in any order: early ones wait for the IMU, late ones (up to ``max_age``) are used at their own time.
    """

    def __init__(self, params: LocalizationParams, limits: Limits, robot: Robot, datum: Datum) -> None:
        self._params, self._limits, self._robot, self._datum = params, limits, robot, datum
        self._to_base = np.asarray(robot.imu_rotation)
        self._head = robot.sweep_ahead
        self._reach = max((float(np.hypot(*patch.corners.T).max()) for patch in robot.contact_patches), default=0.0)
        self._notices = Notices()
        self._check = ImuCheck()
        self._t = -math.inf
        self._last_fix_t = -math.inf  # last usable
        self._last_status: FixStatus | None = None  # last received
        self._realign()

    def _realign(self) -> None:
        """Forget the state and wait for a start."""
        params, robot = self._params, self._robot
        self._navigator = Navigator(params, robot, self._datum)
        self._timeline = Timeline(self._navigator, params.max_age)
        self._alignment = Alignment(params, self._datum, np.asarray(robot.gnss) - robot.imu)
        self._quiet = Quiet(params.standstill)
        self._noise = NoiseMeter(params.imu)
        self._axes = AxisWatch()
        self._gravity: Array | None = None
        self._period = params.imu.gap_max / PERIODS_MAX
        self._wheels_t = self._moved_t = -math.inf
        self._early: list[Reading] = []
        self._state: NavState | None = None
        self.aligned = False

    # --- inputs ------------------------------------------------------------------------------------------------------
    def add_imu(self, sample: ImuSample) -> NavState | None:
        """Advance to the sample; returns the estimate where the output grid is reached, None before the start."""
        problem = self._check.problem(sample, sample.t - self._moved_t < WHEELS_FRESH_S)
        if problem is not None:
            self._complain("imu", sample.t, problem)
            if self._check.clock_restarted:
                self._restart_clock(sample.t)
            return None
        rate, force = self._to_base @ sample.rate, self._to_base @ sample.force
        dt, before = sample.t - self._t, self._t
        self._t = sample.t
        gap = dt > self._gap_max
        if gap:
            self._pause(dt)
        step = self._step(sample.t, dt if self.aligned or not gap else 0.0, rate, force, gap)
        if not self.aligned:
            self._align(step)
            return None
        self._timeline.add_step(step)
        if not self._on_grid(before, sample.t):
            return None
        self._state = self._navigator.state()
        return self._state

    def add_fix(self, fix: GnssFix) -> None:
        """Take a GNSS fix; an unusable one is refused and shows in :meth:`health`."""
        problem = fix_problem(fix) or distance_problem(self._datum.to_map(fix.longitude, fix.latitude, fix.height))
        if problem is None and fix.t == self._last_fix_t:
            problem = "GNSS fix repeats a time stamp"
        if problem is not None or not self._in_time("gnss", fix.t, "GNSS fix"):
            self._last_status = FixStatus.NONE if fix.status == FixStatus.NONE else self._last_status
            if problem is not None:
                self._complain("gnss", fix.t, problem)
            return
        if not covariance_known(fix.covariance):
            self._complain("covariance", fix.t, "GNSS covariance is not valid: a poor one is assumed")
        self._last_status, self._last_fix_t = fix.status, max(fix.t, self._last_fix_t)
        self._take(fix, self._alignment.add_fix)

    def add_heading(self, heading: HeadingFix) -> None:
        """Take a dual-antenna heading."""
        problem = heading_problem(heading)
        if problem is not None:
            self._complain("heading", heading.t, problem)
        elif self._in_time("heading", heading.t, "GNSS heading"):
            self._axes.add_heading(heading)
            self._take(heading, self._alignment.add_heading)

    def add_wheels(self, sample: WheelSample) -> None:
        """Take a sample of the track encoders."""
        problem = wheel_problem(sample)
        if problem is not None:
            self._complain("wheel", sample.t, problem)
        elif self._in_time("wheel", sample.t, "wheel odometry"):
            self._wheels_t = max(self._wheels_t, sample.t)
            if sample.speed != 0.0 or sample.yaw_rate != 0.0:
                self._moved_t = max(self._moved_t, sample.t)
            self._axes.add_wheels(sample)
            self._take(sample, self._alignment.add_wheels)

    def _take(self, reading: R, align: Callable[[R], None]) -> None:
        if self.aligned:
            self._timeline.add_reading(reading)
        else:
            align(reading)
            kept: list[Reading] = [item for item in self._early if item.t > self._t - self._params.max_age]
            self._early = [*kept, reading][-PENDING_MAX:]  # an IMU that never speaks makes none of them old

    @property
    def latency(self) -> float:
        """Estimated time in s by which the fixes are older than their stamps, on the IMU's clock."""
        return float(self._navigator.filter.aiding[LATENCY.start - AIDING.start])

    def health(self, t: float) -> Health:
        """Health at time ``t`` of the stack's clock."""
        params = self._params
        fix_age = t - self._last_fix_t
        state = self._state
        condition = Condition(
            aligned=self.aligned,
            waiting=self._alignment.waiting,
            imu_age=t - self._t,
            imu_gap_max=self._gap_max,
            rtk=self._rtk(fix_age),
            fix_age=fix_age,
            fix_timeout=params.gnss.timeout,
            sigma=state.sigma_at(self._head) if state else math.inf,
            sigma_wheels=state.sigma_at(self._reach) if state else math.inf,
            sigma_max=self._limits.position_sigma_max,
            lost_factor=params.lost_factor,
            heading_sigma=state.sigma_yaw if state else math.inf,
            heading_sigma_max=params.heading_sigma_max,
            axes=self._axes_problem,
            contradiction=self._navigator.contradiction() if self.aligned else "",
        )
        return assess(condition, self._notices.fresh(t))

    # --- start and interruptions -------------------------------------------------------------------------------------
    def _step(self, t: float, dt: float, rate: Array, force: Array, gap: bool) -> ImuStep:
        """The sample with what the signals say of themselves."""
        self._period += 0.05 * (min(dt, self._params.imu.gap_bridged) - self._period)
        gain = min(dt / GRAVITY_TIME_S, 1.0)
        self._gravity = force if self._gravity is None else self._gravity + gain * (force - self._gravity)
        self._axes.add_imu(dt, rate, force)
        gyro_noise, accel_noise = self._noise.add(dt, rate, force)
        quiet = self._quiet.add(t, rate, force)
        return ImuStep(t, dt, rate, force, gyro_noise, accel_noise, quiet, gap)

    @property
    def _gap_max(self) -> float:
        return max(self._params.imu.gap_max, PERIODS_MAX * self._period)

    @property
    def _axes_problem(self) -> str:
        if not self.aligned and self._gravity is not None:
            problem = gravity_problem(self._gravity)
            if problem:
                return problem
        return self._axes.problem

    def _align(self, step: ImuStep) -> None:
        still = step.quiet is not None
        if self._t - self._wheels_t < WHEELS_FRESH_S:
            still = still and self._t - self._moved_t > self._params.standstill.window
        elif step.quiet is not None:  # without tracks at rest to vouch for it, a turn is not taken for a bias
            still = float(np.abs(step.quiet).max()) < max(
                self._params.standstill.rate, 2.0 * self._params.imu.gyro_bias
            )
        start = self._alignment.add_imu(step, still)
        if start is not None and not self._axes_problem:
            self._start(start, step)

    def _start(self, start: Start, step: ImuStep) -> None:
        """Take level, fix and heading as measurements of a filter that knows next to nothing: correlations come out right."""
        params, navigator = self._params, self._navigator
        sigmas = np.repeat(
            [START_POSITION, start.speed_sigma, start.tilt_sigma, start.bias_sigma, params.imu.accel_bias], 3
        )
        navigator.start(start.t, start.attitude, start.velocity, sigmas, start.yaw_sigma)
        navigator.filter.gyro_bias = start.bias
        if start.rest is not None:
            force, rate, seconds = start.rest
            navigator.level(force, params.standstill.velocity_sigma)  # m/s² here: residual motion while it was levelled
            navigator.rest(rate, step.gyro_noise / math.sqrt(seconds))
        navigator.first_fix(start.fix)
        if start.heading is not None:
            navigator.first_heading(start.heading)
        self._timeline.start(start.t)
        self.aligned = True
        self._come_forward(start)

    def _come_forward(self, start: Start) -> None:
        """Come from the time of the start to now with what was kept."""
        for reading in self._early:
            if reading.t > start.t:
                self._timeline.add_reading(reading)
        self._early = []
        for step in self._alignment.steps_after(start.t):
            self._timeline.add_step(step)

    def _pause(self, gap: float) -> None:
        """After a pause of the IMU: a short one is bridged, after a long one start anew."""
        self._quiet.clear()
        self._noise.clear()
        if not math.isfinite(gap):
            return
        self._notices.add("gap", self._t, f"the IMU paused for {gap:.2f} s")
        if gap > self._params.imu.gap_bridged or not self.aligned:
            self._realign()

    def _restart_clock(self, t: float) -> None:
        self._check.accept_clock()
        self._notices = Notices()
        self._notices.add("imu", t, "the clock was set back: aligning again")
        self._t = self._last_fix_t = -math.inf
        self._realign()

    # --- bookkeeping -------------------------------------------------------------------------------------------------
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
