"""The learned second stage: boosted decision trees that turn looks into a calibrated probability of a hazard.

Trees are plain numbers (``hazard_model.json``, written by ``scripts/train_hazard_model.py``), so that loading one runs no code. There are
three models: for both sensors, for the radar alone and for the metal detector alone. Gradient boosting: J. H. Friedman, Annals of
Statistics 29(5), 2001; calibration: J. Platt, 1999.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mine_robot.core.types import Array, TargetClass
from mine_robot.detection.fusion import COLUMNS, FEW, FOUND, SEEN, Verdict, classify, judge_by_rules
from mine_robot.detection.looks import GPR_FEATURES, METAL_FEATURES, GprLook, MetalLook

FORMAT = "mine_robot hazard model 1"
FEATURES = tuple(f"gpr.{name}" for name in GPR_FEATURES) + tuple(f"md.{name}" for name in METAL_FEATURES)
SENSORS = {"both": slice(None), "gpr": slice(0, len(GPR_FEATURES)), "md": slice(len(GPR_FEATURES), None)}
MAX_LOGIT = 8.0  # nothing is surer than that
MAX_LEAVES = 64  # of a tree: a bit each
ALL, ONE = np.uint64(2**MAX_LEAVES - 1), np.uint64(1)
PLAUSIBLE_P = 0.5  # from there on the class is that of a hazard


class ModelError(ValueError):
    """A model that cannot be used; one line says why."""


@dataclass(frozen=True)
class Trees:
    """Boosted trees with the inner nodes of all in one row: ``baseline`` plus one leaf's ``value`` a tree is the raw score.

    Every node is asked at once, without walking down the trees (C. Lucchese et al., QuickScorer, SIGIR 2015): ``beyond`` has the bits
    of the leaves that are still possible if a node's feature is above its threshold; the first leaf that all nodes allow is the one.
    """

    feature: NDArray[np.intp]  # (nodes,), into the features followed by those with -inf for what is unknown
    threshold: Array  # (nodes,)
    beyond: NDArray[np.uint64]  # (nodes,)
    first: NDArray[np.intp]  # (trees,) each tree's first node
    value: Array  # (trees, leaves) from left to right
    baseline: float
    slope: float
    intercept: float
    prior: float

    def logit(self, features: Array) -> float:
        """Calibrated logarithm of the odds of a hazard for ``features`` (n,), NaN where unknown."""
        x = np.concatenate([features, np.where(np.isnan(features), -np.inf, features)])
        allowed = np.where(x[self.feature] <= self.threshold, ALL, self.beyond)
        leaves = np.bitwise_and.reduceat(allowed, self.first)
        leaf = np.frexp((leaves & (~leaves + ONE)).astype(float))[1] - 1  # the lowest bit
        raw = self.baseline + float(self.value[np.arange(len(leaf)), leaf].sum())
        return min(max(self.slope * raw + self.intercept, -MAX_LOGIT), MAX_LOGIT)


class HazardModel:
    """A judge (see :class:`~mine_robot.detection.detector.Detector`) learnt from examples.

    ``operating`` (n, 3): threshold of the probability, Pd of the hazards passed, false alarms per m²; made in training from fields that
    the trees had not seen, as rich in clutter as those.
    """

    def __init__(self, content: Mapping[str, Any]) -> None:
        """From the decoded JSON; raises :class:`ModelError`."""
        if not isinstance(content, Mapping) or content.get("format") != FORMAT:
            raise ModelError(f"not a '{FORMAT}'")
        if tuple(content.get("features", ())) != FEATURES:
            raise ModelError("its features are not those of this detector: train it anew")
        try:
            self.provenance = dict(content["provenance"])
            self._models = {name: _trees(content["models"][name], part) for name, part in SENSORS.items()}
            self.operating = np.array(content["models"]["both"]["operating"], dtype=float).reshape(-1, 3)
        except (LookupError, TypeError, ValueError) as error:
            raise ModelError(f"incomplete: {error}") from None

    def threshold(self, pd: float) -> float:
        """The highest probability from which to mark so that a share ``pd`` of the hazards is marked; NaN if none reaches it."""
        enough = self.operating[self.operating[:, 1] >= pd, 0]
        return float(enough.max()) if len(enough) else math.nan

    def threshold_for_alarms(self, rate: float) -> float:
        """The lowest probability from which to mark with at most ``rate`` false alarms per m²; NaN if none has so few."""
        enough = self.operating[self.operating[:, 2] <= rate, 0]
        return float(enough.min()) if len(enough) else math.nan

    def __call__(self, gpr: GprLook | None, metal: MetalLook | None) -> Verdict:
        """The verdict on one spot; ``None`` means that the sensor could not look there."""
        llr_gpr = self._llr("gpr", gpr.features) if gpr is not None else 0.0
        llr_md = self._llr("md", metal.features) if metal is not None else 0.0
        if gpr is not None and metal is not None:
            logit = self._models["both"].logit(np.concatenate([gpr.features, metal.features]))
        else:
            name, llr = ("gpr", llr_gpr) if gpr is not None else ("md", llr_md)
            logit = self._models[name].prior + llr
        p = 1.0 / (1.0 + math.exp(-logit))
        if gpr is not None and gpr.features[COLUMNS] < FEW:
            p = judge_by_rules(gpr, metal).p_hazard  # fewer columns than in any of the examples: the trees cannot know
        seen = gpr is not None and gpr.score >= SEEN
        found = metal is not None and metal.score >= FOUND
        kind = classify(gpr if seen else None, metal if found else None)
        if p < PLAUSIBLE_P:
            kind = TargetClass.CLUTTER
        elif kind in (TargetClass.CLUTTER, TargetClass.UNKNOWN):
            kind = TargetClass.AP_METAL if found and not seen else TargetClass.AP_MINIMUM_METAL
        depth = gpr.depth if gpr is not None and seen else math.nan
        return Verdict(llr_gpr, llr_md, p, kind, depth)

    def _llr(self, name: str, features: Array) -> float:
        """Logarithm of the likelihood ratio of one sensor's look: its odds less those before it."""
        model = self._models[name]
        return model.logit(features) - model.prior


