"""Localisation on a real recording: fixes are withheld from the filter and then compared with its estimate.

    .venv/bin/python benchmarks/localization_withheld.py LOG --urdf ROBOT.urdf [--params P.yaml] [--remap FROM:=TO]

Two ways: one fix in five is fed and the others compared; and holes of 30 s are cut, one every 90 s. Only fixes of the log's best status
are compared. The estimate is taken at the instant of the fix on the IMU's clock, as far as the filter knows the receiver's latency.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mine_robot.bringup.replaying import _pair
from mine_robot.core.parameters import to_flat
from mine_robot.core.robot import rotation_from_rpy
from mine_robot.core.types import FixStatus, GnssFix, ImuSample, Level, NavState
from mine_robot.localization.localizer import Localizer
from mine_robot.pipeline.loading import ParameterFiles, load_robot
from mine_robot.records.replay_input import Recording, read_samples

ROOT = Path(__file__).resolve().parents[1]
SETTLE_S = 30.0
HOLE_S, HOLE_EVERY_S = 30.0, 90.0


def withheld(
    recording: Recording, localizer: Localizer, antenna: np.ndarray, keep: Callable[[int, float], bool]
) -> np.ndarray:
    """Rows (n, 4) for every fix not kept: time since it was last aided, horizontal error, sigma, speed."""
    rows, waiting, aided_t, number, began = [], [], -math.inf, 0, None
    best = max(s.status for s in recording.samples if isinstance(s, GnssFix))
    before: NavState | None = None
    for sample in recording.samples:
        if isinstance(sample, GnssFix):
            number += 1
            began = sample.t if began is None else began
            if keep(number, sample.t - began):
                localizer.add_fix(sample)
                aided_t = sample.t if sample.status == best else aided_t
            elif sample.status == best and sample.t - began > SETTLE_S:
                waiting.append((sample, sample.t - aided_t))
        elif isinstance(sample, ImuSample):
            state = localizer.add_imu(sample)
            if state is None:
                continue
            if before is None:  # fixes from before the alignment say nothing of it
                waiting.clear()
            while waiting and before is not None and waiting[0][0].t - localizer.latency <= state.t:
                fix, age = waiting.pop(0)
                t = fix.t - localizer.latency
                near = state if abs(state.t - t) < abs(before.t - t) else before
                rows.append((age, *error(localizer, near, fix, t, antenna)))
            before = state
    return np.array(rows).reshape(-1, 4)


def error(
    localizer: Localizer, state: NavState, fix: GnssFix, t: float, antenna: np.ndarray
) -> tuple[float, float, float]:
    """Horizontal error of the antenna in m, its sigma, and the speed."""
    attitude = rotation_from_rpy(*state.rpy)
    velocity = attitude @ state.velocity
    place = state.position + attitude @ antenna + velocity * (t - state.t)
    true = localizer._datum.to_map(fix.longitude, fix.latitude, fix.height)
    return float(np.hypot(*(place - true)[:2])), state.sigma_xy, float(np.hypot(*velocity[:2]))


def line(name: str, errors: np.ndarray) -> str:
    """One row of the table."""
    if not len(errors):
        return f"| {name} | 0 | | | | |"
    p50, p95 = np.percentile(errors, [50, 95])
    return (
        f"| {name} | {len(errors)} | {np.sqrt(np.mean(errors**2)):.3f} | {p50:.3f} | {p95:.3f} | {errors.max():.3f} |"
    )


def main() -> None:
    """Run both ways and print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", type=Path)
    parser.add_argument("--urdf", type=Path, default=ROOT / "urdf/mine_robot.urdf.xacro")
    parser.add_argument("--params", type=Path, action="append", default=[])
    parser.add_argument("--remap", action="append", default=[])
    options = parser.parse_args()
    recording = read_samples(options.log, dict(_pair(text) for text in options.remap))
    robot = load_robot(options.urdf)
    files = ParameterFiles([ROOT / "config/robot.yaml", *options.params])
    files.nodes["localization"]["output_rate"] = 200.0
    params = files.build("localization")
    assert recording.datum is not None and to_flat(params)
    imu = sum(isinstance(s, ImuSample) for s in recording.samples)
    fixes = [s for s in recording.samples if isinstance(s, GnssFix)]
    seconds = fixes[-1].t - fixes[0].t
    fixed = sum(f.status == FixStatus.FIXED for f in fixes)
    print(
        f"{seconds:.0f} s, IMU {imu / seconds:.0f} Hz, GNSS {len(fixes) / seconds:.1f} Hz, {fixed} of {len(fixes)} RTK fixed\n"
    )
    for remark in recording.remarks:
        print(remark)
    print("| fixes | compared | RMSE m | median m | p95 m | max m |\n|---|---|---|---|---|---|")
    for name, keep in (
        ("one in five fed", lambda n, t: n % 5 == 0),
        ("holes of 30 s", lambda n, t: t % HOLE_EVERY_S < HOLE_EVERY_S - HOLE_S),
    ):
        localizer = Localizer(params, params.limits, robot, recording.datum)
        rows = withheld(recording, localizer, np.asarray(robot.gnss), keep)
        print(line(name, rows[:, 1]))
        if name.startswith("holes"):
            for low, high in ((0, 5), (5, 10), (10, 20), (20, 31)):
                print(line(f"... {low} to {high} s into the hole", rows[(rows[:, 0] >= low) & (rows[:, 0] < high), 1]))
        mount = np.degrees(localizer._navigator.filter.aiding[6:8])
        health = localizer.health(localizer._t)
        print(
            f"| ({name}: beyond 4 sigma {100 * np.mean(rows[:, 1] > 4 * np.hypot(rows[:, 2], 0.014)):.1f} %, latency "
            f"{localizer.latency:.3f} s, mounting {mount[0]:.1f}° {mount[1]:.1f}°, {Level(health.level).name}: {health.message}) |||||"
        )


if __name__ == "__main__":
    main()
