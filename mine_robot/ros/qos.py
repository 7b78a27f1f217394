"""QoS profiles behind the deliveries of the topic table."""

from __future__ import annotations

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

from mine_robot.ros.topics import Delivery


def profile(delivery: Delivery) -> QoSProfile:
    """The QoS profile of a delivery."""
    best_effort = delivery in (Delivery.SENSOR, Delivery.CLOCK)
    latched = delivery in (Delivery.STATE, Delivery.HEALTH)
    depth = {Delivery.SENSOR: 50, Delivery.STREAM: 50, Delivery.STATE: 1, Delivery.HEALTH: 1, Delivery.CLOCK: 1}[delivery]
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=ReliabilityPolicy.BEST_EFFORT if best_effort else ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )
