"""A node beside the stack that sees what its topics say, in stack time, and may speak on them: for campaigns with real processes."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions
from std_srvs.srv import Trigger

from mine_robot.bringup.prepare import recorded_number
from mine_robot.core.types import Cell, Health, LedgerGrid, MissionState, MissionStatus, NavState, Twist2
from mine_robot.records.run_directory import RunDirectory
from mine_robot.ros import decode, encode
from mine_robot.ros.messages import message_class
from mine_robot.ros.publishers import badge
from mine_robot.ros.qos import profile
from mine_robot.ros.topics import CLOCK, CMD, DIAGNOSTICS, LEDGER, MISSION_STATE, ODOMETRY, PUBLISHER, Topic

STANDS = 1e-6
WRONG_M = 0.3
MATCHED_S = 2.0


def stands(command: Twist2) -> bool:
    """A command to stand?"""
    return abs(command.speed) + abs(command.yaw_rate) < STANDS


class Witness:
    """Use it as a context manager; everything it heard is in its lists, in the order of arrival."""

    def __enter__(self) -> Witness:
        self.t = 0.0
        self.commands: list[Twist2] = []
        self.statuses: list[MissionStatus] = []
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
        self._node = rclpy.create_node("witness")
        self._hear(CLOCK, self._on_clock)
        self._hear(CMD, lambda message: self.commands.append(decode.twist(message)))
        self._hear(MISSION_STATE, lambda message: self.statuses.append(decode.mission_status(message)))
        self.pose: NavState | None = None
        self.ledger: LedgerGrid | None = None
        self._hear(ODOMETRY, self._on_odometry)
        self._hear(LEDGER, self._on_ledger)
        self.run: Path | None = None  # directory of the run, for a witness that speaks
        self._nodes = [self._node]
        self._voices: dict[Topic, Any] = {}
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._executor.spin)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown(timeout_sec=2.0)
        self._thread.join()
        for node in self._nodes:
            node.destroy_node()
        rclpy.try_shutdown()

    def _hear(self, topic: Topic, callback: Callable[[Any], None]) -> None:
        kind = message_class(topic.type_name)
        self._node.create_subscription(kind, topic.name, callback, profile(topic.delivery, reader=True))

    def _say(self, topic: Topic, message: Any) -> None:
        """Publish as the node of the run that may: under its name, with the number of the run; a stranger would not be heard."""
        if topic not in self._voices:
            assert self.run is not None
            if not self._voices:
                worn = profile(DIAGNOSTICS.delivery)
                worn.lifespan = badge(recorded_number(RunDirectory(self.run)))
                kind = message_class(DIAGNOSTICS.type_name)
                self._voices[DIAGNOSTICS] = self._node.create_publisher(kind, DIAGNOSTICS.name, worn)
            if topic is not DIAGNOSTICS:
                self._nodes.append(rclpy.create_node(PUBLISHER[topic], start_parameter_services=False))
                kind = message_class(topic.type_name)
                self._voices[topic] = self._nodes[-1].create_publisher(kind, topic.name, profile(topic.delivery))
            limit = time.monotonic() + MATCHED_S
            while not self._voices[topic].get_subscription_count() and time.monotonic() < limit:
                time.sleep(0.01)
        self._voices[topic].publish(message)

    def _on_clock(self, message: Any) -> None:
        self.t = message.clock.sec + message.clock.nanosec * 1e-9

    def _on_odometry(self, message: Any) -> None:
        self.pose = decode.odometry(message)

    def _on_ledger(self, message: Any) -> None:
        self.ledger = decode.ledger(message)

    # --- speaking -----------------------------------------------------------------------------------------------------
    def report(self, reports: Iterable[Health]) -> None:
        """Say on ``/diagnostics`` how components are."""
        self._say(DIAGNOSTICS, encode.diagnostics(self.t, tuple(reports)))

    def wrong_pose(self) -> None:
        """Publish one pose that is :data:`WRONG_M` to the left of where the robot is."""
        assert self.pose is not None
        x, y = self.pose.pose.to_map(np.array([0.0, WRONG_M]))
        position = np.array([x, y, self.pose.position[2]])
        self._say(ODOMETRY, encode.odometry(replace(self.pose, t=self.pose.t + 1e-3, position=position)))

    def false_ledger(self) -> None:
        """Publish a ledger in which nothing is searched and nothing safe."""
        assert self.ledger is not None
        cells = np.full_like(self.ledger.cells, Cell.PENDING)
        self._say(LEDGER, encode.ledger(replace(self.ledger, t=self.t, cells=cells)))

    @contextlib.contextmanager
    def stranger(self, topic: Topic) -> Iterator[None]:
        """Somebody else's process that publishes ``topic``, as far as DDS can tell; it need not say anything."""
        context = rclpy.Context()
        rclpy.init(context=context, signal_handler_options=SignalHandlerOptions.NO)
        node = rclpy.create_node("stranger", context=context, start_parameter_services=False)
        node.create_publisher(message_class(topic.type_name), topic.name, profile(topic.delivery))
        try:
            yield
        finally:
            node.destroy_node()
            context.try_shutdown()

    def foreign_command(self, speed: float) -> None:
        """Publish a command to the base, m/s; until then there is no other publisher."""
        if CMD not in self._voices:
            self._voices[CMD] = self._voice(CMD)
        self._voices[CMD].publish(encode.twist(Twist2(self.t, speed, 0.0)))

    def call(self, service: str, timeout: float = 10.0) -> bool:
        """Call one of the mission's services."""
        client = self._node.create_client(Trigger, service)
        try:
            if not client.wait_for_service(timeout):
                return False
            future, limit = client.call_async(Trigger.Request()), time.monotonic() + timeout
            while not future.done() and time.monotonic() < limit:
                time.sleep(0.02)
            return bool(future.done() and future.result().success)
        finally:
            self._node.destroy_client(client)

    # --- what was seen ------------------------------------------------------------------------------------------------
    @property
    def state(self) -> MissionState | None:
        """State of the mission."""
        return self.statuses[-1].state if self.statuses else None

    @property
    def reason(self) -> str:
        """Why the mission is in its state."""
        return self.statuses[-1].reason if self.statuses else ""

    @property
    def speed(self) -> float:
        """Newest commanded speed, m/s."""
        return self.commands[-1].speed if self.commands else 0.0

    def wait(self, what: Callable[[], bool], wall_s: float) -> bool:
        """Wait until something is the case; False after so much wall time."""
        limit = time.monotonic() + wall_s
        while not what():
            if time.monotonic() > limit:
                return False
            time.sleep(0.01)
        return True
