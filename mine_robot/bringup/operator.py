"""The operator's seat: a ROS node that waits for the stack, starts the mission and follows it to its end.

The runner uses it in its own process; ``sim.launch.py`` runs it as one more process.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.logging import LoggingSeverity
from rclpy.publisher import Publisher
from rclpy.signals import SignalHandlerOptions
from std_srvs.srv import Trigger

from mine_robot.bringup.graph import GraphNode
from mine_robot.core.types import Health, Level, MissionState, MissionStatus, Progress
from mine_robot.mission.reactions import READINESS
from mine_robot.mission.strangers import COMPONENT as STRANGERS
from mine_robot.ros import decode, encode
from mine_robot.ros.caller import twofold
from mine_robot.ros.gate import QUEUE
from mine_robot.ros.messages import message_class
from mine_robot.ros.publishers import Gate, badge
from mine_robot.ros.qos import profile
from mine_robot.ros.reader import Polled, Reader
from mine_robot.ros.refusals import Refusals
from mine_robot.ros.topics import DIAGNOSTICS, ESTOP, GUARD_STOP, HEARTBEAT, MISSION_STATE, PROGRESS, STOPS, Topic
from mine_robot.ros.wire import deserialiser

# The component whose health report shows that a node is usable.
READY_REPORT = {"planner": "coverage", "detector": "gpr"}
SPIN_S = 0.05
POLL_S = 0.1  # wall time between two looks at what has come
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
    """How a run ended; an empty ``reason`` leaves the word to the journal, ``hurried`` leaves out the figures.

    ``refused``: it never began, because somebody else is on its topics.
    """

    reason: str = ""
    hurried: bool = False
    refused: bool = False


# Looks after the run between two looks at the mission: returns how the run ends, or None to go on.
Watch = Callable[[Picture], "Ending | None"]


class Operator:
    """Follows a mission over its topics, calls its services and, where no page does, is the operator's heartbeat.

    ``number`` is that of its run: nobody else is heard. ``arguments`` are ROS arguments, by default those of the process.
    """

    def __init__(self, nodes: Iterable[GraphNode], arguments: list[str] | None = None, *, number: int) -> None:
        nodes = tuple(nodes)
        with_console = any(node.name == "console" for node in nodes)
        rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)  # Ctrl-C belongs to the runner
        self.picture, self.refusals = Picture(), Refusals()
        self._waited_for = {READY_REPORT.get(node.name, node.name): node.name for node in nodes if not node.optional}
        self._node = rclpy.create_node("operator")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self._node.get_logger().set_level(LoggingSeverity.ERROR)  # the mission says whom the stack refuses
        self._gate = Gate(self._node, number, simulation=False)
        self._polled, self._drains = Polled(), list[Callable[[], None]]()
        # With a console the operator is at a page.
        self._heartbeat = None if with_console else self._advertise_heartbeat(number)
        self._listen(MISSION_STATE, decode.mission_status, self._on_mission)
        self._listen(DIAGNOSTICS, decode.diagnostics, self._on_diagnostics)
        self._listen(PROGRESS, decode.progress, self._on_progress)

    def _listen(self, topic: Topic, decoder: Callable[[Any], Any], callback: Callable[[Any], None]) -> None:
        """Like a node of the stack, so that no message ends the runner: what is no message is refused, and nobody else is heard."""
        kind, qos = message_class(topic.type_name), profile(topic.delivery, reader=True)
        subscription = self._node.create_subscription(
            kind, topic.name, lambda data: None, qos, callback_group=self._polled, raw=True
        )
        reader, take = Reader(subscription), self._taker(topic, decoder, callback)

        def drain() -> None:
            for data, gid in islice(iter(reader.take, None), QUEUE):
                if self._gate.lets_in(topic, gid) and self._gate.owners.ours(self._gate.publisher(gid)):
                    take(data)

        self._drains.append(drain)

    def _taker(
        self, topic: Topic, decoder: Callable[[Any], Any], callback: Callable[[Any], None]
    ) -> Callable[[bytes], None]:
        """What happens to the bytes of a message."""
        read = deserialiser(topic.type_name)

        def take(data: bytes) -> None:
            try:
                content = decoder(read(data))
            except decode.DecodeError as error:
                self.refusals.note(topic.name, str(error))
                return
            callback(content)

        return take

    def _on_mission(self, status: MissionStatus) -> None:
        self.picture.mission = status
        self.picture.t = max(self.picture.t, status.t)

    def _on_diagnostics(self, message: tuple[float, tuple[Health, ...]]) -> None:
        t, reports = message
        self.picture.t = max(self.picture.t, t)
        self.picture.health.update({report.name: report for report in reports})
        self.picture.spoke.update(dict.fromkeys((report.name for report in reports), time.monotonic()))

    def _on_progress(self, progress: Progress) -> None:
        self.picture.remaining_s = progress.remaining_s

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
            self._executor.spin_once(timeout_sec=min(left, POLL_S))
            for drain in self._drains:
                drain()

    def call(self, service: str, timeout: float = SERVICE_TIMEOUT_S) -> tuple[bool, str]:
        """Call one of the mission's services; returns success and its message."""
        client = self._node.create_client(Trigger, service)
        limit = time.monotonic() + timeout
        try:
            if twofold(self._node, service):
                return False, f"more than one stack answers {service}"
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
            if (ending := watch(self.picture) or self._refused()) is not None:
                return ending
            if time.monotonic() > limit:
                return Ending(f"not ready after {READY_TIMEOUT_S:.0f} s: {', '.join(self.missing)}")
        self.spin(SETTLE_S)
        if (ending := self._refused()) is not None:
            return ending
        if start and (ending := self._start(show, watch)) is not None:
            return ending
        while True:
            self.spin(REFRESH_S)
            self._beat()
            show(self.picture)
            if (ending := watch(self.picture)) is not None:
                return ending
            if self.picture.mission is not None and self.picture.mission.state.ended:
                self.spin(LAST_WORDS_S)
                return Ending()

    def _refused(self) -> Ending | None:
        """The end of a run that finds somebody else on its topics before it has begun."""
        report = self.picture.health.get(STRANGERS)
        return None if report is None or report.level is Level.OK else Ending(report.message, refused=True)

    def _start(self, show: Callable[[Picture], None], watch: Watch) -> Ending | None:
        """Start the mission once everything that it needs reports; returns how the run ended before that, or None."""
        while self.picture.mission is None or self.picture.mission.state is MissionState.IDLE:
            readiness = self.picture.health.get(READINESS)
            if readiness is not None and readiness.level < Level.ERROR and self.call("mission/start")[0]:
                return None
            self.spin(SPIN_S)
            self._beat()
            show(self.picture)
            if (ending := watch(self.picture) or self._refused()) is not None:
                return ending
        return None

    def _advertise_heartbeat(self, number: int) -> Publisher:
        """A publisher of heartbeats; its node shows by its health, which says nothing, which run it belongs to."""
        health_qos = profile(DIAGNOSTICS.delivery)
        health_qos.lifespan = badge(number)
        self._node.create_publisher(message_class(DIAGNOSTICS.type_name), DIAGNOSTICS.name, health_qos)
        return self._node.create_publisher(
            message_class(HEARTBEAT.type_name), HEARTBEAT.name, profile(HEARTBEAT.delivery)
        )

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
