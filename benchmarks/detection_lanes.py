"""Detection over random lanes, without ROS: Pd, false alarms, errors, lag and time per step.

A robot drives straight lanes over random objects in simulated soil; the detector sees its scans and a noisy pose. Prints Pd with the
Clopper-Pearson interval, false alarms per square metre with the Poisson interval (both 95 %), the same by kind of object, and
both against the threshold of the probability.

    python benchmarks/detection_lanes.py --seeds 2000:2020 [--soil loam] [--perfect] [--verbose]
"""

from __future__ import annotations

import argparse
import math
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import xacro
import yaml
from scipy.stats import beta, chi2

from mine_robot.core.limits import Limits
from mine_robot.core.parameters import build, flatten
from mine_robot.core.robot import Robot, robot_from_urdf
from mine_robot.core.types import Array, NavState, Target
from mine_robot.detection.detector import Detector
from mine_robot.detection.params import DetectorParams
from mine_robot.sim.gpr import GprModel
from mine_robot.sim.metal import MetalModel
from mine_robot.sim.objects import CATALOGUE
from mine_robot.sim.soil import soil_from
from mine_robot.sim.soil_sensor_params import SoilSensorParams
from mine_robot.sim.types import BuriedObject, TrueState

ROOT = Path(__file__).parents[1]
LANE_SPACING, STEP_S, SPEED = 1.05, 0.05, 0.5
DEPTHS = {"at": (0.05, 0.20), "ap": (0.02, 0.13)}
THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
RUN_IN = 0.6  # m driven before the field and behind it


@dataclass
class Tally:
    """Counts over all seeds."""

    hazards: dict[str, list[bool]] = field(default_factory=lambda: defaultdict(list))
    clutter: dict[str, list[bool]] = field(default_factory=lambda: defaultdict(list))
    probabilities: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    empty_probabilities: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    depth_errors: list[float] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)
    empty: int = 0
    doubles: int = 0
    area: float = 0.0
    steps: int = 0
    detector_s: float = 0.0
    model_s: float = 0.0


def load_robot() -> tuple[Robot, Limits]:
    """The robot of the repository and its limits."""
    robot = robot_from_urdf(xacro.process_file(str(ROOT / "urdf/mine_robot.urdf.xacro")).toxml())
    shared = yaml.safe_load((ROOT / "config/robot.yaml").read_text())["/**"]["ros__parameters"]["limits"]
    return robot, build(Limits, flatten(shared))


def random_objects(rng: np.random.Generator, width: float, length: float, clutter: int) -> list[BuriedObject]:
    """One hazard of every kind and ``clutter`` other objects, at least 0.5 m apart, in the field's rectangle."""
    kinds = [k for k in CATALOGUE.values() if k.hazard]
    kinds += list(rng.choice(np.array([k for k in CATALOGUE.values() if not k.hazard], dtype=object), clutter))
    placed: list[BuriedObject] = []
    while len(placed) < len(kinds):
        kind = kinds[len(placed)]
        x, y = rng.uniform(0.0, length), rng.uniform(-0.5, width - 0.55)
        if all(math.hypot(x - o.x, y - o.y) > 0.5 for o in placed):
            low, high = DEPTHS["at" if kind.radius_m > 0.1 or not kind.hazard else "ap"]
            placed.append(BuriedObject(kind.name, float(x), float(y), float(rng.uniform(low, high))))
    return placed


def drive(
    rng: np.random.Generator, lanes: int, length: float, ahead: float, noisy: bool
) -> Iterator[tuple[TrueState, NavState]]:
    """True and estimated states along the lanes, up and down, with a pause at every turn."""
    t, error, sway = 0.0, np.zeros(3), np.zeros(3)
    keep = math.exp(-STEP_S / 2.0)
    for lane in range(lanes):
        forward = lane % 2 == 0
        yaw = 0.0 if forward else math.pi
        for s in np.arange(-RUN_IN, length + RUN_IN, SPEED * STEP_S):
            line = s if forward else length - s
            error = keep * error + math.sqrt(1.0 - keep**2) * rng.normal(size=3) * noisy
            sway = keep * sway + math.sqrt(1.0 - keep**2) * rng.normal(size=3)
            position = np.array([line - math.cos(yaw) * ahead, lane * LANE_SPACING, 0.004 * sway[2]])
            rpy = np.array([0.008 * sway[0], 0.005 * sway[1], yaw])
            velocity = np.array([SPEED, 0.0, 0.0])
            seen = position + np.array([0.010, 0.010, 0.015]) * error + 0.002 * rng.normal(size=3) * noisy
            covariance = np.diag([1e-4, 1e-4, 4e-4, 1e-5, 1e-5, 1e-5])
            zero = np.zeros(3)
            yield (
                TrueState(t, position, rpy, velocity, zero, zero),
                NavState(t, seen, rpy + np.array([0.0, 0.0, 0.003 * error[2]]), velocity, zero, covariance),
            )
            t += STEP_S
        t += 10.0


