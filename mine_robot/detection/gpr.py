"""Radar processing: surface tracking, moving background, focusing and a constant-false-alarm energy for every depth.

The steps are the usual ones (D. J. Daniels, "Ground Penetrating Radar", 2004; K. C. Ho and P. D. Gader, IEEE TGRS 40(6), 2002 for
adaptive prescreening). Everything is scaled by the data themselves: amplitude units are arbitrary.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mine_robot.core.types import Array, Pose2
from mine_robot.detection.params import GprParams
from mine_robot.detection.rows import Row, Strip

LIGHT = 0.299792458  # m/ns
APERTURE_M = 0.085  # half length over which rows are focused
BEAM_M = 0.07  # rows at this distance still see a shallow object with 1/e of the amplitude
GUARD_M = 0.35  # ground nearer than this does not enter the background
MEMORY_ROWS = 50  # the background forgets with this number of rows
CLIP = 3.0  # what deviates by more sigmas moves background and clutter only by so many
QUORUM = 5  # columns from which they can be compared with each other
LEARNING_ROWS = 10  # the clutter is learnt from these without clipping
LEAD_NS = 0.8  # kept before the surface
DEPTH_STEP_NS = 0.2
SURFACE_GUARD_NS = 0.3  # echoes nearer to the surface's drown in it
SEARCH_M = 0.45  # largest height of the antennas at which the surface is looked for
FAINT = 0.25  # of the strongest echo: a weaker bounce is none
WOW = 0.02  # cycles a sample: slower than this is wow
BAND_NS = 0.4  # channels' surface delays differ by less


@dataclass(frozen=True)
class GprCell:
    """What features of a row need: focused amplitudes and depths' delays, all relative to the surface bounce."""

    image: (
        Array  # (depths, columns) focused amplitude / surface amplitude, positive: polarity opposite to the surface's
    )
    depth: Array  # (columns,) index of the strongest depth
    trace: Array  # (samples, columns) unfocused mean trace from the surface on, same scale and sign


@dataclass
class _Line:
    """A row of aligned residual traces (samples, channels) waiting for the rows ahead of it."""

    s: float
    line: Pose2
    traces: Array
    scale: float


