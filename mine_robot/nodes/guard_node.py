"""The last writer of ``cmd_vel``: lets a motion through only if it stays on safe or searched ground and nobody has stopped the robot."""

from __future__ import annotations

import contextlib

from rclpy.serialization import serialize_message
from std_srvs.srv import Trigger

from mine_robot.control.foreign import OwnCommands
from mine_robot.control.guard import Guard
from mine_robot.control.stops import Stops
from mine_robot.core.types import Health, MissionStatus, NavState, Twist2
from mine_robot.pipeline.loading import load_robot
from mine_robot.pipeline.parameters import GuardNodeParams
from mine_robot.pipeline.recall import recall
from mine_robot.pipeline.releases import Releases
from mine_robot.records.run_directory import RunDirectory
from mine_robot.ros import decode, encode
from mine_robot.ros.node import StackNode, existing_path
from mine_robot.ros.topics import (
    CMD,
    CMD_RAW,
    GUARD_STOP,
    HEARTBEAT,
    LEDGER,
    MISSION_STATE,
    ODOMETRY,
    SIREN,
    TARGETS,
    WHEELS,
)
from mine_robot.ros.wire import deserialiser


class GuardNode(StackNode[GuardNodeParams]):
    """Binds :class:`Guard` and :class:`Stops` to their topics."""

    name = "guard"

    def __init__(self) -> None:
        super().__init__()
        robot = load_robot(existing_path(self.params.files.urdf, "urdf"))
        journal = RunDirectory(existing_path(self.params.files.run_directory, "run_directory")).journal
        self.guard = Guard(self.params, self.params.limits, robot)
        memory = recall(journal)
        self.guard.recall(memory.history, memory.released)
        self.releases = Releases(journal)
        self.stops = Stops(self.params, self.params.limits, robot)
        self.own = OwnCommands()
        self.state: NavState | None = None
        self.wanted: Twist2 | None = None
        self.decided_t = -1.0
        self.command = self.talk(CMD)
        self.siren = self.talk(SIREN)
        self.sounds: bool | None = None
        self.contested = False
        self.poll(LEDGER, decode.ledger, self.guard.set_grid)
        self.poll(TARGETS, decode.targets, self.guard.set_targets)
        self.poll(MISSION_STATE, decode.mission_status, self.on_mission)
        self.poll(WHEELS, decode.wheels, self.stops.add_wheels)
        self.overhear(CMD, self.on_heard)
        self.poll(HEARTBEAT, decode.heartbeat, self.stops.set_operator, ticks=True)
        self.listen(ODOMETRY, decode.odometry, self.on_odometry)
        self.listen(CMD_RAW, decode.twist, self.on_command)
        self.create_service(Trigger, GUARD_STOP, self.on_stop)

    # --- inputs -------------------------------------------------------------------------------------------------------
    def on_mission(self, status: MissionStatus) -> None:
        """Whether the robot may drive, whether a person has resumed after a stop, and which halos people took back."""
        self.guard.set_mission(status)
        self.guard.release(self.releases.new(status))
        self.stops.set_mission(status)

    def on_heard(self, data: bytes) -> None:
        """What the base hears: a command that is not of this node is an alarm."""
        if not self.own.foreign(data):
            return
        command = None
        with contextlib.suppress(decode.DecodeError):
            command = decode.twist(deserialiser(CMD.type_name)(data))
        self.stops.add_foreign(self.now, command, self.others)
        self.contested = True

    def others(self) -> list[str]:
        """Nodes that publish commands to the base, beside this one; another of the same name counts."""
        topic = self.resolve_topic_name(CMD.name)
        names = sorted(
            f"{info.node_namespace.rstrip('/')}/{info.node_name}" for info in self.get_publishers_info_by_topic(topic)
        )
        with contextlib.suppress(ValueError):
            names.remove(self.get_fully_qualified_name())
        return names

    def on_stop(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Stand at once, whether or not the mission can be asked."""
        self.stops.stop(self.now)
        self.decide(self.now)
        response.success, response.message = True, "the guard has told the robot to stand"
        return response

    def on_odometry(self, state: NavState) -> None:
        """Keep the pose; decide if the command for it came first."""
        self.state = state
        self.stops.add_nav(state)
        self.decide_new()

    def on_command(self, command: Twist2) -> None:
        """Keep the command; decide if its pose is known."""
        self.wanted = command
        self.decide_new()

    # --- output -------------------------------------------------------------------------------------------------------
    def decide_new(self) -> None:
        """Decide on a command once, together with the pose it was computed for."""
        if self.wanted is None or self.state is None or not self.decided_t < self.wanted.t <= self.state.t:
            return
        self.decide(self.wanted.t)

    def tick(self, t: float) -> None:
        """Without fresh commands the guard still speaks: it stops the robot. After a stranger's command it does so at once."""
        if self.contested or self.wanted is None or t - self.wanted.t > self.params.command_age:
            self.contested = False
            self.decide(t)

    def decide(self, t: float) -> None:
        """One cycle of the guard."""
        self.decided_t = t
        decision = self.stops.pass_on(t, self.guard.update(t, self.state, self.wanted))
        data = serialize_message(encode.twist(decision.twist))
        self.own.sent(data)
        self.command.publish(data)
        if self.stops.siren is not self.sounds:
            self.sounds = self.stops.siren
            self.siren.publish(encode.siren(self.sounds))

    def health(self, t: float) -> tuple[Health, ...]:
        """What the guard did last, and why; what holds the robot."""
        return (self.guard.health(t), *self.stops.health(t))
