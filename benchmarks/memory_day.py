"""24 hours of the stack in one: does any core of a node remember more and more?

``python benchmarks/memory_day.py PART`` steps the objects that the nodes bind to topics through so many simulated hours without a break:

* ``mission``: planner and ledger, follower, guard, mission, marker with the simulated actuator, journal on the disk, in closed loop on a
  field that takes longer than that to search and has a find every few metres. Navigation and detection are the models of
  ``kill_model.py``, and the robot is a point that does as it is told, five times a second. So it drives at half the speeds, and the ledger
  goes out every 1.6 s: the follower and the guard have of each metre what they have at 20 Hz and 0.4 s to within a factor of two. A
  raster coarser than the planner's margins (`mine-robot check` warns of it) would not do: plans promise what the ledger never books.
* ``navigation``: the localisation, fed by the sensors of a recorded mission that begins and ends at home, over and over. Each round goes
  on where the one before ended; IMU and tracks speak ten times a second.
* ``detection``: the detector behind the queue of its node, fed by scans and poses of the same mission at places of their own; after
  ``PLACES`` rounds the robot drives there again. Every second pose and scan is left out.

Resident memory is printed every ten simulated minutes, at the end its slope over the second half, and every container within the objects
that grew in the second half: what a list, dictionary, deque or array held, by its place.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from kill_campaign import plot
from kill_model import ModelDetector, ModelLocalizer
from memory_growth import DAY_H, HOUR_S, resident_mb, trend

from mine_robot.bringup.resources import resource
from mine_robot.core.field import Field
from mine_robot.core.robot import Robot
from mine_robot.core.types import Health, ImuSample, Level, NavState, Pose2, Twist2, wrap_angle
from mine_robot.detection.detector import Detector
from mine_robot.localization.localizer import Localizer
from mine_robot.pipeline.hazard import best_judge
from mine_robot.pipeline.loading import ParameterFiles, load_field, load_robot, scenario_from_content
from mine_robot.pipeline.offline import OfflineLog, OfflineMission
from mine_robot.pipeline.scan_queue import ScanQueue
from mine_robot.sim.actuator import SimulatedActuator
from mine_robot.sim.types import TrueState
from mine_robot.sim.world import SensorBatch

SAMPLE_S = 600.0  # of simulated time
STEP_S = 0.2
SPEEDS = {"limits.search_speed": 0.25, "limits.drive_speed": 0.5, "limits.pivot_rate": 0.5}
OBJECTS = {"tm62": 50, "pmn": 100, "nail": 350}
WIDTH_M, DEPTH_M = 50.0, 200.0
HEARTBEAT_STEPS = 10  # after which the planner sums the ledger anew; its node does every 0.5 s
IMU_SHARE = 5  # calls after which the model of navigation speaks
PLACES, PLACE_M = 24, 50.0
DEPTH = 12  # of containers within objects
GREW = 1.02


# --- what is within an object ---------------------------------------------------------------------------------------------------------
def contents(root: Any, limit: int = DEPTH) -> dict[str, int]:
    """Elements of every container within ``root`` by its place; those of equal places are added up."""
    found: dict[str, int] = {}
    seen: set[int] = set()

    def look(item: Any, place: str, left: int) -> None:
        if item is None or isinstance(item, (int, float, str, bytes, type)) or id(item) in seen or left == 0:
            return
        seen.add(id(item))
        if isinstance(item, np.ndarray):
            found[place] = found.get(place, 0) + item.size
        elif isinstance(item, (dict, list, tuple, set, frozenset, deque, bytearray)):
            found[place] = found.get(place, 0) + len(item)
            for value in item.values() if isinstance(item, dict) else item:
                look(value, place + "[]", left - 1)
        elif type(item).__module__.startswith(("mine_robot", "kill_model", "__main__")):
            names = [name for kind in type(item).__mro__ for name in getattr(kind, "__slots__", ())]
            for name, value in [*vars(item).items()] if hasattr(item, "__dict__") else []:
                look(value, f"{place}.{name}", left - 1)
            for name in names:
                look(getattr(item, name, None), f"{place}.{name}", left - 1)

    look(root, type(root).__name__, limit)
    return found


class Watch:
    """Prints the memory of this process as simulated time goes on, and compares what objects hold at half time and at the end."""

    def __init__(self, hours: float, roots: Callable[[], list[Any]], row: Callable[[], dict[str, Any]]) -> None:
        self.hours, self.sizes = [0.0], [resident_mb()]
        self._end, self._roots, self._row, self._half = hours, roots, row, {}
        self._wall = time.process_time()

    def at(self, t: float) -> bool:
        """Call it with every step; False at the end."""
        if t < len(self.hours) * SAMPLE_S:
            return True
        self.hours.append(t / HOUR_S)
        self.sizes.append(resident_mb())
        row = {"hour": round(self.hours[-1], 2), "mb": round(self.sizes[-1], 1), **self._row()}
        print(json.dumps({**row, "cpu_s": round(time.process_time() - self._wall)}), flush=True)
        if not self._half and self.hours[-1] >= 0.5 * self._end:
            self._half = self._contents()
        return self.hours[-1] < self._end

    def _contents(self) -> dict[str, int]:
        return {place: size for root in self._roots() for place, size in contents(root).items()}

    def result(self) -> dict[str, Any]:
        """What it comes to."""
        later = slice(len(self.hours) // 2, None)
        slope = float(np.polyfit(self.hours[later], self.sizes[later], 1)[0])
        grown = {
            place: [self._half.get(place, 0), size]
            for place, size in self._contents().items()
            if size > GREW * self._half.get(place, 0) + 2
        }
        half = {"mb_an_hour_second_half": round(slope, 3), "mb_most_second_half": round(max(self.sizes[later]), 1)}
        return {**trend(self.hours, self.sizes), **half, "containers_that_grew_from_half_time": grown}


# --- planner, follower, guard, mission, marker, journal ----------------------------------------------------------------------------------
class PointRobot:
    """In the place of the simulated world: a robot that does as it is told, and the marking actuator."""

    step_s = STEP_S

    def __init__(self, mission: OfflineMission, start: Pose2) -> None:
        self.objects, self.robot = mission.simulation.objects, mission.simulation.robot
        self.actuator: SimulatedActuator = mission.simulation.actuator
        self.t, self._pose, self._twist = 0.0, start, Twist2(0.0, 0.0, 0.0)

    @property
    def truth(self) -> TrueState:
        """The true motion."""
        zero = np.zeros(3)
        x, y, yaw = self._pose.x, self._pose.y, self._pose.yaw
        velocity, rate = np.array([self._twist.speed, 0.0, 0.0]), np.array([0.0, 0.0, self._twist.yaw_rate])
        return TrueState(self.t, np.array([x, y, 0.0]), np.array([0.0, 0.0, yaw]), velocity, rate, zero)

    def step(self, command: Twist2, to_actuator: bytes) -> tuple[SensorBatch, bytes]:
        """One step along an arc."""
        self.actuator.feed(to_actuator)
        self.t, self._twist, pose = self.t + STEP_S, command, self._pose
        yaw = pose.yaw + 0.5 * STEP_S * command.yaw_rate
        way = command.speed * STEP_S
        x, y = pose.x + way * math.cos(yaw), pose.y + way * math.sin(yaw)
        self._pose = Pose2(x, y, wrap_angle(pose.yaw + STEP_S * command.yaw_rate))
        imu = [ImuSample(self.t, np.zeros(3), np.zeros(3))] * IMU_SHARE
        return SensorBatch(self.t, imu, [], [], [], None, None, 1.0), self.actuator.tick(self.t)

    def reports(self) -> tuple[Health, ...]:
        """All is well."""
        return tuple(Health(name, Level.OK, "ok") for name in ("battery", "command_link", "emergency_stop"))


def offline(folder: Path, path: Path, content: dict[str, Any], directory: Path | None) -> tuple[OfflineMission, Field]:
    """A mission whose battery and paint last."""
    area = load_field(path)
    files = ParameterFiles([resource("config/robot.yaml"), resource("config/sim.yaml")])
    files.set("simulator.actuator.paint_per_mark", 0.0)
    files.set("simulator.vehicle.battery_life", 1e6)
    if directory is not None:
        for name, value in SPEEDS.items():
            files.set(name, value)
    scenario = scenario_from_content(content, folder / "scenario", area.datum)
    return OfflineMission(area, load_robot(resource("urdf/mine_robot.urdf.xacro")), files, scenario, directory), area


def mission(folder: Path, hours: float, seed: int) -> dict[str, Any]:
    """Everything behind detection and localisation."""
    content = {"seed": seed, "random_objects": OBJECTS}
    run, _ = offline(folder, plot(folder, WIDTH_M, DEPTH_M), content, folder)
    robot: Robot = run.simulation.robot
    point = PointRobot(run, run.simulation.world.start)
    run.detector = ModelDetector(robot, point.objects, seed)  # type: ignore[assignment]
    run.simulation, run.files = point, None  # type: ignore[assignment]
    run.localizer = ModelLocalizer(run, seed)  # type: ignore[assignment]
    run.log = OfflineLog(*(deque(maxlen=10) for _ in fields(OfflineLog)))  # type: ignore[arg-type]
    run.start()
    counts = {"plans": 0}
    answer = run.coverage.answer

    def counted(status: Any) -> Any:
        plan = answer(status)
        counts["plans"] += plan is not None
        return plan

    run.coverage.answer = counted  # type: ignore[method-assign]
    progress, said = run.coverage.progress, [run.coverage.progress()]
    run.coverage.progress = lambda: said[0]  # type: ignore[method-assign]

    def row() -> dict[str, Any]:
        status = run.log.states[-1]
        journal = sum(file.stat().st_size for file in folder.glob("journal.sqlite*")) / 2**20
        return {
            "state": status.state.value,
            "searched_m2": round(run.coverage.ledger.searched_area),
            "targets": len(run.detector.targets()),
            "marked": status.marks_confirmed,
            **counts,
            "journal_mb": round(journal, 1),
            "wal_mb": round((folder / "journal.sqlite-wal").stat().st_size / 2**20, 1),
        }

    parts = [run.coverage, run.follower, run.guard, run.marker, run.mission, run.journal, run.watch]
    watch = Watch(hours, lambda: parts, row)
    while watch.at(run.t) and not (run.log.states and run.log.states[-1].state.ended):
        if round(run.t / STEP_S) % HEARTBEAT_STEPS == 0:
            said[0] = progress()
        run.step()
    return watch.result()


# --- the recorded mission --------------------------------------------------------------------------------------------------------------
def recorded(folder: Path, seed: int) -> tuple[list[SensorBatch], list[NavState], OfflineMission, Field]:
    """A small mission from home to home: what the sensors said, and the poses."""
    content = {"seed": seed, "random_objects": {"tm62": 1, "pmn": 1, "nail": 2}}
    run, area = offline(folder, plot(folder, 6.0, 4.0), content, None)
    batches: list[SensorBatch] = []
    step = run.simulation.step

    def kept(command: Twist2 | None, to_actuator: bytes) -> tuple[SensorBatch, bytes]:
        batch, received = step(command, to_actuator)
        batches.append(batch)
        return batch, received

    run.simulation.step = kept  # type: ignore[method-assign]
    status = run.run(1800.0)
    print(json.dumps({"recorded_s": round(run.t), "state": status.state.value, "targets": status.targets}), flush=True)
    return batches, run.log.nav, run, area


def readings(batches: list[SensorBatch], run: OfflineMission, area: Field) -> Iterator[tuple[float, SensorBatch]]:
    """The sensors for ever: a round begins at the place and in the heading in which the one before ended."""
    truth, length = run.log.truth, batches[-1].t - batches[0].t + 0.05
    begin, end = truth[0].pose, truth[-1].pose
    turn = wrap_angle(end.yaw - begin.yaw)
    places = {id(fix): area.datum.to_map(fix.longitude, fix.latitude, fix.height) for b in batches for fix in b.fixes}
    shift, yaw, number = np.zeros(2), 0.0, 0
    while True:
        cos, sin = math.cos(yaw), math.sin(yaw)
        rotation = np.array([[cos, -sin], [sin, cos]])
        later = number * length
        for before, batch in zip(batches[::2], batches[1::2]):
            fixes = []
            for fix in (*before.fixes, *batch.fixes):
                place = places[id(fix)]
                x, y = rotation @ place[:2] + shift
                lon, lat, height = (float(value) for value in area.datum.to_wgs84(x, y, place[2]))
                fixes.append(replace(fix, t=fix.t + later, longitude=lon, latitude=lat, height=height))
            headings = [
                replace(h, t=h.t + later, yaw=wrap_angle(h.yaw + yaw)) for h in (*before.headings, *batch.headings)
            ]
            wheels = [replace(item, t=item.t + later) for item in batch.wheels]
            inertial = [*before.imu, *batch.imu]
            rate, force = (np.mean([getattr(item, name) for item in inertial], axis=0) for name in ("rate", "force"))
            imu = [ImuSample(batch.t + later, rate, force)]
            yield batch.t + later, replace(batch, imu=imu, fixes=fixes, headings=headings, wheels=wheels)
        # The frame of the next round: what was the beginning is now where this one ended.
        step = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
        shift = rotation @ (np.array([end.x, end.y]) - step @ np.array([begin.x, begin.y])) + shift
        yaw, number = yaw + turn, number + 1


def navigation(folder: Path, hours: float, seed: int) -> dict[str, Any]:
    """The localisation alone."""
    batches, _, run, area = recorded(folder, seed)
    batches = [replace(batch, gpr=None, metal=None) for batch in batches]
    files = ParameterFiles([resource("config/robot.yaml")])
    params = files.build("localization")
    localizer = Localizer(params, files.build("mission").limits, run.simulation.robot, area.datum)
    levels = {level.name: 0 for level in Level}
    run.log.nav.clear()

    def row() -> dict[str, Any]:
        return {"health": dict(levels), "x": round(float(state.position[0]), 2) if state else None}

    watch, state = Watch(hours, lambda: [localizer], row), None
    for t, batch in readings(batches, run, area):
        for wheels in batch.wheels:
            localizer.add_wheels(wheels)
        for fix in batch.fixes:
            localizer.add_fix(fix)
        for heading in batch.headings:
            localizer.add_heading(heading)
        for sample in batch.imu:
            state = localizer.add_imu(sample) or state
        levels[localizer.health(t).level.name] += 1
        if not watch.at(t):
            return watch.result()
    raise AssertionError("the sensors speak for ever")


def detection(folder: Path, hours: float, seed: int) -> dict[str, Any]:
    """The detector behind its queue of scans."""
    batches, navs, run, _ = recorded(folder, seed)
    files = ParameterFiles([resource("config/robot.yaml")])
    detector = Detector(files.build("detector"), files.build("mission").limits, run.simulation.robot, best_judge())
    queue, length = ScanQueue(detector), batches[-1].t - batches[0].t + 0.05
    by_time = {round(nav.t, 2): nav for nav in navs}
    rounds = proven = 0

    def row() -> dict[str, Any]:
        words = {report.name: report.level.name for report in detector.health(t)}
        return {"rounds": rounds, "targets": len(detector.targets()), "evidence": proven, **words}

    watch = Watch(hours, lambda: [detector, queue], row)
    while True:
        later, place = rounds * length, PLACE_M * (rounds % PLACES)
        for batch in batches[::2]:
            t = batch.t + later
            for scan in (batch.gpr, batch.metal):
                if scan is not None:
                    queue.add(replace(scan, t=scan.t + later))
            nav = by_time.get(round(batch.t, 2))
            if nav is not None:
                queue.hand_over(t)
                moved = replace(nav, t=nav.t + later, position=nav.position + np.array([place, 0.0, 0.0]))
                proven += sum(record.gpr_ok and record.metal_ok for record in detector.add_nav(moved))
            if not watch.at(t):
                return watch.result()
        rounds += 1


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=("mission", "navigation", "detection"))
    parser.add_argument("--hours", type=float, default=DAY_H)
    parser.add_argument("--seed", type=int, default=41)
    arguments = parser.parse_args()
    measure = {"mission": mission, "navigation": navigation, "detection": detection}[arguments.part]
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(Path(folder), arguments.hours, arguments.seed)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
