"""What each sensor sees of one spot: the looks, from which the verdict follows.

A look has a few quantities with a physical meaning, which the rules use, and a vector of features (``GPR_FEATURES``, ``METAL_FEATURES``)
for the learned model. Everything is relative to the surface's bounce, the clutter or the noise, so that units do not matter.
NaN stands for what cannot be known, with one radar channel for instance.
"""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from mine_robot.core.types import Array
from mine_robot.detection.gpr import DEPTH_STEP_NS, SURFACE_GUARD_NS, GprCell, GprProcessor, moveout
from mine_robot.detection.metal import BELOW_M, MetalCell, MetalFit, MetalProcessor
from mine_robot.detection.params import LIGHT, DetectorParams
from mine_robot.detection.rows import Peak, Strip, median

BEFORE_NS = 0.95  # the top of a thick body echoes this long before its bottom, which may be stronger
GAP_M = 0.06
STRONG = 1.4  # logarithm: what is so little weaker than the peak belongs to the same echo
WAVE_NS = np.arange(-1.0, 1.3, 0.2)  # where the wave is sampled, relative to its largest lobe
INDICES = (2.2, 3.2, 4.5)  # refractive indices with which the hyperbola is tried
BESIDE_M, BEYOND_M = 0.15, 0.45  # where neighbours lie
NEAR_M = 0.08  # the ground that belongs to a spot
AROUND_M, ASIDE_M = 0.13, 0.17  # rows and channels that take part in that
SHIFTS_NS = (-0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3)
METAL_BELOW_TOP_M = 0.03  # where a mine's metal lies
NOMINAL_COIL_M = 0.06  # height of the coils above ground

T = TypeVar("T")

GPR_FEATURES = (
    "score", "contrast", "hyperbola_over_level", "clutter", "thin", "reflection", "first_ns", "strongest_ns",
    "extent", "width", "thickness", "edge", "count",
    *(f"wave_{i}" for i in range(len(WAVE_NS))),
    "level_gain", *(f"gain_{i}" for i in range(len(INDICES))), *(f"semblance_{i}" for i in range(len(INDICES))),
    "bounce", "bounce_most", "bounce_least", "bounce_scatter", "rise", "slope", "behind", "ahead", "neighbour",
)  # fmt: skip
SPOT_FEATURES = (
    *(f"in_phase_{i}" for i in range(len(BELOW_M))), *(f"quadrature_{i}" for i in range(len(BELOW_M))),
    "best_below", "best_fit", "best_moment", "best_phase",
    "moment_at_echo", "quadrature_at_echo", "phase_at_echo", "fit_at_echo",
)  # fmt: skip
METAL_FEATURES = (
    "score", "moment", "phase", "fit", "below", *SPOT_FEATURES, "offset", "behind", "ahead", "neighbour",
    *(f"local_{name}" for name in SPOT_FEATURES),
)  # fmt: skip


@dataclass(frozen=True)
class GprLook:
    """Radar: ``score`` ln(energy / clutter), ``thin`` (-1 metal-like to 1 plastic-like), relative ``reflection``,
    ``depth`` m of the top, ``extent`` m of the echo, ``features`` (GPR_FEATURES)."""

    score: float
    thin: float
    reflection: float
    depth: float
    extent: float
    features: Array


@dataclass(frozen=True)
class MetalLook:
    """Metal detector: ``score`` ln(energy / noise), ``moment`` (noise units at 0.10 m), ``phase`` degrees, ``fit``.

    ``quadrature`` and ``gain`` (see :class:`~mine_robot.detection.metal.MetalFit`) are those of the spot itself; empty if not known.
    """

    score: float
    moment: float
    phase: float
    fit: float
    features: Array
    quadrature: tuple[float, ...] = ()
    gain: tuple[float, ...] = ()


def look_gpr(peak: Peak[GprCell], processor: GprProcessor, params: DetectorParams) -> GprLook:
    """Features of a radar peak."""
    cell, dt = peak.row.data, processor.interval
    at_depth = int(cell.depth[peak.column])
    strongest = SURFACE_GUARD_NS + DEPTH_STEP_NS * at_depth
    trace = cell.trace[:, peak.column]
    low = max(0, round((strongest - BEFORE_NS) / dt))
    high = max(low + 3, round((strongest + 0.6) / dt) + 1)
    window = trace[low:high]
    first, thin = _first_lobe(window)
    delay = (low + first) * dt
    index = math.sqrt(params.gpr.soil_permittivity)
    depth = 0.5 * delay * LIGHT / index
    h = max(params.gpr.antenna_height_m, 0.01)
    spreading = (h + depth / index) / h
    largest = max(float(np.abs(window).max()), 1e-9)
    reflection = largest * spreading * math.exp(4.0 * depth)
    extent, width, contrast = _extents(peak, processor.strip)
    lobe = (low + int(np.abs(window).argmax())) * dt
    wave = np.interp(lobe + WAVE_NS, np.arange(len(trace)) * dt, trace, left=0.0, right=0.0)
    ratio = cell.ratio[:, :, peak.column]
    best = ratio.max(axis=0)
    lateral = processor.strip.lateral
    features = [
        peak.score,
        contrast,
        float(ratio[0, at_depth] - ratio[1, at_depth]),
        math.log(float(cell.clutter[0, at_depth, 0])),
        float(window[first]) / largest,
        math.log(reflection),
        delay,
        strongest,
        extent,
        width,
        DEPTH_STEP_NS * float((best > best.max() - STRONG).sum()),
        0.5 * float(np.ptp(lateral)) - abs(peak.lateral) if len(lateral) > 1 else math.nan,
        float(len(lateral)),
        *(wave / largest),
        *_moveouts(peak, strongest, processor, params),
        *_bounces(peak, processor),
        *_rises(peak, processor),
        *_passed(peak, processor.strip),
    ]
    return GprLook(peak.score, thin, reflection, depth, extent, np.array(features))


