"""From serialised messages (CDR) to Python objects.

``rclpy`` builds a message from nested Python objects, one setter a field: 60 µs for an ``Odometry``. ``rosbags`` unpacks the same bytes in
12 µs into an object with the same attributes, so the nodes take messages serialised and read them as the replay of a log does. It
compares every length in the bytes with how many there are, so that what it builds is in proportion to the message.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from rosbags.serde import SerdeError
from rosbags.typesys import Stores, TypesysError, get_typestore
from rosbags.typesys.store import Typestore

from mine_robot.ros.checks import DecodeError, shown

# Of bytes that are no such message; which of them depends on where they go wrong.
NO_MESSAGE = (SerdeError, TypesysError, ValueError, TypeError, LookupError, ArithmeticError, MemoryError)


@cache
def _types() -> Typestore:
    return get_typestore(Stores.ROS2_JAZZY)


def deserialise(types: Typestore, data: bytes, type_name: str) -> Any:
    """The message of ``package/msg/Name`` in ``data``; raises :class:`DecodeError` on bytes that are no such message."""
    try:
        return types.deserialize_cdr(data, type_name)
    except NO_MESSAGE:  # where they go wrong says nothing about who sent them
        raise DecodeError(f"no {shown(type_name)}") from None


def deserialiser(type_name: str) -> Callable[[bytes], Any]:
    """:func:`deserialise` for the messages of ROS 2 Jazzy."""
    types = _types()
    return lambda data: deserialise(types, data, type_name)
