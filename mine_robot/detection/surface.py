"""The bounce of the ground's surface in a radar scan, followed from scan to scan, and the antennas' height that follows from it."""

from __future__ import annotations

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

from mine_robot.core.types import Array
from mine_robot.detection.params import LIGHT, GprParams
from mine_robot.detection.rows import median

SEARCH_M = 0.45  # largest height of the antennas at which the surface is looked for
FAINT = 0.25  # of the strongest echo: a weaker bounce is none
SURE_PICKS, LOOK_AGAIN = 10, 10  # the surface is followed; every tenth scan it is looked for again
BAND_NS = 0.4  # channels' surface delays differ by less


class Surface:
    """Follows the bounce of an array of ``channels``: ``picks`` (channels,) are its fractional samples, ``amplitude`` its signed size,
    ``height`` is that of the antennas above the ground in m."""

    def __init__(self, params: GprParams, channels: int) -> None:
        self._params, self._interval = params, params.sample_interval_ns
        self._centres: deque[float] = deque(maxlen=15)
        self._measured = 0
        self.picks: Array = np.zeros(channels)
        self.amplitude: Array = np.ones(channels)
        self.height = math.nan

    def measure(self, traces: Array, usable: NDArray[np.bool_]) -> float:
        """Take a scan (samples, channels); returns the height. ``usable`` (channels,) masks dead channels out."""
        self.picks, self.amplitude = self._find(traces, usable)
        delay = float(median(self.picks[usable])) * self._interval
        delay += self._params.first_sample_ns - self._params.pulse_delay_ns
        self.height = max(0.5 * LIGHT * delay, 0.0) if math.isfinite(delay) else math.nan
        return self.height

    def _find(self, traces: Array, usable: NDArray[np.bool_]) -> tuple[Array, Array]:
        if len(self._centres) < SURE_PICKS or self._measured % LOOK_AGAIN == 0:
            self._centres.append(self._look(traces if usable.all() else traces[:, usable]))
        self._measured += 1
        centre, band = sorted(self._centres)[len(self._centres) // 2], BAND_NS / self._interval
        high = min(len(traces) - 1, round(centre + band) + 1)
        low = min(max(1, round(centre - band)), high - 1)
        size = np.abs(traces[low - 1 : high + 1])
        peak = size[1:-1].argmax(axis=0) + 1
        channel = np.arange(traces.shape[1])
        before, at, after = size[peak - 1, channel], size[peak, channel], size[peak + 1, channel]
        self._centres.append(float(low - 1 + _lower(peak[usable])))
        peak += low - 1
        curve = before - 2.0 * at + after
        bent = curve < 0.0
        shift = np.where(bent, 0.5 * (before - after) / np.where(bent, curve, -1.0), 0.0)
        return peak + np.minimum(np.maximum(shift, -0.5), 0.5), traces[peak, channel]

    def _look(self, traces: Array) -> float:
        """Sample of the bounce, where the parameters say or else where the echo is strongest."""
        start = round((self._params.pulse_delay_ns - self._params.first_sample_ns) / self._interval) - 1
        start = min(max(start, 0), len(traces) - 4)
        stop = min(len(traces) - 2, start + round(2.0 * SEARCH_M / LIGHT / self._interval))
        size = np.abs(traces)
        expected, anywhere = size[start:stop], size[: len(traces) * 2 // 3]
        if _lower(expected.max(axis=0)) > FAINT * _lower(anywhere.max(axis=0)):
            return start + float(_lower(expected.argmax(axis=0)))
        return float(_lower(anywhere.argmax(axis=0)))  # the instrument's time zero is not where the parameters say


def _lower(values: Array) -> Array:
    """Median of a small array; of an even number the lower one of the two in the middle."""
    return np.asarray(np.sort(values)[(len(values) - 1) // 2])