def _extents(peak: Peak[GprCell], strip: Strip[GprCell]) -> tuple[float, float, float]:
    """Length and width in m over which the echo is strong without a gap, and the score above the usual score around."""
    near = np.abs(strip.s - peak.row.s) < 0.3
    s, scores = strip.s[near], strip.scores[near]
    strong = s[scores[:, peak.column] > peak.score - STRONG]
    extent = 0.0
    if len(strong):
        piece = np.concatenate([[0], np.cumsum(np.diff(strong) > GAP_M)])
        own = strong[piece == piece[np.abs(strong - peak.row.s).argmin()]]
        extent = float(own[-1] - own[0])
    beside = np.abs(strip.lateral - strip.lateral[peak.column]) < 0.25
    across = peak.row.scores > peak.score - STRONG
    width = float(np.ptp(strip.lateral[across & beside])) if len(strip.lateral) > 1 and across.any() else math.nan
    return extent, width, peak.score - float(median(scores.ravel())) if scores.size else 0.0


def _first_lobe(window: Array) -> tuple[int, float]:
    """Index of the first lobe that reaches 0.6 of the largest, and its sign."""
    size = np.abs(window)
    inner = np.nonzero((size[1:-1] >= size[:-2]) & (size[1:-1] >= size[2:]) & (size[1:-1] >= 0.6 * size.max()))[0]
    first = int(inner[0]) + 1 if len(inner) else int(size.argmax())
    return first, math.copysign(1.0, float(window[first]))


def _moveouts(peak: Peak[GprCell], strongest: float, processor: GprProcessor, params: DetectorParams) -> list[float]:
    """How well the echo follows a level line and hyperbolas of several soils: logarithmic gains (one more than INDICES), semblances."""
    lines = [line for line in processor.lines if abs(line.s - peak.row.s) <= AROUND_M]
    left = float(processor.strip.lateral[peak.column])
    channels = np.nonzero(np.abs(processor.offsets - left) <= ASIDE_M)[0]
    count = len(INDICES)
    if len(lines) < 3 or not len(channels):
        return [math.nan] * (2 * count + 1)
    cube = np.array([line.traces[:, channels] for line in lines])  # (rows, samples, channels)
    distance = np.hypot(np.array([line.s - peak.row.s for line in lines])[:, None], processor.offsets[channels] - left)
    rows, columns = np.ogrid[: len(lines), : len(channels)]
    weight = np.exp(-((distance / 0.10) ** 2))
    hyperbolas = moveout(np.array(strongest), distance, np.array(INDICES)[:, None, None], params.gpr)
    delay = np.concatenate([np.zeros_like(distance)[None], hyperbolas])[:, None]  # (indices, 1, rows, channels)
    at = np.rint((strongest + delay + np.array(SHIFTS_NS)[:, None, None]) / processor.interval).astype(int)
    picked = cube[rows, np.minimum(np.maximum(at + processor.lead, 0), cube.shape[1] - 1), columns]
    sums = np.abs((weight * picked).sum(axis=(2, 3)))
    each, best = np.arange(count + 1), sums.argmax(axis=1)
    gains, chosen = sums[each, best], picked[each, best]
    powers = (weight * chosen * chosen).sum(axis=(1, 2))
    semblances = gains**2 / np.maximum(weight.sum() * powers, 1e-12)
    whole = max(math.sqrt(float((cube**2).mean())), 1e-9) * float(weight.sum())
    return [*np.log(np.maximum(gains / whole, 1e-6)), *semblances[1:]]


