"""Messages nobody should send: well-formed ones with hostile content, and bytes that are hardly messages.

``TEMPLATES`` has a sound message of every topic with its decoder; :func:`spoil` and :func:`spoil_bytes` break them, and :func:`violation`
says where a decoded value is not what the table of topics promises.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from rosbags.interfaces import Nodetype
from rosbags.typesys import Stores, get_typestore

from mine_robot.core.types import (
    Cell,
    FixStatus,
    GnssFix,
    Goal,
    GprScan,
    HeadingFix,
    Health,
    ImuSample,
    LedgerGrid,
    Level,
    MarkRequest,
    MarkResult,
    MarkStatus,
    MetalScan,
    MissionState,
    MissionStatus,
    NavState,
    Plan,
    PlanStep,
    Pose2,
    Progress,
    Remark,
    RemarkAnswer,
    RemarkKind,
    StepKind,
    SweepEvidence,
    Target,
    TargetClass,
    Twist2,
    WheelSample,
)
from mine_robot.ros import decode, encode, topics
from mine_robot.ros.checks import TEXT_MAX, Range, plain_text
from mine_robot.ros.gate import GATE, TIME
from mine_robot.ros.topics import Topic

TYPES = get_typestore(Stores.ROS2_JAZZY)
T = 123.5
NUMBERS = (
    math.nan, math.inf, -math.inf, 1e308, -1e308, 3.5e38, 5e-324, 0.0, -0.0, -1.0, 0.5, 2.0, 7.0, 200.0, 100_001.0, -100_001.0, 1e9,
    4294967295.0, -1e-9, 180.1,
)  # fmt: skip
INTEGERS = (
    0,
    1,
    -1,
    2,
    3,
    4,
    7,
    9,
    31,
    48,
    127,
    128,
    200,
    255,
    1000,
    65_535,
    2**31 - 1,
    2147483644,
    -(2**31),
    2**32 - 1,
    4_000_000_000,
)
TEXTS = (
    "", "nan", "inf", "-inf", "-1", "7", "1e400", "1_0", "9" * 5000, "٣", "True", "true", "hold", "target", "confirmed", "reject", "state",
    "status", "searched_m2", "unproven_m2", "32FC1", "mono8", "id", "class", "x\0y", "\x1b[2J\r\n", "\u202eabc", "é" * 3000, "a" * 70_000,
)  # fmt: skip
WORDS = (
    0x7FC00000,
    0x7F800000,
    0xFF800000,
    0xFFFFFFFF,
    0x7FFFFFFF,
    0x80000000,
    0,
    1,
    5,
    0x3F000000,
    0x4F000000,
    0x7F7FFFFF,
    0x01000000,
)


class Template(NamedTuple):
    """A sound message of a topic as bytes, and its decoder."""

    topic: Topic
    data: bytes
    decode: Callable[[Any], Any]


def _templates() -> list[Template]:
    from rclpy.serialization import serialize_message

    a, b, c = Pose2(1.0, 2.0, 0.5), Pose2(1.0, 2.0, -2.5), Pose2(0.2, 1.4, -2.5)
    steps = (
        PlanStep(StepKind.TURN, a, b, False, False, 0.6),
        PlanStep(StepKind.TRANSIT, b, c, False, False, 0.5),
        PlanStep(StepKind.TRANSIT, c, b, True, False, 0.8),
    )
    found = tuple(Target(n, 1.5 + n, -2.0, 0.0, 0.1, 0.1, 0.1, 3.0, 1.0, 0.75, TargetClass.AT) for n in (1, 2, 3))
    cells = np.array([[Cell.OUTSIDE, Cell.SAFE, Cell.HALO], [Cell.GAP, Cell.PENDING, Cell.SEARCHED]], np.int8)
    said = Remark(T, "a1b2", RemarkKind.REJECT, 7, "an old tin", "viewer 1")
    seen = Health("coverage", Level.WARN, "fine", {"searched_m2": "12.5", "unproven_m2": "0.0"})
    zeros = np.zeros(3)
    nav = NavState(T, zeros, np.array([0.1, -0.2, 3.0]), zeros, zeros, 1e-4 * np.eye(6))
    status = MissionStatus(T, MissionState.APPROACH, "driving over target 7", Goal.TARGET, 7, 100.5, 5, 3, 2)
    sound: list[tuple[Topic, Any, Callable[[Any], Any]]] = [
        (topics.IMU, encode.imu(ImuSample(T, zeros, np.array([0.0, 0.0, 9.8]))), decode.imu),
        (topics.GNSS_FIX, encode.fix(GnssFix(T, 40.0, 47.0, 210.0, np.eye(3), FixStatus.FIXED)), decode.fix),
        (topics.GNSS_HEADING, encode.heading(HeadingFix(T, -2.2, 0.006)), decode.heading),
        (topics.WHEELS, encode.wheels(WheelSample(T, 0.5, -0.1)), decode.wheels),
        (topics.GPR_SCAN, encode.gpr(GprScan(T, np.ones((8, 3), np.float32))), decode.gpr),
        (topics.METAL_SCAN, encode.metal(MetalScan(T, np.ones((2, 3)), np.ones(2), np.ones(2))), decode.metal),
        (topics.ODOMETRY, encode.odometry(nav), decode.odometry),
        (topics.PLAN, encode.plan(Plan(T, steps)), decode.plan),
        (topics.LEDGER, encode.ledger(LedgerGrid(T, -3.0, 4.0, 0.0625, cells)), decode.ledger),
        (
            topics.EVIDENCE,
            encode.evidence([SweepEvidence(T, 1.0, 2.0, -0.5, 0.01, 0.06, 0.5, True, False)]),
            decode.evidence,
        ),
        (topics.TARGETS, encode.targets(T, found), decode.targets),
        (topics.CMD_RAW, encode.twist(Twist2(T, 0.4, -0.3)), decode.twist),
        (topics.CMD, encode.twist(Twist2(T, 0.4, -0.3)), decode.twist),
        (
            topics.PROGRESS,
            encode.progress(Progress(T, 100.1, 3, True, 1.5, 2.5, -0.01, False, True)),
            decode.progress,
        ),
        (topics.MARK_REQUEST, encode.mark_request(MarkRequest(T, 9, 1.5, 2.5)), decode.mark_requests),
        (
            topics.MARK_RESULT,
            encode.mark_result(MarkResult(T, 9, MarkStatus.UNVERIFIED, 1.1, 2.2, "weak")),
            decode.mark_result,
        ),
        (topics.MISSION_STATE, encode.mission_status(status), decode.mission_status),
        (topics.SIREN, encode.siren(True), decode.siren),
        (topics.HEARTBEAT, encode.heartbeat(T), decode.heartbeat),
        (topics.REMARK, encode.remark(said), decode.remark),
        (topics.REMARK_ANSWER, encode.remark_answer(RemarkAnswer(said, False, "no target 7")), decode.remark_answer),
        (topics.DIAGNOSTICS, encode.diagnostics(T, (seen, Health("guard", Level.OK, ""))), decode.diagnostics),
    ]
    return [Template(topic, serialize_message(message), decoder) for topic, message, decoder in sound]


TEMPLATES = _templates()


# --- breaking ----------------------------------------------------------------------------------------------------------
class Chooser(NamedTuple):
    """Where the choices come from: a random generator, or hypothesis."""

    index: Callable[[int], int]  # below the argument

    def of(self, things: Any) -> Any:
        """One of ``things``."""
        return things[self.index(len(things))]


def spoil(message: Any, choose: Chooser) -> Any:
    """``message`` (of ``rosbags``) with one value, anywhere in it, replaced by a hostile one."""
    fields = TYPES.fielddefs[message.__msgtype__][1]
    name, description = choose.of(fields)
    value = getattr(message, name)
    return dataclasses.replace(message, **{name: _spoilt(value, description, choose)})


def _spoilt(value: Any, description: Any, choose: Chooser) -> Any:
    kind, what = description
    if kind is Nodetype.NAME:
        return spoil(value, choose)
    if kind is Nodetype.BASE:
        return _hostile(what[0], choose)
    if what[0][0] is Nodetype.BASE:
        return _spoilt_numbers(value, kind is Nodetype.SEQUENCE, choose)
    elements = list(value)
    act = choose.index(6) if elements else 0
    if act == 0:
        return []
    if act == 1:
        return elements[:-1]
    if act == 2:
        return elements * choose.of((2, 50, 300))
    place = choose.index(len(elements))
    elements[place] = spoil(elements[place], choose)
    return elements


def _spoilt_numbers(value: Any, resizable: bool, choose: Chooser) -> Any:
    array = np.array(value)
    act = choose.index(6) if resizable else 5
    if act == 0:
        return array[:0]
    if act == 1:
        return array[: choose.index(len(array) + 1)]
    if act == 2:
        return np.concatenate((array, array, array[:1]))
    if array.dtype.itemsize == 1 and len(array) >= 4 and act > 3:
        place = choose.index(len(array) // 4)
        array[4 * place : 4 * place + 4] = np.array([choose.of(WORDS)], np.uint32).view(array.dtype)
    elif len(array):
        array[choose.index(len(array))] = _hostile(array.dtype.name, choose)
    return array


def _hostile(kind: str, choose: Chooser) -> Any:
    if kind == "string":
        return choose.of(TEXTS)
    if kind.startswith("float"):
        number = choose.of(NUMBERS)
        return float(np.clip(number, -3.4e38, 3.4e38)) if kind == "float32" and math.isfinite(number) else number
    if kind == "bool":
        return bool(choose.index(2))
    bits = int("".join(filter(str.isdigit, kind)) or 8)
    number = choose.of(INTEGERS) % 2**bits
    return number - 2**bits if not kind.startswith(("u", "char")) and number >= 2 ** (bits - 1) else number


def to_bytes(message: Any) -> bytes:
    """A message of ``rosbags`` as it comes over the wire."""
    return bytes(TYPES.serialize_cdr(message, message.__msgtype__))


def spoil_bytes(data: bytes, choose: Chooser) -> bytes:
    """``data`` with some bytes or words changed, cut short, repeated, or nothing but noise."""
    act = choose.index(8)
    if act == 0:
        return data[: choose.index(len(data) + 1)]
    if act == 1:
        return data + data[: choose.index(64)]
    if act == 2:
        return bytes(choose.index(256) for _ in range(choose.index(96)))
    broken = bytearray(data)
    for _ in range(1 + choose.index(4)):
        if act < 6:
            place = choose.index(len(data) // 4) * 4
            broken[place : place + 4] = choose.of(WORDS).to_bytes(4, "little")
        else:
            broken[choose.index(len(data))] = choose.index(256)
    return bytes(broken[: len(data)])


# --- judging -------------------------------------------------------------------------------------------------------------
COLUMNS = {"target_id": "id", "kind": "class", "x0": "x", "y0": "y"}  # of the table, where a core type has another name
LISTED = ("records", "targets", "requests", "statuses")
STATES = [int(cell) for cell in Cell]


def violation(topic: Topic, content: Any) -> str:
    """What of a decoded ``content`` is not as the table promises; empty if nothing."""
    row = GATE[topic]
    t, content = content if topic is topics.DIAGNOSTICS else (0.0, content)
    parts = content if isinstance(content, (list, tuple)) else [content]
    if row.item in LISTED and not row.items[0] <= len(parts) <= row.items[1]:
        return f"{len(parts)} {row.item}"
    return _violated("t", t, {}) or next((words for part in parts if (words := _violated("", part, row.values))), "")


def _violated(name: str, value: Any, ranges: Mapping[str, Range]) -> str:
    bound = TIME if name == "t" else ranges.get(name, ranges.get(COLUMNS.get(name, "")))
    if dataclasses.is_dataclass(value):
        parts = [(field.name, getattr(value, field.name)) for field in dataclasses.fields(value)]
        return next((words for part, item in parts if (words := _violated(part, item, ranges))), "")
    if isinstance(value, tuple):
        return next((words for part in value if (words := _violated(name, part, ranges))), "")
    if isinstance(value, np.ndarray):
        sound = value.dtype.kind in "fi" and (name != "cells" or bool(np.isin(value, STATES).all()))
    elif isinstance(value, str):
        sound = len(value) <= TEXT_MAX and plain_text(value) == value
    else:
        lost = bound is not None and bound.unknown and not math.isfinite(value)
        sound = bound is None or isinstance(value, dict) or lost or bound.low <= value <= bound.high
    return "" if sound else f"{name} is {value}"
