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
from scipy.fft import next_fast_len

from mine_robot.core.types import Array, Pose2
from mine_robot.detection.params import LIGHT, GprParams
from mine_robot.detection.rows import Row, Strip
from mine_robot.detection.surface import Surface

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
WOW = 0.02  # cycles a sample: slower than this is wow
WORK_NS = 0.1  # finer samples are thinned out to about this interval after aligning
CUBE_M = 0.60  # length over which aligned traces are kept for features
GRID_M = 0.002  # step of the tabulated distances
POWERS = 8
COUNT = np.arange(POWERS)[:, None]


@dataclass(frozen=True)
class GprCell:
    """What features of a row need: focused amplitudes and depths' delays, all relative to the surface bounce."""

    image: (
        Array  # (depths, columns) focused amplitude / surface amplitude, positive: polarity opposite to the surface's
    )
    level: Array  # (depths, columns) the same for rows summed along level lines
    ratio: Array  # (2, depths, columns) ln(energy / clutter energy) of both
    clutter: Array  # (2, depths, 1) clutter energy
    depth: Array  # (columns,) index of the strongest depth
    trace: Array  # (samples, columns) unfocused mean trace from the surface on, same scale and sign


@dataclass
class Line:
    """A row of aligned residual traces (samples, channels), in units of the bounce with its sign.

    ``bounce`` (channels,) is by what share the surface's bounce is stronger than usual, less what all channels see alike. ``rise`` is
    the antennas' height in m above that at which the background was learnt.
    """

    s: float
    line: Pose2
    traces: Array
    scale: float
    bounce: Array
    rise: float


