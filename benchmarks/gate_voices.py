"""Ears and mouths of the campaign of attacks: a node that hears every topic as bytes, and those who say what they should not.

A *stranger* is a foreign node in the same domain. An *insider* is a node of the stack that has gone bad. Run as a program this file is
``mine-robot`` whose simulated base obeys whoever commands it, as a real one does, and whose nodes, if the environment says so, also publish
whatever the campaign hands them, with their own publishers (:class:`Insider`).
"""

from __future__ import annotations

import contextlib
import os
import runpy
import socket
import struct
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.serialization import serialize_message
from rclpy.signals import SignalHandlerOptions
from std_srvs.srv import Trigger

from mine_robot.bringup.graph import GRAPH
from mine_robot.core.types import Twist2
from mine_robot.ros import decode
from mine_robot.ros.messages import message_class
from mine_robot.ros.qos import profile
from mine_robot.ros.topics import CLOCK, CMD, DIAGNOSTICS, TOPICS, Topic

MATCH_S = 8.0  # wall time, on a busy machine
INSIST_S, INSISTS = 0.2, 10  # wall time, and how often the same command comes in it: the guard says 8 at most
INSIDE = "GATE_INSIDE"  # environment variable: nodes obey the campaign
HISTORY = 600  # messages of each topic kept to be said again
INSIDERS = {DIAGNOSTICS: "follower", CLOCK: "simulator"}


class Ear:
    """Hears every topic as bytes; what a person does (services) goes through it too."""

    def __init__(self, name: str = "ear") -> None:
        self.context = Context()
        self.context.init()
        self.node = rclpy.create_node(name, context=self.context)
        self.heard: dict[Topic, deque[tuple[float, bytes]]] = {topic: deque(maxlen=HISTORY) for topic in TOPICS}
        self.counts = dict.fromkeys(TOPICS, 0)
        for topic in TOPICS:
            self.node.create_subscription(
                message_class(topic.type_name),
                topic.name,
                lambda data, topic=topic: self._take(topic, data),
                profile(topic.delivery, reader=True),
                raw=True,
            )
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def _spin(self) -> None:
        with contextlib.suppress(Exception):
            self._executor.spin()

    def _take(self, topic: Topic, data: bytes) -> None:
        self.counts[topic] += 1
        if len(data) < 1_000_000:
            self.heard[topic].append((time.monotonic(), data))

    def last(self, topic: Topic) -> bytes | None:
        """The newest message of a topic."""
        return self.heard[topic][-1][1] if self.heard[topic] else None

    def call(self, service: str, timeout: float = 5.0) -> str:
        """Call a service; its answer, empty if there is none."""
        client = self.node.create_client(Trigger, service)
        try:
            if not client.wait_for_service(timeout):
                return ""
            future, limit = client.call_async(Trigger.Request()), time.monotonic() + timeout
            while not future.done() and time.monotonic() < limit:
                time.sleep(0.01)
            return f"{future.result().success}: {future.result().message}" if future.done() else ""
        finally:
            self.node.destroy_client(client)

    def press(self) -> None:
        """A person presses every emergency stop there is, and waits for no answer."""
        for name, kinds in self.node.get_service_names_and_types():
            if name.endswith(("/estop", "/stop")) and "std_srvs/srv/Trigger" in kinds:
                client = self.node.create_client(Trigger, name)
                client.wait_for_service(0.5)
                client.call_async(Trigger.Request())

    def listeners(self, name: str) -> int:
        """How many listen to a topic."""
        return int(self.node.count_subscribers(name))

    def badge(self, name: str) -> Any:
        """The quality of service of a node's health reports: all that discovery tells of it but its id."""
        found = self.node.get_publishers_info_by_topic(DIAGNOSTICS.name)
        return next((info.qos_profile for info in found if info.node_name == name), None)

    def close(self) -> None:
        """Leave."""
        self._executor.shutdown(timeout_sec=1.0)
        self._thread.join(2.0)
        self.context.try_shutdown()


