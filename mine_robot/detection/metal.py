"""Metal-detector processing: baseline, and a matched filter for dipoles over coils and track.

The signal of a small body is its moment times the square of the loop's field at the body (J. D. McNeill and M.
Bosnar, Geonics TN-32); far away it falls with the sixth power of the distance.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mine_robot.core.types import Array, Pose2
from mine_robot.detection.rows import Row, Strip

APERTURE_M = 0.14  # half length of the filter
GUARD_M = 0.40
MEMORY_ROWS = 60
CLIP = 3.0
BELOW_M = (0.08, 0.13, 0.20, 0.30)  # distances under the coil for which the filter is matched
REFERENCE_M = 0.10  # moments are stated as the reading at this distance
LOCAL_M = 0.20  # half length over which quadrature is judged against its own mean, so that drift and soil drop out


@dataclass(frozen=True)
class MetalCell:
    """What features of a row need, by column: complex ``moment`` in units of the noise, ``below`` m under the coils.

    ``fit`` is the share of the readings' energy, less that of the noise, which one dipole here explains. ``quadrature``
    (distances of BELOW_M, columns) is the quadrature of a dipole there in standard deviations, ``gain`` what a moment of
    one standard deviation of a reading would give.
    """

    moment: Array
    fit: Array
    below: Array
    quadrature: Array
    gain: Array


class MetalProcessor:
    """Turns scans of one array into a :class:`Strip` of scores, ln(signal energy / noise energy)."""

    def __init__(self, coil_diameter: float, offsets: Array) -> None:
        self._radius = 0.5 * coil_diameter
        self._offsets = offsets
        self.strip: Strip[MetalCell] = Strip(_columns(offsets))
        below = np.repeat(BELOW_M, len(self.strip.lateral))
        self._below = below[:, None, None]
        self._aside = (np.tile(self.strip.lateral, len(BELOW_M))[:, None] - offsets)[:, None, :]
        self._baseline: Array | None = None
        self._noise = np.array([1e-12, 1e-12])
        self._white = math.nan  # of the quadrature from row to row
        self._counted = 0
        self._lines: deque[tuple[float, Pose2, Array]] = deque()
        self._waiting: deque[tuple[float, Array]] = deque()
        self._done = -math.inf

    def add(self, reading: Array, usable: NDArray[np.bool_], s: float, line: Pose2) -> None:
        """Add complex readings (coils,) taken with the array's centre at ``line``; ``usable`` masks dead coils out."""
        if self._baseline is None:
            self._baseline = np.full(len(reading), np.median(reading.real) + 1j * np.median(reading.imag))
            error = reading - self._baseline
            self._noise = np.maximum([np.median(np.abs(error.real)), np.median(np.abs(error.imag))], 1e-6)
        if self._lines:
            self._follow_white(np.abs((reading - self._baseline - self._lines[-1][2]).imag[usable]))
        self._lines.append((s, line, np.where(usable, reading - self._baseline, 0.0)))
        self._waiting.append((s, np.where(usable, reading, self._baseline)))
        while self._waiting and s - self._waiting[0][0] > GUARD_M:
            self._learn(self._waiting.popleft()[1])
        self._filter_until(s - LOCAL_M)
        while self._lines and self._lines[0][0] < self._done - 2.0 * LOCAL_M - 0.1:
            self._lines.popleft()

    def finish(self, *, forget: bool) -> None:
        """Filter what still waits for rows ahead; ``forget`` ends the pass."""
        self._filter_until(math.inf)
        if forget:
            for _, reading in self._waiting:
                self._learn(reading)
            self._waiting.clear()
            self._lines.clear()
            self.strip.rows.clear()
            self._done = -math.inf

    def _learn(self, reading: Array) -> None:
        """Let a row behind the guard move baseline and noise, outliers clipped."""
        assert self._baseline is not None
        self._counted += 1
        rate = 1.0 / min(self._counted + 1, MEMORY_ROWS)
        error = reading - self._baseline
        limit = CLIP * self._noise
        self._baseline = self._baseline + rate * (
            np.clip(error.real, -limit[0], limit[0]) + 1j * np.clip(error.imag, -limit[1], limit[1])
        )
        size = 1.48 * np.array([np.median(np.abs(error.real)), np.median(np.abs(error.imag))])
        self._noise = np.maximum(self._noise + rate * (np.minimum(size, CLIP * self._noise) - self._noise), 1e-6)

    def _follow_white(self, steps: Array) -> None:
        """Follow the noise from row to row; the baseline moves too slowly to matter."""
        size = max(float(np.median(steps)) * 1.48 / math.sqrt(2.0), 1e-6)
        if math.isnan(self._white):
            self._white = size
        self._white += (min(size, CLIP * self._white) - self._white) / min(self._counted + 2, MEMORY_ROWS)

    def _filter_until(self, s: float) -> None:
        for at, line, _ in self._lines:
            if self._done < at <= s:
                self._filter(at, line)
                self._done = at

    def _filter(self, centre: float, line: Pose2) -> None:
        near = [(s - centre, reading) for s, _, reading in self._lines if abs(s - centre) <= APERTURE_M]
        ahead = np.array([s for s, _ in near])[None, :, None]
        readings = np.array([reading for _, reading in near])
        shape = field_squared(self._radius, np.hypot(ahead, self._aside), self._below)
        shape = (shape / field_squared(self._radius, 0.0, REFERENCE_M)).reshape(len(self._below), -1)
        flat = readings.reshape(-1)
        power = (shape**2).sum(axis=1)
        inner = shape @ flat
        noise = self._noise
        energy = ((inner.real / noise[0]) ** 2 + (inner.imag / noise[1]) ** 2) / power / 2.0
        total = float(((flat.real / noise[0]) ** 2 + (flat.imag / noise[1]) ** 2).sum()) - 2.0 * len(flat)
        fit = 2.0 * energy / np.maximum(2.0 * energy, total)
        grid = (len(BELOW_M), len(self.strip.lateral))
        energy = energy.reshape(grid)
        best, column = energy.argmax(axis=0), np.arange(grid[1])
        moment = (inner / power).reshape(grid)[best, column] / noise[1]
        cell = MetalCell(moment, fit.reshape(grid)[best, column], np.array(BELOW_M)[best], *self._local(centre))
        self.strip.add(Row(centre, line, np.log(np.maximum(energy[best, column], 1e-6)), cell))

    def _local(self, centre: float) -> tuple[Array, Array]:
        """Quadrature of a dipole under ``centre`` in standard deviations, and its gain, each coil's mean over the rows removed."""
        near = [(s - centre, reading.imag) for s, _, reading in self._lines if abs(s - centre) <= LOCAL_M]
        ahead = np.array([s for s, _ in near])[None, :, None]
        values = np.array([value for _, value in near])
        shape = field_squared(self._radius, np.hypot(ahead, self._aside), self._below)
        shape = shape / field_squared(self._radius, 0.0, REFERENCE_M)
        shape = shape - shape.mean(axis=1, keepdims=True)
        size = np.sqrt(np.maximum((shape**2).sum(axis=(1, 2)), 1e-12))
        white = self._white if math.isfinite(self._white) else float(self._noise[1])
        z = np.einsum("brc,rc->b", shape, values) / size / white
        grid = (len(BELOW_M), len(self.strip.lateral))
        return z.reshape(grid), size.reshape(grid)


def field_squared(radius: float, beside: Array | float, below: Array | float) -> Array:
    """Square of a horizontal loop's field, arbitrary units: exact on its axis and far away, softened dipole between."""
    r2, b2 = np.square(beside), np.square(below)
    softened = r2 + b2 + radius * radius
    vertical = 2.0 * b2 + 2.0 * radius * radius - r2
    return np.asarray((vertical * vertical + 9.0 * b2 * r2) / softened**5)


def _columns(offsets: Array) -> Array:
    """Lateral positions at which dipoles are sought: coils, middles between them, and one step beyond the outermost."""
    order = np.sort(offsets)[::-1]
    if len(order) < 2:
        return order
    step = 0.5 * float(np.diff(order[::-1]).min())
    middles = 0.5 * (order[:-1] + order[1:])
    return np.sort(np.concatenate([order, middles, [order[0] + step, order[-1] - step]]))[::-1]
