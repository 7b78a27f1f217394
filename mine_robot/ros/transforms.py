"""Transforms on TF, where ``tf2_ros`` is installed; it is not on PyPI, and runs without ROS do without."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from geometry_msgs.msg import TransformStamped
from rclpy.node import Node

from mine_robot.ros import encode

Link = tuple[str, str, np.ndarray, np.ndarray]  # parent, child, position (3,) m, roll, pitch and yaw (3,) rad


class TransformSender:
    """Sends transforms; does nothing without ``tf2_ros``."""

    def __init__(self, node: Node) -> None:
        self._broadcaster: Any = None
        try:
            from tf2_ros import TransformBroadcaster
        except ImportError:
            return
        self._broadcaster = TransformBroadcaster(node)

    @property
    def active(self) -> bool:
        """Whether anything is sent at all."""
        return self._broadcaster is not None

    def send(self, t: float, links: Iterable[Link]) -> None:
        """Send the transforms of one instant."""
        if self._broadcaster is not None:
            self._broadcaster.sendTransform([transform(t, *link) for link in links])


def transform(t: float, parent: str, child: str, position: np.ndarray, rpy: np.ndarray) -> TransformStamped:
    """A stamped transform; ``position`` (3,) m, ``rpy`` (3,) rad."""
    message = TransformStamped()
    message.header = encode.header(t, parent)
    message.child_frame_id = child
    message.transform.translation = encode.vector(position)
    message.transform.rotation = encode.quaternion(*(float(angle) for angle in rpy))
    return message