class Stranger:
    """A foreign node; its publishers come and go with each attack."""

    def __init__(self, name: str = "visitor", namespace: str = "", badge: Any = None) -> None:
        """``badge`` is a profile of quality of service that its own health reports copy, whatever it may tell of them."""
        self._context = Context()
        rclpy.init(context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        self._node = rclpy.create_node(name, namespace=namespace or None, context=self._context)
        self._voices: dict[Topic, Any] = {}
        if badge is not None:
            worn = profile(DIAGNOSTICS.delivery)
            worn.lifespan, worn.deadline = badge.lifespan, badge.deadline
            self._badge = self._node.create_publisher(message_class(DIAGNOSTICS.type_name), DIAGNOSTICS.name, worn)

    def prepare(self, topics: Iterable[Topic], listeners: Callable[[str], int]) -> None:
        """Come in, and wait until everybody who listens can hear; they may see who has come."""
        for topic in topics:
            self._voice(topic)
        limit = time.monotonic() + MATCH_S
        for topic, voice in self._voices.items():
            while voice.get_subscription_count() < listeners(topic.name) and time.monotonic() < limit:
                time.sleep(0.01)

    def _voice(self, topic: Topic) -> Any:
        if topic not in self._voices:
            kind = message_class(topic.type_name)
            self._voices[topic] = self._node.create_publisher(kind, topic.name, profile(topic.delivery))
        return self._voices[topic]

    def say(self, topic: Topic, message: Any) -> None:
        """Publish a message or its bytes."""
        self._voice(topic).publish(message)

    def close(self) -> None:
        """Vanish, with everything that was latched."""
        self._node.destroy_node()
        self._context.try_shutdown()


class Insider:
    """A node of the stack that says what the campaign tells it."""

    def __init__(self) -> None:
        self._links: dict[Topic, socket.socket] = {}

    def prepare(self, topics: Iterable[Topic], listeners: Callable[[str], int]) -> None:
        """An insider is in already."""

    def say(self, topic: Topic, message: Any) -> None:
        """Publish with the publisher that the topic's own node has."""
        if topic not in self._links:
            link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            link.settimeout(5.0)
            link.connect(address(insider_of(topic), topic))
            self._links[topic] = link
        data = message if isinstance(message, bytes) else serialize_message(message)
        with contextlib.suppress(OSError):  # the node has died of it
            self._links[topic].sendall(struct.pack("<Q", len(data)) + data)

    def close(self) -> None:
        """Let go."""
        for link in self._links.values():
            link.close()


def insider_of(topic: Topic) -> str:
    """The node that publishes a topic in a run without a console, empty if none does."""
    named = INSIDERS.get(topic, "")
    return named or next((node.name for node in GRAPH if topic in node.publishes and not node.optional), "")


def address(node: str, topic: Topic) -> str:
    """An abstract socket of this network namespace and domain."""
    return f"\0gate/{os.environ.get('ROS_DOMAIN_ID', '0')}/{node}/{topic.name.strip('/')}"


@contextlib.contextmanager
def mouth(kind: str, name: str = "visitor", namespace: str = "", badge: Any = None) -> Iterator[Stranger | Insider]:
    """Someone to speak for the time of an attack."""
    speaker = Insider() if kind == "insider" else Stranger(name, namespace, badge)
    try:
        yield speaker
    finally:
        speaker.close()


# --- the program ------------------------------------------------------------------------------------------------------
def _obey(node: str, topic: Topic, publisher: Any) -> None:
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    door.bind(address(node, topic))
    door.listen(1)
    while True:
        link, _ = door.accept()
        stream = link.makefile("rb")
        while len(head := stream.read(8)) == 8:
            data = stream.read(struct.unpack("<Q", head)[0])
            with contextlib.suppress(Exception):
                publisher.publish(data)


def _open_doors() -> None:
    """The publishers of this process's node obey the campaign too."""
    from mine_robot.ros.node import StackNode

    talk = StackNode.talk

    def talk_and_obey(self: Any, topic: Topic, *more: Any, **named: Any) -> Any:
        publisher = talk(self, topic, *more, **named)
        if insider_of(topic) == self.name:
            threading.Thread(target=_obey, args=(self.name, topic, publisher), daemon=True).start()
        return publisher

    StackNode.talk = talk_and_obey  # type: ignore[method-assign]


def _obedient_base() -> None:
    """The simulated base takes commands from whoever speaks, as a real one does, whatever the stack's nodes refuse.

    The world goes on with the guard's command of each step, so a stranger's counts by how often it is said: as a base would obey it
    nearly all of the time, it is obeyed if it was said far more often than the guard speaks.
    """
    from mine_robot.pipeline.simulation import Simulation

    heard: deque[tuple[float, Twist2]] = deque(maxlen=500)
    step = Simulation.step

    def step_as_told(self: Any, command: Twist2 | None, received: bytes) -> Any:
        since = time.monotonic() - INSIST_S
        said = Counter((twist.speed, twist.yaw_rate) for wall, twist in list(heard) if wall > since)
        (speed, rate), count = said.most_common(1)[0] if said else ((0.0, 0.0), 0)
        return step(self, Twist2(self.t, speed, rate) if count > INSISTS else command, received)

    def listen() -> None:
        context = Context()
        rclpy.init(context=context, signal_handler_options=SignalHandlerOptions.NO)
        base = rclpy.create_node("base", context=context)
        executor = SingleThreadedExecutor(context=context)
        executor.add_node(base)

        def take(message: Any) -> None:
            with contextlib.suppress(ValueError):
                heard.append((time.monotonic(), decode.twist(message)))

        base.create_subscription(message_class(CMD.type_name), CMD.name, take, profile(CMD.delivery, reader=True))
        executor.spin()

    Simulation.step = step_as_told  # type: ignore[method-assign]
    threading.Thread(target=listen, daemon=True).start()


def _node(words: list[str]) -> None:
    """This process is a node."""
    if os.environ.get(INSIDE):
        _open_doors()
    if words[0] == "simulator":
        _obedient_base()
    runpy.run_module("mine_robot.nodes", run_name="__main__", alter_sys=True)


def _run() -> None:
    """This process is ``mine-robot``: every node it starts is one of ours."""
    from mine_robot.bringup import cli
    from mine_robot.bringup.prepare import PreparedRun

    command = PreparedRun.command

    def ours(self: Any, node: Any) -> list[str]:
        words = command(self, node)
        at = words.index("-m")
        return [*words[:at], __file__, "node", *words[at + 1 :]]

    PreparedRun.command = ours  # type: ignore[method-assign]
    cli.main()


if __name__ == "__main__":
    if sys.argv[1:3] == ["node", "mine_robot.nodes"]:
        del sys.argv[1:3]
        _node(sys.argv[1:])
    else:
        _run()
