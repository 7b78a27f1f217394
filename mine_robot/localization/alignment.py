"""Where the filter starts from.

Two ways, whichever comes first: a standstill gives level and gyroscope bias, and a heading sensor the heading; or the first metres give
everything, because a vehicle moves along its axis: its track in ``map`` and the same track in the frame of the gyroscopes differ by one
rotation about the vertical (one-step heading alignment from the course; Groves 2013, section 5.6.2 and 14.1). That needs no rest.
"""

from __future__ import annotations

import cmath
import math
from collections import deque
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mine_robot.core.geodesy import Datum
from mine_robot.core.types import Array, GnssFix, HeadingFix, WheelSample
from mine_robot.localization.filter import attitude_from_level, exact_rotation
from mine_robot.localization.memory import ImuStep
from mine_robot.localization.params import LocalizationParams

WINDOW_S = 60.0  # older motion is forgotten: the gyroscopes drift
SPAN_S = 1.0  # how late a fix may come and still find the attitude of its time
DIRECTION_SIGMA = 0.02  # rad; sideslip and mounting, which no course shows
COURSE_SIGMA_MAX = 0.2  # rad; more would be beyond what a linearised filter can take
SPEED_SIGMA, TILT_SIGMA = 0.3, 0.02  # m/s, rad
STEPS_MIN = 3


@dataclass(frozen=True)
class Start:
    """Attitude (3, 3) and velocity (3,) in ``map`` at ``t``, their sigmas, and the fix to start from.

    ``rest`` holds mean force and mean rate (3,) and the time in s of a standstill, if there was one.
    """

    t: float
    attitude: Array
    velocity: Array
    yaw_sigma: float
    tilt_sigma: float
    speed_sigma: float
    fix: GnssFix
    heading: HeadingFix | None
    bias: Array
    bias_sigma: float
    rest: tuple[Array, Array, float] | None = None


@dataclass(frozen=True)
class _Passing:
    """The unit at ``t`` in its frame of the beginning: attitude (3, 3), integral of the specific force (3,), way along its axis."""

    t: float
    attitude: Array
    pushed: Array


@dataclass(frozen=True)
class _Place:
    """A fix in ``map`` with what the unit did until then, and the direction in which the tracks turned."""

    fix: GnssFix
    position: Array
    passing: _Passing
    direction: float


