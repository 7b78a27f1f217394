"""Accuracy and honesty of localisation over seeded drives of ten minutes with lanes, turns and stops, against simulated truth.

    .venv/bin/python benchmarks/localization_monte_carlo.py --seeds 50 --first 1000 --jobs 2

Each seed draws terrain, slip, sensor errors and the times of the faults. Errors that the filter reckons with and the simulator does not
have (time stamps of the receiver, mounting and scale of the gyroscope) are drawn from what the filter assumes, for its covariance speaks of
robots drawn so, not of one without them. The drive is simulated once; every fault branches off from a copy of the localisation at a random
time, so that all cases share the same drive. Prints Markdown; the seeds reported in docs/localization.md are none of those with which
parameters were chosen (below 100).
"""

from __future__ import annotations

import argparse
import copy
import math
import pickle
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
from scipy.stats import chi2

from mine_robot.core.parameters import build
from mine_robot.core.robot import Robot
from mine_robot.core.types import FixStatus, GnssFix, Level, NavState, Pose2, Twist2, wrap_angle
from mine_robot.localization.filter import exact_rotation
from mine_robot.localization.localizer import Localizer
from mine_robot.localization.params import LocalizationParams
from mine_robot.pipeline.loading import ParameterFiles, load_field, load_robot
from mine_robot.pipeline.parameters import SimulatorNodeParams
from mine_robot.sim.scenario import scenario_from_dict
from mine_robot.sim.types import TrueState
from mine_robot.sim.world import SensorBatch, World

ROOT = Path(__file__).resolve().parents[1]
DRIVE_S, SETTLE_S = 600.0, 10.0
LANE_S, SPEED, TURN_S, TURN_RATE = 20.0, 0.4, 2.7, 0.6
STAND_S, STOP_S, SIDE_S = 4.0, 2.0, 1.5
NEES_STATES = np.ix_([0, 1, 5], [0, 1, 5])

Change = Callable[[SensorBatch, float], SensorBatch]  # a batch and the time since the fault began


def motion(t: float) -> tuple[float, float]:
    """Lanes of 8 m at 0.4 m/s, forwards and every fourth backwards, with a stop in the middle and two turns on the spot between lanes."""
    if t < STAND_S:
        return 0.0, 0.0
    period = LANE_S + STOP_S + 2.0 * TURN_S + SIDE_S
    lane, phase = divmod(t - STAND_S, period)
    sign = 1.0 if int(lane) % 2 == 0 else -1.0
    for seconds, speed, rate in (
        (0.5 * LANE_S, SPEED, 0.0),
        (STOP_S, 0.0, 0.0),
        (0.5 * LANE_S, SPEED, 0.0),
        (TURN_S, 0.0, sign * TURN_RATE),
        (SIDE_S, SPEED, 0.0),
        (TURN_S, 0.0, sign * TURN_RATE),
    ):
        if phase < seconds:
            return speed, rate
        phase -= seconds
    return 0.0, 0.0


@dataclass
class Trace:
    """Errors of one run, sampled where the truth is known (10 Hz)."""

    t: list[float] = field(default_factory=list)
    head: list[float] = field(default_factory=list)
    yaw: list[float] = field(default_factory=list)
    nees: list[float] = field(default_factory=list)
    sigma: list[float] = field(default_factory=list)
    ok: list[bool] = field(default_factory=list)

    def add(self, state: NavState, truth: TrueState, ahead: float, ok: bool) -> None:
        reach = np.array([ahead, 0.0])
        yaw = wrap_angle(float(state.rpy[2] - truth.rpy[2]))
        error = np.array([*(state.position - truth.position)[:2], yaw])
        self.t.append(state.t)
        self.head.append(float(np.linalg.norm(state.pose.to_map(reach) - truth.pose.to_map(reach))))
        self.yaw.append(yaw)
        self.nees.append(float(error @ np.linalg.solve(state.covariance[NEES_STATES], error)))
        self.sigma.append(state.sigma_at(ahead))
        self.ok.append(ok)

    def arrays(self) -> dict[str, np.ndarray]:
        return {name: np.array(values) for name, values in self.__dict__.items()}


