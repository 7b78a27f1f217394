"""Core types survive the way over the wire: encode, serialise with rclpy, deserialise with rclpy and with rosbags, decode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from rclpy.serialization import deserialize_message, serialize_message
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
from mine_robot.ros import decode, encode
from mine_robot.ros.messages import message_class
from mine_robot.ros.topics import (
    CMD,
    DIAGNOSTICS,
    EVIDENCE,
    GNSS_FIX,
    GNSS_HEADING,
    GPR_SCAN,
    HEARTBEAT,
    IMU,
    LEDGER,
    MARK_REQUEST,
    MARK_RESULT,
    METAL_SCAN,
    MISSION_STATE,
    ODOMETRY,
    PLAN,
    PROGRESS,
    REMARK,
    REMARK_ANSWER,
    SIREN,
    TARGETS,
    WHEELS,
    Topic,
)

T = 123.456
RNG = np.random.default_rng(3)


def floats(*shape: int) -> np.ndarray:
    """Values that a float32 holds exactly."""
    return RNG.normal(size=shape).astype(np.float32).astype(float)


A, B, C = Pose2(1.0, 2.0, 0.5), Pose2(1.0, 2.0, -2.5), Pose2(0.2, 1.4, -2.5)
STEPS = (
    PlanStep(StepKind.TURN, A, B, False, False, 0.6),
    PlanStep(StepKind.TRANSIT, B, C, False, False, 0.5),
    PlanStep(StepKind.TRANSIT, C, B, True, False, 0.8),
)
TARGET = Target(7, 1.5, -2.25, 0.0, 0.03125, 0.0625, 0.125, 3.5, -1.25, 0.75, TargetClass.AP_MINIMUM_METAL)

CELLS = np.array([[Cell.OUTSIDE, Cell.SAFE, Cell.HALO], [Cell.GAP, Cell.PENDING, Cell.SEARCHED]], np.int8)

SAID = Remark(T, "a1b2", RemarkKind.REJECT, 7, 'şüşə, "köhnə"', "viewer 1, 127.0.0.1")
CASES: list[tuple[Topic, Callable[[Any], Any], Callable[[Any], Any], Any]] = [
    (IMU, encode.imu, decode.imu, ImuSample(T, floats(3), floats(3))),
    (GNSS_FIX, encode.fix, decode.fix, GnssFix(T, 39.99, 46.93, 210.5, np.diag([1e-4, 1e-4, 4e-4]), FixStatus.FLOAT)),
    (GNSS_FIX, encode.fix, decode.fix, GnssFix(T, 39.99, 46.93, 210.5, np.full((3, 3), np.nan), FixStatus.NONE)),
    (GNSS_HEADING, encode.heading, decode.heading, HeadingFix(T, -2.2, 0.006)),
    (WHEELS, encode.wheels, decode.wheels, WheelSample(T, 0.5, -0.1)),
    (GPR_SCAN, encode.gpr, decode.gpr, GprScan(T, RNG.normal(size=(192, 8)).astype(np.float32))),
    (GPR_SCAN, encode.gpr, decode.gpr, GprScan(T, np.full((64, 1), np.nan, np.float32))),
    (METAL_SCAN, encode.metal, decode.metal, MetalScan(T, floats(6, 3), floats(6), floats(6))),
    (
        ODOMETRY,
        encode.odometry,
        decode.odometry,
        NavState(T, floats(3), np.array([0.1, -0.2, 3.0]), floats(3), floats(3), floats(6, 6)),
    ),
    (
        EVIDENCE,
        encode.evidence,
        decode.evidence,
        [SweepEvidence(T, 1.0, 2.0, -0.5, 0.015625, 0.0625, 0.5, True, False)],
    ),
    (TARGETS, lambda value: encode.targets(T, value), decode.targets, (TARGET,)),
    (TARGETS, lambda value: encode.targets(T, value), decode.targets, ()),
    (CMD, encode.twist, decode.twist, Twist2(T, 0.4, -0.3)),
    (MARK_REQUEST, encode.mark_request, lambda message: decode.mark_requests(message)[0], MarkRequest(T, 9, 1.5, 2.5)),
    (
        MARK_RESULT,
        encode.mark_result,
        decode.mark_result,
        MarkResult(T, 9, MarkStatus.UNVERIFIED, 1.1, 2.2, "weak pulse"),
    ),
    (PROGRESS, encode.progress, decode.progress, Progress(T, 100.1, 3, True, 1.5, 2.5, -0.0125, False, True)),
    (PLAN, encode.plan, decode.plan, Plan(T, STEPS)),
    (PLAN, encode.plan, decode.plan, Plan(T, ())),
    (
        LEDGER,
        encode.ledger,
        decode.ledger,
        LedgerGrid(T, -3.0, 4.0, 0.0625, CELLS),
    ),
    (
        MISSION_STATE,
        encode.mission_status,
        decode.mission_status,
        MissionStatus(T, MissionState.APPROACH, "driving over target 7", Goal.TARGET, 7, 0.1 + 0.2, 5, 3, 2),
    ),
    (
        MISSION_STATE,
        encode.mission_status,
        decode.mission_status,
        MissionStatus(T, MissionState.HOLD, "holding", Goal.NONE, -1, 0.0, acknowledged="viewer 1: seen"),
    ),
    (REMARK, encode.remark, decode.remark, SAID),
    (SIREN, encode.siren, decode.siren, True),
    (HEARTBEAT, encode.heartbeat, decode.heartbeat, T),
    (REMARK_ANSWER, encode.remark_answer, decode.remark_answer, RemarkAnswer(SAID, False, "there is no target 7")),
    (REMARK_ANSWER, encode.remark_answer, decode.remark_answer, RemarkAnswer(SAID, True)),
    (
        DIAGNOSTICS,
        lambda value: encode.diagnostics(*value),
        decode.diagnostics,
        (T, (Health("gpr", Level.WARN, "channel 3 is dead", {"channel": "3"}), Health("guard", Level.OK, ""))),
    ),
]


@pytest.mark.parametrize(
    ("topic", "to_message", "from_message", "value"), CASES, ids=lambda item: getattr(item, "name", "")
)
def test_round_trip(
    topic: Topic, to_message: Callable[[Any], Any], from_message: Callable[[Any], Any], value: Any
) -> None:
    data = serialize_message(to_message(value))
    same(from_message(deserialize_message(data, message_class(topic.type_name))), value)
    store = get_typestore(Stores.ROS2_JAZZY)
    same(from_message(store.deserialize_cdr(data, topic.type_name)), value)


def same(got: Any, wanted: Any) -> None:
    """Compare values with arrays in them; stamps to the nanosecond."""
    assert type(got) is type(wanted)
    if isinstance(wanted, (tuple, list)):
        assert len(got) == len(wanted)
        for one, other in zip(got, wanted):
            same(one, other)
    elif hasattr(wanted, "__dataclass_fields__"):
        for name in wanted.__dataclass_fields__:
            same(getattr(got, name), getattr(wanted, name))
    elif isinstance(wanted, np.ndarray):
        assert got.dtype.kind == wanted.dtype.kind
        np.testing.assert_allclose(got, wanted, atol=1e-9)
    elif isinstance(wanted, float):
        assert got == pytest.approx(wanted, abs=2e-8)
    else:
        assert got == wanted


def test_the_request_stamp_is_echoed_exactly() -> None:
    """The follower compares the stamp of a plan with that of the request."""
    t = 207.30000000000001
    status = MissionStatus(t, MissionState.PLAN, "", Goal.SEARCH, -1, t)
    request_t = decode.mission_status(encode.mission_status(status)).request_t
    assert decode.plan(encode.plan(Plan(request_t, STEPS))).t == pytest.approx(request_t, abs=1e-9)


def test_a_scan_of_the_wrong_size_is_refused() -> None:
    message = encode.gpr(GprScan(T, np.zeros((16, 4), np.float32)))
    message.height = 17
    with pytest.raises(decode.DecodeError, match="17 x 4"):
        decode.gpr(message)
    message.encoding = "mono8"
    with pytest.raises(decode.DecodeError, match="mono8"):
        decode.gpr(message)


def test_a_cloud_without_the_fields_is_refused() -> None:
    with pytest.raises(decode.DecodeError, match="in_phase"):
        decode.metal(encode.mark_request(MarkRequest(T, 1, 0.0, 0.0)))


def test_an_incomplete_mission_state_is_refused() -> None:
    message = encode.diagnostics(T, [Health("mission", Level.OK, "")])
    with pytest.raises(decode.DecodeError, match="state"):
        decode.mission_status(message)
