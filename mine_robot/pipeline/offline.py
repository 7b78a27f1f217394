"""A whole simulated mission without ROS: the same objects the nodes bind to topics, called in the order in which messages flow.

For Monte-Carlo runs, benchmarks and tests of the algorithms together. With a directory it writes the journal and the world's state as the
processes do, and goes on from them after a kill. What it cannot show is what only processes have: lost messages, dead nodes, start-up
order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from mine_robot.control.follower import Follower
from mine_robot.control.guard import Guard
from mine_robot.control.stops import Stops
from mine_robot.core.field import Field
from mine_robot.core.robot import Robot
from mine_robot.core.types import Health, Level, MarkResult, MissionStatus, NavState, SweepEvidence, Target, Twist2
from mine_robot.detection.detector import Detector
from mine_robot.localization.localizer import Localizer
from mine_robot.marking.marker import Marker
from mine_robot.mission.journal import Journal
from mine_robot.mission.machine import Mission
from mine_robot.pipeline.coverage import CoverageManager
from mine_robot.pipeline.ground_watch import GroundWatch
from mine_robot.pipeline.hazard import best_judge
from mine_robot.pipeline.loading import ParameterFiles
from mine_robot.pipeline.recall import Memory, recall
from mine_robot.pipeline.simulation import Simulation, SimulationFiles
from mine_robot.sim.scenario import Scenario
from mine_robot.sim.types import TrueState

TICK_STEPS = 2  # the nodes tick at 10 Hz, the world steps at 20 Hz
LEDGER_STEPS = 8
COMMAND_DELAY_STEPS = 1
START_LIMIT_S = 60.0
JOURNAL = "journal.sqlite"


@dataclass
class OfflineLog:
    """What a mission leaves behind, for the audit and the score."""

    nav: list[NavState] = field(default_factory=list)
    evidence: list[SweepEvidence] = field(default_factory=list)
    targets: list[tuple[float, tuple[Target, ...]]] = field(default_factory=list)
    truth: list[TrueState] = field(default_factory=list)
    states: list[MissionStatus] = field(default_factory=list)
    marks: list[MarkResult] = field(default_factory=list)


class OfflineMission:
    """One robot on one field in one simulated world."""

    def __init__(
        self, area: Field, robot: Robot, files: ParameterFiles, scenario: Scenario, directory: Path | None = None
    ) -> None:
        """Begin, or go on with what ``directory`` holds; None keeps nothing."""
        params = {node: files.build(node) for node in files.nodes}
        limits = params["mission"].limits
        self.simulation = Simulation(scenario, area, robot, params["simulator"])
        self.localizer = Localizer(params["localization"], limits, robot, area.datum)
        self.detector = Detector(params["detector"], limits, robot, best_judge())
        self.coverage = CoverageManager(params["planner"], limits, robot, area)
        self.watch = GroundWatch(area, limits)
        self.follower = Follower(params["follower"], limits, robot)
        self.guard = Guard(params["guard"], limits, robot)
        self.stops = Stops(params["guard"], limits, robot)
        memory = Memory() if directory is None else recall(directory / JOURNAL)
        self.journal = None if directory is None else Journal(directory / JOURNAL)
        self.files = None if directory is None else SimulationFiles(directory, self.simulation)
        self.marker = Marker(params["marker"], robot, memory.unresolved, params["marker"].run)
        self.mission = Mission(params["mission"], limits, params["mission"].fitted.absent)
        self._take_up(memory)
        self.log = OfflineLog()
        self._commands = deque([Twist2(0.0, 0.0, 0.0)] * COMMAND_DELAY_STEPS)
        self._nav: NavState | None = None
        self._steps = 0
        self._revision = -1
        self._to_actuator = b""
        self._from_actuator = b""

    def _take_up(self, memory: Memory) -> None:
        """Go on from what an earlier process remembers."""
        if not memory.began:
            return
        self.detector.restore(memory.targets)
        self.coverage.recall(memory)
        self.guard.recall(memory.history, memory.released)
        self.guard.set_grid(self.coverage.grid(self.t))
        self.mission.restore(memory.requests, memory.results, memory.highest_p)
        self.mission.recall_targets(memory.history, memory.released)

    @property
    def t(self) -> float:
        """Simulated time, s."""
        return self.simulation.t

    def run(self, limit_s: float, watch: Callable[[OfflineMission], None] | None = None) -> MissionStatus:
        """Start the mission and step until it ends or ``limit_s`` of simulated time are over; returns its last status."""
        self.start(limit_s)
        while self.t < limit_s:
            self.step()
            if watch is not None:
                watch(self)
            if self.log.states and self.log.states[-1].state.ended:
                break
        return self.log.states[-1]

    def start(self, limit_s: float = START_LIMIT_S) -> None:
        """Step until every component has reported and the mission can be started."""
        while self.t < limit_s and not self.mission.start()[0]:
            self.step()

    def step(self) -> None:
        """One step of the world and everything that follows from it."""
        batch, received = self.simulation.step(self._commands.popleft(), self._to_actuator)
        if self.files is not None:
            self.files.record()
        self._to_actuator = b""
        self._from_actuator += received
        for wheels in batch.wheels:
            self.localizer.add_wheels(wheels)
            self.stops.add_wheels(wheels)
        for fix in batch.fixes:
            self.localizer.add_fix(fix)
        for heading in batch.headings:
            self.localizer.add_heading(heading)
        if batch.metal is not None:
            self.detector.add_metal(batch.metal)
        if batch.gpr is not None:
            self.detector.add_gpr(batch.gpr)
        command = Twist2(batch.t, 0.0, 0.0)
        for sample in batch.imu:
            state = self.localizer.add_imu(sample)
            if state is not None:
                command = self._on_nav(state)
        self._commands.append(command)
        self._steps += 1
        if self._steps % LEDGER_STEPS == 0:
            grid = self.coverage.grid(batch.t)
            self.guard.set_grid(grid)
            if self.journal is not None and self._nav is not None:
                self.journal.ledger(grid, self._nav.pose)
        if self._steps % TICK_STEPS == 0:
            self._tick(batch.t)
        self.log.truth.append(self.simulation.truth)

    def _on_nav(self, state: NavState) -> Twist2:
        """What follows from a pose: evidence, targets, ledger, and the next command."""
        if self._nav is None and self.journal is not None:
            self.journal.info({"home": [state.pose.x, state.pose.y, state.pose.yaw]})
        self._nav = state
        records = self.detector.add_nav(state)
        if self.detector.revision != self._revision:
            self._revision = self.detector.revision
            targets = self.detector.targets()
            self.log.targets.append((state.t, targets))
            if self.journal is not None:
                self.journal.targets(state.t, targets)
            self.coverage.set_targets(targets)
            self.mission.set_targets(targets)
            self.guard.set_targets(targets)
        self.coverage.set_nav(state)
        self.coverage.add_evidence(records)
        self.watch.set_nav(state)
        self.watch.add_evidence(records)
        wanted, progress = self.follower.update(state)
        self.mission.set_progress(progress)
        self.mission.set_nav(state)
        self.log.nav.append(state)
        self.log.evidence += records
        self.stops.add_nav(state)
        return self.stops.pass_on(state.t, self.guard.update(state.t, state, wanted)).twist

    def _tick(self, t: float) -> None:
        """The slow part: marker, health, mission, plans."""
        outgoing, result = self.marker.update(t, self._nav, self._from_actuator)
        self._from_actuator = b""
        self._to_actuator += outgoing
        if result is not None:
            self.log.marks.append(result)
            if self.journal is not None:
                self.journal.mark_result(result)
            self.mission.set_mark_result(result)
        for report in self.health():
            self.mission.set_health(report)
        output = self.mission.update(t)
        if self.journal is not None and output.changed:
            self.journal.status(output.status)
        self.marker.set_mission(output.status.state)
        for request in output.mark_requests:
            if self.journal is not None:
                self.journal.mark_request(request)
            self.marker.request(request)
        self.follower.set_mission(output.status)
        self.guard.set_mission(output.status)
        self.stops.set_mission(output.status)
        if output.changed:
            self.log.states.append(output.status)
        plan = self.coverage.answer(output.status)
        if plan is not None:
            self.guard.set_grid(self.coverage.grid(t))
            self.follower.set_plan(plan)
            self.mission.set_plan(plan)

    def health(self) -> list[Health]:
        """The reports of every component."""
        t = self.t
        return [
            self.localizer.health(t),
            *self.detector.health(t),
            self.coverage.progress(),
            self.coverage.track.health(),
            self.follower.health(t),
            self.guard.health(t),
            *self.stops.health(t),
            self.marker.health(t),
            *self.watch.reports(t),
            *self.simulation.reports(),
            Health("recorder", Level.OK, "there is none without ROS"),
        ]
