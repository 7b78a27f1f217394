"""Detection over random fields, without ROS: Pd, false alarms, calibration, errors, lag and cost, with intervals.

A robot drives straight lanes (or short oblique sweeps) over random objects in simulated soils; the detector sees its scans and a noisy
pose. Fields hold one hazard of every kind and one piece of clutter in 2 m²; the rate of false alarms counts all alarms that are not at
a hazard. Pd with the Clopper-Pearson interval, rates with the Poisson interval, both 95 %.

    python benchmarks/detection_lanes.py --seeds 100000:100080 [--sweeps] [--bare] [--sensor gpr|md] [--rules] [--verbose] [--json OUT]
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from detection_field import (
    BLIND,
    CLUTTER_KINDS,
    HAZARD_KINDS,
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
from scipy.stats import beta, chi2

from mine_robot.core.parameters import build
from mine_robot.core.types import Array, Target, TargetClass
from mine_robot.detection.detector import Detector
from mine_robot.detection.fusion import judge_by_rules
from mine_robot.detection.params import DetectorParams
from mine_robot.pipeline.hazard import load_hazard_model
from mine_robot.sim.objects import CATALOGUE
from mine_robot.sim.terrain import TERRAINS
from mine_robot.sim.types import BuriedObject

THRESHOLDS = (
    0.004,
    0.005,
    0.007,
    0.01,
    0.015,
    0.02,
    0.03,
    0.05,
    0.1,
    0.15,
    0.2,
    0.3,
    0.4,
    0.5,
    0.6,
    0.7,
    0.8,
    0.9,
    0.95,
)
END_M = 0.10  # objects nearer to the end of every sweep that passes them do not count
BESIDE_M = 0.1  # beyond the halo of a hazard: an alarm there is neither a hit nor a false alarm
DEPTHS_M = (0.0, 0.02, 0.05, 0.10, 0.15, 0.26)
BINS = 10
TRACKS_BEHIND_LINE_M = 0.70  # from the searched line to the front of the contact patches
HALO_M = 0.30  # about a declared place, where the tracks must not come
STOP_M = 0.075 + 0.5**2 / (2 * 1.2)  # reaction time and braking at the search speed

Alarms = dict[int, tuple[Array, float, Target]]  # by target: line, heading and the target when it first was an alarm


@dataclass(frozen=True)
class Conditions:
    """What is driven over what, and who looks."""

    soils: tuple[str, ...]
    sensor: str
    rules: bool
    short: bool
    bare: bool
    of_each: int
    terrain: str
    verbose: bool


@dataclass
class Find:
    """One object and the best target within its halo (``p`` 0: none)."""

    kind: str
    soil: str
    depth: float
    p: float = 0.0
    error: float = math.nan
    depth_error: float = math.nan
    lag: float = math.nan
    moved: float = math.nan
    named: str = ""


@dataclass
class Result:
    """What one or more fields gave."""

    finds: list[Find] = field(default_factory=list)
    empty: list[tuple[str, float]] = field(default_factory=list)  # soil and p of targets away from all hazards
    judged: list[tuple[float, bool]] = field(default_factory=list)  # p of every target, and whether it is a hazard
    fields: Counter[str] = field(default_factory=Counter)
    area: Counter[str] = field(default_factory=Counter)
    changes: list[int] = field(default_factory=list)
    behind: list[float] = field(default_factory=list)  # searched line behind the declared place, of every alarm
    detector_s: float = 0.0
    driven_s: float = 0.0
    notes: list[str] = field(default_factory=list)

    def add(self, other: Result) -> None:
        """Add another field's."""
        self.finds += other.finds
        self.empty += other.empty
        self.judged += other.judged
        self.fields += other.fields
        self.area += other.area
        self.changes += other.changes
        self.behind += other.behind
        self.detector_s += other.detector_s
        self.driven_s += other.driven_s
        self.notes += other.notes