def _trees(data: Mapping[str, Any], part: slice) -> Trees:
    if not data["trees"]:
        raise ValueError("no trees")
    width = len(FEATURES[part])
    nodes: list[tuple[int, float, int]] = []
    first, values = [], []
    for tree in data["trees"]:
        first.append(len(nodes))
        values.append(_flatten(tree, width, nodes))
    value = np.zeros((len(values), MAX_LEAVES))
    for row, leaves in zip(value, values):
        row[: len(leaves)] = leaves
    numbers = [float(data[key]) for key in ("baseline", "slope", "intercept", "prior")]
    threshold = np.array([node[1] for node in nodes], dtype=float)
    if not np.isfinite([*numbers, value.sum()]).all() or np.isnan(threshold).any():
        raise ValueError("a value is not a number")
    feature, beyond = np.array([node[0] for node in nodes]), np.array([node[2] for node in nodes], dtype=np.uint64)
    return Trees(feature, threshold, beyond, np.array(first), value, *numbers)


def _flatten(tree: Mapping[str, Any], width: int, nodes: list[tuple[int, float, int]]) -> list[float]:
    """Append a tree's inner nodes (feature, threshold, leaves beyond) to ``nodes``; returns its leaves' values from left to right.

    In the file a leaf is its own child, and nodes stand before their children.
    """
    leaves: list[float] = []
    nodes.append((0, math.inf, int(ALL)))  # also a tree of one leaf has a node

    def visit(node: int) -> None:
        left, right, feature = int(tree["left"][node]), int(tree["right"][node]), int(tree["feature"][node])
        if left == right == node:
            leaves.append(float(tree["value"][node]))
            if len(leaves) > MAX_LEAVES:
                raise ValueError("a tree has too many leaves")
            return
        if not 0 <= feature < width or not node < left < len(tree["value"]) or not node < right < len(tree["value"]):
            raise ValueError("a tree points outside itself")
        begin = len(leaves)
        visit(left)
        gone = (1 << len(leaves)) - (1 << begin)
        nodes.append(
            (feature + width * bool(tree["missing_left"][node]), float(tree["threshold"][node]), int(ALL) & ~gone)
        )
        visit(right)

    if len(tree["value"]) >= 2 * MAX_LEAVES:
        raise ValueError("a tree has too many leaves")
    visit(0)
    return leaves
