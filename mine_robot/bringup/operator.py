"""The operator's seat: a ROS node that waits for the stack, starts the mission and follows it to its end.

The runner uses it in its own process; ``sim.launch.py`` runs it as one more process.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions
from std_srvs.srv import Trigger

from mine_robot.bringup.graph import GraphNode
from mine_robot.core.types import Health, MissionStatus
from mine_robot.ros import decode, encode
from mine_robot.ros.messages import message_class
from mine_robot.ros.qos import profile
from mine_robot.ros.topics import DIAGNOSTICS, ESTOP, GUARD_STOP, HEARTBEAT, MISSION_STATE, PROGRESS, STOPS, Topic

# The component whose health report shows that a node is usable.
READY_REPORT = {"planner": "coverage", "detector": "gpr"}
SPIN_S = 0.05
SERVICE_TIMEOUT_S = 5.0
READY_TIMEOUT_S = 90.0
SETTLE_S = 0.3  # wall time for the last discovery traffic before simulated time starts to run
LAST_WORDS_S = 0.7  # wall time for the log to catch the end of the mission
REFRESH_S = 0.25


@dataclass
class Picture:
    """The newest of everything the operator sees."""

    mission: MissionStatus | None = None
    remaining_s: float = 0.0
    health: dict[str, Health] = field(default_factory=dict)
    t: float = 0.0
    spoke: dict[str, float] = field(default_factory=dict)  # wall time of the newest report, by name


@dataclass(frozen=True)
class Ending:
    """How a run ended; an empty ``reason`` leaves the word to the journal, ``hurried`` leaves out the figures."""

    reason: str = ""
    hurried: bool = False


# Looks after the run between two looks at the mission: returns how the run ends, or None to go on.
Watch = Callable[[Picture], "Ending | None"]


class Operator:
    """Follows a mission over its topics, calls its services and, where no page does, is the operator's heartbeat.

    ``arguments`` are ROS arguments, by default those of the process.
    """

    def __init__(self, nodes: Iterable[GraphNode], arguments: list[str] | None = None) -> None:
        nodes = tuple(nodes)
        with_console = any(node.name == "console" for node in nodes)
        rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)  # Ctrl-C belongs to the runner
        self.picture = Picture()
        self._waited_for = {READY_REPORT.get(node.name, node.name): node.name for node in nodes if not node.optional}
        self._node = rclpy.create_node("operator")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        kind, qos = message_class(HEARTBEAT.type_name), profile(HEARTBEAT.delivery)
        # With a console the operator is at a page.
        self._heartbeat = None if with_console else self._node.create_publisher(kind, HEARTBEAT.name, qos)
        self._listen(MISSION_STATE, self._on_mission)
        self._listen(DIAGNOSTICS, self._on_diagnostics)
        self._listen(PROGRESS, self._on_progress)

    def _listen(self, topic: Topic, callback: Callable[[object], None]) -> None:
        kind = message_class(topic.type_name)
        self._node.create_subscription(kind, topic.name, callback, profile(topic.delivery, reader=True))

    def _on_mission(self, message: object) -> None:
        self.picture.mission = decode.mission_status(message)
        self.picture.t = max(self.picture.t, self.picture.mission.t)

    def _on_diagnostics(self, message: object) -> None:
        t, reports = decode.diagnostics(message)
        self.picture.t = max(self.picture.t, t)
        self.picture.health.update({report.name: report for report in reports})
        self.picture.spoke.update(dict.fromkeys((report.name for report in reports), time.monotonic()))

    def _on_progress(self, message: object) -> None:
        self.picture.remaining_s = decode.progress(message).remaining_s

    @property
    def namespace(self) -> str:
        """The namespace of the stack, "/" for none."""
        return str(self._node.get_namespace())

    @property
    def missing(self) -> list[str]:
        """Nodes that have not reported ready yet."""
        return sorted(name for report, name in self._waited_for.items() if report not in self.picture.health)

    def spin(self, seconds: float = SPIN_S) -> None:
        """Handle what arrives within ``seconds`` of wall time."""
        limit = time.monotonic() + seconds
        while (left := limit - time.monotonic()) > 0.0:
            self._executor.spin_once(timeout_sec=left)

    def call(self, service: str, timeout: float = SERVICE_TIMEOUT_S) -> tuple[bool, str]:
        """Call one of the mission's services; returns success and its message."""
        client = self._node.create_client(Trigger, service)
        limit = time.monotonic() + timeout
        try:
            while not client.service_is_ready():
                if time.monotonic() > limit:
                    return False, f"service {service} does not answer"
                self.spin(SPIN_S)
            future = client.call_async(Trigger.Request())
            while not future.done():
                if time.monotonic() > limit:
                    return False, f"service {service} does not answer"
                self.spin(SPIN_S)
            answer = future.result()
            return bool(answer.success), str(answer.message)
        finally:
            self._node.destroy_client(client)

    def conduct(self, show: Callable[[Picture], None], watch: Watch, *, start: bool = True) -> Ending:
        """Wait until every node is ready, start the mission (or leave that to a person at the console) and follow it to its end."""
        limit = time.monotonic() + READY_TIMEOUT_S
        while self.missing:
            self.spin(REFRESH_S)
            self._beat()
            if (ending := watch(self.picture)) is not None:
                return ending
            if time.monotonic() > limit:
                return Ending(f"not ready after {READY_TIMEOUT_S:.0f} s: {', '.join(self.missing)}")
        self.spin(SETTLE_S)
        if start:
            started, message = self.call("mission/start")
            if not started:
                return Ending(f"the mission did not start: {message}")
        while True:
            self.spin(REFRESH_S)
            self._beat()
            show(self.picture)
            if (ending := watch(self.picture)) is not None:
                return ending
            if self.picture.mission is not None and self.picture.mission.state.ended:
                self.spin(LAST_WORDS_S)
                return Ending()

    def _beat(self) -> None:
        """A heartbeat of this terminal."""
        if self._heartbeat is not None:
            self._heartbeat.publish(encode.heartbeat(self.picture.t))

    def stop_robot(self) -> None:
        """Make what is left of the stack stop the robot, and give it time to do so: every way of a stop at once, none waits for another."""
        clients = {name: self._node.create_client(Trigger, name) for name in (*STOPS, ESTOP)}
        asked: dict[str, Any] = {}
        limit = time.monotonic() + SERVICE_TIMEOUT_S
        while time.monotonic() < limit and not (GUARD_STOP in asked and asked[GUARD_STOP].done()):
            for name, client in clients.items():
                if name not in asked and client.service_is_ready():
                    asked[name] = client.call_async(Trigger.Request())
            self.spin(SPIN_S)
        self.spin(LAST_WORDS_S)

    def close(self) -> None:
        """Leave ROS."""
        self._executor.shutdown(timeout_sec=1.0)
        self._node.destroy_node()
        rclpy.try_shutdown()
