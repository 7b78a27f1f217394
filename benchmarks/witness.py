"""A node beside the stack that sees what its topics say, in stack time, and may speak on them: for campaigns with real processes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions
from std_srvs.srv import Trigger

from mine_robot.core.types import Health, MissionState, MissionStatus, Twist2
from mine_robot.ros import decode, encode
from mine_robot.ros.messages import message_class
from mine_robot.ros.qos import profile
from mine_robot.ros.topics import CLOCK, CMD, DIAGNOSTICS, MISSION_STATE, Topic

STANDS = 1e-6


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
        self._voice = self._node.create_publisher(
            message_class(DIAGNOSTICS.type_name), DIAGNOSTICS.name, profile(DIAGNOSTICS.delivery)
        )
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._executor.spin)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown(timeout_sec=2.0)
        self._thread.join()
        self._node.destroy_node()
        rclpy.try_shutdown()

    def _hear(self, topic: Topic, callback: Callable[[Any], None]) -> None:
        kind = message_class(topic.type_name)
        self._node.create_subscription(kind, topic.name, callback, profile(topic.delivery, reader=True))

    def _on_clock(self, message: Any) -> None:
        self.t = message.clock.sec + message.clock.nanosec * 1e-9

    # --- speaking -----------------------------------------------------------------------------------------------------
    def report(self, reports: Iterable[Health]) -> None:
        """Say on ``/diagnostics`` how components are."""
        self._voice.publish(encode.diagnostics(self.t, tuple(reports)))

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
