"""What radar and metal detector say of one spot, as log-likelihood ratios of a hazard against clutter, and their sum.

The features follow from physics: an echo of the polarity opposite to the surface's comes from
something optically thinner than soil (explosive, plastic, air), one of the same polarity from metal or wet wood; the
phase of the metal detector separates small ferrous parts from aluminium and brass and both from large bodies; its
moment is their size. How much each feature weighs was fitted by logistic regression to simulated lanes in loam
(``benchmarks/detection_lanes.py``, seeds 100 to 111), then intercepts and rules were adjusted by hand on seeds 100 to 119 and a recorded
simulated mission; figures are reported on other seeds.
"""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass, replace

import numpy as np

from mine_robot.core.types import Array, TargetClass
from mine_robot.detection.gpr import DEPTH_STEP_NS, LIGHT, SURFACE_GUARD_NS, GprCell
from mine_robot.detection.metal import BELOW_M, MetalCell
from mine_robot.detection.params import DetectorParams
from mine_robot.detection.rows import Peak

LARGE_MOMENT = 400.0  # in units of the noise, at 0.10 m: a body of metal rather than a part of a mine or a scrap
SOIL_PHASE_DEG = 15.0  # a signal this near to in-phase comes from the soil's magnetite
BRASS_PHASE_DEG = 40.0
LARGE_SCORE = 6.0  # and this clear
CLEAR_SCORE = 7.0  # no baseline errs so much
MIN_FIT = (
    0.5,
    0.75,
)  # share of the energy one dipole must explain, of a faint and of a clear signal; else it lies elsewhere
LARGE_ECHO_M, LARGE_ECHO = 0.14, 0.15  # extent of an echo from which it is no anti-personnel mine's
DIFFUSE = 0.10  # an echo weaker than this has to look like an object's in every respect
EVEN_SCORE = 4.25  # radar score and reflection around which the weights apply
EVEN_REFLECTION = 0.024
WEAK = -2.6  # ratio of an echo of just that score and reflection: nearly always the soil's own scatterers
SCORE_WEIGHT, REFLECTION_WEIGHT = 2.5, 3.7
LONG_M, LONG_WEIGHT = (
    0.17,
    25.0,
)  # a weak echo longer than this is rather a change of the ground than an object; a metre of it
GAP_M = 0.06
METAL_LIKE = 3.0  # against an echo that looks like metal where there is none: wet wood
BEFORE_NS = 0.95  # the top of a thick body echoes this long before its bottom, which may be stronger
SHALLOW_M = (0.058, 0.07)  # from no to full trust in the polarity: near the surface the bounce blurs it
LEAST_MOMENT = 9.0  # quadrature of the smallest detonator or striker in standard deviations of a reading, at 0.10 m
METAL_BELOW_TOP_M = 0.03  # where a mine's metal lies
NOMINAL_COIL_M = 0.06  # height of the coils above ground
REAL_QUADRATURE = 3.0  # standard deviations; metal that does not stand out locally is a baseline not yet settled
SPOILT, BEYOND = -4.0, 12.0  # outside a strong neighbour speaks
QUADRATURE_WEIGHT, QUADRATURE_CLIP = 0.7, 3.0


@dataclass(frozen=True)
class GprLook:
    """Radar features: ``score`` ln(energy / clutter), ``thin`` (-1 metal-like to 1 plastic-like), relative ``reflection``,
    ``depth`` m of the top, ``extent`` m of the echo."""

    score: float
    thin: float
    reflection: float
    depth: float
    extent: float


@dataclass(frozen=True)
class MetalLook:
    """Metal-detector features: ``score`` ln(energy / noise), ``moment`` (noise units at 0.10 m), ``phase`` degrees, ``fit``.

    ``quadrature`` and ``gain`` (see :class:`~mine_robot.detection.metal.MetalCell`) are those of the spot itself for dipoles
    ``below`` m under the coils; empty if not known.
    """

    score: float
    moment: float
    phase: float
    fit: float
    below: tuple[float, ...] = ()
    quadrature: tuple[float, ...] = ()
    gain: tuple[float, ...] = ()

    @property
    def least_fit(self) -> float:
        """The fit this signal must reach to belong to the spot."""
        return MIN_FIT[self.score > LARGE_SCORE]

    @property
    def local(self) -> bool:
        """False for a moderate signal without any quadrature of its own right at the spot."""
        return not self.quadrature or self.score > CLEAR_SCORE or max(self.quadrature) >= REAL_QUADRATURE

    @property
    def large(self) -> bool:
        """True for a body of metal."""
        return self.moment > LARGE_MOMENT and self.score > LARGE_SCORE


