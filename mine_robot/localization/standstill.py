"""Tells whether the robot stands still, from the quiet of the inertial signals and the tracks."""

from __future__ import annotations

from collections import deque

import numpy as np

from mine_robot.core.types import Array, WheelSample
from mine_robot.localization.params import Standstill

WHEEL_QUIET = 2e-3  # m/s and rad/s: encoders at rest read zero
WHEEL_FRESH_S = 0.5


class StandstillDetector:
    """Looks back over a window; a turning track ends the standstill at once, quiet signals begin it only after the window."""

    def __init__(self, params: Standstill) -> None:
        self._params = params
        self._samples: deque[tuple[float, Array, Array]] = deque()
        self._wheel: WheelSample | None = None
        self._wheel_moved_t = -np.inf

    def clear(self) -> None:
        """Forget the inertial signals, after a pause of them."""
        self._samples.clear()

    def add_imu(self, t: float, rate: Array, force: Array) -> None:
        """Take a sample: ``rate`` (3,) rad/s and ``force`` (3,) m/s²."""
        self._samples.append((t, rate, force))
        while self._samples[0][0] < t - self._params.window - 1e-6:
            self._samples.popleft()

    def add_wheels(self, sample: WheelSample) -> None:
        """Take a finite sample of the track encoders."""
        self._wheel = sample
        if abs(sample.speed) > WHEEL_QUIET or abs(sample.yaw_rate) > WHEEL_QUIET:
            self._wheel_moved_t = sample.t

    def still(self, gyro_bias: Array | None) -> bool:
        """True if the robot stood still over the whole window.

        ``gyro_bias`` (3,) is taken off the rates; while it is not known (None), tracks at rest vouch for a rate that is not zero.
        """
        if len(self._samples) < 5:
            return False
        params, t = self._params, self._samples[-1][0]
        wheels_known = self._wheel is not None and t - self._wheel.t < WHEEL_FRESH_S
        if t - self._samples[0][0] < 0.9 * params.window or (wheels_known and t - self._wheel_moved_t < params.window):
            return False
        rates = np.array([sample[1] for sample in self._samples])
        if gyro_bias is not None or not wheels_known:
            mean = rates.mean(axis=0) - (0.0 if gyro_bias is None else gyro_bias)
            if np.abs(mean).max() > params.rate:
                return False
        forces = np.array([sample[2] for sample in self._samples])
        return bool(rates.std(axis=0).max() < params.rate and forces.std(axis=0).max() < params.force)