def run_seed(seed: int, conditions: Conditions) -> Result:
    """Drive one random field and count."""
    robot, limits = load_robot()
    rng = np.random.default_rng(seed)
    soil = conditions.soils[seed % len(conditions.soils)]
    models = build_field(
        rng, soil, robot, bare=conditions.bare, of_each=conditions.of_each, terrain=TERRAINS.get(conditions.terrain)
    )
    sweeps = short_sweeps(rng) if conditions.short else lanes(rng)
    judge = judge_by_rules if conditions.rules else load_hazard_model()
    detector = Detector(build(DetectorParams, {}), limits, robot, judge)
    result, steps, changes = Result(fields=Counter([soil]), area=Counter({soil: swept(sweeps)})), 0, 0
    alarms: Alarms = {}
    for truth, nav in drive(rng, robot.sweep_ahead, sweeps, models.terrain):
        gpr, metal = models.gpr.scan(truth.t, truth), models.metal.scan(truth.t, truth)
        revision, start = detector.revision, time.process_time()
        if conditions.sensor != "md":
            detector.add_gpr(gpr)
        if conditions.sensor != "gpr":
            detector.add_metal(metal)
        detector.add_nav(nav)
        result.detector_s += time.process_time() - start
        steps += 1
        if detector.revision != revision:
            line = truth.pose.to_map(np.array([robot.sweep_ahead, 0.0]))
            changes += note_alarms(alarms, detector.targets(), line, limits.mark_p_hazard, truth.pose.yaw)
    result.driven_s = 0.05 * steps
    result.changes.append(changes)
    result.behind = [behind(line, heading, target.x, target.y) for line, heading, target in alarms.values()]
    passed = tuple(item for item in models.objects if any(sweep.passes(item, END_M) for sweep in sweeps))
    score(passed, models.objects, soil, detector.targets(), alarms, result)
    if conditions.verbose:
        result.notes += list(remarkable(seed, soil, passed, models.objects, detector.targets(), limits.mark_p_hazard))
    return result


def note_alarms(alarms: Alarms, targets: tuple[Target, ...], line: Array, minimum: float, heading: float) -> int:
    """Keep where the line was, and what was declared, when a target first was an alarm; counts those that are so no longer."""
    for target in targets:
        if target.id not in alarms and target.p_hazard >= minimum:
            alarms[target.id] = (line, heading, target)
    return sum(target.id in alarms and target.p_hazard < minimum for target in targets)


def behind(line: Array, heading: float, x: float, y: float) -> float:
    """How far in m the searched line was behind (x, y)."""
    return float((line[0] - x) * math.cos(heading) + (line[1] - y) * math.sin(heading))


def score(
    passed: Iterable[BuriedObject],
    objects: Iterable[BuriedObject],
    soil: str,
    targets: tuple[Target, ...],
    alarms: Alarms,
    result: Result,
) -> None:
    """Compare the targets with the truth; what was not ``passed`` may be found and need not."""
    hazards = [item for item in objects if CATALOGUE[item.kind].hazard]
    for item in passed:
        near = [t for t in targets if distance(item, t.x, t.y) <= halo(item)]
        find = Find(item.kind, soil, item.depth)
        result.finds.append(find)
        if not near:
            continue
        best = max(near, key=lambda t: t.p_hazard)
        find.p, find.error = best.p_hazard, distance(item, best.x, best.y)
        find.depth_error, find.named = best.depth - item.depth, best.kind.name
        if best.id in alarms:
            line, heading, first = alarms[best.id]
            find.lag = behind(line, heading, item.x, item.y)
            find.moved = math.hypot(first.x - best.x, first.y - best.y)
    for target in targets:
        gaps = [distance(item, target.x, target.y) - halo(item) for item in hazards]
        if min(gaps, default=math.inf) <= 0.0:
            result.judged.append((target.p_hazard, True))
        elif min(gaps, default=math.inf) > BESIDE_M:
            result.judged.append((target.p_hazard, False))
            result.empty.append((soil, target.p_hazard))


def remarkable(
    seed: int,
    soil: str,
    passed: Iterable[BuriedObject],
    objects: Iterable[BuriedObject],
    targets: tuple[Target, ...],
    minimum: float,
) -> Iterable[str]:
    """Misses and false alarms, a line each."""
    for item in passed:
        best = max((t.p_hazard for t in targets if distance(item, t.x, t.y) <= halo(item)), default=0.0)
        if CATALOGUE[item.kind].hazard == (best < minimum):
            word = "missed" if CATALOGUE[item.kind].hazard else "alarm"
            yield f"{seed} {soil}: {word} {item.kind} at {item.x:.2f} {item.y:.2f} depth {item.depth:.3f}: p {best:.4f}"
    for target in targets:
        if target.p_hazard >= minimum and all(distance(o, target.x, target.y) > halo(o) for o in objects):
            yield f"{seed} {soil}: empty ground at {target.x:.2f} {target.y:.2f}: {target}"