class GprProcessor:
    """Turns scans of one array into a :class:`Strip` of scores, ln(echo energy / clutter energy)."""

    def __init__(self, params: GprParams, offsets: Array, surface: Surface | None = None) -> None:
        self._params = params
        self.offsets = offsets
        self._fine = params.sample_interval_ns
        self._thin = max(1, round(WORK_NS / self._fine))
        self.interval = self._dt = self._thin * self._fine
        self._index = math.sqrt(params.soil_permittivity)
        left, right, lateral = _columns(offsets)
        self._between = 0.5 * np.abs(offsets[left] - offsets[right])
        # Columns on a channel take it as it is, columns between two take their sum, variance kept.
        self._on, self._amid = np.zeros((len(offsets), len(left))), np.zeros((len(offsets), len(left)))
        for column, channels in enumerate(zip(left, right)):
            between = channels[0] != channels[1]
            (self._amid if between else self._on)[channels, column] = math.sqrt(0.5) if between else 1.0
        self.strip: Strip[GprCell] = Strip(lateral)
        self._usual_height = math.nan
        deepest = 2.0 * params.max_depth_m * self._index / LIGHT
        self._delays = np.asarray(np.arange(SURFACE_GUARD_NS, deepest, DEPTH_STEP_NS), dtype=np.float64)
        self.lead = self._lead = round(LEAD_NS / self._dt)
        self._span = self._lead + round((self._delays[-1] + 1.5) / self._dt)
        self._prepare_tables()
        self.surface = surface or Surface(params, len(offsets))
        self._gain: Array | None = None
        self._background: Array | None = None
        self._spread: Array | None = None
        self._basis: tuple[Array, ...] | None = None  # of the bounce's changes, for one background
        self._counted = 0
        self._clutter: Array | None = None
        self._focused = 0
        self.lines: deque[Line] = deque()
        self._waiting: deque[tuple[float, Array, float]] = deque()
        self._done = -math.inf

    def _prepare_tables(self) -> None:
        """What does not depend on the data: filters, moveout and weights by distance."""
        self._length = self._thin * next_fast_len(self._span + 2 * self._lead, real=True)
        self._frequency = np.fft.rfftfreq(self._length, self._fine)[: self._length // self._thin // 2 + 1, None]
        self._dewow = (1.0 - np.exp(-((self._frequency * self._dt / WOW) ** 2))) / self._thin
        self._at = np.clip(self._lead + np.rint(self._delays / self._dt).astype(int), 0, self._span - 1)
        ahead = np.arange(0.0, APERTURE_M + 2.0 * GRID_M, GRID_M)
        self._tables = []
        for aside in (0.0, float(self._between.max())):
            distance = np.hypot(ahead, aside)
            at = np.rint(moveout(self._delays[:, None], distance, self._index, self._params) / self._dt).astype(int)
            self._tables.append((np.clip(self._lead + at, 0, self._span - 1), np.exp(-((distance / BEAM_M) ** 2))))

    def measure(self, traces: Array, usable: NDArray[np.bool_]) -> float:
        """Antenna height in m above the ground from the surface bounce of a scan (samples, channels)."""
        return self.surface.measure(traces, usable)

    @property
    def height(self) -> float:
        """Antenna height above the ground in m at the last scan measured."""
        return self.surface.height

    def add(self, traces: Array, usable: NDArray[np.bool_], s: float, line: Pose2) -> None:
        """Add the scan just measured, taken with the array's centre at ``line``; ``usable`` (channels,) masks dead channels out."""
        aligned, scale = self._align(traces, usable)
        if self._background is not None and not usable.all():
            aligned = np.where(usable, aligned, self._background)
        residual, bounce = self._subtract(aligned, usable)
        rise = self.height - self._usual_height if math.isfinite(self._usual_height) else 0.0
        self.lines.append(Line(s, line, residual, scale, bounce - _median(bounce[usable]), rise))
        self._waiting.append((s, aligned, self.height))
        while self._waiting and s - self._waiting[0][0] > GUARD_M:
            self._learn(*self._waiting.popleft()[1:])
        self._focus_until(s - APERTURE_M)
        while self.lines and self.lines[0].s < s - CUBE_M:
            self.lines.popleft()

    def finish(self, *, forget: bool) -> None:
        """Focus what still waits for rows ahead; ``forget`` ends the pass: what follows lies elsewhere."""
        self._focus_until(math.inf)
        if forget:
            for _, aligned, height in self._waiting:
                self._learn(aligned, height)
            self._waiting.clear()
            self.lines.clear()
            self.strip.clear()
            self._done = -math.inf

    def _align(self, traces: Array, usable: NDArray[np.bool_]) -> tuple[Array, float]:
        """Traces (span, channels) with the surface at sample ``lead``, without wow, of equal bounces; the bounce's sign and size."""
        picks, amplitude = self.surface.picks, self.surface.amplitude
        lead = self._lead * self._thin
        begin = max(0, int(picks.min()) - 2 * lead)
        piece = traces[begin : begin + self._length - lead] - traces[-len(traces) // 4 :].mean(axis=0)
        shift = (picks - begin) * self._fine - self._lead * self._dt
        spectrum = np.fft.rfft(piece, self._length, axis=0)[: len(self._frequency)]
        spectrum *= self._dewow * self._delayed(shift)
        aligned = np.fft.irfft(spectrum, self._length // self._thin, axis=0)[: self._span]
        size = np.maximum(np.abs(amplitude), 1e-12)
        if self._gain is None:
            self._gain = size.copy()
        self._gain += np.where(usable, size - self._gain, 0.0) / min(self._counted + 2, MEMORY_ROWS)
        return aligned / self._gain, float(_median((amplitude / self._gain)[usable]))

    def _delayed(self, shift: Array) -> NDArray[np.complexfloating]:
        """Factors (frequencies, channels) that bring traces forward by ``shift`` (channels,) ns: powers of one, the costly
        exponentials taken for every POWERS-th and for the first POWERS only."""
        step = (2j * np.pi) * float(self._frequency[1, 0]) * shift
        count = -(-len(self._frequency) // POWERS)
        coarse, fine = np.exp(np.arange(0, count * POWERS, POWERS)[:, None, None] * step), np.exp(COUNT * step)
        return (coarse * fine).reshape(-1, len(shift))[: len(self._frequency)]

    def _subtract(self, aligned: Array, usable: NDArray[np.bool_]) -> tuple[Array, Array]:
        """The aligned traces less the background, until that is learnt less the array's median trace; the bounce's change (channels,)."""
        if self._background is None:
            rows = [row for _, row, _ in self._waiting] if aligned.shape[1] < 3 else []
            background = np.median(np.concatenate([*rows, aligned], axis=1), axis=1, keepdims=True)
        else:
            background = self._background
        change, strength = self._bounce_change(aligned, background)
        residual = aligned - background - change
        if not usable.all():  # a dead channel takes its neighbours' mean
            order = np.argsort(self.offsets)
            live = order[usable[order]]
            filled = np.stack([np.interp(self.offsets, self.offsets[live], row[live]) for row in residual])
            residual = np.where(usable, residual, filled)
        return np.asarray(residual), np.where(usable, strength, _median(strength[usable]))

    def _bounce_change(self, aligned: Array, background: Array) -> tuple[Array, Array]:
        """What a change of the bounce's strength and delay adds to the background, fitted before any echo arrives; that strength."""
        early = slice(max(0, self._lead - round(0.6 / self._dt)), self._lead + round(0.15 / self._dt) + 1)
        if self._basis is None or self._basis[0] is not background:
            slope = np.empty_like(background)
            slope[1:-1] = 0.5 * (background[2:] - background[:-2])
            slope[0], slope[-1] = slope[1], slope[-2]
            b, d = background[early], slope[early]
            bb, bd, dd = (b * b).sum(axis=0), (b * d).sum(axis=0), (d * d).sum(axis=0)
            self._basis = background, slope, bb, bd, dd, np.maximum(bb * dd - bd * bd, 1e-12)
        _, slope, bb, bd, dd, determinant = self._basis
        r = aligned[early] - background[early]
        br, dr = (background[early] * r).sum(axis=0), (slope[early] * r).sum(axis=0)
        strength, delay = (dd * br - bd * dr) / determinant, (bb * dr - bd * br) / determinant
        strength, delay = np.minimum(np.maximum(strength, -0.5), 0.5), np.minimum(np.maximum(delay, -1.0), 1.0)
        return np.asarray(strength * background + delay * slope), np.asarray(strength)

    def _learn(self, aligned: Array, height: float) -> None:
        """Let a row that lies behind the guard move the background and its height, outliers clipped."""
        if self._background is None or self._spread is None:
            pooled = np.median(aligned, axis=1, keepdims=True)
            self._background = np.repeat(pooled, aligned.shape[1], axis=1)
            self._spread = np.maximum(np.abs(aligned - pooled).mean(axis=1, keepdims=True), 1e-6)
        self._counted += 1
        rate = 1.0 / min(self._counted + 2, MEMORY_ROWS)
        if math.isfinite(height):
            known = self._usual_height if math.isfinite(self._usual_height) else height
            self._usual_height = known + rate * (height - known)
        error = aligned - self._background - self._bounce_change(aligned, self._background)[0]
        self._background = self._background + rate * np.minimum(
            np.maximum(error, -CLIP * self._spread), CLIP * self._spread
        )
        size = np.minimum(_median(np.abs(error))[:, None], CLIP * self._spread)
        self._spread = np.maximum(self._spread + rate * (1.5 * size - self._spread), 1e-6)

    def _focus_until(self, s: float) -> None:
        for line in self.lines:
            if self._done < line.s <= s:
                self._focus(line)
                self._done = line.s

    def _focus(self, centre: Line) -> None:
        """Sum the rows around ``centre`` along hyperbolas and along level lines; score the stronger of the two."""
        near = [line for line in self.lines if abs(line.s - centre.s) <= APERTURE_M]
        ahead = np.array([line.s - centre.s for line in near])
        traces = np.array([line.traces for line in near])
        image = self._hyperbolas(traces, np.abs(ahead))
        weight = np.exp(-((ahead / 0.05) ** 2))
        norm = math.sqrt(float(weight @ weight))
        level = ((weight / norm) @ traces.reshape(len(near), -1)).reshape(traces.shape[1:]) @ (self._on + self._amid)
        energy = np.stack([image, level[self._at]])
        energy *= energy
        energy = _smooth(energy)
        expected = self._expected(energy)
        ratio = np.log(np.maximum(energy / expected, 1e-6))
        score = ratio.max(axis=0)
        depth = score.argmax(axis=0)
        sign = -1.0 if centre.scale > 0.0 else 1.0
        level *= sign * norm / weight.sum()
        cell = GprCell(sign * image, level[self._at], ratio, expected, depth, level[self._lead :])
        self.strip.add(Row(centre.s, centre.line, score.max(axis=0), cell))

    def _hyperbolas(self, traces: Array, distance: Array) -> Array:
        """Focused amplitudes (depths, columns), scaled so that white noise keeps its variance."""
        rows = np.arange(len(distance))
        grid = np.rint(distance / GRID_M).astype(int)
        sums = []
        for at, weights in self._tables if self._between.any() else self._tables[:1]:
            weight = weights[grid]
            picked = traces[rows, at[:, grid]]  # (depths, rows, channels)
            sums.append((weight / math.sqrt(float(weight @ weight))) @ picked)
        return np.asarray(sums[0] @ self._on + sums[-1] @ self._amid)

    def _expected(self, energy: Array) -> Array:
        """Clutter energy (2, depths, 1), followed with clipping so that objects hardly raise it."""
        ordered = np.sort(energy, axis=2)
        typical = ordered[:, :, ordered.shape[2] // 2, None]
        if self._clutter is None:
            self._clutter = np.maximum(typical, 1e-12)
        self._focused += 1
        rate = 1.0 / min(self._focused + 1, MEMORY_ROWS)
        expected = self._clutter
        if (
            ordered.shape[2] >= QUORUM
        ):  # what all columns see at once is the ground, except what one strong object spreads
            expected = np.maximum(expected, 0.05 * ordered[:, :, ordered.shape[2] // 4, None])
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


def moveout(delays: Array, distance: Array, index: Array | float, params: GprParams) -> Array:
    """Delay after the surface bounce in ns of a point ``distance`` m beside the antenna, for bodies ``delays`` ns under the surface.

    Straight rays bent at the surface where the small-angle solution of Snell's law enters; ``index`` is the soil's refractive index.
    """
    h = max(params.antenna_height_m, 0.01)
    depth = 0.5 * delays * LIGHT / index
    entry = np.minimum(distance * index * h / (index * h + depth), 1.2 * index * h)
    path = np.hypot(entry, h) + index * np.hypot(distance - entry, depth)
    return np.asarray(2.0 * (path - h) / LIGHT)


def _median(values: Array) -> Array:
    """Median along the last axis of a small array; of an even number the lower one of the two in the middle."""
    return np.asarray(np.sort(values, axis=-1)[..., (values.shape[-1] - 1) // 2])


def _smooth(energy: Array) -> Array:
    """Energy over about a period of the pulse, along the depths."""
    out = energy.copy()
    out[:, 1:] += energy[:, :-1]
    out[:, :-1] += energy[:, 1:]
    out[:, 2:] += 0.5 * energy[:, :-2]
    out[:, :-2] += 0.5 * energy[:, 2:]
    return np.asarray(0.25 * out)