class Bench:
    """One seed: the drive, and the localisation before any fault."""

    def __init__(self, seed: int) -> None:
        files = ParameterFiles([ROOT / "config/robot.yaml"])
        params = files.build("localization")
        self.robot = load_robot(ROOT / "urdf/mine_robot.urdf.xacro")
        area = load_field(ROOT / "config/missions/demo_field.geojson")
        self.rng = np.random.default_rng([seed, 77])
        terrain = str(self.rng.choice(["flat", "meadow", "rough"]))
        scenario = scenario_from_dict({"seed": seed, "terrain": terrain}, area.datum)
        start = Pose2(0.0, 0.0, float(self.rng.uniform(-math.pi, math.pi)))
        self.world = World(
            scenario, area, self.robot, build(SimulatorNodeParams, files.nodes["simulator"]), start=start
        )
        self.localizer = Localizer(params, params.limits, self.robot, area.datum)
        self.datum = area.datum
        self.batches: list[tuple[SensorBatch, TrueState]] = []
        built = construction(params, self.robot, np.random.default_rng([seed, 78]))
        while self.world.t < DRIVE_S:
            batch = self.world.step(Twist2(self.world.t, *motion(self.world.t)))
            self.batches.append((built(batch), self.world.truth()))

    def run(self, localizer: Localizer, start: float, end: float, change: Change | None = None) -> Trace:
        """Feed the batches of ``start`` to ``end`` s; ``change`` spoils them."""
        trace = Trace()
        for batch, truth in self.batches[round(start / 0.05) : round(end / 0.05)]:
            state = feed(localizer, batch if change is None else change(batch, batch.t - start))
            if state is not None and abs(state.t - truth.t) < 1e-6:
                trace.add(state, truth, self.robot.sweep_ahead, localizer.health(state.t).level is Level.OK)
        return trace


def construction(
    params: LocalizationParams, robot: Robot, rng: np.random.Generator
) -> Callable[[SensorBatch], SensorBatch]:
    """What this one robot's sensors are wrong by, drawn from the filter's ``params``: it holds from beginning to end."""
    late, scale = params.gnss.latency * rng.standard_normal(), params.imu.gyro_scale * rng.standard_normal()
    mounting = exact_rotation(np.array([0.0, *(params.imu.mount * rng.standard_normal(2))]))
    turn = robot.imu_rotation.T @ mounting @ robot.imu_rotation
    scaling = np.eye(3) + scale * np.outer(robot.imu_rotation[2], robot.imu_rotation[2])

    def apply(batch: SensorBatch) -> SensorBatch:
        return replace(
            batch,
            imu=[replace(s, rate=scaling @ turn @ s.rate, force=turn @ s.force) for s in batch.imu],
            fixes=[replace(fix, t=fix.t + late) for fix in batch.fixes],
            headings=[replace(heading, t=heading.t + late) for heading in batch.headings],
        )

    return apply


def feed(localizer: Localizer, batch: SensorBatch) -> NavState | None:
    """Hand a batch over; returns the last estimate."""
    for wheels in batch.wheels:
        localizer.add_wheels(wheels)
    for fix in batch.fixes:
        localizer.add_fix(fix)
    for heading in batch.headings:
        localizer.add_heading(heading)
    state = None
    for sample in batch.imu:
        state = localizer.add_imu(sample) or state
    return state


# --- faults -----------------------------------------------------------------------------------------------------------
def outage(seconds: float) -> Change:
    """No fix, no heading."""

    def change(batch: SensorBatch, since: float) -> SensorBatch:
        if since > seconds:
            return batch
        fixes = [replace(fix, status=FixStatus.NONE) for fix in batch.fixes]
        return replace(batch, fixes=fixes, headings=[])

    return change


def displaced(bench: Bench, seconds: float, away: Callable[[float], float], *, sigma: float | None = None) -> Change:
    """Fixes displaced by ``away(since)`` m in one direction; ``sigma`` is the accuracy they claim."""
    direction = bench.rng.uniform(-math.pi, math.pi)

    def move(fix: GnssFix, since: float) -> GnssFix:
        east, north, up = bench.datum.to_map(fix.longitude, fix.latitude, fix.height)
        lon, lat, height = bench.datum.to_wgs84(
            east + away(since) * math.cos(direction), north + away(since) * math.sin(direction), up
        )
        covariance = fix.covariance if sigma is None else np.eye(3) * sigma**2
        return replace(fix, longitude=float(lon), latitude=float(lat), height=float(height), covariance=covariance)

    def change(batch: SensorBatch, since: float) -> SensorBatch:
        return batch if since > seconds else replace(batch, fixes=[move(fix, since) for fix in batch.fixes])

    return change


