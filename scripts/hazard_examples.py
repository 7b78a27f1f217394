"""Collect what the detector's looks at known objects give, to train the second stage (``scripts/train_hazard_model.py``).

.venv/bin/python scripts/hazard_examples.py OUT.npz --seeds 0:100
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from detection_field import (
    BLIND,
    HAZARD_WEIGHT,
    SOILS,
    build_field,
    distance,
    drive,
    halo,
    lanes,
    load_robot,
    short_sweeps,
    swept,
)  # fmt: skip

from mine_robot.core.limits import Limits
from mine_robot.core.parameters import build
from mine_robot.core.robot import Robot
from mine_robot.core.types import Array, TargetClass
from mine_robot.detection.detector import Candidate, Detector
from mine_robot.detection.fusion import Verdict
from mine_robot.detection.learned import FEATURES
from mine_robot.detection.looks import GPR_FEATURES, METAL_FEATURES, GprLook, MetalLook
from mine_robot.detection.params import DetectorParams
from mine_robot.sim.objects import CATALOGUE
from mine_robot.sim.types import BuriedObject

BESIDE_M = 0.02  # beyond a hazard's halo: what is seen there counts neither as hit nor as clutter
OF_EACH = 3  # hazards of every kind in a field: more than there are, so that fewer fields are needed
FEW_CHANNELS = 0.08  # share of the fields that a smaller radar passes
END_M = 0.10  # a hazard nearer to the end of every sweep that passes it is not counted as passed


@dataclass(frozen=True)
class Row:
    """One candidate: features, label, weight, the object it is at (its kind, or ``empty``; its number in the field, or -1)."""

    features: Array
    label: float
    weight: float
    kind: str
    item: int
    field: int


@dataclass(frozen=True)
class Passed:
    """What was driven over: area m² and, of every hazard passed, field, number and kind."""

    area: float
    hazards: list[tuple[int, int, str]]


def examples(seed: int, robot: Robot, limits: Limits) -> tuple[list[Row], Passed]:
    """Every candidate of a field, and what was passed."""
    rng = np.random.default_rng(seed)
    soil = list(SOILS)[seed % len(SOILS)]
    if rng.random() < FEW_CHANNELS:
        robot = dataclasses.replace(robot, gpr_offsets=robot.gpr_offsets[:: int(rng.integers(2, 4))])
    models = build_field(rng, soil, robot, vary=True, of_each=OF_EACH)
    detector = Detector(build(DetectorParams, {}), limits, robot, harmless)
    sweeps = lanes(rng) if seed // len(SOILS) % 2 == 0 else short_sweeps(rng)
    rows: list[Row] = []
    for truth, nav in drive(rng, robot.sweep_ahead, sweeps, models.terrain):
        detector.add_gpr(models.gpr.scan(truth.t, truth))
        detector.add_metal(models.metal.scan(truth.t, truth))
        detector.add_nav(nav)
        while detector.candidates:
            row = label(seed, detector.candidates.popleft(), models.objects)
            if row is not None:
                rows.append(row)
    hazards = [
        (seed, i, item.kind)
        for i, item in enumerate(models.objects)
        if CATALOGUE[item.kind].hazard and any(sweep.passes(item, END_M) for sweep in sweeps)
    ]
    return rows, Passed(swept(sweeps), hazards)


def harmless(gpr: GprLook | None, metal: MetalLook | None) -> Verdict:
    """Finds nothing, so that no spot hides another."""
    return Verdict(0.0, 0.0, 0.0, TargetClass.CLUTTER, math.nan)


def label(seed: int, candidate: Candidate, objects: tuple[BuriedObject, ...]) -> Row | None:
    """The row of one candidate; None beside a hazard."""
    gaps = [distance(item, candidate.x, candidate.y) - halo(item) for item in objects]
    at = int(np.argmin(gaps))
    hazard = CATALOGUE[objects[at].kind].hazard
    if hazard and 0.0 < gaps[at] < BESIDE_M:
        return None
    inside = gaps[at] <= 0.0
    positive = inside and hazard
    weight = HAZARD_WEIGHT / OF_EACH if positive else 1.0
    kind, number = (objects[at].kind, at) if inside else ("empty", -1)
    return Row(features(candidate), float(positive), weight, kind, number, seed)


def features(candidate: Candidate) -> Array:
    """Features of both looks, NaN where there is none."""
    gpr = candidate.gpr.features if candidate.gpr is not None else np.full(len(GPR_FEATURES), np.nan)
    metal = candidate.metal.features if candidate.metal is not None else np.full(len(METAL_FEATURES), np.nan)
    return np.concatenate([gpr, metal])


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", default="0:100", help="first:end")
    options = parser.parse_args()
    first, end = (int(part) for part in options.seeds.split(":"))
    if end > BLIND.start:
        parser.error(f"seeds from {BLIND.start} on are kept for measuring")
    robot, limits = load_robot()
    rows: list[Row] = []
    passed: list[Passed] = []
    for seed in range(first, end):
        found, ground = examples(seed, robot, limits)
        rows += found
        passed.append(ground)
        if seed % 10 == 9 or seed == end - 1:
            save(options.out, rows, passed)


def save(path: Path, rows: list[Row], passed: list[Passed]) -> None:
    """Write the examples so far."""
    np.savez_compressed(
        path,
        features=np.array([row.features for row in rows], dtype=np.float32),
        labels=np.array([row.label for row in rows]),
        weights=np.array([row.weight for row in rows]),
        kinds=np.array([row.kind for row in rows]),
        items=np.array([row.item for row in rows]),
        fields=np.array([row.field for row in rows]),
        hazards=np.array([(field, number) for one in passed for field, number, _ in one.hazards]),
        hazard_kinds=np.array([kind for one in passed for *_, kind in one.hazards]),
        area=sum(one.area for one in passed),
        names=np.array(FEATURES),
        gpr_count=len(GPR_FEATURES),
    )
    hits = int(sum(row.label for row in rows))
    print(f"{len(passed)} fields, {len(rows)} examples, {hits} of hazards", flush=True)


if __name__ == "__main__":
    main()
