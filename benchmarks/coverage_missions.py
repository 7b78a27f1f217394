"""Whole missions with ideal sensors and an ideal follower, without ROS: what the plans alone cost.

Evidence comes exactly along the plan, every step takes its duration and a second for starting and stopping. Random targets are found
when the searched line has passed them by 0.15 m; then the robot is brought to the target, marks it, and plans anew. Every plan may be
walked by the brute-force checker of the tests. With ``--askew`` the robot stands off its plan by that many degrees (standard deviation) and
1 cm whenever it asks for a new one, as a real one does.

    python benchmarks/coverage_missions.py --field config/missions/demo_field.geojson --targets 10 --seeds 0:4 [--check] [--verbose]
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import shapely

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "test")]

from coverage_setup import limits, robot  # noqa: E402
from plan_checker import Checker  # noqa: E402
from random_fields import start_pose, target_at  # noqa: E402

from mine_robot.core.field import Field, field_from_geojson  # noqa: E402
from mine_robot.core.types import (  # noqa: E402
    Goal,
    MissionState,
    MissionStatus,
    NavState,
    Plan,
    PlanStep,
    Pose2,
    SweepEvidence,
    Target,
)
from mine_robot.coverage.params import CoverageParams  # noqa: E402
from mine_robot.coverage.route import ahead  # noqa: E402
from mine_robot.pipeline.coverage import CoverageManager  # noqa: E402

STOP_S = 1.0  # to start and stop, a step
MARK_S = 4.0
PASSED_M = 0.15
MAX_PLANS = 200
ASIDE_M = 0.01  # standard deviation of where the robot stands, either way


@dataclass
class Tally:
    """What one mission cost."""

    seconds: float = 0.0
    swept_m: float = 0.0
    driven_m: float = 0.0
    pivots: int = 0
    steps: int = 0
    found: int = 0
    lost: int = 0
    stuck: int = 0
    unsafe: int = 0
    cpu: list[float] = field(default_factory=list)
    planned: list[int] = field(default_factory=list)


class Drive:
    """One mission on ``area`` with hidden ``targets``."""

    def __init__(self, area: Field, targets: list[Target], check: bool, askew: float = 0.0, seed: int = 0) -> None:
        self.manager = CoverageManager(CoverageParams(), limits(), robot(), area)
        self.area, self.hidden, self.found = area, list(targets), []
        self.check, self.askew, self.rng = check, math.radians(askew), np.random.default_rng(seed)
        self.swept: list[tuple[Pose2, float]] = []
        self.swept_to = Pose2(math.inf, math.inf, 0.0)
        self.checker: Checker | None = None
        self.pose = Pose2(*start_pose(area), 0.3)
        self.tally = Tally()
        self.t = 0.0

    def run(self, verbose: bool) -> Tally:
        """Search, mark and go home."""
        goal, number = Goal.SEARCH, 0
        for _ in range(MAX_PLANS):
            plan = self.ask(goal, number)
            before, x, y = self.tally.seconds, self.pose.x, self.pose.y
            found = self.follow(plan)
            if verbose:
                print(
                    f"  {goal.name:6} from ({x:6.2f} {y:6.2f})"
                    f" planned {plan.duration:4.0f} s in {len(plan.steps):3d} steps, drove"
                    f" {self.tally.seconds - before:4.0f} s, cpu {self.tally.cpu[-1]:.2f} s,"
                    f" searched {self.manager.ledger.searched_area:.1f} m2"
                )
            if goal is Goal.HOME:
                self.tally.stuck = not plan.steps
                break
            if found is not None:
                goal, number = Goal.TARGET, found.id
            elif goal is Goal.TARGET:
                self.tally.lost += not plan.steps
                self.tally.seconds += MARK_S
                goal = Goal.SEARCH
            elif not plan.steps:
                goal = Goal.HOME
        return self.tally

    def ask(self, goal: Goal, number: int) -> Plan:
        """A plan from the manager, checked."""
        self.t += 1.0
        if self.askew > 0.0:
            east, north, turned = self.rng.normal(0.0, (ASIDE_M, ASIDE_M, self.askew))
            self.pose = Pose2(self.pose.x + east, self.pose.y + north, self.pose.yaw + turned)
        zero = np.zeros(3)
        place = np.array([self.pose.x, self.pose.y, 0.0])
        self.manager.set_nav(NavState(self.t, place, np.array([0.0, 0.0, self.pose.yaw]), zero, zero, np.eye(6) * 1e-4))
        began = time.process_time()
        plan = self.manager.answer(MissionStatus(self.t, MissionState.PLAN, "", goal, number, self.t))
        self.tally.cpu.append(time.process_time() - began)
        assert plan is not None
        self.tally.planned.append(len(plan.steps))
        if self.check:
            halos = [(t.x, t.y, limits().halo_radius) for t in self.found]
            checker = Checker(self.area, robot(), limits(), halos)
            for pose, length in self.swept:
                checker._sweep(pose, length)
            verdict = checker.walk(plan, self.pose)
            self.tally.unsafe += len({step for step, *_ in verdict.unsafe}) + len(verdict.struck) + len(verdict.broken)
            if not verdict.clean:
                print("  UNSAFE", goal.name, self.pose, verdict.unsafe[:5], verdict.struck, verdict.broken)
        return plan

    def follow(self, plan: Plan) -> Target | None:
        """Drive until something is found."""
        for step in plan.steps:
            length, target = self.first_find(step) if step.sweep else (step.length, None)
            share = length / step.length if step.length > 0.0 else 1.0
            self.tally.seconds += step.duration * share + STOP_S
            self.tally.driven_m += length
            self.tally.swept_m += length * step.sweep
            self.tally.pivots += step.is_pivot
            self.tally.steps += 1
            if step.sweep:
                self.book(step.start, length)
            self.pose = step.end
            if target is not None:
                cos, sin = math.cos(step.start.yaw), math.sin(step.start.yaw)
                self.pose = Pose2(step.start.x + length * cos, step.start.y + length * sin, step.start.yaw)
                self.hidden.remove(target)
                self.found.append(target)
                self.tally.found += 1
                self.manager.set_targets(self.found)
                return target
        return None

    def first_find(self, step: PlanStep) -> tuple[float, Target | None]:
        """How far the step is driven, and what stops it."""
        finds = []
        for target in self.hidden:
            x, y = step.start.to_body(np.array([target.x, target.y]))
            along = float(x) - robot().sweep_ahead
            if 0.0 <= along <= step.length and abs(y) <= robot().sweep_width / 2.0:
                finds.append((min(along + PASSED_M, step.length), target))
        return min(finds, key=lambda item: item[0], default=(step.length, None))

    def book(self, start: Pose2, length: float) -> None:
        """Evidence of an ideal sweep; one that goes on where the last ended has only stood there."""
        apart = math.dist((self.swept_to.x, self.swept_to.y), (start.x, start.y)) + abs(self.swept_to.yaw - start.yaw)
        self.t += 10.0 if apart > 0.02 else 0.0
        self.swept_to = ahead(start, length)
        self.swept.append((start, length))
        cos, sin = math.cos(start.yaw), math.sin(start.yaw)
        lines = np.append(np.arange(0.0, length, 0.025), length) + robot().sweep_ahead
        for i, s in enumerate(lines):
            t, x, y = self.t + 0.05 * i, start.x + s * cos, start.y + s * sin
            base = np.array([x - robot().sweep_ahead * cos, y - robot().sweep_ahead * sin, 0.0])
            rpy, velocity = np.array([0.0, 0.0, start.yaw]), np.array([0.5, 0.0, 0.0])
            self.manager.set_nav(NavState(t, base, rpy, velocity, np.zeros(3), np.eye(6) * 4e-5))
            self.manager.add_evidence([SweepEvidence(t, x, y, start.yaw, 0.01, 0.06, 0.5, True, True)])
        self.t += 0.05 * len(lines)


def hidden_targets(area: Field, seed: int, count: int) -> list[Target]:
    """Hazards somewhere in the hazard area, at least 0.6 m apart."""
    rng = np.random.default_rng(1000 + seed)
    west, south, east, north = area.hazard.bounds
    targets: list[Target] = []
    while len(targets) < count:
        x, y = rng.uniform(west, east), rng.uniform(south, north)
        apart = all(math.hypot(x - other.x, y - other.y) > 0.6 for other in targets)
        if apart and shapely.contains_xy(area.hazard, x, y):
            targets.append(target_at(len(targets) + 1, float(x), float(y), p_hazard=1.0))
    return targets


def main() -> None:
    """Run the missions and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--field", type=Path, default=ROOT / "config" / "missions" / "demo_field.geojson")
    parser.add_argument("--targets", type=int, default=10)
    parser.add_argument("--seeds", default="0:3", help="first:last, the last not included")
    parser.add_argument("--askew", type=float, default=0.0, metavar="DEG")
    parser.add_argument("--check", action="store_true", help="walk every plan with the checker of the tests")
    parser.add_argument("--verbose", action="store_true", help="a line for each plan")
    args = parser.parse_args()
    area = field_from_geojson(json.loads(args.field.read_text(encoding="utf-8")))
    rows = []
    print("seed   time  swept driven pivots steps plans found  cpu mean  max  searched  share unsafe lost stuck")
    for seed in range(*(int(part) for part in args.seeds.split(":"))):
        drive = Drive(area, hidden_targets(area, seed, args.targets), args.check, args.askew, seed)
        tally = drive.run(args.verbose)
        values = drive.manager.progress().values
        rows.append(
            (
                tally.seconds, tally.swept_m, tally.driven_m, tally.pivots, tally.steps, len(tally.cpu), tally.found,
                float(np.mean(tally.cpu)), max(tally.cpu), float(values["searched_m2"]),
                100.0 * float(values["searched_m2"]) / (float(values["hazard_m2"])), tally.unsafe, tally.lost, tally.stuck,
            )
        )  # fmt: skip
        print(f"{seed:4d} {_line(rows[-1])}", flush=True)
    print(f"mean {_line(tuple(np.mean(rows, axis=0)))}")


def _line(row: tuple[float, ...]) -> str:
    widths = (
        "6.0f",
        "6.0f",
        "6.0f",
        "6.0f",
        "5.0f",
        "5.0f",
        "5.0f",
        "8.2f",
        "5.2f",
        "8.2f",
        "6.2f",
        "6.0f",
        "4.0f",
        "5.2f",
    )
    return " ".join(format(value, width) for value, width in zip(row, widths))


if __name__ == "__main__":
    main()
