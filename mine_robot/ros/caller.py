"""Calls of the mission's services from another thread, on a node and an executor of their own.

So a call waits for nothing that the owner's node does, and an emergency stop has no queue before it.
"""

from __future__ import annotations

import atexit
import contextlib
import threading
from concurrent.futures import Future
from typing import Any

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from std_srvs.srv import Trigger

from mine_robot.ros.topics import ESTOP, GUARD_STOP, MARKER_STOP, SERVICES, STOPS

JOIN_S = 2.0
Answer = tuple[bool, str]


def twofold(node: Node, service: str) -> bool:
    """True if a call would reach several stacks; to stop all of them is never wrong."""
    return service != ESTOP and node.count_services(service) > 1


class ServiceCaller:
    """Clients of every service of the table beside ``owner``, in its namespace."""

    def __init__(self, owner: Node) -> None:
        # Without the arguments of the process: this node needs no clock and no parameters.
        self._node = rclpy.create_node(
            f"{owner.get_name()}_hand",
            namespace=owner.get_namespace(),
            context=owner.context,
            use_global_arguments=False,
            enable_rosout=False,
            start_parameter_services=False,
        )
        self._clients = {name: self._node.create_client(Trigger, name) for name in (*SERVICES, *STOPS)}
        self._executor = SingleThreadedExecutor(context=owner.context)
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._spin, name="service calls", daemon=True)
        self._thread.start()
        # An owner that is interrupted half made never closes it, and a thread within DDS would abort the process.
        atexit.register(self.close)

    def _spin(self) -> None:
        with contextlib.suppress(ExternalShutdownException):
            self._executor.spin()

    def call(self, service: str) -> Future[Answer]:
        """Call a service; the future gets success and message. It stays open as long as nobody answers: wait with a limit."""
        outcome: Future[Answer] = Future()
        outcome.set_running_or_notify_cancel()  # whoever stops waiting does not cancel it
        client = self._clients[service]
        if not client.service_is_ready():
            outcome.set_result((False, f"the {service.partition('/')[0]} does not answer: no such service"))
            return outcome

        if twofold(self._node, service):
            outcome.set_result((False, f"refused: more than one stack answers {service}"))
            return outcome

        def done(answer: Any) -> None:
            if answer.exception() is not None:
                outcome.set_result((False, f"the call failed: {answer.exception()}"))
            else:
                outcome.set_result((bool(answer.result().success), str(answer.result().message)))

        client.call_async(Trigger.Request()).add_done_callback(done)
        return outcome

    def stop(self) -> Future[Answer]:
        """Stop at guard, marker and mission at once; done as soon as the guard has answered, or, where there is none, the mission."""
        outcome: Future[Answer] = Future()
        outcome.set_running_or_notify_cancel()
        guard, mission, _ = (self.call(service) for service in (GUARD_STOP, ESTOP, MARKER_STOP))
        guard.add_done_callback(lambda done: _settle(outcome, done.result(), mission))
        return outcome

    def close(self) -> None:
        """Stop; open calls stay unanswered."""
        atexit.unregister(self.close)
        self._executor.shutdown(timeout_sec=1.0)
        self._thread.join(JOIN_S)
        self._node.destroy_node()


def _settle(outcome: Future[Answer], guard: Answer, mission: Future[Answer]) -> None:
    """The guard's answer is the answer if it stops the robot; otherwise the mission's, with a word on the guard."""
    if guard[0]:
        outcome.set_result(guard)
    else:
        mission.add_done_callback(
            lambda done: outcome.set_result((done.result()[0], f"{done.result()[1]} ({guard[1]})"))
        )
