"""QoS profiles behind the deliveries of the topic table, and what parameters may override of them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from rclpy.exceptions import ParameterException
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions

from mine_robot.core.parameters import ParameterError
from mine_robot.ros.gate import QUEUE
from mine_robot.ros.topics import Delivery, Topic

OVERRIDABLE = QoSOverridingOptions.with_default_policies()  # history, depth, reliability


def profile(delivery: Delivery, *, reader: bool = False) -> QoSProfile:
    """The QoS profile of a delivery, for a writer or a reader.

    A reader of ``HEALTH`` hears many writers and keeps enough for all of them; each writer keeps its last report.
    """
    best_effort = delivery in (Delivery.SENSOR, Delivery.CLOCK)
    latched = delivery in (Delivery.STATE, Delivery.HEALTH)
    queued = delivery in (Delivery.SENSOR, Delivery.STREAM) or (delivery is Delivery.HEALTH and reader)
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=QUEUE if queued else 1,
        reliability=ReliabilityPolicy.BEST_EFFORT if best_effort else ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )


@contextlib.contextmanager
def overriding(topic: Topic) -> Iterator[None]:
    """Where an end of ``topic`` is made: an override that cannot be used is a :class:`ParameterError` that names the topic."""
    try:
        yield
    except (RuntimeError, ParameterException) as error:
        raise ParameterError(f"{topic.name}: {error}") from None
