"""The base of every node: parameters from their dataclass, topics from the table, health, readiness and a clean end.

A node converts, calls its core object and publishes. In Python waking up costs more than the work (see docs/architecture.md, "What a
message costs"): only the inputs that a node must answer at once wake it (``listen``), one wake-up takes every message that waits, and
the other inputs are taken along (``poll``).
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Generic, TypeVar

import rclpy
from rclpy.clock import Clock, ClockType
from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from rclpy.subscription import Subscription

from mine_robot.core.parameters import ParameterError
from mine_robot.core.types import Health
from mine_robot.pipeline.parameters import NODE_PARAMETERS
from mine_robot.ros import encode
from mine_robot.ros.declare import declare_parameters
from mine_robot.ros.ending import end_on_signals
from mine_robot.ros.executor import SteadyExecutor
from mine_robot.ros.gate import QUEUE
from mine_robot.ros.intake import REFUSED, Decode, Intake
from mine_robot.ros.messages import message_class
from mine_robot.ros.owners import Publisher as Speaker
from mine_robot.ros.publishers import Gate, badge
from mine_robot.ros.qos import OVERRIDABLE, overriding, profile
from mine_robot.ros.reader import Polled, Reader
from mine_robot.ros.refusals import Refusals
from mine_robot.ros.topics import DIAGNOSTICS, Delivery, Topic
from mine_robot.ros.vitals import Vitals

P = TypeVar("P")
READY_POLL_S = 0.05  # wall time between looks at whether the inputs are matched
GC_THRESHOLD = 10_000  # allocations between collections of the young
REFUSED_FROM = "refused from "  # before the topic, in the values of a node's health
TICK_S = 0.1  # on the clock of the stack
HEARTBEAT_S = 0.5  # health is published at least this often, and at once when it changes
CLOCK_BACK_S = 1.0  # beyond which a clock that runs back is no correction: silence would look like news for as long
CLOCK_AHEAD_S = 600.0  # no node sleeps so long between two ticks: every timeout would end at once


# rclpy's default event callbacks add two waitables an endpoint, which every wake-up pays for; readers of sensors are best effort, hence
# compatible with any driver, and the rest of the table matches itself.
NO_PUBLISHER_EVENTS = PublisherEventCallbacks(use_default_callbacks=False)
NO_SUBSCRIPTION_EVENTS = SubscriptionEventCallbacks(use_default_callbacks=False)


class ClockSet(RuntimeError):
    """Nothing that was noted with a time can be compared with now any more."""


class StackNode(Node, Generic[P]):
    """A node of the stack. Subclasses set ``name`` and wire topics in ``__init__``; ``health`` says how they are."""

    name: str

    def __init__(self) -> None:
        super().__init__(self.name, automatically_declare_parameters_from_overrides=False)
        self.params: P = declare_parameters(self, NODE_PARAMETERS[self.name])
        simulated = bool(self.get_parameter("use_sim_time").value)
        self.gate = Gate(self, self.params.files.run, simulation=simulated)
        self._speaker = b""  # id of the publisher of the message that is handled
        self.wakers: dict[Subscription, Callable[[], None]] = {}
        self._inputs: list[tuple[Topic, Subscription]] = []
        self._polled: list[Callable[[], None]] = []
        self._ticked: list[Callable[[], None]] = []  # those of them that are taken with the ticks only
        self._polled_group = Polled()
        self._kept: list[Callable[[], None]] = []  # hand over what waited for its time
        self.refusals = Refusals(self.get_logger().warning)
        self._vitals = Vitals()
        self._health_publisher = self.talk(DIAGNOSTICS)
        self._said: list[tuple[str, int, str]] = []
        self._said_t = -1.0
        self._tick_t = float("-inf")
        # A timer on a clock that is set back sleeps for as long: only simulated time, which may run fast, paces the ticks itself.
        self.create_timer(TICK_S, self._on_tick, clock=None if simulated else Clock(clock_type=ClockType.STEADY_TIME))
        # Readiness is about processes, not about the mission: it is polled on the steady clock, before simulated time runs.
        self._ready_timer = self.create_timer(
            READY_POLL_S, self._poll_ready, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )

    # --- topics -------------------------------------------------------------------------------------------------------
    def talk(self, topic: Topic) -> Publisher:
        """A publisher on a topic of the table; that of health, every node's first, shows which run the node belongs to."""
        kind, qos = message_class(topic.type_name), profile(topic.delivery)
        if topic is DIAGNOSTICS:
            qos.lifespan = badge(self.params.files.run)
        with overriding(topic):
            return self.create_publisher(
                kind, topic.name, qos, event_callbacks=NO_PUBLISHER_EVENTS, qos_overriding_options=OVERRIDABLE
            )

    def listen(self, topic: Topic, decode: Decode, callback: Callable[[Any], None]) -> None:
        """Subscribe to a topic of the table; its messages wake the node and ``callback`` gets the content of each.

        A message that :mod:`mine_robot.ros.gate` does not permit is refused, counted, and shows in the node's health.
        """

        def wake() -> None:
            self.take_polled()
            for data, gid in self._waiting(topic, reader):
                self._speaker = gid
                handle(data)

        handle = self._handler(topic, decode, callback)
        subscription = self._subscribe(topic)
        reader = Reader(subscription)
        self.wakers[subscription] = wake

    def poll(
        self,
        topic: Topic,
        decode: Decode,
        callback: Callable[[Any], None],
        *,
        newest: bool = False,
        ticks: bool = False,
    ) -> Callable[[], None]:
        """Subscribe to a topic whose messages need not wake the node: they are taken before every wake-up and tick.

        With ``ticks`` they are taken before ticks only, which costs less where a node wakes up often; with ``newest`` only the last message
        that waits is decoded. The function returned ends the subscription; no callback of a topic may call it.
        """

        def drain() -> None:
            waiting = self._waiting(topic, reader)
            if newest and len(waiting) > 1:
                self._vitals.heard(topic.name, len(waiting) - 1)
            for data, gid in waiting[-1:] if newest else waiting:
                self._speaker = gid
                handle(data)

        handle = self._handler(topic, decode, callback)

        def end() -> None:
            drains.remove(drain)
            self._inputs.remove((topic, subscription))
            self.destroy_subscription(subscription)

        subscription = self._subscribe(topic)
        reader = Reader(subscription)
        drains = self._ticked if ticks else self._polled
        drains.append(drain)
        return end

    def overhear(self, topic: Topic, callback: Callable[[bytes], None]) -> None:
        """Hear with the ticks whatever anybody publishes on ``topic``, best effort, unchecked."""

        def drain() -> None:
            for data, _ in islice(iter(reader.take, None), QUEUE):
                callback(data)

        reader = Reader(self._subscribe(topic, best_effort=True))
        self._ticked.append(drain)

    def take_polled(self) -> None:
        """Take what waits on the polled topics, in the order in which they were declared."""
        for hand_over in self._kept:
            hand_over()
        for drain in self._polled:
            drain()

    def _subscribe(self, topic: Topic, *, best_effort: bool = False) -> Subscription:
        """A subscription to serialised messages (see :mod:`mine_robot.ros.wire`)."""
        qos = profile(topic.delivery, reader=True)
        if best_effort:
            qos.reliability = ReliabilityPolicy.BEST_EFFORT
        with overriding(topic):
            subscription = self.create_subscription(
                message_class(topic.type_name),
                topic.name,
                lambda data: None,
                qos,
                callback_group=self._polled_group,
                event_callbacks=NO_SUBSCRIPTION_EVENTS,
                qos_overriding_options=OVERRIDABLE,
                raw=True,
            )
        self._inputs.append((topic, subscription))
        return subscription

    def _handler(self, topic: Topic, decode: Decode, callback: Callable[[Any], None]) -> Callable[[bytes], None]:
        """What happens to the bytes of a message."""
        intake = Intake(topic, decode, lambda: self.now, self.refusals)
        self._vitals.expect([topic.name])

        def handle(data: bytes) -> None:
            self._vitals.heard(topic.name)
            if (content := intake.take(data)) is not REFUSED:
                callback(content)

        def hand_over() -> None:
            if (content := intake.take_kept()) is not REFUSED:
                callback(content)

        if topic.delivery is Delivery.STATE:
            self._kept.append(hand_over)
        return handle

    def _waiting(self, topic: Topic, reader: Reader) -> list[tuple[bytes, bytes]]:
        """The serialised messages that wait, oldest first, of those who may publish the topic; each with its publisher's id.

        No more than a queue of them: a flood does not hold the node up.
        """
        taken = islice(iter(reader.take, None), QUEUE)
        return [(data, gid) for data, gid in taken if self.gate.lets_in(topic, gid)]

    @property
    def speaker(self) -> Speaker:
        """Who publishes the message that is handled."""
        return self.gate.publisher(self._speaker)

    # --- time ---------------------------------------------------------------------------------------------------------
    @property
    def now(self) -> float:
        """The time of the stack in s: simulated where ``use_sim_time`` is set."""
        return int(self.get_clock().now().nanoseconds) / 1e9

    # --- health -------------------------------------------------------------------------------------------------------
    def tick(self, t: float) -> None:
        """Work of every tick (10 Hz on the clock of the stack); most nodes have none."""

    def health(self, t: float) -> Iterable[Health]:
        """Reports of this node's components at time ``t``; overridden by every node."""
        raise NotImplementedError

    def _on_tick(self) -> None:
        t = self.now
        passed = t - self._tick_t
        if self._tick_t > 0.0 and not -CLOCK_BACK_S <= passed <= CLOCK_AHEAD_S:
            way = "ahead" if passed > 0.0 else "back"
            raise ClockSet(f"the clock was set {way} by {abs(passed):.1f} s; the run can be resumed")
        self._tick_t = t
        self.take_polled()
        for drain in self._ticked:
            drain()
        self.tick(t)
        reports = tuple(self.health(t))
        if reports:
            reports = (self.refusals.onto(reports[0], t), *reports[1:])
        said = [(report.name, report.level, report.message) for report in reports]
        if said != self._said or not self._said_t <= t < self._said_t + HEARTBEAT_S - 1e-6:
            self._said, self._said_t = said, t
            if reports:
                vitals = self._vitals.values(t, time.process_time(), time.monotonic())
                vitals["run"] = str(self.params.files.run)
                vitals |= {REFUSED_FROM + who.topic: who.publisher.words for who in self.gate.refused()}
                reports = (replace(reports[0], values={**reports[0].values, **vitals}), *reports[1:])
            self._health_publisher.publish(encode.diagnostics(t, reports))

    def ready(self) -> bool:
        """True when every input that is waited for has a publisher."""
        return all(topic.optional or subscription.get_publisher_count() > 0 for topic, subscription in self._inputs)

    def _poll_ready(self) -> None:
        if self.ready():
            self._ready_timer.cancel()
            self._on_tick()


