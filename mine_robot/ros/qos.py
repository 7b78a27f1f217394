"""QoS profiles behind the deliveries of the topic table."""

from __future__ import annotations

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

from mine_robot.ros.topics import Delivery

QUEUE = 200  # messages; at the stack's rates two seconds of the busiest input


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
