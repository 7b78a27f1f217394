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
from mine_robot.detection.rows import Row, Strip, median

LEARNING_ROWS = 10  # the scatter is learnt from these without clipping
GUARD_M = 0.40
MEMORY_ROWS = 60
CLIP = 3.0
FIT_AHEAD_M = 0.30
LOCAL_M = 0.22  # to either side, of a fit close around
QUORUM = 4  # coils from which what all see alike can be told from what one sees
BELOW_M = (0.08, 0.13, 0.20, 0.30)  # distances under the coil for which the filter is matched
REFERENCE_M = 0.10  # moments are stated as the reading at this distance
AHEAD_M, BEHIND_M = (
    0.20,
    0.40,
)  # rows of the filter; each coil's mean over them is removed, so that drift and soil drop out
ASIDE_M = 0.35  # coils further off a spot tell nothing of it
KEEP_M = 0.90  # length over which readings are kept for that
GRID_M = 0.002  # step of the tabulated distances


@dataclass(frozen=True)
class MetalCell:
    """What features of a row need, by column: complex ``moment`` in units of the noise, ``below`` m under the coils.

    ``fit`` is the share of the readings' energy, less that of the noise, which one dipole here explains.
    """

    moment: Array
    fit: Array
    below: Array


@dataclass(frozen=True)
class MetalFit:
    """A dipole right at a spot, for each distance of BELOW_M (n,), drift and soil removed.

    ``z`` is complex: in-phase and quadrature in standard deviations. ``moment`` is in standard deviations of a quadrature reading at
    REFERENCE_M; ``gain`` is the ``z`` of a moment of one. ``fit`` is the share of the energy there that the dipole explains.
    """

    z: NDArray[np.complexfloating]
    moment: NDArray[np.complexfloating]
    gain: Array
    fit: Array


