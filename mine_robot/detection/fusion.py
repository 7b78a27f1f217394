"""What radar and metal detector say of one spot, as log-likelihood ratios of a hazard against clutter, and their sum.

The features follow from physics: an echo of the polarity opposite to the surface's comes from
something optically thinner than soil (explosive, plastic, air), one of the same polarity from metal or wet wood; the
phase of the metal detector separates small ferrous parts from aluminium and brass and both from large bodies; its
moment is their size. How much each feature weighs was fitted by logistic regression to simulated lanes in loam
(``benchmarks/detection_lanes.py``, seeds 100 to 111), then intercepts and rules were adjusted by hand on seeds 100 to 119 and a recorded
simulated mission; figures are reported on other seeds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mine_robot.core.types import TargetClass
from mine_robot.detection.looks import GPR_FEATURES, METAL_BELOW_TOP_M, NOMINAL_COIL_M, GprLook, MetalLook
from mine_robot.detection.metal import BELOW_M

SEEN, FOUND = 3.6, 4.2  # scores from which radar and metal detector see an object
UNSEEN = 4.0  # against what neither of them sees
PRIOR = -3.0  # logarithm of the odds before looking: of what is found about one in twenty is a hazard
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
CLEAR = 5.0  # more an echo does not say
METAL_LIKE = 3.0  # against an echo that looks like metal where there is none: wet wood
SHALLOW_M = (0.058, 0.07)  # from no to full trust in the polarity: near the surface the bounce blurs it
LEAST_MOMENT = 9.0  # quadrature of the smallest detonator or striker in standard deviations of a reading, at 0.10 m
REAL_QUADRATURE = 3.0  # standard deviations; metal that does not stand out locally is a baseline not yet settled
SPOILT, BEYOND = -4.0, 12.0  # outside a strong neighbour speaks
QUADRATURE_WEIGHT, QUADRATURE_CLIP = 0.7, 3.0
# One or two antennas and no metal detector: no shape across and no second opinion. What rough ground and its stones look like to them in
# FDTD scans (test/data/fdtd) is to stay below limits.mark_p_hazard, so it takes so much more, and a clear echo may say more than usual.
FEW, FEW_NEED, FEW_CLEAR = 3, 7.0, 11.0
COLUMNS = GPR_FEATURES.index("count")


@dataclass(frozen=True)
class Verdict:
    """Both ratios, the posterior, the class and the depth of the top in m."""

    llr_gpr: float
    llr_md: float
    p_hazard: float
    kind: TargetClass
    depth: float


Judge = Callable[[GprLook | None, MetalLook | None], Verdict]


def judge_by_rules(gpr: GprLook | None, metal: MetalLook | None) -> Verdict:
    """The verdict on one spot; ``None`` means that the sensor could not look there, which says nothing."""
    found = (
        metal is not None and metal.score >= FOUND and metal.fit >= MIN_FIT[metal.score > LARGE_SCORE] and _local(metal)
    )
    seen = gpr is not None and gpr.score >= SEEN
    llr_md = _metal_llr(metal, seen, found, gpr) if metal is not None else 0.0
    # Metal that no dipole here explains may be this object's or a neighbour's: then polarity proves nothing.
    known = metal is not None and (found or metal.score < FOUND)
    few = gpr is not None and metal is None and gpr.features[COLUMNS] < FEW
    clear = FEW_CLEAR if few else CLEAR
    llr_gpr = _gpr_llr(gpr, metal if found else None, known, clear) - FEW_NEED * few if gpr is not None else 0.0
    total = float(np.clip(PRIOR + llr_gpr + llr_md - UNSEEN * (not seen and not found), -8.0, 8.0))
    kind = classify(gpr if seen else None, metal if found else None)
    depth = gpr.depth if gpr is not None and seen else math.nan
    return Verdict(llr_gpr, llr_md, 1.0 / (1.0 + math.exp(-total)), kind, depth)


def _large(metal: MetalLook) -> bool:
    """True for a body of metal."""
    return metal.moment > LARGE_MOMENT and metal.score > LARGE_SCORE


def _local(metal: MetalLook) -> bool:
    """False for a moderate signal without any quadrature of its own right at the spot."""
    return not metal.quadrature or metal.score > CLEAR_SCORE or max(metal.quadrature) >= REAL_QUADRATURE


def _gpr_llr(gpr: GprLook, metal: MetalLook | None, known: bool, clear: float) -> float:
    if gpr.score < SEEN:
        return float(np.clip(1.6 * (gpr.score - EVEN_SCORE), -1.6, 0.0))
    even = EVEN_REFLECTION + 0.03 * math.exp(-gpr.depth / 0.02)  # close to the surface the ground itself varies more
    ratio = WEAK + SCORE_WEIGHT * float(np.clip(gpr.score - EVEN_SCORE, -1.25, 2.25))
    ratio += REFLECTION_WEIGHT * float(np.clip(math.log(gpr.reflection / even), -2.0, 2.0))
    ratio -= LONG_WEIGHT * float(np.clip(gpr.extent - LONG_M, 0.0, 0.2)) * (gpr.score < LARGE_SCORE)
    if gpr.thin < 0.0 and gpr.reflection < DIFFUSE and known and (metal is None or not _large(metal)):
        ratio -= METAL_LIKE * float(np.clip((gpr.depth - SHALLOW_M[0]) / (SHALLOW_M[1] - SHALLOW_M[0]), 0.0, 1.0))
    return float(np.clip(ratio, -2.4 if metal is not None else -6.0, clear))


def _metal_llr(metal: MetalLook, seen: bool, found: bool, gpr: GprLook | None) -> float:
    if found and _large(metal):
        return 3.2
    off_axis = min(abs(metal.phase), 180.0 - abs(metal.phase))
    if not found or off_axis < SOIL_PHASE_DEG:
        if gpr is None or not seen:
            return 0.0
        ratio = _quadrature_llr(metal, gpr.depth)
        disturbed = metal.score >= FOUND and off_axis >= SOIL_PHASE_DEG
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
    below = float(np.clip(NOMINAL_COIL_M + depth + METAL_BELOW_TOP_M, BELOW_M[0], BELOW_M[-1]))
    z = float(np.interp(below, BELOW_M, metal.quadrature))
    expected = LEAST_MOMENT * math.exp(float(np.interp(below, BELOW_M, np.log(metal.gain))))
    if not SPOILT < z < BEYOND:
        return 0.0
    ratio = expected * z - 0.5 * expected**2 if z < expected else 0.5 * z * z
    return QUADRATURE_WEIGHT * float(np.clip(ratio, -QUADRATURE_CLIP, QUADRATURE_CLIP))


def classify(gpr: GprLook | None, metal: MetalLook | None) -> TargetClass:
    wide = gpr is not None and gpr.extent > LARGE_ECHO_M and gpr.reflection > LARGE_ECHO
    if metal is not None and _large(metal):
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