@dataclass(frozen=True)
class Verdict:
    """Both ratios, the posterior, the class and the depth of the top in m."""

    llr_gpr: float
    llr_md: float
    p_hazard: float
    kind: TargetClass
    depth: float


def look_gpr(peak: Peak[GprCell], rows: list[tuple[float, float]], params: DetectorParams) -> GprLook:
    """Features of a radar peak; ``rows`` are (along-track distance, score) of the peak's column, for the extent."""
    cell = peak.row.data
    gpr = params.gpr
    index = math.sqrt(gpr.soil_permittivity)
    strongest = SURFACE_GUARD_NS + DEPTH_STEP_NS * float(cell.depth[peak.column])
    trace = cell.trace[:, peak.column]
    low = max(0, round((strongest - BEFORE_NS) / gpr.sample_interval_ns))
    high = max(low + 3, round((strongest + 0.6) / gpr.sample_interval_ns) + 1)
    window = trace[low:high]
    first, thin = _first_lobe(window)
    delay = (low + first) * gpr.sample_interval_ns
    depth = 0.5 * delay * LIGHT / index
    h = max(gpr.antenna_height_m, 0.01)
    spreading = (h + depth / index) / h
    reflection = float(np.abs(window).max()) * spreading * math.exp(4.0 * depth)
    return GprLook(peak.score, thin, reflection, depth, _extent(peak, rows))


def _extent(peak: Peak[GprCell], rows: list[tuple[float, float]]) -> float:
    """Length in m over which the echo is strong without a gap, so that a second object does not count."""
    strong = np.array([s for s, score in rows if score > peak.score - 1.4 and abs(s - peak.row.s) < 0.3])
    if not len(strong):
        return 0.0
    piece = np.concatenate([[0], np.cumsum(np.diff(strong) > GAP_M)])
    own = strong[piece == piece[np.abs(strong - peak.row.s).argmin()]]
    return float(own[-1] - own[0])


def _first_lobe(window: Array) -> tuple[int, float]:
    """Index of the first lobe that reaches 0.6 of the largest, and its sign."""
    size = np.abs(window)
    inner = np.nonzero((size[1:-1] >= size[:-2]) & (size[1:-1] >= size[2:]) & (size[1:-1] >= 0.6 * size.max()))[0]
    first = int(inner[0]) + 1 if len(inner) else int(size.argmax())
    return first, math.copysign(1.0, float(window[first]))


def look_metal(peak: Peak[MetalCell], spot: tuple[MetalCell, int] | None) -> MetalLook:
    """Features of a metal-detector peak; ``spot`` is the cell right over the object and its column."""
    cell = peak.row.data
    moment = complex(cell.moment[peak.column])
    look = MetalLook(peak.score, abs(moment), math.degrees(cmath.phase(moment)), float(cell.fit[peak.column]))
    if spot is None:
        return look
    over, column = spot
    return replace(look, below=BELOW_M, quadrature=tuple(over.quadrature[:, column]), gain=tuple(over.gain[:, column]))


def judge(gpr: GprLook | None, metal: MetalLook | None, params: DetectorParams) -> Verdict:
    """The verdict on one spot; ``None`` means that the sensor could not look there, which says nothing."""
    found = metal is not None and metal.score >= params.md.threshold and metal.fit >= metal.least_fit and metal.local
    seen = gpr is not None and gpr.score >= params.gpr.threshold
    llr_md = _metal_llr(metal, seen, found, gpr, params) if metal is not None else 0.0
    # Metal that no dipole here explains may be this object's or a neighbour's: then polarity proves nothing.
    known = metal is not None and (found or metal.score < params.md.threshold)
    llr_gpr = _gpr_llr(gpr, metal if found else None, known, params) if gpr is not None else 0.0
    total = float(np.clip(llr_gpr + llr_md, -8.0, 8.0))
    kind = _classify(gpr if seen else None, metal if found else None)
    depth = gpr.depth if gpr is not None and seen else math.nan
    return Verdict(llr_gpr, llr_md, 1.0 / (1.0 + math.exp(-total)), kind, depth)