class Alignment:
    """Collects what a start needs."""

    def __init__(self, params: LocalizationParams, datum: Datum, antenna: Array) -> None:
        self._params, self._datum, self._antenna = params, datum, antenna
        self._t = -math.inf
        self._fix: GnssFix | None = None
        self._heading: HeadingFix | None = None
        self._rest_since: float | None = None
        self._rest_force: Array = np.zeros(3)
        self._rest_rate: Array = np.zeros(3)
        self._rest_samples = 0
        self._bias: Array = np.zeros(3)
        self._bias_sigma = params.imu.gyro_bias
        self._direction = 1.0
        self._looked = False
        self._steps: deque[ImuStep] = deque()
        self._restart()

    def _restart(self) -> None:
        self._attitude: Array = np.eye(3)
        self._pushed: Array = np.zeros(3)
        self._passings: deque[_Passing] = deque()
        self._places: deque[_Place] = deque()

    # --- inputs ------------------------------------------------------------------------------------------------------
    def add_imu(self, step: ImuStep, still: bool) -> Start | None:
        """Take a sample; ``still`` says whether the robot stands. Returns a start once it can."""
        t = self._t = step.t
        self._integrate(step)
        if still:
            return self._rest(t, step.rate, step.force)
        if self._rest_since is not None and t - self._rest_since > self._params.align_time:
            self._bias, self._bias_sigma = self._rest_rate / self._rest_samples, 1e-4
            self._restart()
        self._rest_since, self._rest_samples = None, 0
        self._rest_force, self._rest_rate = np.zeros(3), np.zeros(3)
        return self._depart()

    def steps_after(self, t: float) -> list[ImuStep]:
        """The last inertial samples, from ``t`` on."""
        return [step for step in self._steps if step.t > t]

    def _integrate(self, step: ImuStep) -> None:
        half = exact_rotation((step.rate - self._bias) * (0.5 * step.dt))
        middle = self._attitude @ half
        self._pushed = self._pushed + middle @ step.force * step.dt
        self._attitude = middle @ half
        self._passings.append(_Passing(step.t, self._attitude, self._pushed))
        self._steps.append(step)
        for kept in (self._passings, self._steps):
            while kept[0].t < step.t - SPAN_S:
                kept.popleft()

    def add_fix(self, fix: GnssFix) -> None:
        """Take a usable fix."""
        self._fix, self._looked = fix, True
        if not self._passings or (self._places and fix.t <= self._places[-1].fix.t):
            return
        passing = min(self._passings, key=lambda item: abs(item.t - fix.t))
        position = self._datum.to_map(fix.longitude, fix.latitude, fix.height)
        self._places.append(_Place(fix, position, passing, self._direction))
        while self._places[-1].fix.t - self._places[0].fix.t > WINDOW_S:
            self._places.popleft()

    def add_heading(self, heading: HeadingFix) -> None:
        """Take a usable heading."""
        self._heading = heading

    def add_wheels(self, sample: WheelSample) -> None:
        """Take the direction of the tracks."""
        if sample.speed != 0.0:
            self._direction = math.copysign(1.0, sample.speed)

    # --- from rest ---------------------------------------------------------------------------------------------------
    def _rest(self, t: float, rate: Array, force: Array) -> Start | None:
        self._rest_since = t if self._rest_since is None else self._rest_since
        self._rest_force, self._rest_rate = self._rest_force + force, self._rest_rate + rate
        self._rest_samples += 1
        fix, heading = self._fix, self._heading
        timeout = self._params.gnss.timeout
        if fix is None or heading is None or max(abs(t - fix.t), abs(t - heading.t)) > timeout:
            return None
        seconds = t - self._rest_since
        if seconds < self._params.align_time:
            return None
        mean = self._rest_force / self._rest_samples, self._rest_rate / self._rest_samples
        attitude = attitude_from_level(mean[0], heading.yaw)
        speed_sigma = self._params.standstill.velocity_sigma
        bias_sigma = self._params.imu.gyro_bias
        return Start(
            t, attitude, np.zeros(3), 0.5, 0.1, speed_sigma, fix, heading, np.zeros(3), bias_sigma, (*mean, seconds)
        )

    # --- on the way --------------------------------------------------------------------------------------------------
    def _depart(self) -> Start | None:
        """A start from the motion so far, looked at with every new fix."""
        places = list(self._places)
        if not self._looked or len(places) < STEPS_MIN:
            return None
        self._looked = False
        first, last = places[0], places[-1]
        seconds = last.passing.t - first.passing.t
        if seconds <= 0.0:
            return None
        velocity = self._velocity(places[-STEPS_MIN:])
        change = (velocity - self._velocity(places[:STEPS_MIN])) / seconds
        mean_force = (last.passing.pushed - first.passing.pushed) / seconds
        attitude, course = self._turned_to_course(places, attitude_from_level(mean_force, 0.0), np.zeros((3, 3)))
        for _ in range(2):  # the level corrects the course, and the course the level
            level = attitude_from_level(mean_force - attitude.T @ change, 0.0)
            attitude, course = self._turned_to_course(places, level, attitude)
        sigma = self._course_sigma(abs(course), last.fix, seconds)
        if abs(course) < self._params.align_distance or sigma > COURSE_SIGMA_MAX:
            return None
        speed = velocity * np.array([1.0, 1.0, 0.0])
        tilt = TILT_SIGMA + float(np.linalg.norm(change)) / 10.0
        spread = SPEED_SIGMA + 0.1 * float(np.linalg.norm(speed))
        return Start(
            last.passing.t,
            attitude @ last.passing.attitude,
            speed,
            sigma,
            tilt,
            spread,
            last.fix,
            self._near_heading(),
            self._bias,
            self._bias_sigma,
        )

    def _near_heading(self) -> HeadingFix | None:
        heading = self._heading
        return heading if heading is not None and abs(self._t - heading.t) < self._params.gnss.timeout else None

    def _turned_to_course(self, places: list[_Place], level: Array, attitude: Array) -> tuple[Array, complex]:
        """Rotation (3, 3) from the frame of the beginning, which ``level`` (3, 3) levels, to ``map``, and the sum of all ways in
        ``map``, each turned back by its direction in the levelled frame.

        The sum's argument is the rotation sought, its size the way gone; noise at rest and in straight drives cancels out. The way that
        the antenna makes as the vehicle turns is taken off by a former ``attitude`` (3, 3).
        """
        course = 0j
        for before, after in pairwise(places):
            arm = (after.passing.attitude - before.passing.attitude) @ self._antenna
            ahead = level @ (before.passing.attitude[:, 0] + after.passing.attitude[:, 0]) * (0.5 * after.direction)
            way = after.position - before.position - attitude @ arm
            course += complex(way[0], way[1]) * complex(ahead[0], ahead[1]).conjugate()
        return (_turn(cmath.phase(course)) @ level if course else level), course

    def _velocity(self, places: list[_Place]) -> Array:
        """Mean velocity (3,) of the antenna in ``map`` over the places."""
        return np.asarray((places[-1].position - places[0].position) / (places[-1].fix.t - places[0].fix.t))

    def _course_sigma(self, way: float, fix: GnssFix, seconds: float) -> float:
        """Sigma in rad of the course over ``way`` m within ``seconds``."""
        if way <= 0.0:
            return math.inf
        variances = np.diag(np.asarray(fix.covariance, dtype=float))[:2]
        variance = float(variances.max()) if np.all(np.isfinite(variances)) else math.inf
        floor = {0: self._params.gnss.single_floor, 1: self._params.gnss.float_floor}.get(
            int(fix.status), self._params.gnss.fixed_floor
        )
        if not math.isfinite(variance) or variance <= 0.0:
            variance = (self._params.gnss.unknown_factor * floor) ** 2
        noise = math.sqrt(2.0 * max(variance, floor**2)) / way
        return math.sqrt(noise**2 + DIRECTION_SIGMA**2 + (0.5 * self._bias_sigma * seconds) ** 2)

    @property
    def waiting(self) -> str:
        """What is still missing; empty if nothing is."""
        missing = []
        params, t = self._params, self._t
        if self._rest_since is None or t - self._rest_since < params.align_time:
            missing.append("standstill")
        missing += [
            name
            for name, item in (("GNSS fix", self._fix), ("GNSS heading", self._heading))
            if item is None or abs(t - item.t) > params.gnss.timeout
        ]
        if missing == ["GNSS heading"]:
            missing = [f"GNSS heading, or for {params.align_distance:g} m or more driven on safe ground"]
        return f"waiting for {', '.join(missing)}" if missing else ""


def _turn(yaw: float) -> Array:
    cos, sin = math.cos(yaw), math.sin(yaw)
    return np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
