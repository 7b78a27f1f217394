"""Tells whether the inertial signals are quiet, and how noisy they are."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from mine_robot.core.types import Array
from mine_robot.localization.params import ImuNoise, Standstill

NOISE_TIME_S = 2.0  # the noise is averaged over about this time
SAMPLES_MIN = 5
SETTLED = 50  # samples after which a first estimate of the noise is usable


class Quiet:
    """Mean and spread of the inertial signals over a sliding window, kept as running sums."""

    def __init__(self, params: Standstill) -> None:
        self._params = params
        self.clear()

    def clear(self) -> None:
        """Forget the signals, after a pause of them."""
        self._samples: deque[tuple[float, Array, Array]] = deque()
        self._sum: Array = np.zeros(6)
        self._squares: Array = np.zeros(6)
        self._origin: Array | None = None

    def add(self, t: float, rate: Array, force: Array) -> Array | None:
        """Take a sample: ``rate`` (3,) rad/s and ``force`` (3,) m/s².

        Returns the mean rate (3,) over the window if both signals were quiet throughout, else None.
        """
        signal = np.concatenate([rate, force])
        if self._origin is None:
            self._origin = signal
        shifted = signal - self._origin  # keeps the sums of squares small
        square = shifted * shifted
        self._samples.append((t, shifted, square))
        self._sum, self._squares = self._sum + shifted, self._squares + square
        start = t - self._params.window - 1e-6
        while self._samples[0][0] < start:
            _, old, old_square = self._samples.popleft()
            self._sum, self._squares = self._sum - old, self._squares - old_square
        count = len(self._samples)
        if count < SAMPLES_MIN or t - self._samples[0][0] < 0.9 * self._params.window:
            return None
        mean = self._sum / count
        variance = (self._squares / count - mean * mean).tolist()
        if max(variance[:3]) > self._params.rate**2 or max(variance[3:]) > self._params.force**2:
            return None
        return np.asarray(mean[:3] + self._origin[:3])


class NoiseMeter:
    """Noise densities of the inertial signals from their second differences, in which motion hardly shows.

    For white noise of variance s² a sample, the second difference has variance 6 s².
    """

    def __init__(self, params: ImuNoise) -> None:
        self._params = params
        self._before: tuple[Array, Array] | None = None
        self._last: tuple[Array, Array] | None = None
        self._gyro = self._accel = 0.0  # variance a sample and axis
        self._dt = 0.01
        self._count = 0

    def add(self, dt: float, rate: Array, force: Array) -> tuple[float, float]:
        """Take a sample ``dt`` s after the last; returns the densities of gyroscope and accelerometer to reckon with."""
        params = self._params
        if self._before is not None and self._last is not None:
            gain = max(min(dt / NOISE_TIME_S, 0.2), 1.0 / (1.0 + self._count))
            self._count += 1
            difference = rate - 2.0 * self._last[0] + self._before[0]
            self._gyro += gain * (float(difference @ difference) / 18.0 - self._gyro)
            difference = force - 2.0 * self._last[1] + self._before[1]
            self._accel += gain * (float(difference @ difference) / 18.0 - self._accel)
            self._dt += gain * (dt - self._dt)
        self._before, self._last = self._last, (rate, force)
        if self._count < SETTLED:
            return params.gyro_noise, params.accel_noise
        factor = params.measured_noise * math.sqrt(self._dt)
        return max(params.gyro_noise, factor * math.sqrt(self._gyro)), max(
            params.accel_noise, factor * math.sqrt(self._accel)
        )

    def clear(self) -> None:
        """The next sample does not follow the last."""
        self._before = self._last = None