def proportion(hits: int, of: int) -> str:
    """A share with its Clopper-Pearson interval."""
    low = beta.ppf(0.025, hits, of - hits + 1) if hits else 0.0
    high = beta.ppf(0.975, hits + 1, of - hits) if hits < of else 1.0
    return f"{hits}/{of} = {hits / max(of, 1):.4f} [{low:.4f}, {high:.4f}]"


def rate(count: int, area: float) -> str:
    """A number per m² with its Poisson interval."""
    low = chi2.ppf(0.025, 2 * count) / 2 if count else 0.0
    return f"{count} in {area:.0f} m² = {count / area:.4f} [{low / area:.4f}, {chi2.ppf(0.975, 2 * count + 2) / 2 / area:.4f}]"


def calibration(judged: list[tuple[float, bool]], least: float, of_each: int) -> tuple[float, list[str]]:
    """Expected calibration error over the targets with p >= ``least``, and the reliability table; hazards weigh as rarely as they occur."""
    rows = [(p, hit) for p, hit in judged if p >= least]
    p = np.array([row[0] for row in rows])
    hit = np.array([row[1] for row in rows])
    weight = np.where(hit, HAZARD_WEIGHT / of_each, 1.0)
    number = np.minimum((p * BINS).astype(int), BINS - 1)
    error, lines = 0.0, []
    for i in range(BINS):
        own = number == i
        if own.any():
            mean, share = np.average(p[own], weights=weight[own]), np.average(hit[own], weights=weight[own])
            error += weight[own].sum() / weight.sum() * abs(mean - share)
            lines.append(
                f"  p {i / BINS:.1f} to {(i + 1) / BINS:.1f}: {own.sum():5d} targets, mean p {mean:.3f}, hazards {share:.3f}"
            )
    return error, lines


def report(result: Result, minimum: float, of_each: int) -> None:
    """Print the figures."""
    hazards = [find for find in result.finds if find.kind in HAZARD_KINDS]
    area = sum(result.area.values())
    false = [p for _, p in result.empty]
    print(f"{sum(result.fields.values())} fields, mark at p >= {minimum}")
    print(f"false alarms per m² {rate(sum(p >= minimum for p in false), area)}")
    if result.behind:
        print_behind(np.array(result.behind))
    if not hazards:
        return
    print(f"Pd {proportion(sum(f.p >= minimum for f in hazards), len(hazards))}")

    def table(title: str, key: Callable[[Find], str], finds: list[Find]) -> None:
        groups: dict[str, list[Find]] = defaultdict(list)
        for find in finds:
            groups[key(find)].append(find)
        print(title)
        for name, members in sorted(groups.items()):
            print(f"  {name:18s} {proportion(sum(f.p >= minimum for f in members), len(members))}")

    table("Pd by kind", lambda f: f.kind, hazards)
    table("Pd by class", lambda f: CATALOGUE[f.kind].target_class.name.lower(), hazards)
    table("Pd by depth", lambda f: next(f"to {b:.2f} m" for b in DEPTHS_M[1:] if f.depth <= b), hazards)
    table("Pd by soil", lambda f: f.soil, hazards)
    table("alarmed clutter", lambda f: f.kind, [f for f in result.finds if f.kind in CLUTTER_KINDS])
    print("false alarms by soil")
    for soil, own in sorted(result.area.items()):
        print(f"  {soil:18s} {rate(sum(s == soil and p >= minimum for s, p in result.empty), own)}")
    print("threshold     Pd  ap_minimum_metal  false/m2")
    small = [f for f in hazards if CATALOGUE[f.kind].target_class == TargetClass.AP_MINIMUM_METAL]
    for limit in THRESHOLDS:
        shares = [np.mean([f.p >= limit for f in group]) for group in (hazards, small)]
        print(f"{limit:9.3f} {shares[0]:6.4f} {shares[1]:17.4f} {sum(p >= limit for p in false) / area:9.4f}")
    report_errors([f for f in hazards if f.p >= minimum], result)
    for least in (0.0, 0.1):
        error, lines = calibration(result.judged, least, of_each)
        print(
            f"expected calibration error of targets with p >= {least}: {error:.4f}",
            *(lines if not least else []),
            sep="\n",
        )