class GprProcessor:
    """Turns scans of one array into a :class:`Strip` of scores, ln(echo energy / clutter energy)."""

    def __init__(self, params: GprParams, offsets: Array) -> None:
        self._params = params
        self._dt = params.sample_interval_ns
        self._index = math.sqrt(params.soil_permittivity)
        self._left, self._right, lateral = _columns(offsets)
        self._between = 0.5 * np.abs(offsets[self._left] - offsets[self._right])
        self.strip: Strip[GprCell] = Strip(lateral)
        self.height = math.nan
        self._delays = np.arange(SURFACE_GUARD_NS, 2.0 * params.max_depth_m * self._index / LIGHT, DEPTH_STEP_NS)
        self._lead = round(LEAD_NS / self._dt)
        self._span = self._lead + round((self._delays[-1] + 1.5) / self._dt)
        self._picks: deque[float] = deque(maxlen=15)
        self._bounce: tuple[Array, Array] = (np.zeros(len(offsets)), np.ones(len(offsets)))
        self._gain: Array | None = None
        self._background: Array | None = None
        self._spread: Array | None = None
        self._counted = 0
        self._clutter: Array | None = None
        self._focused = 0
        self._lines: deque[_Line] = deque()
        self._waiting: deque[tuple[float, Array]] = deque()
        self._done = -math.inf

    def measure(self, traces: Array, usable: NDArray[np.bool_]) -> float:
        """Antenna height in m above the ground from the surface bounce of a scan (samples, channels)."""
        self._bounce = self._surface(traces, usable)
        delay = (
            float(np.median(self._bounce[0][usable])) * self._dt
            + self._params.first_sample_ns
            - self._params.pulse_delay_ns
        )
        self.height = max(0.5 * LIGHT * delay, 0.0) if math.isfinite(delay) else math.nan
        return self.height

    def add(self, traces: Array, usable: NDArray[np.bool_], s: float, line: Pose2) -> None:
        """Add the scan just measured, taken with the array's centre at ``line``; ``usable`` (channels,) masks dead channels out."""
        aligned, scale = self._align(traces, usable)
        residual = self._subtract(aligned, usable)
        self._lines.append(_Line(s, line, residual, scale))
        self._waiting.append((s, aligned))
        while self._waiting and s - self._waiting[0][0] > GUARD_M:
            self._learn(self._waiting.popleft()[1])
        self._focus_until(s - APERTURE_M)
        while self._lines and self._lines[0].s < self._done - 2.0 * APERTURE_M - 0.1:
            self._lines.popleft()

    def finish(self, *, forget: bool) -> None:
        """Focus what still waits for rows ahead; ``forget`` ends the pass: what follows lies elsewhere."""
        self._focus_until(math.inf)
        if forget:
            for _, aligned in self._waiting:
                self._learn(aligned)
            self._waiting.clear()
            self._lines.clear()
            self.strip.rows.clear()
            self._done = -math.inf

    def _surface(self, traces: Array, usable: NDArray[np.bool_]) -> tuple[Array, Array]:
        """Fractional sample (channels,) of the surface bounce, and its signed amplitude."""
        start = round((self._params.pulse_delay_ns - self._params.first_sample_ns) / self._dt) - 1
        start = min(max(start, 0), len(traces) - 4)
        stop = min(len(traces) - 2, start + round(2.0 * SEARCH_M / LIGHT / self._dt))
        size = np.abs(traces)
        expected, anywhere = size[start:stop, usable], size[: len(size) * 2 // 3, usable]
        if np.median(expected.max(axis=0)) > FAINT * np.median(anywhere.max(axis=0)):
            self._picks.append(float(np.median(start + expected.argmax(axis=0))))
        else:  # the instrument's time zero is not where the parameters say
            self._picks.append(float(np.median(anywhere.argmax(axis=0))))
        centre, band = float(np.median(self._picks)), BAND_NS / self._dt
        low, high = max(1, round(centre - band)), min(len(traces) - 1, round(centre + band) + 1)
        peak = low + size[low:high].argmax(axis=0)
        channel = np.arange(traces.shape[1])
        before, at, after = (size[np.clip(peak + k, 0, len(size) - 1), channel] for k in (-1, 0, 1))
        curve = before - 2.0 * at + after
        shift = np.where(curve < 0.0, 0.5 * (before - after) / np.where(curve < 0.0, curve, -1.0), 0.0)
        return peak + np.clip(shift, -0.5, 0.5), traces[peak, channel]

    def _align(self, traces: Array, usable: NDArray[np.bool_]) -> tuple[Array, float]:
        """Traces (span, channels) with the surface at sample ``lead``, without wow, of equal bounces; the bounce's sign and size."""
        picks, amplitude = self._bounce
        count = max(len(traces), self._span) + 64
        spectrum = np.fft.rfft(traces - traces[-len(traces) // 4 :].mean(axis=0), count, axis=0)
        frequency = np.fft.rfftfreq(count, self._dt)[:, None]
        shift = (picks - self._lead) * self._dt
        dewow = 1.0 - np.exp(-((frequency * self._dt / WOW) ** 2))
        aligned = np.fft.irfft(spectrum * dewow * np.exp(2j * np.pi * frequency * shift), count, axis=0)
        aligned = aligned[: self._span]
        size = np.maximum(np.abs(amplitude), 1e-12)
        if self._gain is None:
            self._gain = size.copy()
        self._gain += np.where(usable, size - self._gain, 0.0) / min(self._counted + 2, MEMORY_ROWS)
        return aligned / self._gain, float(np.median((amplitude / self._gain)[usable]))

    def _subtract(self, aligned: Array, usable: NDArray[np.bool_]) -> Array:
        """The aligned traces less the background; until that is learnt the array's median trace serves."""
        if self._background is None:
            rows = [row for _, row in self._waiting] if aligned.shape[1] < 3 else []
            background = np.median(np.concatenate([*rows, aligned], axis=1), axis=1, keepdims=True)
        else:
            background = self._background
        background = background + self._bounce_change(aligned, background)
        return np.where(usable, aligned - background, 0.0)

    def _bounce_change(self, aligned: Array, background: Array) -> Array:
        """What a change of the bounce's strength and delay adds to the background, fitted before any echo arrives."""
        slope = np.gradient(background, axis=0)
        early = slice(max(0, self._lead - round(0.6 / self._dt)), self._lead + round(0.15 / self._dt) + 1)
        b, d, r = background[early], slope[early], (aligned - background)[early]
        bb, bd, dd = (b * b).sum(axis=0), (b * d).sum(axis=0), (d * d).sum(axis=0)
        br, dr = (b * r).sum(axis=0), (d * r).sum(axis=0)
        determinant = np.maximum(bb * dd - bd * bd, 1e-12)
        strength, delay = (dd * br - bd * dr) / determinant, (bb * dr - bd * br) / determinant
        return np.clip(strength, -0.5, 0.5) * background + np.clip(delay, -1.0, 1.0) * slope

    def _learn(self, aligned: Array) -> None:
        """Let a row that lies behind the guard move the background, outliers clipped."""
        if self._background is None or self._spread is None:
            pooled = np.median(aligned, axis=1, keepdims=True)
            self._background = np.repeat(pooled, aligned.shape[1], axis=1)
            self._spread = np.maximum(np.abs(aligned - pooled).mean(axis=1, keepdims=True), 1e-6)
        self._counted += 1
        rate = 1.0 / min(self._counted + 2, MEMORY_ROWS)
        error = aligned - self._background - self._bounce_change(aligned, self._background)
        self._background = self._background + rate * np.clip(error, -CLIP * self._spread, CLIP * self._spread)
        size = np.minimum(np.median(np.abs(error), axis=1, keepdims=True), CLIP * self._spread)
        self._spread = np.maximum(self._spread + rate * (1.5 * size - self._spread), 1e-6)

    def _focus_until(self, s: float) -> None:
        for line in self._lines:
            if self._done < line.s <= s:
                self._focus(line)
                self._done = line.s

    def _focus(self, centre: _Line) -> None:
        """Sum the rows around ``centre`` along hyperbolas and along level lines; score the stronger of the two."""
        near = [line for line in self._lines if abs(line.s - centre.s) <= APERTURE_M]
        ahead = np.array([line.s - centre.s for line in near])
        traces = np.array([line.traces for line in near])
        image = self._hyperbolas(traces, ahead)
        weight = np.exp(-((ahead / 0.05) ** 2))
        level = np.einsum("jtc,j->tc", traces, weight / np.sqrt((weight**2).sum()))
        level = self._combine(level)
        at = np.clip(self._lead + np.rint(self._delays / self._dt).astype(int), 0, self._span - 1)
        energy = np.stack([_smooth(image**2), _smooth(level[at] ** 2)])
        expected = self._expected(energy)
        score = np.log(np.maximum((energy / expected).max(axis=0), 1e-6))
        depth = score.argmax(axis=0)
        sign = -1.0 if centre.scale > 0.0 else 1.0
        norm = np.sqrt((weight**2).sum()) / weight.sum()
        cell = GprCell(sign * image, depth, sign * norm * level[self._lead :])
        self.strip.add(Row(centre.s, centre.line, score[depth, np.arange(len(depth))], cell))

    def _hyperbolas(self, traces: Array, ahead: Array) -> Array:
        """Focused amplitudes (depths, columns), scaled so that white noise keeps its variance."""
        rows = np.arange(len(ahead))
        sums = []
        for aside in (0.0, float(self._between.max())):
            distance = np.hypot(ahead, aside)
            delay = self._moveout(distance)
            at = np.clip(self._lead + np.rint(delay / self._dt).astype(int), 0, self._span - 1)  # (depths, rows)
            weight = np.exp(-((distance / BEAM_M) ** 2))
            weight = weight / np.sqrt((weight**2).sum())
            sums.append(np.einsum("djc,j->dc", traces[rows, at], weight))
            if aside == 0.0 and not self._between.any():
                break
        return np.where(self._between > 0.0, self._combine(sums[-1]), self._combine(sums[0]))

    def _combine(self, values: Array) -> Array:
        """Columns on a channel take it as it is, columns between two take their sum, variance kept."""
        both = (values[:, self._left] + values[:, self._right]) / math.sqrt(2.0)
        return np.where(self._between > 0.0, both, values[:, self._left])

    def _moveout(self, distance: Array) -> Array:
        """Delay after the surface bounce (depths, rows) in ns of a point ``distance`` m beside the antenna (small-angle entry)."""
        h, n = max(self._params.antenna_height_m, 0.01), self._index
        depth = 0.5 * self._delays[:, None] * LIGHT / n
        entry = np.minimum(distance * n * h / (n * h + depth), 1.2 * n * h)
        path = np.hypot(entry, h) + n * np.hypot(distance - entry, depth)
        return 2.0 * (path - h) / LIGHT

    def _expected(self, energy: Array) -> Array:
        """Clutter energy (2, depths, 1), followed with clipping so that objects hardly raise it."""
        typical = np.median(energy, axis=2, keepdims=True)
        if self._clutter is None:
            self._clutter = np.maximum(typical, 1e-12)
        self._focused += 1
        rate = 1.0 / min(self._focused + 1, MEMORY_ROWS)
        expected = self._clutter
        if (
            energy.shape[2] >= QUORUM
        ):  # what all columns see at once is the ground, except what one strong object spreads
            expected = np.maximum(expected, 0.05 * np.quantile(energy, 0.25, axis=2, keepdims=True))
        limit = 3.0 * self._clutter if self._focused > LEARNING_ROWS else np.inf
        self._clutter = np.maximum(self._clutter + rate * (np.minimum(typical, limit) - self._clutter), 1e-12)
        return expected


def _columns(offsets: Array) -> tuple[Array, Array, Array]:
    """Channels left and right of every column, and the columns' lateral offsets: the channels and the middles between them."""
    order = np.argsort(-offsets)
    left, right = [int(order[0])], [int(order[0])]
    for a, b in pairwise(order):
        if abs(offsets[a] - offsets[b]) <= 0.25:
            left.append(int(a))
            right.append(int(b))
        left.append(int(b))
        right.append(int(b))
    return np.array(left), np.array(right), 0.5 * (offsets[left] + offsets[right])


def _smooth(energy: Array) -> Array:
    """Energy over about a period of the pulse, along the depths."""
    padded = np.pad(energy, ((2, 2), (0, 0)), mode="edge")
    return (0.5 * padded[:-4] + padded[1:-3] + padded[2:-2] + padded[3:-1] + 0.5 * padded[4:]) / 4.0
