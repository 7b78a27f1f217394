"""What radar and metal detector say of one spot, as log-likelihood ratios of a hazard against clutter, and their sum.

The ratios follow from physics, not from training: an echo of the polarity opposite to the surface's comes from
something optically thinner than soil (explosive, plastic, air), one of the same polarity from metal or wet wood; the
phase of the metal detector separates small ferrous parts from aluminium and brass and both from large bodies; its
moment is their size.
"""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass

import numpy as np

from mine_robot.core.types import Array, TargetClass
from mine_robot.detection.gpr import DEPTH_STEP_NS, LIGHT, SURFACE_GUARD_NS, GprCell
from mine_robot.detection.metal import MetalCell
from mine_robot.detection.params import DetectorParams
from mine_robot.detection.rows import Peak

LARGE_MOMENT = 400.0  # in units of the noise, at 0.10 m: a body of metal rather than a part of a mine or a scrap
SOIL_PHASE_DEG = 15.0  # a signal this near to in-phase comes from the soil's magnetite
BRASS_PHASE_DEG = 40.0
LARGE_SCORE = 6.0  # and this clear
MIN_FIT = (
    0.5,
    0.75,
)  # share of the energy one dipole must explain, of a faint and of a clear signal; else it lies elsewhere
LARGE_ECHO_M, LARGE_ECHO = 0.14, 0.15  # extent of an echo from which it is no anti-personnel mine's
COMPACT_M, DIFFUSE = 0.17, 0.10  # a weak echo longer than this is rather a change of the ground than an object
EVEN_SCORE = 4.25  # radar score and reflection at which hazard and soil are even
EVEN_REFLECTION = 0.024
BEFORE_NS = 0.95  # the top of a thick body echoes this long before its bottom, which may be stronger
WOBBLE_M = (0.016, 0.035)  # a weak echo of the other or its own polarity this near to the surface is the surface itself
SHALLOW_M = (0.06, 0.08)  # from no to full trust in the polarity
CONFLICT = 0.8  # tempering of the sum, as both sensors see the same object at the same depth


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
    """Metal-detector features: ``score`` ln(energy / noise), ``moment`` (noise units at 0.10 m), ``phase`` degrees, ``fit``."""

    score: float
    moment: float
    phase: float
    fit: float

    @property
    def least_fit(self) -> float:
        """The fit this signal must reach to belong to the spot."""
        return MIN_FIT[self.score > LARGE_SCORE]

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
    strong = [s for s, score in rows if score > peak.score - 1.4 and abs(s - peak.row.s) < 0.3]
    extent = max(strong) - min(strong) if strong else 0.0
    return GprLook(peak.score, thin, reflection, depth, extent)


def _first_lobe(window: Array) -> tuple[int, float]:
    """Index of the first lobe that reaches 0.6 of the largest, and its sign."""
    size = np.abs(window)
    inner = np.nonzero((size[1:-1] >= size[:-2]) & (size[1:-1] >= size[2:]) & (size[1:-1] >= 0.6 * size.max()))[0]
    first = int(inner[0]) + 1 if len(inner) else int(size.argmax())
    return first, math.copysign(1.0, float(window[first]))


def look_metal(peak: Peak[MetalCell]) -> MetalLook:
    """Features of a metal-detector peak."""
    cell = peak.row.data
    moment = complex(cell.moment[peak.column])
    return MetalLook(peak.score, abs(moment), math.degrees(cmath.phase(moment)), float(cell.fit[peak.column]))


def judge(gpr: GprLook | None, metal: MetalLook | None, params: DetectorParams) -> Verdict:
    """The verdict on one spot; ``None`` means that the sensor could not look there, which says nothing."""
    found = metal is not None and metal.score >= params.md.threshold and metal.fit >= metal.least_fit
    seen = gpr is not None and gpr.score >= params.gpr.threshold
    llr_md = _metal_llr(metal, seen, gpr) if metal is not None and found else 0.0
    # Metal that no dipole here explains may be this object's or a neighbour's: then polarity proves nothing.
    known = metal is not None and (found or metal.score < params.md.threshold)
    llr_gpr = _gpr_llr(gpr, metal if found else None, known, params) if gpr is not None else 0.0
    total = float(np.clip(CONFLICT * (llr_gpr + llr_md), -8.0, 8.0))
    kind = _classify(gpr if seen else None, metal if found else None)
    depth = gpr.depth if gpr is not None and seen else math.nan
    return Verdict(llr_gpr, llr_md, 1.0 / (1.0 + math.exp(-total)), kind, depth)


def _gpr_llr(gpr: GprLook, metal: MetalLook | None, known: bool, params: DetectorParams) -> float:
    ratio = float(np.clip(2.0 * (gpr.score - EVEN_SCORE), -2.0, 3.0))
    if gpr.score < params.gpr.threshold:
        return ratio
    even = EVEN_REFLECTION + 0.03 * math.exp(-gpr.depth / 0.02)  # close to the surface the ground itself varies more
    ratio += float(np.clip(1.5 * math.log(gpr.reflection / even), -2.0, 1.5))
    if gpr.reflection < DIFFUSE:
        ratio += float(np.clip((COMPACT_M - gpr.extent) / 0.04, -2.0, 0.8))
    if gpr.depth < WOBBLE_M[gpr.thin < 0.0] and gpr.reflection < DIFFUSE:
        ratio -= 2.0
    if gpr.thin < 0.0 and gpr.reflection < DIFFUSE and known and (metal is None or not metal.large):
        # Looks like metal, yet is none: wet wood. Near the surface the bounce blurs the polarity.
        ratio -= 4.5 * float(np.clip((gpr.depth - SHALLOW_M[0]) / (SHALLOW_M[1] - SHALLOW_M[0]), 0.0, 1.0))
    return float(np.clip(ratio, -3.0, 5.0))


def _metal_llr(metal: MetalLook, seen: bool, gpr: GprLook | None) -> float:
    if metal.large:
        return 4.0
    if min(abs(metal.phase), 180.0 - abs(metal.phase)) < SOIL_PHASE_DEG:
        return 0.0
    if metal.phase > 105.0 or metal.phase < -20.0:  # small and ferrous: nails, wire
        return -0.5 if seen else -3.0
    if metal.phase < BRASS_PHASE_DEG and gpr is not None and not seen:
        return -1.0  # brass without a body around it: a cartridge
    if metal.phase < 75.0:
        return (
            2.2  # as a detonator's capsule: outweighs a radar that sees too little of a small mine between its antennas
        )
    return 1.5


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