def frozen(seconds: float) -> Change:
    """Fixes that repeat the first one with fresh time stamps."""
    kept: list[GnssFix] = []

    def change(batch: SensorBatch, since: float) -> SensorBatch:
        if since > seconds:
            return batch
        kept.extend(batch.fixes[:1] if not kept else [])
        return replace(batch, fixes=[replace(kept[0], t=fix.t) for fix in batch.fixes])

    return change


def late(seconds: float) -> Change:
    """Fixes and headings that arrive ``seconds`` late."""
    held: list[SensorBatch] = []
    steps = round(seconds / 0.05)

    def change(batch: SensorBatch, since: float) -> SensorBatch:
        held.append(batch)
        old = held[-1 - steps] if len(held) > steps else None
        return replace(batch, fixes=old.fixes if old else [], headings=old.headings if old else [])

    return change


def slipping(share: float, seconds: float) -> Change:
    """Tracks that turn faster than the ground goes by."""

    def change(batch: SensorBatch, since: float) -> SensorBatch:
        if since > seconds:
            return batch
        return replace(batch, wheels=[replace(w, speed=w.speed / (1.0 - share)) for w in batch.wheels])

    return change


def cases(bench: Bench) -> dict[str, tuple[Change, float, float]]:
    """By name: the fault, how long it lasts and how long the run goes on."""
    return {
        "10 s outage": (outage(10.0), 10.0, 40.0),
        "60 s outage": (outage(60.0), 60.0, 90.0),
        "false fix 0.5 m for 5 s": (displaced(bench, 5.0, lambda s: 0.5), 5.0, 40.0),
        "false fix 0.3 m for 5 s, claims 1 cm": (displaced(bench, 5.0, lambda s: 0.3, sigma=0.01), 5.0, 40.0),
        "false fix 2 m for 30 s": (displaced(bench, 30.0, lambda s: 2.0), 30.0, 90.0),
        "walk of 5 cm/s for 10 s": (displaced(bench, 10.0, lambda s: 0.05 * s), 10.0, 60.0),
        "frozen fixes for 5 s": (frozen(5.0), 5.0, 40.0),
        "fixes 0.3 s late for 30 s": (late(0.3), 30.0, 30.0),
        "30 % slip for 10 s": (slipping(0.3, 10.0), 10.0, 40.0),
        "10 % slip for 10 s": (slipping(0.1, 10.0), 10.0, 40.0),
    }


def fault_time(bench: Bench) -> float:
    """A time within a lane, such that the next seconds are driven."""
    period = LANE_S + STOP_S + 2.0 * TURN_S + SIDE_S
    lane = int(bench.rng.integers(6, 16))
    half = bench.rng.choice([0.0, 0.5 * LANE_S + STOP_S])
    return round(STAND_S + lane * period + half, 1)


@dataclass
class Outcome:
    """What a seed gave."""

    seed: int
    base: dict[str, np.ndarray]
    faults: dict[str, dict[str, float]]
    real_time: float


def run_seed(seed: int) -> Outcome:
    """All cases of one seed."""
    bench = Bench(seed)
    times = {name: fault_time(bench) for name in cases(bench)}
    before: dict[float, Localizer] = {}
    began = time.process_time()
    trace = Trace()
    at = 0.0
    for t in sorted({*times.values(), DRIVE_S}):
        part = bench.run(bench.localizer, at, t)
        for name, values in part.__dict__.items():
            getattr(trace, name).extend(values)
        before[t] = copy.deepcopy(bench.localizer)
        at = t
    seconds = time.process_time() - began
    faults = {}
    for name, (change, lasts, until) in cases(bench).items():
        start = times[name]
        run = bench.run(copy.deepcopy(before[start]), start, min(start + until, DRIVE_S), change).arrays()
        faults[name] = figures(run, start, lasts)
    base = trace.arrays()
    settled = base["t"] > SETTLE_S
    return Outcome(seed, {name: values[settled] for name, values in base.items()}, faults, DRIVE_S / seconds)


