"""An executor for nodes whose entities do not change while they spin.

``rclpy``'s single-threaded executor collects a node's entities, builds a wait set and wraps every callback into a task each time it wakes
up; at the stack's rates that is half of a node's work. Here the wait set is built once, and messages and timers are handed on directly,
with the calls that ``rclpy.wait_for_message`` makes. Subscriptions in ``wakers`` are not taken from: whoever owns them does that, with the
publisher of each message. Everything rarer (services, changed entities) is left to ``rclpy``'s own executor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from rclpy.executors import SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.subscription import Subscription
from rclpy.timer import Timer

FOREVER_NS = -1
NOBODY: Mapping[Subscription, Callable[[], None]] = MappingProxyType({})


class SteadyExecutor(SingleThreadedExecutor):
    """Spins one node until its context is shut down."""

    def spin_node(self, node: Node, wakers: Mapping[Subscription, Callable[[], None]] = NOBODY) -> None:
        """Serve ``node``; returns when the context is shut down, and lets the exceptions of callbacks through."""
        self._wakers = wakers
        self.add_node(node)
        self._collect(node)
        while self._context.ok():
            if self._turn():
                self.spin_once(timeout_sec=0.0)
                self._collect(node)

    def _collect(self, node: Node) -> None:
        self._subscriptions: list[Subscription] = [sub for sub in node.subscriptions if self.can_execute(sub)]
        self._timers: list[Timer] = [timer for timer in node.timers if self.can_execute(timer)]
        self._services = list(node.services)
        self._guards = [self._guard, self._sigint_gc, *node.guards]
        self._wait_set = rclpy_implementation.WaitSet(
            len(self._subscriptions) + len(self._wakers),
            len(self._guards),
            len(self._timers),
            0,
            len(self._services),
            0,
            self._context.handle,
        )

    def _turn(self) -> bool:
        """Wait and serve what is ready; True if something needs ``rclpy``'s own executor."""
        ready = self._wait_set
        ready.clear_entities()
        for sub in (*self._subscriptions, *self._wakers):
            ready.add_subscription(sub.handle)
        for timer in self._timers:
            ready.add_timer(timer.handle)
        for service in self._services:
            ready.add_service(service.handle)
        for guard in self._guards:
            ready.add_guard_condition(guard.handle)
        ready.wait(FOREVER_NS)
        if not self._context.ok():
            return False
        timers = ready.get_ready_entities("timer")
        subscriptions = ready.get_ready_entities("subscription")
        others = ready.get_ready_entities("service") or ready.get_ready_entities("guard_condition")
        for timer in self._timers:
            if timer.handle.pointer in timers and timer.handle.is_timer_ready():
                timer.handle.call_timer()
                timer.callback()
        for sub in self._subscriptions:
            if sub.handle.pointer in subscriptions:
                taken = sub.handle.take_message(sub.msg_type, sub.raw)
                if taken is not None:
                    sub.callback(taken[0])
        for sub, wake in self._wakers.items():
            if sub.handle.pointer in subscriptions:
                wake()
        return bool(others)
