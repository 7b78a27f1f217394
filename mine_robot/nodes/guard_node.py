"""The last writer of ``cmd_vel``: lets a motion through only if it stays on safe or searched ground."""

from __future__ import annotations

from mine_robot.control.guard import Guard
from mine_robot.core.types import Health, MissionStatus, NavState, Twist2
from mine_robot.pipeline.loading import load_robot
from mine_robot.pipeline.parameters import GuardNodeParams
from mine_robot.pipeline.recall import recall
from mine_robot.pipeline.releases import Releases
from mine_robot.records.run_directory import RunDirectory
from mine_robot.ros import decode, encode
from mine_robot.ros.node import StackNode, existing_path
from mine_robot.ros.topics import CMD, CMD_RAW, LEDGER, MISSION_STATE, ODOMETRY, TARGETS


class GuardNode(StackNode[GuardNodeParams]):
    """Binds :class:`Guard` to its topics."""

    name = "guard"

    def __init__(self) -> None:
        super().__init__()
        robot = load_robot(existing_path(self.params.files.urdf, "urdf"))
        journal = RunDirectory(existing_path(self.params.files.run_directory, "run_directory")).journal
        self.guard = Guard(self.params, self.params.limits, robot)
        memory = recall(journal)
        self.guard.recall(memory.history, memory.released)
        self.releases = Releases(journal)
        self.state: NavState | None = None
        self.wanted: Twist2 | None = None
        self.decided_t = -1.0
        self.command = self.talk(CMD)
        self.poll(LEDGER, decode.ledger, self.guard.set_grid)
        self.poll(TARGETS, decode.targets, self.guard.set_targets)
        self.poll(MISSION_STATE, decode.mission_status, self.on_mission)
        self.listen(ODOMETRY, decode.odometry, self.on_odometry)
        self.listen(CMD_RAW, decode.twist, self.on_command)

    def on_mission(self, status: MissionStatus) -> None:
        """The mission's state, and the halos that people took back."""
        self.guard.set_mission(status)
        self.guard.release(self.releases.new(status))

    def on_odometry(self, state: NavState) -> None:
        """Keep the pose; decide if the command for it came first."""
        self.state = state
        self.decide_new()

    def on_command(self, command: Twist2) -> None:
        """Keep the command; decide if its pose is known."""
        self.wanted = command
        self.decide_new()

    def decide_new(self) -> None:
        """Decide on a command once, together with the pose it was computed for."""
        if self.wanted is None or self.state is None or not self.decided_t < self.wanted.t <= self.state.t:
            return
        self.decide(self.wanted.t)

    def tick(self, t: float) -> None:
        """Without fresh commands the guard still speaks: it stops the robot."""
        if self.wanted is None or t - self.wanted.t > self.params.command_age:
            self.decide(t)

    def decide(self, t: float) -> None:
        """One cycle of the guard."""
        self.decided_t = t
        self.command.publish(encode.twist(self.guard.update(t, self.state, self.wanted).twist))

    def health(self, t: float) -> tuple[Health, ...]:
        """What the guard did last, and why."""
        return (self.guard.health(t),)