class MetalProcessor:
    """Turns scans of one array into a :class:`Strip` of scores, ln(signal energy / noise energy)."""

    def __init__(self, coil_diameter: float, offsets: Array) -> None:
        self._radius = 0.5 * coil_diameter
        self._offsets = offsets
        self.strip: Strip[MetalCell] = Strip(_columns(offsets))
        ahead = np.arange(0.0, BEHIND_M + 2.0 * GRID_M, GRID_M)[:, None, None]
        aside = np.tile(self.strip.lateral, len(BELOW_M)) - offsets[:, None]
        below = np.repeat(BELOW_M, len(self.strip.lateral))
        self._shapes = self._shape(np.hypot(ahead, aside), below)  # (ahead, coil, body)
        self._powers = (self._shapes**2).sum(axis=1)
        self._baseline: Array | None = None
        self._noise = np.array([1e-12, 1e-12])
        self._white: Array | None = None  # of in-phase and quadrature from row to row
        self._scatter: Array | None = None
        self._counted = self._filtered = 0
        self._lines: deque[tuple[float, Pose2, Array, NDArray[np.bool_]]] = deque()
        self._waiting: deque[tuple[float, Array]] = deque()
        self._done = -math.inf

    def add(self, reading: Array, usable: NDArray[np.bool_], s: float, line: Pose2) -> None:
        """Add complex readings (coils,) taken with the array's centre at ``line``; ``usable`` masks dead coils out."""
        if self._baseline is None:
            good = reading[usable]
            self._baseline = np.full(len(reading), np.median(good.real) + 1j * np.median(good.imag))
            error = good - self._baseline[0]
            self._noise = np.maximum([np.median(np.abs(error.real)), np.median(np.abs(error.imag))], 1e-6)
        if self._lines:
            self._follow_white((reading - self._baseline - self._lines[-1][2])[usable & self._lines[-1][3]])
        self._lines.append((s, line, np.where(usable, reading - self._baseline, 0.0), usable))
        self._waiting.append((s, np.where(usable, reading, self._baseline)))
        while self._waiting and s - self._waiting[0][0] > GUARD_M:
            self._learn(self._waiting.popleft()[1])
        self._filter_until(s - AHEAD_M)
        while self._lines and self._lines[0][0] < s - KEEP_M:
            self._lines.popleft()

    def finish(self, *, forget: bool) -> None:
        """Filter what still waits for rows ahead; ``forget`` ends the pass."""
        self._filter_until(math.inf)
        if forget:
            for _, reading in self._waiting:
                self._learn(reading)
            self._waiting.clear()
            self._lines.clear()
            self.strip.clear()
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
        size = 1.48 * np.sort(np.abs([error.real, error.imag]), axis=1)[:, len(error) // 2]
        self._noise = np.maximum(self._noise + rate * (np.minimum(size, CLIP * self._noise) - self._noise), 1e-6)

    def _follow_white(self, steps: Array) -> None:
        """Follow the noise from row to row, in-phase and quadrature; the baseline moves too slowly to matter."""
        if not len(steps):
            return
        ordered = np.sort(np.abs([steps.real, steps.imag]), axis=1)
        size = 0.5 * (ordered[:, (len(steps) - 1) // 2] + ordered[:, len(steps) // 2]) * 1.48 / math.sqrt(2.0)
        size = np.maximum(size, 1e-6)
        if self._white is None:
            self._white = size
        self._white = self._white + (np.minimum(size, CLIP * self._white) - self._white) / min(
            self._counted + 2, MEMORY_ROWS
        )

    def _filter_until(self, s: float) -> None:
        for at, line, *_ in self._lines:
            if self._done < at <= s:
                self._filter(at, line)
                self._done = at

    def _filter(self, centre: float, line: Pose2) -> None:
        """Score every column by the best dipole under it, each coil's mean over the rows removed, relative to the usual scatter."""
        near = [(s - centre, reading) for s, _, reading, _ in self._lines if -BEHIND_M <= s - centre <= AHEAD_M]
        grid = np.rint(np.abs(np.array([s for s, _ in near])) / GRID_M).astype(int)
        readings = np.array([reading for _, reading in near])
        readings = readings - readings.sum(axis=0) / len(readings)
        shape = self._shapes[grid]
        total = shape.sum(axis=0)
        power = np.maximum(self._powers[grid].sum(axis=0) - (total * total).sum(axis=0) / len(shape), 1e-12)
        inner = shape.reshape(readings.size, -1).T @ readings.reshape(-1, 1).view(
            float
        )  # (body, 2): real and imaginary
        columns = len(self.strip.lateral)
        z = (inner / np.sqrt(power)[:, None]).reshape(len(BELOW_M), columns, 2)  # in-phase and quadrature
        energy = 0.5 * ((z / self._usual(np.abs(z))) ** 2).sum(axis=2)
        best, column = energy.argmax(axis=0), np.arange(columns)
        body = best * columns + column
        total = (readings.real / self._noise[0]) ** 2 + (readings.imag / self._noise[1]) ** 2
        explained = ((z[best, column] / self._noise) ** 2).sum(axis=1)
        fit = explained / np.maximum(np.maximum(explained, float(total.sum()) - 2.0 * total.size), 1e-12)
        moment = (inner[body, 0] + 1j * inner[body, 1]) / power[body] / self._noise[1]
        cell = MetalCell(moment, fit, np.array(BELOW_M)[best])
        self.strip.add(Row(centre, line, np.log(np.maximum(energy[best, column], 1e-6)), cell))

    def _usual(self, size: Array) -> Array:
        """Standard deviation (distances, 1, 2) of the filter's output without objects, followed with clipping."""
        middle = 1.48 * np.sort(size, axis=1)[:, size.shape[1] // 2, None]
        if self._scatter is None:
            self._scatter = np.maximum(middle, 1e-9)
        self._filtered += 1
        limit = CLIP * self._scatter if self._filtered > LEARNING_ROWS else np.inf
        rate = 1.0 / min(self._filtered + 1, MEMORY_ROWS)
        self._scatter = np.maximum(self._scatter + rate * (np.minimum(middle, limit) - self._scatter), 1e-9)
        return np.asarray(self._scatter)

    def _shape(self, beside: Array, below: Array) -> Array:
        """Readings over a body ``beside`` and ``below`` m from a coil, relative to one REFERENCE_M under its centre."""
        return field_squared(self._radius, beside, below) / field_squared(self._radius, 0.0, REFERENCE_M)

    def fit_at(self, s: float, lateral: float) -> MetalFit | None:
        """Fit a dipole at along-track ``s`` and ``lateral`` m, each coil's mean free; None if the spot was not passed."""
        return self._fit(s, lateral, BEHIND_M, FIT_AHEAD_M, local=False)

    def fit_local(self, s: float, lateral: float) -> MetalFit | None:
        """The same from close around, each coil's mean and trend free, and what all coils of a row see alike.

        So neither the flank of something strong nearby nor the soil under a head that heaves has a part in it. None with fewer than
        QUORUM coils or a dead one.
        """
        whole = bool(np.array([usable for *_, usable in self._lines]).all())
        return self._fit(s, lateral, LOCAL_M, LOCAL_M, local=True) if whole and len(self._offsets) >= QUORUM else None

    def _fit(self, s: float, lateral: float, behind: float, ahead_of: float, *, local: bool) -> MetalFit | None:
        near = [(at - s, reading, usable) for at, _, reading, usable in self._lines if -behind <= at - s <= ahead_of]
        coils = np.abs(self._offsets - lateral) <= ASIDE_M
        if len(near) < 6 or self._white is None or not coils.any() or not near[0][0] < 0.0 < near[-1][0]:
            return None
        ahead = np.array([at for at, _, _ in near])
        readings = np.array([reading for _, reading, _ in near])
        white = self._white
        if local:
            readings, white = readings - _middle(readings), self._local_white()
        values = readings[:, coils]
        trusted = np.array([usable[coils] for _, _, usable in near]).astype(float)
        beside = np.hypot(ahead[:, None], self._offsets[coils] - lateral)
        shape = self._shape(beside, np.array(BELOW_M)[:, None, None]) * trusted
        values = values - values.mean(axis=0)
        shape = shape - shape.mean(axis=1, keepdims=True)
        if local:
            trend = (ahead - ahead.mean()) / np.linalg.norm(ahead - ahead.mean())
            values = values - trend[:, None] * (trend @ values)
            shape = shape - trend[:, None] * np.einsum("r,brc->bc", trend, shape)[:, None, :]
        shape = shape * trusted
        size = np.sqrt(np.maximum((shape**2).sum(axis=(1, 2)), 1e-12))
        scaled = values.real / white[0] + 1j * (values.imag / white[1])
        z = np.einsum("brc,rc->b", shape, scaled) / size
        total = float((np.abs(scaled) ** 2 * trusted).sum())
        moment = (z.real * (white[0] / white[1]) + 1j * z.imag) / size
        return MetalFit(z, moment, size, np.abs(z) ** 2 / max(total, 1e-12))

    def _local_white(self) -> Array:
        """Noise of in-phase and quadrature from row to row without what all coils see alike, of the rows that are kept."""
        readings = np.array([reading for _, _, reading, _ in self._lines])
        steps = np.diff(readings - _middle(readings), axis=0)
        size = median(np.abs([steps.real.ravel(), steps.imag.ravel()]))
        return np.maximum(1.48 / math.sqrt(2.0) * size, 1e-6)


def _middle(readings: NDArray[np.complexfloating]) -> NDArray[np.complexfloating]:
    """Median over the coils of complex readings (rows, coils), as (rows, 1)."""
    return np.asarray(median(readings.real) + 1j * median(readings.imag))[:, None]


def field_squared(radius: float, beside: Array | float, below: Array | float) -> Array:
    """Square of a horizontal loop's field, arbitrary units: exact on its axis and far away, softened dipole between."""
    r2, b2 = np.square(beside), np.square(below)
    softened = r2 + b2 + radius * radius
    vertical = 2.0 * b2 + 2.0 * radius * radius - r2
    squared = softened * softened
    return np.asarray((vertical * vertical + 9.0 * b2 * r2) / (squared * squared * softened))


def _columns(offsets: Array) -> Array:
    """Lateral positions at which dipoles are sought: coils, middles between them, and one step beyond the outermost."""
    order = np.sort(offsets)[::-1]
    if len(order) < 2:
        return order
    step = 0.5 * float(np.diff(order[::-1]).min())
    middles = 0.5 * (order[:-1] + order[1:])
    return np.sort(np.concatenate([order, middles, [order[0] + step, order[-1] - step]]))[::-1]
