"""Notices an inertial unit whose axes are not those of the robot description, before and while it is relied on."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from mine_robot.core.types import Array, HeadingFix, WheelSample, wrap_angle

GRAVITY_RANGE = (8.8, 10.8)  # m/s²; gravity anywhere on earth with the scale and bias of a poor unit
UPRIGHT = 0.7  # share of gravity along z: tilted by 45 degrees
FORGET_S = 60.0
TURNS_MIN = 0.3  # rad²/s of turning seen before the gyroscopes are judged
PUSHES_MIN = 0.5  # m²/s³ of acceleration seen before the accelerometers are judged
GAIN_MIN, SIZE_MIN = 0.3, 0.5  # gains are one in a sound unit
WINDOW_S = 0.4
RATES_MAX = 100  # in a window; without an IMU none ends
AXES = ("x", "y", "z")


def gravity_problem(force: Array) -> str:
    """What is wrong with the mean specific ``force`` (3,) of a robot on the ground; empty if nothing is."""
    size = float(np.linalg.norm(force))
    if not GRAVITY_RANGE[0] < size < GRAVITY_RANGE[1]:
        return f"the accelerometer reads {size:.2f} m/s² on average, which is not gravity"
    if force[2] < UPRIGHT * size:
        axis = int(np.argmax(np.abs(force)))
        sign = "-" if force[axis] < 0.0 else ""
        return f"the accelerometer shows up along {sign}{AXES[axis]} of base_link: axes swapped, or imu_link is wrong"
    return ""


class AxisWatch:
    """Compares what the inertial unit shows of turns and pushes with what tracks and antennas show, by regression."""

    def __init__(self) -> None:
        self._turn: Array = np.zeros(3)  # rate integrated since the window began
        self._push: Array = np.zeros(3)
        self._seconds = 0.0
        self._speed: float | None = None
        self._rates: deque[float] = deque(maxlen=RATES_MAX)
        self._heading: HeadingFix | None = None
        self._heading_turn = 0.0
        self._heading_seconds = 0.0
        self._turns: Array = np.zeros(2)  # sums of reference times gyroscope, and of reference squared
        self._pushes: Array = np.zeros(7)  # weight, sums of a, fx, fy, a², a fx, a fy

    def add_imu(self, dt: float, rate: Array, force: Array) -> None:
        """Take a sample along the axes of ``base_link``."""
        self._turn, self._push = self._turn + rate * dt, self._push + force * dt
        self._seconds += dt
        self._heading_turn += float(rate[2]) * dt
        self._heading_seconds += dt

    def add_wheels(self, sample: WheelSample) -> None:
        """Take what the tracks say."""
        self._rates.append(sample.yaw_rate)
        if self._seconds < WINDOW_S:
            return
        if self._speed is not None:
            seconds = self._seconds
            keep = math.exp(-seconds / FORGET_S)
            reference = float(np.mean(self._rates))
            self._learn_turn(reference, float(self._turn[2]) / seconds, seconds)
            a, (fx, fy) = (sample.speed - self._speed) / seconds, (self._push[:2] / seconds).tolist()
            self._pushes = keep * self._pushes + seconds * np.array([1.0, a, fx, fy, a * a, a * fx, a * fy])
        self._speed = sample.speed
        self._turn, self._push, self._seconds = np.zeros(3), np.zeros(3), 0.0
        self._rates.clear()

    def add_heading(self, heading: HeadingFix) -> None:
        """Take what the antennas say."""
        if self._heading is not None and self._heading_seconds < WINDOW_S:
            return
        if self._heading is not None:
            turned = wrap_angle(heading.yaw - self._heading.yaw)
            if abs(turned) > 10.0 * heading.sigma:
                seconds = self._heading_seconds
                self._learn_turn(turned / seconds, self._heading_turn / seconds, seconds)
        self._heading, self._heading_turn, self._heading_seconds = heading, 0.0, 0.0

    def _learn_turn(self, reference: float, measured: float, seconds: float) -> None:
        keep = math.exp(-seconds / FORGET_S)
        self._turns = keep * self._turns + seconds * np.array([reference * measured, reference * reference])

    @property
    def problem(self) -> str:
        """One line that says what does not fit; empty if nothing does."""
        product, square = self._turns.tolist()
        if square > TURNS_MIN and product < GAIN_MIN * square:
            return (
                f"the gyroscope shows {100.0 * product / square:.0f} % of the turns: axes swapped, or imu_link is wrong"
            )
        weight, a, fx, fy, aa, ax, ay = self._pushes.tolist()
        if weight <= 0.0:
            return ""
        spread = aa - a * a / weight
        if spread > PUSHES_MIN:
            ahead, aside = (ax - a * fx / weight) / spread, (ay - a * fy / weight) / spread
            if ahead < GAIN_MIN and math.hypot(ahead, aside) > SIZE_MIN:
                return (
                    "the accelerometer shows the robot's pushes along another axis: axes swapped, or imu_link is wrong"
                )
        return ""
