"""From serialised messages (CDR) to Python objects.

``rclpy`` builds a message from nested Python objects, one setter a field: 60 µs for an ``Odometry``. ``rosbags`` unpacks the same bytes in
12 µs into an object with the same attributes, so the nodes take messages serialised and read them as the replay of a log does.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from rosbags.serde import SerdeError
from rosbags.typesys import Stores, get_typestore
from rosbags.typesys.store import Typestore

from mine_robot.ros.decode import DecodeError


@cache
def _types() -> Typestore:
    return get_typestore(Stores.ROS2_JAZZY)


def deserialiser(type_name: str) -> Callable[[bytes], Any]:
    """What makes messages of ``package/msg/Name`` from their bytes; it raises :class:`DecodeError` on bytes that are no such message."""
    types = _types()

    def deserialise(data: bytes) -> Any:
        try:
            return types.deserialize_cdr(data, type_name)
        except SerdeError as error:
            raise DecodeError(str(error)) from None

    return deserialise
