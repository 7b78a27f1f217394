"""How closely the follower keeps to a plan, and how far from a find it comes to stand; without ROS.

The real follower drives the project's simulated vehicle with 10 % slip on a slope of 5 degrees over a meadow's waves, in headings drawn
anew for every seed, on the estimates of the real localisation from simulated inertial unit, RTK receiver and encoders. Offsets are those
of the *true* pose from the planned line.

    .venv/bin/python benchmarks/tracking.py --seeds 0:40           # lanes, transits, reversing, pivots
    .venv/bin/python benchmarks/tracking.py --stop --seeds 0:200   # finds while searching: where do the tracks stand?

With ``--stop`` the real detector finds mines in whole missions, in which guard and follower stop the robot; the distance is that of the
true contact patches to the *declared* place, for which the halo stands.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from shapely import MultiPolygon, box

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

from mine_robot.control.follower import Follower  # noqa: E402
from mine_robot.core.field import Field  # noqa: E402
from mine_robot.core.geodesy import Datum  # noqa: E402
from mine_robot.core.robot import Robot  # noqa: E402
from mine_robot.core.types import (  # noqa: E402
    Array,
    Goal,
    MissionState,
    MissionStatus,
    Plan,
    PlanStep,
    Pose2,
    StepKind,
    Twist2,
)
from mine_robot.localization.localizer import Localizer  # noqa: E402
from mine_robot.pipeline.loading import ParameterFiles, load_robot  # noqa: E402
from mine_robot.pipeline.offline import OfflineMission  # noqa: E402
from mine_robot.sim.scenario import Scenario  # noqa: E402
from mine_robot.sim.terrain import TERRAINS, TerrainSpec  # noqa: E402
from mine_robot.sim.world import STEP_S, World  # noqa: E402

DATUM = Datum(39.99, 46.93)
SETTLE_S = 8.0  # the robot stands while the localisation begins
LANE_M, ASIDE_M = 12.0, 1.05
MINES = ("pmn", "pmn2", "tm62", "pma3", "type72")
GIVE_UP_S = 900.0
MISSION_S = 60.0


def configuration() -> tuple[Robot, ParameterFiles]:
    """The robot and the parameters of a simulated run."""
    files = ParameterFiles([ROOT / "config" / "robot.yaml", ROOT / "config" / "sim.yaml"])
    return load_robot(ROOT / "urdf" / "mine_robot.urdf.xacro"), files


def ground(rng: np.random.Generator, slip: float, slope_deg: float) -> TerrainSpec:
    """A meadow that rises in some direction."""
    return replace(TERRAINS["meadow"], slope_deg=slope_deg, aspect_deg=float(rng.uniform(0.0, 360.0)), slip=slip)


def course(limits, start: Pose2) -> Plan:
    """What plans consist of: a lane, out of it backwards, over to the next, a lane, a half turn, a lane back, a fast transit."""
    steps: list[PlanStep] = []
    here = start

    def drive(distance: float, *, sweep: bool = False) -> None:
        nonlocal here
        end = Pose2(here.x + distance * math.cos(here.yaw), here.y + distance * math.sin(here.yaw), here.yaw)
        speed = limits.search_speed if sweep else limits.drive_speed
        kind = StepKind.LANE if sweep else StepKind.TRANSIT
        steps.append(PlanStep(kind, here, end, distance < 0.0, sweep, speed))
        here = end

    def turn(degrees: float) -> None:
        nonlocal here
        end = Pose2(here.x, here.y, here.yaw + math.radians(degrees))
        steps.append(PlanStep(StepKind.TURN, here, end, False, False, limits.pivot_rate))
        here = end

    drive(LANE_M, sweep=True)
    drive(-LANE_M)
    turn(90.0)
    drive(ASIDE_M)
    turn(-90.0)
    drive(LANE_M, sweep=True)
    turn(-179.0)
    drive(LANE_M, sweep=True)
    drive(-LANE_M / 2.0)
    turn(30.0)
    drive(LANE_M / 2.0)
    return Plan(1.0, tuple(steps))


def offsets(seed: int, slip: float = 0.10, slope_deg: float = 5.0) -> Iterator[tuple[str, float, float]]:
    """Drive the course of ``seed``: for every 50 ms, kind of step and true offset in m of ``base_link`` and of the searched line.

    Raises :class:`RuntimeError` if the follower gives up or does not arrive.
    """
    robot, files = configuration()
    params = {node: files.build(node) for node in ("follower", "localization", "simulator", "mission")}
    limits = params["mission"].limits
    rng = np.random.default_rng([7, seed])
    start = Pose2(0.0, 0.0, float(rng.uniform(-math.pi, math.pi)))
    scenario = Scenario(seed=seed, terrain=ground(rng, slip, slope_deg))
    area = Field("course", "", DATUM, MultiPolygon(), MultiPolygon(), MultiPolygon(), np.empty((0, 2)))
    world = World(scenario, area, robot, params["simulator"], start=start)
    localizer = Localizer(params["localization"], limits, robot, DATUM)
    follower = Follower(params["follower"], limits, robot)
    plan = course(limits, start)
    status = MissionStatus(0.0, MissionState.SEARCH, "", Goal.SEARCH, -1, plan.t)
    command = Twist2(0.0, 0.0, 0.0)
    while world.t < GIVE_UP_S:
        batch = world.step(command)
        command = Twist2(world.t, 0.0, 0.0)
        for wheels in batch.wheels:
            localizer.add_wheels(wheels)
        for fix in batch.fixes:
            localizer.add_fix(fix)
        for heading in batch.headings:
            localizer.add_heading(heading)
        for sample in batch.imu:
            nav = localizer.add_imu(sample)
            if nav is None or world.t < SETTLE_S:
                continue
            follower.set_plan(plan)
            follower.set_mission(status)
            command, progress = follower.update(nav)
            if progress.done:
                return
        if world.t >= SETTLE_S and (step := follower.current):
            yield offset(step, world.truth().pose, robot.sweep_ahead)
    raise RuntimeError(f"seed {seed}: {follower.health(world.t).message}")


def offset(step: PlanStep, pose: Pose2, ahead: float) -> tuple[str, float, float]:
    """Kind of a step, and how far ``base_link`` and the searched line are off it."""
    if step.is_pivot:
        away = math.hypot(pose.x - step.start.x, pose.y - step.start.y)
        return "pivot", away, away
    kind = "lane" if step.sweep else "reverse" if step.reverse else "transit"
    head = pose.to_map(np.array([ahead, 0.0]))
    return kind, float(step.start.to_body(np.array([pose.x, pose.y]))[1]), float(step.start.to_body(head)[1])


def distance(pose: Pose2, robot: Robot, x: float, y: float) -> float:
    """Distance in m of the point (x, y) to the nearest contact patch of a robot at ``pose``; 0 below a track."""
    at_x, at_y = pose.to_body(np.array([x, y]))
    return min(
        math.hypot(max(p.x_min - at_x, at_x - p.x_max, 0.0), max(p.y_min - at_y, at_y - p.y_max, 0.0))
        for p in robot.contact_patches
    )


@dataclass
class Find:
    """A target declared while the robot searched."""

    beyond: float  # m the searched line was past the declared place
    nearest: float = math.inf  # m from the true contact patches to the declared place until the robot stood
    at_end: float = math.inf  # m, the smallest in all the mission


def finds(seed: int, slip: float = 0.10, slope_deg: float = 5.0) -> list[Find]:
    """Search a small field with mines for :data:`MISSION_S`; every target that the detector declares there."""
    robot, files = configuration()
    limits = files.build("mission").limits
    rng = np.random.default_rng([11, seed])
    hazard, safe = box(-2.5, 0.0, 2.5, 8.0), box(-3.0, -4.0, 3.0, 0.0)
    area = Field("small", "", DATUM, MultiPolygon([hazard]), MultiPolygon([safe]), MultiPolygon(), np.empty((0, 2)))
    mines = {str(kind): 1 for kind in rng.choice(MINES, 4, replace=False)}
    scenario = Scenario(seed=seed, terrain=ground(rng, slip, slope_deg), random_objects=mines)
    mission = OfflineMission(area, robot, files, scenario)
    mission.start()
    found: dict[int, Find] = {}
    moving: set[int] = set()
    while mission.t < MISSION_S:
        mission.step()
        truth = mission.simulation.truth
        stands = abs(float(truth.velocity[0])) < 0.01 and abs(float(truth.rate[2])) < 0.01
        for target in limits.suspects(mission.detector.targets()):
            away = distance(truth.pose, robot, target.x, target.y)
            if target.id not in found:
                place = truth.pose.to_body(np.array([target.x, target.y]))
                found[target.id] = Find(robot.sweep_ahead - float(place[0]))
                moving.add(target.id)
            find = found[target.id]
            find.at_end = min(find.at_end, away)
            if target.id in moving:
                find.nearest = min(find.nearest, away)
                moving -= {target.id} if stands else set()
    return list(found.values())


def report_offsets(seeds: range, slip: float, slope_deg: float) -> None:
    """A row for each kind of step."""
    rows = [row for seed in seeds for row in offsets(seed, slip, slope_deg)]
    print("| kind | s | RMS m | 99 % m | max m | searched line RMS | max |\n|---|---|---|---|---|---|---|")
    for kind in ("lane", "transit", "reverse", "pivot"):
        base, head = (np.abs([row[i] for row in rows if row[0] == kind]) for i in (1, 2))
        print(
            f"| {kind} | {len(base) * STEP_S:.0f} | {rms(base):.4f} | {np.percentile(base, 99):.4f} | {base.max():.4f} |"
            f" {rms(head):.4f} | {head.max():.4f} |"
        )


def report_finds(seeds: range, slip: float, slope_deg: float) -> None:
    """How far from finds the tracks stood, and what came too late for any follower."""
    robot, files = configuration()
    limits = files.build("mission").limits
    latest = robot.sweep_ahead - robot.front - limits.halo_radius - limits.stopping_distance(limits.search_speed)
    rows = []
    for seed in seeds:
        for find in finds(seed, slip, slope_deg):
            rows.append(find)
            if find.at_end < limits.halo_radius:
                print(f"seed {seed}: {find}", flush=True)
    nearest, beyond = (np.array([getattr(find, name) for find in rows]) for name in ("nearest", "beyond"))
    ever = np.array([find.at_end for find in rows])
    during, later = nearest < limits.halo_radius, ever < limits.halo_radius
    print(
        f"{len(seeds)} seeds, {len(rows)} finds: tracks at least {nearest.min():.3f} m from the place until they stood, "
        f"{ever.min():.3f} m in all the mission; halo of {limits.halo_radius:g} m entered while stopping {np.sum(during)}, later "
        f"{np.sum(later & ~during)}; declared at most {beyond.max():.3f} m behind the searched line, {np.sum(beyond > latest)} later than "
        f"{latest:.3f} m, where no stop at the search speed ends before the halo"
    )


def rms(values: Array) -> float:
    """Root of the mean square."""
    return float(np.sqrt(np.mean(values**2)))


def main() -> None:
    """Drive the seeds and print a table or a line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="0:10", help="first:last, the last not included")
    parser.add_argument("--stop", action="store_true", help="finds instead of offsets")
    parser.add_argument("--slip", type=float, default=0.10, help="longitudinal slip on the flat")
    parser.add_argument("--slope", type=float, default=5.0, metavar="DEG")
    arguments = parser.parse_args()
    report = report_finds if arguments.stop else report_offsets
    report(range(*(int(part) for part in arguments.seeds.split(":"))), arguments.slip, arguments.slope)


if __name__ == "__main__":
    main()
