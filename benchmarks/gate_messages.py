"""Hostile messages: made from the bytes of a genuine one, for whatever type of message a topic has.

A genuine message is unpacked with ``rosbags``, changed field by field and packed again, so that nothing that CDR can carry is kept from
being sent by the setters of ``rclpy``.
"""

from __future__ import annotations

import copy
import dataclasses
import math
import struct
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from rosbags.typesys import Stores, get_typestore

from mine_robot.ros.topics import Topic

TYPES = get_typestore(Stores.ROS2_JAZZY)
LONG = 100_000  # characters
LARGE = 50_000_000  # bytes
TEXTS = ("", "nan", "inf", "-1", "1e999", "\u202eevil\x00[/x]", "9" * 5000, "x" * LONG)
INTEGERS = (0, 1, -1, 7, 127, 200, 255, 2**31 - 1, 2**31, 2**32 - 1, -(2**31), 2147483644)
FLOATS = (math.nan, math.inf, -math.inf, 1e300, -1e300, 1e-300)
POINT_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 8: "f8"}  # sensor_msgs/PointField
Leaf = tuple[Any, str, Any]  # the message that holds it, its name, its value


def unpack(topic: Topic, data: bytes) -> Any:
    """The message in ``data``, free to be changed."""
    return copy.deepcopy(TYPES.deserialize_cdr(data, topic.type_name))


def pack(topic: Topic, message: Any) -> bytes:
    """The bytes of a message; raises ``struct.error``, ``ValueError`` or ``TypeError`` for what the type cannot hold."""
    return bytes(TYPES.serialize_cdr(message, topic.type_name))


def leaves(message: Any) -> Iterator[Leaf]:
    """Every plain field, and those of the first element of each list."""
    for field in dataclasses.fields(message):
        if field.name.startswith("__"):
            continue
        value = getattr(message, field.name)
        if dataclasses.is_dataclass(value):
            yield from leaves(value)
            continue
        yield message, field.name, value
        if isinstance(value, list) and value and dataclasses.is_dataclass(value[0]):
            for item in value[:12]:
                yield from leaves(item)


def put(message: Any, name: str, value: Any) -> None:
    """Set a field, frozen or not."""
    object.__setattr__(message, name, value)