def _gpr_llr(gpr: GprLook, metal: MetalLook | None, known: bool, params: DetectorParams) -> float:
    if gpr.score < params.gpr.threshold:
        return float(np.clip(1.6 * (gpr.score - EVEN_SCORE), -1.6, 0.0))
    even = EVEN_REFLECTION + 0.03 * math.exp(-gpr.depth / 0.02)  # close to the surface the ground itself varies more
    ratio = WEAK + SCORE_WEIGHT * float(np.clip(gpr.score - EVEN_SCORE, -1.25, 2.25))
    ratio += REFLECTION_WEIGHT * float(np.clip(math.log(gpr.reflection / even), -2.0, 2.0))
    ratio -= LONG_WEIGHT * float(np.clip(gpr.extent - LONG_M, 0.0, 0.2)) * (gpr.score < LARGE_SCORE)
    if gpr.thin < 0.0 and gpr.reflection < DIFFUSE and known and (metal is None or not metal.large):
        ratio -= METAL_LIKE * float(np.clip((gpr.depth - SHALLOW_M[0]) / (SHALLOW_M[1] - SHALLOW_M[0]), 0.0, 1.0))
    return float(np.clip(ratio, -2.4 if metal is not None else -6.0, 5.0))


def _metal_llr(metal: MetalLook, seen: bool, found: bool, gpr: GprLook | None, params: DetectorParams) -> float:
    if found and metal.large:
        return 3.2
    off_axis = min(abs(metal.phase), 180.0 - abs(metal.phase))
    if not found or off_axis < SOIL_PHASE_DEG:
        if gpr is None or not seen:
            return 0.0
        ratio = _quadrature_llr(metal, gpr.depth)
        disturbed = metal.score >= params.md.threshold and off_axis >= SOIL_PHASE_DEG
        return max(ratio, 0.0) if disturbed else ratio  # metal hidden by a neighbour's is not absent
    if metal.phase > 105.0 or metal.phase < -20.0:  # small and ferrous: nails, wire
        return -0.4 if seen else -2.4
    if metal.phase < BRASS_PHASE_DEG and gpr is not None and not seen:
        return -0.8  # brass without a body around it: a cartridge
    if metal.phase < 75.0:
        return (
            1.8  # as a detonator's capsule: outweighs a radar that sees too little of a small mine between its antennas
        )
    return 1.2


def _quadrature_llr(metal: MetalLook, depth: float) -> float:
    """Ratio of the smallest metal part of a mine (or a larger one) at the depth of the echo against none."""
    if not metal.quadrature:
        return 0.0
    below = float(np.clip(NOMINAL_COIL_M + depth + METAL_BELOW_TOP_M, metal.below[0], metal.below[-1]))
    z = float(np.interp(below, metal.below, metal.quadrature))
    expected = LEAST_MOMENT * math.exp(float(np.interp(below, metal.below, np.log(metal.gain))))
    if not SPOILT < z < BEYOND:
        return 0.0
    ratio = expected * z - 0.5 * expected**2 if z < expected else 0.5 * z * z
    return QUADRATURE_WEIGHT * float(np.clip(ratio, -QUADRATURE_CLIP, QUADRATURE_CLIP))


def _classify(gpr: GprLook | None, metal: MetalLook | None) -> TargetClass:
    wide = gpr is not None and gpr.extent > LARGE_ECHO_M and gpr.reflection > LARGE_ECHO
    if metal is not None and metal.large:
        if wide or metal.moment > 20.0 * LARGE_MOMENT:
            return TargetClass.AT if metal.phase < 52.0 else TargetClass.ERW
        return TargetClass.AP_METAL
    if gpr is None:
        return TargetClass.CLUTTER if metal is not None else TargetClass.UNKNOWN
    if gpr.thin < 0.0:
        return TargetClass.CLUTTER
    if wide:
        return TargetClass.AT
    metallic = metal is not None and metal.moment > 30.0 and 70.0 < metal.phase < 105.0
    return TargetClass.AP_METAL if metallic else TargetClass.AP_MINIMUM_METAL
