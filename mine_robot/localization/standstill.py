"""Tells whether the inertial signals are quiet, and how noisy they are."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from mine_robot.core.types import Array
from mine_robot.localization.params import ImuNoise, Standstill

NOISE_TIME_S = 2.0  # the noise is averaged over about this time
LOOK_S = 0.05
SAMPLES_MIN = 5
SETTLED = 50  # samples after which a first estimate of the noise is usable


class Quiet:
    """Looks over a sliding window whether the inertial signals are quiet; looked at every :data:`LOOK_S`."""

    def __init__(self, params: Standstill) -> None:
        self._params = params
        self.clear()

    def clear(self) -> None:
        """Forget the signals, after a pause of them."""
        self._samples: deque[tuple[float, ...]] = deque()
        self._looked_t = -math.inf
        self._mean: Array | None = None

    def add(self, t: float, rate: Array, force: Array) -> Array | None:
        """Take a sample: ``rate`` (3,) rad/s and ``force`` (3,) m/s².

        Returns the mean rate (3,) over the window if both signals were quiet throughout, else None.
        """
        self._samples.append((t, *rate.tolist(), *force.tolist()))
        if t - self._looked_t > LOOK_S - 1e-3:
            self._looked_t = t
            self._mean = self._look(t)
        return self._mean

    def _look(self, t: float) -> Array | None:
        params, samples = self._params, self._samples
        while samples[0][0] < t - params.window - 1e-6:
            samples.popleft()
        if len(samples) < SAMPLES_MIN or t - samples[0][0] < 0.9 * params.window:
            return None
        signals = np.array(samples)
        signals -= signals[0]
        spread = signals.std(axis=0)
        if spread[1:4].max() > params.rate or spread[4:].max() > params.force:
            return None
        return np.asarray(signals[:, 1:4].mean(axis=0) + samples[0][1:4])


class NoiseMeter:
    """Noise densities of the inertial signals from their second differences, in which motion hardly shows.

    For white noise of variance s² a sample, the second difference has variance 6 s².
    """

    def __init__(self, params: ImuNoise) -> None:
        self._params = params
        self._before: list[float] | None = None
        self._last: list[float] | None = None
        self._gyro = self._accel = 0.0  # variance a sample and axis
        self._dt = 0.01
        self._count = 0

    def add(self, dt: float, rate: Array, force: Array) -> tuple[float, float]:
        """Take a sample ``dt`` s after the last; returns the densities of gyroscope and accelerometer to reckon with."""
        params = self._params
        signal = rate.tolist() + force.tolist()
        if self._before is not None and self._last is not None:
            gain = max(min(dt / NOISE_TIME_S, 0.2), 1.0 / (1.0 + self._count))
            self._count += 1
            squares = [(new - 2.0 * last + old) ** 2 for new, last, old in zip(signal, self._last, self._before)]
            self._gyro += gain * ((squares[0] + squares[1] + squares[2]) / 18.0 - self._gyro)
            self._accel += gain * ((squares[3] + squares[4] + squares[5]) / 18.0 - self._accel)
            self._dt += gain * (dt - self._dt)
        self._before, self._last = self._last, signal
        if self._count < SETTLED:
            return params.gyro_noise, params.accel_noise
        factor = params.measured_noise * math.sqrt(self._dt)
        gyro, accel = factor * math.sqrt(self._gyro), factor * math.sqrt(self._accel)
        return max(params.gyro_noise, gyro), max(params.accel_noise, accel)

    def clear(self) -> None:
        """The next sample does not follow the last."""
        self._before = self._last = None