def figures(run: dict[str, np.ndarray], start: float, lasts: float) -> dict[str, float]:
    """Largest errors during the fault, while OK at any time, and how long it took to be well again."""
    since = run["t"] - start
    during = since <= lasts + 1e-6
    bad = np.flatnonzero(~run["ok"] | (run["head"] > 0.05))
    return {
        "max": float(run["head"][during].max()),
        "max_ok": float(run["head"][run["ok"]].max(initial=0.0)),
        "warned": float(since[~run["ok"]].min(initial=math.inf)),
        "well": float(since[bad[-1]] - lasts)
        if len(bad) and bad[-1] < len(since) - 1
        else (math.inf if len(bad) else 0.0),
        "beyond": float(np.mean(run["head"][run["ok"]] > 4.0 * run["sigma"][run["ok"]])) if run["ok"].any() else 0.0,
    }


# --- tables -----------------------------------------------------------------------------------------------------------
def tables(outcomes: Sequence[Outcome]) -> str:
    """Markdown."""
    head = [o.base["head"] for o in outcomes]
    rmse = np.array([np.sqrt(np.mean(h**2)) for h in head])
    yaw = np.degrees([np.sqrt(np.mean(o.base["yaw"] ** 2)) for o in outcomes])
    nees = np.array([o.base["nees"].mean() for o in outcomes])
    low, high = chi2.ppf([0.025, 0.975], 3 * len(outcomes)) / len(outcomes)
    ok = np.concatenate([o.base["ok"] for o in outcomes])
    beyond = np.concatenate([o.base["head"] > 4.0 * o.base["sigma"] for o in outcomes])[ok].mean()
    every = np.concatenate(head)
    lines = [
        f"Seeds {outcomes[0].seed} to {outcomes[-1].seed}, {DRIVE_S / 60.0:.0f} minutes each.",
        "",
        "| RTK fixed | figure |",
        "|---|---|",
        f"| head, RMSE over all | {100 * np.sqrt(np.mean(every**2)):.2f} cm |",
        f"| head, RMSE, worst seed | {100 * rmse.max():.2f} cm |",
        f"| head, p95 over all | {100 * np.percentile(every, 95):.2f} cm |",
        f"| heading, RMSE over all | {np.sqrt(np.mean(yaw**2)):.3f}° |",
        f"| mean NEES of east, north, yaw (3 expected) | {nees.mean():.2f}, 95 % band {low:.2f} to {high:.2f} |",
        f"| head error beyond 4 sigma while OK | {100 * beyond:.3f} % |",
        f"| health OK | {100 * ok.mean():.2f} % of the time |",
        f"| speed, 100 Hz IMU, one core, 50 Hz output | {np.median([o.real_time for o in outcomes]):.0f} times real time |",
        "",
        "| fault | max error, median seed | p95 seed | worst seed | worst error while OK | warned after, median "
        "| well again after, median | p95 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in outcomes[0].faults:
        of = {key: np.array([o.faults[name][key] for o in outcomes]) for key in outcomes[0].faults[name]}
        lines.append(
            f"| {name} | {100 * np.median(of['max']):.1f} cm | {100 * np.percentile(of['max'], 95):.1f} cm "
            f"| {100 * of['max'].max():.1f} cm | {100 * of['max_ok'].max():.1f} cm | {in_time(np.median(of['warned']))} "
            f"| {in_time(np.median(of['well']))} | {in_time(np.percentile(of['well'], 95, method='nearest'))} |"
        )
    return "\n".join(lines)


def in_time(seconds: float) -> str:
    """A time in words."""
    return f"{seconds:.1f} s" if math.isfinite(seconds) else "not within the run"


def kept_seed(seed: int, folder: Path | None) -> Outcome:
    """The outcome of a seed, from ``folder`` if it was kept there by an earlier run of the same code."""
    path = folder / f"{seed}.pkl" if folder is not None else None
    if path is not None and path.is_file():
        outcome: Outcome = pickle.loads(path.read_bytes())
        return outcome
    outcome = run_seed(seed)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pickle.dumps(outcome))
    return outcome


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--first", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument(
        "--keep", type=Path, help="folder that keeps the outcome of every seed, so that a long run can go on"
    )
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.seeds)
    if options.jobs == 1:
        outcomes = [kept_seed(seed, options.keep) for seed in seeds]
    else:
        with ProcessPoolExecutor(options.jobs) as pool:
            outcomes = list(pool.map(partial(kept_seed, folder=options.keep), seeds))
    print(tables(outcomes))


if __name__ == "__main__":
    main()