def _passed(peak: Peak[T], strip: Strip[T]) -> list[float]:
    """Lengths in m of the strip behind and ahead of a peak, and how much stronger the strongest thing beside it is.

    At the ends of a pass less is known, and what lies beside something large may be that thing's.
    """
    s, left = strip.s, float(strip.lateral[peak.column])
    distance = np.hypot((s - peak.row.s)[:, None], strip.lateral - left)
    beside = strip.scores[(distance > BESIDE_M) & (distance < BEYOND_M)]
    stronger = float(beside.max()) - peak.score if beside.size else math.nan
    return [float(peak.row.s - s[0]), float(s[-1] - peak.row.s), stronger]


def _bounces(peak: Peak[GprCell], processor: GprProcessor) -> list[float]:
    """Change of the surface's bounce over the spot: mean, largest and least near it, and the usual scatter around.

    A mine flush with the ground echoes together with the surface: what is left of it is a bounce that differs.
    """
    ahead = np.array([line.s - peak.s for line in processor.lines])
    change = np.array([line.bounce for line in processor.lines])
    distance = np.hypot(ahead[:, None], processor.offsets - peak.lateral)
    near = change[distance <= NEAR_M]
    if not near.size or change.shape[1] < 3:
        return [math.nan] * 4
    far = change[distance > AROUND_M]
    weight = np.exp(-((distance / 0.06) ** 2))
    scatter = float(median(np.abs(far))) if far.size else math.nan
    return [float((weight * change).sum() / weight.sum()), float(near.max()), float(near.min()), scatter]


def _rises(peak: Peak[GprCell], processor: GprProcessor) -> list[float]:
    """How far in m the head is above the height at which the background was learnt, and how much that changes around the peak."""
    near = [line.rise for line in processor.lines if abs(line.s - peak.s) <= AROUND_M]
    return [float(np.mean(near)), float(np.ptp(near))] if near else [math.nan] * 2


def look_metal(peak: Peak[MetalCell], echo_depth: float, processor: MetalProcessor) -> MetalLook:
    """Features of the metal detector for the spot where ``peak``, the strongest signal near it, is placed.

    ``echo_depth`` is the depth of the radar's echo there in m, NaN if there is none.
    """
    cell = peak.row.data
    moment = complex(cell.moment[peak.column])
    score, fit, passed = peak.score, float(cell.fit[peak.column]), _passed(peak, processor.strip)
    column_left = float(processor.strip.lateral[peak.column])
    spot = processor.fit_at(peak.s, peak.lateral)
    offset = math.hypot(peak.row.s - peak.s, column_left - peak.lateral)
    head = [score, math.log(max(abs(moment), 1e-6)), _phase(moment), fit, float(cell.below[peak.column])]
    local = processor.fit_local(peak.s, peak.lateral)
    features = [*head, *_spot(spot, echo_depth), offset, *passed, *_spot(local, echo_depth)]
    if spot is None:
        return MetalLook(score, abs(moment), _angle(moment), fit, np.array(features))
    own = complex(spot.moment[int(spot.fit.argmax())])
    return MetalLook(
        score,
        abs(own),
        _angle(own),
        fit,
        np.array(features),
        tuple(spot.z.imag.tolist()),
        tuple(spot.gain.tolist()),
    )


def _spot(spot: MetalFit | None, echo_depth: float) -> list[float]:
    """SPOT_FEATURES of a fit."""
    if spot is None:
        return [math.nan] * len(SPOT_FEATURES)
    z = [*_signed_log(np.asarray(spot.z.real)), *_signed_log(np.asarray(spot.z.imag))]
    return [*z, *_best(spot), *_at_echo(spot, echo_depth)]


def _best(spot: MetalFit) -> list[float]:
    best = int(spot.fit.argmax())
    moment = complex(spot.moment[best])
    return [BELOW_M[best], float(spot.fit[best]), math.log(max(abs(moment), 1e-6)), _phase(moment)]


def _at_echo(spot: MetalFit, depth: float) -> list[float]:
    """Logarithm of the moment, quadrature in standard deviations, phase and fit of a dipole in a body with its top at ``depth`` m."""
    if not math.isfinite(depth):
        return [math.nan] * 4
    below = min(max(NOMINAL_COIL_M + depth + METAL_BELOW_TOP_M, BELOW_M[0]), BELOW_M[-1])
    moment = complex(np.interp(below, BELOW_M, spot.moment.real), np.interp(below, BELOW_M, spot.moment.imag))
    quadrature = float(np.interp(below, BELOW_M, spot.z.imag))
    return [
        math.log(max(abs(moment), 1e-6)),
        math.copysign(math.log1p(abs(quadrature)), quadrature),
        _phase(moment),
        float(np.interp(below, BELOW_M, spot.fit)),
    ]


def _signed_log(values: Array) -> Array:
    return np.asarray(np.sign(values) * np.log1p(np.abs(values)))


def _angle(moment: complex) -> float:
    return math.degrees(cmath.phase(moment))


def _phase(moment: complex) -> float:
    """Degrees from -90 to 270: no known object lies at the cut."""
    return (_angle(moment) + 90.0) % 360.0 - 90.0