def stamp(message: Any, t: float) -> None:
    """Set every time in the message."""
    nanoseconds = round(t * 1e9)
    for holder, name, _ in list(leaves(message)):
        if name == "sec":
            put(holder, name, nanoseconds // 1_000_000_000)
        elif name == "nanosec":
            put(holder, name, nanoseconds % 1_000_000_000)


def stamp_of(message: Any) -> float:
    """The first time in the message."""
    found = {name: value for _, name, value in reversed(list(leaves(message))) if name in ("sec", "nanosec")}
    return float(found.get("sec", 0) + found.get("nanosec", 0) * 1e-9)


def shifted(topic: Topic, data: bytes, by: float) -> bytes:
    """The same message, said to be of ``by`` s later."""
    message = unpack(topic, data)
    stamp(message, max(stamp_of(message) + by, 0.0))
    return pack(topic, message)


def empty(topic: Topic, data: bytes) -> list[bytes]:
    """Nothing in it: with the genuine time, and with none."""
    message = unpack(topic, data)
    for holder, name, value in list(leaves(message)):
        if name not in ("sec", "nanosec"):
            put(holder, name, _nothing(value))
    timed = pack(topic, message)
    stamp(message, 0.0)
    return [timed, pack(topic, message)]


def _nothing(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return np.zeros(len(value) if len(value) in (9, 36) else 0, dtype=value.dtype)  # fixed sizes stay
    return [] if isinstance(value, list) else type(value)()


def with_floats(topic: Topic, data: bytes, number: float) -> list[bytes]:
    """Every number replaced by ``number``, within clouds and images too, and within texts that are numbers."""
    message = unpack(topic, data)
    _fill_data(message, number)
    for holder, name, value in list(leaves(message)):
        if isinstance(value, float):
            put(holder, name, number)
        elif isinstance(value, np.ndarray) and value.dtype.kind == "f":
            put(holder, name, np.full_like(value, number))
        elif isinstance(value, str) and name == "value" and _is_number(value):
            put(holder, name, str(number))
    return [pack(topic, message)]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def cloud_rows(message: Any) -> np.ndarray:
    """The points of a sound PointCloud2 as a structured array of their own."""
    kinds = {
        "names": [field.name for field in message.fields],
        "formats": ["<" + POINT_TYPES[field.datatype] for field in message.fields],
        "offsets": [field.offset for field in message.fields],
        "itemsize": message.point_step,
    }
    return np.frombuffer(bytes(message.data), dtype=np.dtype(kinds)).copy()  # type: ignore[call-overload]


def set_rows(message: Any, rows: np.ndarray) -> None:
    """Make ``rows`` the points of a cloud."""
    put(message, "data", np.frombuffer(rows.tobytes(), dtype=np.uint8))
    put(message, "width", len(rows))
    put(message, "row_step", rows.nbytes)


def _fill_data(message: Any, number: float) -> None:
    if hasattr(message, "point_step"):
        rows = cloud_rows(message)
        for name in rows.dtype.names or ():
            if rows.dtype[name].kind == "f":
                rows[name] = number
        set_rows(message, rows)
    elif hasattr(message, "encoding"):
        put(message, "data", np.frombuffer(struct.pack("<f", np.float32(number)) * (len(message.data) // 4), np.uint8))


def one_by_one(topic: Topic, data: bytes, fits: Callable[[str, Any], tuple[Any, ...]]) -> list[bytes]:
    """One message for each plain field and each value that ``fits`` proposes for it, as far as the type can hold it."""
    found = []
    for index, (_, name, value) in enumerate(list(leaves(unpack(topic, data)))):
        for proposed in fits(name, value):
            message = unpack(topic, data)
            holder = list(leaves(message))[index][0]
            put(holder, name, proposed)
            try:
                found.append(pack(topic, message))
            except (struct.error, ValueError, TypeError, OverflowError, AttributeError):
                continue
    return found


def layouts(topic: Topic, data: bytes) -> list[bytes]:
    """Enumerations, sizes, offsets and steps out of range; arrays too short and too long."""

    def fits(name: str, value: Any) -> tuple[Any, ...]:
        if isinstance(value, bool) or name in ("sec", "nanosec"):
            return ()
        if isinstance(value, int):
            return INTEGERS
        if isinstance(value, float):
            return (*FLOATS, 0.0, -1.0)
        if isinstance(value, np.ndarray) and len(value) not in (9, 36):
            noise = np.full(len(value), 200 if value.dtype.kind in "u" else 99, dtype=value.dtype)
            return value[: len(value) // 2], np.concatenate([value, value[:7]]), noise
        return (value[:1], value * 3) if isinstance(value, list) else ()

    return one_by_one(topic, data, fits)


def texts(topic: Topic, data: bytes) -> list[bytes]:
    """Every text replaced by markup, by numbers that are none, by much too much."""
    return one_by_one(topic, data, lambda _, value: TEXTS if isinstance(value, str) else ())


def broken(topic: Topic, data: bytes, rng: np.random.Generator) -> list[bytes]:
    """Bytes that are no such message: cut, random, with lengths beyond their end, with flipped bits."""
    found = [b"", b"\x00\x01\x00\x00", b"\x00\x01\x00\x00" + b"\xff" * 64, rng.bytes(400)]
    found += [data[: int(cut)] for cut in rng.integers(4, max(len(data), 5), 12)]
    for _ in range(40):
        copied = bytearray(data)
        at = int(rng.integers(4, max(len(copied) - 4, 5)))
        copied[at : at + 4] = b"\xff\xff\xff\x7f" if rng.random() < 0.5 else rng.bytes(4)
        found.append(bytes(copied[: len(data)]))
    return found


def large(topic: Topic, data: bytes) -> list[bytes]:
    """50 MB in one message: in its longest array, or in its longest text."""
    message = unpack(topic, data)
    fields = [leaf for leaf in leaves(message) if isinstance(leaf[2], (np.ndarray, str))]
    arrays = [leaf for leaf in fields if isinstance(leaf[2], np.ndarray) and len(leaf[2]) not in (9, 36)]
    if arrays:
        holder, name, value = arrays[0]
        put(holder, name, np.zeros(LARGE // value.dtype.itemsize, dtype=value.dtype))
    elif fields and any(isinstance(leaf[2], str) for leaf in fields):
        holder, name, _ = next(leaf for leaf in fields if isinstance(leaf[2], str))
        put(holder, name, "x" * LARGE)
    else:
        return [data + bytes(LARGE)]
    return [pack(topic, message)]