def run_seed(seed: int, soil: str, noisy: bool, tally: Tally, verbose: bool, robot: Robot, limits: Limits) -> None:
    """Drive one random field and count."""
    rng = np.random.default_rng(seed)
    lanes, length = 4, 10.0
    width = lanes * LANE_SPACING
    objects = random_objects(rng, width, length, 14)
    params = build(SoilSensorParams, {})
    gpr = GprModel(soil_from(soil), objects, robot, params.gpr, rng)
    metal = MetalModel(soil_from(soil), objects, robot, params.metal, rng)
    detector = Detector(build(DetectorParams, {}), limits, robot)
    first: dict[int, float] = {}
    for truth, nav in drive(rng, lanes, length, robot.sweep_ahead, noisy):
        start = time.perf_counter()
        scans = gpr.scan(truth.t, truth), metal.scan(truth.t, truth)
        middle = time.perf_counter()
        revision = detector.revision
        detector.add_gpr(scans[0])
        detector.add_metal(scans[1])
        detector.add_nav(nav)
        targets = detector.targets()
        end = time.perf_counter()
        tally.model_s += middle - start
        tally.detector_s += end - middle
        tally.steps += 1
        if detector.revision != revision:
            line = truth.pose.to_map(np.array([robot.sweep_ahead, 0.0]))
            note_lags(first, objects, targets, line, limits.mark_p_hazard, math.cos(truth.pose.yaw))
    tally.area += width * length
    score(objects, detector.targets(), first, limits.mark_p_hazard, tally, verbose and f"seed {seed}")


def note_lags(
    first: dict[int, float],
    objects: list[BuriedObject],
    targets: tuple[Target, ...],
    line: Array,
    minimum: float,
    way: float,
) -> None:
    """How far the radar's line is beyond an object when it first becomes a target."""
    for i, item in enumerate(objects):
        if i not in first and any(hit(item, t) for t in targets if t.p_hazard >= minimum):
            first[i] = (float(line[0]) - item.x) * way


def hit(item: BuriedObject, target: Target) -> bool:
    """True within the halo of CWA 14747: half the object's extent and 0.10 m."""
    return math.hypot(item.x - target.x, item.y - target.y) <= CATALOGUE[item.kind].radius_m + 0.10


def score(
    objects: list[BuriedObject],
    targets: tuple[Target, ...],
    first: dict[int, float],
    minimum: float,
    tally: Tally,
    label: str | bool,
) -> None:
    """Compare the targets with the truth."""
    alarms = [t for t in targets if t.p_hazard >= minimum]
    explained: set[int] = set()
    note_probabilities(objects, targets, tally)
    for i, item in enumerate(objects):
        near = [t for t in alarms if hit(item, t)]
        explained |= {
            t.id for t in alarms if math.hypot(item.x - t.x, item.y - t.y) < CATALOGUE[item.kind].radius_m + 0.2
        }
        if not CATALOGUE[item.kind].hazard:
            tally.clutter[item.kind].append(bool(near))
            continue
        tally.hazards[item.kind].append(bool(near))
        if near:
            best = min(near, key=lambda t: math.hypot(item.x - t.x, item.y - t.y))
            tally.errors.append(math.hypot(item.x - best.x, item.y - best.y))
            tally.depth_errors.append(best.depth - item.depth)
            tally.lags.append(first.get(i, math.nan))
            tally.doubles += len(near) - 1
        elif label:
            closest = min(targets, key=lambda t: math.hypot(item.x - t.x, item.y - t.y), default=None)
            print(f"{label}: missed {item}; closest {closest}")
    empty = [t for t in alarms if t.id not in explained]
    tally.empty += len(empty)
    for target in empty if label else ():
        print(f"{label}: empty ground {target}")


