"""The simulator as a node: publishes the sensor topics and ``/clock``, takes ``cmd_vel``, keeps the truth to itself."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from rclpy.clock import Clock, ClockType

from mine_robot.core.types import Health, Level, SweepEvidence, Twist2
from mine_robot.gazebo.lockstep import LockStep
from mine_robot.gazebo.place import gazebo11
from mine_robot.gazebo.vehicle import GazeboVehicle, Server
from mine_robot.nodes.bridged_gazebo import BridgedGazebo
from mine_robot.pipeline.loading import load_field, load_robot, load_scenario
from mine_robot.pipeline.parameters import SimulatorNodeParams
from mine_robot.pipeline.pseudo_serial import PseudoSerial
from mine_robot.pipeline.simulation import Simulation, SimulationFiles
from mine_robot.records.run_directory import RunDirectory
from mine_robot.ros import decode, encode
from mine_robot.ros.node import StackNode, existing_path
from mine_robot.ros.topics import (
    CLOCK,
    CMD,
    DIAGNOSTICS,
    EVIDENCE,
    GNSS_FIX,
    GNSS_HEADING,
    GPR_SCAN,
    IMU,
    METAL_SCAN,
    WHEELS,
    Topic,
)
from mine_robot.sim.pacing import Pacer
from mine_robot.sim.world import SensorBatch, build_terrain

# How far each consumer may lag behind the world, s. A step uses the command of the step before, so the control loop works on one step
# while the world takes the next; the detector answers one step later. The others answer by their health report, which comes every 0.5 s
# at the latest.
COMMAND_DELAY_S = 0.05
LEADS_S = {"guard": 0.10, "detector": 0.15}
HEALTH_LEAD_S = 0.7
HEALTH_CONSUMERS = ("localization", "coverage", "follower", "mission", "marker", "recorder")
POLL_S = 0.02  # wall time; what paces a limited rate, and hears those who answer rarely
CLOCK_EVERY = 2  # steps
STANDING_RATE = (
    1.0  # while a mission waits for a person: who thinks is not to fill the disk with hours of simulated time
)
REPEAT_S = 1.0  # wall time after which the time is told again: who missed it, frozen, would be waited for in vain
LAST_S = 1.0  # for which time goes on without a world, so that the stack finds out and stops the robot


class SimulatorNode(StackNode[SimulatorNodeParams]):
    """Steps the world as fast as the stack follows, at most ``rate`` times real time."""

    name = "simulator"

    def __init__(self) -> None:
        super().__init__()
        params = self.params
        field = load_field(existing_path(params.files.field, "field"))
        robot = load_robot(existing_path(params.files.urdf, "urdf"))
        scenario = load_scenario(Path(params.scenario) if params.scenario else None, field, params.seed)
        self.gazebo = None if params.motion == "builtin" else GazeboVehicle(self._server(), build_terrain(scenario))
        self.simulation = Simulation(scenario, field, robot, params, self.gazebo)
        self.files = SimulationFiles(existing_path(params.files.run_directory, "run_directory"), self.simulation)
        self.port = PseudoSerial(Path(params.marker_port)) if params.marker_port else None
        self.pacer = Pacer({**LEADS_S, **dict.fromkeys(HEALTH_CONSUMERS, HEALTH_LEAD_S)}, params.patience)
        self.steps = 0
        self.heard_nodes: set[str] = set()
        self.commands: list[Twist2] = []
        self.earliest_wall = self.told_wall = 0.0
        self.loss: tuple[float, ConnectionError] | None = None
        self.unsaved = ""
        self.mission_waits = False
        self.outputs = {
            topic: self.talk(topic) for topic in (CLOCK, IMU, GNSS_FIX, GNSS_HEADING, WHEELS, GPR_SCAN, METAL_SCAN)
        }
        self.poll(DIAGNOSTICS, decode.diagnostics, self.on_diagnostics)
        self.listen(EVIDENCE, decode.evidence, self.on_evidence)
        self.listen(CMD, decode.twist, self.on_command)
        self.create_timer(POLL_S, self.advance, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _server(self) -> Server:
        """Gazebo with the world that the runner wrote: Gazebo 11 as a child of this process, or Gazebo Sim behind its bridge."""
        if self.params.motion == "harmonic":
            return BridgedGazebo(self.get_namespace())
        run = RunDirectory(existing_path(self.params.files.run_directory, "run_directory"))
        return LockStep(gazebo11(), run.gazebo_world, run.node_logs / "gzserver.log")

    # --- what the stack answers ---------------------------------------------------------------------------------------
    def on_diagnostics(self, message: tuple[float, tuple[Health, ...]]) -> None:
        """Health reports: a node is there, and how far it has come."""
        t, reports = message
        for report in reports:
            self.heard_nodes.add(report.name)
            if report.name == "mission":
                self.mission_waits = report.values.get("waits") == "yes"
            if report.name in HEALTH_CONSUMERS:
                self.pacer.hear(report.name, t)

    def on_evidence(self, records: list[SweepEvidence]) -> None:
        """The detector has come this far."""
        self.pacer.hear("detector", records[-1].t)
        self.advance()

    def on_command(self, command: Twist2) -> None:
        """The guard has come this far."""
        self.commands.append(command)
        self.pacer.hear("guard", command.t)
        self.advance()

    # --- the world ----------------------------------------------------------------------------------------------------
    def advance(self) -> None:
        """Take the next step if the stack and the rate allow it."""
        self.take_polled()
        if not {"guard", "gpr", *HEALTH_CONSUMERS} <= self.heard_nodes:
            return
        wall = time.monotonic()
        if self.loss is not None:
            self.end(*self.loss, wall)
            return
        t = self.simulation.t + self.simulation.step_s
        if wall < self.earliest_wall or self.pacer.waits_for(t, wall):
            if wall - self.told_wall > REPEAT_S:
                self.tell_time(self.simulation.t)
            return
        rate = self.params.rate if self.pacer.all_flow else 1.0
        if self.mission_waits:
            rate = min(rate or STANDING_RATE, STANDING_RATE)
        if rate > 0.0:
            # From the step's own due time, so that the pace holds on average; after a stall nothing is made up for.
            self.earliest_wall = max(self.earliest_wall + self.simulation.step_s / rate, wall)
        try:
            self.step()
        except ConnectionError as error:  # Gazebo is gone
            self.loss = (time.monotonic(), error)

    def end(self, since: float, error: ConnectionError, wall: float) -> None:
        """Let time go on, in real time, without sensors; then end with the error."""
        lost_s = wall - since
        self.tell_time(self.simulation.t + lost_s)
        if lost_s > LAST_S:
            raise error

    def tell_time(self, t: float) -> None:
        """Publish the clock."""
        self.outputs[CLOCK].publish(encode.clock(t))
        self.told_wall = time.monotonic()

    def step(self) -> None:
        """One step of the world: the command of one step ago acts, then every sensor speaks, then the clock."""
        usable = [command for command in self.commands if command.t <= self.simulation.t - COMMAND_DELAY_S + 1e-6]
        if usable:
            self.commands = self.commands[len(usable) - 1 :]
        received = self.port.read() if self.port else b""
        batch, to_marker = self.simulation.step(usable[-1] if usable else None, received)
        self.steps += 1
        for topic, message in messages(batch):
            self.outputs[topic].publish(message)
        if self.steps % CLOCK_EVERY == 0:
            self.tell_time(batch.t)
        # Before the stack can hear of a pulse: what it knows has happened in the world of a resumed run too.
        if self.save() and self.port and to_marker:
            self.port.write(to_marker)

    def save(self) -> bool:
        """Write the truth; a full disk is the stack's trouble, not the end of the world."""
        try:
            self.files.record()
        except OSError as error:
            self.unsaved = f"the world cannot be saved: {error.strerror or error}"
            return False
        self.unsaved = ""
        return True

    def destroy_node(self) -> None:
        """Write what is left of the truth."""
        self.files.close()
        if self.port:
            self.port.close()
        if self.gazebo:
            self.gazebo.close()
        super().destroy_node()

    def health(self, t: float) -> tuple[Health, ...]:
        """The world and what it waits for."""
        left = ", ".join(sorted(self.pacer.left_behind))
        level, words = Level.OK, "simulating"
        if left:
            level, words = Level.WARN, f"no answer from {left}: simulated time goes on without"
        if self.unsaved:
            level, words = Level.WARN, self.unsaved
        return (Health("simulator", level, words), *self.simulation.reports())


def messages(batch: SensorBatch) -> list[tuple[Topic, Any]]:
    """A step's messages, all of them encoded before the first is sent.

    The IMU comes last and in one burst: it wakes the localisation, which then finds everything of this step waiting.
    """
    found: list[tuple[Topic, Any]] = [(WHEELS, encode.wheels(sample)) for sample in batch.wheels]
    found += [(GNSS_FIX, encode.fix(fix)) for fix in batch.fixes]
    found += [(GNSS_HEADING, encode.heading(heading)) for heading in batch.headings]
    if batch.metal is not None:
        found.append((METAL_SCAN, encode.metal(batch.metal)))
    if batch.gpr is not None:
        found.append((GPR_SCAN, encode.gpr(batch.gpr)))
    return found + [(IMU, encode.imu(sample)) for sample in batch.imu]