def print_behind(late: Array) -> None:
    """Print how late all alarms came, false ones too, and how often a robot at the search speed would stop inside a halo."""
    least = TRACKS_BEHIND_LINE_M - STOP_M - HALO_M
    print(f"searched line behind the declared place, all alarms, m: median {np.median(late):.3f}, p95 {np.quantile(late, 0.95):.3f}, "
          f"max {late.max():.3f}; later than {least:.2f}: {int((late > least).sum())} of {len(late)}")  # fmt: skip


def report_errors(found: list[Find], result: Result) -> None:
    """Print errors of position and depth, timeliness and cost."""
    errors, moved = np.array([f.error for f in found]), np.array([f.moved for f in found])
    depths = np.array([f.depth_error for f in found])
    lags = np.array([f.lag for f in found])
    margin = TRACKS_BEHIND_LINE_M - STOP_M - np.nanmax(lags)
    named = sum(f.named == CATALOGUE[f.kind].target_class.name for f in found)
    print(
        f"position error m: median {np.median(errors):.3f}, p95 {np.quantile(errors, 0.95):.3f}, max {errors.max():.3f}"
    )
    print(f"moved after the declaration m: p95 {np.nanquantile(moved, 0.95):.3f}, max {np.nanmax(moved):.3f}")
    print(
        f"depth error m: median of the size {np.nanmedian(np.abs(depths)):.3f}, rms {np.sqrt(np.nanmean(depths**2)):.3f}"
    )
    print(f"lag of the alarm behind the centre m: median {np.nanmedian(lags):.3f}, p95 {np.nanquantile(lags, 0.95):.3f}, "
          f"max {np.nanmax(lags):.3f}; then the stopping robot's tracks stay {margin:.2f} m short of the centre")  # fmt: skip
    print(f"alarms withdrawn (per update): {sum(result.changes)}; class right: {named}/{len(found)}")
    step_ms, ratio = 50.0 * result.detector_s / result.driven_s, result.driven_s / result.detector_s
    print(f"detector: {step_ms:.2f} ms a step, {ratio:.0f} times real time")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--seeds", default=f"{BLIND.start}:{BLIND.start + 10}", help="first:end; blind seeds start at 100000"
    )
    parser.add_argument("--soil", action="append", choices=list(SOILS), help="default: all, one after the other")
    parser.add_argument("--sensor", default="both", choices=("both", "gpr", "md"))
    parser.add_argument("--sweeps", action="store_true", help="short oblique sweeps instead of lanes")
    parser.add_argument("--bare", action="store_true", help="without any objects")
    parser.add_argument("--of-each", type=int, default=1, help="hazards of every kind in a field")
    parser.add_argument(
        "--terrain", default="", choices=list(TERRAINS), help="waves of the ground; default: a level head"
    )
    parser.add_argument("--rules", action="store_true", help="without the learned second stage")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--verbose", action="store_true", help="print misses and false alarms")
    parser.add_argument("--json", type=Path, help="write every find and false alarm")
    options = parser.parse_args()
    first, end = (int(part) for part in options.seeds.split(":"))
    soils = tuple(options.soil or SOILS)
    conditions = Conditions(
        soils,
        options.sensor,
        options.rules,
        short=options.sweeps,
        bare=options.bare,
        of_each=options.of_each,
        terrain=options.terrain,
        verbose=options.verbose,
    )
    work = partial(run_seed, conditions=conditions)
    total = Result()
    if options.jobs > 1:
        with ProcessPoolExecutor(options.jobs) as pool:
            for result in pool.map(work, range(first, end)):
                total.add(result)
    else:
        for seed in range(first, end):
            total.add(work(seed))
    print(*total.notes, sep="\n", end="\n" if total.notes else "")
    report(total, load_robot()[1].mark_p_hazard, options.of_each)
    if options.json:
        content = {
            "finds": [vars(find) for find in total.finds],
            "empty": total.empty,
            "judged": [(p, bool(h)) for p, h in total.judged],
        }
        options.json.write_text(json.dumps(content))


if __name__ == "__main__":
    main()