def note_probabilities(objects: list[BuriedObject], targets: tuple[Target, ...], tally: Tally) -> None:
    """Keep the largest p of every object (0: not listed) and that of every target on empty ground."""
    for item in objects:
        tally.probabilities[item.kind].append(max((t.p_hazard for t in targets if hit(item, t)), default=0.0))
    tally.empty_probabilities += [
        t.p_hazard
        for t in targets
        if all(math.hypot(o.x - t.x, o.y - t.y) >= CATALOGUE[o.kind].radius_m + 0.2 for o in objects)
    ]


def report_roc(tally: Tally) -> None:
    """Print Pd and false alarms against the threshold, and the distribution of p by kind."""
    rows = {name: np.array(p) for name, p in tally.probabilities.items()}
    hazards = np.concatenate([p for name, p in rows.items() if CATALOGUE[name].hazard])
    clutter = np.concatenate([p for name, p in rows.items() if not CATALOGUE[name].hazard])
    empty = np.array(tally.empty_probabilities)
    m14 = rows.get("m14", np.zeros(0))
    print("threshold     Pd  Pd m14  empty/m2  clutter alarmed")
    for limit in THRESHOLDS:
        pd, small, share = (float((p >= limit).mean()) if len(p) else math.nan for p in (hazards, m14, clutter))
        print(f"{limit:9.2f} {pd:6.4f}  {small:6.4f}  {(empty >= limit).sum() / tally.area:8.4f}  {share:15.3f}")
    print(f"quantiles of p {QUANTILES} by kind (0: not listed)")
    for name, p in [
        *sorted(rows.items(), key=lambda row: not CATALOGUE[row[0]].hazard),
        ("listed empty ground", empty),
    ]:
        print(f"{name:20s} {len(p):4d}: " + " ".join(f"{v:.2f}" for v in np.quantile(p, QUANTILES)) if len(p) else name)


def report(tally: Tally) -> None:
    """Print the figures."""
    hits = [h for kind in tally.hazards.values() for h in kind]
    k, n = sum(hits), len(hits)
    low = beta.ppf(0.025, k, n - k + 1) if k else 0.0
    high = beta.ppf(0.975, k + 1, n - k) if k < n else 1.0
    print(f"Pd {k}/{n} = {k / n:.4f} [{low:.4f}, {high:.4f}] (Clopper-Pearson 95 %)")
    clutter = sum(sum(kind) for kind in tally.clutter.values())
    for name, count in (("empty ground", tally.empty), ("with clutter objects", tally.empty + clutter)):
        low = chi2.ppf(0.025, 2 * count) / 2 if count else 0.0
        high = chi2.ppf(0.975, 2 * count + 2) / 2
        rate = " ".join(f"{v / tally.area:.4f}" for v in (count, low, high))
        print(f"false alarms per m², {name}: {count} in {tally.area:.0f} m²: rate, low, high {rate}")
    for title, kinds in (("hazards", tally.hazards), ("clutter alarmed", tally.clutter)):
        print(f"{title}: " + ", ".join(f"{name} {sum(v)}/{len(v)}" for name, v in kinds.items()))
    total = sum(len(v) for v in tally.clutter.values())
    print(
        f"clutter objects alarmed: {clutter}/{total} = {clutter / max(total, 1):.2f}; second targets at a hazard: {tally.doubles}"
    )
    errors, lags, depths = np.array(tally.errors), np.array(tally.lags), np.array(tally.depth_errors)
    print(
        f"position error m: median {np.median(errors):.3f}, p95 {np.quantile(errors, 0.95):.3f}, max {errors.max():.3f}"
    )
    print(f"depth error m: median {np.nanmedian(depths):.3f}, rms {np.sqrt(np.nanmean(depths**2)):.3f}")
    print(
        f"lag of the alarm behind the centre m: median {np.median(lags):.3f}, p95 {np.quantile(lags, 0.95):.3f}, max {lags.max():.3f}"
    )
    print(
        f"ms a step: detector {1e3 * tally.detector_s / tally.steps:.2f}, models {1e3 * tally.model_s / tally.steps:.2f}"
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="2000:2020", help="first:end")
    parser.add_argument("--soil", default="loam")
    parser.add_argument("--perfect", action="store_true", help="give the detector the true pose")
    parser.add_argument("--verbose", action="store_true", help="print misses and alarms on empty ground")
    options = parser.parse_args()
    first, end = (int(part) for part in options.seeds.split(":"))
    tally = Tally()
    robot, limits = load_robot()
    for seed in range(first, end):
        run_seed(seed, options.soil, not options.perfect, tally, options.verbose, robot, limits)
    report(tally)
    report_roc(tally)


if __name__ == "__main__":
    main()