def run(node_class: type[StackNode[Any]]) -> int:
    """Create a node and spin it until SIGINT or SIGTERM; return the exit code. Bad parameters end it with one line."""
    faulthandler.enable()  # where a crash within a library happened stands in the node's log
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    node: StackNode[Any] | None = None
    executor = SteadyExecutor()
    end_on_signals(executor.wake)
    code, why = 0, "SIGINT or SIGTERM"
    try:
        node = node_class()
        # What is there now stays: collections at message rate need not look through modules, parameters and matrices again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(GC_THRESHOLD)
        executor.spin_node(node, node.wakers)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except ValueError as error:  # a parameter, a field or a robot description that cannot be used
        if node is not None:
            raise
        print(f"{node_class.name}: {error}", file=sys.stderr)
        code = 2
    except (ConnectionError, ClockSet) as error:  # what the node cannot do without is gone
        print(f"{node_class.name}: {error}", file=sys.stderr)
        code = 1
    except Exception as error:
        if rclpy.ok():
            why = ""
            raise
        why += f", met half way by {error!r}"
    finally:
        if why and code == 0:
            print(f"{node_class.name}: ends: {why}", file=sys.stderr, flush=True)
        # The first signal may arrive while a node that ends by itself is torn down.
        for step in (
            lambda: executor.shutdown(timeout_sec=1.0),
            lambda: node and node.destroy_node(),
            rclpy.try_shutdown,
        ):
            with contextlib.suppress(KeyboardInterrupt, Exception):
                step()
    return code


def existing_path(text: str, what: str) -> Path:
    """A path parameter that must be given; raises :class:`ParameterError` if it is empty."""
    if not text:
        raise ParameterError(
            f"parameter 'files.{what}' is empty: start the stack with mine-robot run or the launch files"
        )
    return Path(text)
